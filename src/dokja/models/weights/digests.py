"""Names one tensor by a digest that no file format changes: scheme `dokja-tensors-v1`.

A tensor's bytes are its values, little-endian, in C order, of the whole tensor whatever files it
was cut into. They are cut into chunks of 4 MiB; the Merkle tree of RFC 6962 over the chunks has
the *content* as its root. The tensor's digest is SHA-256(0x02 + RFC 8785 of {dtype, name, shape}
+ content). Leaves, nodes and tensors begin with 0x00, 0x01 and 0x02, so that none can be taken
for another. Nothing here holds a tensor, or knows where its bytes come from.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.headers import ITEM_BYTES, shown
from dokja.values import Digest, Json, canonical_bytes
from dokja.values.trees import Frontier

__all__ = ["CHUNK_BYTES", "Bytes", "TensorDigest", "chunk_leaves", "tensor_digest"]

CHUNK_BYTES = 1 << 22
"""Bytes under one leaf; the last leaf of a tensor may have fewer."""

Bytes: TypeAlias = bytes | bytearray | memoryview
"""What pieces of a tensor come in as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorDigest:
    """What one tensor is, beyond doubt.

    Attributes:
        name: As the model's format calls it.
        dtype: As safetensors call it: `F32`, `BF16` and so on.
        shape: Lengths of its axes; empty for a single value.
        content: Root over its chunks; equal for equal bytes under any name.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    content: Digest

    @property
    def digest(self) -> Digest:
        """SHA-256 over 0x02, what the tensor is called, and its content."""
        described = canonical_bytes(
            {"dtype": self.dtype, "name": self.name, "shape": list(self.shape)}
        )
        return Digest.of(b"\x02" + described + self.content.raw)

    @property
    def bytes(self) -> int:
        """How many bytes its values take."""
        return math.prod(self.shape) * ITEM_BYTES[self.dtype]

    @property
    def parameters(self) -> int:
        """How many values it holds."""
        return math.prod(self.shape)

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in digest lists."""
        return {
            "name": self.name,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "content": str(self.content),
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Any], *, file: str) -> "TensorDigest":
        """Return the digest that stands in a digest list.

        Args:
            said: The object.
            file: What the mistake calls the list.

        Raises:
            WeightsError: It is not of this form.
        """
        name, dtype, shape = said.get("name"), said.get("dtype"), said.get("shape")
        content = said.get("content")
        if not (
            set(said) == {"name", "dtype", "shape", "content"}
            and isinstance(name, str)
            and isinstance(dtype, str)
            and dtype in ITEM_BYTES
            and isinstance(shape, list)
            and all(type(length) is int and length >= 0 for length in shape)
            and isinstance(content, str)
            and re.fullmatch(r"sha256:[0-9a-f]{64}", content) is not None
        ):
            raise WeightsError(
                [
                    Mistake(
                        file=file,
                        place=f"tensor {shown(name)}",
                        read="something else than a tensor's digest",
                        expected="name, dtype, shape and content, and no other key",
                        remedy="Make the list again with source_digests().",
                    )
                ]
            )
        return cls(name=name, dtype=dtype, shape=tuple(shape), content=Digest.parse(content))


def chunk_leaves(pieces: Iterable[Bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield every chunk's 32-byte leaf hash and its length; pieces may be cut anywhere.

    Args:
        pieces: The tensor's bytes in order. None of them is kept, so that one buffer may
            serve for all.

    Example:
        >>> [(leaf.hex()[:8], length) for leaf, length in chunk_leaves([b"ab", b"c"])]
        [('609f6e36', 3)]
    """
    running, filled = hashlib.sha256(b"\x00"), 0
    for piece in pieces:
        view = memoryview(piece).cast("B")
        while view:
            part = view[: CHUNK_BYTES - filled]
            running.update(part)
            filled += len(part)
            view = view[len(part) :]
            if filled == CHUNK_BYTES:
                yield running.digest(), filled
                running, filled = hashlib.sha256(b"\x00"), 0
    if filled:
        yield running.digest(), filled


def tensor_digest(
    name: str, dtype: str, *, shape: Sequence[int], chunks: Iterable[Bytes]
) -> TensorDigest:
    """Return the digest of a tensor whose bytes come in pieces.

    Args:
        name: What the model's format calls it.
        dtype: A key of `ITEM_BYTES`, such as `BF16`.
        shape: Lengths of the whole tensor's axes.
        chunks: Its bytes, little-endian and in C order, cut anywhere.

    Raises:
        WeightsError: The type has no name in safetensors, or the bytes are not as many as the
            shape needs.

    Example:
        >>> whole = tensor_digest("w", "U8", shape=(3,), chunks=[b"abc"])
        >>> whole == tensor_digest("w", "U8", shape=(3,), chunks=[b"a", b"bc"])
        True
    """
    edge, length = Frontier(), 0
    for leaf, size in chunk_leaves(chunks):
        for _ in edge.add([leaf]):
            pass
        length += size
    needed = math.prod(shape) * ITEM_BYTES[dtype] if dtype in ITEM_BYTES else None
    if needed != length:
        raise WeightsError(
            [
                Mistake(
                    file=f"tensor {name!r}",
                    place="",
                    read=f"{length} bytes of {dtype} for the shape {list(shape)}",
                    expected="one of the types " + ", ".join(ITEM_BYTES)
                    if needed is None
                    else f"the {needed} bytes that this shape needs",
                )
            ]
        )
    return TensorDigest(name=name, dtype=dtype, shape=tuple(shape), content=Digest(edge.root.hex()))
