"""SHA-256 digests: how everything in a programme is named beyond doubt."""

import hashlib
import re
from dataclasses import dataclass

__all__ = ["Digest"]

_WRITTEN = re.compile(r"sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits.

    Example:
        >>> str(Digest.of(b""))[:19]
        'sha256:e3b0c44298fc'
    """

    hex: str

    def __post_init__(self) -> None:
        if re.fullmatch(r"[0-9a-f]{64}", self.hex) is None:
            message = f"not 64 lower-case hexadecimal digits: {self.hex!r}"
            raise ValueError(message)

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        """Return the digest of these bytes."""
        return cls(hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, written: str) -> "Digest":
        """Return the digest that is written as `sha256:…`.

        Raises:
            ValueError: It is written otherwise.
        """
        match = _WRITTEN.fullmatch(written)
        if match is None:
            message = f"not a digest of the form sha256:<64 hexadecimal digits>: {written!r}"
            raise ValueError(message)
        return cls(match.group(1))

    @property
    def raw(self) -> bytes:
        """The 32 bytes of the digest."""
        return bytes.fromhex(self.hex)

    @property
    def short(self) -> str:
        """The first twelve digits, for people."""
        return self.hex[:12]

    def __str__(self) -> str:
        return f"sha256:{self.hex}"
