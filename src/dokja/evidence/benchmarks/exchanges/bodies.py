"""Where a store keeps bodies: open under their digest, or sealed under a salted one.

Open bodies lie in `blobs/`, in the layout of a programme's blobs, so that equal ones are kept
once. Sealed ones lie in `sealed/`, which only its owner may read, under the digest of a salt and
the bytes. Salts follow from the store's secret and the exchange, so that one exchange can be
opened to somebody by handing over its salt, and no other.
"""

import hmac
import itertools
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from dokja.errors import Mistake, RecordingBrokenError, RecordingError
from dokja.evidence.benchmarks.exchanges.entries import Body
from dokja.values import Digest

__all__ = ["SECRET_BYTES", "Bodies", "make_secret", "open_bodies"]

SECRET_BYTES = 32

_SECRET = "secret"  # noqa: S105 (a file's name, no secret)
_SEALED, _OPEN = "sealed", "blobs"
_counter = itertools.count()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bodies:
    """The bodies of one store.

    Attributes:
        folder: `blobs/` or `sealed/` of the store.
        secret: What salts follow from; None where bodies lie open.
    """

    folder: Path
    secret: bytes | None = field(default=None, repr=False)

    def key(self, key: Digest) -> Digest:
        """Return the name under which a request stands in the journal.

        In a sealed store nobody who guesses a request can find it by its digest.
        """
        if self.secret is None:
            return key
        return Digest(hmac.new(self.secret, b"key" + key.raw, sha256).hexdigest())

    def veiled(self, text: str | None) -> str | None:
        """Return a text that may tell of a request, in a sealed store as a keyed digest."""
        if self.secret is None or text is None:
            return text
        return hmac.new(self.secret, b"text" + text.encode(), sha256).hexdigest()

    def salt(self, n: int, part: str) -> bytes:
        """Return the salt of a body: what opens it to somebody, beside its bytes.

        Args:
            n: Number of the exchange.
            part: `request`, `response` or `times`.
        """
        if self.secret is None:
            return b""
        return hmac.new(self.secret, f"salt {n} {part}".encode(), sha256).digest()

    def put(self, data: bytes, *, n: int, part: str) -> Body:
        """Keep a body and return its name; the file is complete or not there.

        Raises:
            OSError: It cannot be written.
        """
        body = Body(digest=Digest.of(self.salt(n, part) + data), size=len(data))
        target = self.path(body)
        if target.exists():
            return body
        target.parent.mkdir(exist_ok=True)
        unfinished = self.folder / f".part-{os.getpid()}-{next(_counter)}"
        mode = 0o644 if self.secret is None else 0o600
        handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            _write_all(handle, data)
        finally:
            os.close(handle)
        unfinished.replace(target)
        return body

    def get(self, body: Body, *, n: int, part: str) -> bytes:
        """Return the bytes of a body, checked against its name.

        Raises:
            RecordingError: They are not here: lost, erased, or never handed over.
            RecordingBrokenError: The file holds others.
        """
        path = self.path(body)
        try:
            data = path.read_bytes()
        except OSError as error:
            read, expected = error.strerror or "an error", f"the {part} of exchange {n}"
            raise RecordingError(
                [Mistake(file=str(path), place="", read=read, expected=expected)]
            ) from error
        found = Digest.of(self.salt(n, part) + data)
        if found != body.digest:
            mistake = Mistake(
                file=str(path),
                place="",
                read=f"bytes of the digest {found.short}…",
                expected=f"the {part} of exchange {n}, {body.digest.short}…",
                remedy="The file was edited after it was written; restore it from a copy.",
            )
            raise RecordingBrokenError([mistake])
        return data

    def path(self, body: Body) -> Path:
        """Return where a body lies, whether it is there or not."""
        return self.folder / body.digest.hex[:2] / body.digest.hex


def make_secret(store: Path, secret: bytes) -> None:
    """Keep the secret of a new sealed store, readable by its owner only.

    Raises:
        OSError: It cannot be written.
        ValueError: It has another length.
    """
    if len(secret) != SECRET_BYTES:
        message = f"a store's secret has {SECRET_BYTES} bytes, not {len(secret)}"
        raise ValueError(message)
    folder = store / _SEALED
    folder.mkdir(mode=0o700)
    handle = os.open(folder / _SECRET, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        _write_all(handle, secret)
        os.fsync(handle)
    finally:
        os.close(handle)


def open_bodies(store: Path, *, sealed: bool) -> Bodies:
    """Return the bodies of a store.

    Raises:
        RecordingError: The store is sealed, and its secret is not here.
    """
    if not sealed:
        return Bodies(folder=store / _OPEN)
    path = store / _SEALED / _SECRET
    try:
        secret = path.read_bytes()
    except OSError as error:
        expected = "the secret of this sealed store"
        remedy = "Without it no request can be found; ask whoever recorded it."
        read = error.strerror or "an error"
        raise RecordingError(
            [Mistake(file=str(path), place="", read=read, expected=expected, remedy=remedy)]
        ) from error
    return Bodies(folder=store / _SEALED, secret=secret)


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
