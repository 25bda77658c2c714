"""The change of coordinates between two models, found without any rows known to go together.

For models whose embeddings were replaced, and for encoders. A pair of layers is an *anchor*:
neurons whose signatures are each other's nearest give a first turn, which is bettered by turns:
match the neurons under it, fit it anew to the better half. The best anchors are then fitted to
all layers at once. Whoever tests a layer with the result must not have shown that layer here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.models.comparison.bases import polar
from dokja.models.comparison.matching import stable_matching
from dokja.models.comparison.signatures import LayerSpace, mean_forms, signatures
from dokja.models.comparison.units import Units

__all__ = ["FreeBasis", "free_basis", "marks_of"]

_LEAST_PAIRS, _FEWEST_PAIRS = 24, 12
"""An anchor takes so many pairs where it can, and is none with fewer than the second."""

_PROMISING, _REFINED = 6, 2
"""So many anchors are fitted to the end, and so many of these to all layers."""
_FIRST_ROUNDS, _ROUNDS, _REFINING = 2, 10, 3


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FreeBasis:
    """A turn that was found from the neurons alone.

    Attributes:
        turn: Shape `(parent's width, child's width)`.
        quality: Mean over the child's layers of the median score of matched neurons, each score
            cos(gate) + |cos(up)| + |cos(down)|, at most 3 (2 without gates). In sample: it says
            which anchor is best, not whether there is a relation.
    """

    turn: NDArray[np.float64]
    quality: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Fit:
    turn: NDArray[np.float64]
    quality: float
    matching: NDArray[np.int64]
    scores: NDArray[np.float64]
    settled: bool = False


def free_basis(
    child: Sequence[LayerSpace],
    parent: Sequence[LayerSpace],
    *,
    marks: Sequence[NDArray[np.float32]] | None = None,
    own: Sequence[NDArray[np.float32]] | None = None,
) -> FreeBasis | None:
    """Return the turn under which the layers' neurons go together best.

    Args:
        child: Layers that may be used; those that are tested with the result are not among them.
        parent: All of the parent's that are laid beside them.
        marks: The parent's signatures under its own mean forms, where they are known already.
        own: The child's likewise.

    Returns:
        The turn; none where no pair of layers has an anchor.
    """
    ours = marks_of(child) if own is None else own
    theirs = marks_of(parent) if marks is None else marks
    began = []
    for i, first in enumerate(ours):
        for j, second in enumerate(theirs):
            if first.shape[1] != second.shape[1]:
                continue
            fit = _anchor(child[i].units, parent[j].units, first, second)
            if fit is not None:
                began.append((fit.quality, i, j, fit))
    began.sort(key=lambda one: (-one[0], one[1], one[2]))
    fitted = [
        _rounds(child[i].units, parent[j].units, fit, _ROUNDS)
        for _, i, j, fit in began[:_PROMISING]
    ]
    fitted.sort(key=lambda fit: -fit.quality)
    found = [_refined(child, parent, fit) for fit in fitted[:_REFINED]]
    return max(found, key=lambda one: one.quality, default=None)


def marks_of(layers: Sequence[LayerSpace]) -> list[NDArray[np.float32]]:
    """Return each layer's signatures under the mean forms of all of them."""
    mean = mean_forms(layers)
    return [signatures(layer, mean) for layer in layers]


def _anchor(
    child: Units, parent: Units, ours: NDArray[np.float32], theirs: NDArray[np.float32]
) -> _Fit | None:
    """Return a first turn from neurons whose signatures are each other's nearest."""
    near = ours @ theirs.T
    near *= -2
    near += np.square(ours).sum(axis=1)[:, None] + np.square(theirs).sum(axis=1)[None, :]
    best = near.argmin(axis=1)
    mutual = np.flatnonzero(near.argmin(axis=0)[best] == np.arange(len(best)))
    order = mutual[np.argsort(near[mutual, best[mutual]], kind="stable")]
    nearest = order[: max(_LEAST_PAIRS, len(order) // 3)]
    if len(nearest) < min(_FEWEST_PAIRS, len(child), len(parent)):
        return None
    # Only gate rows keep their sign under every re-expression; without gates all vectors do.
    rows = (child.up, parent.up) if child.gate is None else (child.gate, parent.gate)
    turn = polar(rows[1][best[nearest]].T @ rows[0][nearest])  # type: ignore[index]  # both gated
    return _rounds(child, parent, _scored(child, parent, turn), _FIRST_ROUNDS)


def _scored(child: Units, parent: Units, turn: NDArray[np.float64]) -> _Fit:
    """Match the neurons under a turn."""
    return _matched(_pair_scores(child, parent.turned(turn)), turn)


def _matched(scores: NDArray[np.float32], turn: NDArray[np.float64]) -> _Fit:
    matching = stable_matching(scores)
    rows = np.flatnonzero(matching >= 0)
    values = np.full(len(matching), -np.inf)
    values[rows] = scores[rows, matching[rows]]
    return _Fit(turn=turn, quality=float(np.median(values[rows])), matching=matching, scores=values)


def _pair_scores(child: Units, turned: Units) -> NDArray[np.float32]:
    scores, downs = child.up @ turned.up.T, child.down @ turned.down.T
    if child.gate is None or turned.gate is None:
        scores += downs
        return scores
    np.abs(scores, out=scores)
    scores += np.abs(downs, out=downs)
    scores += child.gate @ turned.gate.T
    return scores


def _rounds(child: Units, parent: Units, fit: _Fit, rounds: int) -> _Fit:
    """Better a turn on one pair of layers until it stops getting better, and is settled."""
    if fit.settled:
        return fit
    for _ in range(rounds):
        new = _scored(child, parent, polar(_product(child, parent, fit)))
        if new.quality <= fit.quality + 1e-6:
            better = max(new, fit, key=lambda one: one.quality)
            return better if better is new else replace(fit, settled=True)
        fit = new
    return fit


def _product(child: Units, parent: Units, fit: _Fit) -> NDArray[np.float64]:
    """Return Σ parentᵀ child over the better half of the matched neurons' vectors."""
    rows = np.flatnonzero(fit.scores >= np.median(fit.scores[fit.matching >= 0]))
    columns = fit.matching[rows]
    total = np.zeros(fit.turn.shape)
    turn = fit.turn.astype(np.float32)
    for ours, theirs, signed in (
        (child.gate, parent.gate, True),
        (child.up, parent.up, child.gate is None),
        (child.down, parent.down, child.gate is None),
    ):
        if ours is None or theirs is None:
            continue
        mine, other = ours[rows], theirs[columns]
        if not signed:
            sign = np.sign(np.einsum("nd,nd->n", mine, other @ turn))
            mine = mine * sign[:, None]
        total += other.T.astype(np.float64) @ mine
    return total


def _refined(child: Sequence[LayerSpace], parent: Sequence[LayerSpace], fit: _Fit) -> FreeBasis:
    """Fit a turn to all layers, each of the child's beside its best one of the parent's."""
    found = FreeBasis(turn=fit.turn, quality=-np.inf)
    turn = fit.turn
    for left in reversed(range(_REFINING)):
        turned = [layer.units.turned(turn) for layer in parent]
        total = np.zeros(turn.shape)
        qualities = []
        for layer in child:
            nearest = _nearest(layer.units, turned)
            if nearest is None:
                continue
            scores, j = nearest
            best = _matched(scores, turn)
            qualities.append(best.quality)
            if left:  # nobody asks for a turn after the last round
                total += _product(layer.units, parent[j].units, best)
        quality = float(np.mean(qualities))
        if quality > found.quality:
            found = FreeBasis(turn=turn, quality=quality)
        if left:
            turn = polar(total)
    return found


def _nearest(child: Units, turned: Sequence[Units]) -> tuple[NDArray[np.float32], int] | None:
    """Return which layer's neurons lie nearest, without matching one to one, and all scores."""
    best: tuple[float, int, NDArray[np.float32]] | None = None
    for j, other in enumerate(turned):
        if other.gated == child.gated:
            scores = _pair_scores(child, other)
            near = float(np.median(scores.max(axis=1)))
            if best is None or near >= best[0]:
                best = near, j, scores
    return None if best is None else (best[2], best[1])
