"""Groups of commands in the order of the work, not of the alphabet."""

import click

__all__ = ["Ordered"]


class Ordered(click.Group):
    """A group that lists its commands in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return the commands' names."""
        return list(self.commands)
