"""`dokja forge plan` and `dokja forge claim`: what would be built, and what could be claimed."""

import shutil
from collections import defaultdict
from pathlib import Path

import click
from rich.console import Console

from dokja.cli.printing import as_json, emit, say, table
from dokja.errors import Mistake, RecipeError
from dokja.models.forge.plans import BaseStore, Plan, plan_recipe, read_plan
from dokja.models.forge.presets import PRESETS, preset
from dokja.models.forge.recipes import (
    ClaimTable,
    ComponentFacts,
    Recipe,
    claim_model,
    descents,
    read_recipe,
    read_table,
)
from dokja.models.forge.recipes.claims import ModelClaim
from dokja.models.forge.structures import FAMILIES

__all__ = ["claim", "plan", "recipe_named"]

_GIGA = 1e9


def recipe_named(named: str) -> Recipe:
    """Return the recipe in a file, or a preset by its name."""
    return preset(named) if named in PRESETS else read_recipe(Path(named))


@click.command
@click.argument("recipe", metavar="RECIPE")
@click.option("--size", default="cpu", show_default=True, help="One of the recipe's sizes.")
@click.option(
    "--bases",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Folder in which others' weights lie, by name. May be given several times.",
)
@click.option("--data", multiple=True, metavar="NAME=FOLDER", help="A packed corpus to train on.")
@click.option("--table", "version", default="2026-01", show_default=True, help="The claim table.")
@click.option(
    "-o", "--output", required=True, type=click.Path(path_type=Path), help="A new folder."
)
@as_json
def plan(
    recipe: str,
    *,
    size: str,
    bases: tuple[Path, ...],
    data: tuple[str, ...],
    version: str,
    output: Path,
    as_json: bool,
) -> int:
    """Resolve RECIPE, a TOML file or a preset (t1 … t5, base), for a size.

    Finds bases, makes the tokenizer, packs data, fills in every number and derives the claim.
    The plan is frozen: a run commits to its digest before its first step.

    \b
    Example:
      dokja forge plan t4 --size cpu -o build/plan-t4
    """
    read = recipe_named(recipe)
    claims = read_table(version)
    if output.exists():
        raise RecipeError([_there(output)])
    unfinished = output.with_name(f".{output.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        with Console(stderr=True).status("planning"):
            made = plan_recipe(
                read,
                size,
                bases=BaseStore(bases),
                table=claims,
                folder=unfinished,
                brought=_brought(data),
            )
        (unfinished / "recipe.toml").write_bytes(read.data)
        (unfinished / "plan.json").write_bytes(made.written())
        unfinished.rename(output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    claimed = claim_model([one.claim_facts() for one in made.components], table=claims)
    if as_json:
        emit({**made.to_json(), "schema": "dokja.forge.plan/1", "plan": str(made.digest)})
        return 0
    _tell(made, claimed, output)
    return 0


def _there(output: Path) -> Mistake:
    return Mistake(
        file=str(output),
        place="",
        read="something that is there already",
        expected="a new folder",
        remedy="Name another one, or remove it.",
    )


def _brought(data: tuple[str, ...]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for one in data:
        name, sign, folder = one.partition("=")
        if not sign:
            message = f"--data wants NAME=FOLDER; read {one!r}"
            raise click.UsageError(message)
        found[name].append(Path(folder))
    return dict(found)


def _tell(made: Plan, claimed: ModelClaim, output: Path) -> None:
    say(f"{made.name} at size {made.size}: claims {claimed} if it is built so")
    rows = [
        (
            one.id,
            one.descent.role,
            "–" if one.parameters is None else f"{one.parameters:,}",
            ", ".join(f"{leaf.kind.value} {leaf.name}" for leaf in one.descent.leaves),
            ", ".join(one.descent.steps) or "–",
        )
        for one in made.components
    ]
    say(table(["component", "role", "parameters", "from", "steps"], rows))
    for name, budget in made.budget.items():
        if isinstance(budget, dict):
            reached = [one["what"] for one in budget["thresholds"] if one["reached"]]
            say(
                f"{name}: {budget['tokens']:,} tokens, {budget['flop']:.2e} FLOP "
                f"({'; '.join(reached) or 'below every threshold'}), "
                f"{budget['memory_bytes'] / _GIGA:.2f} GB of state while training, "
                f"{budget['checkpoint_bytes'] / _GIGA:.2f} GB a checkpoint"
            )
    say(f"plan {made.digest} in {output}")
    say(f"next: dokja forge run {output} -o RUN")


@click.command
@click.argument("what", metavar="RECIPE|PLAN")
@click.option("--table", "version", default="2026-01", show_default=True, help="The claim table.")
@as_json
def claim(what: str, *, version: str, as_json: bool) -> int:
    """Derive the claim of a recipe or a plan from ancestry, component by component.

    \b
    Example:
      dokja forge claim t3
    """
    claims = read_table(version)
    path = Path(what)
    if what not in PRESETS and path.is_dir():
        found = claim_model([one.claim_facts() for one in read_plan(path).components], table=claims)
    else:
        found = _of_recipe(recipe_named(what), claims)
    if as_json:
        emit({"schema": "dokja.forge.claim/1", **found.to_json()})
        return 0
    say(f"{what}: {found} under table {found.table}")
    rows = [
        (one.component, one.role, one.claim or "–", ", ".join(one.why)) for one in found.components
    ]
    say(table(["component", "role", "claim", "because"], rows))
    for one in found.components:
        if one.nearest is not None:
            say(
                f"  {one.component}: nearest to {one.nearest[0]}, differs in "
                f"{', '.join(one.nearest[1])}"
            )
    return 0


def _of_recipe(recipe: Recipe, claims: ClaimTable) -> ModelClaim:
    """Return what a recipe claims before it is planned: structures by family alone."""
    facts = [
        ComponentFacts(
            descent=one,
            signature=None if one.family is None else FAMILIES[one.family].signature,
        )
        for one in descents(recipe.terms)
    ]
    return claim_model(facts, table=claims)
