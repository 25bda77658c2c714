"""aiohttp, which asks and answers; it comes with an extra."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from dokja.errors import ExtraMissingError

try:
    import aiohttp
    from aiohttp import web
except ImportError as error:  # pragma: no cover  # the test environment has it
    raise ExtraMissingError(
        f"aiohttp is not installed here ({error}). It comes with the extra 'measure': "
        "pip install 'dokja[measure]'. Nothing was changed."
    ) from error

__all__ = ["LOOPBACK", "aiohttp", "answering", "listening", "new_client", "refusal", "web"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

LOOPBACK = "127.0.0.1"
"""The only address that is listened on: whoever may reach it may spend the upstream's money."""

_LARGEST_BODY = 1 << 30


def answering(handler: Handler) -> web.Server:
    """Return what hands every request to a handler, whatever its path and method."""

    def made(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.BaseRequest:
        loop = asyncio.get_running_loop()
        size = _LARGEST_BODY
        return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=size)

    return web.Server(handler, request_factory=made, access_log=None)


async def listening(server: web.Server, *, port: int) -> tuple[web.ServerRunner, int]:
    """Serve on loopback; return what stops it, and the port.

    Args:
        server: What answers.
        port: 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, LOOPBACK, port, backlog=1024)
    try:
        await site.start()
    except OSError:
        await runner.cleanup()
        raise
    return runner, int(runner.addresses[0][1])


def new_client(*, idle_s: float) -> aiohttp.ClientSession:
    """Return a client that asks as it is told: no cookies, no decoding, no limit of its own.

    Args:
        idle_s: Seconds without a byte after which an answer counts as timed out.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=min(idle_s, 30.0), sock_read=idle_s),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        read_bufsize=1 << 20,
    )


def refusal(status: int, code: str, message: str) -> web.Response:
    """Return an error in the form that clients of such endpoints read."""
    said = {"error": {"message": message, "type": code, "code": code, "param": None}}
    return web.json_response(said, status=status)
