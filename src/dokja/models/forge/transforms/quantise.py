"""Stores matrices in fewer bits: int8 by row, int4 by group, FP8 by block.

Each scheme divides by a scale so that the largest value just fits, and rounds to the nearest
(ties to even). The result comes in two forms of the same numbers: as stored, with scales beside
the codes, or multiplied out to float32, which shows what the loss of bits does to any engine.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TransformError
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan, Tensors, copied
from dokja.values import Json

__all__ = [
    "SCHEMES",
    "Codes",
    "Scheme",
    "decode",
    "encode",
    "quantise",
    "restore",
]

Array = NDArray[Any]

INT8_LARGEST = 127
INT4_LARGEST = 7
FP8_LARGEST = 448.0
"""Largest finite value of e4m3fn (Micikevicius et al., arXiv 2209.05433, table 1)."""

_LEFT_ALONE = ("embed_tokens", "lm_head", "wte", "wpe", "mlp.gate.", "block_sparse_moe.gate.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Codes:
    """A quantised matrix.

    Attributes:
        codes: int8 `(rows, columns)`; for int4, uint8 `(rows, half the columns rounded up)`, the
            even column in the low four bits; for FP8, float8_e4m3fn `(rows, columns)`.
        scales: float32: `(rows, 1)`, `(rows, groups)` or `(row blocks, column blocks)`.
        columns: How many columns the matrix has.
    """

    codes: Array
    scales: NDArray[np.float32]
    columns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheme:
    """How a matrix is cut into parts that share a scale, and what its codes are.

    Attributes:
        rows: Rows that share a scale.
        columns: Columns that share a scale; 0 for all of them.
        largest: The code that the largest value becomes.
        dtype: Of the stored codes.
        bits: Of one code.
        scale_name: Ending of the scales' name, after the matrix's.
        source: Where the layout comes from.
    """

    rows: int
    columns: int
    largest: float
    dtype: np.dtype[Any]
    bits: int
    scale_name: str
    source: str


SCHEMES: Mapping[str, Scheme] = MappingProxyType(
    {
        "int8-row": Scheme(
            rows=1,
            columns=0,
            largest=INT8_LARGEST,
            dtype=np.dtype(np.int8),
            bits=8,
            scale_name="_scale",
            source="symmetric, one scale a row",
        ),
        "int4-group": Scheme(
            rows=1,
            columns=32,
            largest=INT4_LARGEST,
            dtype=np.dtype(np.uint8),
            bits=4,
            scale_name="_scale",
            source="symmetric, one scale for 32 columns of a row",
        ),
        "fp8-block": Scheme(
            rows=128,
            columns=128,
            largest=FP8_LARGEST,
            dtype=np.dtype(ml_dtypes.float8_e4m3fn),
            bits=8,
            scale_name="_scale_inv",
            source="arXiv 2412.19437, section 3.3; names as in its published weights",
        ),
    }
)
"""The next scheme is one line here, and a branch in `encode` and `decode` if it packs anew."""


def encode(matrix: Array, scheme: Scheme) -> Codes:
    """Return a matrix in fewer bits.

    Args:
        matrix: Shape `(rows, columns)`, finite.
        scheme: One of `SCHEMES`.

    Raises:
        TransformError: A value is NaN or an infinity.

    Example:
        >>> codes = encode(np.array([[0.5, -1.0]], dtype=np.float32), SCHEMES["int8-row"])
        >>> codes.codes.tolist()
        [[64, -127]]
    """
    rows, columns = matrix.shape
    values = matrix.astype(np.float32, copy=False)
    scales = _scales(values, scheme)
    scaled = values / _spread(scales, scheme, rows=rows, columns=columns)
    if scheme.dtype == ml_dtypes.float8_e4m3fn:
        # A quotient a rounding above the largest code still rounds to it.
        return Codes(codes=scaled.astype(scheme.dtype), scales=scales, columns=columns)
    whole = np.clip(np.rint(scaled), -scheme.largest, scheme.largest).astype(np.int8)
    return Codes(
        codes=_packed(whole) if scheme.bits == 4 else whole,  # noqa: PLR2004  # half a byte
        scales=scales,
        columns=columns,
    )


def decode(codes: Codes, scheme: Scheme) -> NDArray[np.float32]:
    """Return the matrix that the codes stand for, as float32."""
    whole = _unpacked(codes.codes, codes.columns) if scheme.bits == 4 else codes.codes  # noqa: PLR2004  # half a byte
    values = whole.astype(np.float32)
    values *= _spread(codes.scales, scheme, rows=len(values), columns=codes.columns)
    return values


def quantise(
    model: Model, *, scheme: str, form: str = "fake", tensors: Sequence[str] = ()
) -> Transformed:
    """Return the model with its matrices in fewer bits.

    Args:
        model: Any family.
        scheme: A key of `SCHEMES`.
        form: `fake` for float32 values after the loss of bits, `stored` for codes and scales.
        tensors: Name patterns of the matrices; all but embeddings, heads and routers by default.

    Raises:
        TransformError: The scheme or form is unknown, or a pattern names no matrix.
    """
    chosen = _chosen(model.tensors, tensors)
    refuse(_mistakes(model.tensors, scheme=scheme, form=form, patterns=tensors, chosen=chosen))
    kind = SCHEMES[scheme]
    plans: dict[str, Plan] = {}
    for name in model.tensors.names:
        if name not in chosen:
            plans[name] = copied(model.tensors, name)
        elif form == "fake":
            make = partial(_fake, model.tensors, name, scheme=kind)
            plans[name] = Plan(shape=model.tensors.shape(name), dtype=FLOAT32, make=make)
        else:
            plans |= _stored(model.tensors, name, kind)
    changes: dict[str, Json] = {}
    if form == "stored":
        changes["quantization_config"] = _config(scheme, kind)
    return Transformed(
        tensors=Derived(plans),
        structure=model.structure,
        record=TransformRecord(
            kind="quantise",
            parameters={"scheme": scheme, "form": form, "tensors": list(tensors)},
            map={"quantised": sorted(chosen), "block": [kind.rows, kind.columns]},
            parents=(model.name,),
        ),
        config_changes=changes,
    )


def restore(stored: Tensors, *, scheme: str, shapes: Mapping[str, tuple[int, ...]]) -> Derived:
    """Return the float32 tensors that stored codes and scales stand for.

    Args:
        stored: What `quantise` made with `form="stored"`.
        scheme: The scheme it was made with.
        shapes: Of every tensor before it was quantised, such as `Structure.shapes()`.

    Raises:
        KeyError: The scheme is unknown, or a tensor is missing.
    """
    kind = SCHEMES[scheme]

    def make(name: str) -> Array:
        codes = Codes(
            codes=stored.read(_code_name(name, kind)),
            scales=stored.read(f"{name}{kind.scale_name}"),
            columns=shapes[name][1],
        )
        return decode(codes, kind)

    return Derived(
        {
            name: Plan(shape=shape, dtype=FLOAT32, make=partial(make, name))
            if f"{name}{kind.scale_name}" in stored.names
            else copied(stored, name)
            for name, shape in shapes.items()
        }
    )


def _stored(tensors: Tensors, name: str, scheme: Scheme) -> dict[str, Plan]:
    rows, columns = tensors.shape(name)
    packed = -(-columns // 2) if scheme.bits == 4 else columns  # noqa: PLR2004  # half a byte

    def make(part: Callable[[Codes], Array]) -> Array:
        return part(encode(tensors.read(name), scheme))

    return {
        _code_name(name, scheme): Plan(
            shape=(rows, packed), dtype=scheme.dtype, make=lambda: make(lambda codes: codes.codes)
        ),
        f"{name}{scheme.scale_name}": Plan(
            shape=_blocks(scheme, rows=rows, columns=columns),
            dtype=FLOAT32,
            make=lambda: make(lambda codes: codes.scales),
        ),
    }


def _fake(tensors: Tensors, name: str, *, scheme: Scheme) -> NDArray[np.float32]:
    return decode(encode(tensors.read(name), scheme), scheme)


def _code_name(name: str, scheme: Scheme) -> str:
    """Return the name of the codes: packed ones have another shape, and so another name."""
    return f"{name}_packed" if scheme.bits == 4 else name  # noqa: PLR2004  # half a byte


def _config(scheme: str, kind: Scheme) -> Json:
    if scheme == "fp8-block":
        return {
            "quant_method": "fp8",
            "fmt": "e4m3",
            "activation_scheme": "dynamic",
            "weight_block_size": [kind.rows, kind.columns],
        }
    return {"quant_method": f"dokja-{scheme}", "bits": kind.bits, "group_size": kind.columns}


def _blocks(scheme: Scheme, *, rows: int, columns: int) -> tuple[int, int]:
    across = -(-columns // scheme.columns) if scheme.columns else 1
    return -(-rows // scheme.rows), across


def _scales(values: NDArray[np.float32], scheme: Scheme) -> NDArray[np.float32]:
    """Return the scale of each block: its largest absolute value over the largest code."""
    sizes = np.abs(values)
    wide = scheme.columns or max(values.shape[1], 1)
    across = np.maximum.reduceat(sizes, np.arange(0, values.shape[1], wide), axis=1)
    largest = np.maximum.reduceat(across, np.arange(0, len(values), scheme.rows), axis=0)
    if not np.isfinite(largest).all():
        raise TransformError(
            [
                Mistake(
                    file="quantise",
                    place="values",
                    read="NaN or an infinity",
                    expected="finite values: no scale holds these",
                )
            ]
        )
    scales: NDArray[np.float32] = (largest / np.float32(scheme.largest)).astype(np.float32)
    # A block of zeros, or of values too small for a scale, divides by one and becomes zeros.
    scales[scales == 0] = 1
    return scales


def _spread(
    scales: NDArray[np.float32], scheme: Scheme, *, rows: int, columns: int
) -> NDArray[np.float32]:
    """Return each value's scale, or one per row where rows share it."""
    down = np.repeat(scales, scheme.rows, axis=0)[:rows]
    if not scheme.columns:
        return down
    return np.repeat(down, scheme.columns, axis=1)[:, :columns]


def _packed(whole: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Return two codes in a byte, the even column in the low four bits."""
    even = np.pad(whole, ((0, 0), (0, whole.shape[1] % 2))).view(np.uint8) & 0xF
    return (even[:, 0::2] | (even[:, 1::2] << 4)).astype(np.uint8)


def _unpacked(packed: Array, columns: int) -> NDArray[np.int8]:
    halves = np.stack([packed & 0xF, packed >> 4], axis=-1).reshape(len(packed), -1)
    signed: NDArray[np.int8] = ((halves.astype(np.int8) ^ 8) - 8)[:, :columns]
    return signed


def _chosen(tensors: Tensors, patterns: Sequence[str]) -> frozenset[str]:
    matrices = [name for name in tensors.names if len(tensors.shape(name)) == 2]  # noqa: PLR2004  # a matrix
    if not patterns:
        return frozenset(name for name in matrices if not any(word in name for word in _LEFT_ALONE))
    return frozenset(
        name for name in matrices if any(fnmatchcase(name, pattern) for pattern in patterns)
    )


def _mistakes(
    tensors: Tensors,
    *,
    scheme: str,
    form: str,
    patterns: Sequence[str],
    chosen: frozenset[str],
) -> Iterator[Mistake]:
    for key, value, known in (("scheme", scheme, tuple(SCHEMES)), ("form", form, _FORMS)):
        if value not in known:
            yield Mistake(
                file="quantise",
                place=key,
                read=repr(value),
                expected="one of " + ", ".join(known),
            )
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in chosen):
            yield Mistake(
                file="quantise",
                place="tensors",
                read=repr(pattern),
                expected=f"a pattern that names some of the {len(tensors.names)} tensors' matrices",
            )


_FORMS = ("fake", "stored")
