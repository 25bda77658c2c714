"""Names all tensors of a model by one root that no file format and no sharding changes.

The scheme is `dokja-tensors-v1`; how one tensor is digested is told in `weights.digests`. The
model's root is the root of the same tree over the tensors' digests, sorted by name (by code
point), each a leaf of RFC 6962.

Tied tensors count once, under the name that the model's format stores; other names of the same
values are aliases, which are left out after their values were found equal. Buffers that a model
does not store have no digest. Optimizer state is named `exp_avg/<name>`, `exp_avg_sq/<name>`.

Nothing here holds a tensor: memory stays at one piece whatever the size of the model.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.digests import (
    CHUNK_BYTES,
    Bytes,
    TensorDigest,
    chunk_leaves,
    tensor_digest,
)
from dokja.models.weights.sources import Source
from dokja.values import Digest
from dokja.values.trees import Frontier, leaf_hash

__all__ = [
    "CHUNK_BYTES",
    "SCHEME",
    "Bytes",
    "TensorDigest",
    "array_digest",
    "chunk_leaves",
    "dtype_name",
    "root",
    "root_text",
    "source_digests",
    "tensor_digest",
    "tensor_root",
]

SCHEME = "dokja-tensors-v1"
"""Stands before every written root."""

# Pieces that stay in a core's cache between being read and being hashed.
_READ_BYTES = 1 << 18

_NAMES: Mapping[np.dtype[Any], str] = MappingProxyType(
    {
        np.dtype("f8"): "F64",
        np.dtype("f4"): "F32",
        np.dtype("f2"): "F16",
        np.dtype(ml_dtypes.bfloat16): "BF16",
        np.dtype("i8"): "I64",
        np.dtype("i4"): "I32",
        np.dtype("i2"): "I16",
        np.dtype("i1"): "I8",
        np.dtype("u8"): "U64",
        np.dtype("u4"): "U32",
        np.dtype("u2"): "U16",
        np.dtype("u1"): "U8",
        np.dtype("?"): "BOOL",
    }
)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """Return what safetensors call a type, whatever its byte order.

    Raises:
        WeightsError: They have no name for it.

    Example:
        >>> dtype_name(np.dtype("float32")), dtype_name(np.dtype(">i8"))
        ('F32', 'I64')
    """
    name = _NAMES.get(dtype.newbyteorder("="))
    if name is None:
        raise WeightsError(
            [
                Mistake(
                    file="tensor",
                    place="dtype",
                    read=str(dtype),
                    expected="one of " + ", ".join(map(str, _NAMES)),
                )
            ]
        )
    return name


def array_digest(name: str, array: NDArray[Any]) -> TensorDigest:
    """Return the digest of an array as it would be stored.

    Strided, transposed and big-endian arrays are brought into order a slice at a time.

    Raises:
        WeightsError: Safetensors have no name for its type.

    Example:
        >>> values = np.arange(6, dtype=np.float32).reshape(2, 3)
        >>> array_digest("w", values) == array_digest("w", np.asfortranarray(values))
        True
    """
    dtype = dtype_name(array.dtype)
    return tensor_digest(name, dtype, shape=array.shape, chunks=_pieces(array))


def _pieces(array: NDArray[Any]) -> Iterator[memoryview]:
    stored = array.dtype.newbyteorder("<")
    if array.ndim == 0 or array.size == 0:
        array = array.reshape(-1)
    rows = len(array)
    # A contiguous array is handed over where it lies: slices of it are only views.
    step = max(1, _READ_BYTES * rows // max(1, array.nbytes))
    for start in range(0, rows, step):
        part = np.ascontiguousarray(array[start : start + step], dtype=stored)
        yield part.reshape(-1).view(np.uint8).data


def source_digests(
    source: Source,
    names: Iterable[str] | None = None,
    *,
    aliases: Mapping[str, str] | None = None,
    progress: Callable[[int], None] | None = None,
    threads: int = 1,
) -> tuple[TensorDigest, ...]:
    """Return the digests of opened weights, sorted by name, from one reading of each tensor.

    Weights in fewer bits are digested as they are stored: codes and scales by their own names.

    Args:
        source: The weights.
        names: Which tensors; all, unless some are named.
        aliases: Names under which a format may store a tied tensor once more, each with the
            name that counts, such as `{"lm_head.weight": "model.embed_tokens.weight"}`. Where
            both are stored they must be equal, and the alias is left out.
        progress: Called with the number of bytes after each piece that was hashed.
        threads: How many tensors are hashed at the same time.

    Raises:
        KeyError: There is no tensor of a name.
        WeightsError: A file changed since it was checked, or an alias has other values than
            the tensor that it should repeat.
        ValueError: An alias leads to another alias.
    """
    stored = source.stored

    def digest_of(name: str) -> TensorDigest:
        info = stored.info(name)
        pieces: Iterable[Bytes] = stored.chunks(name, _READ_BYTES)
        if progress is not None:
            pieces = _told(pieces, progress)
        return tensor_digest(name, info.dtype, shape=info.shape, chunks=pieces)

    wanted = sorted(set(stored.names if names is None else names))
    for name in wanted:
        stored.info(name)
    if threads <= 1:
        found = [digest_of(name) for name in wanted]
    else:
        with ThreadPoolExecutor(threads) as pool:
            found = list(pool.map(digest_of, wanted))
    return _without_aliases(found, aliases or {}, file=source.name)


def _told(pieces: Iterable[Bytes], progress: Callable[[int], None]) -> Iterator[Bytes]:
    for piece in pieces:
        yield piece
        progress(len(piece))


def _without_aliases(
    digests: Sequence[TensorDigest], aliases: Mapping[str, str], *, file: str
) -> tuple[TensorDigest, ...]:
    if chained := sorted(set(aliases) & set(aliases.values())):
        raise ValueError(f"{chained} cannot be aliases and count as well")
    known = {digest.name: digest for digest in digests}
    mistakes, left = [], []
    for digest in digests:
        first = known.get(aliases.get(digest.name, ""))
        if first is None:
            left.append(digest)
        elif (first.content, first.dtype, first.shape) != (
            digest.content,
            digest.dtype,
            digest.shape,
        ):
            mistakes.append(
                Mistake(
                    file=file,
                    place=f"tensor {digest.name!r}",
                    read="other values than those of " + repr(first.name),
                    expected="the same values, since the two are tied",
                    remedy="If they are not tied, say so in the structure (tied = false).",
                )
            )
    if mistakes:
        raise WeightsError(mistakes)
    return tuple(left)


def root(digests: Iterable[TensorDigest]) -> Digest:
    """Return the root over all tensors of a model, in whatever order they come.

    Raises:
        ValueError: There is no tensor, or one name stands twice.

    Example:
        >>> body = [array_digest(name, np.zeros(2, dtype=np.float32)) for name in "ab"]
        >>> root(body) == root(reversed(body))
        True
    """
    ordered = sorted(digests, key=lambda tensor: tensor.name)
    names = [tensor.name for tensor in ordered]
    twice = sorted({name for name, after in pairwise(names) if name == after})
    if not names or twice:
        raise ValueError(f"the tensors {twice} stand twice" if twice else "no tensor has no root")
    edge = Frontier()
    for _ in edge.add([leaf_hash(tensor.digest.raw) for tensor in ordered]):
        pass
    return Digest(edge.root.hex())


def root_text(digest: Digest) -> str:
    """Return a root as recipes and records write it.

    Example:
        >>> root_text(Digest.of(b""))[:25]
        'dokja-tensors-v1:e3b0c442'
    """
    return f"{SCHEME}:{digest.hex}"


def tensor_root(written: str) -> Digest:
    """Return the root that is written as `dokja-tensors-v1:` and 64 hexadecimal digits.

    Raises:
        ValueError: It is written otherwise.

    Example:
        >>> tensor_root(root_text(Digest.of(b""))) == Digest.of(b"")
        True
    """
    scheme, _, hexadecimal = written.partition(":")
    if scheme != SCHEME:
        raise ValueError(f"not a root of the form {SCHEME}:<64 hexadecimal digits>: {written!r}")
    return Digest(hexadecimal)
