"""The two sides of an exchange as they come in, and the terms under which they are kept."""

from dataclasses import dataclass
from datetime import datetime

from dokja.evidence.benchmarks.exchanges.entries import Fault
from dokja.evidence.benchmarks.exchanges.profiles import Profile

__all__ = ["Answer", "Request", "Terms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a store is begun with, and must be the same whenever it is gone on with.

    Attributes:
        profile: What may differ between two sendings of one request.
        upstream: The address that is asked, without credentials.
        sealed: Whether bodies stay sealed.
    """

    profile: Profile
    upstream: str
    sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody asked.

    Attributes:
        method: Such as `POST`.
        path: With its query.
        body: The bytes that were sent.
        idempotency: Its idempotency key, if it had one.
    """

    method: str
    path: str
    body: bytes
    idempotency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of it.

    Attributes:
        asked: When it was sent on.
        took_us: Microseconds until the answer was complete.
        status: The HTTP status; None if none came.
        headers: Those that are kept.
        body: What came back; None where nothing did.
        times: Of a stream: the JSON bytes of its pieces' sizes and times.
        fault: Why there is no whole answer.
        taken: Whether somebody was there to take it.
    """

    asked: datetime
    took_us: int
    status: int | None
    headers: tuple[tuple[str, str], ...]
    body: bytes | None
    times: bytes | None = None
    fault: Fault | None = None
    taken: bool = True
