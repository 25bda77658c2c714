"""Weights at an address: the same inventory as a folder's, by ranges.

A folder far away cannot be listed, so that its files are asked for by the names that folders of
weights use. The first request of a file brings its first 100,001 bytes, which hold nearly every
header whole; of a longer one the rest is fetched with a second.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import unquote

from dokja.errors import Mistake, RemoteError, WeightsError
from dokja.models.weights.access import Access
from dokja.models.weights.addresses import Address, hub_address, parse_address
from dokja.models.weights.fetching import Fetcher, Mark
from dokja.models.weights.gguf import gguf_inventory
from dokja.models.weights.inventories import Inventory, Shard
from dokja.models.weights.packed import unpacked
from dokja.models.weights.ranges import RangeAccount
from dokja.models.weights.refusals import refused_by_name
from dokja.models.weights.shards import open_shard, twice_held
from dokja.models.weights.sidecars import index_mistakes, read_config, read_index
from dokja.values import Digest

__all__ = ["FetchedSidecar", "RemoteFile", "RemoteSidecar", "take_remote_stock"]

_HEAD_BYTES = 100_001
_SEGMENT = 1 << 23
_AT_ONCE = 8
_MOST_SHARDS = 2_000
_CONFIG_BYTES = 10_000_000
_INDEX_BYTES = 100_000_000
_INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file of weights far away, and how to know it again.

    Attributes:
        name: Its plain name.
        shown: What messages call it.
        mark: Its length, and what the server calls its content.
        head: Its first bytes, which came with the first request.
        address: Where it was answered from, after redirects.
        origin: Where it was asked for; asked again when a signed address has run out.
        fetcher: Fetches the rest.
    """

    name: str
    shown: str
    mark: Mark
    head: bytes
    address: Address
    origin: Address
    fetcher: Fetcher

    @property
    def bytes(self) -> int:
        """How long it is."""
        return self.mark.bytes

    def read_into(self, buffer: memoryview, *, start: int) -> None:
        """Fill the buffer with the bytes from `start` on.

        Raises:
            RemoteError: They cannot be fetched, or the file has changed.
        """
        known = self.head[start : start + len(buffer)]
        buffer[: len(known)] = known
        if len(known) == len(buffer):
            return
        self.fetcher.fill(
            tuple(dict.fromkeys((self.address, self.origin))),
            buffer[len(known) :],
            start=start + len(known),
            mark=self.mark,
            name=self.name,
        )

    def pieces(self, start: int, length: int, *, size: int) -> Iterator[memoryview]:
        """Yield the bytes from `start` on, a piece at a time, several with one request.

        Raises:
            RemoteError: They cannot be fetched, or the file has changed.
        """
        step = max(_SEGMENT // size, 1) * size
        buffer = memoryview(bytearray(min(step, length)))
        for done in range(0, length, step):
            segment = buffer[: min(step, length - done)]
            self.read_into(segment, start=start + done)
            for at in range(0, len(segment), size):
                yield segment[at : at + size]

    def digest(self) -> Digest | None:
        """Return nothing: a file far away is not fetched whole for its digest."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedSidecar:
    """A small file that was fetched already.

    Attributes:
        shown: What messages call it.
        data: All of it.
        commit: Which commit of a hub's repository it is of; empty when nobody said so.
    """

    shown: str
    data: bytes
    commit: str

    def content(self, *, at_most: int) -> bytes:
        """Return all of it; it was fetched within a bound of its own."""
        return self.data[:at_most]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteSidecar:
    """A small file far away, fetched when it is needed.

    Attributes:
        name: Its plain name.
        address: Where it is.
        fetcher: Fetches it.
    """

    name: str
    address: Address
    fetcher: Fetcher

    @property
    def shown(self) -> str:
        """What messages call it."""
        return self.address.shown

    def content(self, *, at_most: int) -> bytes:
        """Return all of it.

        Raises:
            RemoteError: It is gone, too long, or cannot be fetched.
        """
        found = self.fetcher.whole(self.address, name=self.name, at_most=at_most)
        if found is None:
            raise RemoteError(
                [Mistake(file=self.shown, place="", read="no file", expected="the file")]
            )
        return found[0]


def take_remote_stock(where: str, access: Access, account: RangeAccount) -> Inventory:
    """Return what an address holds.

    Args:
        where: Of a folder, which ends in a slash or names no file of weights; of one
            `.safetensors` or `.gguf` file; or `hf://owner/name@revision`.
        access: The bounds.
        account: Where every range is noted.

    Raises:
        RemoteError: Something cannot be fetched, or not within the bounds.
        WeightsError: A header is damaged, hostile or of a refused format.
    """
    home = access.hub if where.startswith("hf://") else where
    fetcher = Fetcher(access, account, home=parse_address(home))
    name, folder, file, config = _place(where, fetcher)
    index = None if file else _index(folder, fetcher)
    names: Sequence[str] = [file or _SINGLE]
    if index is not None:
        names = sorted(set(index["weight_map"].values()))
    opened = _opened(folder, names, fetcher)
    if file.lower().endswith(".gguf"):
        return replace(gguf_inventory(opened, name=name), form="headers", account=account)
    shards = _shards(opened)
    mistakes = list(twice_held(shards, folder=folder.beside("").shown))
    if index is not None:
        held = {shard: found.tensors for shard, found in shards.items()}
        mistakes += index_mistakes(index, held, file=folder.beside(_INDEX).shown)
    said = None if config is None else read_config(config)
    mistakes += [said] if isinstance(said, Mistake) else []
    if mistakes or isinstance(said, Mistake):
        raise WeightsError(mistakes)
    return Inventory(
        name=name,
        shards=tuple(shards[one] for one in sorted(shards)),
        config=said,
        tokenizer=_tokenizer(folder, fetcher),
        logical=partial(unpacked, config=said, file=folder.shown),
        form="headers",
        account=account,
    )


def _place(where: str, fetcher: Fetcher) -> tuple[str, Address, str, FetchedSidecar | None]:
    """Return what the weights are called, their folder, their file if one is named, their claim."""
    if where.startswith("hf://"):
        hub = fetcher.access.hub
        name, revision, folder = hub_address(where, hub=hub)
        config = _small(folder, "config.json", fetcher, at_most=_CONFIG_BYTES)
        commit = "" if config is None else config.commit
        if re.fullmatch(r"[0-9a-f]{40}", commit):
            # A branch may move between two requests; a commit does not.
            revision, folder = commit, hub_address(where, hub=hub, revision=commit)[2]
        return f"{name}@{revision}", folder, "", config
    address = parse_address(where)
    path, sign, query = address.path.partition("?")
    last = unquote(path.rpartition("/")[2])
    if (refused := refused_by_name(last, file=address.shown)) is not None:
        raise WeightsError([refused])
    if last.lower().endswith((".safetensors", ".gguf")):
        claim = _small(address, "config.json", fetcher, at_most=_CONFIG_BYTES)
        if claim is None and last == "adapter_model.safetensors":
            claim = _small(address, "adapter_config.json", fetcher, at_most=_CONFIG_BYTES)
        return last.rpartition(".")[0], address, last, claim
    folder = replace(address, path=f"{path.rstrip('/')}/{sign}{query}")
    name = unquote(path.rstrip("/").rpartition("/")[2]) or address.host
    return name, folder, "", _small(folder, "config.json", fetcher, at_most=_CONFIG_BYTES)


def _small(folder: Address, name: str, fetcher: Fetcher, *, at_most: int) -> FetchedSidecar | None:
    address = folder.beside(name)
    found = fetcher.whole(address, name=name, at_most=at_most)
    if found is None:
        return None
    return FetchedSidecar(shown=address.shown, data=found[0], commit=found[1])


def _index(folder: Address, fetcher: Fetcher) -> Mapping[str, Any] | None:
    file = _small(folder, _INDEX, fetcher, at_most=_INDEX_BYTES)
    if file is None:
        return None
    index, wrong = read_index(file)
    if wrong:
        raise WeightsError(wrong)
    if len(set(index["weight_map"].values())) > _MOST_SHARDS:
        raise WeightsError(
            [
                Mistake(
                    file=file.shown,
                    place="weight_map",
                    read="more shards than any model has",
                    expected=f"at most {_MOST_SHARDS}",
                )
            ]
        )
    return index


def _opened(folder: Address, names: Sequence[str], fetcher: Fetcher) -> list[RemoteFile]:
    """Open files, some at the same time, and report every one that cannot be opened."""

    def opened(name: str) -> RemoteFile:
        address = folder.beside(name)
        head, mark, answered = fetcher.first(address, name=name, length=_HEAD_BYTES)
        return RemoteFile(
            name=name,
            shown=address.shown,
            mark=mark,
            head=head,
            address=answered,
            origin=address,
            fetcher=fetcher,
        )

    def tried(name: str) -> RemoteFile | RemoteError:
        try:
            return opened(name)
        except RemoteError as error:
            return error

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(tried, names))
    mistakes = [m for one in found if isinstance(one, RemoteError) for m in one.mistakes]
    if mistakes:
        raise RemoteError(mistakes)
    return [one for one in found if isinstance(one, RemoteFile)]


def _shards(files: Sequence[RemoteFile]) -> dict[str, Shard]:
    shards: dict[str, Shard] = {}
    mistakes: list[Mistake] = []
    for file in files:
        found = open_shard(file)
        if isinstance(found, Shard):
            shards[file.name] = found
        else:
            mistakes += found
    if mistakes:
        raise WeightsError(mistakes)
    return shards


def _tokenizer(folder: Address, fetcher: Fetcher) -> RemoteSidecar | None:
    address = folder.beside("tokenizer.json")
    if not fetcher.exists(address):
        return None
    return RemoteSidecar(name="tokenizer.json", address=address, fetcher=fetcher)
