"""A step's teacher, resolved: found by its name, named by its root, and of one mind on ids.

A student follows the teacher's probabilities token by token, so that both must mean the same by
every id. That is held here, before anything is trained.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines.catalogue import WORKERS, able
from dokja.models.forge.engines.contract import Capability
from dokja.models.forge.plans.bases import Base
from dokja.models.forge.plans.planner import Planner
from dokja.models.forge.plans.tokenizers import PlannedTokenizer, tokenizer_digest
from dokja.models.forge.recipes.schema import StepTerms
from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = ["planned_teacher", "teacher_structure"]


def planned_teacher(
    planner: Planner,
    step: StepTerms,
    structure: Structure | None,
    *,
    tokenizer: PlannedTokenizer | None,
    place: str,
) -> dict[str, Json] | None:
    """Return a training's teacher as plans state it; none where it has none.

    Args:
        planner: Of the recipe.
        step: The training.
        structure: What is trained; none where the forge does not know it.
        tokenizer: The recipe's tokenizer.
        place: What mistakes call the step.

    Raises:
        RecipeError: The teacher is not there, is another, or cannot teach this student; every
            mistake is in it.
        RecordError: Its configuration describes nothing that the forge knows.
        WeightsError: Its files are damaged or hostile.
    """
    if step.teacher is None:
        return None
    found = planner.base(step.teacher.base, root=step.teacher.root)
    mistakes = [
        Mistake(
            file=planner.recipe.file,
            place=f"{place}, teacher",
            read=read,
            expected=expected,
            remedy="Name another teacher, or let it write text and train on that as data.",
        )
        for read, expected in (
            *_ids(found, structure, tokenizer),
            *_sizes(found.structure, step, engine=planner.terms.engine.name),
        )
    ]
    if mistakes:
        raise RecipeError(mistakes)
    return {
        **step.teacher.model_dump(mode="json"),
        "root": found.root,
        "structure": found.structure.to_json(),
    }


def teacher_structure(stage: Mapping[str, Any]) -> Structure | None:
    """Return what a planned training's teacher is; none where it has none.

    Raises:
        RecipeError: The plan states no structure of it.
    """
    said = stage.get("teacher")
    if not isinstance(said, Mapping):
        return None
    return Structure.from_json(said.get("structure") or {}, file="plan.json, teacher")


def _ids(
    teacher: Base, student: Structure | None, tokenizer: PlannedTokenizer | None
) -> Iterator[tuple[str, str]]:
    rows = teacher.structure.vocabulary
    if student is not None and rows != student.vocabulary:
        yield f"a vocabulary of {rows}", f"{student.vocabulary}, as the student has"
    own = tokenizer_digest(teacher.folder)
    if own is not None and tokenizer is not None and own != tokenizer.digest:
        yield f"the tokenizer {own}", f"the recipe's, {tokenizer.digest}: each id means one token"


def _sizes(teacher: Structure, step: StepTerms, *, engine: str) -> Iterator[tuple[str, str]]:
    if step.batch is not None and step.batch.length > teacher.positions:
        yield f"{teacher.positions} positions", f"at least the {step.batch.length} of a window"
    if engine in WORKERS and teacher.family not in WORKERS[engine].capabilities.families:
        others = [
            name
            for name in able(Capability.TEACHERS)
            if teacher.family in WORKERS[name].capabilities.families
        ]
        yield (
            f"one of the family {teacher.family}",
            f"one that {engine} computes, or the engine {' or '.join(others)}",
        )
