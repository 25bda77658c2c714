"""How far AdamW can carry a weight in some steps, whatever the gradients were.

From Cauchy and Schwarz: the first moment is a weighted sum of gradients, the second one of their
squares, so that the ratio of the two, and with it every update, has a bound that only the betas
and the step decide. A coordinate that went further was not carried there by AdamW. With
r = b1^2 / b2,

    c_t = (1-b1)/(1-b1^t) * sqrt((1-b2^t)/(1-b2) * (1-r^t)/(1-r))
    |W_b - D W_a| <= sum over t of lr_t c_t,   D = product of (1 - lr_t wd)

for the steps t after state a up to state b, counted from the training's beginning. Nothing but
two states and the learning rates is needed, no state of the optimizer. It becomes blind where the
sum nears the size of the weights. It holds for AdamW (arXiv 1711.05101) with decoupled decay on
float32 masters; for other optimizers it says nothing.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import starmap

import numpy as np
from numpy.typing import NDArray

from dokja.models.weights import Source

__all__ = ["Path", "Reach", "path_bound", "reaches", "step_bounds", "tensor_reach"]

SLACK = 1e-3
"""Relative; real runs reach 0.96 to 1.00 of the bound."""
PIECE_BYTES = 1 << 20
_HALF_ULP = 2.0**-23


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """What AdamW can do between two states.

    Attributes:
        limit: Most that a coordinate moves beyond its decay.
        decay: By how much a decaying coordinate shrinks.
        steps: How many updates lie between.
    """

    limit: float
    decay: float
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far one tensor went.

    Attributes:
        name: The tensor.
        far: Largest |W_b - D W_a| of its coordinates; infinite where a value is no number.
        large: Largest absolute value after.
        squares: Sum of squares before.
        values: How many coordinates.
    """

    name: str
    far: float
    large: float
    squares: float
    values: int

    def beyond(self, path: Path) -> bool:
        """Tell whether it went further than AdamW and float32 rounding can carry it."""
        rounding = path.steps * _HALF_ULP * self.large
        within = self.far <= path.limit * (1.0 + SLACK) + rounding
        return not (math.isfinite(self.far) and within)


def step_bounds(betas: Sequence[float], steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return c_t, the bound of an update in units of the learning rate.

    Args:
        betas: Of the first and the second moment, in [0, 1).
        steps: Updates since the training's beginning, from 1.

    Example:
        >>> step_bounds((0.9, 0.95), np.array([1, 10, 1000])).round(3).tolist()
        [1.0, 1.011, 1.165]
    """
    one, two = betas
    t = steps.astype(np.float64)
    ratio = one * one / two
    geometric = t if ratio == 1.0 else (1.0 - ratio**t) / (1.0 - ratio)
    return (1.0 - one) / (1.0 - one**t) * np.sqrt((1.0 - two**t) / (1.0 - two) * geometric)


def path_bound(
    rates: NDArray[np.float64], steps: NDArray[np.int64], *, betas: Sequence[float], decay: float
) -> Path:
    """Return what AdamW can do in some steps.

    Args:
        rates: Learning rate of each step.
        steps: The steps, counted from 1 at the training's beginning.
        betas: Of the moments.
        decay: Weight decay of the group.
    """
    return Path(
        limit=float((rates * step_bounds(betas, steps)).sum()),
        decay=float(np.prod(1.0 - rates * decay)),
        steps=len(steps),
    )


def tensor_reach(before: Source, after: Source, name: str, *, decay: float) -> Reach:
    """Return how far a tensor went between two states, read piece by piece.

    Args:
        before: Weights of the earlier state; the tensor is float32 in both.
        after: Of the later one.
        name: The tensor.
        decay: By how much it shrank.

    Raises:
        WeightsError: A file changed while it was read.
    """
    far, large, squares, values = 0.0, 0.0, 0.0, 0
    room = np.empty(PIECE_BYTES // 4, dtype=np.float32)
    factor = np.float32(decay)
    for earlier, later in zip(
        before.chunks(name, PIECE_BYTES), after.chunks(name, PIECE_BYTES), strict=True
    ):
        a, b = np.frombuffer(earlier, dtype="<f4"), np.frombuffer(later, dtype="<f4")
        gap = np.multiply(a, factor, out=room[: len(a)])
        gap -= b
        far = _larger(far, gap)
        large = _larger(large, b)
        squares += float(np.dot(a, a))
        values += len(a)
    return Reach(name=name, far=far, large=large, squares=squares, values=values)


def _larger(known: float, values: NDArray[np.float32]) -> float:
    found = max(float(values.max()), -float(values.min()))
    return math.inf if math.isnan(found) else max(known, found)


def reaches(
    before: Source, after: Source, decays: Sequence[tuple[str, float]], *, threads: int = 1
) -> Iterator[Reach]:
    """Yield how far each tensor went, in the order given.

    Args:
        before: Weights of the earlier state.
        after: Of the later one.
        decays: Tensors, each with how much it shrank.
        threads: How many tensors are read at the same time.
    """

    def one(name: str, decay: float) -> Reach:
        return tensor_reach(before, after, name, decay=decay)

    if threads <= 1:
        yield from starmap(one, decays)
        return
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(lambda pair: one(*pair), decays)
