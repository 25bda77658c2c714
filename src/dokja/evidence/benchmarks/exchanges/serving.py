"""Giving a recorded answer: the same status, the same bytes, a stream in the same pieces."""

from collections.abc import Sequence

from dokja.evidence.benchmarks.exchanges.bodies import Bodies
from dokja.evidence.benchmarks.exchanges.entries import Exchange, Fault
from dokja.evidence.benchmarks.exchanges.web import refusal, web
from dokja.values import canonical_bytes, parse_json

__all__ = ["answer_from", "gone", "is_stream", "times_bytes"]

_STREAMS = ("text/event-stream", "application/x-ndjson", "application/stream+json")


def is_stream(headers: Sequence[tuple[str, str]]) -> bool:
    """Tell whether an answer comes piece by piece: events, or one JSON object a line."""
    return any(name == "content-type" and value.startswith(_STREAMS) for name, value in headers)


def times_bytes(pieces: Sequence[tuple[bytes, int]]) -> bytes:
    """Return sizes and times of a stream's pieces as JSON: `[[bytes, microseconds], …]`.

    Example:
        >>> times_bytes([(b"data: 1", 900), (b"data: 2", 1800)])
        b'[[7,900],[7,1800]]'
    """
    return canonical_bytes([[len(piece), at_us] for piece, at_us in pieces])


def gone(request: web.BaseRequest) -> bool:
    """Tell whether whoever asked has gone."""
    return request.transport is None or request.transport.is_closing()


async def answer_from(
    bodies: Bodies, exchange: Exchange, request: web.BaseRequest
) -> web.StreamResponse:
    """Return the recorded answer of an exchange, faults as they were met.

    Raises:
        RecordingError: A body is not here.
        RecordingBrokenError: A body was edited.
    """
    if exchange.status is None:
        late = exchange.fault is Fault.TIMEOUT
        return refusal(
            504 if late else 502, "dokja_upstream_fault", "as recorded: the upstream was silent"
        )
    body = b""
    if exchange.response is not None:
        body = bodies.get(exchange.response, n=exchange.n, part="response")
    headers = {name: value for name, value in exchange.headers if name != "date"}
    if exchange.fault is None and exchange.times is None:
        return web.Response(status=exchange.status, headers=headers, body=body)
    response = web.StreamResponse(status=exchange.status, headers=headers)
    if exchange.times is None:  # it promised more than came
        response.content_length = len(body) + 1
    try:
        await response.prepare(request)
        for piece in _pieces(bodies, exchange, body):
            await response.write(piece)
    except OSError:
        return response
    if exchange.fault is not None and request.transport is not None:
        request.transport.close()
    return response


def _pieces(bodies: Bodies, exchange: Exchange, body: bytes) -> Sequence[bytes]:
    """Return a stream as it came."""
    if exchange.times is None:
        return [body]
    said = parse_json(bodies.get(exchange.times, n=exchange.n, part="times"))
    pieces, start = [], 0
    for size, _ in said:
        pieces.append(body[start : start + size])
        start += size
    return pieces
