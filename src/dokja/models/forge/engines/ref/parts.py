"""Parts of a network, each with its way forward and its way back.

Every function keeps the dtype of what it is given: float32 when training, float64 when gradients
are checked. The way back takes what the way forward kept and returns gradients; nothing here
knows a tensor's name.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Array",
    "Attended",
    "Normed",
    "Turns",
    "attend",
    "attend_back",
    "lookup_back",
    "mask",
    "rms_norm",
    "rms_norm_back",
    "rotate",
    "swiglu",
    "swiglu_back",
    "turns",
]

Array: TypeAlias = NDArray[Any]
"""Of float32 or float64, whichever the weights are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Normed:
    """What the way back through an RMSNorm needs.

    Attributes:
        values: Rows of root mean square one, shape `(rows, width)`.
        inverse: What each row was multiplied by, shape `(rows, 1)`.
    """

    values: Array
    inverse: Array


def rms_norm(rows: Array, gain: Array, *, epsilon: float) -> tuple[Array, Normed]:
    """Return each row divided by its root mean square, times the gain (arXiv 1910.07467).

    Args:
        rows: Shape `(rows, width)`.
        gain: Shape `(width,)`.
        epsilon: Added to the mean square.
    """
    mean_square = np.einsum("nw,nw->n", rows, rows) / rows.shape[1]
    inverse = (1.0 / np.sqrt(mean_square + epsilon))[:, None]
    values = rows * inverse
    return values * gain, Normed(values=values, inverse=inverse)


def rms_norm_back(above: Array, gain: Array, kept: Normed) -> tuple[Array, Array]:
    """Return the gradients of an RMSNorm's rows and of its gain."""
    of_gain = np.einsum("nw,nw->w", above, kept.values)
    below = above * gain
    share = np.einsum("nw,nw->n", below, kept.values) / below.shape[1]
    below -= kept.values * share[:, None]
    below *= kept.inverse
    return below, of_gain


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """Rotary angles of every position, ready to multiply whole heads.

    Attributes:
        cos: Shape `(positions, 1, head width)`; both halves alike.
        sin: Likewise, the first half negated.
    """

    cos: Array
    sin: Array


def turns(positions: int, head_width: int, *, theta: float, dtype: Any) -> Turns:
    """Return the rotary angles (arXiv 2104.09864), computed as Hugging Face does in float32.

    The frequencies are theta to the power of -2i / head width, and an angle is position times
    frequency, each rounded to float32: at late positions that rounding is seen in the loss, so a
    replay must round alike.

    Args:
        positions: How many, from 0.
        head_width: Of one head; even.
        theta: The base.
        dtype: Of the tables; with float64 nothing is rounded to float32.
    """
    exponents: Array = np.arange(0, head_width, 2).astype(dtype) / np.asarray(head_width, dtype)
    powers: Array = (np.float64(theta) ** exponents.astype(np.float64)).astype(dtype)
    angles: Array = np.arange(positions).astype(dtype)[:, None] * (np.asarray(1, dtype) / powers)
    # Sine and cosine of the rounded angle are taken finely, and rounded once.
    cos = np.cos(angles.astype(np.float64)).astype(dtype)
    sin = np.sin(angles.astype(np.float64)).astype(dtype)
    return Turns(
        cos=np.concatenate([cos, cos], axis=1)[:, None, :],
        sin=np.concatenate([-sin, sin], axis=1)[:, None, :],
    )


def rotate(heads: Array, angles: Turns, *, back: bool = False) -> Array:
    """Return heads turned by their positions; the first half of a head pairs with the second.

    Args:
        heads: Shape `(sequences, positions, heads, head width)`.
        angles: Of these positions.
        back: Turn the other way, which is also the gradient.
    """
    half = heads.shape[-1] // 2
    crossed = np.empty_like(heads)
    crossed[..., :half] = heads[..., half:]
    crossed[..., half:] = heads[..., :half]
    crossed *= angles.sin
    turned = heads * angles.cos
    if back:
        turned -= crossed
    else:
        turned += crossed
    return turned


def mask(positions: int, window: int | None, *, dtype: Any) -> Array:
    """Return what is added to scores: 0 where a row's token sees a column's, else -inf.

    Args:
        positions: Rows and columns.
        window: How many tokens, itself included, a token sees; none for all earlier ones.
        dtype: Of the mask.

    Example:
        >>> (mask(4, 2, dtype=np.float32) == 0).astype(int).tolist()
        [[1, 0, 0, 0], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1]]
    """
    place = np.arange(positions)
    seen = place[:, None] >= place
    if window is not None:
        seen &= place[:, None] - place < window
    return np.where(seen, 0.0, -np.inf).astype(dtype)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """What the way back through attention needs.

    Attributes:
        query: Scaled queries, shape `(sequences, kv heads, group, positions, head width)`.
        key: Shape `(sequences, kv heads, 1, positions, head width)`.
        value: Likewise.
        weights: Softmax before its division, `(sequences, kv heads, group, positions, positions)`.
        inverse: One over each row's sum, last axis of length 1.
        output: Of attention, in the layout of the queries.
    """

    query: Array
    key: Array
    value: Array
    weights: Array
    inverse: Array
    output: Array


def attend(query: Array, key: Array, value: Array, *, seen: Array) -> tuple[Array, Attended]:
    """Return softmax(q k / sqrt(head width)) v for grouped queries (arXiv 2305.13245).

    Rows are divided by their sum after they met the values, not before: the same numbers from
    narrower arrays.

    Args:
        query: Shape `(sequences, positions, heads, head width)`.
        key: Shape `(sequences, positions, kv heads, head width)`.
        value: Likewise.
        seen: A `mask` of these positions.

    Returns:
        The output, shape `(sequences * positions, heads * head width)`, and what to keep.
    """
    sequences, positions, heads, head_width = query.shape
    groups = (sequences, positions, key.shape[2], heads // key.shape[2], head_width)
    scaled = (query * query.dtype.type(head_width**-0.5)).reshape(groups).transpose(0, 2, 3, 1, 4)
    keys, values = key.transpose(0, 2, 1, 3)[:, :, None], value.transpose(0, 2, 1, 3)[:, :, None]
    weights = scaled @ keys.swapaxes(-1, -2)
    weights += seen
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    inverse = 1.0 / weights.sum(axis=-1, keepdims=True)
    output = np.empty(groups, dtype=query.dtype)
    by_head = output.transpose(0, 2, 3, 1, 4)
    np.matmul(weights, values, out=by_head)
    by_head *= inverse
    kept = Attended(
        query=scaled, key=keys, value=values, weights=weights, inverse=inverse, output=by_head
    )
    return output.reshape(sequences * positions, heads * head_width), kept


def attend_back(above: Array, kept: Attended) -> tuple[Array, Array, Array]:
    """Return the gradients of attention's queries, keys and values, in their layouts.

    The gradient of a softmax row is P (dP - sum(dP P)); that sum equals the row's output times
    its gradient (arXiv 2205.14135, section 3 and appendix B).

    Args:
        above: Gradient of the output, shape `(sequences * positions, heads * head width)`.
        kept: What `attend` kept; its weights are overwritten.
    """
    sequences, kv_heads, group, positions, head_width = kept.query.shape
    of_output = above.reshape(sequences, positions, kv_heads, group, head_width)
    of_output = of_output.transpose(0, 2, 3, 1, 4) * kept.inverse
    of_value = (kept.weights.swapaxes(-1, -2) @ of_output).sum(axis=2)
    # One over the row's sum is in `of_output` by now, hence also in both terms below.
    total = np.einsum("bkgtd,bkgtd->bkgt", of_output, kept.output)[..., None]
    of_scores = of_output @ kept.value.swapaxes(-1, -2)
    of_scores -= total
    of_scores *= kept.weights
    of_query = np.empty((sequences, positions, kv_heads, group, head_width), dtype=above.dtype)
    np.matmul(of_scores, kept.key, out=of_query.transpose(0, 2, 3, 1, 4))
    of_query *= above.dtype.type(head_width**-0.5)
    of_key = (of_scores.swapaxes(-1, -2) @ kept.query).sum(axis=2)
    return (
        of_query.reshape(sequences, positions, kv_heads * group, head_width),
        np.ascontiguousarray(of_key.transpose(0, 2, 1, 3)),
        np.ascontiguousarray(of_value.transpose(0, 2, 1, 3)),
    )


def swiglu(gate: Array, up: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """Return silu(gate) times up (arXiv 2002.05202), and what the way back needs."""
    with np.errstate(over="ignore"):  # exp of a very negative gate: its sigmoid is then zero
        sigmoid = np.exp(-gate)
    sigmoid += 1.0
    np.reciprocal(sigmoid, out=sigmoid)
    silu = gate * sigmoid
    return silu * up, (sigmoid, silu, up)


def swiglu_back(above: Array, kept: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """Return the gradients of gate and up: silu' is s + silu (1 - s), s the sigmoid."""
    sigmoid, silu, up = kept
    of_up = above * silu
    slope = 1.0 - sigmoid
    slope *= silu
    slope += sigmoid
    slope *= up
    slope *= above
    return slope, of_up


def lookup_back(into: Array, tokens: NDArray[np.int64], above: Array) -> None:
    """Add the gradient of looked-up rows to that of the table, in an order that never changes.

    Args:
        into: Gradient of the table, shape `(vocabulary, width)`.
        tokens: Which row each was, shape `(rows,)`.
        above: Gradient of the rows, shape `(rows, width)`.
    """
    order = np.argsort(tokens, kind="stable")
    ids, starts = np.unique(tokens[order], return_index=True)
    into[ids] += np.add.reduceat(above[order], starts, axis=0)
