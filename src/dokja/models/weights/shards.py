"""Opens one safetensors file, here or far away, and looks at several as a set."""

from collections.abc import Iterator, Mapping

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.headers import LENGTH_BYTES, check_length, read_header, shown
from dokja.models.weights.held import OpenedFile
from dokja.models.weights.inventories import Shard
from dokja.models.weights.refusals import refused_by_content

__all__ = ["open_shard", "twice_held"]


def open_shard(file: OpenedFile) -> Shard | tuple[Mistake, ...]:
    """Return a safetensors file whose header was checked, or everything that is wrong with it."""
    if file.bytes < LENGTH_BYTES:
        return (
            Mistake(
                file=file.shown,
                place="",
                read=f"{file.bytes} bytes",
                expected="at least the eight that give the header's length",
                remedy="The file is cut off or empty; fetch it again.",
            ),
        )
    try:
        first = bytearray(min(LENGTH_BYTES + 1, file.bytes))
        file.read_into(memoryview(first), start=0)
        stated = int.from_bytes(first[:LENGTH_BYTES], "little")
        wrong = refused_by_content(bytes(first), file=file.shown) or check_length(
            stated, file_bytes=file.bytes, file=file.shown
        )
        if wrong is not None:
            return (wrong,)
        raw = bytearray(stated)
        file.read_into(memoryview(raw), start=LENGTH_BYTES)
    except WeightsError as error:
        return error.mistakes
    data_start = LENGTH_BYTES + stated
    header = read_header(bytes(raw), data_bytes=file.bytes - data_start, file=file.shown)
    if header.mistakes:
        return header.mistakes
    return Shard(file=file, data_start=data_start, tensors=header.tensors)


def twice_held(shards: Mapping[str, Shard], *, folder: str) -> Iterator[Mistake]:
    """Find tensors that more than one shard holds.

    Args:
        shards: By their plain names.
        folder: What mistakes call the folder, with the sign that parts it from a name.
    """
    seen: dict[str, str] = {}
    for name, shard in shards.items():
        for tensor in shard.tensors:
            if tensor.name in seen:
                yield Mistake(
                    file=f"{folder}{name}",
                    place=f"tensor {shown(tensor.name)}",
                    read=f"a tensor that {seen[tensor.name]} holds too",
                    expected="each tensor in exactly one file",
                )
            seen[tensor.name] = name
