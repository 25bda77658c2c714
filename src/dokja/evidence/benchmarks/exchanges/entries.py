"""The lines of a store: what stands in its head, and what one exchange left behind.

A line is one JSON object whose last key, `chain`, is the SHA-256 of the chain value before it and
of the line without that key. Whoever changes, takes out or moves a line therefore breaks every
line after it. A line names bodies by digest and holds none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from dokja.values import Digest, Json, canonical_bytes, parse_json

__all__ = [
    "START",
    "Body",
    "Exchange",
    "Fault",
    "Handed",
    "Head",
    "Line",
    "Session",
    "chained",
    "parsed",
    "unchained",
]

START = bytes(32)
"""The chain value before the first line."""

_TAIL = len(b',"chain":""}\n') + 64
_RETRIED = frozenset({408, 425, 429})
_SERVER = 500


class Fault(Enum):
    """Why an exchange brought no whole answer of the upstream."""

    CONNECTION = "connection"
    """Nobody answered: refused, reset, no such host, no trust."""
    TIMEOUT = "timeout"
    CUT = "cut"
    """The answer began and did not end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """Bytes that went over the wire, by name.

    Attributes:
        digest: SHA-256 of the bytes; in a sealed store of a salt and the bytes.
        size: How many bytes.
    """

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first line of a store.

    Attributes:
        profile: What may differ between two sendings of one request.
        profile_digest: Digest of that profile.
        upstream: The address that was asked, without credentials.
        sealed: Whether bodies and keys stand under salted digests.
        at: When the store was begun, in UTC.
        signer: The public key that signs the head, as a vkey.
    """

    profile: Mapping[str, Json]
    profile_digest: Digest
    upstream: str
    sealed: bool
    at: str
    signer: str

    def to_body(self) -> dict[str, Json]:
        """Return the head as JSON."""
        return {
            "kind": "head",
            "v": 1,
            "profile": self.profile,
            "profile_digest": str(self.profile_digest),
            "upstream": self.upstream,
            "sealed": self.sealed,
            "at": self.at,
            "signer": self.signer,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A recorder began to write, for the first time or once more.

    Attributes:
        number: From 1.
        at: When, in UTC.
    """

    number: int
    at: str

    def to_body(self) -> dict[str, Json]:
        """Return the line as JSON."""
        return {"kind": "session", "number": self.number, "at": self.at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """An answer that nobody was there to take was given to the next who asked the same.

    Attributes:
        n: Number of the exchange.
        at: When, in UTC.
    """

    n: int
    at: str

    def to_body(self) -> dict[str, Json]:
        """Return the line as JSON."""
        return {"kind": "handed", "n": self.n, "at": self.at}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and what came of it.

    Attributes:
        n: Its number in the store, from 1, in the order in which answers were complete.
        key: What names the request; in a sealed store a keyed digest of that.
        attempt: 1, and one more for every faulty try of the same request just before.
        method: Such as `POST`.
        path: With its query, without credentials.
        request: What was sent; None where there was no body.
        asked: When it was sent on, in UTC with milliseconds.
        took_us: Microseconds until the answer was complete, or the fault was seen.
        status: The HTTP status; None if none came.
        headers: Those of the answer that are kept.
        response: What came back; None where nothing did.
        times: Of a stream: size and time of each piece, as a JSON body; else None.
        fault: Why there is no whole answer; None if there is one.
        taken: Whether somebody was there to take the answer.
        idempotency: The request's idempotency key, if it had one.
    """

    n: int
    key: Digest
    attempt: int
    method: str
    path: str
    request: Body | None
    asked: str
    took_us: int
    status: int | None
    headers: tuple[tuple[str, str], ...]
    response: Body | None
    times: Body | None
    fault: Fault | None
    taken: bool
    idempotency: str | None

    @property
    def is_faulty(self) -> bool:
        """Whether it brought no answer that an engine would take: a fault of host or line."""
        if self.fault is not None or self.status is None:
            return True
        return self.status in _RETRIED or self.status >= _SERVER

    def to_body(self) -> dict[str, Json]:
        """Return the exchange as JSON; what is not known is absent."""
        body: dict[str, Json] = {
            "kind": "exchange",
            "n": self.n,
            "key": str(self.key),
            "try": self.attempt,
            "method": self.method,
            "path": self.path,
            "asked": self.asked,
            "took_us": self.took_us,
            "headers": [[name, value] for name, value in self.headers],
            "taken": self.taken,
        }
        for name in ("request", "response", "times"):
            said: Body | None = getattr(self, name)
            if said is not None:
                body[name] = {"digest": str(said.digest), "bytes": said.size}
        if self.status is not None:
            body["status"] = self.status
        if self.fault is not None:
            body["fault"] = self.fault.value
        if self.idempotency is not None:
            body["idempotency"] = self.idempotency
        return body


Line = Head | Session | Handed | Exchange


def chained(line: Line, before: bytes) -> tuple[bytes, bytes]:
    r"""Return a line as it is written, with its end, and the chain value after it.

    Args:
        line: What it says.
        before: The 32 bytes of the chain value before it; `START` for the first.

    Example:
        >>> raw, after = chained(Session(number=1, at="2026-01-02T12:00:00Z"), START)
        >>> raw.endswith(b',"chain":"' + after.hex().encode() + b'"}' + b"\n")
        True
    """
    bare = canonical_bytes(line.to_body())
    after = sha256(before + bare).digest()
    return bare[:-1] + b',"chain":"' + after.hex().encode() + b'"}\n', after


def unchained(raw: bytes, before: bytes) -> bytes | None:
    """Return the chain value after a line, or None if the line does not follow.

    Args:
        raw: The line with its end.
        before: The chain value before it.
    """
    bare = raw[:-_TAIL] + b"}"
    after = sha256(before + bare).digest()
    return after if raw[-_TAIL:] == b',"chain":"' + after.hex().encode() + b'"}\n' else None


def parsed(raw: bytes) -> Line:
    """Return what a line says; whether it follows is for `unchained` to tell.

    Raises:
        ValueError, KeyError, TypeError: It is no line of a store.
    """
    said = parse_json(raw)
    match said["kind"]:
        case "exchange":
            return _exchange(said)
        case "handed":
            return Handed(n=int(said["n"]), at=str(said["at"]))
        case "session":
            return Session(number=int(said["number"]), at=str(said["at"]))
        case "head" if said["v"] == 1:
            return Head(
                profile=dict(said["profile"]),
                profile_digest=Digest.parse(said["profile_digest"]),
                upstream=str(said["upstream"]),
                sealed=bool(said["sealed"]),
                at=str(said["at"]),
                signer=str(said["signer"]),
            )
    message = "a line of a kind or version that this Dokja does not know"
    raise ValueError(message)


def _exchange(said: Mapping[str, Any]) -> Exchange:
    status = said.get("status")
    return Exchange(
        n=int(said["n"]),
        key=Digest.parse(said["key"]),
        attempt=int(said["try"]),
        method=str(said["method"]),
        path=str(said["path"]),
        request=_body(said.get("request")),
        asked=str(said["asked"]),
        took_us=int(said["took_us"]),
        status=None if status is None else int(status),
        headers=tuple((str(name), str(value)) for name, value in said["headers"]),
        response=_body(said.get("response")),
        times=_body(said.get("times")),
        fault=None if "fault" not in said else Fault(said["fault"]),
        taken=bool(said["taken"]),
        idempotency=said.get("idempotency"),
    )


def _body(said: Mapping[str, Any] | None) -> Body | None:
    if said is None:
        return None
    return Body(digest=Digest.parse(said["digest"]), size=int(said["bytes"]))
