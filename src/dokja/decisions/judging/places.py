"""How many of the planned places stay open.

A place stays open when too few enter, or when a team that is within the places fails a gate. What
is not known of either gives a range: it is never taken for granted that an undecided team fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.decisions.judging.decision import TeamStanding
from dokja.decisions.rules import Stage, Verdict
from dokja.decisions.standing import Between, counts_gate_passers

__all__ = ["Places", "places_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The places of a stage.

    Attributes:
        planned: How many were to go on.
        vacancies: How many of them stay open.
    """

    planned: int | None
    vacancies: Between


def places_of(rules: Stage, teams: Sequence[TeamStanding], *, unnamed: int) -> Places:
    """Return how many places there are, and how many stay open.

    Args:
        rules: The stage.
        teams: Its named entrants.
        unnamed: How many more there are.
    """
    planned = rules.vote.places if rules.vote is not None else rules.planned_advance
    places = planned or 0
    verdicts = [standing.advances.verdict for standing in teams]
    sure = verdicts.count(Verdict.HOLDS)
    open_too = verdicts.count(Verdict.UNDECIDED) + unnamed
    low, high = places - sure - open_too, places - sure
    if rules.kind != "vote":
        low, high = _cut(rules, teams, unnamed=unnamed, places=places, low=low, high=high)
    return Places(
        planned=planned, vacancies=Between(low=float(max(low, 0)), high=float(max(high, 0)))
    )


def _cut(
    rules: Stage,
    teams: Sequence[TeamStanding],
    *,
    unnamed: int,
    places: int,
    low: int,
    high: int,
) -> tuple[int, int]:
    """Return the range narrowed by this: points fill every place for which there is a team."""
    passing = [_passes(standing) for standing in teams]
    if counts_gate_passers(rules):
        counted = len(teams) - passing.count(Verdict.FAILS)
        surely = passing.count(Verdict.HOLDS) + (0 if rules.gates else unnamed)
        return max(low, places - counted - unnamed), min(high, places - surely)
    unfilled = max(places - len(teams) - unnamed, 0)
    within = [standing.advances.parts[-1].verdict for standing in teams]
    lost = sum(
        1
        for gate, points in zip(passing, within, strict=True)
        if gate is Verdict.FAILS and points is Verdict.HOLDS
    )
    could_be_lost = sum(
        1
        for gate, points in zip(passing, within, strict=True)
        if gate is not Verdict.HOLDS and points is not Verdict.FAILS
    )
    could_be_lost += unnamed if rules.gates else 0
    return max(low, unfilled + lost), min(high, unfilled + could_be_lost)


def _passes(standing: TeamStanding) -> Verdict:
    verdicts = [gate.verdict for gate in standing.gates]
    if Verdict.FAILS in verdicts:
        return Verdict.FAILS
    return Verdict.UNDECIDED if Verdict.UNDECIDED in verdicts else Verdict.HOLDS
