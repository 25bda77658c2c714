"""`dokja forge`: build models with a record that can be checked, and check records."""

import click

from dokja.cli.forge_planning import claim, plan
from dokja.cli.forge_running import run
from dokja.cli.ordering import Ordered

__all__ = ["forge"]


@click.group(cls=Ordered, short_help="Build models with a record that can be checked.")
def forge() -> None:
    """Build a model from a recipe, with a build record that proves how, and verify records.

    \b
    The way of a model, from left to right:
      plan → run → verify → export
    A run made elsewhere comes in by `attach`. What a model may claim follows from its
    ancestry; nobody types a grade.

    \b
    Try it without anybody's weights or data:
      dokja forge plan t4 -o build/plan-t4
      dokja forge run build/plan-t4 -o build/run-t4
      dokja forge verify build/run-t4 --level V2
    """


for command in (plan, run, claim):
    forge.add_command(command)
