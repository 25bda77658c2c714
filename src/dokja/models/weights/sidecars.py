"""The small files that lie beside the weights: index, configuration, tokenizer.

They are read as JSON with one reading only and never acted upon: a configuration is a claim
about the weights, an index may name only files of its own folder, and nothing that either
calls a class or an address is ever imported or fetched.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.headers import TensorInfo, shown
from dokja.models.weights.held import Sidecar
from dokja.values import parse_json

__all__ = ["index_mistakes", "read_config", "read_index", "read_object", "token_rows"]

_MAX_CONFIG_BYTES = 10_000_000
_MAX_INDEX_BYTES = 100_000_000
_MAX_TOKENIZER_BYTES = 100_000_000
_MAX_TOKEN_ID = 2**31


def read_object(file: Sidecar, *, at_most: int) -> dict[str, Any] | Mistake:
    """Return the JSON object that a file holds, or why it cannot be read."""
    try:
        data = file.content(at_most=at_most)
    except WeightsError as error:
        return error.mistakes[0]
    try:
        found = parse_json(data.decode("utf-8"))
    except RecursionError:
        read = "brackets nested beyond all reason"
    except ValueError as error:  # UnicodeDecodeError is one
        read = f"something else: {str(error)[:200]}"
    else:
        if isinstance(found, dict):
            return found
        read = shown(found)
    return Mistake(file=file.shown, place="", read=read, expected="one JSON object in UTF-8")


def read_config(file: Sidecar) -> dict[str, Any] | Mistake:
    """Return the model's configuration, or why it cannot be read."""
    return read_object(file, at_most=_MAX_CONFIG_BYTES)


def read_index(file: Sidecar) -> tuple[dict[str, Any], tuple[Mistake, ...]]:
    """Return an index of shards and what is wrong with its own form."""
    index = read_object(file, at_most=_MAX_INDEX_BYTES)
    if isinstance(index, Mistake):
        return {}, (index,)
    return index, tuple(_form_mistakes(index, file.shown))


def _form_mistakes(index: Mapping[str, Any], file: str) -> Iterator[Mistake]:
    places = index.get("weight_map")
    if not isinstance(places, dict) or not places:
        yield Mistake(
            file=file,
            place="weight_map",
            read=shown(places),
            expected="an object from each tensor's name to its shard",
        )
        return
    for name in sorted({name for name in places.values() if isinstance(name, str)}):
        if not _is_plain(name):
            yield Mistake(
                file=file,
                place="weight_map",
                read=shown(name),
                expected="the plain name of a .safetensors file in the same folder",
                remedy="Nothing outside the folder was looked at.",
            )
    wrong = [tensor for tensor, name in places.items() if not isinstance(name, str)]
    if wrong:
        yield Mistake(
            file=file,
            place=f"weight_map, {shown(wrong[0])}",
            read=shown(places[wrong[0]]),
            expected="the name of a file",
        )


def _is_plain(name: str) -> bool:
    return (
        name.endswith(".safetensors")
        and not any(sign in name for sign in "/\\\0")
        and not name.startswith(".")
        and name.isprintable()
    )


def index_mistakes(
    index: Mapping[str, Any], shards: Mapping[str, tuple[TensorInfo, ...]], *, file: str
) -> Iterator[Mistake]:
    """Find where an index and the shards' own headers disagree.

    Args:
        index: An index whose form is sound.
        shards: The tensors that each shard's header describes.
        file: What mistakes call the index.
    """
    stated: Mapping[str, str] = index["weight_map"]
    found = {(tensor.name, shard) for shard, held in shards.items() for tensor in held}
    for name, shard in sorted(set(stated.items()) - found)[:20]:
        yield Mistake(
            file=file,
            place=f"weight_map, {shown(name)}",
            read=shard,
            expected="a shard that holds this tensor",
        )
    for name, shard in sorted(found - set(stated.items()))[:20]:
        yield Mistake(
            file=file,
            place="weight_map",
            read=f"no entry that puts {shown(name)} into {shard}, where it is",
            expected="every tensor of every shard",
        )
    metadata = index.get("metadata")
    size = metadata.get("total_size") if isinstance(metadata, dict) else None
    held_bytes = sum(tensor.bytes for held in shards.values() for tensor in held)
    if size is not None and size != held_bytes:
        yield Mistake(
            file=file,
            place="metadata.total_size",
            read=shown(size),
            expected=f"{held_bytes}, the sum over the shards' headers",
        )


def token_rows(file: Sidecar) -> dict[str, int] | Mistake:
    """Return each token's row in the embedding, from a `tokenizer.json`.

    Byte-pair, word-piece and word-level vocabularies map text to row; a unigram vocabulary is a
    list of pairs. Added tokens stand apart in both.
    """
    tokenizer = read_object(file, at_most=_MAX_TOKENIZER_BYTES)
    if isinstance(tokenizer, Mistake):
        return tokenizer
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    pairs = [*_vocabulary_pairs(vocabulary), *_added_pairs(tokenizer.get("added_tokens"))]
    rows: dict[str, int] = {}
    taken: dict[int, str] = {}
    for text, row in pairs:
        sound = (
            isinstance(text, str)
            and isinstance(row, int)
            and not isinstance(row, bool)
            and 0 <= row < _MAX_TOKEN_ID
        )
        if not sound or rows.get(text, row) != row or taken.get(row, text) != text:
            return Mistake(
                file=file.shown,
                place=f"token {shown(text)}",
                read=f"the id {shown(row)}",
                expected="one whole number from 0 for each token, and one token for each number",
            )
        rows[text], taken[row] = row, text
    if not rows:
        return Mistake(
            file=file.shown, place="model.vocab", read=shown(vocabulary), expected="a vocabulary"
        )
    return rows


def _vocabulary_pairs(vocabulary: object) -> Iterator[tuple[Any, Any]]:
    if isinstance(vocabulary, dict):
        yield from vocabulary.items()
    elif isinstance(vocabulary, list):
        for row, piece in enumerate(vocabulary):
            yield (piece[0] if isinstance(piece, list) and piece else piece), row


def _added_pairs(added: object) -> Iterator[tuple[Any, Any]]:
    for token in added if isinstance(added, list) else ():
        if isinstance(token, dict):
            yield token.get("content"), token.get("id")
