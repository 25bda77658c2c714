"""Weights files as an honest team writes them, and as nobody should."""

import json
from pathlib import Path

import numpy as np
import pytest


def header_of(tensors):
    """Describe float32 tensors of these shapes, one after the other."""
    header, at = {}, 0
    for name, shape in tensors.items():
        size = 4 * int(np.prod(shape, dtype=np.int64))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header, at


def write(path, header, data=b"", *, stated=None):
    """Write a safetensors file byte by byte; `header` is an object or raw bytes."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    length = len(raw) if stated is None else stated
    path.write_bytes(length.to_bytes(8, "little") + raw + data)
    return path


@pytest.fixture
def write_file():
    return write


@pytest.fixture
def describe():
    return header_of


@pytest.fixture
def folder(tmp_path) -> Path:
    """A sound folder: two tensors, a configuration, a tokenizer."""
    home = tmp_path / "model"
    home.mkdir()
    header, size = header_of({"a": (2, 3), "b": (4,)})
    write(home / "model.safetensors", header, np.arange(size // 4, dtype="<f4").tobytes())
    (home / "config.json").write_text('{"model_type": "llama"}')
    (home / "tokenizer.json").write_text('{"model": {"vocab": {"가": 1, "a": 0}}}')
    return home


@pytest.fixture
def sharded(tmp_path) -> Path:
    """A sound folder of two shards and their index."""
    home = tmp_path / "sharded"
    home.mkdir()
    names = ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"]
    for shard, tensor in zip(names, "ab", strict=True):
        header, size = header_of({tensor: (2, 2)})
        write(home / shard, header, np.ones(size // 4, dtype="<f4").tobytes())
    index = {"metadata": {"total_size": 32}, "weight_map": dict(zip("ab", names, strict=True))}
    (home / "model.safetensors.index.json").write_text(json.dumps(index))
    return home
