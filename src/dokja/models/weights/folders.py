"""Which files of a folder hold the weights, and everything that is wrong with them.

A folder holds one set of weights: what its index names, or every safetensors file in it, or one
GGUF file with all its parts. A second set beside the first, be it another format or shards that
no index names, is refused, since nobody could say afterwards which one was judged.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.files import StoredFile, find_file, os_mistake
from dokja.models.weights.gguf import gguf_inventory
from dokja.models.weights.headers import shown
from dokja.models.weights.inventories import Inventory, Shard
from dokja.models.weights.packed import unpacked
from dokja.models.weights.refusals import refused_by_name
from dokja.models.weights.shards import open_shard, twice_held
from dokja.models.weights.sidecars import index_mistakes, read_config, read_index

__all__ = ["take_stock"]

_SUFFIX = ".safetensors"
_GGUF_SUFFIX = ".gguf"
_INDEX_SUFFIX = ".safetensors.index.json"
_NUMBERED = re.compile(r"(.*)-(\d{5})-of-(\d{5})\.(?:safetensors|gguf)")
_MAX_FILES = 10_000


def take_stock(path: Path) -> Inventory:
    """Return what a folder or file of weights holds.

    Args:
        path: A folder with safetensors or GGUF, or one file of either; in its folder the
            configuration and the tokenizer are looked for.

    Raises:
        WeightsError: Anything is wrong with any of it; every mistake is in it.
    """
    mistakes: list[Mistake] = []
    try:
        folder = (path if path.is_dir() else path.parent).resolve(strict=True)
        listed = [folder / path.name] if not path.is_dir() else _listed(folder)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a ring, before 3.13
        raise WeightsError([os_mistake(error, str(path))]) from error
    weights = [item for item in listed if item.name.endswith(_SUFFIX) or not path.is_dir()]
    ggufs = [item for item in listed if item.name.lower().endswith(_GGUF_SUFFIX)]
    for item in listed:
        if (refused := refused_by_name(item.name, file=_shown(path, item))) is not None:
            mistakes.append(refused)
            weights = [kept for kept in weights if kept != item]
    if ggufs:
        return _gguf_stock(
            path,
            folder=folder,
            ggufs=ggufs,
            others=[item for item in weights if item not in ggufs],
            mistakes=mistakes,
        )
    return _safetensors_stock(path, folder=folder, listed=listed, weights=weights, known=mistakes)


def _safetensors_stock(
    path: Path, *, folder: Path, listed: list[Path], weights: list[Path], known: list[Mistake]
) -> Inventory:
    mistakes = list(known)
    indexes = [item for item in listed if item.name.endswith(_INDEX_SUFFIX)]
    shards: dict[str, Shard] = {}
    for item in weights:
        shard = _shard(item, folder=folder, shown_as=_shown(path, item))
        if isinstance(shard, Shard):
            shards[item.name] = shard
        else:
            mistakes += shard
    mistakes += _set_mistakes(path, folder=folder, weights=weights, indexes=indexes, shards=shards)
    if not weights and not mistakes:
        mistakes.append(_nothing(path))
    config, found = _config(path, folder)
    mistakes += found
    tokenizer, found = _tokenizer(path, folder)
    mistakes += found
    if mistakes:
        raise WeightsError(mistakes)
    return Inventory(
        name=folder.name if path.is_dir() else path.name.removesuffix(_SUFFIX),
        shards=tuple(shards[name] for name in sorted(shards)),
        config=config,
        tokenizer=tokenizer,
        logical=partial(unpacked, config=config, file=str(path)),
    )


def _gguf_stock(
    path: Path, *, folder: Path, ggufs: list[Path], others: list[Path], mistakes: list[Mistake]
) -> Inventory:
    parts = {match[1] for item in ggufs if (match := _NUMBERED.fullmatch(item.name))}
    whole = [item for item in ggufs if _NUMBERED.fullmatch(item.name) is None]
    if others or len(parts) + len(whole) > 1:
        mistakes.append(
            Mistake(
                file=str(path),
                place="",
                read=", ".join(shown(item.name) for item in [*ggufs, *others][:8]),
                expected="one set of weights in a folder",
                remedy="Name the file that is meant, or move the others elsewhere.",
            )
        )
    if path.is_dir():
        mistakes += _missing_numbers(path, {item.name for item in ggufs})
    files: list[StoredFile] = []
    for item in ggufs:
        file = find_file(item, inside=folder, shown=_shown(path, item))
        if isinstance(file, Mistake):
            mistakes.append(file)
        else:
            files.append(file)
    tokenizer, found = _tokenizer(path, folder)
    mistakes += found
    if mistakes:
        raise WeightsError(mistakes)
    name = folder.name if path.is_dir() else path.name[: -len(_GGUF_SUFFIX)]
    inventory = gguf_inventory(files, name=name)
    return inventory if inventory.tokens else replace(inventory, tokenizer=tokenizer)


def _shown(path: Path, item: Path) -> str:
    return str(path / item.name) if path.is_dir() else str(path)


def _listed(folder: Path) -> list[Path]:
    found: list[Path] = []
    for item in folder.iterdir():
        if len(found) >= _MAX_FILES:
            raise OSError(f"more than {_MAX_FILES} files in the folder")
        found.append(item)
    return sorted(found)


def _nothing(path: Path) -> Mistake:
    return Mistake(
        file=str(path),
        place="",
        read="no weights",
        expected="at least one .safetensors or .gguf file",
    )


def _shard(path: Path, *, folder: Path, shown_as: str) -> Shard | tuple[Mistake, ...]:
    file = find_file(path, inside=folder, shown=shown_as)
    return (file,) if isinstance(file, Mistake) else open_shard(file)


def _set_mistakes(
    path: Path,
    *,
    folder: Path,
    weights: list[Path],
    indexes: list[Path],
    shards: Mapping[str, Shard],
) -> Iterator[Mistake]:
    """Find what is wrong with the files as a set."""
    if not path.is_dir():
        return
    if len(indexes) > 1:
        yield Mistake(
            file=str(path),
            place="",
            read=f"{len(indexes)} indexes: {', '.join(item.name for item in indexes)}",
            expected="one index, and so one set of weights",
        )
        return
    names = {item.name for item in weights}
    yield from _missing_numbers(path, names)
    if indexes:
        yield from _against_index(path, folder=folder, index=indexes[0], names=names, shards=shards)
    yield from twice_held(shards, folder=f"{path}/")


def _against_index(
    path: Path, *, folder: Path, index: Path, names: set[str], shards: Mapping[str, Shard]
) -> Iterator[Mistake]:
    shown_as = str(path / index.name)
    file = find_file(index, inside=folder, shown=shown_as)
    if isinstance(file, Mistake):
        yield file
        return
    content, wrong = read_index(file)
    yield from wrong
    if wrong:
        return
    stated = set(content["weight_map"].values())
    for name in sorted(stated - names):
        yield Mistake(
            file=shown_as,
            place="weight_map",
            read=f"the shard {shown(name)}, which is not in the folder",
            expected="only shards that are there",
            remedy="Fetch the missing file.",
        )
    for name in sorted(names - stated):
        yield Mistake(
            file=str(path / name),
            place="",
            read="a file that the index does not name",
            expected="one set of weights in a folder",
            remedy="Move it elsewhere, so that nobody can mistake which weights were judged.",
        )
    if stated == names == set(shards):
        held = {name: shard.tensors for name, shard in shards.items()}
        yield from index_mistakes(content, held, file=shown_as)


def _missing_numbers(path: Path, names: set[str]) -> Iterator[Mistake]:
    """Find shards that are missing by their own numbering, index or not."""
    numbered = [match for name in sorted(names) if (match := _NUMBERED.fullmatch(name))]
    for stem, count in sorted({(match[1], int(match[3])) for match in numbered}):
        there = {int(m[2]) for m in numbered if m[1] == stem and int(m[3]) == count}
        lacking = count - len(there)
        if lacking > 0:
            yield Mistake(
                file=str(path),
                place="",
                read=f"{len(there)} of the {count} shards of {shown(stem)}",
                expected="all of them",
                remedy="Fetch the missing files.",
            )


def _config(path: Path, folder: Path) -> tuple[Mapping[str, Any] | None, list[Mistake]]:
    file = _beside(path, folder, "config.json") or _beside(path, folder, "adapter_config.json")
    if file is None:
        return None, []
    found = file if isinstance(file, Mistake) else read_config(file)
    return (None, [found]) if isinstance(found, Mistake) else (found, [])


def _tokenizer(path: Path, folder: Path) -> tuple[StoredFile | None, list[Mistake]]:
    file = _beside(path, folder, "tokenizer.json")
    return (None, [file]) if isinstance(file, Mistake) else (file, [])


def _beside(path: Path, folder: Path, name: str) -> StoredFile | Mistake | None:
    item = folder / name
    # A link that leads nowhere is there, and is a mistake.
    if not item.exists() and not item.is_symlink():
        return None
    return find_file(item, inside=folder, shown=str((path if path.is_dir() else folder) / name))
