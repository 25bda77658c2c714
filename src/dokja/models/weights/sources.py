"""Opened weights: tensors by name, read on demand, nothing executed.

Whoever holds a `Source` may rely on every header having been checked. It counts the bytes of
the values that it hands out, since a finding must say how much it rests on. Weights that were
stored in fewer bits are shown as the matrices that they stand for; `stored` shows them as they
lie in the files.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.access import Access
from dokja.models.weights.folders import take_stock
from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.held import Held, Meter, StoredTensor
from dokja.models.weights.inventories import Inventory, Made
from dokja.models.weights.ranges import RangeAccount, runs
from dokja.models.weights.remote import take_remote_stock
from dokja.models.weights.sidecars import token_rows
from dokja.values import Digest

__all__ = ["Source", "open_source"]


class Source:
    """Weights that were opened and checked; made by `open_source`.

    Attributes:
        name: Of the folder, or of the file without its ending.
        names: The tensors' names, sorted.
        parameters: How many values they hold together.
        config: `config.json` as an object, or what a GGUF file says in its place; None when
            there is neither. A claim, not a fact.
        account: Every range that was read; None for local weights, unless one was given.
        opened: By which name they were opened, a whole path or an address, and what might be
            asked of the network; None for weights that were made of others.
    """

    def __init__(
        self,
        inventory: Inventory,
        *,
        as_stored: bool = False,
        meter: Meter | None = None,
        opened: tuple[str, Access] | None = None,
    ) -> None:
        self.name = inventory.name
        self.config: Mapping[str, Any] | None = (
            None if inventory.config is None else MappingProxyType(dict(inventory.config))
        )
        self.account = inventory.account
        self._inventory = inventory
        self.opened = opened
        self._meter = meter or Meter()
        stored = inventory.stored(self._meter)
        self._held: Mapping[str, Held] = stored if as_stored else inventory.logical(stored)
        self._as_stored = as_stored or all(self._held.get(n) is t for n, t in stored.items())
        self.names = tuple(sorted(self._held))
        self.parameters = sum(held.info.parameters for held in self._held.values())
        self._digest: Digest | None = None
        self._rows: Mapping[str, int] | None = inventory.tokens

    @property
    def bytes_read(self) -> int:
        """How many bytes of values were handed out so far, as they are stored."""
        return self._meter.bytes_read

    @property
    def stored(self) -> "Source":
        """The same weights as they lie in the files: codes and scales under their own names.

        It is this very source unless something was unpacked or translated. Digests and roots
        are made of it.
        """
        return (
            self if self._as_stored else Source(self._inventory, as_stored=True, meter=self._meter)
        )

    @property
    def headers(self) -> Digest:
        """Digest over what every header says: of the same files the same, and quick to make."""
        return self._inventory.headers()

    def beside(self, other: "Source", *, name: str, made: Made) -> "Source":
        """Return weights made of these and of others, named by the digests of both.

        Args:
            other: The others, such as an adapter's factors.
            name: What the whole is called.
            made: From both sides' tensors to those of the whole.

        Raises:
            WeightsError: Both have a file or a tensor of the same name.
        """
        inventory = self._inventory.beside(other._inventory, name=name, made=made)  # noqa: SLF001  # its own class
        whole = Source(inventory)
        whole._rows = self._rows
        return whole

    @property
    def digest(self) -> Digest:
        """Names these weights: the SHA-256 over each file's name and digest.

        A local file's digest is its SHA-256: the files are read whole on first use, and the
        weights are named beyond doubt. Of a file far away nothing more is fetched: its digest is
        over its length and its header, which names what it says that it holds and no value;
        what was read of its values stands in `account`. The folder's own name is part of neither.

        Raises:
            WeightsError: A file changed since it was checked.
        """
        if self._digest is None:
            self._digest = self._inventory.digest()
        return self._digest

    def info(self, name: str) -> TensorInfo:
        """Return type, shape and bytes of a tensor; the type says how it is stored.

        Raises:
            KeyError: There is no tensor of this name.
        """
        return self._held[name].info

    def read(self, name: str, *, out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """Return a tensor's values, in its own shape.

        Values that were stored more finely than float32 are rounded to it; NaN and infinities
        stay what they are.

        Args:
            name: The tensor.
            out: Where to write them, of the tensor's shape and in C order. Fresh memory costs
                more than the conversion: who reads many large tensors gives the same again.

        Raises:
            KeyError: There is no tensor of this name.
            ValueError: `out` has another shape or order.
            WeightsError: The file changed since it was checked, or its codes are damaged.
        """
        held = self._held[name]
        if out is None:
            return held.whole()
        if out.shape != held.info.shape or not out.flags.c_contiguous or out.dtype != np.float32:
            raise ValueError(f"{name} of shape {held.info.shape} does not fit into {out.shape}")
        if isinstance(held, StoredTensor):
            return held.whole(out)
        out[...] = held.whole()
        return out

    def read_rows(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return the rows from `start` to `stop` (not included) along the first axis.

        Raises:
            KeyError: There is no tensor of this name.
            IndexError: It has no such rows.
            WeightsError: The file changed since it was checked, or its codes are damaged.
        """
        tensor = self.info(name)
        if not tensor.shape or not 0 <= start <= stop <= tensor.shape[0]:
            raise IndexError(f"{name} of shape {tensor.shape} has no rows {start} to {stop}")
        return self._held[name].rows(start, stop)

    def gather(self, name: str, rows: Sequence[int]) -> NDArray[np.float32]:
        """Return single rows along the first axis; neighbours are read with one request.

        Args:
            name: The tensor.
            rows: Row numbers, rising.

        Raises:
            KeyError: There is no tensor of this name.
            IndexError: It has no such row.
            ValueError: The numbers do not rise.
            WeightsError: The file changed since it was checked, or its codes are damaged.
        """
        wanted = list(runs([int(row) for row in rows]))
        if not wanted:
            return self.read_rows(name, 0, 0)
        return np.concatenate([self.read_rows(name, start, stop) for start, stop in wanted])

    def row_blocks(self, name: str, values: int = 1 << 19) -> Iterator[NDArray[np.float32]]:
        """Yield a tensor's rows in order, some at a time, so that memory stays bounded.

        A block may be overwritten by the next one: whoever wants to keep it copies it.

        Args:
            name: The tensor; a single value comes as one row.
            values: About how many values come at once; never less than a row.

        Raises:
            KeyError: There is no tensor of this name.
            WeightsError: The file changed since it was checked, or its codes are damaged.
        """
        held, tensor = self._held[name], self.info(name)
        if not tensor.shape:
            yield self.read(name).reshape(1)
            return
        step = max(1, values * tensor.shape[0] // max(tensor.parameters, 1))
        if isinstance(held, StoredTensor):
            yield from held.blocks(step)
            return
        whole = None if held.by_rows else held.whole()
        for start in range(0, tensor.shape[0], step):
            stop = min(start + step, tensor.shape[0])
            yield held.rows(start, stop) if whole is None else whole[start:stop]

    def chunks(self, name: str, size: int = 1 << 22) -> Iterator[memoryview]:
        """Yield a tensor's bytes as they are stored, a chunk at a time, without converting them.

        Every chunk lies in the same buffer and is overwritten by the next one, so that memory
        stays at `size` whatever the tensor's size. Chunks of several tensors may be read from
        several threads. Of a tensor that was unpacked these are the codes; `stored` has the
        scales.

        Args:
            name: The tensor.
            size: Length of a chunk in bytes; only the last one is shorter.

        Raises:
            KeyError: There is no tensor of this name.
            WeightsError: The file changed since it was checked, or while it was read.
        """
        yield from self._held[name].pieces(size)

    def tokenizer_vocabulary(self) -> tuple[str, ...] | None:
        """Return the tokens in the order of their ids; None when there is no `tokenizer.json`.

        Raises:
            WeightsError: The tokenizer's file is damaged.
        """
        rows = self.token_rows()
        return None if rows is None else tuple(sorted(rows, key=rows.__getitem__))

    def token_rows(self) -> Mapping[str, int] | None:
        """Return each token's row in the embedding; None when nothing names the tokens.

        Raises:
            WeightsError: The tokenizer's file is damaged.
        """
        if self._rows is None and self._inventory.tokenizer is not None:
            rows = token_rows(self._inventory.tokenizer)
            if isinstance(rows, Mistake):
                raise WeightsError([rows])
            self._rows = MappingProxyType(rows)
        return self._rows


def open_source(
    where: Path | str, *, access: Access | None = None, account: RangeAccount | None = None
) -> Source:
    """Open weights, here or far away, after checking every header.

    Args:
        where: A folder of safetensors or GGUF, a single file, or the address of either:
            `https://host/folder/`, `https://host/model.gguf`, `hf://owner/name@revision`.
        access: What may be asked of the network; of use for addresses only.
        account: Where every range that is read is noted. Addresses have one in any case; local
            readings are noted only here, since hashing them takes longer than reading them.

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
    access = access or Access()
    if isinstance(where, str) and "://" in where:
        inventory = take_remote_stock(where, access, account or RangeAccount())
        return Source(inventory, opened=(where, access))
    inventory = take_stock(Path(where))
    return Source(
        inventory if account is None else inventory.accounted(account),
        opened=(str(Path(where).absolute()), access),
    )
