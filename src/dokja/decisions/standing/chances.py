"""How likely it is that points cut as they did, had other items, voters or raters been drawn.

Probabilities come from joint draws of the totals around their estimates, made by
`evidence.statistics` with the rulebook's seed. What is missing gives bounds. Where only an order
was published, or figures without sampling errors, there is nothing to draw from: then there is no
probability of having been wrong, and saying 0 would be saying that points have no error.

Teams' totals are drawn independently of each other, although teams answer the same items: real
differences are a little surer than they are shown here. What a team is called plays no part: the
streams of draws are given out in order of points.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dokja.decisions.rules import Rulebook, Ruling, Stage, Verdict, because
from dokja.decisions.standing.cut import counts_gate_passers
from dokja.decisions.standing.order import Order
from dokja.decisions.standing.sheets import ScoreSheet
from dokja.evidence.statistics import (
    RankProbabilities,
    Total,
    rank_probabilities,
    rank_sets,
    set_probability,
)
from dokja.values import Reason

__all__ = ["Basis", "Between", "Chance", "Chances", "RankRange", "chances"]

_LIFT = 1e-9  # points; no score is written this finely


class Basis(Enum):
    """What a figure about places rests on."""

    DRAWS = "draws"
    ESTIMATES = "estimates"
    PUBLISHED_ORDER = "published-order"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The least and the greatest value that the evidence leaves open; equal when it is known."""

    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        """Return it as it stands in a decision."""
        return {"low": self.low, "high": self.high}


@dataclass(frozen=True, slots=True, kw_only=True)
class RankRange:
    """The ranks that a team can hold.

    Attributes:
        best: The best.
        worst: The worst.
        level: Probability with which no rank set of the stage is wrong; 1 where none is drawn.
        basis: What it rests on.
    """

    best: int
    worst: int
    level: float
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How likely a team is to advance and to be last.

    Attributes:
        advance: Probability of advancing, the gates included.
        lowest: Probability of having the fewest points of all entrants.
        monte_carlo_error: Standard error that the number of draws leaves.
        basis: Draws, or the published order.
    """

    advance: Between
    lowest: Between
    monte_carlo_error: float
    basis: Basis


@dataclass(frozen=True, slots=True, kw_only=True)
class Chances:
    """The probabilities of a stage.

    Attributes:
        ranks: The ranks that each team can hold.
        teams: The probabilities of each team, or why there are none.
        wrong: Probability that the set that is within the places on points is not the set that
            would be, could everything be observed; or why there is none.
    """

    ranks: Mapping[str, RankRange]
    teams: Mapping[str, Chance | Reason]
    wrong: Between | Reason


def chances(
    rulebook: Rulebook,
    rules: Stage,
    sheets: Mapping[str, ScoreSheet],
    *,
    order: Order,
    gates: Mapping[str, Verdict],
    points: Mapping[str, Ruling],
) -> Chances:
    """Return the ranks and probabilities of a stage that is decided on points.

    Args:
        rulebook: Names the draws and the level.
        rules: The stage.
        sheets: The teams' scores.
        order: Who stands above whom on the points as scored.
        gates: Whether each team passes all gates.
        points: Whether each team is within the planned places.
    """
    field = _Field(rulebook, rules, sheets=sheets, order=order)
    lacking = field.lacking()
    ranks = field.ranks(drawn=lacking is None)
    teams: dict[str, Chance | Reason] = {}
    for team in sheets:
        if lacking is None:
            teams[team] = field.chance(team, gates=gates)
        elif order.published and order.informs(team, among=sheets):
            teams[team] = _as_ordered(
                team, order=order, ruling=points[team], gate=gates[team], lacking=lacking
            )
        else:
            teams[team] = lacking
    return Chances(
        ranks=ranks,
        teams=teams,
        wrong=lacking if lacking is not None else field.wrong(points, gates=gates),
    )


def _as_ordered(
    team: str, *, order: Order, ruling: Ruling, gate: Verdict, lacking: Reason
) -> Chance | Reason:
    """Return what a published order says of a team's place, given that it is the true one."""
    if ruling.verdict is Verdict.UNDECIDED:
        return lacking
    within = 1.0 if ruling.verdict is Verdict.HOLDS else 0.0
    teams = order.above.keys()
    entrants = len(teams) + order.unnamed
    return Chance(
        advance=_gated(Between(low=within, high=within), gate),
        lowest=Between(
            low=1.0 if order.best(team, among=teams) == entrants else 0.0,
            high=1.0 if order.worst(team, among=teams) == entrants else 0.0,
        ),
        monte_carlo_error=0.0,
        basis=Basis.PUBLISHED_ORDER,
    )


def _gated(share: Between, gate: Verdict) -> Between:
    if gate is Verdict.HOLDS:
        return share
    return Between(low=0.0, high=share.high if gate is Verdict.UNDECIDED else 0.0)


class _Field:
    """The totals of a stage's entrants, as `evidence.statistics` draws them."""

    def __init__(
        self,
        rulebook: Rulebook,
        rules: Stage,
        *,
        sheets: Mapping[str, ScoreSheet],
        order: Order,
    ) -> None:
        self.probability = rulebook.probability
        self.rules = rules
        self.sheets = sheets
        self.order = order
        standing = sorted(
            sheets,
            key=lambda team: (
                -order.highs[team],
                -order.lows[team],
                sheets[team].total.standard_error,
                len(order.above[team]),
                team,
            ),
        )
        self.labels = {team: f"entrant-{place}" for place, team in enumerate(standing, start=1)}
        # Ties that the rules break are drawn as broken: who stands above is lifted beyond rounding.
        self.lifts = {
            team: _LIFT * sum(team in order.above[other] for other in self._alike(team))
            for team in sheets
        }
        self.drawn: dict[tuple[frozenset[str], str | None], RankProbabilities] = {}

    def _alike(self, team: str) -> list[str]:
        """Return the teams whose points can be the same as this team's, neither more nor fewer."""
        lows, highs = self.order.lows, self.order.highs
        return [
            other
            for other in self.sheets
            if abs(lows[other] - lows[team]) <= _LIFT and abs(highs[other] - highs[team]) <= _LIFT
        ]

    def lacking(self) -> Reason | None:
        """Return why nothing can be drawn, if that is so."""
        totals = [sheet.total for sheet in self.sheets.values()]
        if not totals or all(total.high - total.low >= total.points for total in totals):
            return because("probability-needs-scores")
        if not all(total.errors_known for total in totals):
            return because("probability-needs-sampling-errors")
        return None

    def totals(self, teams: Iterable[str], *, favoured: str | None = None) -> list[Total]:
        """Return the totals of some teams and of the entrants without a name.

        Args:
            teams: The named ones that are counted.
            favoured: One that stands above whoever has as many points.
        """
        lifts = dict(self.lifts)
        if favoured is not None:
            lifts[favoured] += _LIFT * len(lifts)
        drawn = [
            Total(
                team=self.labels[team],
                estimate=None,
                low=self.order.lows[team] + lifts[team],
                high=self.order.highs[team] + lifts[team],
                standard_error=self.sheets[team].total.standard_error,
            )
            for team in sorted(teams, key=lambda team: self.labels[team])
        ]
        points = max((sheet.total.points for sheet in self.sheets.values()), default=0.0)
        return drawn + [
            Total(team=f"unnamed-{number}", estimate=None, low=0.0, high=points)
            for number in range(1, self.order.unnamed + 1)
        ]

    def ranks(self, *, drawn: bool) -> dict[str, RankRange]:
        """Return the ranks that every team can hold among all entrants."""
        every = tuple(self.sheets)
        if not drawn:
            return {team: self._ordered(team, among=every) for team in every}
        found = rank_sets(
            self.totals(every),
            level=self.probability.level,
            draws=self.probability.draws,
            seed=self.probability.seed,
        )
        if found.critical_value is None:  # nothing varies: the points as scored say all
            return {team: self._ordered(team, among=every) for team in every}
        return {
            team: RankRange(
                best=found.of(self.labels[team]).best,
                worst=found.of(self.labels[team]).worst,
                level=found.level,
                basis=Basis.ESTIMATES,
            )
            for team in every
        }

    def _ordered(self, team: str, *, among: Sequence[str]) -> RankRange:
        basis = Basis.NONE
        if self.order.informs(team, among=among):
            basis = Basis.PUBLISHED_ORDER if self.order.published else Basis.ESTIMATES
        return RankRange(
            best=self.order.best(team, among=among),
            worst=self.order.worst(team, among=among),
            level=1.0,
            basis=basis,
        )

    def chance(self, team: str, *, gates: Mapping[str, Verdict]) -> Chance | Reason:
        """Return how likely a team is to advance and to be last, if anything is known of it."""
        everyone = self._drawn(self.sheets)
        label = self.labels[team]
        lowest = everyone.of(label).lowest
        most = least = self._drawn(self.sheets, level=team)
        if counts_gate_passers(self.rules):
            sure = {other for other, verdict in gates.items() if verdict is Verdict.HOLDS}
            open_too = {other for other, verdict in gates.items() if verdict is not Verdict.FAILS}
            most = self._drawn(sure | {team}, level=team)
            least = self._drawn(open_too | {team}, level=team)
        share = Between(low=least.of(label).top.low, high=most.of(label).top.high)
        unknown = self.order.highs[team] - self.order.lows[team] >= self.sheets[team].total.points
        if unknown and (share.low, share.high, lowest.low, lowest.high) == (0.0, 1.0, 0.0, 1.0):
            return because("probability-needs-scores")
        errors = [found.monte_carlo_error for found in (everyone, most, least)]
        return Chance(
            advance=_gated(share, gates[team]),
            lowest=Between(low=lowest.low, high=lowest.high),
            monte_carlo_error=max(errors),
            basis=Basis.DRAWS,
        )

    def _drawn(self, teams: Iterable[str], *, level: str | None = None) -> RankProbabilities:
        """Return where some teams stand among themselves; each question is drawn once.

        Args:
            teams: The named ones that are counted.
            level: One that advances with those that are level with it, where the rules say so.
        """
        all_advance = self.rules.ties.rule == "all-advance"
        favoured = level if level and all_advance and self.order.level[level] else None
        asked = (frozenset(teams), favoured)
        if asked not in self.drawn:
            self.drawn[asked] = rank_probabilities(
                self.totals(asked[0], favoured=favoured),
                places=self.rules.planned_advance or 0,
                draws=self.probability.draws,
                seed=self.probability.seed,
            )
        return self.drawn[asked]

    def wrong(
        self, points: Mapping[str, Ruling], *, gates: Mapping[str, Verdict]
    ) -> Between | Reason:
        """Return how likely the set within the places is not the true one."""
        counted = set(self.sheets)
        if counts_gate_passers(self.rules):
            counted = {team for team in counted if gates[team] is not Verdict.FAILS}
        within = {team for team in counted if points[team].verdict is Verdict.HOLDS}
        if any(points[team].verdict is Verdict.UNDECIDED for team in counted):
            return because("nothing-decided-yet")
        totals = self.totals(counted)
        if not totals:  # nobody passes the gates, whatever the points
            return Between(low=0.0, high=0.0)
        found = set_probability(
            totals,
            [self.labels[team] for team in within],
            draws=self.probability.draws,
            seed=self.probability.seed,
        )
        return Between(low=1.0 - found.high, high=1.0 - found.low)
