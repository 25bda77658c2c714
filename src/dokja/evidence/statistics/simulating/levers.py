"""What an organiser can change before a stage opens, and what each change would do.

A lever is one change of the design: more items, more subjects, more readers, another rule for
ties. Levers that gather more evidence cost money and leave the rules alone; levers of the rule
cost nothing and change what a stage decides. The two are kept apart: a rule that leaves more teams
undecided is wrong less often because it says less.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, TypeAlias

from dokja.evidence.statistics.simulating.designs import (
    Ballots,
    Benchmarks,
    Panel,
    PartDesign,
    StageDesign,
)

__all__ = ["Lever", "LeverKind", "evidence_levers", "rule_levers"]

LeverKind: TypeAlias = Literal[
    "benchmarks",
    "items",
    "subjects",
    "epochs",
    "faults",
    "references",
    "raters",
    "reads",
    "voters",
    "votes",
    "tie-rule",
    "level-within",
]
_FACTORS = (2, 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One change of a design.

    Attributes:
        kind: What is changed.
        part: In which part; none where it is all benchmarks or the rule.
        before: What it is now: a number, or the name of a rule.
        after: What it would be.
        stage: The design with this change alone.
        apply: Makes the same change in another design.
    """

    kind: LeverKind
    part: str | None
    before: float | str
    after: float | str
    stage: StageDesign
    apply: Callable[[StageDesign], StageDesign]

    @property
    def group(self) -> tuple[str, str | None]:
        """What it turns at: two levers of a group are two steps of one thing."""
        return self.kind, self.part


def evidence_levers(stage: StageDesign) -> tuple[Lever, ...]:
    """Return every lever that gathers more or better evidence under the same rules."""
    return (*_benchmark_levers(stage), *_people_levers(stage))


def rule_levers(stage: StageDesign, *, margin: float) -> tuple[Lever, ...]:
    """Return the levers of the rule for ties.

    Args:
        stage: The design.
        margin: A difference that chance alone often makes, in points.
    """
    largest = max(stage.parts, key=lambda part: part.points).part
    found = []
    for rule in ("undecided", "all-advance", "part"):
        if rule != stage.ties:
            change = partial(replace, ties=rule, tie_parts=(largest,) if rule == "part" else ())
            found.append(_lever(stage, change, kind="tie-rule", before=stage.ties, after=rule))
    for rule in ("undecided", "all-advance"):
        change = partial(replace, ties=rule, tie_parts=(), level_within=margin)
        found.append(
            _lever(
                stage,
                change,
                kind="level-within",
                before=f"{stage.ties}, {stage.level_within:g}",
                after=f"{rule}, {margin:.2f}",
            )
        )
    return tuple(found)


def _benchmark_levers(stage: StageDesign) -> list[Lever]:
    seen = [p.seen_by for p in stage.parts if isinstance(p.seen_by, Benchmarks)]
    if not seen:
        return []
    found = []
    items = sum(each.items * each.benchmarks for each in seen)
    subjects = sum(each.subjects * each.benchmarks for each in seen)
    for factor in _FACTORS:
        more = partial(_in_benchmarks, more=partial(_more_items, factor=factor))
        found.append(_lever(stage, more, kind="items", before=items, after=items * factor))
    for factor in _FACTORS:
        if all(each.subjects * factor <= each.items for each in seen):
            more = partial(_in_benchmarks, more=partial(_more_subjects, factor=factor))
            after = subjects * factor
            found.append(_lever(stage, more, kind="subjects", before=subjects, after=after))
    if stage.generalise_to == "new-benchmarks":
        more = partial(_in_benchmarks, more=_twice_the_benchmarks)
        count = sum(each.benchmarks for each in seen)
        found.append(_lever(stage, more, kind="benchmarks", before=count, after=2 * count))
    epochs = max(each.epochs for each in seen)
    more = partial(_in_benchmarks, more=_four_epochs)
    found.append(_lever(stage, more, kind="epochs", before=epochs, after=epochs * _FACTORS[-1]))
    faults = max(each.faults for each in seen)
    if faults:
        more = partial(_in_benchmarks, more=_no_faults)
        found.append(_lever(stage, more, kind="faults", before=faults, after=0.0))
    targets = [p.seen_by for p in stage.parts if p.scale == "to-target"]
    references = max((b.references for b in targets if isinstance(b, Benchmarks)), default=0)
    if references:
        more = partial(_in_benchmarks, more=_twice_the_references)
        found.append(
            _lever(stage, more, kind="references", before=references, after=2 * references)
        )
    return found


def _people_levers(stage: StageDesign) -> list[Lever]:
    found = []
    for part in stage.parts:
        of_part = partial(_of_part, stage, part)
        seen = part.seen_by
        if isinstance(seen, Panel):
            found += [of_part("raters", "raters", seen.raters * factor) for factor in _FACTORS]
            if seen.teams_each is not None and seen.teams_each < stage.teams:
                found.append(of_part("reads", "teams_each", stage.teams))
        if isinstance(seen, Ballots):
            found += [of_part("voters", "voters", seen.voters * factor) for factor in _FACTORS]
            found.append(of_part("votes", "votes_each", seen.votes_each * _FACTORS[0]))
    return found


def _lever(
    stage: StageDesign,
    change: Callable[[StageDesign], StageDesign],
    *,
    kind: LeverKind,
    before: float | str,
    after: float | str,
    part: str | None = None,
) -> Lever:
    return Lever(
        kind=kind, part=part, before=before, after=after, stage=change(stage), apply=change
    )


def _of_part(
    stage: StageDesign, part: PartDesign, kind: LeverKind, quantity: str, after: int
) -> Lever:
    more = partial(_in_part, part=part.part, quantity=quantity, after=after)
    before = getattr(part.seen_by, quantity)
    return _lever(stage, more, kind=kind, before=before, after=after, part=part.part)


def _in_part(stage: StageDesign, *, part: str, quantity: str, after: int) -> StageDesign:
    change: dict[str, Any] = {quantity: after}
    parts = tuple(
        replace(each, seen_by=replace(each.seen_by, **change)) if each.part == part else each
        for each in stage.parts
    )
    return replace(stage, parts=parts)


def _in_benchmarks(stage: StageDesign, *, more: Callable[[Benchmarks], Benchmarks]) -> StageDesign:
    parts = tuple(
        replace(part, seen_by=more(part.seen_by)) if isinstance(part.seen_by, Benchmarks) else part
        for part in stage.parts
    )
    return replace(stage, parts=parts)


def _more_items(seen: Benchmarks, *, factor: int) -> Benchmarks:
    return replace(seen, items=seen.items * factor)


def _more_subjects(seen: Benchmarks, *, factor: int) -> Benchmarks:
    return replace(seen, subjects=seen.subjects * factor)


def _four_epochs(seen: Benchmarks) -> Benchmarks:
    return replace(seen, epochs=seen.epochs * _FACTORS[-1])


def _no_faults(seen: Benchmarks) -> Benchmarks:
    return replace(seen, faults=0.0)


def _twice_the_references(seen: Benchmarks) -> Benchmarks:
    return replace(seen, references=2 * seen.references)


def _twice_the_benchmarks(seen: Benchmarks) -> Benchmarks:
    return replace(seen, benchmarks=2 * seen.benchmarks)
