"""Which stored tensors stand for one matrix, told by their names, types and shapes.

`x.weight` beside `x.weight_scale` or `x.weight_scale_inv`; `x.weight_packed` with its scale;
`x.qweight` with `x.qzeros` and `x.scales`. What is put together is shown as `x.weight`; what
belongs together and does not fit is a mistake, and what is alone stays what it is. The
configuration is a claim: it settles only what shapes leave open.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeGuard

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.columnwise import Awq, Gptq
from dokja.models.weights.headers import TensorInfo, shown
from dokja.models.weights.held import Held, StoredTensor
from dokja.models.weights.scaled import Packing, Scaled, block_length

__all__ = ["unpacked"]

_Stored = Mapping[str, StoredTensor]
_FLOATS = frozenset({"F32", "F16", "BF16"})
_SCALES = _FLOATS | {"F8_E8M0"}
_CODES = frozenset({"F8_E4M3", "F8_E5M2", "I8"})
_MATRIX, _STACK = 2, 3


class _Claim:
    """What a configuration says of how its weights are stored."""

    def __init__(self, config: Mapping[str, Any] | None) -> None:
        said = (config or {}).get("quantization_config")
        self._said: Mapping[str, Any] = said if isinstance(said, dict) else {}

    @property
    def block(self) -> tuple[int | None, int | None]:
        """Rows and columns that share a scale."""
        said = self._said.get("weight_block_size")
        if isinstance(said, list) and len(said) == 2 and all(map(_is_count, said)):  # noqa: PLR2004  # rows and columns
            return said[0], said[1]
        size = self._said.get("group_size")
        return None, size if _is_count(size) else None

    @property
    def bits(self) -> int:
        """Bits of a code; four unless another number is said."""
        groups = self._said.get("config_groups")
        first = next(iter(groups.values()), None) if isinstance(groups, dict) else None
        weights = first.get("weights") if isinstance(first, dict) else None
        said = weights.get("num_bits") if isinstance(weights, dict) else self._said.get("bits")
        return said if _is_count(said) else 4

    @property
    def whole_zeros(self) -> bool:
        """Whether GPTQ's zeros are stored as they are."""
        return self._said.get("checkpoint_format") == "gptq_v2"


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 31


def unpacked(stored: _Stored, *, config: Mapping[str, Any] | None, file: str) -> Mapping[str, Held]:
    """Return the tensors that the stored ones stand for, by their logical names.

    Args:
        stored: As they lie in the files.
        config: The configuration, if there is one.
        file: What mistakes call the weights.

    Raises:
        WeightsError: Tensors that belong together do not fit each other.
    """
    claim = _Claim(config)
    found: dict[str, Held] = {}
    used: set[str] = set()
    mistakes: list[Mistake] = []
    for name in sorted(stored):
        built = _build(stored, name, claim)
        if isinstance(built, str):
            mistakes.append(_mistake(file, name, built))
        elif built is not None:
            found[built[0].info.name] = built[0]
            used |= built[1]
    for name, tensor in stored.items():
        if name not in used and name not in found:
            found[name] = tensor
        elif name in found and name not in used:
            mistakes.append(_mistake(file, name, "a matrix whose codes are there too"))
    if mistakes:
        raise WeightsError(mistakes[:100])
    return found


def _mistake(file: str, name: str, read: str) -> Mistake:
    return Mistake(
        file=file,
        place=f"tensor {shown(name)}",
        read=read,
        expected="codes, scales and zeros whose types and shapes fit each other",
        remedy="Write the weights as BF16 where they were made, and hand in those.",
    )


_Built = tuple[Held, set[str]] | str | None
"""A matrix and the names that it is made of; why it cannot be; nothing when it is no such."""


def _build(stored: _Stored, name: str, claim: _Claim) -> _Built:
    if name.endswith("_packed"):
        return _packed(stored, name.removesuffix("_packed"), claim)
    if name.endswith("qweight"):
        return _columnwise(stored, name.removesuffix("qweight"), claim)
    if stored[name].info.dtype == "U8" and any(part in stored for part in _unread_parts(name)):
        return "codes of MXFP4 or bitsandbytes, which are not read"
    return _scaled(stored, name, claim)


def _unread_parts(name: str) -> tuple[str, ...]:
    """Return what lies beside codes of formats that are not read."""
    blocks = (f"{name.removesuffix('_blocks')}_scales",) if name.endswith("_blocks") else ()
    return (*blocks, f"{name}.absmax")


def _scaled(stored: _Stored, name: str, claim: _Claim) -> _Built:
    """Build a matrix of 8-bit codes under its own name."""
    codes = stored[name]
    scales = stored.get(f"{name}_scale_inv") or stored.get(f"{name}_scale")
    if scales is None:
        return None
    if codes.info.dtype not in _CODES:
        # A float matrix may have a scale of another meaning; packed codes may not go unread.
        return "codes of a type that is not read" if codes.info.dtype == "U8" else None
    if scales.info.dtype not in _SCALES:
        return f"scales of type {scales.info.dtype}"
    if f"{name}_zero_point" in stored:
        return "a zero point, which is not read"
    block = _block(codes.info.shape, scales.info.shape, claim)
    if block is None:
        return f"scales of shape {list(scales.info.shape)} for {list(codes.info.shape)}"
    names = {name, scales.info.name}
    return Scaled(info=codes.info, codes=codes, scales=scales, block=block), names


def _packed(stored: _Stored, name: str, claim: _Claim) -> _Built:
    """Build a matrix whose codes are packed along its rows."""
    codes, scales = stored[f"{name}_packed"], stored.get(f"{name}_scale")
    if scales is None or scales.info.dtype not in _FLOATS or len(codes.info.shape) != _MATRIX:
        return "packed codes without scales of a float type"
    if f"{name}_zero_point" in stored or f"{name}_g_idx" in stored:
        return "zero points or an order of groups beside packed codes, which are not read"
    if codes.info.dtype == "U8":
        packing, per_item = Packing(bits=4, offset=False), 2
    elif codes.info.dtype == "I32" and claim.bits in {4, 8}:
        packing, per_item = Packing(bits=claim.bits, offset=True), 32 // claim.bits
    else:
        return f"packed codes of {claim.bits} bits in {codes.info.dtype}"
    shape = (codes.info.shape[0], codes.info.shape[1] * per_item)
    block = _block(shape, scales.info.shape, claim)
    if block is None:
        return f"scales of shape {list(scales.info.shape)} for {list(shape)}"
    info = _logical(codes.info, name, shape=shape, dtype=f"I{packing.bits}")
    names = {f"{name}_packed", scales.info.name, f"{name}_shape"}
    return Scaled(info=info, codes=codes, scales=scales, block=block, packing=packing), names


def _block(
    shape: tuple[int, ...], scales: tuple[int, ...], claim: _Claim
) -> tuple[int, int] | None:
    """Return rows and columns that share a scale; None when the shapes do not fit."""
    if len(shape) == _STACK and len(scales) == _STACK and scales[0] == shape[0]:
        shape, scales = shape[1:], scales[1:]
    if len(shape) != _MATRIX:
        return None
    down, across = {0: (1, 1), 1: (*scales, 1)}.get(len(scales), scales[:2])
    if len(scales) > _MATRIX or not (down and across):
        return None
    said = claim.block
    high = block_length(shape[0], down, said=said[0])
    wide = block_length(shape[1], across, said=said[1])
    return None if high is None or wide is None else (high, wide)


def _columnwise(stored: _Stored, base: str, claim: _Claim) -> _Built:
    """Build a matrix of GPTQ or AWQ; which of the two, the shapes say."""
    parts = [stored.get(f"{base}{ending}") for ending in ("qweight", "qzeros", "scales")]
    codes, zeros, scales = parts
    if codes is None or zeros is None or scales is None:
        return "codes without zeros or scales"
    shapes = [part.info.shape for part in (codes, zeros, scales)]
    types = (codes.info.dtype, zeros.info.dtype, scales.info.dtype in _FLOATS)
    if types != ("I32", "I32", True) or any(len(shape) != _MATRIX for shape in shapes):
        return "codes and zeros that are no matrices of int32, or scales that are none of floats"
    groups, outputs = scales.info.shape
    if not groups or zeros.info.shape[0] != groups:
        return f"zeros of shape {list(zeros.info.shape)} for scales of {list(scales.info.shape)}"
    names = {f"{base}{ending}" for ending in ("qweight", "qzeros", "scales", "g_idx")}
    if codes.info.shape[1] * 8 == outputs and zeros.info.shape[1] == codes.info.shape[1]:
        shape = (outputs, codes.info.shape[0])
        info = _logical(codes.info, f"{base}weight", shape=shape, dtype="AWQ4")
        return Awq(info=info, codes=codes, zeros=zeros, scales=scales), names
    order = stored.get(f"{base}g_idx")
    return _gptq(base, codes, zeros, scales=scales, order=order, claim=claim, names=names)


def _gptq(
    base: str,
    codes: StoredTensor,
    zeros: StoredTensor,
    *,
    scales: StoredTensor,
    order: StoredTensor | None,
    claim: _Claim,
    names: set[str],
) -> _Built:
    outputs = scales.info.shape[1]
    bits = zeros.info.shape[1] * 32 // outputs if outputs else 0
    inputs = codes.info.shape[0] * 32 // bits if bits in {2, 4, 8} else 0
    fits = codes.info.shape[1] == outputs and zeros.info.shape[1] * 32 == outputs * bits
    ordered = order is None or (order.info.dtype, order.info.shape) == ("I32", (inputs,))
    if not inputs or not fits or not ordered:
        return f"codes of shape {list(codes.info.shape)} for scales of {list(scales.info.shape)}"
    info = _logical(codes.info, f"{base}weight", shape=(outputs, inputs), dtype=f"GPTQ{bits}")
    held = Gptq(
        info=info,
        codes=codes,
        zeros=zeros,
        scales=scales,
        order=order,
        bits=bits,
        whole_zeros=claim.whole_zeros,
    )
    return held, names


def _logical(codes: TensorInfo, name: str, *, shape: tuple[int, ...], dtype: str) -> TensorInfo:
    return replace(codes, name=name, shape=shape, dtype=dtype)
