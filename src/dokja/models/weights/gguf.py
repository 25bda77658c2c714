"""GGUF files as a set of weights: opened, named as folders name them, put back in order.

What the converter did to a folder's tensors is undone: rows of q and k that were laid in
rotating pairs, gains that were written whole, experts that were stacked. Values of blocks are
decoded when they are read, and of no more rows than were asked for.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.gguf_headers import Fact, read_gguf_header
from dokja.models.weights.gguf_names import (
    PERMUTING,
    WHOLE_GAINS,
    config_of,
    expert_stack,
    folder_name,
)
from dokja.models.weights.headers import MAX_TENSORS, TensorInfo, shown
from dokja.models.weights.held import Held, OpenedFile, StoredTensor
from dokja.models.weights.inventories import Inventory, Shard

__all__ = ["gguf_inventory"]

_LAYER_QK = re.compile(r"blk\.(\d+)\.attn_([qk])\.(?:weight|bias)")
_TOKENS = "tokenizer.ggml.tokens"


def gguf_inventory(files: Sequence[OpenedFile], *, name: str) -> Inventory:
    """Return what GGUF files hold: one file, or all parts of one that was split.

    Args:
        files: In order; the first one holds the facts.
        name: What the weights are called.

    Raises:
        WeightsError: A header is damaged or hostile, or two parts hold the same tensor.
    """
    headers = [read_gguf_header(file) for file in files]
    mistakes = [mistake for header in headers for mistake in header.mistakes]
    if not mistakes:
        mistakes += _set_mistakes(headers[0].facts, files, [h.tensors for h in headers])
    if mistakes:
        raise WeightsError(mistakes)
    facts = headers[0].facts
    tokens = facts.get(_TOKENS)
    named = tuple(map(str, tokens)) if isinstance(tokens, tuple) else None
    tied = all(tensor.name != "output.weight" for header in headers for tensor in header.tensors)
    return Inventory(
        name=name,
        shards=tuple(
            Shard(file=file, data_start=header.data_start, tensors=header.tensors)
            for file, header in zip(files, headers, strict=True)
        ),
        config=config_of(facts, tied=tied, tokens=None if named is None else len(named)),
        tokenizer=None,
        # Of a text that stands at several ids the first one counts.
        tokens=None
        if named is None
        else {text: row for row, text in reversed(list(enumerate(named)))},
        logical=partial(_logical, facts, files[0].shown),
        form="gguf",
    )


def _set_mistakes(
    facts: Mapping[str, Fact],
    files: Sequence[OpenedFile],
    tensors: Sequence[tuple[TensorInfo, ...]],
) -> Iterator[Mistake]:
    parts = facts.get("split.count", 1)
    if parts not in (len(files), 0) or isinstance(parts, bool):
        yield Mistake(
            file=files[0].shown,
            place="split.count",
            read=f"{shown(parts)}, beside {len(files)} files",
            expected="all parts of the model, in one folder",
        )
    seen: dict[str, str] = {}
    for file, held in zip(files, tensors, strict=True):
        for tensor in held:
            if tensor.name in seen:
                yield Mistake(
                    file=file.shown,
                    place=f"tensor {shown(tensor.name)}",
                    read=f"a tensor that {seen[tensor.name]} holds too",
                    expected="each tensor in exactly one file",
                )
            seen[tensor.name] = file.name


def _logical(
    facts: Mapping[str, Fact], file: str, stored: Mapping[str, StoredTensor]
) -> Mapping[str, Held]:
    architecture = str(facts.get("general.architecture"))
    found: dict[str, Held] = {}
    for tensor in stored.values():
        for held in _parts(tensor, facts, architecture=architecture, file=file):
            if held.info.name in found or len(found) >= MAX_TENSORS:
                raise WeightsError(
                    [
                        Mistake(
                            file=file,
                            place=f"tensor {shown(tensor.info.name)}",
                            read=f"another {shown(held.info.name)}"
                            if held.info.name in found
                            else f"more than {MAX_TENSORS} tensors with their experts",
                            expected="one tensor for each name, and no more than models have",
                        )
                    ]
                )
            found[held.info.name] = held
    return found


def _parts(
    tensor: StoredTensor, facts: Mapping[str, Fact], *, architecture: str, file: str
) -> Iterator[Held]:
    name = tensor.info.name
    stack = expert_stack(name)
    if stack is not None and len(tensor.info.shape) == 3 and tensor.info.shape[0] <= MAX_TENSORS:  # noqa: PLR2004  # experts, rows, columns
        for number in range(tensor.info.shape[0]):
            yield _expert(tensor, number, name=f"{stack[0]}{number}{stack[1]}")
        return
    info = replace(tensor.info, name=folder_name(name, architecture))
    renamed = replace(tensor, info=info)
    if (match := _LAYER_QK.fullmatch(name)) is not None and architecture in PERMUTING:
        heads = _heads(facts, architecture, layer=int(match[1]), query=match[2] == "q")
        if heads is None or heads < 1 or info.shape[0] % (2 * heads):
            raise WeightsError(
                [
                    Mistake(
                        file=file,
                        place=f"{architecture}.attention.head_count",
                        read=shown(heads),
                        expected=f"heads of which each has an even share of {name}'s "
                        f"{info.shape[0]} rows",
                    )
                ]
            )
        yield PairedRows(held=renamed, heads=heads)
    elif architecture in WHOLE_GAINS and name.endswith("_norm.weight"):
        yield WholeGain(held=renamed)
    else:
        yield renamed


def _heads(facts: Mapping[str, Fact], architecture: str, *, layer: int, query: bool) -> int | None:
    queries = facts.get(f"{architecture}.attention.head_count")
    said = queries if query else facts.get(f"{architecture}.attention.head_count_kv", queries)
    if isinstance(said, tuple):
        said = said[layer] if layer < len(said) else None
    return said if isinstance(said, int) and not isinstance(said, bool) else None


def _expert(stack: StoredTensor, number: int, *, name: str) -> StoredTensor:
    size = stack.info.bytes // stack.info.shape[0]
    start = stack.info.start + number * size
    info = TensorInfo(
        name=name,
        dtype=stack.info.dtype,
        shape=stack.info.shape[1:],
        start=start,
        stop=start + size,
    )
    return replace(stack, info=info)


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedRows:
    """Rows of q or k that were laid in rotating pairs, handed out in the folder's order.

    Attributes:
        held: The matrix or bias as it is stored.
        heads: How many heads its rows make.
    """

    held: StoredTensor
    heads: int
    by_rows: ClassVar[bool] = True

    @property
    def info(self) -> TensorInfo:
        """Its name, type and shape."""
        return self.held.info

    def whole(self) -> NDArray[np.float32]:
        """Return all values."""
        return self.rows(0, self.info.shape[0])

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows in the folder's order; the span that holds them is read."""
        width = self.info.shape[0] // self.heads
        wanted = np.arange(start, stop)
        if not len(wanted):
            return self.held.rows(start, stop)
        head, within = np.divmod(wanted, width)
        half, pair = np.divmod(within, width // 2)
        places = head * width + pair * 2 + half
        first = int(places.min())
        span = self.held.rows(first, int(places.max()) + 1)
        rows: NDArray[np.float32] = np.take(span, places - first, axis=0)
        return rows

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the bytes as they are stored: in the file's order."""
        return self.held.pieces(size)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeGain:
    """A gain that was written whole, handed out as its folder has it: less one.

    Attributes:
        held: The gain as it is stored.
    """

    held: StoredTensor
    by_rows: ClassVar[bool] = True

    @property
    def info(self) -> TensorInfo:
        """Its name, type and shape."""
        return self.held.info

    def whole(self) -> NDArray[np.float32]:
        """Return all values."""
        return self.held.whole() - np.float32(1)

    def rows(self, start: int, stop: int) -> NDArray[np.float32]:
        """Return values along the only axis."""
        return self.held.rows(start, stop) - np.float32(1)

    def pieces(self, size: int) -> Iterator[memoryview]:
        """Yield the bytes as they are stored."""
        return self.held.pieces(size)
