"""What nobody knows before a stage, set to something else.

How far teams lie apart, how far people differ, and how much a subject favours a team are assumed.
A doubt changes one of them, so that an answer can say how much of it is the assumption's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

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
        part: Of which part; none where of several alike.
        assumed: Its value in the design; none where parts differ.
        instead: Its value here, or by how much it is multiplied where parts differ.
        stage: The design with this change alone.
    """

    quantity: str
    part: str | None
    assumed: float | str | None
    instead: float | str
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
    if any(isinstance(part.seen_by, Benchmarks) for part in stage.parts):
        for other in ("blueprint", "new-clusters", "new-benchmarks"):
            if other != stage.generalise_to:
                yield Doubt(
                    quantity="generalise_to",
                    part=None,
                    assumed=stage.generalise_to,
                    instead=other,
                    stage=replace(stage, generalise_to=other),
                )


def _of_the_parts(stage: StageDesign) -> Iterator[Doubt]:
    benchmarks = [part for part in stage.parts if isinstance(part.seen_by, Benchmarks)]
    groups = [benchmarks] if benchmarks else []
    groups += [[part] for part in stage.parts if part not in benchmarks]
    for group in groups:
        quantity = _quantity(group[0])
        values = {getattr(part.seen_by, quantity) for part in group}
        if values == {0}:
            continue
        alone = len(values) == 1
        for factor in _FACTORS:
            yield Doubt(
                quantity=quantity,
                part=group[0].part if len(group) == 1 else None,
                assumed=max(values) if alone else None,
                instead=max(values) * factor if alone else factor,
                stage=_changed(stage, group, quantity=quantity, factor=factor),
            )


def _quantity(part: PartDesign) -> str:
    """Return what is known least about how a part is observed."""
    match part.seen_by:
        case Benchmarks():
            return "team_subject_sd"
        case Panel():
            return "residual_sd"
        case Ballots():
            return "taste_sd"
        case _:
            assert_never(part.seen_by)


def _changed(
    stage: StageDesign, group: Sequence[PartDesign], *, quantity: str, factor: float
) -> StageDesign:
    def changed(part: PartDesign) -> PartDesign:
        change: dict[str, Any] = {quantity: getattr(part.seen_by, quantity) * factor}
        return replace(part, seen_by=replace(part.seen_by, **change))

    parts = tuple(changed(part) if part in group else part for part in stage.parts)
    return replace(stage, parts=parts)
