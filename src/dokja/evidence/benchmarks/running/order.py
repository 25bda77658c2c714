"""In which order a run asks: fixed beforehand, so that every beginning is a random sample.

Epoch by epoch, every stratum is spread evenly over the whole and shuffled inside: wherever a run
is stopped, what was asked is a stratified random sample of the form. Sentinels are asked besides,
at the start, in the middle and at the end; they show whether an endpoint changed on the way, and
never count in a score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.streams import uniforms
from dokja.values import Digest

__all__ = ["METHOD", "ROUNDS", "Order", "make_order", "sample_key"]

METHOD: Final = "stratified-shuffle/1"
ROUNDS = ("start", "middle", "end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Which sample is asked when.

    A sample is a number: `(epoch - 1) * items + place` for those that count, and behind them
    `round * sentinels + place among them` for the repeats.

    Attributes:
        items: How many items there are.
        epochs: How often each is asked for the score.
        sentinels: Places of the items that are repeated.
        sequence: Samples in the order in which they are asked; uint32, shape `(samples,)`.
    """

    items: int
    epochs: int
    sentinels: tuple[int, ...]
    sequence: NDArray[np.uint32]

    @property
    def scored(self) -> int:
        """How many samples count in a score."""
        return self.items * self.epochs

    @property
    def samples(self) -> int:
        """How many samples there are, repeats counted."""
        return self.scored + len(ROUNDS) * len(self.sentinels)

    @property
    def digest(self) -> Digest:
        """Names the order."""
        return Digest(sha256(self.sequence.astype("<u4", copy=False).data).hexdigest())

    def place(self, sample: int) -> int:
        """Return which item a sample asks."""
        if sample < self.scored:
            return sample % self.items
        return self.sentinels[(sample - self.scored) % len(self.sentinels)]

    def epoch(self, sample: int) -> str:
        """Return a sample's epoch, from `1` on, or the round of a repeat."""
        if sample < self.scored:
            return str(sample // self.items + 1)
        return ROUNDS[(sample - self.scored) // len(self.sentinels)]


def make_order(strata: Sequence[str], *, epochs: int, seed: int, sentinels: int) -> Order:
    """Return the order in which a run asks.

    Args:
        strata: Each item's category.
        epochs: How often each item is asked, at least once.
        seed: The same seed, the same order, on every machine.
        sentinels: How many items are repeated; at most as many as there are.

    Example:
        >>> order = make_order(["a", "b"] * 50, epochs=2, seed=1, sentinels=10)
        >>> order.samples, sorted(order.sequence.tolist()) == list(range(230))
        (230, True)
    """
    count = len(strata)
    _, members = np.unique(np.array(strata, dtype=np.str_), return_inverse=True)
    drawn = np.argsort(uniforms(seed, "measure/sentinels", count=count), kind="stable")
    chosen = tuple(sorted(drawn[: min(sentinels, count)].tolist()))
    scored, repeated = count * epochs, len(chosen)
    # One array is filled in place: for a million samples every copy would take megabytes.
    sequence = np.empty(scored + len(ROUNDS) * repeated, dtype=np.uint32)
    for epoch in range(epochs):
        begin = repeated + epoch * count
        shuffled = _shuffled(members, seed=seed, epoch=epoch)
        sequence[begin : begin + count] = shuffled + epoch * count
    half = scored // 2
    later = sequence[repeated + half : repeated + scored].copy()
    sequence[2 * repeated + half : 2 * repeated + scored] = later
    starts = (0, repeated + half, 2 * repeated + scored)
    for number, begin in enumerate(starts):
        first = scored + number * repeated
        sequence[begin : begin + repeated] = np.arange(first, first + repeated)
    return Order(items=count, epochs=epochs, sentinels=chosen, sequence=sequence)


def _shuffled(members: NDArray[np.intp], *, seed: int, epoch: int) -> NDArray[np.intp]:
    """Return the items in an order that spreads every stratum evenly."""
    count = len(members)
    label = f"measure/order/{epoch + 1}"
    shuffle = np.lexsort((uniforms(seed, label, count=count), members))
    sizes = np.bincount(members)
    starts = np.repeat(np.cumsum(sizes) - sizes, sizes)
    ranks = np.arange(count) - starts
    spread = (ranks + uniforms(seed, f"{label}/spread", count=count)) / np.repeat(sizes, sizes)
    return shuffle[np.argsort(spread, kind="stable")]


def sample_key(plan: bytes, item: bytes, *, epoch: str) -> str:
    """Return what names a sample: SHA-256 over plan digest, item digest and epoch, as hex.

    Args:
        plan: The 32 bytes of the plan's digest.
        item: The 32 bytes of the item's digest.
        epoch: As `Order.epoch` says it.
    """
    return sha256(plan + item + epoch.encode()).hexdigest()
