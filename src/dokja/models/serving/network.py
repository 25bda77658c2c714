"""A Llama-like body in numpy: token ids in, logits out, in float32.

Rows of a batch may be of different length: shorter ones are padded on the left, and nothing
attends to padding. Keys and values of tokens already read are kept, so that each further token
costs one column. Knows no text and no tokenizer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.models.serving.architecture import Architecture

__all__ = ["Memory", "Network", "Weights"]

Floats = NDArray[np.float32]
Ids = NDArray[np.int64]

_HIDDEN = np.float32(-np.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWeights:
    """One layer; matrices stand transposed, `(in, out)`, and what reads together is joined."""

    attention_gain: Floats
    qkv: Floats
    out: Floats
    ffn_gain: Floats
    gate_up: Floats
    down: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """All weights of a body.

    Attributes:
        embedding: Shape `(vocabulary, width)`.
        layers: In order.
        gain: Of the last norm, shape `(width,)`.
        head: Shape `(width, vocabulary)`.
    """

    embedding: Floats
    layers: tuple[LayerWeights, ...]
    gain: Floats
    head: Floats


@dataclass(slots=True, kw_only=True)
class Memory:
    """Keys and values of the columns read so far.

    Attributes:
        keys: Per layer, shape `(rows, kv heads, columns, head width)`.
        values: Likewise.
        padding: How many columns at the left of each row are padding, shape `(rows,)`.
        columns: How many columns are filled.
    """

    keys: list[Floats]
    values: list[Floats]
    padding: Ids
    columns: int = 0

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget the rows that are not to be kept."""
        self.keys = [kept[rows] for kept in self.keys]
        self.values = [kept[rows] for kept in self.values]
        self.padding = self.padding[rows]


class Network:
    """A body that can be run.

    Args:
        architecture: Its sizes and constants.
        weights: In the shapes that these ask for.
    """

    def __init__(self, architecture: Architecture, *, weights: Weights) -> None:
        self._sizes = architecture
        self._weights = weights
        half = architecture.head_width // 2
        rates = architecture.rope_theta ** (-np.arange(half, dtype=np.float64) / half)
        # Hugging Face keeps these rates and angles in float32, and models were trained so.
        self._rates = rates.astype(np.float32)

    def memory(self, *, padding: Ids, columns: int) -> Memory:
        """Return an empty memory for rows with this much padding and room for the columns."""
        sizes = self._sizes
        shape = (len(padding), sizes.kv_heads, columns, sizes.head_width)
        return Memory(
            keys=[np.empty(shape, dtype=np.float32) for _ in range(sizes.layers)],
            values=[np.empty(shape, dtype=np.float32) for _ in range(sizes.layers)],
            padding=padding,
        )

    def read(self, ids: Ids, memory: Memory) -> Floats:
        """Read further columns and return the residual after the last norm.

        Args:
            ids: Token ids, shape `(rows, columns)`; padding holds any valid id.
            memory: Of the same rows; it is filled further.

        Returns:
            Shape `(rows, columns, width)`.
        """
        start, stop = memory.columns, memory.columns + ids.shape[1]
        places = np.arange(start, stop)[None, :] - memory.padding[:, None]
        angles = np.maximum(places, 0).astype(np.float32)[..., None] * self._rates
        turn = np.cos(angles)[:, None], np.sin(angles)[:, None]
        mask = _mask(memory.padding, start=start, stop=stop)
        residual = self._weights.embedding[ids]
        # Weights beyond all measure overflow to infinities here; `logits` is where it shows.
        with np.errstate(over="ignore", invalid="ignore"):
            for number, layer in enumerate(self._weights.layers):
                normed = self._normed(residual, layer.attention_gain)
                mixed = self._attend(normed @ layer.qkv, number, memory, turn=turn, mask=mask)
                residual = residual + mixed @ layer.out
                normed = self._normed(residual, layer.ffn_gain)
                gate, up = np.split(normed @ layer.gate_up, 2, axis=-1)
                residual = residual + (gate / (1 + np.exp(-gate)) * up) @ layer.down
            normed = self._normed(residual, self._weights.gain)
        memory.columns = stop
        return normed

    def logits(self, normed: Floats) -> Floats:
        """Return logits for what `read` returned, shape `(…, vocabulary)`.

        Raises:
            FloatingPointError: The weights drive the numbers beyond float32.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            found: Floats = normed @ self._weights.head
        if not np.isfinite(found).all():
            message = "the weights drive the numbers beyond what float32 can hold"
            raise FloatingPointError(message)
        return found

    def _normed(self, residual: Floats, gain: Floats) -> Floats:
        size = np.mean(np.square(residual), axis=-1, keepdims=True)
        scaled: Floats = residual / np.sqrt(size + np.float32(self._sizes.epsilon)) * gain
        return scaled

    def _attend(
        self,
        joined: Floats,
        layer: int,
        memory: Memory,
        *,
        turn: tuple[Floats, Floats],
        mask: Floats,
    ) -> Floats:
        """Return what each column gathers from those before it, shape `(rows, columns, q)`."""
        sizes = self._sizes
        rows, count = joined.shape[:2]
        start, stop = memory.columns, memory.columns + count
        split = joined.reshape(rows, count, -1, sizes.head_width).swapaxes(1, 2)
        groups, each = sizes.kv_heads, sizes.heads // sizes.kv_heads
        query = _turned(split[:, : sizes.heads], turn)
        memory.keys[layer][:, :, start:stop] = _turned(
            split[:, sizes.heads : sizes.heads + groups], turn
        )
        memory.values[layer][:, :, start:stop] = split[:, sizes.heads + groups :]
        keys = memory.keys[layer][:, :, None, :stop]
        values = memory.values[layer][:, :, None, :stop]
        query = query.reshape(rows, groups, each, count, sizes.head_width)
        scores: Floats = query @ keys.swapaxes(-1, -2) / np.float32(sizes.head_width**0.5)
        scores += mask[:, None, None]
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        gathered: Floats = (scores @ values).reshape(rows, sizes.heads, count, sizes.head_width)
        return gathered.swapaxes(1, 2).reshape(rows, count, -1)


def _mask(padding: Ids, *, start: int, stop: int) -> Floats:
    """Return zero where a column may look and minus infinity where not: `(rows, new, all)`.

    Padding looks at itself alone, so that it has something to look at; nothing looks at it.
    """
    looking, seen = np.arange(start, stop)[:, None], np.arange(stop)[None, :]
    allowed = (seen <= looking) & (seen >= padding[:, None, None]) | (seen == looking)
    mask: Floats = np.where(allowed, np.float32(0), _HIDDEN)
    return mask


def _turned(vectors: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Return vectors turned by their positions, halves paired as Hugging Face pairs them."""
    cos, sin = turn
    first, second = np.split(vectors, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)
