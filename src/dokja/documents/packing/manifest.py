"""What a corpus says of itself: `manifest.json`, schema `dokja.corpus/1`.

The pydantic models stand at the border and say whether every value has the right shape; behind
them travel frozen dataclasses. A licence is an SPDX expression, or the digest of a licence's
text; that an SPDX identifier is on SPDX's list is not checked, since the list changes.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from dokja.errors import CorpusError, Mistake
from dokja.values import Digest, Json, canonical_bytes, is_identifier, parse_json, text_fault
from dokja.values import shown as shown_text

__all__ = [
    "DOCUMENTS_FILE",
    "ITEM_BYTES",
    "MANIFEST_FILE",
    "MAX_VOCABULARY",
    "SCHEMA",
    "CorpusFacts",
    "Manifest",
    "Shard",
    "TokenType",
    "fact_mistakes",
    "parse_manifest",
]

SCHEMA = "dokja.corpus/1"
MANIFEST_FILE = "manifest.json"
DOCUMENTS_FILE = "docs.u64"

TokenType: TypeAlias = Literal["u16", "u32"]
ITEM_BYTES: dict[str, int] = {"u16": 2, "u32": 4}
"""Bytes of one token id, for each type of shard."""

MAX_VOCABULARY = 1 << 31
"""Ids stay below this, so that they are positive in every integer type in use."""

_SPDX_WORD = r"(?:DocumentRef-[A-Za-z0-9.-]+:)?[A-Za-z0-9][A-Za-z0-9.-]*\+?"
_SPDX = re.compile(rf"\(*{_SPDX_WORD}\)*(?: (?:AND|OR|WITH) \(*{_SPDX_WORD}\)*)*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_MOST = 1 << 53  # what JSON numbers can carry everywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusFacts:
    """What only people can say of a corpus.

    Attributes:
        name: An identifier, the same in recipes.
        tokenizer: Digest of the tokenizer that makes the ids.
        vocabulary: How many ids it has.
        licence: An SPDX expression such as `CC-BY-SA-4.0`, or the digest of a licence's text.
        origin: Where the texts come from, in one line.
        collected: A day (2026-01-15), or first and last day (2025-01-01/2025-06-30).
        filters: What was done to the texts, in order; empty if nothing was.
        personal_data: What is known of personal data in them, in one line.
    """

    name: str
    tokenizer: Digest
    vocabulary: int
    licence: str
    origin: str
    collected: str
    filters: tuple[str, ...] = ()
    personal_data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One file of token ids.

    Attributes:
        file: Its name in the corpus' folder.
        tokens: How many ids it holds.
        digest: SHA-256 of its bytes.
    """

    file: str
    tokens: int
    digest: Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a corpus holds.

    Attributes:
        facts: What people say of it.
        dtype: How an id is stored: `u16` or `u32`, little-endian.
        shards: The files of ids, in order.
        documents_digest: SHA-256 of `docs.u64`: where each document starts, and the end.
        documents: How many texts were packed.
        tokens: How many ids they became.
        text_bytes: How many bytes of UTF-8 they were.
    """

    facts: CorpusFacts
    dtype: TokenType
    shards: tuple[Shard, ...]
    documents_digest: Digest
    documents: int
    tokens: int
    text_bytes: int

    @property
    def name(self) -> str:
        """The corpus' name."""
        return self.facts.name

    @property
    def tokenizer(self) -> Digest:
        """Digest of the tokenizer that made the ids."""
        return self.facts.tokenizer

    @property
    def vocabulary(self) -> int:
        """How many ids the tokenizer has; every id is below it."""
        return self.facts.vocabulary

    @property
    def digest(self) -> Digest:
        """Names the corpus beyond doubt: SHA-256 of the manifest in canonical JSON."""
        return Digest.of(canonical_bytes(self.to_json()))

    def to_json(self) -> dict[str, Json]:
        """Return the manifest as it is written."""
        facts = self.facts
        return {
            "schema": SCHEMA,
            "name": facts.name,
            "tokenizer": str(facts.tokenizer),
            "vocabulary": facts.vocabulary,
            "dtype": self.dtype,
            "shards": [
                {"file": shard.file, "tokens": shard.tokens, "sha256": shard.digest.hex}
                for shard in self.shards
            ],
            "docs": {"file": DOCUMENTS_FILE, "sha256": self.documents_digest.hex},
            "documents": self.documents,
            "tokens": self.tokens,
            "text_bytes": self.text_bytes,
            "licence": facts.licence,
            "origin": facts.origin,
            "collected": facts.collected,
            "filters": list(facts.filters),
            "personal_data": facts.personal_data,
        }


def fact_mistakes(facts: CorpusFacts, *, file: str) -> Iterator[Mistake]:
    """Yield everything that is wrong with what people said of a corpus.

    Args:
        facts: What they said.
        file: What the mistakes call the corpus.
    """
    checks = (
        ("name", facts.name, _identifier),
        ("vocabulary", facts.vocabulary, _vocabulary),
        ("licence", facts.licence, _licence),
        ("origin", facts.origin, _line),
        ("collected", facts.collected, _days),
        ("personal_data", facts.personal_data, _line),
        *((f"filters[{place}]", text, _line) for place, text in enumerate(facts.filters)),
    )
    for place, value, check in checks:
        try:
            check(value)  # type: ignore[operator]  # each check goes with its own value's type
        except ValueError as error:
            yield Mistake(file=file, place=place, read=_shown(value), expected=str(error))


def parse_manifest(data: bytes, *, file: str) -> Manifest:
    """Return the manifest that these bytes say.

    Args:
        data: The bytes of the file.
        file: What it is called, for the error.

    Raises:
        CorpusError: It is no manifest of this schema; every mistake that can be told at once.
    """
    try:
        raw = parse_json(data)
    except (ValueError, RecursionError) as error:
        mistake = Mistake(file=file, place="", read=_shown(str(error)), expected="one JSON object")
        raise CorpusError([mistake]) from error
    try:
        said = _ManifestFile.model_validate(raw)
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise CorpusError([_mistake(fault, file=file) for fault in faults]) from error
    manifest = said.frozen()
    if mistakes := list(_contradictions(manifest, file=file)):
        raise CorpusError(mistakes)
    return manifest


def _contradictions(manifest: Manifest, *, file: str) -> Iterator[Mistake]:
    stated = sum(shard.tokens for shard in manifest.shards)
    if stated != manifest.tokens:
        yield Mistake(
            file=file,
            place="tokens",
            read=str(manifest.tokens),
            expected=f"the {stated} of the shards together",
        )
    names = Counter(shard.file for shard in manifest.shards)
    for name in sorted(name for name, count in names.items() if count > 1):
        yield Mistake(file=file, place="shards", read=f"{name} twice", expected="each shard once")
    if manifest.dtype == "u16" and manifest.vocabulary > 1 << 16:
        yield Mistake(
            file=file,
            place="dtype",
            read=f"u16 for {manifest.vocabulary} ids",
            expected="u32, since u16 ends at 65,535",
        )


def _identifier(text: str) -> str:
    if not is_identifier(text):
        raise ValueError("lower-case letters, digits, Hangul syllables, and . _ - inside")
    return text


def _line(text: str) -> str:
    fault = text_fault(text, name=False)
    if fault is not None:
        raise ValueError(fault[1])
    if not text.isprintable():
        raise ValueError("one line of text without control signs")
    return text


def _vocabulary(ids: int) -> int:
    if not 1 <= ids <= MAX_VOCABULARY:
        raise ValueError(f"from 1 to {MAX_VOCABULARY} ids")
    return ids


def _licence(text: str) -> str:
    balanced = text.count("(") == text.count(")")
    if _DIGEST.fullmatch(text) is None and not (balanced and _SPDX.fullmatch(text)):
        raise ValueError(
            "an SPDX expression such as CC-BY-SA-4.0, or sha256: and the digest of the "
            "licence's text"
        )
    return text


def _days(text: str) -> str:
    first, slash, last = text.partition("/")
    written = [first, last if slash else first]
    try:
        days = [date.fromisoformat(day) for day in written]
    except ValueError:
        days = []
    if [str(day) for day in days] != written or days != sorted(days):
        raise ValueError("a day (2026-01-15), or first and last day (2025-01-01/2025-06-30)")
    return text


def _file_name(text: str) -> str:
    if _FILE_NAME.fullmatch(text) is None or text in {MANIFEST_FILE, DOCUMENTS_FILE}:
        raise ValueError("a plain file name inside the corpus' folder")
    return text


def _tokenizer(text: str) -> str:
    if _DIGEST.fullmatch(text) is None:
        raise ValueError("sha256: and 64 lower-case hexadecimal digits")
    return text


_Line: TypeAlias = Annotated[str, AfterValidator(_line)]
_Hex: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Count: TypeAlias = Annotated[int, Field(ge=1, le=_MOST)]
_FileName: TypeAlias = Annotated[str, AfterValidator(_file_name)]


class _Terms(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _ShardFile(_Terms):
    file: _FileName
    tokens: _Count
    sha256: _Hex


class _DocumentsFile(_Terms):
    file: Literal["docs.u64"]
    sha256: _Hex


class _ManifestFile(_Terms):
    schema_: Literal["dokja.corpus/1"] = Field(alias="schema")
    name: Annotated[str, AfterValidator(_identifier)]
    tokenizer: Annotated[str, AfterValidator(_tokenizer)]
    vocabulary: Annotated[int, AfterValidator(_vocabulary)]
    dtype: TokenType
    shards: Annotated[list[_ShardFile], Field(min_length=1, max_length=100_000)]
    docs: _DocumentsFile
    documents: _Count
    tokens: _Count
    text_bytes: Annotated[int, Field(ge=0, le=_MOST)]
    licence: Annotated[str, AfterValidator(_licence)]
    origin: _Line
    collected: Annotated[str, AfterValidator(_days)]
    filters: list[_Line]
    personal_data: _Line

    def frozen(self) -> Manifest:
        """Return what travels on."""
        return Manifest(
            facts=CorpusFacts(
                name=self.name,
                tokenizer=Digest.parse(self.tokenizer),
                vocabulary=self.vocabulary,
                licence=self.licence,
                origin=self.origin,
                collected=self.collected,
                filters=tuple(self.filters),
                personal_data=self.personal_data,
            ),
            dtype=self.dtype,
            shards=tuple(
                Shard(file=shard.file, tokens=shard.tokens, digest=Digest(shard.sha256))
                for shard in self.shards
            ),
            documents_digest=Digest(self.docs.sha256),
            documents=self.documents,
            tokens=self.tokens,
            text_bytes=self.text_bytes,
        )


def _mistake(fault: Any, *, file: str) -> Mistake:
    place = "".join(
        f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"]
    ).removeprefix(".")
    expected = {
        "missing": "this key",
        "extra_forbidden": "no such key",
    }.get(fault["type"], fault["msg"].removeprefix("Value error, "))
    read = "nothing" if fault["type"] == "missing" else _shown(fault["input"])
    return Mistake(file=file, place=place, read=read, expected=expected)


def _shown(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"a list of {len(value)}"
    return shown_text(repr(value))
