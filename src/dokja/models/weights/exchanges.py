"""One request and its answer, over a connection to a machine that was judged.

Redirects are followed a few times, each judged like the first address; a token stays with the
host that it was given for. Every exchange ends in time: what a server does not send by then
ends as if the line were cut. No body is read here.
"""

import http.client
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from dokja import __version__
from dokja.errors import Mistake, RemoteError
from dokja.models.weights.access import Access
from dokja.models.weights.addresses import Address, reachable

__all__ = ["Answer", "Exchanges"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_MOST_IDLE = 16

_Idle: TypeAlias = dict[tuple[str, str, int], list[http.client.HTTPConnection]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered, before its body.

    Attributes:
        status: The status.
        address: Who answered, after redirects.
        commit: Which commit of a hub's repository was answered from, if any hop said so.
        response: The answer itself.
        allow: Gives the body of so many bytes the time that it may take.
    """

    status: int
    address: Address
    commit: str
    response: http.client.HTTPResponse
    allow: Callable[[int], None]

    def header(self, name: str) -> str:
        """Return a header's value; empty when it is missing."""
        return (self.response.getheader(name) or "").strip()


class Exchanges:
    """Connections that are kept for the next request; several threads may ask.

    Args:
        access: The bounds.
        home: The only host that gets the token.
    """

    def __init__(self, access: Access, *, home: Address) -> None:
        self._access, self._home = access, home
        self._idle: _Idle = {}
        self._sharing = threading.Lock()
        # Whoever drops the source drops its lines.
        weakref.finalize(self, _close, self._idle)

    @contextmanager
    def asked(
        self, address: Address, *, method: str, headers: Mapping[str, str]
    ) -> Iterator[Answer]:
        """Ask, follow redirects, and give the answer whose body may be read.

        The connection is kept when the body was read to its end, and closed otherwise.

        Args:
            address: Whom to ask.
            method: `GET` or `HEAD`.
            headers: What to send besides what every request sends.

        Raises:
            RemoteError: The address or one that it leads to may not be asked, redirects go
                round, or nothing sound came back; `wait_s` tells whether to ask again.
        """
        at, commit = address, ""
        for _ in range(_MOST_REDIRECTS + 1):
            here, done = at, False
            response: http.client.HTTPResponse | None = None
            sent = self._headers(headers, secret=here.origin == self._home.origin)
            connection = self._connection(here)
            try:
                with self._limited(connection.sock) as allow, _told(here):
                    response = self._send(connection, method, here, sent)
                    commit = commit or (response.getheader("x-repo-commit") or "").strip()
                    location = response.getheader("location")
                    if response.status not in _REDIRECTS or location is None:
                        yield Answer(
                            status=response.status,
                            address=here,
                            commit=commit,
                            response=response,
                            allow=allow,
                        )
                        done = response.isclosed() and not response.will_close
                        return
                at = here.led(location)
            finally:
                if response is not None:
                    response.close()  # a connection forgets an answer that is its last one
                self._give_back(here, connection, sound=done)
        raise RemoteError(
            [
                Mistake(
                    file=address.shown,
                    place="",
                    read=f"more than {_MOST_REDIRECTS} redirects",
                    expected="an answer",
                )
            ]
        )

    def _headers(self, headers: Mapping[str, str], *, secret: bool) -> dict[str, str]:
        sent = {
            "User-Agent": f"dokja/{__version__}",
            "Accept": "*/*",
            # Bytes of another encoding would be other bytes than those of the file.
            "Accept-Encoding": "identity",
            **headers,
        }
        if secret and self._access.token:
            sent["Authorization"] = f"Bearer {self._access.token}"
        return sent

    @staticmethod
    def _send(
        connection: http.client.HTTPConnection, method: str, at: Address, sent: Mapping[str, str]
    ) -> http.client.HTTPResponse:
        connection.request(method, at.path, headers=dict(sent))
        return connection.getresponse()

    @cached_property
    def _context(self) -> ssl.SSLContext:
        trusted = self._access.authorities
        return ssl.create_default_context(cafile=None if trusted is None else str(trusted))

    def _connection(self, address: Address) -> http.client.HTTPConnection:
        with self._sharing:
            if kept := self._idle.get(address.origin):
                return kept.pop()
        numbers = reachable(address, self._access)
        with _told(address):
            stream = self._dial(numbers, address.port)
            if address.scheme == "https":
                stream = self._greeted(stream, address.host)
        kind = (
            http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
        )
        connection = kind(address.host, address.port, timeout=self._access.timeout_s)
        # The stream leads to a number that was judged; a new one is never opened behind our back.
        connection.auto_open = 0
        connection.sock = stream
        return connection

    def _greeted(self, stream: socket.socket, host: str) -> ssl.SSLSocket:
        secure = self._context.wrap_socket(
            stream, server_hostname=host, do_handshake_on_connect=False
        )
        try:
            with self._limited(secure):
                secure.do_handshake()
        except OSError:
            secure.close()
            raise
        return secure

    @contextmanager
    def _limited(self, stream: socket.socket) -> Iterator[Callable[[int], None]]:
        """Cut the line when something takes too long, however slowly bytes still come.

        A greeting and an answer's headers may take `timeout_s`; what is yielded gives a body of
        so many bytes its own time.
        """
        timers: list[threading.Timer] = []

        def cut() -> None:
            try:
                # Under TLS the stream's own shutdown would drop the state that a reader needs.
                socket.socket.shutdown(stream, socket.SHUT_RDWR)
            except OSError:
                return  # it has ended already

        def allow(most_bytes: int) -> None:
            for running in timers:
                running.cancel()
            seconds = self._access.timeout_s + most_bytes / self._access.least_bytes_per_s
            timer = threading.Timer(seconds, cut)
            timer.daemon = True
            timer.start()
            timers[:] = [timer]

        allow(0)
        try:
            yield allow
        finally:
            timers[0].cancel()

    def _dial(self, numbers: tuple[str, ...], port: int) -> socket.socket:
        for number in numbers[:-1]:
            try:
                return socket.create_connection((number, port), timeout=self._access.timeout_s)
            except OSError:
                continue
        return socket.create_connection((numbers[-1], port), timeout=self._access.timeout_s)

    def _give_back(
        self, address: Address, connection: http.client.HTTPConnection, *, sound: bool
    ) -> None:
        with self._sharing:
            kept = self._idle.setdefault(address.origin, [])
            if sound and len(kept) < _MOST_IDLE:
                kept.append(connection)
                return
        connection.close()


def _close(idle: _Idle) -> None:
    for kept in idle.values():
        for connection in kept:
            connection.close()
    idle.clear()


@contextmanager
def _told(address: Address) -> Iterator[None]:
    """Tell what the network said in our own words."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise _trouble(address, f"a certificate that does not hold: {error}", None) from error
    except http.client.RemoteDisconnected as error:
        raise _trouble(address, "no answer: the line was cut", 0.0) from error
    except (http.client.HTTPException, OSError) as error:
        said = str(error) or type(error).__name__
        raise _trouble(address, f"no sound answer: {said[:200]}", 0.5) from error


def _trouble(address: Address, read: str, wait_s: float | None) -> RemoteError:
    return RemoteError(
        [Mistake(file=address.shown, place="", read=read, expected="an answer")], wait_s=wait_s
    )
