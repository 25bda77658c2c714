"""Drafts as lines of JSON, one object per line: `kind`, `actor`, `body`, and `id` and `blobs`."""

from collections.abc import Mapping
from typing import Any

from dokja.errors import EntryError, Mistake
from dokja.evidence.ledger.entries import Draft
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest, parse_json

__all__ = ["parse_drafts"]

_NEEDED = {"kind": str, "actor": str, "body": dict}
_FREE = {"id": str, "blobs": list}
_WORDS = {str: "text", dict: "an object", list: "a list"}


def parse_drafts(data: bytes, *, file: str) -> tuple[Draft, ...]:
    """Return the drafts in lines of JSON; empty lines are passed over.

    Args:
        data: The lines.
        file: Where they were read, for the error.

    Raises:
        EntryError: A line is no draft, or its body does not fit its kind; every mistake of
                every line.

    Example:
        >>> line = b'{"kind": "unseal", "actor": "office", "body": {}, "id": "unseal/1"}'
        >>> parse_drafts(line, file="a.jsonl")
        Traceback (most recent call last):
        dokja.errors.EntryError: a.jsonl, line 1, entry: read nothing; expected this key.
        ...
    """
    drafts: list[Draft] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(data.split(b"\n"), start=1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            said = parse_json(line.decode())
        except (ValueError, RecursionError) as error:
            what = "one JSON object in UTF-8"
            mistakes.append(Mistake(file=file, place=place, read=str(error), expected=what))
            continue
        found = _mistakes(said, file=file, place=place)
        found = found or [*check_body(said["kind"], said["body"], place=f"{file}, {place}")]
        mistakes += found
        if not found:
            drafts.append(_draft(said))
    if not drafts and not mistakes:
        what = "at least one line with a draft"
        mistakes.append(Mistake(file=file, place="", read="nothing", expected=what))
    if mistakes:
        raise EntryError(mistakes, changed="Nothing was appended.")
    return tuple(drafts)


def _draft(said: Mapping[str, Any]) -> Draft:
    return Draft(
        kind=said["kind"],
        actor=said["actor"],
        body=said["body"],
        blobs=tuple(Digest.parse(blob) for blob in said.get("blobs", ())),
        id=said.get("id"),
    )


def _mistakes(said: object, *, file: str, place: str) -> list[Mistake]:
    """Return what keeps a line from being a draft; the draft itself is judged when appended."""
    if not isinstance(said, dict):
        return [Mistake(file=file, place=place, read=repr(said), expected="a JSON object")]
    mistakes = []
    known = _NEEDED | _FREE
    for key, value in said.items():
        where = f"{place}, {key}"
        if key not in known:
            what = f"one of the keys {', '.join(known)}"
            mistakes.append(Mistake(file=file, place=where, read="this key", expected=what))
        elif not isinstance(value, known[key]):
            what = _WORDS[known[key]]
            mistakes.append(Mistake(file=file, place=where, read=repr(value), expected=what))
    mistakes += [
        Mistake(file=file, place=f"{place}, {key}", read="nothing", expected=_WORDS[kind])
        for key, kind in _NEEDED.items()
        if key not in said
    ]
    blobs = said.get("blobs")
    for blob in blobs if isinstance(blobs, list) else ():
        try:
            Digest.parse(str(blob))
        except ValueError as error:
            what = "sha256: and 64 hexadecimal digits"
            mistakes.append(
                Mistake(file=file, place=f"{place}, blobs", read=str(error), expected=what)
            )
    return mistakes
