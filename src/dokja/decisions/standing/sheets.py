"""Score sheets: every part of a stage for every team, or why its score is missing.

A part's score stands in the ledger, or follows from its sub-parts when all of them are there;
where both are, they must agree and the one that was given counts; which of several scores counts
is told in `versions`. Sums carry intervals: sampling
half-widths add in quadrature, as errors of independent samples do; rounding half-widths add as
they are, because nothing says that they cancel. A missing part is never filled in: what is kept
of it is that it lies between 0 and its points.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dokja.decisions.rules import Part, Record, Rulebook, Said, entry_name
from dokja.decisions.standing.versions import CountedScores, counted_scores
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import Aggregate, Outcome, PublishedOrder, Score
from dokja.evidence.statistics import Total
from dokja.values import Estimate, IntervalKind, Measured, Missing, MissingReason

__all__ = ["TOTAL", "PartScore", "ScoreSheet", "read_sheets"]

TOTAL = "total"
"""Names the sum of all parts, where one is published."""

_AGREES = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScore:
    """A team's score in one part.

    Attributes:
        part: The part.
        points: What can be had in it.
        score: The score in the part's points, or why there is none.
        low: The least that the points as scored can be: a missing part has scored at least 0, a
            rounded figure at least its lower end.
        high: The most that they can be.
        standard_error: Of the parts of it that are there, in points.
        errors_known: Whether the sampling error of everything that is there is known.
        rulebook: Version of the rulebook under which it was scored; none where it was summed.
        entries: Numbers of the entries that it stands in.
        invented: Whether what it rests on was made by a script.
        method: How it was made; none where it is missing.
    """

    part: str
    points: float
    score: Measured
    low: float
    high: float
    standard_error: float
    errors_known: bool
    rulebook: str | None = None
    entries: tuple[int, ...] = ()
    invented: bool = False
    method: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSheet:
    """A team's scores in a stage.

    Attributes:
        team: The team.
        parts: Every part and sub-part, parents before children.
        total: The sum of the parts, as a part of its own named `total`.
    """

    team: str
    parts: tuple[PartScore, ...]
    total: PartScore

    def of(self, part: str) -> PartScore:
        """Return the score of a part.

        Raises:
            KeyError: The stage has no such part.
        """
        for score in (*self.parts, self.total):
            if score.part == part:
                return score
        raise KeyError(part)


def read_sheets(
    rulebook: Rulebook, record: Record, *, stage: str, teams: Sequence[str]
) -> tuple[dict[str, ScoreSheet], list[Mistake]]:
    """Return every team's score sheet, and where sums contradict what was given.

    Args:
        rulebook: Has the stage's parts.
        record: What stands in the ledger.
        stage: The stage.
        teams: The entrants.
    """
    rules = rulebook.stages[stage]
    counted = counted_scores(rulebook, record, stage=stage)
    every = [part.id for part, _ in rulebook.parts(stage)]
    why = _Absences(rulebook=rulebook, record=record, stage=stage)
    mistakes: list[Mistake] = []
    sheets: dict[str, ScoreSheet] = {}
    for team in teams:
        rows: list[PartScore] = []
        tops = []
        for part in rules.parts:
            branch = _scored(part, team=team, counted=counted, why=why, mistakes=mistakes)
            tops.append(branch[0])
            rows += branch
        own = counted.of(team, TOTAL, below=every)
        mistakes += _disagreement(own, children=tops, counted=counted, below=every)
        points = math.fsum(part.points for part in rules.parts)
        total = _joined(TOTAL, points=points, own=own, children=tops, why=why.of(team, TOTAL))
        sheets[team] = ScoreSheet(team=team, parts=tuple(rows), total=total)
    return sheets, mistakes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Absences:
    """Knows why a score is not there."""

    rulebook: Rulebook
    record: Record
    stage: str

    def of(self, team: str, part: str) -> tuple[Missing, tuple[int, ...]]:
        """Return why a team has no score in a part, and the entries that say so."""
        what = ("score", team, part)
        for said in self.record.every(Score):
            body = said.body
            if (body.stage, body.team, body.part) == (self.stage, team, part):
                outdated = Missing(reason=MissingReason.OUTDATED, what=(*what, body.rulebook))
                return outdated, said.seqs
        for taken in self.record.withdrawn:
            named = tuple(taken.body.get(key) for key in ("stage", "team", "part"))
            if taken.kind == "score" and named == (self.stage, team, part):
                return Missing(reason=MissingReason.WITHDRAWN, what=what), taken.seqs
        scored = MissingReason.NOT_PUBLISHED if self._scored_elsewhere() else None
        return Missing(reason=scored or MissingReason.NOT_MEASURED, what=what), ()

    def _scored_elsewhere(self) -> bool:
        """Tell whether the organiser is known to hold scores of this stage."""
        about = self.record.every(Outcome), self.record.every(Aggregate)
        published = [
            said.body.stage for said in self.record.every(Score) if said.body.basis == "published"
        ]
        stages = [said.body.stage for kind in about for said in kind]
        stages += [said.body.stage for said in self.record.every(PublishedOrder)]
        return self.stage in {*stages, *published}


def _scored(
    part: Part,
    *,
    team: str,
    counted: CountedScores,
    why: _Absences,
    mistakes: list[Mistake],
) -> list[PartScore]:
    """Return the score of a part, then those of all parts below it."""
    below: list[PartScore] = []
    children = []
    for child in part.parts:
        branch = _scored(child, team=team, counted=counted, why=why, mistakes=mistakes)
        children.append(branch[0])
        below += branch
    names = [score.part for score in below]
    own = counted.of(team, part.id, below=names)
    mistakes += _disagreement(own, children=children, counted=counted, below=names)
    absence = why.of(team, part.id)
    joined = _joined(part.id, points=part.points, own=own, children=children, why=absence)
    return [joined, *below]


def _disagreement(
    own: Said[Score] | None,
    *,
    children: Sequence[PartScore],
    counted: CountedScores,
    below: Sequence[str],
) -> list[Mistake]:
    """Return a mistake if a part's score cannot be the sum of its sub-parts."""
    if own is None or not children:
        return []
    value = own.body.score
    low = math.fsum(_end(child, "low") for child in children)
    high = math.fsum(_end(child, "high") for child in children)
    apart = low > value.high + _AGREES or high < value.low - _AGREES
    if not apart or not counted.of_one_version(own.body.team, own, below=below):
        return []
    return [
        Mistake(
            file=entry_name(own),
            place=f"score of {own.body.team} in {own.body.part}",
            read=f"{value.value:g}",
            expected=f"what its sub-parts sum to, {low:g} to {high:g}",
            remedy="Correct the entry that is wrong.",
        )
    ]


def _joined(
    part: str,
    *,
    points: float,
    own: Said[Score] | None,
    children: Sequence[PartScore],
    why: tuple[Missing, tuple[int, ...]],
) -> PartScore:
    """Return a part's score from what was given of it and of its sub-parts."""
    if own is not None:
        return _given(part, points=points, said=own)
    if not children:
        return PartScore(
            part=part,
            points=points,
            score=why[0],
            low=0.0,
            high=points,
            standard_error=0.0,
            errors_known=True,
            entries=why[1],
        )
    return _summed(part, points=points, children=children, why=why[0])


def _end(score: PartScore, side: str) -> float:
    """Return an end of the interval of a score; of what it can be where it is missing."""
    if isinstance(score.score, Estimate):
        return score.score.low if side == "low" else score.score.high
    return score.low if side == "low" else score.high


def _given(part: str, *, points: float, said: Said[Score]) -> PartScore:
    body, interval = said.body, said.body.score
    kind = IntervalKind(interval.kind)
    estimate = Estimate(
        value=interval.value,
        low=min(max(interval.low, 0.0), interval.value),
        high=max(min(interval.high, points), interval.value),
        level=interval.level,
        kind=kind,
        standard_error=interval.standard_error,
        rests_on=tuple(sorted(body.rests_on.items())),
        method=body.method,
    )
    sampled = kind is IntervalKind.SAMPLING
    drawn = Total(team=body.team, estimate=estimate, low=0.0, high=points)
    return PartScore(
        part=part,
        points=points,
        score=estimate,
        low=estimate.value if sampled else estimate.low,
        high=estimate.value if sampled else estimate.high,
        standard_error=drawn.error,
        errors_known=kind is IntervalKind.EXACT or (sampled and _error_known(estimate)),
        rulebook=body.rulebook,
        entries=said.seqs,
        invented=body.invented,
        method=body.method,
    )


def _error_known(estimate: Estimate) -> bool:
    return estimate.standard_error is not None or estimate.level < 1


def _summed(part: str, *, points: float, children: Sequence[PartScore], why: Missing) -> PartScore:
    """Return the sum of sub-parts; missing when one of them is."""
    estimates = [child.score for child in children if isinstance(child.score, Estimate)]
    score: Measured
    if len(estimates) == len(children):
        score = _sum(estimates)
    elif estimates or any(child.high - child.low < child.points for child in children):
        lacking = [child.part for child in children if isinstance(child.score, Missing)]
        score = Missing(reason=MissingReason.PARTS_MISSING, what=tuple(lacking))
    else:
        score = _all_missing(children, why=why)
    return PartScore(
        part=part,
        points=points,
        score=score,
        low=math.fsum(child.low for child in children),
        high=math.fsum(child.high for child in children),
        standard_error=math.sqrt(math.fsum(child.standard_error**2 for child in children)),
        errors_known=all(child.errors_known for child in children),
        entries=tuple(sorted({seq for child in children for seq in child.entries})),
        invented=any(child.invented for child in children),
        method="sum-of-parts" if isinstance(score, Estimate) else None,
    )


def _all_missing(children: Sequence[PartScore], *, why: Missing) -> Missing:
    """Return why a part is missing whose sub-parts all are: for their reason, if they share one."""
    reasons = {child.score.reason for child in children if isinstance(child.score, Missing)}
    return Missing(reason=reasons.pop(), what=why.what) if len(reasons) == 1 else why


def _sum(estimates: Sequence[Estimate]) -> Estimate:
    """Return the sum of estimates of different things, made independently of each other.

    Half-widths of sampling intervals of one level add in quadrature; those of rounding and exact
    intervals add as they are. The level is the least of the sampling levels.
    """
    sampled = [e for e in estimates if e.kind is IntervalKind.SAMPLING]
    others = [e for e in estimates if e.kind is not IntervalKind.SAMPLING]
    value = math.fsum(e.value for e in estimates)
    below = math.sqrt(math.fsum((e.value - e.low) ** 2 for e in sampled))
    above = math.sqrt(math.fsum((e.high - e.value) ** 2 for e in sampled))
    below += math.fsum(e.value - e.low for e in others)
    above += math.fsum(e.high - e.value for e in others)
    errors = [e.standard_error for e in sampled if e.standard_error is not None]
    kinds = {e.kind for e in estimates}
    order = (IntervalKind.SAMPLING, IntervalKind.ROUNDING, IntervalKind.EXACT)
    return Estimate(
        value=value,
        low=value - below,
        high=value + above,
        level=min((e.level for e in sampled), default=1.0),
        kind=next(kind for kind in order if kind in kinds),
        standard_error=(
            math.sqrt(math.fsum(error**2 for error in errors))
            if errors and len(errors) == len(sampled)
            else None
        ),
        rests_on=(("parts", len(estimates)),),
        method="sum-of-parts",
    )
