"""Figures over several teams that were published without naming each.

A mean or a best score says something about every team and gives no score to any: it is compared
with the scores that are there and with what the missing ones could be, and never turned round to
fill one in.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from dokja.decisions.rules import Record, Said, Verdict, entry_name
from dokja.decisions.standing.sheets import PartScore, ScoreSheet
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import Aggregate
from dokja.values import Estimate, IntervalKind

__all__ = ["AggregateCheck", "check_aggregates"]

_AGREES = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class AggregateCheck:
    """A published figure over teams beside the scores that are there.

    Attributes:
        part: The part, or `total`.
        statistic: `mean` or `best`.
        score: The figure.
        teams: Over how many teams.
        held_by: For `best`, the teams that were named as holding it.
        agrees: Holds when all scores are there and give it; undecided when some are missing.
        entries: Numbers of its entries.
    """

    part: str
    statistic: str
    score: Estimate
    teams: int
    held_by: tuple[str, ...]
    agrees: Verdict
    entries: tuple[int, ...]


def check_aggregates(
    sheets: Mapping[str, ScoreSheet], record: Record, *, stage: str
) -> tuple[tuple[AggregateCheck, ...], list[Mistake]]:
    """Return every aggregate of a stage with how it agrees, and those that cannot be true."""
    checks: list[AggregateCheck] = []
    mistakes: list[Mistake] = []
    for said in record.every(Aggregate):
        if said.body.stage != stage:
            continue
        strange = _strange(said, sheets=sheets)
        if strange:
            mistakes += strange
            continue
        agrees, expected = _agrees(said.body, sheets=sheets)
        if agrees is Verdict.FAILS:
            mistakes.append(
                Mistake(
                    file=entry_name(said),
                    place=f"{said.body.statistic} of {said.body.part}",
                    read=f"{said.body.score.value:g}",
                    expected=expected,
                    remedy="Correct the entry that is wrong.",
                )
            )
        checks.append(_check(said, agrees=agrees))
    return tuple(checks), mistakes


def _check(said: Said[Aggregate], *, agrees: Verdict) -> AggregateCheck:
    body = said.body
    return AggregateCheck(
        part=body.part,
        statistic=body.statistic,
        score=Estimate(
            value=body.score.value,
            low=body.score.low,
            high=body.score.high,
            level=body.score.level,
            kind=IntervalKind(body.score.kind),
            standard_error=body.score.standard_error,
            rests_on=(("teams", body.teams),),
            method="published",
        ),
        teams=body.teams,
        held_by=body.held_by,
        agrees=agrees,
        entries=said.seqs,
    )


def _strange(said: Said[Aggregate], *, sheets: Mapping[str, ScoreSheet]) -> list[Mistake]:
    mistakes = []
    parts = [score.part for sheet in sheets.values() for score in (*sheet.parts, sheet.total)]
    if sheets and said.body.part not in parts:
        known = ", ".join(dict.fromkeys(parts))
        mistakes.append(
            Mistake(
                file=entry_name(said),
                place="part",
                read=repr(said.body.part),
                expected=f"one of the parts {known}",
            )
        )
    mistakes += [
        Mistake(
            file=entry_name(said),
            place="held_by",
            read=repr(team),
            expected=f"one of the stage's teams: {', '.join(sorted(sheets))}",
        )
        for team in said.body.held_by
        if team not in sheets
    ]
    return mistakes


def _agrees(body: Aggregate, *, sheets: Mapping[str, ScoreSheet]) -> tuple[Verdict, str]:
    """Return whether an aggregate agrees with the scores, and what they allow."""
    scores = {team: sheet.of(body.part) for team, sheet in sheets.items()}
    if body.statistic == "mean":
        return _mean_agrees(body, scores=scores)
    return _best_agrees(body, scores=scores)


def _mean_agrees(body: Aggregate, *, scores: Mapping[str, PartScore]) -> tuple[Verdict, str]:
    if body.teams != len(scores) or not scores:
        return Verdict.UNDECIDED, ""  # over other teams than the ledger names
    low = math.fsum(_reach(score)[0] for score in scores.values()) / len(scores)
    high = math.fsum(_reach(score)[1] for score in scores.values()) / len(scores)
    if body.score.high < low - _AGREES or body.score.low > high + _AGREES:
        return Verdict.FAILS, f"{low:g} to {high:g}, which the teams' scores allow"
    complete = all(isinstance(score.score, Estimate) for score in scores.values())
    return (Verdict.HOLDS if complete else Verdict.UNDECIDED), ""


def _best_agrees(body: Aggregate, *, scores: Mapping[str, PartScore]) -> tuple[Verdict, str]:
    reaches = {team: _reach(score) for team, score in scores.items()}
    for team in body.held_by:
        low, high = reaches[team]
        if body.score.high < low - _AGREES or body.score.low > high + _AGREES:
            return Verdict.FAILS, f"the score of {team!r}, {low:g} to {high:g}"
    for team, (low, _) in sorted(reaches.items()):
        if low > body.score.high + _AGREES:
            return Verdict.FAILS, f"at least the score of {team!r}, {low:g}"
    if scores and max(high for _, high in reaches.values()) < body.score.low - _AGREES:
        if body.teams == len(scores):
            return Verdict.FAILS, "a score that one of the teams can have"
        return Verdict.UNDECIDED, ""
    complete = bool(scores) and all(isinstance(s.score, Estimate) for s in scores.values())
    return (Verdict.HOLDS if complete else Verdict.UNDECIDED), ""


def _reach(score: PartScore) -> tuple[float, float]:
    """Return the ends of a score's interval, or of what it can be where it is missing."""
    if isinstance(score.score, Estimate):
        return score.score.low, score.score.high
    return score.low, score.high
