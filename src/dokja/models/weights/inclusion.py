"""Proves that a tensor belongs to a model's root, and a chunk of 4 MiB to a tensor.

Whoever holds a root and nothing else can check one tensor, or one chunk of it, against it; the
proof is some hashes long, whatever the size of the model. Reading only parts of weights is
honest only with such proofs. How digests and roots are made is told in
`weights.digests` and `weights.roots`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dokja.models.weights.digests import CHUNK_BYTES, Bytes, TensorDigest, chunk_leaves
from dokja.models.weights.sources import Source
from dokja.values import Digest
from dokja.values.trees import Frontier, inclusion_ranges, is_included, leaf_hash

__all__ = ["ChunkProof", "TensorProof", "chunk_proof", "tensor_proof"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorProof:
    """That a tensor is one of those under a model's root.

    Attributes:
        tensor: The tensor.
        place: Which one it is in the order of names, from 0.
        size: How many tensors the model has.
        path: The hashes of `inclusion_ranges`, from the leaf up.
    """

    tensor: TensorDigest
    place: int
    size: int
    path: tuple[Digest, ...]

    def holds(self, root: Digest) -> bool:
        """Tell whether the tensor belongs to this root."""
        return is_included(
            leaf_hash(self.tensor.digest.raw),
            root.raw,
            seq=self.place,
            size=self.size,
            path=[step.raw for step in self.path],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkProof:
    """That a chunk is part of a tensor.

    Attributes:
        tensor: The tensor; prove first that it belongs to the root that is asked about.
        number: Which chunk it is, from 0.
        path: The hashes of `inclusion_ranges`, from the leaf up.
    """

    tensor: TensorDigest
    number: int
    path: tuple[Digest, ...]

    def holds(self, chunk: Bytes) -> bool:
        """Tell whether these bytes are this chunk of the tensor, in value, place and length."""
        count = _chunks(self.tensor)
        leaves = list(chunk_leaves([chunk]))
        start = self.number * CHUNK_BYTES
        length = min(CHUNK_BYTES, self.tensor.bytes - start)
        if not 0 <= self.number < count or [size for _, size in leaves] != [length]:
            return False
        return is_included(
            leaves[0][0],
            self.tensor.content.raw,
            seq=self.number,
            size=count,
            path=[step.raw for step in self.path],
        )


def tensor_proof(digests: Iterable[TensorDigest], name: str) -> TensorProof:
    """Return the proof that the tensor of this name belongs to the root over all of these.

    Raises:
        KeyError: None of them is called so.

    Example:
        >>> import numpy as np
        >>> from dokja.models.weights.roots import array_digest, root
        >>> body = [array_digest(name, np.zeros(2, dtype=np.float32)) for name in "abc"]
        >>> tensor_proof(body, "b").holds(root(body))
        True
    """
    ordered = sorted(digests, key=lambda tensor: tensor.name)
    places = {tensor.name: place for place, tensor in enumerate(ordered)}
    place = places[name]
    leaves = [leaf_hash(tensor.digest.raw) for tensor in ordered]
    return TensorProof(
        tensor=ordered[place], place=place, size=len(leaves), path=_path(leaves, place)
    )


def chunk_proof(source: Source, name: str, *, number: int) -> ChunkProof:
    """Return the proof that chunk `number` belongs to a tensor, which is read once for it.

    Args:
        source: The weights.
        name: The tensor.
        number: Which chunk of 4 MiB, from 0.

    Raises:
        KeyError: There is no tensor of this name.
        ValueError: It has no such chunk.
        WeightsError: The file changed since it was checked.
    """
    info = source.stored.info(name)
    leaves = [leaf for leaf, _ in chunk_leaves(source.stored.chunks(name, 1 << 18))]
    path = _path(leaves, number)
    content = Digest(_range_root(leaves).hex())
    tensor = TensorDigest(name=name, dtype=info.dtype, shape=info.shape, content=content)
    return ChunkProof(tensor=tensor, number=number, path=path)


def _chunks(tensor: TensorDigest) -> int:
    return -(-tensor.bytes // CHUNK_BYTES)


def _path(leaves: Sequence[bytes], place: int) -> tuple[Digest, ...]:
    ranges = inclusion_ranges(place, len(leaves))
    return tuple(Digest(_range_root(leaves[start:stop]).hex()) for start, stop in ranges)


def _range_root(leaves: Sequence[bytes]) -> bytes:
    edge = Frontier()
    for _ in edge.add(leaves):
        pass
    return edge.root
