"""Every printed figure replayed, and what is said about those that do not come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dokja.evidence.benchmarks.conventions import Convention
from dokja.evidence.benchmarks.quality.claims import Claim, Counts, Replay, infer_convention, replay
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.tables import Flag

__all__ = ["Replays", "claim_flags", "replay_all", "shift_of"]

_SHOWN = 3
_RUN = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Replays:
    """What became of all claims.

    Attributes:
        inferred: The one convention under which most claims come out; None if several do equally,
            or none does.
        fits: How many claims come out under each candidate.
        told: How many claims have a figure and rows.
        each: What became of each, in their order.
    """

    inferred: Convention | None
    fits: Mapping[str, int]
    told: int
    each: tuple[Replay, ...]

    @property
    def agreeing(self) -> int:
        """How many come out."""
        return sum(one.replays is True for one in self.each)

    @property
    def without_rows(self) -> int:
        """How many are about systems of which there are no rows."""
        return sum(one.replays is None for one in self.each)

    @property
    def differing(self) -> tuple[Replay, ...]:
        """Those that do not come out."""
        return tuple(one for one in self.each if one.replays is False)


def replay_all(claims: Sequence[Claim], counts: Counts) -> Replays:
    """Return what becomes of every claim under the convention that the claims themselves show.

    Where they show none, each is held to the first of those that fit best.

    Raises:
        KeyError: A claim names a category or cluster that the rows do not know.
        ValueError: What was printed is no figure.
    """
    fits, told, best = infer_convention(claims, counts)
    inferred = best[0] if len(best) == 1 and fits[best[0].name] else None
    each = tuple(replay(claim, counts, best[0]) for claim in claims)
    return Replays(inferred=inferred, fits=fits, told=told, each=each)


def shift_of(replays: Sequence[Replay]) -> Mapping[Claim, int]:
    """Return the cells that hold what belongs some lines below (1) or above (-1) in one column.

    Args:
        replays: Of all claims, in the order in which they are printed.

    Returns:
        Only cells of a run of three or more that are all shifted the same way.
    """
    columns: dict[tuple[str, str, str], list[Replay]] = {}
    for one in replays:
        key = (one.claim.system, one.claim.level, one.claim.where)
        columns.setdefault(key, []).append(one)
    found: dict[Claim, int] = {}
    for column in columns.values():
        for step in (1, -1):
            run: list[Claim] = []
            for place, one in enumerate(column):
                beside = place + step
                holds = 0 <= beside < len(column) and _holds(one, column[beside])
                if holds:
                    run.append(one.claim)
                if (not holds or place == len(column) - 1) and len(run) >= _RUN:
                    found |= dict.fromkeys(run, step)
                run = run if holds else []
    return found


def _holds(one: Replay, beside: Replay) -> bool:
    """Whether a cell that is wrong holds what belongs in another one."""
    if one.replays is not False:
        return False
    value = one.claim.value
    if value is None or beside.computed is None:
        return value is None and beside.computed is None
    return any(subset == beside.claim.subset for subset, _ in one.found)


def claim_flags(replays: Replays) -> list[Flag]:
    """Return how many figures come out, and each that does not, with what it is if anything."""
    shifts = shift_of(replays.each)
    flags = []
    if replays.told:
        inferred = "none alone" if replays.inferred is None else replays.inferred.name
        flags.append(
            raised(
                "claims_replayed",
                replays.agreeing,
                of=len(replays.each),
                without_rows=replays.without_rows,
                convention=inferred,
                candidates=len(replays.fits),
            )
        )
    for one in replays.differing:
        claim = one.claim
        seen = list(dict.fromkeys(" ".join(filter(None, subset)) for subset, _ in one.found))
        told: dict[str, str | int | float] = {"by_chance": one.by_chance} if one.tried else {}
        if seen:
            told["is"] = "; ".join(seen[:_SHOWN])
            told["under"] = one.found[0][1]
        if claim in shifts:
            told["holds_line_below" if shifts[claim] > 0 else "holds_line_above"] = 1
        flags.append(
            raised(
                "claim_does_not_replay",
                1,
                systems=(claim.system,),
                figure=" ".join(filter(None, (claim.level, claim.name))),
                printed=claim.printed,
                computed="no rows" if one.computed is None else str(one.computed),
                **{name: text for name, text in _printed(claim).items() if text},
                **told,
            )
        )
    return flags


def _printed(claim: Claim) -> Mapping[str, str]:
    """Return how the figure stands where it was printed."""
    return {"label": claim.label, "where": claim.where}
