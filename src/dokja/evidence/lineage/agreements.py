"""What the agreement of matchings says of two components, branch by branch, beside its controls.

A branch finds a relation when neurons agree throughout the interior of the suspect: the median,
over interior layers, of the largest share that any layer of the reference agrees on. Layers next
to embedding and head never carry it alone: strangers that were trained on the same text come to
resemble each other there. The same reading of the reference with every layer turned by a turn of
its own, which leaves no relation, must find nothing; the reference mixed with independent noise
says how strong a relation would have been found.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Body, Cell, Norm
from dokja.evidence.lineage.branches import AgreementTable, agree_freely, agree_in_basis
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.folding import Block, Folded, fold_rows
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.remembering import remembered
from dokja.models.comparison import (
    Basis,
    LayerSpace,
    Units,
    agreement,
    basis_of_rows,
    polar,
)
from dokja.models.weights import Source
from dokja.values import Digest

__all__ = [
    "BranchReading",
    "Side",
    "interior",
    "read_branches",
    "smallest_agreeing",
    "turned_control",
]

T = TypeVar("T")

_LEAST_LAYERS = 3
_LEVELS = (0.9, 0.6, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One component of one model, folded.

    Attributes:
        source: The opened weights.
        body: The component.
        folded: Its blocks in canonical form; some of them, sketched, where it is large.
        seed: Of the comparison; draws what is drawn of this side alone.
        anew: Sketches it once more through other axes; none where it is held.
        sketched_by: The axes that it was sketched through, shape `(width, axes)`; none likewise.
    """

    source: Source
    body: Body
    folded: Folded
    seed: int
    anew: Callable[[NDArray[np.floating]], Folded] | None = None
    sketched_by: NDArray[np.floating] | None = None

    @property
    def digest(self) -> Digest:
        """Names the body: which tensors it is made of, and how."""
        return Digest.of(repr(self.body).encode())

    def keep(self, key: Hashable, make: Callable[[], T], /) -> T:
        """Return what was made of this side before, or make it; a sketch is made for each pair."""
        if self.folded.sketched:
            return make()
        return remembered(self.source, (self.digest, key), make)

    def stream(self, name: str) -> np.random.Generator:
        """Return a stream for what is drawn of this side alone, whoever it is laid beside."""
        return np.random.default_rng([self.seed, *f"{name} {self.body.component}".encode()])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BranchReading:
    """What one branch says.

    Attributes:
        branch: One of `branches.BRANCHES`.
        table: How far layers agree; none where the branch could not run.
        missing: Why it could not; empty where it did.
        share: Median over interior layers of the largest share, in [0, 1]; none likewise.
        log10_p: Bound of the chance of the interior's agreements, all pairs of layers counted,
            by averaged e-values; approximate. None likewise.
        null: Largest share anywhere, of the reference with its layers turned apart.
        found: Whether the interior agrees by the plan's rule.
    """

    branch: str
    table: AgreementTable | None = None
    missing: str = ""
    share: float | None = None
    log10_p: float | None = None
    null: float | None = None
    found: bool = False


def interior(depth: int) -> range:
    """Return the layers that may carry a finding: without the first and last twelfth.

    Example:
        >>> interior(4), interior(48)
        (range(1, 3), range(4, 44))
    """
    edge = max(1, depth // 12)
    return range(edge, depth - edge)


def read_branches(
    ours: Side,
    theirs: Side,
    *,
    plan: Plan,
    rng: np.random.Generator,
    thorough: bool = False,
    progress: Callable[[str], None] | None = None,
) -> tuple[BranchReading, ...]:
    """Return what every branch says, the cheapest first.

    Args:
        ours: The suspect's component.
        theirs: The reference's.
        plan: From when on an agreement counts.
        rng: Draws the halves of shared rows.
        thorough: Run every branch; else stop at the first that finds a relation.
        progress: Told each branch's name before it runs.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    found: list[BranchReading] = []
    null = theirs.keep(
        ("turned", theirs.seed),
        lambda: turned_control(theirs.folded, rng=theirs.stream("turned")),
    )
    runs: tuple[tuple[str, Callable[[], AgreementTable]], ...] = (
        ("coordinates", lambda: _in_place(ours, theirs)),
        ("embeddings", lambda: _by_rows(ours, theirs, branch="embeddings", plan=plan, rng=rng)),
        ("head", lambda: _by_rows(ours, theirs, branch="head", plan=plan, rng=rng)),
        ("free", lambda: agree_freely(ours.folded, theirs.folded, keep=(ours.keep, theirs.keep))),
    )
    for branch, run in runs:
        if progress is not None:
            progress(branch)
        try:
            reading = _reading(run(), plan=plan, null=null)
        except NotComparableError as error:
            reading = BranchReading(branch=branch, missing=str(error))
        found.append(reading)
        if reading.found and not thorough:
            break
    return tuple(found)


def _in_place(ours: Side, theirs: Side) -> AgreementTable:
    if ours.body.width != theirs.body.width:
        widths = f"{ours.body.width} and {theirs.body.width}"
        raise NotComparableError(f"the widths {widths} differ")
    return agree_in_basis(ours.folded, theirs.folded, branch="coordinates")


def _reading(table: AgreementTable, *, plan: Plan, null: float) -> BranchReading:
    inner = interior(len(table.shares))
    if len(table.shares) < _LEAST_LAYERS:
        raise NotComparableError(
            f"{len(table.shares)} layers have no interior, and the outermost carry no finding"
        )
    rows = [table.shares[i] for i in inner if np.isfinite(table.shares[i]).any()]
    if not rows:
        raise NotComparableError("no interior layer has a block that the reference has a like of")
    share = float(np.median([np.nanmax(row) for row in rows]))
    reading = BranchReading(
        branch=table.branch,
        table=table,
        share=share,
        log10_p=_chance(table, inner),
        null=null,
    )
    enough = share >= plan.agreement_floor and share >= plan.agreement_factor * null
    return replace(reading, found=enough)


def _chance(table: AgreementTable, inner: Sequence[int]) -> float:
    """Return log₁₀ p over interior layers: e = ½p^(−½) is averaged, valid under dependence."""
    logs = []
    for i in inner:
        held = [one[2] for pair, one in table.best.items() if pair[0] == i]
        if held:
            best = min(one.log10_p for one in held)
            logs.append(min(0.0, best + math.log10(len(held))))
    if not logs:
        return 0.0
    exponents = np.array([-one / 2 - math.log10(2) for one in logs])  # log₁₀ of each e
    top = float(exponents.max())
    mean = top + math.log10(float(np.mean(np.power(10.0, exponents - top))))
    return min(0.0, -mean)


def _by_rows(
    ours: Side, theirs: Side, *, branch: str, plan: Plan, rng: np.random.Generator
) -> AgreementTable:
    """Return the agreement under the turn that rows of shared tokens show."""
    cells = [_cell(side.body, branch) for side in (ours, theirs)]
    widest = max(ours.body.width, theirs.body.width)
    if widest > plan.widest_turn:
        most = plan.widest_turn
        raise NotComparableError(f"a turn of width {widest} is not computed; the limit is {most}")
    if cells[0] is None or cells[1] is None:
        raise NotComparableError(f"one side has no {branch}")
    rows = _shared_rows(ours, theirs, (cells[0], cells[1]), rng=rng)
    values = []
    for side, cell, which in zip((ours, theirs), cells, rows, strict=True):
        norm = side.body.final_norm if branch == "head" else None
        values.append(_rows(side, cell, norm=norm, which=which))  # type: ignore[arg-type]  # both are there
    known = _trained(values[0]) & _trained(values[1])
    basis: Basis = basis_of_rows(values[0][known], values[1][known], rng=rng)
    if theirs.anew is None or ours.sketched_by is None:
        return agree_in_basis(
            ours.folded, theirs.folded, branch=branch, turn=basis.turn, basis=basis.likeness
        )
    turned = theirs.anew(basis.turn @ ours.sketched_by)
    table = agree_in_basis(ours.folded, turned, branch=branch, basis=basis.likeness)
    return replace(table, turns=dict.fromkeys(table.turns, basis.turn))


def _cell(body: Body, branch: str) -> Cell | None:
    return body.embedding if branch == "embeddings" else body.head


def _rows(
    side: Side, cell: Cell, *, norm: Norm | None, which: NDArray[np.int64]
) -> NDArray[np.float32]:
    order = np.argsort(which, kind="stable")
    values = np.empty((len(which), cell.residual), dtype=np.float32)
    values[order] = fold_rows(side.source, side.body, cell, norm=norm, rows=which[order])
    return values


def _trained(rows: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Tell which rows are long enough to have been trained, and finite."""
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1)
    return np.asarray(np.isfinite(lengths) & (lengths > 0.1 * np.median(lengths)))


def _shared_rows(
    ours: Side, theirs: Side, cells: tuple[Cell, Cell], *, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows of tokens that both models have, paired by the tokens' text."""
    widest = max(cell.residual for cell in cells)
    texts = [side.source.token_rows() for side in (ours, theirs)]
    if texts[0] is None or texts[1] is None:
        raise NotComparableError("a model has no tokenizer, so that rows cannot be paired by text")
    shared = sorted(
        token
        for token, row in texts[0].items()
        if row < cells[0].units and texts[1].get(token, cells[1].units) < cells[1].units
    )
    if len(shared) < 2 * widest:
        raise NotComparableError(f"{len(shared)} shared tokens; a turn needs {2 * widest}")
    if len(shared) > 8 * widest:
        picked = np.sort(rng.choice(len(shared), size=8 * widest, replace=False))
        shared = [shared[i] for i in picked]
    found = [np.array([rows[token] for token in shared], dtype=np.int64) for rows in texts]  # type: ignore[index]  # both are there
    return found[0], found[1]


def turned_control(theirs: Folded, *, rng: np.random.Generator) -> float:
    """Return the largest share where no relation is: each layer turned by a turn of its own.

    The blocks keep their lengths, spectra and angles. What convergent training does to strangers
    it cannot show; only a third model can.
    """
    blocks = []
    for layer in theirs.layers:
        turn = polar(rng.standard_normal((theirs.width, theirs.width)))
        blocks += [
            Block(
                layer=layer,
                name=block.name,
                space=LayerSpace(units=block.space.units.turned(turn), forms={}),
            )
            for block in theirs.of_layer(layer)
        ]
    shares = [
        agreement(one.space.units, other.space.units).share
        for one in blocks
        for other in theirs.blocks
        if one.space.units.gated == other.space.units.gated
    ]
    return max(shares, default=0.0)


def smallest_agreeing(
    theirs: Folded, *, plan: Plan, rng: np.random.Generator, draws: int = 10
) -> tuple[float | None, tuple[ControlReading, ...]]:
    """Return how strong a relation has to be to be found, and the controls that show it.

    Every vector of the reference is mixed with independent noise to a correlation r, neurons in
    random order, and read in the right basis. Noise is not training, so it is stated as noise.

    Returns:
        The smallest of 0.9, 0.6, 0.4, 0.3, 0.2, 0.1 that was found in nine of ten draws; none
        where even the largest was not.
    """
    smallest: float | None = None
    controls = []
    for correlation in _LEVELS:
        shares = [_noisy_share(theirs, correlation, rng=rng) for _ in range(draws)]
        found = sum(share >= plan.agreement_floor for share in shares)
        controls.append(
            ControlReading(
                kind="derived",
                name=f"agreement-with-noise-{correlation:g}",
                value=float(np.median(shares)),
                found=found >= math.ceil(0.9 * draws),
                measure="agreement",
            )
        )
        if not controls[-1].found:
            break
        smallest = correlation
    return smallest, tuple(controls)


def _noisy_share(theirs: Folded, correlation: float, *, rng: np.random.Generator) -> float:
    inner = set(interior(theirs.depth))
    shares: dict[int, float] = {}
    for block in theirs.blocks:
        if block.layer in inner:
            units = block.space.units
            noisy = _noisy(units, correlation, rng=rng).chosen(rng.permutation(len(units)))
            found = agreement(noisy, units).share
            shares[block.layer] = max(found, shares.get(block.layer, 0.0))
    return float(np.median(list(shares.values()))) if shares else 0.0


def _noisy(units: Units, correlation: float, *, rng: np.random.Generator) -> Units:
    def mixed(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        noise = rng.standard_normal(rows.shape, dtype=np.float32)
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        both = correlation * rows + math.sqrt(1 - correlation**2) * noise
        return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True), dtype=np.float32)

    return replace(
        units,
        gate=None if units.gate is None else mixed(units.gate),
        up=mixed(units.up),
        down=mixed(units.down),
    )
