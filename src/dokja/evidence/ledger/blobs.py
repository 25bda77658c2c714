"""Files by digest: what entries rest on and do not hold themselves.

A blob is kept under the digest of its bytes and is checked against it whenever it is read.
"""

import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from dokja.errors import LedgerBrokenError, LedgerError, LedgerWriteError
from dokja.values import Digest

__all__ = ["Blobs"]

_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Blobs:
    """A folder of files by digest: `blobs/9f/9f3c…`, named by SHA-256.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def put(self, data: bytes) -> Digest:
        """Keep the bytes and return their digest; bytes that are there already stay.

        Raises:
            LedgerWriteError: They cannot be written; none of them were kept.
        """
        digest = Digest.of(data)
        target = self.path(digest)
        if target.exists() and self.is_whole(digest):
            return digest
        part: Path | None = None
        try:
            target.parent.mkdir(exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".part-")
            part = Path(name)
            with os.fdopen(handle, "wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
            part.chmod(0o644)
            part.replace(target)
        except OSError as error:
            if part is not None:
                part.unlink(missing_ok=True)
            message = f"{target}: the blob could not be written ({error}). Nothing was changed."
            raise LedgerWriteError(message) from error
        return digest

    def get(self, digest: Digest) -> bytes:
        """Return the bytes of this digest.

        Raises:
            LedgerError: They are not here, or cannot be read.
            LedgerBrokenError: The file holds other bytes.
        """
        path = self.path(digest)
        try:
            data = path.read_bytes()
        except OSError as error:
            message = f"{path}: this blob is not here or cannot be read ({error.strerror})"
            raise LedgerError(message) from error
        found = Digest.of(data)
        if found != digest:
            message = (
                f"{path}: this blob's bytes have the digest {found}. The file was edited after "
                "it was written; restore it from a copy. Nothing was changed."
            )
            raise LedgerBrokenError(message)
        return data

    def path(self, digest: Digest) -> Path:
        """Return where the bytes of this digest are kept, whether they are there or not."""
        return self.folder / digest.hex[:2] / digest.hex

    def is_whole(self, digest: Digest) -> bool:
        """Tell whether the file of this digest holds its bytes, reading it piece by piece.

        Raises:
            LedgerError: It is not here, or cannot be read.
        """
        seen = sha256()
        try:
            with self.path(digest).open("rb") as file:
                while piece := file.read(_READ_BYTES):
                    seen.update(piece)
        except OSError as error:
            message = f"{self.path(digest)}: this blob is not here or cannot be read"
            raise LedgerError(message) from error
        return seen.hexdigest() == digest.hex
