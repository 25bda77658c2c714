"""Which parts of a request may change from run to run without making it another request.

Two requests are the same if their method, path and body are. Some engines put a time or a running
number into every request; a profile names those parts, and is declared before the recording: its
digest stands in the first line of the store, so that nobody can widen it afterwards.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus

from dokja.errors import Mistake, RecordingError
from dokja.values import Digest, Json, canonical_bytes, is_identifier, parse_json, shown

__all__ = ["PLAIN", "Mask", "Profile", "exchange_key", "read_profile", "without_credentials"]

_VERSION = "dokja.exchange/1"
_EVERY = "*"
_CREDENTIALS = frozenset({"key", "token", "sig", "signature", "auth", "password"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """A piece of text that may differ, wherever it stands in a body.

    Attributes:
        pattern: A regular expression of Python's `re`.
        stands_for: What is put in its place before requests are compared.
    """

    pattern: str
    stands_for: str


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What is left out of account when two requests are compared.

    Attributes:
        name: Names the profile.
        volatile: Places in a JSON body, such as `user` or `messages.*.id`; `*` is every member.
        masks: Pieces of text that may differ.
    """

    name: str
    volatile: tuple[str, ...] = ()
    masks: tuple[Mask, ...] = ()

    @property
    def body(self) -> dict[str, Json]:
        """The profile as it stands in the first line of a store."""
        masks = [{"pattern": one.pattern, "stands_for": one.stands_for} for one in self.masks]
        return {"name": self.name, "volatile": list(self.volatile), "masks": masks}

    @cached_property
    def digest(self) -> Digest:
        """Digest of the profile's canonical form."""
        return Digest.of(canonical_bytes(self.body))

    @cached_property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """The volatile places, step by step."""
        return tuple(tuple(place.split(".")) for place in self.volatile)

    @cached_property
    def patterns(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        """The masks, compiled."""
        return tuple((re.compile(one.pattern), one.stands_for) for one in self.masks)

    @classmethod
    def of_body(cls, said: Mapping[str, Any]) -> "Profile":
        """Return the profile that stands in the first line of a store.

        Raises:
            KeyError, TypeError: It is written otherwise.
        """
        return cls(
            name=str(said["name"]),
            volatile=tuple(map(str, said["volatile"])),
            masks=tuple(
                Mask(pattern=str(one["pattern"]), stands_for=str(one["stands_for"]))
                for one in said["masks"]
            ),
        )


PLAIN = Profile(name="plain")
"""Leaves nothing out: two requests are the same only if all of their bodies is."""


def exchange_key(method: str, path: str, body: bytes, *, profile: Profile = PLAIN) -> Digest:
    """Return what names a request: the same for every repetition of it.

    SHA-256 over a version mark, the method, the path with its query, the word `json` or `raw`,
    and the body. A JSON body enters in its RFC 8785 form, without the profile's volatile places;
    a body that has no such form (no JSON, a key twice, a number beyond 2**53) enters as it is.

    Args:
        method: Such as `POST`.
        path: As it was asked for, with its query.
        body: The bytes that were sent.
        profile: What may differ.

    Example:
        >>> one = exchange_key("POST", "/chat/completions", b'{"a": 1, "b": 2}')
        >>> one == exchange_key("POST", "/chat/completions", b'{"b":2,"a":1.0}')
        True
        >>> one == exchange_key("POST", "/completions", b'{"a": 1, "b": 2}')
        False
    """
    sort, compared = "raw", body
    try:
        compared = canonical_bytes(_compared(parse_json(body), profile)) if body else body
        sort = "json" if body else "raw"
    except (ValueError, RecursionError):
        compared = body
    seen = sha256(f"{_VERSION}\n{method}\n{without_credentials(path)}\n{sort}\n".encode())
    seen.update(compared)
    return Digest(seen.hexdigest())


def without_credentials(path: str) -> str:
    """Return a path without those parts of its query that let somebody in.

    Some services take their key in the query. It is passed on, and neither kept nor compared.

    Example:
        >>> without_credentials("/models?api-version=1&key=abc")
        '/models?api-version=1'
    """
    bare, asked, query = path.partition("?")
    if not asked:
        return path
    kept = [part for part in query.split("&") if not _is_credential(part.partition("=")[0])]
    return f"{bare}?{'&'.join(kept)}" if kept else bare


def read_profile(path: Path) -> Profile:
    """Return the profile of a TOML file.

    Args:
        path: A file with `name`, and `volatile` (a list of places) or `[[mask]]` tables with
            `pattern` and `stands_for`, or both.

    Raises:
        RecordingError: It cannot be read, or something is wrong in it; every mistake at once.
    """
    file = str(path)
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        expected = "a profile in TOML that may be read"
        raise RecordingError(
            [Mistake(file=file, place="", read=str(error), expected=expected)]
        ) from error
    mistakes = [
        Mistake(file=file, place=place, read=shown(repr(read)), expected=expected)
        for place, read, expected in _faults(said)
    ]
    if mistakes:
        raise RecordingError(mistakes)
    return Profile.of_body(
        {"name": said["name"], "volatile": said.get("volatile", []), "masks": said.get("mask", [])}
    )


def _compared(value: Any, profile: Profile) -> Any:
    """Return a body without what may differ; the body itself is taken apart."""
    for place in profile.places:
        _remove(value, place)
    return _masked(value, profile.patterns) if profile.patterns else value


def _remove(value: Any, place: Sequence[str]) -> None:
    step, *rest = place
    if isinstance(value, dict):
        if rest:
            for name in list(value) if step == _EVERY else [step] if step in value else []:
                _remove(value[name], rest)
        elif step == _EVERY:
            value.clear()
        else:
            value.pop(step, None)
    elif isinstance(value, list) and rest:
        for number, member in enumerate(value):
            if step in {_EVERY, str(number)}:
                _remove(member, rest)


def _masked(value: Any, patterns: Sequence[tuple[re.Pattern[str], str]]) -> Any:
    if isinstance(value, str):
        for pattern, stands_for in patterns:
            value = pattern.sub(stands_for, value)
        return value
    if isinstance(value, dict):
        return {name: _masked(member, patterns) for name, member in value.items()}
    if isinstance(value, list):
        return [_masked(member, patterns) for member in value]
    return value


def _is_credential(name: str) -> bool:
    plain = unquote_plus(name).casefold().replace("_", "").replace("-", "")
    return plain in _CREDENTIALS or plain.endswith(("apikey", "accesstoken", "secret"))


def _faults(said: Mapping[str, Any]) -> list[tuple[str, Any, str]]:
    """Return place, what was read and what was expected, for everything that is wrong."""
    found: list[tuple[str, Any, str]] = [
        (key, said[key], "only name, volatile and mask")
        for key in sorted(said.keys() - {"name", "volatile", "mask"})
    ]
    name = said.get("name")
    if not isinstance(name, str) or not is_identifier(name):
        found.append(("name", name, "an identifier, such as my-harness"))
    volatile = said.get("volatile", [])
    if not isinstance(volatile, list):
        found.append(("volatile", volatile, "a list of places"))
        volatile = []
    for number, place in enumerate(volatile):
        if not isinstance(place, str) or not all(place.split(".")):
            found.append((f"volatile.{number}", place, "a place, such as messages.*.id"))
    masks = said.get("mask", [])
    if not isinstance(masks, list):
        found.append(("mask", masks, "tables [[mask]]"))
        masks = []
    for number, mask in enumerate(masks):
        found += _mask_faults(f"mask.{number}", mask)
    return found


def _mask_faults(place: str, mask: Any) -> list[tuple[str, Any, str]]:
    keys = {"pattern", "stands_for"}
    if not isinstance(mask, dict) or mask.keys() != keys:
        return [(place, mask, "exactly the keys pattern and stands_for")]
    if not all(isinstance(mask[key], str) for key in keys):
        return [(place, mask, "two texts")]
    try:
        re.compile(mask["pattern"]).sub(mask["stands_for"], "")
    except (re.error, IndexError) as error:
        return [(place, mask["pattern"], f"a regular expression ({error})")]
    return []
