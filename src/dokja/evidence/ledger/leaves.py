"""The bytes of an entry: what is hashed, kept and shown to strangers.

A leaf is the RFC 8785 form of one JSON object with eight keys. Writing takes a shorter way than
`values.canonical_bytes` where both provably give the same bytes; reading accepts the canonical
form and nothing else, so that one entry has one sequence of bytes. Nothing here knows what an
entry of some kind should say.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dokja.values import Json, canonical_bytes

__all__ = [
    "DEEPEST",
    "LEAF_KEYS",
    "LEAF_VERSION",
    "compose_leaf",
    "is_entry_id",
    "is_newer",
    "leaf_fault",
    "swift_bytes",
]

LEAF_VERSION = 1
LEAF_KEYS = frozenset({"actor", "blobs", "body", "id", "kind", "seq", "time", "v"})

# A body nested deeper than this is a mistake or an attack on the reader's stack.
DEEPEST = 64

_GREATEST = 2**53 - 1
_SEGMENT = r"[a-z0-9가-힣][a-z0-9가-힣._-]{0,79}"
_ID = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT}){{0,7}}")
_KIND = re.compile(_SEGMENT)
_TIME = re.compile(
    r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ"
)
_BLOB = re.compile(r"sha256:[0-9a-f]{64}")
_WRITER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_READER = json.JSONDecoder()
# Python and ECMAScript write a fraction alike between these; outside them one uses exponents.
_PLAIN_FROM, _PLAIN_TO = 1e-4, 1e16


def swift_bytes(value: Json) -> bytes:
    """Return the same bytes as `canonical_bytes`, sooner where the value is plain.

    Raises:
        ValueError: The value has no canonical form, is nested deeper than `DEEPEST`, or would
            be read back as another value.

    Example:
        >>> swift_bytes({"b": [1, 0.5], "a": "독자"}).decode()
        '{"a":"독자","b":[1,0.5]}'
    """
    if _is_plain(value, DEEPEST):
        try:
            return _WRITER.encode(value).encode()
        except UnicodeEncodeError as error:
            message = f"this value has no canonical JSON form: {error}"
            raise ValueError(message) from error
    _refuse_deep(value, DEEPEST)
    written = canonical_bytes(value)
    # A float such as 1e17 is written as an integer that has no canonical form when read back.
    if canonical_bytes(json.loads(written)) != written:
        message = "this value has no canonical JSON form that reads back as itself"
        raise ValueError(message)
    return written


def _refuse_deep(value: Any, deepest: int) -> None:
    kind = type(value)
    if kind is not dict and kind is not list and kind is not tuple:
        return
    if not deepest:
        message = f"this value is nested deeper than {DEEPEST} levels"
        raise ValueError(message)
    for part in value.values() if kind is dict else value:
        _refuse_deep(part, deepest - 1)


def _is_plain(value: Any, deepest: int) -> bool:
    """Tell whether Python's own JSON writer gives the RFC 8785 form of a value not too deep."""
    kind = type(value)
    if kind is dict:
        return deepest > 0 and _is_plain_object(value, deepest - 1)
    if kind is list or kind is tuple:
        return deepest > 0 and _is_plain_list(value, deepest - 1)
    if kind is int:
        return bool(-_GREATEST <= value <= _GREATEST)
    if kind is float:
        return _PLAIN_FROM <= abs(value) < _PLAIN_TO and not value.is_integer()
    return kind is str or kind is bool or value is None


def _is_plain_object(value: dict[Any, Any], deepest: int) -> bool:
    for key, part in value.items():
        if type(key) is not str or not (key.isascii() or _sorts_alike(key)):
            return False
        if type(part) is not str and not _is_plain(part, deepest):
            return False
    return True


def _is_plain_list(value: Sequence[Any], deepest: int) -> bool:
    for part in value:  # noqa: SIM110 (all() costs a generator for every list ever verified)
        if not _is_plain(part, deepest):
            return False
    return True


def _sorts_alike(key: str) -> bool:
    """Tell whether code points and UTF-16 units order this key alike: all in the first plane."""
    return max(key) <= "\uffff"


def compose_leaf(
    seq: int, *, entry_id: str, time: str, kind: str, actor: str, body: bytes, blobs: Sequence[str]
) -> bytes:
    """Return the leaf of an entry whose body is already in canonical form.

    Example:
        >>> compose_leaf(0, entry_id="a", time="2026-01-15T09:00:00Z", kind="k", actor="o",
        ...              body=b"{}", blobs=()).decode()
        '{"actor":"o","blobs":[],"body":{},"id":"a","kind":"k","seq":0,"time":"2026-01-15T09:00:00Z","v":1}'
    """
    say = _WRITER.encode
    return b'{"actor":%b,"blobs":[%b],"body":%b,"id":%b,"kind":%b,"seq":%d,"time":"%b","v":%d}' % (
        say(actor).encode(),
        ",".join(f'"{blob}"' for blob in blobs).encode(),
        body,
        say(entry_id).encode(),
        say(kind).encode(),
        seq,
        time.encode(),
        LEAF_VERSION,
    )


def is_entry_id(text: str) -> bool:
    """Tell whether the text can name an entry: one to eight identifiers joined by `/`.

    Example:
        >>> is_entry_id("score/가람/expert"), is_entry_id("Score 1")
        (True, False)
    """
    return _ID.fullmatch(text) is not None


def leaf_fault(leaf: bytes) -> tuple[dict[str, Any], str]:
    """Return what a leaf says, and what is wrong with its bytes (nothing: an empty text).

    The bytes must be the canonical form of an object with exactly the keys of a leaf, each of
    its type and form. What the keys say of other entries is judged elsewhere.
    """
    try:
        text = leaf.decode()
        said, end = _READER.raw_decode(text)
    except (AttributeError, ValueError, RecursionError) as error:
        return {}, f"its bytes are no JSON ({error})"
    if end != len(text):
        return {}, f"its bytes are no JSON (something stands after sign {end})"
    if not isinstance(said, dict):
        return {}, "its bytes are no JSON object"
    return said, _form_fault(said, leaf=leaf)


def _form_fault(said: Mapping[str, Any], *, leaf: bytes) -> str:
    try:
        canonical = swift_bytes(said)
    except (ValueError, RecursionError) as error:
        return f"its bytes are not in canonical form ({error})"
    if canonical != leaf:
        return "its bytes are not in canonical form"
    if is_newer(said):
        return f"it has the format version {said['v']}; this Dokja reads up to {LEAF_VERSION}"
    if said.keys() != LEAF_KEYS:
        return f"its keys are {sorted(said)}, expected {sorted(LEAF_KEYS)}"
    return _part_fault(said)


def _part_fault(said: Mapping[str, Any]) -> str:
    """Return which of the keys of a leaf hold what they cannot hold."""
    entry_id, time, kind, blobs = said["id"], said["time"], said["kind"], said["blobs"]
    right = (
        ("v", type(said["v"]) is int and said["v"] == LEAF_VERSION),
        ("seq", type(said["seq"]) is int and said["seq"] >= 0),
        ("id", type(entry_id) is str and _ID.fullmatch(entry_id) is not None),
        ("time", type(time) is str and _TIME.fullmatch(time) is not None),
        ("kind", type(kind) is str and _KIND.fullmatch(kind) is not None),
        ("actor", type(said["actor"]) is str and bool(said["actor"])),
        ("body", type(said["body"]) is dict),
        ("blobs", type(blobs) is list and all(map(_is_blob, blobs))),
    )
    wrong = [key for key, fits in right if not fits]
    return f"its {', '.join(wrong)} cannot stand in an entry" if wrong else ""


def _is_blob(text: object) -> bool:
    return isinstance(text, str) and _BLOB.fullmatch(text) is not None


def is_newer(said: Mapping[str, Any]) -> bool:
    """Tell whether a leaf names a version that this release does not know."""
    version = said.get("v")
    return type(version) is int and version > LEAF_VERSION
