"""V2.5 and V2.6: how much of each component was moved, whose it was, and its tokenizer made again.

What training moved is read from digests: a tensor whose digest is that of the start was not
moved. Whether a licence's text lies beside a base is a finding of its own, since it says nothing
of the weights. A tokenizer that was learnt here is learnt again from the committed texts.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from dokja.errors import CorpusError, ExtraMissingError, InputError
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.byte_checks import digest_list
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.plans.bases import licence_file
from dokja.models.forge.plans.tokenizers import plan_tokenizer
from dokja.models.forge.recipes import read_recipe
from dokja.models.weights.roots import TensorDigest, root, root_text

__all__ = ["component_findings", "moved_share", "tokenizer_finding"]

_ENOUGH = 0.99
"""Of the share that the plan means to move."""


def component_findings(
    artefacts: Artefacts, settings: Settings, component: PlannedComponent
) -> Iterator[Finding]:
    """Yield V2.5 for one component: what training moved, its bases, their licences."""
    yield _moved(artefacts, settings, component)
    yield from _bases(artefacts, component)


def moved_share(
    first: Sequence[TensorDigest], last: Sequence[TensorDigest]
) -> tuple[float, tuple[str, ...]]:
    """Return the share of parameters in tensors that differ, and the names of those that do not.

    Args:
        first: Digests before the training, sorted.
        last: Digests after it, of the same tensors.
    """
    known = {one.name: one.content for one in first}
    same = [one for one in last if known.get(one.name) == one.content]
    total = sum(one.parameters for one in last)
    still = sum(one.parameters for one in same)
    return (1.0 - still / total if total else 0.0), tuple(one.name for one in same)


def _moved(artefacts: Artefacts, settings: Settings, component: PlannedComponent) -> Finding:
    base = Finding(
        check="V2.5",
        title="share that training moved",
        outcome=Outcome.NOT_AVAILABLE,
        component=component.id,
        threshold=component.moved_share,
        power="one tensor that is still as it was",
        why="no digests of start and end are at hand",
        remedy="Give the digest lists or the archived states.",
    )
    trainings = [one for one in artefacts.trainings if one.component.id == component.id]
    if not trainings:
        why = "nothing was trained"
        return replace(base, outcome=Outcome.PASS, value=0.0, why=why, remedy="")
    states = artefacts.checkpoints(trainings[-1])
    if not states:
        return base
    try:
        ends = [_digests(artefacts, settings, one) for one in (states[0], states[-1])]
    except InputError as error:
        return replace(base, outcome=Outcome.UNDECIDED, why=reason_of(error))
    first, last = ends
    return base if first is None or last is None else _share(trainings[-1], first, last, base)


def _share(
    training: Training,
    first: Sequence[TensorDigest],
    last: Sequence[TensorDigest],
    base: Finding,
) -> Finding:
    share, same = moved_share(first, last)
    base = replace(base, value=share)
    said = f"{share:.2%} of the parameters lie in tensors that changed"
    if same:
        said += f"; unchanged are {', '.join(same[:5])}{' and more' if len(same) > 5 else ''}"  # noqa: PLR2004  # shown
    wrong = _unexpected(training.stage, [one.name for one in last], same)
    planned = training.component.moved_share
    if not wrong and planned is not None and share < _ENOUGH * planned:
        wrong = f"planned was {planned:.2%}"
    if wrong:
        return replace(base, outcome=Outcome.FAIL, why=f"{said}; {wrong}")
    return replace(base, outcome=Outcome.PASS, why=said, remedy="")


def _digests(
    artefacts: Artefacts, settings: Settings, said: Any
) -> tuple[TensorDigest, ...] | None:
    """Return the digests of a state from its weights, or from its list if that has its root."""
    folder = (artefacts.folder or Path()) / said.folder / "weights"
    if folder.is_dir() and settings.sample is None:
        return artefacts.digests(folder, threads=settings.threads)
    stage = "/".join(said.folder.split("/")[:2])
    listed = digest_list(artefacts, stage, said.state.step, expected=said.digests)
    if listed is None or root_text(root(listed)) != said.state.weights:
        return None
    return listed


def _unexpected(stage: Any, names: Sequence[str], same: Sequence[str]) -> str:
    """Return which tensors moved though they were frozen; empty for none."""
    patterns = stage["trainable"]
    if isinstance(patterns, str):
        return ""
    frozen = [name for name in names if not any(fnmatchcase(name, one) for one in patterns)]
    moved = sorted(set(frozen) - set(same))
    return f"{', '.join(moved[:3])} moved, and should have been left alone" if moved else ""


def _bases(artefacts: Artefacts, component: PlannedComponent) -> Iterator[Finding]:
    for leaf in component.descent.leaves:
        if leaf.root is None:
            continue
        base = Finding(
            check="V2.5.bases",
            title=f"base {leaf.name}",
            outcome=Outcome.UNDECIDED,
            component=component.id,
            threshold=leaf.root,
            power="one changed bit of the base",
            why="the base is not at hand",
            remedy="Give its folder with --bases.",
        )
        folder = artefacts.bases.find(leaf.name)
        if folder is None:
            yield base
        else:
            yield _base(artefacts, base, leaf.name, leaf.root)
        yield _licence(component, base, folder, leaf.licence)


def _base(artefacts: Artefacts, base: Finding, name: str, stated: str) -> Finding:
    try:
        found = artefacts.bases.open(name, stated_root=stated, file="plan.json")
    except InputError as error:
        return replace(base, outcome=Outcome.FAIL, why=reason_of(error))
    size = found.source.bytes_read
    why = "its root is the declared one"
    return replace(
        base, outcome=Outcome.PASS, value=found.root, read_bytes=size, why=why, remedy=""
    )


def _licence(
    component: PlannedComponent, base: Finding, folder: Path | None, licence: str | None
) -> Finding:
    there = folder is not None and licence_file(folder) is not None
    planned = component.facts.get("licence_text") is True
    found = replace(
        base,
        check="V2.5.licence",
        title=f"licence text beside {base.title}",
        value=licence,
        threshold=None,
        power="a base that is handed on without its licence",
    )
    if there or (folder is None and planned):
        seen = "lies beside it" if there else "lay beside it when the plan was made"
        return replace(found, outcome=Outcome.PASS, why=f"{licence}: its text {seen}", remedy="")
    why = f"{licence} is declared, and no text of it lies beside the base"
    remedy = "Lay the base's LICENSE beside its weights, and hand it on with the model."
    return replace(found, outcome=Outcome.UNDECIDED, why=why, remedy=remedy)


def tokenizer_finding(artefacts: Artefacts) -> Finding | None:
    """Return V2.6: a tokenizer that was made here is made again, and its merges are equal.

    None where the tokenizer was taken over or none was planned: there is nothing to make again.
    """
    plan = artefacts.plan
    if plan is None or plan.tokenizer is None:
        return None
    own = next((one for one in plan.components if one.descent.role == "tokenizer"), None)
    if own is None or "train" not in own.origin:
        return None
    base = Finding(
        check="V2.6",
        title="tokenizer made again",
        outcome=Outcome.NOT_AVAILABLE,
        component=own.id,
        threshold=str(plan.tokenizer["digest"]),
        power="one merge in another place, one other text",
        why="the recipe and its texts are not at hand",
        remedy="Give the run's recipe.toml, and its texts beside it.",
    )
    if artefacts.folder is None or not (artefacts.folder / "recipe.toml").is_file():
        return base
    try:
        return _again(artefacts.folder / "recipe.toml", plan, artefacts.plan_folder, base)
    except (ExtraMissingError, CorpusError) as error:
        return replace(base, outcome=Outcome.UNDECIDED, why=reason_of(error))
    except InputError as error:
        return replace(base, outcome=Outcome.FAIL, why=reason_of(error))


def _again(path: Path, plan: Plan, plan_folder: Path | None, base: Finding) -> Finding:
    recipe = read_recipe(path)
    if recipe.digest != plan.recipe:
        why = f"recipe.toml is {recipe.digest}, the plan was made of {plan.recipe}"
        return replace(base, outcome=Outcome.FAIL, why=why)
    terms = recipe.at(plan.size)
    here = path.parent if plan_folder is None else plan_folder
    with tempfile.TemporaryDirectory() as folder:
        made = plan_tokenizer(terms, base=_no_base, folder=Path(folder) / "tokenizer", here=here)
    if made is None or plan.tokenizer is None:
        return base
    base = replace(base, value=str(made.digest))
    texts = plan.tokenizer.get("corpus")
    if texts is not None and str(made.corpus) != texts:
        why = f"the texts at hand are {made.corpus}, committed were {texts}"
        return replace(base, outcome=Outcome.UNDECIDED, why=why)
    if str(made.digest) != plan.tokenizer["digest"]:
        why = "made again from the same texts it has other merges or ids"
        return replace(base, outcome=Outcome.FAIL, why=why)
    why = f"{made.size:,} ids, made again and equal"
    return replace(base, outcome=Outcome.PASS, why=why, remedy="")


def _no_base(name: str, **_: Any) -> Any:
    message = f"a tokenizer that is made anew asked for the base {name}"
    raise RuntimeError(message)
