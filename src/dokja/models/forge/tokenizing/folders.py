"""A tokenizer's folder: `tokenizer.json` and `tokenizer_config.json`, as Hugging Face reads them.

The folder is made whole or not at all. What is read back must be what `write_tokenizer` would
write for it, to the last key: a file with anything else in it (a normaliser, a truncation, another
pre-tokenizer) is not refused because it is wrong, but because this reader could not give its ids.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.tokenizing.byte_level import from_signs, to_signs
from dokja.models.forge.tokenizing.tokenizer import BYTES, Tokenizer
from dokja.models.weights.files import find_file, os_mistake
from dokja.models.weights.sidecars import read_object
from dokja.values import shown

__all__ = [
    "CONFIG",
    "FILE",
    "read_json_file",
    "read_tokenizer",
    "tokenizer_config",
    "tokenizer_json",
    "write_tokenizer",
]

FILE = "tokenizer.json"
CONFIG = "tokenizer_config.json"
_MAX_BYTES = 100_000_000
_BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": False,
    "use_regex": False,
}


def tokenizer_json(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the `tokenizer.json` of a tokenizer: byte-level BPE with the same ids and merges."""
    tokens = [to_signs(token) for token in tokenizer.vocabulary]
    cut = {
        "type": "Split",
        "pattern": {"Regex": tokenizer.pattern},
        "behavior": "Isolated",
        "invert": False,
    }
    steps = [_BYTE_LEVEL] if tokenizer.pattern is None else [cut, _BYTE_LEVEL]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(text, token) for text, token in tokenizer.special_ids.items()],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "post_processor": None,
        "decoder": _BYTE_LEVEL,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: place for place, token in enumerate(tokens)},
            "merges": [[tokens[left], tokens[right]] for left, right in tokenizer.merges],
        },
    }


def _added(text: str, token: int) -> dict[str, Any]:
    return {
        "id": token,
        "content": text,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": False,
        "special": True,
    }


def tokenizer_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """Return the `tokenizer_config.json` of a tokenizer.

    `split_special_tokens` keeps a text that merely looks like a special token from becoming one.
    """
    ends = {"eos_token": tokenizer.specials[0]} if tokenizer.specials else {}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_prefix_space": False,
        "clean_up_tokenization_spaces": False,
        "split_special_tokens": True,
        **ends,
    }


def write_tokenizer(
    tokenizer: Tokenizer, folder: Path, *, check: Callable[[Path], None] | None = None
) -> None:
    """Write a tokenizer's folder, whole or not at all.

    Args:
        tokenizer: The tokenizer.
        folder: Where; its parent must exist, itself not.
        check: Looks at the finished folder before it gets its name, and raises if it must not.

    Raises:
        RecipeError: The folder exists already, or cannot be written.
    """
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    try:
        if folder.exists():
            raise RecipeError([_in_the_way(folder)])
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        _write(unfinished / FILE, tokenizer_json(tokenizer))
        _write(unfinished / CONFIG, tokenizer_config(tokenizer))
        _sync(unfinished)
        if check is not None:
            check(unfinished)
        unfinished.rename(folder)
        _sync(folder.parent)
    except OSError as error:
        raise RecipeError([os_mistake(error, str(folder))]) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _in_the_way(folder: Path) -> Mistake:
    return Mistake(
        file=str(folder),
        place="",
        read="something that is there already",
        expected="a name that is free",
        remedy="Name another folder, or move this one away.",
    )


def _write(path: Path, value: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        json.dump(value, stream, ensure_ascii=False, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())


def _sync(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def read_json_file(path: Path, *, shown_as: str) -> dict[str, Any] | Mistake:
    """Return the JSON object in a file of at most 100 MB, or why it cannot be read."""
    found = find_file(path, inside=path.parent.resolve(), shown=shown_as)
    return found if isinstance(found, Mistake) else read_object(found, at_most=_MAX_BYTES)


def read_tokenizer(path: Path) -> Tokenizer:
    """Return the tokenizer that `write_tokenizer` wrote.

    Args:
        path: Its folder, or the `tokenizer.json` in it.

    Raises:
        RecipeError: It cannot be read, or holds what this reader would have to pass over.
    """
    file = path / FILE if path.is_dir() else path
    said = read_json_file(file, shown_as=str(path))
    if isinstance(said, Mistake):
        raise RecipeError([said])
    tokenizer = _understood(said, file=str(path))
    other = next(_differences(said, tokenizer_json(tokenizer), place=""), None)
    if other is not None:
        place, read, expected = other
        raise RecipeError([_foreign(str(path), place, read=read, expected=expected)])
    return tokenizer


def _understood(said: Mapping[str, Any], *, file: str) -> Tokenizer:
    model = said.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    merges = model.get("merges") if isinstance(model, dict) else None
    added = said.get("added_tokens")
    if not (isinstance(vocabulary, dict) and isinstance(merges, list) and isinstance(added, list)):
        raise RecipeError(
            [_foreign(file, "model", read="no vocabulary with merges", expected="byte-level BPE")]
        )
    pairs = tuple(_pairs(merges, vocabulary))
    if None in pairs or len(vocabulary) != BYTES + len(pairs):
        read = f"{len(vocabulary)} tokens and {len(merges)} merges of which some name no token"
        if None not in pairs:
            read = f"{len(vocabulary)} tokens and {len(merges)} merges"
        expected = "256 bytes and one token for each merge of two tokens"
        raise RecipeError([_foreign(file, "model.merges", read=read, expected=expected)])
    specials = [token.get("content") if isinstance(token, dict) else None for token in added]
    return Tokenizer(
        merges=tuple(pair for pair in pairs if pair is not None),
        pattern=_pattern(said),
        specials=tuple(text if isinstance(text, str) else "" for text in specials),
    )


def _pairs(merges: list[Any], vocabulary: Mapping[str, Any]) -> Iterator[tuple[int, int] | None]:
    for pair in merges:
        ids = [
            vocabulary.get(token) if isinstance(token, str) and from_signs(token) else None
            for token in (pair if isinstance(pair, list) else ())
        ]
        whole = [token for token in ids if type(token) is int]
        yield (whole[0], whole[1]) if len(whole) == len(ids) == 2 else None  # noqa: PLR2004  # a pair


def _pattern(said: Mapping[str, Any]) -> str | None:
    before = said.get("pre_tokenizer")
    steps = before.get("pretokenizers") if isinstance(before, dict) else None
    first = steps[0] if isinstance(steps, list) and steps else None
    written = first.get("pattern") if isinstance(first, dict) else None
    regex = written.get("Regex") if isinstance(written, dict) else None
    return regex if isinstance(regex, str) else None


def _differences(read: Any, expected: Any, *, place: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(read, dict) and isinstance(expected, dict):
        for key in sorted(read.keys() | expected.keys()):
            inner = f"{place}.{key}" if place else key
            if key not in expected:
                yield inner, "this key", "no such key"
            elif key not in read:
                yield inner, "nothing", "this key"
            else:
                yield from _differences(read[key], expected[key], place=inner)
    elif type(read) is not type(expected) or read != expected:
        yield place, shown(repr(read)), shown(repr(expected))


def _foreign(file: str, place: str, *, read: str, expected: str) -> Mistake:
    return Mistake(
        file=file,
        place=place,
        read=read,
        expected=expected,
        remedy="Only tokenizers that Dokja wrote are read without an extra; "
        "`dokja forge tokenizer lint` and `report` look into others.",
    )
