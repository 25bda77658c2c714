"""Which window of which source every instance of a run is: a function of the run's seed.

The order `dokja.order/1`:

- A run is cut into blocks of 1,000 instances. Every block holds each source's quota, its share
  of 1,000 rounded by the largest remainder (ties to the source that is named first), and is
  shuffled by a permutation of its own. The weights count as the decimal numbers that people wrote.
- The instances of a source, counted over all blocks as they come, go through the source's
  windows epoch by epoch, each epoch under a permutation of its own.
- Permutations are those of `corpora.permutations`, keyed by SHA-256 over the version, what is
  shuffled (`block`, or `source` and its name), the seed, and the number of block or epoch.

Batch t of a run is the instances from t*B up to (t+1)*B, whatever the number of ranks or the
micro-batch; where a run goes on is one integer. Nothing here knows tokens or files.
"""

import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from dokja.errors import CorpusError, Mistake
from dokja.models.forge.corpora.permutations import permuted

__all__ = ["BLOCK", "VERSION", "Order", "OrderSource"]

VERSION = "dokja.order/1"
"""Named in plans and records; another order needs another."""

BLOCK = 1000
"""Instances in which every source has its quota."""

# Blocks that are arranged at once: as many as stay in a core's cache.
_BLOCKS = 64

# Together they stay below what 64-bit integers hold.
_MOST_WINDOWS = 1 << 40
_MOST_REPEATS = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSource:
    """One source of a mixture.

    Attributes:
        name: Stands in the key of its permutations; two sources of a run have two names.
        windows: How many windows it has.
        weight: Its share of the instances, in proportion to the other sources' weights.
        max_repeats: How often a window may be read in a run, at most.
    """

    name: str
    windows: int
    weight: float = 1.0
    max_repeats: int = 1


@dataclass(frozen=True)
class Order:
    """The order of a run's instances.

    Attributes:
        seed: The run's seed; every length will do.
        sources: What is mixed; their order counts where remainders tie.

    Raises:
        CorpusError: There is no source, two have one name, or one cannot be mixed in.

    Example:
        >>> order = Order(b"seed", (OrderSource(name="ko", windows=600, weight=0.7),
        ...                         OrderSource(name="en", windows=300, weight=0.3)))
        >>> source, window = order.instances(0, 600)
        >>> order.counts(600), int((source == 0).sum())
        ((426, 174), 426)
        >>> len(set(zip(source.tolist(), window.tolist())))
        600
    """

    seed: bytes
    sources: tuple[OrderSource, ...]

    def __post_init__(self) -> None:
        mistakes = list(_source_mistakes(self.sources))
        if not mistakes:
            mistakes += self._share_mistakes()
        if mistakes:
            raise CorpusError(mistakes)

    @functools.cached_property
    def quotas(self) -> tuple[int, ...]:
        """How many of every 1,000 instances each source has."""
        weights = [Fraction(repr(float(source.weight))) for source in self.sources]
        shares = [weight * BLOCK / sum(weights) for weight in weights]
        quotas = [int(share) for share in shares]
        by_remainder = sorted(
            range(len(shares)), key=lambda place: (quotas[place] - shares[place], place)
        )
        for place in by_remainder[: BLOCK - sum(quotas)]:
            quotas[place] += 1
        return tuple(quotas)

    def instances(self, start: int, stop: int) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
        """Return the source and the window of the instances from `start` up to `stop`.

        Returns:
            Each instance's place among the sources, and its window there; both of shape
            `(stop - start,)`.

        Raises:
            ValueError: There are no such instances.
            CorpusError: A source would be read more often than it may.
        """
        if not 0 <= start <= stop:
            raise ValueError(f"there are no instances {start} to {stop}")
        if stop > self.most:
            self.check(stop)
        source = np.empty(stop - start, dtype=np.uint32)
        window = np.empty(stop - start, dtype=np.uint64)
        # A run asks for a block some instances at a time: blocks are kept whole and alone then.
        step = 1 if stop - start <= BLOCK else _BLOCKS
        for first in range(start // BLOCK, -(-stop // BLOCK), step):
            last = min(first + step, -(-stop // BLOCK))
            sources, windows = _blocks(self, first, last)
            begin, end = max(start, first * BLOCK), min(stop, last * BLOCK)
            inside = slice(begin - first * BLOCK, end - first * BLOCK)
            target = slice(begin - start, end - start)
            source[target] = sources[inside]
            window[target] = windows[inside]
        return source, window

    def counts(self, instances: int) -> tuple[int, ...]:
        """Return how many of a run's first instances each source has."""
        whole, rest = divmod(instances, BLOCK)
        counts = [whole * quota for quota in self.quotas]
        if rest:
            sources, _ = _arranged(self.seed, self.quotas, first=whole, last=whole + 1)
            found = np.bincount(sources[:rest], minlength=len(self.sources)).tolist()
            counts = [count + more for count, more in zip(counts, found, strict=True)]
        return tuple(counts)

    @functools.cached_property
    def most(self) -> int:
        """How many instances a run can have before a source was read as often as it may."""
        limits = [source.windows * source.max_repeats for source in self.sources]
        block = min(limit // quota for limit, quota in zip(limits, self.quotas, strict=True))
        sources, ranks = _arranged(self.seed, self.quotas, first=block, last=block + 1)
        beyond = ranks >= np.array(limits, dtype=np.uint64)[sources]
        return block * BLOCK + int(np.argmax(beyond))

    def check(self, instances: int) -> None:
        """Make sure that a run of so many instances reads no window more often than it may.

        Raises:
            CorpusError: It would; every source that is too small is named.
        """
        mistakes = [
            Mistake(
                file="data",
                place=f"source {source.name!r}",
                read=f"{source.windows} windows, read at most {source.max_repeats} times: "
                f"{source.windows * source.max_repeats} instances",
                expected=f"the {needed} that a run of {instances} instances takes from it",
                remedy=f"Train on at most {self.most} instances, add data, lower its weight, or "
                f"raise max_repeats to {-(-needed // source.windows)}.",
            )
            for source, needed in zip(self.sources, self.counts(instances), strict=True)
            if needed > source.windows * source.max_repeats
        ]
        if mistakes:
            raise CorpusError(mistakes)

    def _share_mistakes(self) -> Iterator[Mistake]:
        for source, quota in zip(self.sources, self.quotas, strict=True):
            if quota == 0:
                yield Mistake(
                    file="data",
                    place=f"source {source.name!r}, weight",
                    read=f"{source.weight}, which is no whole instance in {BLOCK}",
                    expected=f"a share of at least one in {BLOCK}",
                    remedy="Raise the weight, or leave the source out.",
                )


@functools.lru_cache(maxsize=4)
def _blocks(order: Order, first: int, last: int) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Return source and window of all instances of some blocks, read-only.

    Instances that a run may no longer ask for are among them, and lead to some window.
    """
    sources, ranks = _arranged(order.seed, order.quotas, first=first, last=last)
    windows = np.empty(len(ranks), dtype=np.uint64)
    for place, source in enumerate(order.sources):
        own = np.flatnonzero(sources == place)
        epochs, within = np.divmod(ranks[own], np.uint64(source.windows))
        begin, end = int(epochs.min()), int(epochs.max()) + 1
        name = source.name.encode()
        keys = [_key(order.seed, b"source", name, epoch) for epoch in range(begin, end)]
        which = None if end - begin == 1 else (epochs - np.uint64(begin)).astype(np.intp)
        windows[own] = permuted(within, source.windows, keys=keys, which=which)
    sources.flags.writeable = windows.flags.writeable = False
    return sources, windows


def _arranged(
    seed: bytes, quotas: tuple[int, ...], *, first: int, last: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint64]]:
    """Return source and rank within the source of all instances of some blocks.

    A rank counts the source's instances before this one, from the beginning of the run.
    """
    blocks = last - first
    slots = permuted(
        np.tile(np.arange(BLOCK, dtype=np.uint64), blocks),
        BLOCK,
        keys=[_key(seed, b"block", b"", number) for number in range(first, last)],
        which=np.repeat(np.arange(blocks), BLOCK),
    )
    owners = np.repeat(np.arange(len(quotas), dtype=np.uint16), quotas)
    sources = owners[slots].reshape(blocks, BLOCK)
    # Sorted by source, and by place within it: the n-th of a source is its n-th as it comes.
    places = np.argsort(sources, axis=1, kind="stable")
    nth = np.concatenate([np.arange(quota) for quota in quotas])
    within = np.empty((blocks, BLOCK), dtype=np.int64)
    np.put_along_axis(within, places, np.broadcast_to(nth, within.shape), axis=1)
    before = np.arange(first, last)[:, None] * np.array(quotas)[sources]
    ranks = (before + within).astype(np.uint64).reshape(-1)
    return sources.reshape(-1).astype(np.uint32), ranks


def _key(seed: bytes, sort: bytes, name: bytes, number: int) -> bytes:
    stated = b"".join(
        len(part).to_bytes(8, "little") + part for part in (VERSION.encode(), sort, name, seed)
    )
    return hashlib.sha256(stated + number.to_bytes(8, "little")).digest()


def _source_mistakes(sources: tuple[OrderSource, ...]) -> Iterator[Mistake]:
    if not 1 <= len(sources) <= BLOCK:
        yield Mistake(
            file="data", place="sources", read=str(len(sources)), expected=f"1 to {BLOCK}"
        )
    names: set[str] = set()
    for source in sources:
        place = f"source {source.name!r}"
        if source.name in names:
            yield Mistake(file="data", place=place, read="the name twice", expected="a name each")
        names.add(source.name)
        if not 1 <= source.windows <= _MOST_WINDOWS:
            yield Mistake(
                file="data",
                place=f"{place}, windows",
                read=str(source.windows),
                expected=f"a whole number from 1 to {_MOST_WINDOWS}",
                remedy=""
                if source.windows
                else "The corpus is shorter than one window; add text or shorten the window.",
            )
        if not 0 < source.weight < float("inf"):
            yield Mistake(
                file="data",
                place=f"{place}, weight",
                read=str(source.weight),
                expected="a number above zero",
            )
        if not 1 <= source.max_repeats <= _MOST_REPEATS:
            yield Mistake(
                file="data",
                place=f"{place}, max_repeats",
                read=str(source.max_repeats),
                expected=f"a whole number from 1 to {_MOST_REPEATS}",
            )
