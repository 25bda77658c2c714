"""Which addresses may be asked, and of which machines.

An address is judged twice: by what is written, and by where its host's name leads. Only an
address of the network that was judged is connected to, so that a name which leads elsewhere
the next moment gains nothing.
"""

import ipaddress
import re
import socket
from dataclasses import dataclass, replace
from urllib.parse import quote, urljoin, urlsplit

from dokja.errors import Mistake, RemoteError
from dokja.models.weights.access import Access
from dokja.models.weights.headers import shown as shown_value

__all__ = ["Address", "hub_address", "parse_address", "reachable"]

_PORTS = {"http": 80, "https": 443}
_LONGEST = 8192
_KEPT = "/%:@!$&'()*+,;=~-._"
_HUB = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address that is well written.

    Attributes:
        scheme: `http` or `https`.
        host: The host's name or number, without brackets.
        port: The port.
        path: Path, and query if there is one, as it is sent.
    """

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what a token belongs to."""
        return (self.scheme, self.host, self.port)

    @property
    def shown(self) -> str:
        """The address without its query, in which signatures and tokens are."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}{self.path.partition('?')[0]}"

    def beside(self, name: str) -> "Address":
        """Return the address of a file of this plain name, in the same folder."""
        path, sign, query = self.path.partition("?")
        folder = path.rpartition("/")[0]
        return replace(self, path=f"{folder}/{quote(name)}{sign}{query}")

    def led(self, location: str) -> "Address":
        """Return where a redirect leads.

        Raises:
            RemoteError: That is no address that could be asked.
        """
        host = f"[{self.host}]" if ":" in self.host else self.host
        here = f"{self.scheme}://{host}:{self.port}{self.path}"
        try:
            there = urljoin(here, location)
        except ValueError as error:
            raise _refused(
                self.shown, f"a redirect to {shown_value(location)}", "an address"
            ) from error
        return parse_address(there)


def parse_address(text: str) -> Address:
    """Return an address, taken apart.

    Raises:
        RemoteError: It is malformed, carries a password, or is neither http nor https.

    Example:
        >>> parse_address("https://example.org/models/a.gguf").beside("config.json").shown
        'https://example.org/models/config.json'
    """
    try:
        parts = urlsplit(text)
        scheme, host, port = parts.scheme.lower(), parts.hostname, parts.port
    except ValueError as error:
        raise _refused(text, str(error), "an address") from error
    if len(text) > _LONGEST or any(sign <= " " or sign == "\x7f" for sign in text):
        raise _refused(text[:80], "an address with blanks or of over 8 kB", "a plain address")
    if scheme not in _PORTS or not host:
        raise _refused(text, f"the scheme {shown_value(scheme)}", "https://… or hf://owner/name")
    if parts.username is not None or parts.password is not None:
        raise _refused(
            f"{scheme}://…@{host}", "a name or password in the address", "a token given apart"
        )
    path = quote(parts.path or "/", safe=_KEPT)
    query = f"?{quote(parts.query, safe=_KEPT + '?')}" if parts.query else ""
    try:
        host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError as error:
        raise _refused(text, str(error), "a host's name") from error
    return Address(
        scheme=scheme, host=host, port=_PORTS[scheme] if port is None else port, path=path + query
    )


def hub_address(text: str, *, hub: str, revision: str | None = None) -> tuple[str, str, Address]:
    """Return name, revision and resolving folder of `hf://owner/name` or `hf://owner/name@rev`.

    Args:
        text: The address.
        hub: The hub's own address.
        revision: A commit to take instead of the revision that the address names.

    Raises:
        RemoteError: It is not of this form.

    Example:
        >>> hub_address("hf://a/b@v1", hub="https://hub.example")[2].shown
        'https://hub.example/a/b/resolve/v1/'
    """
    match = _HUB.fullmatch(text)
    if match is None or any(set(part) <= {"."} for part in re.split(r"[/@]", text[5:])):
        raise _refused(text, shown_value(text), "hf://owner/name or hf://owner/name@revision")
    chosen = revision or match[2] or "main"
    folder = parse_address(f"{hub.rstrip('/')}/{match[1]}/resolve/{quote(chosen, safe='')}/")
    return match[1], chosen, folder


def reachable(address: Address, access: Access) -> tuple[str, ...]:
    """Return the numbers of the network that an address leads to, all of which may be asked.

    Raises:
        RemoteError: The name leads nowhere, or to a machine or by a way that is not allowed.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise RemoteError(
            [
                Mistake(
                    file=address.shown,
                    place="",
                    read=f"no address for the host {address.host}: {error}",
                    expected="a host that can be found",
                )
            ],
            wait_s=1.0,
        ) from error
    numbers = tuple(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
    if not access.allow_private and not all(map(_is_public, numbers)):
        raise _refused(
            address.shown,
            "a host that is not public: " + ", ".join(numbers[:4]),
            "a public host",
            "Say that private hosts may be asked, if this one is meant.",
        )
    near = access.allow_private and all(ipaddress.ip_address(one).is_loopback for one in numbers)
    if address.scheme != "https" and not (access.allow_http or near):
        raise _refused(
            address.shown,
            "an address without encryption",
            "https",
            "Say that http is allowed, if nobody on the way could change what is read.",
        )
    return numbers


def _is_public(number: str) -> bool:
    found = ipaddress.ip_address(number)
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour
        if inner is not None:
            return _is_public(str(inner))
        if found in ipaddress.ip_network("64:ff9b::/96"):
            return _is_public(str(ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)))
    return found.is_global and not found.is_multicast


def _refused(file: str, read: str, expected: str, remedy: str = "") -> RemoteError:
    return RemoteError(
        [Mistake(file=file, place="", read=read, expected=expected, remedy=remedy)],
        changed="Nothing was asked of it.",
    )
