"""Which single change of the rules would have decided otherwise.

Each change is made alone, on the points as scored: another weight of one part, another scale, one
benchmark out, another rule for ties, and whatever else the caller computed another sheet for, such
as another convention. A decision that no change moves is the rules' own; one that many move is
theirs who wrote them. It informs and never decides.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np

from dokja.evidence.statistics.simulating.cuts import Fates
from dokja.evidence.statistics.simulating.elimination import SheetRules, scored
from dokja.evidence.statistics.simulating.joint import PartDraws

__all__ = ["Flip", "rule_flips"]

FlipKind: TypeAlias = Literal["weight", "scale", "benchmark-out", "ties", "other"]

_STEPS = 40
_HEAVIEST = 0.999
_GRID = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A change that decides otherwise.

    Attributes:
        kind: What is changed.
        part: Of which part; none where of no single one.
        to: What it is changed to: the part's points nearest to its own that decide otherwise, or
            a name.
        fates: What would then become of each team, in the order of the sheet: 1 goes on, 0 is
            undecided, -1 goes home.
    """

    kind: FlipKind
    part: str | None
    to: float | str
    fates: tuple[int, ...]


def rule_flips(
    parts: Sequence[PartDraws],
    *,
    rules: SheetRules,
    others: Mapping[str, Sequence[PartDraws]] | None = None,
) -> tuple[Flip, ...]:
    """Return every single change of the rules that decides otherwise.

    Args:
        parts: The sheet as observed; nothing of it is missing.
        rules: How it was cut.
        others: Sheets that another choice would have given, by the name of the choice.

    Raises:
        ValueError: A share is missing.
    """
    now = scored(parts, rules=rules)
    found = [*_weights(parts, rules, now), *_scales(parts, rules, now)]
    found += [*_benchmarks(parts, rules, now), *_ties(parts, rules, now)]
    for name, other in (others or {}).items():
        fates = scored(other, rules=rules)
        if (fates != now).any():
            found.append(_flip("other", None, name, fates))
    return tuple(found)


def _weights(parts: Sequence[PartDraws], rules: SheetRules, now: Fates) -> Iterator[Flip]:
    """Yield, for each part and each side, the nearest weight that decides otherwise."""
    whole = sum(part.points for part in parts)
    if len(parts) < 2:  # noqa: PLR2004  # one part has all the weight there is
        return
    for index, part in enumerate(parts):

        def fates(points: float, index: int = index) -> Fates:
            return scored(_weighted(parts, index, points=points, whole=whole), rules=rules)

        for end in (whole * (1 - _HEAVIEST), whole * _HEAVIEST):
            steps = np.linspace(part.points, end, _GRID + 1)[1:]
            far = next((step for step in steps if (fates(step) != now).any()), None)
            if far is None:
                continue
            near = float(far - (end - part.points) / _GRID)
            for _ in range(_STEPS):
                middle = (near + far) / 2
                changed = (fates(middle) != now).any()
                near, far = (near, middle) if changed else (middle, far)
            yield _flip("weight", part.part, float(far), fates(far))


def _weighted(
    parts: Sequence[PartDraws], index: int, *, points: float, whole: float
) -> list[PartDraws]:
    """Return the sheet with other points for one part, the others sharing the rest as before."""
    rest = (whole - points) / (whole - parts[index].points)
    return [
        replace(part, points=points if place == index else part.points * rest)
        for place, part in enumerate(parts)
    ]


def _scales(parts: Sequence[PartDraws], rules: SheetRules, now: Fates) -> Iterator[Flip]:
    for index, part in enumerate(parts):
        for scale in ("absolute", "to-best", "to-target"):
            if scale == part.scale or (scale == "to-target" and not part.references.size):
                continue
            changed = list(parts)
            changed[index] = replace(part, scale=scale)
            fates = scored(changed, rules=rules)
            if (fates != now).any():
                yield _flip("scale", part.part, scale, fates)


def _benchmarks(parts: Sequence[PartDraws], rules: SheetRules, now: Fates) -> Iterator[Flip]:
    for index, part in enumerate(parts):
        if part.by_form is None or len(part.forms) < 2:  # noqa: PLR2004  # else nothing is left
            continue
        teams = len(part.estimate)
        for out, name in enumerate(part.forms):
            left = np.delete(part.by_form, out, axis=0).mean(axis=0)
            changed = list(parts)
            changed[index] = replace(part, estimate=left[:teams], references=left[teams:])
            fates = scored(changed, rules=rules)
            if (fates != now).any():
                yield _flip("benchmark-out", part.part, name, fates)


def _ties(parts: Sequence[PartDraws], rules: SheetRules, now: Fates) -> Iterator[Flip]:
    changes = [replace(rules, ties="undecided", tie_parts=())]
    changes += [replace(rules, ties="all-advance", tie_parts=())]
    changes += [replace(rules, ties="part", tie_parts=(part.part,)) for part in parts]
    for changed in changes:
        if (changed.ties, changed.tie_parts) == (rules.ties, rules.tie_parts):
            continue
        fates = scored(parts, rules=changed)
        if (fates != now).any():
            part = changed.tie_parts[0] if changed.tie_parts else None
            yield _flip("ties", part, changed.ties, fates)


def _flip(kind: FlipKind, part: str | None, to: float | str, fates: Fates) -> Flip:
    return Flip(kind=kind, part=part, to=to, fates=tuple(int(fate) for fate in fates))
