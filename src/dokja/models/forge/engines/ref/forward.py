"""What a model says of tokens: logits, the loss of each sequence, and the mean loss.

A window of `length` tokens has `length - 1` predictions, each of the next token of the same
window. Losses are cross-entropies in nats. Logits are made some rows at a time, so that a large
vocabulary does not fill the memory.
"""

from collections.abc import Iterator, Mapping, MutableMapping

import numpy as np
from numpy.typing import NDArray

from dokja.errors import EngineError
from dokja.models.forge.engines.ref.network import FAMILIES, Network, Tape
from dokja.models.forge.engines.ref.parts import Array
from dokja.models.forge.engines.ref.teaching import Teaching
from dokja.models.forge.structures import Structure

__all__ = ["gradient", "logits", "mean_loss", "sequence_losses"]

_LOGITS_AT_ONCE = 1 << 24
"""Values; 64 MiB of float32."""


def logits(weights: Mapping[str, Array], structure: Structure, batch: NDArray[np.int64]) -> Array:
    """Return the logits of every position.

    Args:
        weights: Every tensor of the structure, all of one dtype.
        structure: A `llama` or a `peri`.
        batch: Ids, shape `(sequences, positions)`.

    Returns:
        Shape `(sequences, positions, vocabulary)`, in the dtype of the weights.

    Raises:
        EngineError: The structure, the weights or the ids cannot be computed.
    """
    network = _network(weights, structure, batch)
    hidden = network.forward(weights, batch).hidden
    return (hidden @ weights[network.head].T).reshape(*batch.shape, -1)


def sequence_losses(
    weights: Mapping[str, Array],
    structure: Structure,
    batch: NDArray[np.int64],
    *,
    micro: int = 8,
) -> NDArray[np.float64]:
    """Return each sequence's mean next-token cross-entropy in nats.

    Args:
        weights: Every tensor of the structure, all of one dtype.
        structure: A `llama` or a `peri`.
        batch: Ids, shape `(sequences, length)`, length at least 2.
        micro: Sequences that go through the network at a time.

    Returns:
        Shape `(sequences,)`. Computed in the dtype of the weights, summed in float64.

    Raises:
        EngineError: The structure, the weights or the ids cannot be computed.

    Example:
        >>> tiny = Structure(family="llama", vocabulary=8, width=4, layers=1, heads=1,
        ...                  kv_heads=1, head_width=4, ffn=4)
        >>> zeros = {name: np.zeros(shape, np.float32) for name, shape in tiny.shapes().items()}
        >>> sequence_losses(zeros, tiny, np.arange(8).reshape(2, 4)).round(4).tolist()
        [2.0794, 2.0794]
    """
    network = _network(weights, structure, batch)
    found = []
    for start in range(0, len(batch), micro):
        part = batch[start : start + micro]
        tape = network.forward(weights, part[:, :-1])
        losses, _ = _head_losses(weights[network.head], tape, part[:, 1:])
        found.append(losses.reshape(len(part), -1).mean(axis=1))
    return np.concatenate(found)


def mean_loss(
    weights: Mapping[str, Array],
    structure: Structure,
    batch: NDArray[np.int64],
    *,
    micro: int = 8,
) -> float:
    """Return the mean next-token cross-entropy of a batch in nats, as engines log it.

    Args:
        weights: Every tensor of the structure, all of one dtype.
        structure: A `llama` or a `peri`.
        batch: Ids, shape `(sequences, length)`, length at least 2.
        micro: Sequences that go through the network at a time.

    Raises:
        EngineError: The structure, the weights or the ids cannot be computed.
    """
    return float(sequence_losses(weights, structure, batch, micro=micro).mean())


def gradient(
    network: Network,
    weights: Mapping[str, Array],
    batch: NDArray[np.int64],
    *,
    into: MutableMapping[str, Array],
    micro: int,
    teaching: Teaching | None = None,
) -> float:
    """Add the gradient of a batch's mean loss, and return that loss.

    With a teacher the gradient is that of the whole loss; what is returned is the data's own
    cross-entropy all the same, which is what logs tell and checks compute again.

    Args:
        network: What computes.
        weights: Every tensor, all of one dtype.
        batch: Ids that were checked, shape `(sequences, length)`.
        into: Gradients by name, to be added to.
        micro: Sequences that go through the network at a time.
        teaching: A teacher that is followed beside the data.
    """
    predictions = batch.shape[0] * (batch.shape[1] - 1)
    total = 0.0
    for start in range(0, len(batch), micro):
        part = batch[start : start + micro]
        # The last token of a window predicts nothing, and no earlier one sees it.
        tape = network.forward(weights, part[:, :-1])
        losses, above = _head_losses(
            weights[network.head],
            tape,
            part[:, 1:],
            into=into[network.head],
            predictions=predictions,
            teaching=teaching,
        )
        network.backward(weights, tape, above, into=into)
        total += float(losses.sum())
    return float(total / predictions)


def _head_losses(
    head: Array,
    tape: Tape,
    labels: NDArray[np.int64],
    *,
    into: Array | None = None,
    predictions: int = 1,
    teaching: Teaching | None = None,
) -> tuple[NDArray[np.float64], Array]:
    """Return the loss of every row, and the gradient of the hidden rows.

    Args:
        head: Shape `(vocabulary, width)`.
        tape: Of the way forward.
        labels: The token that follows each row's.
        into: Gradient of the head, to be added to; without it no gradient is computed.
        predictions: What the sum of all losses is divided by.
        teaching: A teacher that is followed beside the data.
    """
    taught = None if teaching is None else teaching.hidden(tape.tokens)
    targets = labels.reshape(-1)
    losses = np.empty(len(targets), dtype=np.float64)
    above = np.empty_like(tape.hidden) if into is not None else tape.hidden
    for rows in _pieces(len(targets), len(head)):
        scores = tape.hidden[rows] @ head.T
        scores -= scores.max(axis=1, keepdims=True)
        pull = None if teaching is None or taught is None else teaching.pull(scores, taught[rows])
        wanted = (np.arange(len(scores)), targets[rows])
        losses[rows] = -scores[wanted]
        np.exp(scores, out=scores)
        sums = scores.sum(axis=1, keepdims=True)
        losses[rows] += np.log(sums[:, 0])
        if into is not None:
            # The gradient of a cross-entropy is the softmax less one at the label.
            scores *= 1.0 / (sums * sums.dtype.type(predictions))
            scores[wanted] -= scores.dtype.type(1.0 / predictions)
            if teaching is not None and pull is not None:
                scores *= scores.dtype.type(1.0 - teaching.share)
                scores += pull / pull.dtype.type(predictions)
            into += scores.T @ tape.hidden[rows]
            np.matmul(scores, head, out=above[rows])
    return losses, above


def _pieces(rows: int, vocabulary: int) -> Iterator[slice]:
    step = max(1, _LOGITS_AT_ONCE // vocabulary)
    for start in range(0, rows, step):
        yield slice(start, min(rows, start + step))


def _network(
    weights: Mapping[str, Array], structure: Structure, batch: NDArray[np.int64]
) -> Network:
    """Return the network after making sure that it can compute this.

    Raises:
        EngineError: It cannot; every reason is in it.
    """
    reasons = []
    if structure.family not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        reasons.append(f"the family {structure.family!r} is none of {known}")
    else:
        shapes = structure.shapes()
        found = {name: tensor.shape for name, tensor in weights.items()}
        wrong = sorted(n for n in shapes.keys() | found.keys() if shapes.get(n) != found.get(n))
        reasons += [
            f"{name} has the shape {found.get(name)} and should have {shapes.get(name)}"
            for name in wrong[:10]
        ]
    if batch.ndim != 2 or batch.shape[1] < 2 or not batch.size:  # noqa: PLR2004  # two axes; a token to predict
        reasons.append(f"a batch of shape {batch.shape} is no list of windows with a next token")
    elif not 0 <= int(batch.min()) <= int(batch.max()) < structure.vocabulary:
        reasons.append(f"ids go from {batch.min()} to {batch.max()}, of {structure.vocabulary}")
    if reasons:
        raise EngineError("ref cannot compute this: " + "; ".join(reasons) + ".")
    return Network(structure)
