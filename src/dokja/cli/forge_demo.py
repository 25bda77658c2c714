"""`dokja forge demo`: the false T4, and which check catches whom."""

import os
import secrets
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

from dokja.cli.printing import as_json, emit, now, say, table
from dokja.errors import Mistake, RecipeError
from dokja.models.forge.demo.judging import demo_table, lessons
from dokja.models.forge.demo.staging import DemoWorld, false_t4

__all__ = ["demo"]

SCHEMA = "dokja.forge.demo/1"
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@click.command
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Keep the runs in a folder.")
@as_json
def demo(output: Path | None, *, as_json: bool) -> int:
    """Build honest models and false ones, and show which check catches which.

    Six cheats claim weights of their own and start from another's. Everything is real and small:
    plans, runs, witnessed chains, signed records, checks. Takes about half a minute of one core.

    \b
    Example:
      dokja forge demo -o build/false-t4
    """
    if output is not None and output.exists() and any(output.iterdir()):
        expected = "a new or empty folder"
        raise RecipeError(
            [Mistake(file=str(output), place="", read="a folder with things", expected=expected)]
        )
    with ExitStack() as stack:
        folder = output or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        status = stack.enter_context(Console(stderr=True).status("the false T4"))
        judged = false_t4(
            folder,
            world=DemoWorld(
                clock=now,
                secrets=secrets.token_bytes,
                python=sys.executable,
                environment={**dict.fromkeys(_THREADS, "1"), **os.environ},
                progress=status.update,
            ),
        )
    taught = lessons(judged)
    if as_json:
        emit(
            {
                "schema": SCHEMA,
                "builders": [one.to_json() for one in judged],
                "lessons": [{"says": one.says, "holds": one.holds} for one in taught],
            }
        )
        return 0
    for one in judged:
        say(f"{one.builder.name} claims {one.builder.claims} and {one.builder.does}.")
    say()
    header, rows = demo_table(judged)
    say(table(header, rows))
    say("A cell in brackets is a check that fails.")
    say()
    for lesson in taught:
        say(f"{'shown' if lesson.holds else 'NOT SHOWN'}: {lesson.says}")
    return 0
