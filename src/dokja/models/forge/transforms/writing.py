"""Writes tensors as a Hugging Face folder of safetensors, whole or not at all.

Headers follow from names, shapes and types, so that each tensor is written as it is made and
memory holds one at a time. Everything goes into an unfinished sibling, which takes the folder's
name when all of it is on the disk.
"""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike

from dokja.errors import Mistake, TransformError
from dokja.models.forge.transforms.tensors import Tensors
from dokja.values import Json

__all__ = ["STORED", "TensorsFile", "write_folder", "write_tensors"]

STORED: Mapping[str, np.dtype[Any]] = MappingProxyType(
    {
        "F64": np.dtype("<f8"),
        "F32": np.dtype("<f4"),
        "F16": np.dtype("<f2"),
        "BF16": np.dtype(ml_dtypes.bfloat16),
        "F8_E4M3": np.dtype(ml_dtypes.float8_e4m3fn),
        "I64": np.dtype("<i8"),
        "I32": np.dtype("<i4"),
        "I8": np.dtype("i1"),
        "U8": np.dtype("u1"),
    }
)
"""Types that can be written, by the names that safetensors gives them."""

_CODES = {dtype: code for code, dtype in STORED.items()}
_TOLD: Mapping[str | None, str] = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}
_ALIGNMENT = 8
_PIECE = 1 << 24


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorsFile:
    """A file to be written: its name and its tensors in the order of their bytes."""

    name: str
    tensors: tuple[str, ...]
    bytes: int


def write_folder(
    tensors: Tensors,
    folder: Path,
    *,
    config: Mapping[str, Json] | None = None,
    dtype: str | None = None,
    shard_bytes: int = 4 << 30,
    files: Mapping[str, bytes] | None = None,
    stem: str = "model",
) -> tuple[Path, ...]:
    """Write tensors, configuration and further files as a new folder.

    Args:
        tensors: What is written, one in memory at a time.
        folder: Where; it must not exist yet, its parent must.
        config: Becomes `config.json`, its `dtype` being what is written; none without it.
        dtype: A key of `STORED` to which floats are rounded; as they are by default.
        shard_bytes: Most bytes of values in one file; a larger tensor gets one of its own. More
            than one file are listed in `model.safetensors.index.json`.
        files: Further small files by name, such as the tokenizer's.
        stem: What the files of tensors are called: `adapter_model` for an adapter.

    Returns:
        Every file that was written, sorted by name.

    Raises:
        TransformError: The folder exists, its parent does not, or a type cannot be written.
        OSError: The disk did not take it; the unfinished sibling was removed.
    """
    stored = _stored_types(tensors, dtype)
    _refuse_place(folder)
    shards = _shards(tensors, stored, shard_bytes=shard_bytes, stem=stem)
    unfinished = folder.parent / f".{folder.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)  # left by a process that was killed
    unfinished.mkdir()
    try:
        for shard in shards:
            with (unfinished / shard.name).open("xb") as stream:
                _write_shard(tensors, shard, stored=stored, stream=stream)
        for name, content in _small_files(shards, config, files or {}, stem=stem, dtype=dtype):
            with (unfinished / name).open("xb") as stream:
                stream.write(content)
                _settle(stream)
        _settle_folder(unfinished)
        unfinished.rename(folder)
        _settle_folder(folder.parent)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)  # gone already once it has its name
    return tuple(sorted(folder.iterdir()))


def _refuse_place(folder: Path) -> None:
    if folder.exists() or not folder.parent.is_dir():
        read = "a folder that exists" if folder.exists() else "a parent that does not exist"
        raise TransformError(
            [Mistake(file=str(folder), place="", read=read, expected="a new folder in an old one")]
        )


def write_tensors(tensors: Tensors, path: Path, *, dtype: str | None = None) -> None:
    """Write tensors as one safetensors file, whole or not at all; it replaces an older one.

    Args:
        tensors: What is written, one in memory at a time.
        path: The file.
        dtype: A key of `STORED` to which floats are rounded; as they are by default.

    Raises:
        TransformError: A type cannot be written.
        OSError: The disk did not take it; the unfinished sibling was removed.
    """
    stored = _stored_types(tensors, dtype)
    (shard,) = _shards(tensors, stored, shard_bytes=2**63, stem=path.stem)
    unfinished = path.parent / f".{path.name}.unfinished"
    try:
        with unfinished.open("wb") as stream:
            _write_shard(tensors, shard, stored=stored, stream=stream)
        unfinished.replace(path)
        _settle_folder(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)  # gone already once it has its name


def _stored_types(tensors: Tensors, dtype: str | None) -> dict[str, np.dtype[Any]]:
    if dtype is not None and dtype not in STORED:
        raise TransformError(
            [
                Mistake(
                    file="write",
                    place="dtype",
                    read=repr(dtype),
                    expected="one of " + ", ".join(STORED),
                )
            ]
        )
    # A float's type may be asked for; packed integers and FP8 stay what their scales belong to.
    chosen = {
        name: STORED[dtype]
        if dtype is not None and tensors.dtype(name) in _ROUNDED
        else tensors.dtype(name).newbyteorder("<")
        for name in tensors.names
    }
    wrong = [
        Mistake(
            file="write",
            place=f"tensor {name}",
            read=str(kind),
            expected="one of " + ", ".join(STORED),
        )
        for name, kind in chosen.items()
        if kind not in _CODES
    ]
    if wrong:
        raise TransformError(wrong)
    return chosen


_ROUNDED = frozenset(STORED[code] for code in ("F64", "F32", "F16", "BF16"))


def _bytes(tensors: Tensors, name: str, dtype: np.dtype[Any]) -> int:
    return math.prod(tensors.shape(name)) * dtype.itemsize


def _shards(
    tensors: Tensors, stored: Mapping[str, np.dtype[Any]], *, shard_bytes: int, stem: str
) -> list[TensorsFile]:
    groups: list[list[str]] = [[]]
    sizes = [0]
    for name in tensors.names:
        needed = _bytes(tensors, name, stored[name])
        if groups[-1] and sizes[-1] + needed > shard_bytes:
            groups.append([])
            sizes.append(0)
        groups[-1].append(name)
        sizes[-1] += needed
    if len(groups) == 1:
        return [TensorsFile(name=f"{stem}.safetensors", tensors=tuple(groups[0]), bytes=sizes[0])]
    return [
        TensorsFile(
            name=f"{stem}-{number:05d}-of-{len(groups):05d}.safetensors",
            tensors=tuple(group),
            bytes=size,
        )
        for number, (group, size) in enumerate(zip(groups, sizes, strict=True), start=1)
    ]


def _write_shard(
    tensors: Tensors,
    shard: TensorsFile,
    *,
    stored: Mapping[str, np.dtype[Any]],
    stream: BinaryIO,
) -> None:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in shard.tensors:
        stop = start + _bytes(tensors, name, stored[name])
        header[name] = {
            "dtype": _CODES[stored[name]],
            "shape": list(tensors.shape(name)),
            "data_offsets": [start, stop],
        }
        start = stop
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    # Values start at a multiple of eight bytes, so that they can be mapped as they are.
    text += b" " * (-len(text) % _ALIGNMENT)
    stream.write(len(text).to_bytes(8, "little") + text)
    for name in shard.tensors:
        stream.writelines(_pieces(tensors.read(name), stored[name]))
    _settle(stream)


def _pieces(values: Any, dtype: DTypeLike) -> Iterator[bytes]:
    flat = np.ascontiguousarray(values).reshape(-1)
    for start in range(0, len(flat), _PIECE):
        with np.errstate(over="ignore"):  # beyond the narrower type: an infinity, which shows
            yield flat[start : start + _PIECE].astype(dtype).tobytes()


def _small_files(
    shards: list[TensorsFile],
    config: Mapping[str, Json] | None,
    files: Mapping[str, bytes],
    *,
    stem: str,
    dtype: str | None,
) -> Iterator[tuple[str, bytes]]:
    if len(shards) > 1:
        index = {
            "metadata": {"total_size": sum(shard.bytes for shard in shards)},
            "weight_map": {name: shard.name for shard in shards for name in shard.tensors},
        }
        yield f"{stem}.safetensors.index.json", _written(index)
    if config is not None:
        told = {"dtype": _TOLD[dtype]} if dtype in _TOLD and "dtype" in config else {}
        yield "config.json", _written({**config, **told})
    yield from files.items()


def _written(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _settle(stream: BinaryIO) -> None:
    stream.flush()
    os.fsync(stream.fileno())


def _settle_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
