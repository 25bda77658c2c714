"""What was measured beside the frontier, as the dossier tells it.

One line for each measurement that the decision rests on, with its ratio by every error, under
every convention, and with what is open. Nothing here says more than the entry does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor

from dokja.evidence.ledger.kinds import Reach, Standard
from dokja.public.reports.document import Decision, Ruling, Team
from dokja.public.reports.pictures import Axis
from dokja.public.reports.records import Records, Said
from dokja.public.reports.spreadsheets import Cell, Table

__all__ = ["ReachLine", "reach_axis", "reach_lines", "reach_tables"]

_STEP = 0.05
_WIDE = 0.1
_MOST_TICKS = 9
_LEAST_SHOWN, _MOST_SHOWN = 0.5, 1.5
_ORDER = ("clusters", "strata", "items")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachLine:
    """A measurement of a team's model.

    Attributes:
        team: The team.
        reach: What the entry says.
        said: The entries that say it.
    """

    team: Team
    reach: Reach
    said: Said

    @property
    def verdict(self) -> str:
        """The verdict in the words of rulings."""
        return {"clears": "holds", "does_not_clear": "fails"}.get(self.reach.verdict, "undecided")

    @property
    def standards(self) -> Sequence[Standard]:
        """By clusters, by strata, by items: the widest question first."""
        return sorted(self.reach.standards, key=lambda one: _ORDER.index(one.by))

    @property
    def readings(self) -> int:
        """How many readings of the same record were made."""
        all_of = self.reach.multiverse
        return 0 if all_of is None else all_of.clears + all_of.does_not_clear + all_of.undecided


def reach_lines(decision: Decision, records: Records) -> Sequence[ReachLine]:
    """Return the measurements that the decision rests on, in the order of its teams."""
    lines = []
    for team in decision.teams:
        seen: set[tuple[int, ...]] = set()
        for seq in _entries(team.frontier):
            if seq in records.reaches:
                reach, said = records.reaches[seq]
                if said.seqs not in seen:
                    seen.add(said.seqs)
                    lines.append(ReachLine(team=team, reach=reach, said=said))
    return lines


def _entries(ruling: Ruling | None) -> Iterator[int]:
    if ruling is None:
        return
    for reason in ruling.reasons:
        yield from reason.entries
    for part in ruling.parts:
        yield from _entries(part)


def reach_axis(lines: Sequence[ReachLine]) -> Axis:
    """Return one axis for all ratios and their intervals; the line and 1 are always on it."""
    numbers = [1.0]
    for line in lines:
        reach = line.reach
        numbers.append(float(reach.required))
        if reach.ratio is not None:
            numbers.append(float(reach.ratio))
        ends = [one.ratio for one in reach.standards if one.ratio is not None]
        for end in [*ends, *([reach.bounds] if reach.bounds is not None else [])]:
            numbers += [float(end.low), float(end.high)]
    low = max(min(numbers), _LEAST_SHOWN)
    high = min(max(numbers), _MOST_SHOWN)
    step = _STEP if (high - low) / _STEP < _MOST_TICKS else _WIDE
    first, last = floor(low / step - 1e-9), ceil(high / step + 1e-9)
    ticks = tuple(round(step * index, 2) for index in range(first, last + 1))
    return Axis(low=ticks[0], high=ticks[-1], ticks=ticks)


def reach_tables(records: Records) -> tuple[Table, Table]:
    """Return one row for each measurement, and one for each error of each."""
    unique = {said.seqs: reach for reach, said in records.reaches.values()}
    found = [(seqs[0], unique[seqs]) for seqs in sorted(unique)]
    columns = ["entry", "on", "stage", "team", "model", "rulebook", "required", "verdict"]
    columns += ["reasons", "references", "strictest", "benchmarks", "items", "open", "dropped"]
    columns += ["convention", "generalise_to", "decisive", "ratio", "bounds_low", "bounds_high"]
    columns += ["conventions", "fragile_items", "fragile_share", "flags", "settles_items"]
    columns += ["settles_reask", "document", "invented"]
    errors = ["entry", "model", "by", "delta", "error", "units", "p_reaches", "ratio_low"]
    return (
        Table(
            name="reaches",
            columns=tuple(columns),
            rows=tuple(_row(seq, reach) for seq, reach in found),
        ),
        Table(
            name="reach_errors",
            columns=(*errors, "ratio_high"),
            rows=tuple(
                (
                    *(seq, reach.model, one.by, one.delta, one.error, one.units, one.p_reaches),
                    None if one.ratio is None else one.ratio.low,
                    None if one.ratio is None else one.ratio.high,
                )
                for seq, reach in found
                for one in reach.standards
            ),
        ),
    )


def _row(seq: int, reach: Reach) -> tuple[Cell, ...]:
    bounds, fragile = reach.bounds, reach.fragility
    return (
        *(seq, reach.on.isoformat(), reach.stage, reach.team, reach.model, reach.rulebook),
        *(reach.required, reach.verdict, " ".join(reach.reasons), " ".join(reach.references)),
        *(reach.strictest, " ".join(reach.benchmarks), reach.items, reach.open, reach.dropped),
        *(reach.convention, reach.generalise_to, reach.decisive, reach.ratio),
        *((None, None) if bounds is None else (bounds.low, bounds.high)),
        "; ".join(f"{one.convention} {one.ratio}" for one in reach.conventions),
        *((None, None) if fragile is None else (fragile.items, fragile.share)),
        "; ".join(f"{one.flag} {one.count}" for one in reach.flags),
        *(reach.settles_items, reach.settles_reask, reach.document, reach.invented),
    )
