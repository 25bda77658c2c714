"""The Merkle tree of RFC 6962: hashes, roots, and proofs. Pure; no storage, no entries.

Leaves are hashed with a leading 0x00 and nodes with a leading 0x01, so that neither can be
taken for the other. A *perfect* subtree has a power of two of leaves; it is named by its level
and its place on that level, and never changes once it is complete. Every hash of every proof
is folded from perfect subtrees, so that whoever keeps them proves in logarithmic time.
"""

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from typing import NamedTuple

__all__ = [
    "EMPTY_ROOT",
    "Frontier",
    "Node",
    "Run",
    "consistency_ranges",
    "cover",
    "fold",
    "inclusion_ranges",
    "is_consistent",
    "is_included",
    "leaf_hash",
    "node_hash",
    "range_hash",
]

EMPTY_ROOT = sha256(b"").digest()


class Node(NamedTuple):
    """A perfect subtree: the leaves from `place << level` to `(place + 1) << level`."""

    level: int
    place: int


class Run(NamedTuple):
    """Hashes of perfect subtrees side by side on one level, the first at place `first`."""

    level: int
    first: int
    hashes: Sequence[bytes]


def leaf_hash(leaf: bytes) -> bytes:
    """Return the 32-byte hash of a leaf (RFC 6962, 2.1).

    Example:
        >>> leaf_hash(b"").hex()[:16]
        '6e340b9cffb37a98'
    """
    return sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the 32-byte hash of the node over two subtrees (RFC 6962, 2.1)."""
    return sha256(b"\x01" + left + right).digest()


def cover(start: int, stop: int) -> tuple[Node, ...]:
    """Return the perfect subtrees that make up the leaves from `start` up to `stop`.

    Args:
        start: First leaf; it must begin a subtree of the tree, as all ranges below do.
        stop: One past the last leaf.

    Example:
        >>> cover(0, 7)
        (Node(level=2, place=0), Node(level=1, place=2), Node(level=0, place=6))
    """
    nodes = []
    while start < stop:
        level = (stop - start).bit_length() - 1
        nodes.append(Node(level, start >> level))
        start += 1 << level
    return tuple(nodes)


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over perfect subtrees that stand side by side, largest first."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def range_hash(start: int, stop: int, *, known: Mapping[Node, bytes]) -> bytes:
    """Return the hash of the subtree over a range whose perfect parts are known.

    Raises:
        KeyError: A part is not among the known.
    """
    return fold([known[node] for node in cover(start, stop)])


def _split(start: int, stop: int) -> int:
    """Return where RFC 6962 parts a range: after the largest power of two below its length."""
    return start + (1 << ((stop - start - 1).bit_length() - 1))


def inclusion_ranges(seq: int, size: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges whose hashes prove leaf `seq` in a tree of `size`, from the leaf up.

    RFC 6962, 2.1.1: the PATH.

    Raises:
        ValueError: There is no such leaf in such a tree.

    Example:
        >>> inclusion_ranges(4, 7)
        ((5, 6), (6, 7), (0, 4))
    """
    if not 0 <= seq < size:
        message = f"a tree of {size} leaves has no leaf {seq}"
        raise ValueError(message)
    ranges = []
    start, stop = 0, size
    while stop - start > 1:
        middle = _split(start, stop)
        if seq < middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    return tuple(reversed(ranges))


def consistency_ranges(old: int, new: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges whose hashes prove that a tree grew from `old` to `new` leaves.

    RFC 6962, 2.1.2: the PROOF. An empty tree, and a tree of the same size, need none.

    Raises:
        ValueError: `old` is negative or larger than `new`.
    """
    if not 0 <= old <= new:
        message = f"a tree of {new} leaves did not grow out of one of {old}"
        raise ValueError(message)
    if old in {0, new}:
        return ()
    ranges = []
    start, stop = 0, new
    while stop != old:
        middle = _split(start, stop)
        if old <= middle:
            ranges.append((middle, stop))
            stop = middle
        else:
            ranges.append((start, middle))
            start = middle
    if start:
        ranges.append((start, stop))
    return tuple(reversed(ranges))


def is_included(leaf: bytes, root: bytes, *, seq: int, size: int, path: Sequence[bytes]) -> bool:
    """Tell whether the path proves that the leaf of this hash is number `seq` under the root.

    Args:
        leaf: The 32-byte hash of the leaf.
        root: The 32-byte root of the tree.
        seq: Which leaf it is, from 0.
        size: How many leaves the tree has.
        path: The hashes of `inclusion_ranges`, in that order.
    """
    if not 0 <= seq < size:
        return False
    ranges = inclusion_ranges(seq, size)
    if len(ranges) != len(path):
        return False
    for (start, _), other in zip(ranges, path, strict=True):
        leaf = node_hash(leaf, other) if start > seq else node_hash(other, leaf)
    return leaf == root


def is_consistent(
    old_root: bytes, new_root: bytes, *, old: int, new: int, path: Sequence[bytes]
) -> bool:
    """Tell whether the path proves that the new tree begins with the whole old tree.

    Args:
        old_root: The 32-byte root of the old tree.
        new_root: The 32-byte root of the new tree.
        old: How many leaves the old tree has.
        new: How many leaves the new tree has.
        path: The hashes of `consistency_ranges`, in that order.
    """
    if not 0 <= old <= new:
        return False
    ranges = consistency_ranges(old, new)
    if len(ranges) != len(path):
        return False
    if old == 0:
        return old_root == EMPTY_ROOT
    if old == new:
        return old_root == new_root
    steps = list(zip(ranges, path, strict=True))
    first = old_root
    if steps[0][0][1] == old:  # the old tree is not perfect: its last part opens the proof
        first = steps.pop(0)[1]
    before = after = first
    for (start, _), other in steps:
        if start >= old:
            after = node_hash(after, other)
        else:
            before, after = node_hash(other, before), node_hash(other, after)
    return before == old_root and after == new_root


class Frontier:
    """The right edge of a growing tree: all that is needed to add leaves and know the root.

    Example:
        >>> edge = Frontier()
        >>> [run.level for run in edge.add([leaf_hash(b"a"), leaf_hash(b"b")])]
        [0, 1]
        >>> edge.size, edge.root == node_hash(leaf_hash(b"a"), leaf_hash(b"b"))
        (2, True)
    """

    def __init__(self, size: int = 0, known: Mapping[Node, bytes] | None = None) -> None:
        """Stand at the edge of a tree of `size`, given the hashes of `cover(0, size)`."""
        self.size = size
        self._waiting = {node.level: (known or {})[node] for node in cover(0, size)}

    @property
    def root(self) -> bytes:
        """The 32-byte root of the tree as it stands."""
        return fold([self._waiting[level] for level in sorted(self._waiting, reverse=True)])

    def add(self, leaves: Sequence[bytes]) -> Iterator[Run]:
        """Add leaf hashes; yield the perfect subtrees that they complete, level by level.

        The frontier has taken all leaves once the iterator is exhausted.
        """
        first, self.size = self.size, self.size + len(leaves)
        level, row = 0, list(leaves)
        while row:
            yield Run(level, first, row)
            if first & 1:
                row = [self._waiting.pop(level), *row]
                first -= 1
            if len(row) & 1:
                self._waiting[level] = row[-1]
            row = [
                sha256(b"\x01" + left + right).digest()
                for left, right in zip(row[::2], row[1::2], strict=False)
            ]
            first >>= 1
            level += 1
