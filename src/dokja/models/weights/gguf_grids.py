"""How the block types of GGUF become float32, vectorised over blocks.

The layouts are those of ggml's `ggml-common.h`; multiplications stand in the order of its
reference code, so that the values are equal bit by bit. A block is decoded as it is: scales
that are no number give values that are no number, and show.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.weights.grids import PLAIN_GRIDS, Grid

__all__ = ["GGUF_GRIDS", "GGUF_TYPES"]

_Bytes = NDArray[np.uint8]
_Floats = NDArray[np.float32]


def _half(blocks: _Bytes, at: int) -> _Floats:
    """Return the float16 at this byte of every block, as a column."""
    return np.ascontiguousarray(blocks[:, at : at + 2]).view("<f2").astype(np.float32)


def _nibbles(codes: _Bytes, width: int) -> _Bytes:
    """Return the low halves of every `width` bytes, then their high halves."""
    groups = codes.reshape(len(codes), -1, 1, width)
    return np.concatenate([groups & 0xF, groups >> 4], axis=2).reshape(len(codes), -1)


def _fifth_bits(blocks: _Bytes, at: int) -> _Bytes:
    """Return the bits of the four bytes there, each as 0 or 16."""
    bits = np.unpackbits(blocks[:, at : at + 4], axis=1, bitorder="little")
    return np.left_shift(bits, 4, out=bits)


def _centred(codes: _Bytes, middle: int, *, scale: _Floats, out: _Floats) -> None:
    signed = codes.view(np.int8) - np.int8(middle)
    np.multiply(signed, scale, out=out, casting="unsafe", dtype=np.float32)


def _q4_0(blocks: _Bytes, out: _Floats) -> None:
    _centred(_nibbles(blocks[:, 2:], 16), 8, scale=_half(blocks, 0), out=out)


def _q4_1(blocks: _Bytes, out: _Floats) -> None:
    np.multiply(_nibbles(blocks[:, 4:], 16), _half(blocks, 0), out=out, dtype=np.float32)
    out += _half(blocks, 2)


def _q5_0(blocks: _Bytes, out: _Floats) -> None:
    codes = _nibbles(blocks[:, 6:], 16) | _fifth_bits(blocks, 2)
    _centred(codes, 16, scale=_half(blocks, 0), out=out)


def _q5_1(blocks: _Bytes, out: _Floats) -> None:
    codes = _nibbles(blocks[:, 8:], 16) | _fifth_bits(blocks, 4)
    np.multiply(codes, _half(blocks, 0), out=out, dtype=np.float32)
    out += _half(blocks, 2)


def _q8_0(blocks: _Bytes, out: _Floats) -> None:
    np.multiply(blocks[:, 2:].view(np.int8), _half(blocks, 0), out=out, dtype=np.float32)


_FP4 = np.array([0, 1, 2, 3, 4, 6, 8, 12], dtype=np.float32)
_FP4_SIGNED = np.concatenate([_FP4, -_FP4])


def _mxfp4(blocks: _Bytes, out: _Floats) -> None:
    # The table holds doubled values, so that the exponent's bias is one more than e8m0's 127.
    exponents = blocks[:, :1].astype(np.int32) - 128
    np.multiply(
        _FP4_SIGNED[_nibbles(blocks[:, 1:], 16)], np.ldexp(np.float32(1), exponents), out=out
    )


def _two_bits(codes: _Bytes) -> _Bytes:
    """Return the 256 two-bit codes of 64 bytes: of each 32 bytes the lowest two bits first."""
    halves = codes.reshape(len(codes), 2, 1, 32)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8).reshape(1, 1, 4, 1)
    two: _Bytes = (halves >> shifts).astype(np.uint8, copy=False) & np.uint8(3)
    return two.reshape(len(codes), 256)


def _grouped(
    codes: NDArray[np.uint8] | NDArray[np.int8],
    scales: _Floats,
    out: _Floats,
    *,
    less: _Floats | None = None,
) -> None:
    """Write codes times the scale of their group, less the group's minimum."""
    shape = (*scales.shape, 256 // scales.shape[1])
    grouped = out.reshape(shape)
    np.multiply(codes.reshape(shape), scales[:, :, None], out=grouped, dtype=np.float32)
    if less is not None:
        grouped -= less[:, :, None]


def _q2_k(blocks: _Bytes, out: _Floats) -> None:
    packed = blocks[:, :16]
    scales = _half(blocks, 80) * (packed & 0xF).astype(np.float32)
    less = _half(blocks, 82) * (packed >> 4).astype(np.float32)
    _grouped(_two_bits(blocks[:, 16:80]), scales, out, less=less)


def _q3_k(blocks: _Bytes, out: _Floats) -> None:
    high = np.unpackbits(blocks[:, :32], axis=1, bitorder="little").reshape(-1, 32, 8)
    fours = np.ascontiguousarray(high.transpose(0, 2, 1)).reshape(-1, 256) << 2
    codes = (_two_bits(blocks[:, 32:96]) + fours).view(np.int8) - np.int8(4)
    packed = blocks[:, 96:108]
    low = np.concatenate([packed[:, :8] & 0xF, packed[:, :8] >> 4], axis=1)
    shifts = np.array([0, 2, 4, 6], dtype=np.uint8).reshape(1, 4, 1)
    two = ((packed[:, None, 8:] >> shifts) & 3).reshape(-1, 16)
    whole = (low | (two << 4)).view(np.int8) - np.int8(32)
    _grouped(codes, _half(blocks, 108) * whole.astype(np.float32), out)


def _six_bits(packed: _Bytes) -> tuple[_Bytes, _Bytes]:
    """Return the eight scales and eight minima that twelve bytes hold."""
    first, second, third = packed[:, :4], packed[:, 4:8], packed[:, 8:]
    scales = np.concatenate([first & 63, (third & 0xF) | ((first >> 6) << 4)], axis=1)
    minima = np.concatenate([second & 63, (third >> 4) | ((second >> 6) << 4)], axis=1)
    return scales, minima


def _four_bit_k(codes: NDArray[Any], blocks: _Bytes, out: _Floats) -> None:
    scales, minima = _six_bits(blocks[:, 4:16])
    less = _half(blocks, 2) * minima.astype(np.float32)
    _grouped(codes, _half(blocks, 0) * scales.astype(np.float32), out, less=less)


def _q4_k(blocks: _Bytes, out: _Floats) -> None:
    _four_bit_k(_nibbles(blocks[:, 16:], 32), blocks, out)


def _q5_k(blocks: _Bytes, out: _Floats) -> None:
    high = np.unpackbits(blocks[:, 16:48], axis=1, bitorder="little").reshape(-1, 32, 8)
    fifth = np.ascontiguousarray(high.transpose(0, 2, 1)).reshape(-1, 256) << 4
    fifth |= _nibbles(blocks[:, 48:], 32)
    _four_bit_k(fifth, blocks, out)


def _q6_k(blocks: _Bytes, out: _Floats) -> None:
    low = _nibbles(blocks[:, :128], 64)
    codes = (low | (_two_bits(blocks[:, 128:192]) << 4)).view(np.int8) - np.int8(32)
    scales = blocks[:, 192:208].view(np.int8).astype(np.float32)
    _grouped(codes, _half(blocks, 208) * scales, out)


def _blockwise(
    decode: Callable[[_Bytes, _Floats], None],
    sizes: tuple[int, int],
    raw: NDArray[np.uint8],
    out: NDArray[np.float32],
) -> None:
    values, size = sizes
    # Scales may be infinite or no number: what comes of them is told by the values.
    with np.errstate(invalid="ignore", over="ignore"):
        decode(raw.reshape(-1, size), out.reshape(-1, values))


_BLOCKS: Mapping[str, tuple[int, int, Callable[[_Bytes, _Floats], None]]] = MappingProxyType(
    {
        "Q4_0": (32, 18, _q4_0),
        "Q4_1": (32, 20, _q4_1),
        "Q5_0": (32, 22, _q5_0),
        "Q5_1": (32, 24, _q5_1),
        "Q8_0": (32, 34, _q8_0),
        "Q2_K": (256, 84, _q2_k),
        "Q3_K": (256, 110, _q3_k),
        "Q4_K": (256, 144, _q4_k),
        "Q5_K": (256, 176, _q5_k),
        "Q6_K": (256, 210, _q6_k),
        "MXFP4": (32, 17, _mxfp4),
    }
)

GGUF_GRIDS: Mapping[str, Grid] = MappingProxyType(
    {name: PLAIN_GRIDS[name] for name in ("F32", "F16", "BF16", "F64", "I8", "I16", "I32", "I64")}
    | {
        name: Grid(values=values, bytes=size, decode=partial(_blockwise, decode, (values, size)))
        for name, (values, size, decode) in _BLOCKS.items()
    }
)
"""The grid of every type of GGUF that is read."""

GGUF_TYPES: Mapping[int, str] = MappingProxyType(
    {
        0: "F32",
        1: "F16",
        2: "Q4_0",
        3: "Q4_1",
        6: "Q5_0",
        7: "Q5_1",
        8: "Q8_0",
        10: "Q2_K",
        11: "Q3_K",
        12: "Q4_K",
        13: "Q5_K",
        14: "Q6_K",
        24: "I8",
        25: "I16",
        26: "I32",
        27: "I64",
        28: "F64",
        30: "BF16",
        39: "MXFP4",
    }
)
"""The name of every type number that is read."""
