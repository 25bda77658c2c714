"""Who stands above whom on points, as far as the evidence tells.

Two things order teams: points that lie wholly apart, and an order that the organiser published
without the points. Both are facts about the points *as scored*; that another sample of items or
voters could have given others is asked in `chances`. Ranks that cannot be told stay a range, and
so do the places of entrants whom the ledger does not name.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dokja.decisions.rules import Record, Said, entry_name
from dokja.decisions.standing.sheets import ScoreSheet
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import PublishedOrder

__all__ = ["Order", "order_mistakes", "points_order"]

_LEVEL = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Who certainly stands above whom.

    Attributes:
        above: For each team, the teams that certainly stand above it.
        level: For each team, the teams that certainly have as many points as it has.
        lows: The least points that each can have.
        highs: The most points that each can have.
        unnamed: How many entrants the ledger does not name; they may stand anywhere.
        published: Whether an order was published.
        entries: Numbers of the entries that published it.
    """

    above: Mapping[str, frozenset[str]]
    level: Mapping[str, frozenset[str]]
    lows: Mapping[str, float]
    highs: Mapping[str, float]
    unnamed: int
    published: bool
    entries: tuple[int, ...]

    def best(self, team: str, *, among: Iterable[str]) -> int:
        """Return the best rank that a team can hold among some teams and the unnamed."""
        return 1 + len(self.above[team] & frozenset(among))

    def worst(self, team: str, *, among: Iterable[str], level_below: bool = False) -> int:
        """Return the worst rank that a team can hold among some teams and the unnamed.

        Args:
            team: The team.
            among: The teams that are counted.
            level_below: Whether teams of equal points do not push it down.
        """
        others = frozenset(among) - {team}
        below = {other for other in others if team in self.above[other]}
        if level_below:
            below |= self.level[team]
        return 1 + len(others - below) + self.unnamed

    def informs(self, team: str, *, among: Iterable[str]) -> bool:
        """Tell whether anything is known of where a team stands."""
        others = frozenset(among) - {team}
        apart = self.above[team] | {other for other in others if team in self.above[other]}
        return bool((apart | self.level[team]) & others)


def points_order(
    sheets: Mapping[str, ScoreSheet],
    record: Record,
    *,
    stage: str,
    unnamed: int,
    part: str = "total",
) -> Order:
    """Return the order of the entrants by points in a part, by default in the total."""
    teams = sorted(sheets)
    lows = {team: sheets[team].of(part).low for team in teams}
    highs = {team: sheets[team].of(part).high for team in teams}
    said = _published(record, stage=stage) if part == "total" else ()
    pairs = {pair for order in said for pair in _pairs(order.body.groups, known=teams)}
    _tighten(pairs, lows=lows, highs=highs)
    above = {
        team: {other for other in teams if lows[other] > highs[team] + _LEVEL} for team in teams
    }
    for upper, lower in pairs:
        above[lower].add(upper)
    level = {
        team: frozenset(
            other
            for other in teams
            if other != team
            and highs[team] - lows[team] <= _LEVEL
            and abs(lows[other] - lows[team]) <= _LEVEL
            and abs(highs[other] - highs[team]) <= _LEVEL
            and other not in above[team]
            and team not in above[other]
        )
        for team in teams
    }
    return Order(
        above=_closed(above),
        level=level,
        lows=lows,
        highs=highs,
        unnamed=unnamed,
        published=bool(said),
        entries=tuple(sorted({seq for order in said for seq in order.seqs})),
    )


def _published(record: Record, *, stage: str) -> tuple[Said[PublishedOrder], ...]:
    return tuple(said for said in record.every(PublishedOrder) if said.body.stage == stage)


def _pairs(groups: Sequence[Sequence[str]], *, known: Iterable[str]) -> Iterable[tuple[str, str]]:
    """Yield (upper, lower) for every two teams of different groups."""
    named = frozenset(known)
    for number, group in enumerate(groups):
        for lower_group in groups[number + 1 :]:
            for upper in named.intersection(group):
                for lower in named.intersection(lower_group):
                    yield upper, lower


def _tighten(
    pairs: Iterable[tuple[str, str]], *, lows: dict[str, float], highs: dict[str, float]
) -> None:
    """Move bounds inwards: who stands above has no fewer points than who stands below.

    The bounds order teams and are never shown as scores.
    """
    ordered = sorted(pairs)
    for _ in lows:  # each pass carries a bound one step further
        for upper, lower in ordered:
            lows[upper] = min(max(lows[upper], lows[lower]), highs[upper])
            highs[lower] = max(min(highs[lower], highs[upper]), lows[lower])


def _closed(above: Mapping[str, set[str]]) -> dict[str, frozenset[str]]:
    """Return the relation with everything that follows: above the above is above."""
    closed = {team: set(uppers) for team, uppers in above.items()}
    for middle, its_uppers in closed.items():
        for uppers in closed.values():
            if middle in uppers:
                uppers.update(its_uppers)
    return {team: frozenset(uppers - {team}) for team, uppers in closed.items()}


def order_mistakes(
    sheets: Mapping[str, ScoreSheet], record: Record, *, stage: str
) -> list[Mistake]:
    """Return every published order that names a stranger or contradicts the points or another."""
    mistakes: list[Mistake] = []
    seen: dict[tuple[str, str], int] = {}
    teams = record.teams()
    for said in _published(record, stage=stage):
        named = [team for group in said.body.groups for team in group]
        for team in sorted({team for team in named if team not in teams or named.count(team) > 1}):
            known = ", ".join(teams)
            mistakes.append(
                Mistake(
                    file=entry_name(said),
                    place="groups",
                    read=f"{team!r}" + (" twice" if named.count(team) > 1 else ""),
                    expected=f"each once, of the declared teams: {known}",
                )
            )
        for upper, lower in sorted(_pairs(said.body.groups, known=sheets)):
            if sheets[upper].total.high < sheets[lower].total.low - _LEVEL:
                mistakes.append(
                    Mistake(
                        file=entry_name(said),
                        place="groups",
                        read=f"{upper!r} above {lower!r}",
                        expected="an order that the scores allow; theirs say the opposite",
                    )
                )
            if (lower, upper) in seen:
                mistakes.append(
                    Mistake(
                        file=entry_name(said),
                        place="groups",
                        read=f"{upper!r} above {lower!r}",
                        expected=f"what entry {seen[lower, upper]} says: the opposite",
                    )
                )
            seen.setdefault((upper, lower), said.seq)
    return mistakes or _rings(sheets, record, stage=stage)


def _rings(sheets: Mapping[str, ScoreSheet], record: Record, *, stage: str) -> list[Mistake]:
    """Return a mistake for every order that only together with the others goes round in a ring."""
    order = points_order(sheets, record, stage=stage, unnamed=0)
    above = order.above
    ringed = {team for team, uppers in above.items() if any(team in above[u] for u in uppers)}
    return [
        Mistake(
            file=entry_name(said),
            place="groups",
            read="an order in which each stands above the other of: " + ", ".join(sorted(both)),
            expected="one that the other orders and the scores allow",
            remedy="Correct the entry that is wrong.",
        )
        for said in _published(record, stage=stage)
        if len(both := ringed.intersection(*[{t for g in said.body.groups for t in g}])) > 1
    ]
