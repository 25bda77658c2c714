"""Opened weights: tensors by name, read on demand, nothing executed.

Whoever holds a `Source` may rely on every header having been checked. It counts the bytes of
the values that it hands out, since a finding must say how much it rests on.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike, NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.folders import Inventory, Shard, take_stock
from dokja.models.weights.headers import ITEM_BYTES, TensorInfo
from dokja.models.weights.sidecars import token_rows
from dokja.values import Digest, canonical_bytes

__all__ = ["Source", "open_source"]

# safetensors is little-endian on every machine.
_STORED: Mapping[str, DTypeLike] = MappingProxyType(
    {
        "F64": "<f8",
        "F32": "<f4",
        "F16": "<f2",
        "BF16": ml_dtypes.bfloat16,
        "I64": "<i8",
        "I32": "<i4",
        "I16": "<i2",
        "I8": "i1",
        "U64": "<u8",
        "U32": "<u4",
        "U16": "<u2",
        "U8": "u1",
        "BOOL": "?",
    }
)


class Source:
    """Weights that were opened and checked; made by `open_source`.

    Attributes:
        name: Of the folder, or of the file without its ending.
        names: The tensors' names, sorted.
        parameters: How many values they hold together.
        config: `config.json` as an object; None when there is none. A claim, not a fact.
        bytes_read: How many bytes of values were handed out so far.
    """

    def __init__(self, inventory: Inventory) -> None:
        self.name = inventory.name
        self.config: Mapping[str, Any] | None = (
            None if inventory.config is None else MappingProxyType(dict(inventory.config))
        )
        self.bytes_read = 0
        self._counting = Lock()
        self._shards = inventory.shards
        self._tokenizer = inventory.tokenizer
        self._places: dict[str, tuple[Shard, TensorInfo]] = {
            tensor.name: (shard, tensor) for shard in inventory.shards for tensor in shard.tensors
        }
        self.names = tuple(sorted(self._places))
        self.parameters = sum(tensor.parameters for _, tensor in self._places.values())
        self._digest: Digest | None = None
        self._rows: Mapping[str, int] | None = None

    @property
    def digest(self) -> Digest:
        """Names these weights beyond doubt: the SHA-256 over each file's name and SHA-256.

        The files are read whole on first use. The folder's own name is not part of it.

        Raises:
            WeightsError: A file changed since it was checked.
        """
        if self._digest is None:
            files = {shard.file.path.name: shard.file.digest().hex for shard in self._shards}
            self._digest = Digest.of(canonical_bytes({"safetensors": files}))
        return self._digest

    def info(self, name: str) -> TensorInfo:
        """Return type, shape and bytes of a tensor.

        Raises:
            KeyError: There is no tensor of this name.
        """
        return self._places[name][1]

    def read(self, name: str) -> NDArray[np.float32]:
        """Return a tensor's values, in its own shape.

        Values that were stored more finely than float32 are rounded to it; NaN and infinities
        stay what they are.

        Raises:
            KeyError: There is no tensor of this name.
            WeightsError: The file changed since it was checked.
        """
        tensor = self.info(name)
        return self._values(tensor, start=0, count=tensor.parameters).reshape(tensor.shape)

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows from `start` to `stop` (not included) along the first axis.

        Raises:
            KeyError: There is no tensor of this name.
            IndexError: It has no such rows.
            WeightsError: The file changed since it was checked.
        """
        tensor = self.info(name)
        if not tensor.shape or not 0 <= start <= stop <= tensor.shape[0]:
            raise IndexError(f"{name} of shape {tensor.shape} has no rows {start} to {stop}")
        width = tensor.parameters // max(tensor.shape[0], 1)
        values = self._values(tensor, start=start * width, count=(stop - start) * width)
        return values.reshape(stop - start, *tensor.shape[1:])

    def chunks(self, name: str, size: int = 1 << 22) -> Iterator[memoryview]:
        """Yield a tensor's bytes as they are stored, a chunk at a time, without converting them.

        Every chunk lies in the same buffer and is overwritten by the next one, so that memory
        stays at `size` whatever the tensor's size. Chunks of several tensors may be read from
        several threads.

        Args:
            name: The tensor.
            size: Length of a chunk in bytes; only the last one is shorter.

        Raises:
            KeyError: There is no tensor of this name.
            WeightsError: The file changed since it was checked, or while it was read.
        """
        shard, tensor = self._places[name]
        first = shard.data_start + tensor.start
        for piece in shard.file.pieces(first, tensor.bytes, size=size):
            with self._counting:
                self.bytes_read += len(piece)
            yield piece

    def tokenizer_vocabulary(self) -> tuple[str, ...] | None:
        """Return the tokens in the order of their ids; None when there is no `tokenizer.json`.

        Raises:
            WeightsError: The tokenizer's file is damaged.
        """
        rows = self.token_rows()
        return None if rows is None else tuple(sorted(rows, key=rows.__getitem__))

    def token_rows(self) -> Mapping[str, int] | None:
        """Return each token's row in the embedding; None when there is no `tokenizer.json`.

        Raises:
            WeightsError: The tokenizer's file is damaged.
        """
        if self._rows is None and self._tokenizer is not None:
            rows = token_rows(self._tokenizer)
            if isinstance(rows, Mistake):
                raise WeightsError([rows])
            self._rows = MappingProxyType(rows)
        return self._rows

    def _values(self, tensor: TensorInfo, *, start: int, count: int) -> NDArray[np.float32]:
        item_bytes = ITEM_BYTES[tensor.dtype]
        shard = self._places[tensor.name][0]
        buffer = bytearray(count * item_bytes)
        first = shard.data_start + tensor.start + start * item_bytes
        shard.file.read_into(memoryview(buffer), start=first)
        self.bytes_read += len(buffer)
        stored = np.frombuffer(buffer, dtype=_STORED[tensor.dtype])
        with np.errstate(over="ignore"):  # a float64 beyond float32 becomes an infinity, and shows
            return stored.astype(np.float32)


def open_source(path: Path) -> Source:
    """Open a folder of safetensors, or a single file, after checking every header.

    Args:
        path: The folder or file.

    Raises:
        WeightsError: A file is damaged, hostile, missing or of a refused format; every mistake
            is in it, and nothing was allocated for what the files claim to hold.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.numpy import save_file
        >>> with TemporaryDirectory() as folder:
        ...     save_file({"w": np.eye(2, dtype=np.float32)}, Path(folder) / "model.safetensors")
        ...     source = open_source(Path(folder))
        ...     (source.names, source.read("w").sum(), source.bytes_read)
        (('w',), np.float32(2.0), 16)
    """
    return Source(take_stock(path))
