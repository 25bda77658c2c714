"""`dokja forge zoo`: grow families of models whose relations are known, and open them."""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dokja.cli.printing import as_json, emit, say, table
from dokja.errors import ExtraMissingError
from dokja.models.forge.zoo import (
    FAMILIES,
    TIERS,
    Grower,
    Zoo,
    changed,
    grow,
    plan_zoo,
    read_zoo,
    relabel,
    tier_named,
    write_model,
)

__all__ = ["zoo"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_CHANGED = 3


class _Growing(click.Group):
    """A group whose first word may be left out where it is `grow`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `grow` before options that stand alone."""
        if args and args[0].startswith("-") and args[0] != "--help":
            args = ["grow", *args]
        return super().parse_args(ctx, args)


@click.group(cls=_Growing)
def zoo() -> None:
    """Grow families of small models whose relations are known, and open them again.

    \b
    Examples:
      dokja forge zoo grow --tier smoke -o build/zoo
      dokja forge zoo label build/zoo
      dokja forge zoo make build/zoo f1-r00.dus-each -o build/deep
    """


@zoo.command("grow")
@click.option(
    "--tier", default="smoke", show_default=True, help="smoke, small, night, null or long."
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The zoo.")
@click.option("--families", default="", metavar="F1,F2", help="All of the tier's by default.")
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(1), help="At a time.")
@as_json
def grow_zoo(tier: str, *, output: Path, families: str, jobs: int, as_json: bool) -> int:
    """Grow a zoo, or go on growing one that was stopped or killed.

    Families that need torch are left out, and said to be, where it is not installed; one that
    was asked for by name is an error then. With --families the manifest holds them alone;
    grow the others into the same folder by naming all of them.

    \b
    Example:
      dokja forge zoo grow --tier smoke -o build/zoo
    """
    torch = importlib.util.find_spec("torch") is not None
    wanted = tuple(filter(None, families.split(",")))
    plan = plan_zoo(tier_named(tier), families=wanted, torch=torch)
    missing = [one for one in plan.left_out if one.what in wanted]
    if missing:
        text = "; ".join(f"{one.what} is left out: {one.why}" for one in missing)
        raise ExtraMissingError(f"{text}. Nothing was changed.")
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("growing", total=len(plan.blueprints))

        def progress(name: str, done: int, count: int) -> None:
            bar.update(task, completed=done, total=count, description=name)

        grown = grow(
            plan,
            output,
            grower=Grower(
                environment={**os.environ, **dict.fromkeys(_THREADS, "1")},
                python=sys.executable,
                at_once=jobs,
                progress=progress,
            ),
        )
    if as_json:
        emit(_told(grown))
        return 0
    say(_summary(grown))
    for one in grown.left_out:
        say(f"left out: {one.what}: {one.why}")
    say(f"manifest {output / 'zoo.json'}")
    return 0


@zoo.command("label")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@as_json
def label_zoo(folder: Path, *, as_json: bool) -> int:
    """Label every model of a zoo anew from its record, and look whether its weights are those.

    Every variant is made again and every folder is read. Ends with 3 if some are others.

    \b
    Example:
      dokja forge zoo label build/zoo
    """
    labelled = relabel(folder)
    others = changed(labelled)
    if as_json:
        emit({**_told(labelled), "changed": list(others)})
    else:
        say(_summary(labelled))
        for name in others:
            say(f"{name}: its weights are not those that were labelled; grow the zoo again")
    return _CHANGED if others else 0


@zoo.command("make")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.argument("name", metavar="NAME")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A folder.")
@as_json
def make_model(folder: Path, name: str, *, output: Path, as_json: bool) -> int:
    """Write the model NAME of a zoo as a folder of safetensors.

    A variant is made again from its parents; nothing is written unless its tensor root is the one
    that was labelled.

    \b
    Example:
      dokja forge zoo make build/zoo f1-r00.dus-each -o build/deep
    """
    opened = read_zoo(folder)
    model = opened.model(name)
    files = write_model(opened, name, output)
    if as_json:
        emit(
            {
                "schema": "dokja.forge.zoo.make/1",
                "model": model.to_json(),
                "files": [path.name for path in files],
            }
        )
    else:
        say(f"{name}: {model.label['relation']}, {model.record.root}")
        say(f"written to {output}")
    return 0


def _told(grown: Zoo) -> dict[str, Any]:
    return {
        "schema": "dokja.forge.zoo/1",
        "tier": grown.tier,
        "complete": grown.complete,
        "models": len(grown.models),
        "stored": sum(1 for one in grown.models.values() if one.record.stored),
        "left_out": [{"what": one.what, "why": one.why} for one in grown.left_out],
        "manifest": str(grown.folder / "zoo.json"),
    }


def _summary(grown: Zoo) -> str:
    rows = []
    for family, what in FAMILIES.items():
        own = [one for one in grown.models.values() if one.record.family == family]
        if own:
            roots = sum(1 for one in own if one.name in grown.roots)
            stored = sum(1 for one in own if one.record.stored)
            rows.append([family, what, str(roots), str(stored - roots), str(len(own) - stored)])
    header = ["family", "what it is", "roots", "trained", "made again"]
    whole = "whole" if grown.complete else "not whole yet"
    return f"tier {grown.tier} of {', '.join(TIERS)}: {whole}\n{table(header, rows)}"
