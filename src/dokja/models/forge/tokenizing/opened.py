"""Any tokenizer, opened to be measured and looked through, whoever made it.

A `tokenizer.json` is read as data. What each id writes is worked out from the file: byte-level
vocabularies write bytes as signs, sentencepiece writes a space as U+2581 and bytes as `<0xNN>`,
word pieces write `##` where a word goes on. Only encoding needs the extra `tokenizer`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.tokenizing.agreement import Encode, file_coder
from dokja.models.forge.tokenizing.byte_level import from_signs
from dokja.models.forge.tokenizing.folders import CONFIG, FILE, read_json_file
from dokja.models.forge.tokenizing.tokenizer import Tokenizer
from dokja.models.weights.files import find_file
from dokja.models.weights.sidecars import token_rows

__all__ = ["Subject", "TokenizerFile", "open_file", "open_subject", "steps", "subject"]

_FALLBACK = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_SPACE = "▁"


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A tokenizer as a report sees it.

    Attributes:
        name: What the report calls it.
        size: How many ids it has.
        digest: The digest that it is known by, if it is one of Dokja's.
        written: The bytes that each id writes; fallback bytes and specials as in the file.
        fallback: Ids that stand for one byte that the vocabulary has no sign for (`<0xNN>`); a
            byte-level tokenizer has none.
        encode: Takes a text and returns its ids.
        decode: Takes ids and returns a text.
    """

    name: str
    size: int
    digest: str | None
    written: Mapping[int, bytes]
    fallback: frozenset[int]
    encode: Encode
    decode: Callable[[list[int]], str]

    @cached_property
    def vocabulary(self) -> Mapping[bytes, int]:
        """The id of each token; a fallback byte is told from the sign that it could write."""
        return {
            (b"<0x%02X>" % written[0] if token in self.fallback else written): token
            for token, written in sorted(self.written.items(), reverse=True)
        }


def subject(tokenizer: Tokenizer, *, name: str, encode: Encode | None = None) -> Subject:
    """Return one of Dokja's tokenizers as a report sees it.

    Args:
        tokenizer: The tokenizer.
        name: What the report calls it.
        encode: A quicker way to its ids, such as `agreement.fast_encoder` gives.

    Example:
        >>> from dokja.models.forge.tokenizing.tokenizer import byte_tokenizer
        >>> subject(byte_tokenizer(), name="bytes").written[65]
        b'A'
    """
    written = dict(enumerate(tokenizer.vocabulary))
    written |= {token: text.encode() for text, token in tokenizer.special_ids.items()}
    return Subject(
        name=name,
        size=tokenizer.size,
        digest=str(tokenizer.digest),
        written=written,
        fallback=frozenset(),
        encode=encode or tokenizer.encode,
        decode=tokenizer.decode,
    )


@dataclass(frozen=True, kw_only=True)
class TokenizerFile:
    """A `tokenizer.json` and the `tokenizer_config.json` beside it, read as data.

    Attributes:
        path: The `tokenizer.json`.
        shown: What messages call it.
        said: Its content.
        config: The content of the other; empty where there is none.
    """

    path: Path
    shown: str
    said: Mapping[str, Any]
    config: Mapping[str, Any]

    @cached_property
    def model(self) -> Mapping[str, Any]:
        """The part that holds vocabulary and merges."""
        model = self.said.get("model")
        return model if isinstance(model, dict) else {}

    @cached_property
    def tokens(self) -> tuple[tuple[str, int], ...]:
        """Every token of the vocabulary as it is written, with its id; added tokens left out."""
        held = self.model.get("vocab")
        if isinstance(held, dict):
            return tuple((text, row) for text, row in held.items() if _is_row(row))
        if isinstance(held, list):
            return tuple((piece[0], row) for row, piece in enumerate(held) if _is_piece(piece))
        return ()

    @cached_property
    def added(self) -> tuple[Mapping[str, Any], ...]:
        """The added tokens."""
        added = self.said.get("added_tokens")
        return tuple(
            token
            for token in (added if isinstance(added, list) else ())
            if isinstance(token, dict) and isinstance(token.get("content"), str)
        )

    @cached_property
    def byte_level(self) -> bool:
        """Whether the vocabulary writes bytes as signs."""
        parts = (self.said.get("pre_tokenizer"), self.said.get("decoder"))
        return any(step.get("type") == "ByteLevel" for part in parts for step in steps(part))

    def text_of(self, token: str) -> bytes:
        """Return the bytes that a token of the vocabulary writes."""
        if self.byte_level:
            signs = from_signs(token)
            return token.encode(errors="replace") if signs is None else signs
        match = _FALLBACK.fullmatch(token)
        if match:
            return bytes([int(match.group(1), 16)])
        return token.removeprefix("##").replace(_SPACE, " ").encode(errors="replace")


def _is_piece(piece: object) -> bool:
    return isinstance(piece, list) and bool(piece) and isinstance(piece[0], str)


def _is_row(row: object) -> bool:
    return type(row) is int and row >= 0


def steps(part: object) -> Iterator[Mapping[str, Any]]:
    """Return the steps of a normaliser, pre-tokenizer or decoder, sequences opened up."""
    if not isinstance(part, dict):
        return
    inner = next(
        (part[key] for key in ("pretokenizers", "normalizers", "decoders") if key in part), None
    )
    if isinstance(inner, list):
        for step in inner:
            yield from steps(step)
    else:
        yield part


def open_file(path: Path) -> TokenizerFile:
    """Read a tokenizer's files.

    Args:
        path: The folder, or the `tokenizer.json` in it.

    Raises:
        RecipeError: There is none, it is no JSON object, or larger than 100 MB.
    """
    file = path / FILE if path.is_dir() else path
    said = read_json_file(file, shown_as=str(file))
    beside = file.with_name(CONFIG)
    config = read_json_file(beside, shown_as=str(beside)) if beside.exists() else {}
    mistakes = [found for found in (said, config) if isinstance(found, Mistake)]
    if isinstance(said, Mistake) or isinstance(config, Mistake):
        raise RecipeError(mistakes)
    return TokenizerFile(path=file, shown=str(file), said=said, config=config)


def open_subject(path: Path, *, name: str) -> Subject:
    """Open any tokenizer for a report.

    Args:
        path: The folder, or the `tokenizer.json` in it.
        name: What the report calls it.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.
        RecipeError: It cannot be read, or two tokens have one id.
    """
    file = open_file(path)
    found = find_file(file.path, inside=file.path.parent.resolve(), shown=file.shown)
    rows = found if isinstance(found, Mistake) else token_rows(found)
    if isinstance(rows, Mistake):
        raise RecipeError([rows])
    encode, decode = file_coder(file.path)
    added = {token["content"] for token in file.added}
    return Subject(
        name=name,
        size=max(rows.values()) + 1,
        digest=None,
        written=dict(_written(file, rows, added)),
        fallback=_fallback(file, rows.items()),
        encode=encode,
        decode=decode,
    )


def _written(
    file: TokenizerFile, rows: Mapping[str, int], added: set[str]
) -> Iterator[tuple[int, bytes]]:
    for text, row in rows.items():
        yield row, text.encode(errors="replace") if text in added else file.text_of(text)


def _fallback(file: TokenizerFile, rows: Iterable[tuple[str, int]]) -> frozenset[int]:
    if file.byte_level:
        return frozenset()
    return frozenset(row for text, row in rows if _FALLBACK.fullmatch(text))
