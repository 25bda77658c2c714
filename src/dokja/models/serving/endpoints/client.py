"""Asks an OpenAI-compatible endpoint one thing at a time, and says what came over the wire.

One `exchange` is one try: it never tries again, follows no redirect, keeps no cookie and uses no
proxy. All of it has an end: a line on which nothing comes for `idle_s` is dropped, and so is one
on which something comes for longer than `total_s`. Who asks again, and when, is the runner's.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from dokja.errors import ExtraMissingError
from dokja.models.serving.endpoints.faults import FaultClass
from dokja.models.serving.endpoints.headers import paused_s

if TYPE_CHECKING:
    import aiohttp

__all__ = ["Endpoint", "Exchange", "Patience"]

_LARGEST_BODY = 1 << 24
_PIECE = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a try may take.

    Attributes:
        connect_s: Until there is a line.
        idle_s: Without a byte.
        total_s: From asking to the last byte.
    """

    connect_s: float = 30.0
    idle_s: float = 120.0
    total_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Exchange:
    """One try as it went.

    Attributes:
        status: Of HTTP; None where no reply began.
        headers: Of the reply, by any spelling of a name.
        body: What came of the body; whole where `fault` is None.
        fault: What the line did: `connection`, `timeout`, `cut` or `malformed`; None where a
            whole reply came, whatever it says.
        detail: The fault in words.
        latency_s: From asking to the last byte or to the fault.
        first_s: From asking to the first byte of the body; None where it was not looked for.
        pause_s: How long the reply's rate-limit headers say that nothing is left.
    """

    status: int | None
    headers: Mapping[str, str]
    body: bytes
    fault: FaultClass | None
    detail: str
    latency_s: float
    first_s: float | None = None
    pause_s: float = 0.0


@dataclass(slots=True)
class _Coming:
    """What has come so far of a reply."""

    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)
    first: float | None = None


class Endpoint:
    """An endpoint with its lines open.

    Args:
        url: What is posted to, such as `https://host/v1/chat/completions`.
        headers: Sent with every request. The key in `Authorization` is shown nowhere: where a
            server says it again, `[key]` stands in its place.
        patience: How long a try may take.
        streamed: Whether replies come as events, so that the first byte's time means something.
        lines: How many exchanges there may be at once.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str],
        patience: Patience,
        streamed: bool = False,
        lines: int = 64,
    ) -> None:
        self._url = url
        self._headers = {
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": "dokja",
            **headers,
        }
        self._key = headers.get("Authorization", "").removeprefix("Bearer ")
        self._patience = patience
        self._streamed = streamed
        self._lines = lines
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the pool of lines.

        Raises:
            ExtraMissingError: The extra `measure` is not installed.
        """
        try:
            import aiohttp  # noqa: PLC0415  # an optional extra
            import yarl  # noqa: PLC0415  # comes with it
        except ImportError as error:
            raise ExtraMissingError(
                "asking an endpoint needs aiohttp; install it with: pip install 'dokja[measure]'. "
                "Nothing was asked."
            ) from error
        timeout = aiohttp.ClientTimeout(
            total=self._patience.total_s,
            sock_connect=self._patience.connect_s,
            sock_read=self._patience.idle_s,
        )
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=self._lines, ttl_dns_cache=300),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=timeout,
            trust_env=False,
        )
        self._target = yarl.URL(self._url)
        self._aiohttp = aiohttp
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all lines."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def exchange(self, body: bytes, *, key: str) -> Exchange:
        """Send a request and return what came back.

        Args:
            body: The request.
            key: Names the question, the same for the same one; sent as `Idempotency-Key`.

        Raises:
            RuntimeError: The endpoint is not open.
        """
        if self._session is None:
            raise RuntimeError("the endpoint is asked outside its `async with`")
        of = self._aiohttp
        clock = asyncio.get_running_loop().time
        coming = _Coming()
        fault: FaultClass | None = None
        detail = ""
        began = clock()
        try:
            async with self._session.post(
                self._target, data=body, headers={"Idempotency-Key": key}, allow_redirects=False
            ) as reply:
                coming.status, coming.headers = reply.status, reply.headers
                fault, detail = await self._read(reply, coming)
        except (TimeoutError, OSError, of.ClientError) as error:
            fault, detail = self._fault_of(error, coming), _words(error)
        ended = clock()
        body = bytes(coming.body)
        if self._key and self._key.encode() in body:
            body = body.replace(self._key.encode(), b"[key]")
        first = None if coming.first is None else coming.first - began
        return Exchange(
            coming.status,
            coming.headers,
            body,
            fault,
            detail,
            ended - began,
            first,
            paused_s(coming.headers),
        )

    def _fault_of(self, error: Exception, coming: _Coming) -> FaultClass:
        of = self._aiohttp
        if isinstance(error, of.ConnectionTimeoutError):
            return FaultClass.CONNECTION
        if isinstance(error, TimeoutError):
            return FaultClass.TIMEOUT
        if isinstance(error, of.ClientPayloadError):
            return FaultClass.CUT
        if isinstance(error, of.ClientResponseError | of.InvalidURL):
            return FaultClass.MALFORMED  # what the server sends is no HTTP
        return FaultClass.CONNECTION if coming.status is None else FaultClass.CUT

    async def _read(
        self, reply: "aiohttp.ClientResponse", coming: _Coming
    ) -> tuple[FaultClass | None, str]:
        length = reply.content_length
        if not self._streamed and length is not None and length <= _PIECE:
            coming.body += await reply.read()
            return None, ""
        clock = asyncio.get_running_loop().time
        async for piece in reply.content.iter_any():
            if coming.first is None and self._streamed:
                coming.first = clock()
            coming.body += piece
            if len(coming.body) > _LARGEST_BODY:
                reply.close()
                return FaultClass.MALFORMED, f"a body of more than {_LARGEST_BODY} bytes"
        return None, ""


def _words(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".strip()[:300]
