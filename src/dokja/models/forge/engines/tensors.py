"""Writes safetensors so that the same tensors are always the same bytes, and lie on the disk.

Tensors follow each other by name, and their values are written from where they lie, without a
copy. The layout is that of https://huggingface.co/docs/safetensors.
"""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SHARD_BYTES", "sync_folder", "write_bytes", "write_shards", "write_tensors"]

SHARD_BYTES = 4_000_000_000
"""Above this many bytes of values, weights are split over several files."""

_ALIGNMENT = 8
_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "float64": "F64",
        "float32": "F32",
        "float16": "F16",
        "bfloat16": "BF16",
        "int64": "I64",
        "int32": "I32",
        "int16": "I16",
        "int8": "I8",
        "uint64": "U64",
        "uint32": "U32",
        "uint16": "U16",
        "uint8": "U8",
        "bool": "BOOL",
    }
)


def write_shards(
    folder: Path,
    tensors: Mapping[str, NDArray[Any]],
    *,
    stem: str = "model",
    shard_bytes: int | None = SHARD_BYTES,
) -> tuple[Path, ...]:
    """Write tensors to one file, or to several with an index beside them.

    Args:
        folder: Where.
        tensors: By name.
        stem: The files' name without ending.
        shard_bytes: Most bytes of values in one file; None for no limit. A tensor that is
            larger has a file of its own.

    Returns:
        The files of tensors, in order.
    """
    groups: list[dict[str, NDArray[Any]]] = [{}]
    filled = 0
    for name in sorted(tensors):
        size = tensors[name].nbytes
        if shard_bytes is not None and groups[-1] and filled + size > shard_bytes:
            groups.append({})
            filled = 0
        groups[-1][name] = tensors[name]
        filled += size
    if len(groups) == 1:
        path = folder / f"{stem}.safetensors"
        write_tensors(path, groups[0])
        return (path,)
    count = len(groups)
    paths = [folder / f"{stem}-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
    for path, group in zip(paths, groups, strict=True):
        write_tensors(path, group)
    index = {
        "metadata": {"total_size": sum(array.nbytes for array in tensors.values())},
        "weight_map": {
            name: path.name for path, group in zip(paths, groups, strict=True) for name in group
        },
    }
    text = json.dumps(index, indent=1, sort_keys=True)
    write_bytes(folder / f"{stem}.safetensors.index.json", [text.encode() + b"\n"])
    return tuple(paths)


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Write one safetensors file and sync it.

    Raises:
        ValueError: A tensor's dtype has no name in the format.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.numpy import load_file
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.safetensors"
        ...     write_tensors(path, {"b": np.arange(3, dtype=np.float32)})
        ...     load_file(path)["b"].tolist()
        [0.0, 1.0, 2.0]
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in sorted(tensors):
        array = tensors[name]
        if array.dtype.name not in _NAMES:
            raise ValueError(f"{name} is of {array.dtype}, which safetensors does not know")
        header[name] = {
            "dtype": _NAMES[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    raw = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    raw += b" " * (-len(raw) % _ALIGNMENT)
    pieces = (_little_endian(tensors[name]) for name in sorted(tensors))
    write_bytes(path, [len(raw).to_bytes(8, "little"), raw, *pieces])


def _little_endian(array: NDArray[Any]) -> memoryview:
    if array.dtype.byteorder == ">":
        array = array.astype(array.dtype.newbyteorder("<"))
    # bfloat16 is no type that a buffer can name, so all go as bytes.
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def write_bytes(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write pieces one after the other and wait until they are on the disk."""
    with path.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
        stream.flush()
        os.fsync(stream.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the folder's list of names is on the disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
