"""What a folder, a file or an address holds, every header checked and no value read.

An inventory knows its files, what their headers say, and how its stored tensors become those
that people mean: codes and scales become matrices, GGUF's names become those of folders.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.gguf_grids import GGUF_GRIDS
from dokja.models.weights.grids import PLAIN_GRIDS
from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.held import Held, Meter, OpenedFile, Sidecar, StoredTensor
from dokja.models.weights.ranges import AccountedFile, RangeAccount
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["Inventory", "Made", "Shard", "Translate"]

Translate: TypeAlias = Callable[[Mapping[str, StoredTensor]], Mapping[str, Held]]
"""From the tensors as they are stored to those that they stand for."""

Made: TypeAlias = Callable[[Mapping[str, Held], Mapping[str, Held]], Mapping[str, Held]]
"""From the tensors of two inventories to those of the whole that they make."""

_GRIDS = {**PLAIN_GRIDS, **GGUF_GRIDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One checked file.

    Attributes:
        file: The file.
        data_start: Byte from which the tensors' ranges count.
        tensors: What its header describes.
    """

    file: OpenedFile
    data_start: int
    tensors: tuple[TensorInfo, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What was found, every header checked and no value read.

    Attributes:
        name: Of the folder, or of the file without its ending.
        shards: The weights' files, in order of their names.
        config: The configuration, if there is one.
        tokenizer: The tokenizer's file, if there is one; not read yet.
        logical: What the stored tensors stand for.
        tokens: Each token's row, where the weights' own file names the tokens.
        form: What the digest says that it is over: `safetensors`, `gguf`, or `headers` of
            either far away.
        account: Where readings are noted.
    """

    name: str
    shards: tuple[Shard, ...]
    config: Mapping[str, Any] | None
    tokenizer: Sidecar | None
    logical: Translate
    tokens: Mapping[str, int] | None = None
    form: str = "safetensors"
    account: RangeAccount | None = None

    def stored(self, meter: Meter) -> dict[str, StoredTensor]:
        """Return the tensors as they lie in the files, counted by this meter."""
        return {
            tensor.name: StoredTensor(
                info=tensor,
                file=shard.file,
                data_start=shard.data_start,
                grid=_GRIDS[tensor.dtype],
                meter=meter,
            )
            for shard in self.shards
            for tensor in shard.tensors
        }

    def digest(self) -> Digest:
        """Return the digest over each file's name and its own digest, or what its header says.

        Raises:
            WeightsError: A file changed since it was checked.
        """
        return Digest.of(
            canonical_bytes({self.form: {shard.file.name: _named(shard) for shard in self.shards}})
        )

    def beside(self, other: "Inventory", *, name: str, made: Made) -> "Inventory":
        """Return both as one, which has this one's configuration and tokenizer.

        Raises:
            WeightsError: Both have a file or a tensor of the same name.
        """
        files = ({one.file.name for one in side.shards} for side in (self, other))
        mine, theirs = ({t.name for one in s.shards for t in one.tensors} for s in (self, other))
        if twice := sorted(set.intersection(*files) | mine & theirs):
            wrong = Mistake(
                file=name, place="", read=f"{twice[0]} on both sides", expected="names of their own"
            )
            raise WeightsError([wrong])

        def logical(stored: Mapping[str, StoredTensor]) -> Mapping[str, Held]:
            ours = self.logical({key: one for key, one in stored.items() if key in mine})
            return made(ours, other.logical({k: one for k, one in stored.items() if k in theirs}))

        shards = (*self.shards, *other.shards)
        return replace(self, name=name, shards=shards, logical=logical)

    def headers(self) -> Digest:
        """Return the digest over each file's name, its length and what its header says.

        It costs nothing to make and names no value: two openings of the same files have the same.
        """
        return Digest.of(
            canonical_bytes({"headers": {one.file.name: _described(one) for one in self.shards}})
        )

    def accounted(self, account: RangeAccount) -> "Inventory":
        """Return the same with every reading noted in an account."""
        shards = tuple(
            replace(shard, file=AccountedFile(file=shard.file, account=account))
            for shard in self.shards
        )
        return replace(self, shards=shards, account=account)


def _named(shard: Shard) -> Json:
    digest = shard.file.digest()
    return _described(shard) if digest is None else digest.hex


def _described(shard: Shard) -> Json:
    return {
        "bytes": shard.file.bytes,
        "data_start": shard.data_start,
        "tensors": [
            [tensor.name, tensor.dtype, list(tensor.shape), tensor.start, tensor.stop]
            for tensor in sorted(shard.tensors, key=lambda tensor: tensor.name)
        ],
    }
