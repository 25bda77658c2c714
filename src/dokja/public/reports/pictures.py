"""Where things stand in a picture; the templates draw them.

Places across are percentages, so that a picture is as wide as its page without its text growing
or shrinking; places down are pixels. What is not known has no place: it is left open and said
in words.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor

from dokja.evidence.ledger.kinds import Finding
from dokja.public.reports.document import Decision, Grades, Measure, Part, Team

__all__ = [
    "Axis",
    "Mark",
    "Segment",
    "effect_axis",
    "effect_marks",
    "grade_place",
    "layer_lines",
    "score_strip",
    "strip_parts",
    "total_axis",
]

GRADES = ("T0", "T1", "T2", "T3", "T4", "T5", "T6")
_STEPS = (1, 2, 5, 10, 20, 25, 50, 100)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A line of numbers from `low` to `high`, with the numbers that are written on it."""

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, number: float) -> str:
        """Return the place of a number on the axis, as a percentage of its length."""
        inside = min(max(number, self.low), self.high)
        return _percent((inside - self.low) / (self.high - self.low))

    def span(self, low: float, high: float) -> str:
        """Return the length between two numbers, as a percentage of the axis."""
        first, last = (min(max(end, self.low), self.high) for end in (low, high))
        return _percent((last - first) / (self.high - self.low))


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A part of the score sheet in a team's strip.

    Attributes:
        part: The part.
        x: Where it begins.
        width: How wide its points are.
        filled: How much of it was scored; none where the score is missing.
        low: Lower end of the score's interval.
        high: Upper end of it.
        middle: Middle of the segment, for its number.
    """

    part: str
    x: str
    width: str
    filled: str | None
    low: str | None
    high: str | None
    middle: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A number on the scale of a finding: the effect itself, a control, or what could be seen."""

    sort: str
    name: str
    value: float
    x: str


def total_axis(decision: Decision) -> Axis:
    """Return the axis for the totals: as close as all intervals allow, in round numbers."""
    totals = [team.total for team in decision.teams if isinstance(team.total, Measure)]
    most = sum(part.points for part in decision.parts if part.parent is None) or 100.0
    if len(totals) < len(decision.teams):  # what is missing may lie anywhere
        return _round_axis(0.0, most, most=most)
    return _round_axis(
        min(total.low for total in totals), max(total.high for total in totals), most=most
    )


def _round_axis(low: float, high: float, *, most: float) -> Axis:
    pad = max(high - low, 1.0) * 0.1
    first, last = max(0.0, low - pad), min(most, high + pad)
    step = next((step for step in _STEPS if (last - first) / step <= _MOST_TICKS), _STEPS[-1])
    start, end = floor(first / step) * step, ceil(last / step) * step
    ticks = tuple(float(start + step * index) for index in range((end - start) // step + 1))
    return Axis(low=float(start), high=float(max(end, start + step)), ticks=ticks)


def strip_parts(decision: Decision) -> tuple[Part, ...]:
    """Return the parts that a strip is made of: the smallest of which any team has a score."""
    scored = {
        line.part
        for team in decision.teams
        for line in team.scores
        if isinstance(line.score, Measure)
    }
    chosen: list[Part] = []
    for part in (part for part in decision.parts if part.parent is None):
        children = [child for child in decision.parts if child.parent == part.id]
        use_children = any(child.id in scored for child in children)
        chosen += children if use_children else [part]
    return tuple(chosen)


def score_strip(team: Team, parts: Sequence[Part]) -> tuple[Segment, ...]:
    """Return a team's strip: one segment for each part, as wide as the part's points."""
    scores = {line.part: line.score for line in team.scores}
    whole = sum(part.points for part in parts)
    segments, start = [], 0.0
    for part in parts:
        score = scores.get(part.id)
        measured = score if isinstance(score, Measure) else None
        segments.append(
            Segment(
                part=part.id,
                x=_percent(start / whole),
                width=_percent(part.points / whole),
                filled=None if measured is None else _percent(measured.value / whole),
                low=None if measured is None else _percent((start + measured.low) / whole),
                high=None if measured is None else _percent((start + measured.high) / whole),
                middle=_percent((start + part.points / 2) / whole),
            )
        )
        start += part.points
    return tuple(segments)


def effect_axis(findings: Iterable[Finding]) -> Axis:
    """Return one axis for the effects and controls of the findings, from 0 to 1 at least."""
    numbers = [0.0, 1.0]
    for finding in findings:
        numbers += [control.value for control in finding.controls]
        if finding.effect is not None:
            numbers += [finding.effect.low, finding.effect.high]
    low, high = min(numbers), max(numbers)
    if (low, high) == (0.0, 1.0):
        return Axis(low=0.0, high=1.0, ticks=(0.0, 0.25, 0.5, 0.75, 1.0))
    ticks = (low, 0.0, 0.5, 1.0, high) if low < -0.1 else (0.0, 0.5, 1.0, high)  # noqa: PLR2004
    shown = tuple(tick for tick in sorted(set(ticks)) if tick in {0.0, 0.5, 1.0} or abs(tick) > 1.1)  # noqa: PLR2004
    return Axis(low=low, high=high, ticks=shown)


def effect_marks(finding: Finding, axis: Axis) -> tuple[Mark, ...]:
    """Return the marks beside a finding's effect: its controls, and what it could have seen."""
    marks = [
        Mark(sort=control.kind, name=control.name, value=control.value, x=axis.at(control.value))
        for control in finding.controls
    ]
    if finding.minimum_detectable is not None:
        smallest = finding.minimum_detectable
        marks.append(Mark(sort="detectable", name="", value=smallest, x=axis.at(smallest)))
    return tuple(marks)


def layer_lines(pairs: Sequence[tuple[int, int]]) -> Mapping[str, object]:
    """Return the lines of a layer map, from the model's layers above to the reference's below."""
    above = max(pair[0] for pair in pairs) + 1
    below = max(pair[1] for pair in pairs) + 1
    return {
        "above": [(layer, _percent((layer + 0.5) / above)) for layer in range(above)],
        "below": [(layer, _percent((layer + 0.5) / below)) for layer in range(below)],
        "lines": [
            (_percent((first + 0.5) / above), _percent((second + 0.5) / below))
            for first, second in pairs
        ],
        "matched": {pair[0] for pair in pairs},
    }


def grade_place(grade: str) -> str | None:
    """Return where a grade stands on the scale from T0 to T6; none for another scheme's grade."""
    if grade not in GRADES:
        return None
    return _percent((GRADES.index(grade) + 0.5) / len(GRADES))


def grade_span(found: Grades) -> tuple[str, str] | None:
    """Return the places of the lowest and the highest grade that the evidence leaves open."""
    low, high = grade_place(found.low), grade_place(found.high)
    return None if low is None or high is None else (low, high)


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"
