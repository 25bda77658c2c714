"""What nobody knows before a stage, set to something else.

How far teams lie apart, how far people differ, and how much a subject favours a team are assumed.
A doubt changes one of them, so that an answer can say how much of it is the assumption's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dokja.evidence.statistics.simulating.designs import (
    Ballots,
    Benchmarks,
    Panel,
    PartDesign,
    StageDesign,
)

__all__ = ["Doubt", "doubts"]

_FACTORS = (0.5, 2.0)
_AGREEMENTS = (0.0, 0.9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One assumption, set to something else.

    Attributes:
        quantity: What is assumed.
        part: Of which part; none where of all.
        assumed: Its value in the design; none where parts differ.
        instead: Its value here, or by how much it is multiplied where parts differ.
        stage: The design with this change alone.
    """

    quantity: str
    part: str | None
    assumed: float | None
    instead: float
    stage: StageDesign


def doubts(stage: StageDesign) -> tuple[Doubt, ...]:
    """Return every assumption about people and models, half and twice as large."""
    return (*_of_the_field(stage), *_of_the_parts(stage))


def _of_the_field(stage: StageDesign) -> Iterator[Doubt]:
    for factor in _FACTORS:
        parts = tuple(replace(part, spread=part.spread * factor) for part in stage.parts)
        changed = replace(stage, parts=parts)
        yield Doubt(quantity="spread", part=None, assumed=None, instead=factor, stage=changed)
    if len(stage.parts) > 1:
        for agreement in _AGREEMENTS:
            yield Doubt(
                quantity="agreement",
                part=None,
                assumed=stage.agreement,
                instead=agreement,
                stage=replace(stage, agreement=agreement),
            )


def _of_the_parts(stage: StageDesign) -> Iterator[Doubt]:
    for part in stage.parts:
        match part.seen_by:
            case Benchmarks():
                quantity = "team_subject_sd"
            case Panel():
                quantity = "residual_sd"
            case Ballots():
                quantity = "taste_sd"
        assumed: float = getattr(part.seen_by, quantity)
        if not assumed:
            continue
        for factor in _FACTORS:
            yield Doubt(
                quantity=quantity,
                part=part.part,
                assumed=assumed,
                instead=assumed * factor,
                stage=_changed(stage, part, quantity=quantity, to=assumed * factor),
            )


def _changed(stage: StageDesign, part: PartDesign, *, quantity: str, to: float) -> StageDesign:
    change: dict[str, float] = {quantity: to}
    seen = replace(part.seen_by, **change)  # type: ignore[arg-type]  # the quantity is the kind's
    parts = tuple(
        replace(each, seen_by=seen) if each.part == part.part else each for each in stage.parts
    )
    return replace(stage, parts=parts)
