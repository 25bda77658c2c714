"""How far neurons' matchings agree, layer by layer, under each basis that may be the right one.

| branch | the basis comes from | survives |
|---|---|---|
| `coordinates` | nowhere: both sides as they are | re-ordered neurons, heads and experts |
| `embeddings` | rows of tokens that both models have | besides, a turned residual stream |
| `head` | rows of the head likewise | the same |
| `free` | the neurons of other layers | besides, replaced embeddings |

A basis never saw the layer that is tested with it (cross-fitting): embeddings are other tensors,
and the free basis is fitted without the tested layer and without its near-duplicates.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.folding import Block, Folded
from dokja.models.comparison import (
    Agreement,
    LayerSpace,
    LayerTable,
    agreement,
    free_basis,
    marks_of,
)

__all__ = [
    "BRANCHES",
    "AgreementTable",
    "Keep",
    "agree_freely",
    "agree_in_basis",
    "near_duplicates",
]

T = TypeVar("T")

BRANCHES = ("coordinates", "embeddings", "head", "free")
"""Every branch, the cheapest first."""

_TWINS = 0.3
"""Layers of one model that agree on so many neurons are near-duplicates; design note 4.8."""
_FOLDS = 3

Turn = NDArray[np.floating] | None


class Keep(Protocol):
    """Keeps what is made of one side alone, and is the same whoever it is laid beside."""

    def __call__(self, key: Hashable, make: Callable[[], T], /) -> T:
        """Return what was made under this key before, or make it."""


def _made(_: Hashable, make: Callable[[], T], /) -> T:
    """Keep nothing."""
    return make()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AgreementTable:
    """How far every layer of the suspect agrees with every layer of the reference.

    Attributes:
        branch: One of `BRANCHES`.
        shares: Share of neurons on which all matchings agree, shape `(suspect's layers,
            reference's)`, NaN where nothing could be compared.
        twos: Likewise, on which gate and up agree.
        best: For each pair of layers the blocks that agree most: (suspect's, reference's,
            agreement).
        blocks: For each pair of layers, each of the suspect's blocks with the reference's that
            it agrees with most, by name.
        turns: The basis that each layer of the suspect was tested with; none for the plain
            coordinates.
        basis: How good the basis is: mean cosine of held-out rows, or the free basis's quality.
        tests: How many pairs of blocks were matched.
    """

    branch: str
    shares: NDArray[np.float64]
    twos: NDArray[np.float64]
    best: Mapping[tuple[int, int], tuple[Block, Block, Agreement]]
    blocks: Mapping[tuple[int, int], tuple[tuple[str, str], ...]]
    turns: Mapping[int, Turn]
    basis: float | None
    tests: int

    def layer_table(self) -> LayerTable:
        """Return the shares as a table that layers are mapped by."""
        filled = np.isfinite(self.shares)
        return LayerTable(
            values=np.where(filled, self.shares, 0.0), filled=filled, roles=filled.astype(np.int64)
        )

    @property
    def largest(self) -> float:
        """The largest share of any pair of layers."""
        return float(np.nanmax(self.shares, initial=0.0))


def agree_in_basis(
    ours: Folded,
    theirs: Folded,
    *,
    branch: str,
    turn: Turn = None,
    basis: float | None = None,
) -> AgreementTable:
    """Return how far layers agree under one basis.

    Args:
        ours: The suspect's blocks.
        theirs: The reference's.
        branch: What the basis comes from.
        turn: Shape `(reference's width, suspect's width)`; none for the coordinates as they are.
        basis: How good it is.

    Raises:
        NotComparableError: There is no turn and the widths differ.
    """
    if turn is None and ours.width != theirs.width:
        raise NotComparableError(f"the widths {ours.width} and {theirs.width} differ")
    turns = dict.fromkeys(ours.layers, turn)
    return _table(ours, theirs, branch=branch, turns=turns, basis=basis)


def agree_freely(
    ours: Folded,
    theirs: Folded,
    *,
    progress: Callable[[int], None] | None = None,
    keep: tuple[Keep, Keep] = (_made, _made),
) -> AgreementTable:
    """Return how far layers agree under bases that are fitted to the other layers.

    Args:
        ours: The suspect's blocks.
        theirs: The reference's.
        progress: Told how many fits are done, after each.
        keep: For either side, keeps what is made of it alone.

    Raises:
        NotComparableError: No layer is left to fit a basis to, or none has an anchor.
    """
    if ours.sketched or theirs.sketched:
        raise NotComparableError("the component is too large to be held, and was sketched")
    groups = keep[0]("groups", lambda: near_duplicates(ours))
    if len(groups) < 2:  # noqa: PLR2004  # one to fit, one to test
        raise NotComparableError("all layers are near-duplicates: none is left to fit a basis to")
    folds = [groups[start::_FOLDS] for start in range(min(_FOLDS, len(groups)))]
    parent = [block.space for block in theirs.blocks]
    marks = keep[1]("marks", lambda: marks_of(parent))
    turns: dict[int, Turn] = {}
    qualities = []
    for done, fold in enumerate(folds, start=1):
        held_out = {layer for group in fold for layer in group}
        shown = [block.space for block in ours.blocks if block.layer not in held_out]
        own = keep[0](("marks", *sorted(held_out)), partial(marks_of, shown))
        found = free_basis(shown, parent, marks=marks, own=own)
        if progress is not None:
            progress(done)
        if found is not None:
            turns |= dict.fromkeys(held_out, found.turn)
            qualities.append(found.quality)
    if not qualities:
        raise NotComparableError("no two layers have neurons with signatures that are alike")
    quality = float(np.median(qualities))
    return _table(ours, theirs, branch="free", turns=turns, basis=quality)


def near_duplicates(folded: Folded) -> list[tuple[int, ...]]:
    """Return the component's layers in groups of near-duplicates, each layer in one group."""
    layers = folded.layers
    group = {layer: layer for layer in layers}
    for place, first in enumerate(layers):
        for second in layers[place + 1 :]:
            if group[first] == group[second] or not _twins(folded, first, second):
                continue
            old, new = group[second], group[first]
            group = {layer: new if held == old else held for layer, held in group.items()}
    return [
        tuple(layer for layer in layers if group[layer] == name)
        for name in sorted(set(group.values()))
    ]


def _twins(folded: Folded, first: int, second: int) -> bool:
    return any(
        _comparable(one.space, other.space)
        and agreement(one.space.units, other.space.units).share >= _TWINS
        for one in folded.of_layer(first)
        for other in folded.of_layer(second)
    )


def _comparable(one: LayerSpace, other: LayerSpace) -> bool:
    return one.units.gated == other.units.gated


def _table(
    ours: Folded,
    theirs: Folded,
    *,
    branch: str,
    turns: Mapping[int, Turn],
    basis: float | None,
) -> AgreementTable:
    shares = np.full((ours.depth, theirs.depth), np.nan)
    twos = shares.copy()
    best: dict[tuple[int, int], tuple[Block, Block, Agreement]] = {}
    blocks: dict[tuple[int, int], tuple[tuple[str, str], ...]] = {}
    tests = 0
    turned: dict[int, Sequence[Block]] = {}
    for i, turn in turns.items():
        key = id(turn)
        if key not in turned:
            turned[key] = theirs.blocks if turn is None else _turned(theirs.blocks, turn)
        for j in theirs.layers:
            found = _of_layers(ours.of_layer(i), [b for b in turned[key] if b.layer == j])
            tests += len(found)
            if not found:
                continue
            shares[i, j] = _over_blocks(found, lambda one: one.share)
            twos[i, j] = _over_blocks(found, lambda one: one.two / one.of)
            best[i, j] = max(found, key=lambda one: one[2].share)
            blocks[i, j] = _with_their_best(found)
    return AgreementTable(
        branch=branch,
        shares=shares,
        twos=twos,
        best=best,
        blocks=blocks,
        turns=turns,
        basis=basis,
        tests=tests,
    )


def _turned(blocks: Sequence[Block], turn: NDArray[np.floating]) -> list[Block]:
    """Return blocks in other coordinates; forms are not needed any more, and are left out."""
    return [
        Block(
            layer=block.layer,
            name=block.name,
            space=LayerSpace(units=block.space.units.turned(turn), forms={}),
        )
        for block in blocks
    ]


def _of_layers(
    ours: Sequence[Block], theirs: Sequence[Block]
) -> list[tuple[Block, Block, Agreement]]:
    return [
        (one, other, agreement(one.space.units, other.space.units))
        for one in ours
        for other in theirs
        if _comparable(one.space, other.space)
    ]


def _over_blocks(
    found: Sequence[tuple[Block, Block, Agreement]], value: Callable[[Agreement], float]
) -> float:
    """Return the mean over the suspect's blocks of the best that the reference has for each."""
    best: dict[str, float] = {}
    for one, _, held in found:
        best[one.name] = max(best.get(one.name, 0.0), value(held))
    return float(np.mean(list(best.values())))


def _with_their_best(
    found: Sequence[tuple[Block, Block, Agreement]],
) -> tuple[tuple[str, str], ...]:
    best: dict[str, tuple[float, str]] = {}
    for one, other, held in found:
        if held.share > best.get(one.name, (-1.0, ""))[0]:
            best[one.name] = (held.share, other.name)
    return tuple((name, other) for name, (_, other) in best.items())
