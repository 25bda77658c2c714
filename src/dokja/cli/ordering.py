"""Groups of commands in the order of the work, each imported only when it is run.

Help for a group must not wait for everything that its commands stand on, so that their one-line
help stands in the group's own table.
"""

import importlib
from collections.abc import Mapping
from typing import Any

import click

__all__ = ["Ordered"]


class Ordered(click.Group):
    """A group that lists its commands in the order of its table.

    Args:
        table: By name: the command as `module:attribute`, and its line of help.
    """

    def __init__(
        self, *args: Any, table: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._table = dict(table or {})

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the commands' names."""
        return [*self.commands, *self._table]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now if it was not yet."""
        if cmd_name in self._table:
            module, _, attribute = self._table[cmd_name][0].partition(":")
            found: click.Command = getattr(importlib.import_module(module), attribute)
            return found
        return super().get_command(ctx, cmd_name)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  # click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the commands with their lines of help, without importing any."""
        rows = [(name, command.get_short_help_str(80)) for name, command in self.commands.items()]
        rows += [(name, line) for name, (_, line) in self._table.items()]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)
