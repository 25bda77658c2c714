"""Printed figures, and whether the rows give them.

A figure that somebody prints is the share of right answers among some rows under some convention.
A convention that nobody wrote down is found by replay: of all candidates, the one under
which every figure comes out. A figure that comes out under none is laid beside every subset of the
same system's rows, so that one can say what it *is*; how many would fit by chance is told with it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import product
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.conventions import CONVENTIONS, Convention
from dokja.evidence.benchmarks.folding import folded
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.rows import Column, Rows

__all__ = [
    "OVERALL",
    "Claim",
    "Counts",
    "Replay",
    "Subset",
    "candidates",
    "counts_of",
    "infer_convention",
    "replay",
]

OVERALL = "overall"
_KEPT = (
    Outcome.NO_ANSWER,
    Outcome.TRUNCATED,
    Outcome.REFUSED,
    Outcome.FILTERED,
    Outcome.INFRASTRUCTURE_ERROR,
)
Subset = tuple[str, str]
"""A level, such as `category`, and a folded name of that level; empty for `overall`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A figure that somebody printed.

    Attributes:
        system: The label of the run that it is about; empty where there are no rows of it.
        level: `overall`, `category`, or the name of a clustering.
        name: Which category or cluster; empty for overall.
        printed: The figure in percent, as printed; `-` where the cell was left empty.
        label: The system as printed.
        where: In which table or text.
    """

    system: str
    level: str
    name: str
    printed: str
    label: str = ""
    where: str = ""

    @property
    def subset(self) -> Subset:
        """Which rows it is about."""
        return self.level, folded(self.name)

    @property
    def value(self) -> Decimal | None:
        """The figure; None where none was printed.

        Raises:
            ValueError: It is no figure.
        """
        if self.printed.strip() in {"", "-", "–"}:
            return None
        try:
            value = Decimal(self.printed.strip().removesuffix("%"))
        except InvalidOperation:
            raise ValueError(f"{self.printed!r} is no figure in percent") from None
        if not value.is_finite():
            raise ValueError(f"{self.printed!r} is no figure in percent")
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows of each outcome each system has in each subset.

    Attributes:
        systems: Labels.
        subsets: Places of the subsets in `rows`.
        rows: By code of the outcome, `missing` ones included; int64, shape
            `(systems, subsets, outcomes)`.
        points: Sums of graded scores; float64, `(systems, subsets)`.
    """

    systems: tuple[str, ...]
    subsets: Mapping[Subset, int]
    rows: NDArray[np.int64]
    points: NDArray[np.float64]

    def score(self, system: str, subset: Subset, convention: Convention) -> Fraction | None:
        """Return the share of points; None if there are no rows that count, or none at all.

        Raises:
            KeyError: There is no such system or subset.
        """
        place = self.systems.index(system) if system in self.systems else None
        if place is None:
            raise KeyError(system)
        counts = self.rows[place, self.subsets[subset]]
        points, total = Fraction(0), 0
        for outcome in Outcome:
            count = int(counts[outcome.code])
            if outcome is Outcome.SCORED:
                points += Fraction(float(self.points[place, self.subsets[subset]]))
                total += count
                continue
            worth = convention.worth[outcome]
            if not count or worth == "drop":
                continue
            if isinstance(worth, str):
                return None
            points += Fraction(worth) * count
            total += count
        return points / total if total else None


def counts_of(rows: Rows) -> Counts:
    """Return the rows counted: all of them, also those of systems that cannot be paired."""
    levels: dict[str, Column] = dict(rows.clusters)
    if rows.categories is not None:
        levels["category"] = rows.categories
    systems, outcomes = len(rows.systems.names), len(Outcome)
    subsets: dict[Subset, int] = {(OVERALL, ""): 0}
    parts = [(np.zeros(len(rows), dtype=np.int64), 1)]
    for level, column in sorted(levels.items()):
        one = column.renamed({name: folded(name) for name in column.names})
        start = len(subsets)
        subsets |= {(level, name): start + place for place, name in enumerate(one.names)}
        parts.append((start + one.codes.astype(np.int64), len(one.names)))
    size = (systems, len(subsets), outcomes)
    counted = np.zeros(size[0] * size[1] * size[2], dtype=np.int64)
    points = np.zeros(size[0] * size[1])
    for place, _ in parts:
        cells = rows.systems.codes.astype(np.int64) * size[1] + place
        counted += np.bincount(cells * outcomes + rows.outcomes, minlength=len(counted))
        if rows.scores is not None:
            weights = np.nan_to_num(rows.scores.astype(np.float64))
            points += np.bincount(cells, weights=weights, minlength=len(points))
    found = counted.reshape(size)
    most = found.sum(axis=2).max(axis=0)
    found[:, :, Outcome.MISSING.code] += most - found.sum(axis=2)
    return Counts(
        systems=rows.systems.names,
        subsets=MappingProxyType(subsets),
        rows=found,
        points=points.reshape(size[:2]),
    )


def candidates(counts: Counts) -> tuple[Convention, ...]:
    """Return every convention that drops some non-answers that occur and counts the others as 0.

    Those that come with Dokja and are among them keep their names.
    """
    occurring = [outcome for outcome in _KEPT if counts.rows[:, 0, outcome.code].any()]
    if counts.rows[:, 0, Outcome.MISSING.code].any():
        occurring.append(Outcome.MISSING)
    strict = CONVENTIONS["strict"]
    found = []
    for choice in product(("drop", 0.0), repeat=len(occurring)):
        chosen = dict(zip(occurring, choice, strict=True))
        name = _known(chosen) or "drop " + ", ".join(
            outcome.value for outcome, worth in chosen.items() if worth == "drop"
        )
        worth = MappingProxyType({**strict.worth, **chosen})
        found.append(Convention(name=name, worth=worth))  # type: ignore[arg-type]  # literals
    return tuple(found)


def _known(chosen: Mapping[Outcome, object]) -> str:
    """Return the name of a convention of Dokja's that says this of the outcomes that occur."""
    names = [
        name
        for name, convention in CONVENTIONS.items()
        if all(convention.worth[outcome] == worth for outcome, worth in chosen.items())
    ]
    return names[0] if names else ""


def _prints(score: Fraction | None, printed: Decimal) -> bool:
    """Whether a share in percent rounds, in either way at a half, to what was printed."""
    if score is None:
        return False
    exponent = printed.as_tuple().exponent
    unit = Fraction(10) ** int(exponent)
    return abs(100 * score - Fraction(printed)) <= unit / 2


def infer_convention(
    claims: Sequence[Claim], counts: Counts
) -> tuple[Mapping[str, int], int, tuple[Convention, ...]]:
    """Return how many claims each candidate replays, of how many, and who replays most.

    One convention replays most: it is inferred. Several: the claims do not tell them apart.
    """
    told = [claim for claim in claims if claim.system in counts.systems and claim.value is not None]
    tried = candidates(counts)
    fits = {
        convention.name: sum(_replays(claim, counts, convention) for claim in told)
        for convention in tried
    }
    best = max(fits.values())
    chosen = tuple(convention for convention in tried if fits[convention.name] == best)
    return MappingProxyType(fits), len(told), chosen


def _replays(claim: Claim, counts: Counts, convention: Convention) -> bool:
    value = claim.value
    if value is None or claim.subset not in counts.subsets:
        return False
    return _prints(counts.score(claim.system, claim.subset, convention), value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """What became of a claim.

    Attributes:
        claim: The claim.
        replays: Whether the rows give the figure; None where there are no rows of the system.
        computed: What they give in percent, to as many decimals; None if they give nothing.
        found: Subsets and conventions of the same system that do give the printed figure, those
            under the given convention first, of these the largest.
        tried: How many subsets and conventions were tried.
        by_chance: How many of these would be expected to fit a figure that has nothing to do with
            them, if what they give were spread evenly between their smallest and largest.
    """

    claim: Claim
    replays: bool | None
    computed: Decimal | None = None
    found: tuple[tuple[Subset, str], ...] = ()
    tried: int = 0
    by_chance: float = 0.0


def replay(claim: Claim, counts: Counts, convention: Convention) -> Replay:
    """Return whether a claim comes out under a convention, and if not, what it is.

    A cell that was left empty is right where there are no rows. A figure in a cell of which there
    are no rows does not replay.

    Raises:
        KeyError: The rows know no such category or cluster.
        ValueError: What was printed is no figure.
    """
    value = claim.value
    if claim.system not in counts.systems:
        return Replay(claim=claim, replays=None)
    score = counts.score(claim.system, claim.subset, convention)
    computed = _percent(score, value)
    if value is None:
        return Replay(claim=claim, replays=score is None, computed=computed)
    if _prints(score, value):
        return Replay(claim=claim, replays=True, computed=computed)
    shares = {
        (subset, each.name): counts.score(claim.system, subset, each)
        for each in (convention, *candidates(counts))
        for subset in counts.subsets
    }
    known = {key: share for key, share in shares.items() if share is not None}
    found = [key for key, share in known.items() if _prints(share, value)]
    place = counts.systems.index(claim.system)
    sizes = counts.rows[place].sum(axis=1)
    found.sort(key=lambda key: (key[1] != convention.name, -int(sizes[counts.subsets[key[0]]])))
    spread = max(known.values(), default=Fraction(1)) - min(known.values(), default=Fraction(0))
    unit = Fraction(10) ** int(value.as_tuple().exponent)
    different = len(set(known.values()))
    return Replay(
        claim=claim,
        replays=False,
        computed=computed,
        found=tuple(found),
        tried=different,
        by_chance=float(different * unit / (100 * spread)) if spread else 0.0,
    )


def _percent(score: Fraction | None, value: Decimal | None) -> Decimal | None:
    if score is None:
        return None
    decimals = 2 if value is None else -int(value.as_tuple().exponent)
    scaled = round(100 * score * Fraction(10) ** decimals)
    return Decimal(scaled).scaleb(-decimals)
