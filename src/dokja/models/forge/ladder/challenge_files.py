"""Challenges and commitments as files; what is read was drawn again and is the same.

A file that chooses other segments than its own nonce and beacon draw is refused: nobody picks.
"""

import json
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.models.forge.forms import plain, read_form
from dokja.models.forge.ladder.challenge import Challenge, draw_challenge, self_challenge
from dokja.models.forge.ladder.commitments import COMMITMENT, NonceCommitment
from dokja.models.forge.records import Chain
from dokja.values import Json, parse_json, shown

__all__ = [
    "CHALLENGE",
    "challenge_json",
    "read_challenge",
    "read_commitment",
    "write_challenge",
    "write_commitment",
]

CHALLENGE = "dokja.challenge/1"
"""What a challenge says it is."""

_MAX_BYTES = 20_000_000


def challenge_json(challenge: Challenge) -> dict[str, Json]:
    """Return a challenge as its file holds it."""
    said = plain(challenge)
    return {"schema": CHALLENGE, **(said if isinstance(said, dict) else {})}


def write_challenge(challenge: Challenge, path: Path) -> None:
    """Write a challenge whole or not at all."""
    _write(challenge_json(challenge), path)


def read_challenge(path: Path, *, chain: Chain) -> Challenge:
    """Read a challenge and draw it again.

    Args:
        path: Its file.
        chain: Of the run that it challenges, sealed.

    Raises:
        RecordError: It cannot be read, is of another run, is dated on the wrong side of the
            seal, or chooses otherwise than it would draw; every mistake is in it.
    """
    said = _read(path, schema=CHALLENGE)
    challenge = read_form(Challenge, said, file=path.name)
    if challenge.seal != chain.head:
        read = f"a challenge of the seal {challenge.seal}"
        raise RecordError([_wrong(path, "seal", read, f"one of {chain.head}, the run's own")])
    examiner, beacon = challenge.examiner, challenge.beacon
    if examiner is None or beacon is None:
        if examiner is not None or beacon is not None:
            read = "a nonce without a beacon, or a beacon without a nonce"
            raise RecordError([_wrong(path, "beacon", read, "both, or neither")])
        drawn = self_challenge(chain, segments=challenge.asked)
    else:
        drawn = draw_challenge(
            chain,
            segments=challenge.asked,
            nonce=bytes.fromhex(examiner.nonce),
            revealed_at=examiner.revealed_at,
            beacon=beacon,
            commitment=examiner.commitment,
        )
    mistakes = [
        _wrong(path, item.name, shown(repr(plain(found))), "what its nonce and beacon draw")
        for item in fields(Challenge)
        if (found := getattr(challenge, item.name)) != getattr(drawn, item.name)
    ]
    if mistakes:
        raise RecordError(mistakes)
    return challenge


def write_commitment(commitment: NonceCommitment, path: Path) -> None:
    """Write an examiner's commitment whole or not at all."""
    said = plain(commitment)
    _write({"schema": COMMITMENT, **(said if isinstance(said, dict) else {})}, path)


def read_commitment(path: Path) -> NonceCommitment:
    """Read an examiner's commitment.

    Raises:
        RecordError: It cannot be read, or its receipt belongs to something else.
    """
    commitment = read_form(NonceCommitment, _read(path, schema=COMMITMENT), file=path.name)
    mistakes = list(commitment.mistakes())
    if mistakes:
        raise RecordError(mistakes)
    return commitment


def _write(said: Mapping[str, Json], path: Path) -> None:
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.write_text(json.dumps(said, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    unfinished.replace(path)


def _read(path: Path, *, schema: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            read = f"{path.stat().st_size} bytes"
            raise RecordError([_wrong(path, "", read, f"at most {_MAX_BYTES}")])
        said = parse_json(path.read_bytes())
    except OSError as error:
        raise RecordError([_wrong(path, "", f"nothing: {error.strerror}", schema)]) from error
    except (ValueError, RecursionError) as error:
        raise RecordError([_wrong(path, "", str(error)[:200], "one JSON object")]) from error
    if not isinstance(said, dict) or said.get("schema") != schema:
        stated = said.get("schema") if isinstance(said, dict) else said
        raise RecordError([_wrong(path, "schema", shown(repr(stated)), schema)])
    return {key: value for key, value in said.items() if key != "schema"}


def _wrong(path: Path, place: str, read: str, expected: str) -> Mistake:
    return Mistake(file=path.name, place=place, read=read, expected=expected)
