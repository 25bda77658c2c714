"""The recording proxy: what it is asked it asks upstream, and keeps what came before it answers.

Any path and any method goes through, streams piece by piece as they come. Nothing is decoded,
repeated, followed or mended: an engine meets the endpoint as it is, faults included. The one
thing that is asked for otherwise is that bodies come uncompressed, so that they can be read.
What was asked is asked to its end even if whoever asked has gone: it is paid for.
"""

import asyncio
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from multidict import CIMultiDict
from yarl import URL

from dokja.errors import RecordingError
from dokja.evidence.benchmarks.exchanges.entries import Exchange, Fault
from dokja.evidence.benchmarks.exchanges.recorders import Recorder
from dokja.evidence.benchmarks.exchanges.serving import answer_from, gone, is_stream, times_bytes
from dokja.evidence.benchmarks.exchanges.sides import Answer, Request
from dokja.evidence.benchmarks.exchanges.web import aiohttp, answering, refusal, web
from dokja.values import Digest

__all__ = ["Proxy"]

_LARGE = 1 << 20

_HOP = frozenset(
    {
        *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te"),
        *("trailer", "transfer-encoding", "upgrade", "proxy-connection", "content-length"),
    }
)
_NOT_SENT = _HOP | {"host", "accept-encoding", "expect"}
_KEPT = frozenset(
    {
        *("content-type", "content-encoding", "retry-after", "retry-after-ms", "date"),
        *("x-request-id", "openai-model", "openai-version", "openai-processing-ms"),
    }
)
_KEPT_PREFIXES = ("x-ratelimit-", "anthropic-ratelimit-")


@dataclass(slots=True)
class _Flow:
    """What has come of an exchange so far."""

    asked: datetime
    begun_ns: int
    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    pieces: list[tuple[bytes, int]] | None = None
    fault: Fault | None = None
    is_stream: bool = False
    taken: bool = True


class Proxy:
    """Asks the upstream for others, and records.

    Attributes:
        server: What answers on loopback.
        failure: Why recording had to stop; None while it goes on.
        stopped: Set when it had to.
    """

    def __init__(
        self,
        recorder: Recorder,
        *,
        upstream: str,
        client: aiohttp.ClientSession,
        clock: Callable[[], datetime],
        ticks: Callable[[], int],
    ) -> None:
        """Stand ready.

        Args:
            recorder: Keeps what went through.
            upstream: The address in whose place the proxy stands, with its path if it has one.
            client: What asks; see `new_client`.
            clock: The time.
            ticks: Nanoseconds of a clock that never runs backwards.
        """
        self.server = answering(self._answer)
        self.failure: RecordingError | None = None
        self.stopped = asyncio.Event()
        self._recorder, self._client = recorder, client
        self._upstream = upstream.rstrip("/")
        self._clock, self._ticks = clock, ticks
        self._asking: dict[str, asyncio.Future[Exchange | None]] = {}

    def fail(self, error: RecordingError) -> None:
        """Answer nothing any more: what cannot be kept must not be used."""
        self.failure = self.failure or error
        self.stopped.set()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        if self.failure is not None:
            return refusal(507, "dokja_record_failed", str(self.failure))
        if not request.raw_path.startswith("/"):
            return refusal(400, "dokja_no_path", "ask for a path: this is no proxy for any host")
        asked = Request(
            method=request.method,
            path=request.raw_path,
            body=await request.read(),
            idempotency=request.headers.get("Idempotency-Key"),
        )
        key = self._recorder.key(asked)
        try:
            known = await self._known(asked, key)
            if known is not None:
                return await answer_from(self._recorder.bodies, known, request)
            return await self._through(request, asked, key)
        except RecordingError as error:
            self.fail(error)
            return refusal(507, "dokja_record_failed", str(error))

    async def _known(self, asked: Request, key: Digest) -> Exchange | None:
        """Return the exchange whose answer is owed, waiting if it is being asked for."""
        under_way = self._asking.get(asked.idempotency or "")
        if under_way is not None:
            await asyncio.wait([under_way])
        return self._recorder.known(asked, key)

    async def _through(
        self, request: web.BaseRequest, asked: Request, key: Digest
    ) -> web.StreamResponse:
        mark = asked.idempotency or ""
        under_way: asyncio.Future[Exchange | None] = asyncio.get_running_loop().create_future()
        if mark:
            self._asking[mark] = under_way
        try:
            return await self._forward(request, asked, key)
        finally:
            if self._asking.get(mark) is under_way:
                del self._asking[mark]
            under_way.set_result(None)

    async def _forward(
        self, request: web.BaseRequest, asked: Request, key: Digest
    ) -> web.StreamResponse:
        flow = _Flow(asked=self._clock(), begun_ns=self._ticks())
        response: web.StreamResponse | None = None
        try:
            async with self._client.request(
                asked.method,
                URL(self._upstream + asked.path, encoded=True),
                data=_data(asked.body),
                headers=_sent(request.headers),
                allow_redirects=False,
            ) as came:
                flow.status, flow.headers, flow.pieces = came.status, _kept(came.headers), []
                flow.is_stream = is_stream(flow.headers)
                response = await self._passed_on(came, request, flow)
        except TimeoutError:
            flow.fault = Fault.TIMEOUT
        except aiohttp.ClientPayloadError:
            flow.fault = Fault.CUT
        except (aiohttp.ClientError, OSError):
            flow.fault = Fault.CUT if flow.status is not None else Fault.CONNECTION
        except asyncio.CancelledError:  # told to stop while it was asked: paid, and not known
            flow.fault = Fault.CUT
            self._recorder.add(asked, self._come(flow), key=key)
            raise
        if flow.fault is None and gone(request):
            flow.taken = False
        self._recorder.add(asked, self._come(flow), key=key)
        return await _ended(request, response, flow)

    async def _passed_on(
        self, came: aiohttp.ClientResponse, request: web.BaseRequest, flow: _Flow
    ) -> web.StreamResponse:
        """Read the answer to its end, passing a stream on as it comes."""
        pieces = flow.pieces if flow.pieces is not None else []
        passed = CIMultiDict(
            (name, value) for name, value in came.headers.items() if name.lower() not in _HOP
        )
        if not flow.is_stream:
            async for piece in came.content.iter_any():
                pieces.append((piece, self._since(flow)))
            whole = b"".join(piece for piece, _ in pieces)
            return web.Response(status=came.status, headers=passed, body=whole)
        response = web.StreamResponse(status=came.status, headers=passed)
        try:
            await response.prepare(request)
        except OSError:
            flow.taken = False
        async for piece in came.content.iter_any():
            pieces.append((piece, self._since(flow)))
            if flow.taken:
                try:
                    await response.write(piece)
                except OSError:
                    flow.taken = False
        return response

    def _come(self, flow: _Flow) -> Answer:
        pieces = flow.pieces
        return Answer(
            asked=flow.asked,
            took_us=self._since(flow),
            status=flow.status,
            headers=flow.headers,
            body=None if pieces is None else b"".join(piece for piece, _ in pieces),
            times=times_bytes(pieces) if pieces and flow.is_stream else None,
            fault=flow.fault,
            taken=flow.taken,
        )

    def _since(self, flow: _Flow) -> int:
        return (self._ticks() - flow.begun_ns) // 1000


async def _ended(
    request: web.BaseRequest, response: web.StreamResponse | None, flow: _Flow
) -> web.StreamResponse:
    """Return what the client gets: the answer, or the fault as the proxy can show it."""
    if flow.fault is None and response is not None:
        return response
    if flow.status is not None:  # it began upstream, and was cut there: so it is here
        if request.transport is not None:
            request.transport.abort()
        return response or web.Response(status=502)
    late = flow.fault is Fault.TIMEOUT
    return refusal(
        504 if late else 502,
        "dokja_upstream_fault",
        "the upstream did not answer in time" if late else "the upstream could not be reached",
    )


def _sent(headers: Mapping[str, str]) -> CIMultiDict[str]:
    """Return the headers that go upstream: all that are not about this one line."""
    sent = CIMultiDict(
        (name, value) for name, value in headers.items() if name.lower() not in _NOT_SENT
    )
    sent["Accept-Encoding"] = "identity"
    return sent


def _data(body: bytes) -> bytes | io.BytesIO | None:
    """Return a body as the client wants it: a large one is sent in pieces."""
    return io.BytesIO(body) if len(body) > _LARGE else body or None


def _kept(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the headers of an answer that the store keeps; never a cookie."""
    return tuple(
        (name.lower(), value)
        for name, value in headers.items()
        if name.lower() in _KEPT or name.lower().startswith(_KEPT_PREFIXES)
    )
