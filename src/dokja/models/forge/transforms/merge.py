"""Merges models of one structure: linear, slerp, TIES and DARE, in our own code.

Each works tensor by tensor in float64 with element-wise arithmetic only, so that a merge made
again elsewhere has the same bytes. Coefficients that need a sine are rounded to float32 first,
because the last bit of a sine is the machine's.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.transforms.draws import kept as drawn
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse
from dokja.models.forge.transforms.sums import steady_dot
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan
from dokja.values import Json

__all__ = [
    "dare",
    "linear",
    "merge_dare",
    "merge_linear",
    "merge_slerp",
    "merge_ties",
    "slerp",
    "ties",
    "trimmed",
]

Array = NDArray[Any]
Doubles = NDArray[np.float64]

_NEARLY_PARALLEL = 0.9995


def linear(tensors: Sequence[Array], *, weights: Sequence[float]) -> Array:
    """Return the weighted sum of arrays of one shape, as float32.

    Example:
        >>> linear([np.ones(2), np.zeros(2)], weights=[0.25, 0.75]).tolist()
        [0.25, 0.25]
    """
    total: Doubles = np.zeros(tensors[0].shape, dtype=np.float64)
    for tensor, weight in zip(tensors, weights, strict=True):
        total += weight * tensor.astype(np.float64)
    return total.astype(np.float32)


def slerp(one: Array, other: Array, *, share: float) -> Array:
    """Return the point on the arc between two tensors, taken as vectors (Shoemake 1985).

    sin((1 - t) w) / sin(w) of the first and sin(t w) / sin(w) of the other, w the angle between
    them; a straight line where they are nearly parallel or one of them is zero.

    Args:
        one: Where t is 0.
        other: Where t is 1; the same shape.
        share: t.

    Example:
        >>> slerp(np.array([1.0, 0.0]), np.array([0.0, 1.0]), share=0.5).round(4).tolist()
        [0.707099974155426, 0.707099974155426]
    """
    norms = math.sqrt(steady_dot(one, one)) * math.sqrt(steady_dot(other, other))
    cosine = steady_dot(one, other) / norms if norms else 1.0
    weights = [1 - share, share]
    if abs(cosine) <= _NEARLY_PARALLEL:
        angle = math.acos(cosine)
        weights = [math.sin((1 - share) * angle), math.sin(share * angle)]
        weights = [float(np.float32(weight / math.sin(angle))) for weight in weights]
    return linear([one, other], weights=weights)


def trimmed(change: Array, *, density: float) -> Array:
    """Return a change of which only the largest values are left, the others zero.

    Args:
        change: Any shape.
        density: Share that is kept, rounded up to whole values. Of equal values at the edge the
            first in C order are kept.

    Example:
        >>> trimmed(np.array([1.0, -3.0, 2.0, 0.5]), density=0.5).tolist()
        [0.0, -3.0, 2.0, 0.0]
    """
    count = math.ceil(density * change.size)
    flat = change.ravel()
    sizes = np.abs(flat)
    if count >= flat.size:
        return change
    edge = np.partition(sizes, flat.size - count)[flat.size - count] if count else np.inf
    keeps = sizes > edge
    at_edge = np.flatnonzero(sizes == edge)
    keeps[at_edge[: count - int(keeps.sum())]] = True
    return np.where(keeps, flat, 0).reshape(change.shape)


def ties(
    base: Array, tuned: Sequence[Array], *, weights: Sequence[float], density: float, scale: float
) -> Array:
    """Return the TIES merge of one tensor (arXiv 2306.01708, algorithm 1), as float32.

    Changes are trimmed; the sign with the larger weighted sum is elected for each value; the
    weighted mean of the changes that agree with it is added to the base, times a scale.

    Args:
        base: What all were tuned from.
        tuned: The tuned tensors.
        weights: One for each; equal weights are the paper's.
        density: Share of each change that is kept.
        scale: lambda of the paper.
    """
    start = base.astype(np.float64)
    changes = [trimmed(one.astype(np.float64) - start, density=density) for one in tuned]
    total = sum(weight * change for weight, change in zip(weights, changes, strict=True))
    elected = np.sign(total)
    summed = np.zeros_like(start)
    shares = np.zeros_like(start)
    for weight, change in zip(weights, changes, strict=True):
        agrees = (np.sign(change) == elected) & (change != 0)
        summed += np.where(agrees, weight * change, 0)
        shares += np.where(agrees, weight, 0)
    mean = np.divide(summed, shares, out=np.zeros_like(summed), where=shares != 0)
    merged: Array = (start + scale * mean).astype(np.float32)
    return merged


def dare(
    base: Array,
    tuned: Sequence[Array],
    *,
    weights: Sequence[float],
    keeps: Sequence[Array],
    density: float,
) -> Array:
    """Return the DARE merge of one tensor (arXiv 2311.03099, section 3), as float32.

    Of each change a random share is dropped and the rest is divided by the share that is kept;
    the weighted sum is added to the base.

    Args:
        base: What all were tuned from.
        tuned: The tuned tensors.
        weights: One for each.
        keeps: For each, which values of its change are kept.
        density: Share that is kept.
    """
    total: Doubles = base.astype(np.float64)
    start = total.copy()
    for one, weight, keep in zip(tuned, weights, keeps, strict=True):
        total += np.where(keep, weight * (one.astype(np.float64) - start) / density, 0)
    return total.astype(np.float32)


def merge_linear(
    models: Sequence[Model], *, weights: Sequence[float], normalise: bool = True
) -> Transformed:
    """Return the weighted mean of models, or their weighted sum.

    Args:
        models: Two or more of one structure.
        weights: One for each.
        normalise: Divide the weights by their sum.

    Raises:
        TransformError: The models do not fit each other or the weights.
    """
    refuse([*_unlike(models), *_weight_mistakes(weights, len(models), positive_sum=normalise)])
    used = [weight / sum(weights) for weight in weights] if normalise else list(weights)
    return _merged(
        models,
        make=lambda name: linear([one.tensors.read(name) for one in models], weights=used),
        parameters={"method": "linear", "weights": list(weights), "normalise": normalise},
    )


def merge_slerp(models: Sequence[Model], *, share: float) -> Transformed:
    """Return the models' point on the arc between each two of their tensors; see `slerp`.

    Args:
        models: Two of one structure.
        share: 0 for the first, 1 for the second.

    Raises:
        TransformError: There are not two, or they do not fit each other.
    """
    mistakes = list(_unlike(models))
    if len(models) != 2:  # noqa: PLR2004  # an arc has two ends
        mistakes.append(
            Mistake(
                file="merge", place="with", read=f"{len(models)} models", expected="two for slerp"
            )
        )
    refuse(mistakes)
    one, other = models
    return _merged(
        models,
        make=lambda name: slerp(one.tensors.read(name), other.tensors.read(name), share=share),
        parameters={"method": "slerp", "share": share},
    )


def merge_ties(
    base: Model,
    tuned: Sequence[Model],
    *,
    weights: Sequence[float],
    density: float,
    scale: float = 1.0,
) -> Transformed:
    """Return the TIES merge of models that were tuned from one base; see `ties`.

    Raises:
        TransformError: The models do not fit each other or the weights.
    """
    models = [base, *tuned]
    refuse([*_unlike(models), *_weight_mistakes(weights, len(tuned), positive_sum=False)])
    return _merged(
        models,
        make=lambda name: ties(
            base.tensors.read(name),
            [one.tensors.read(name) for one in tuned],
            weights=weights,
            density=density,
            scale=scale,
        ),
        parameters={
            "method": "ties",
            "weights": list(weights),
            "density": density,
            "scale": scale,
        },
    )


def merge_dare(
    base: Model, tuned: Sequence[Model], *, weights: Sequence[float], density: float, seed: bytes
) -> Transformed:
    """Return the DARE merge of models that were tuned from one base; see `dare`.

    Args:
        base: What all were tuned from.
        tuned: The tuned models.
        weights: One for each.
        density: Share of each change that is kept, in (0, 1], rounded to 2**-16.
        seed: Which values are kept, tensor by tensor.

    Raises:
        TransformError: The models do not fit each other or the weights.
    """
    models = [base, *tuned]
    refuse([*_unlike(models), *_weight_mistakes(weights, len(tuned), positive_sum=False)])

    def make(name: str) -> Array:
        start = base.tensors.read(name)
        keeps = [
            drawn(seed, f"dare/{at}/{name}", count=start.size, share=density).reshape(start.shape)
            for at in range(len(tuned))
        ]
        return dare(
            start,
            [one.tensors.read(name) for one in tuned],
            weights=weights,
            keeps=keeps,
            density=density,
        )

    return _merged(
        models,
        make=make,
        parameters={
            "method": "dare",
            "weights": list(weights),
            "density": density,
            "seed": seed.hex(),
        },
    )


def _merged(
    models: Sequence[Model], *, make: Callable[[str], Array], parameters: dict[str, Json]
) -> Transformed:
    first = models[0]
    return Transformed(
        tensors=Derived(
            {
                name: Plan(shape=first.tensors.shape(name), dtype=FLOAT32, make=partial(make, name))
                for name in first.tensors.names
            }
        ),
        structure=first.structure,
        record=TransformRecord(
            kind="merge", parameters=parameters, parents=tuple(one.name for one in models)
        ),
    )


def _unlike(models: Sequence[Model]) -> Iterator[Mistake]:
    """Find everything in which the other models differ from the first."""
    first, *others = models
    if not others:
        yield Mistake(file="merge", place="with", read="one model", expected="at least two")
    for other in others:
        for name in sorted(set(first.tensors.names) ^ set(other.tensors.names)):
            has = name in other.tensors.names
            yield Mistake(
                file=other.name,
                place=f"tensor {name}",
                read="a tensor that the first has not" if has else "nothing",
                expected=f"the tensors of {first.name}",
            )
        for name in sorted(set(first.tensors.names) & set(other.tensors.names)):
            if first.tensors.shape(name) != other.tensors.shape(name):
                yield Mistake(
                    file=other.name,
                    place=f"tensor {name}",
                    read=f"shape {other.tensors.shape(name)}",
                    expected=f"shape {first.tensors.shape(name)}, as in {first.name}",
                )


def _weight_mistakes(
    weights: Sequence[float], count: int, *, positive_sum: bool
) -> Iterator[Mistake]:
    if len(weights) != count or (positive_sum and sum(weights) <= 0):
        yield Mistake(
            file="merge",
            place="weights",
            read=str(list(weights)),
            expected=f"{count} numbers" + (" whose sum is positive" if positive_sum else ""),
        )
