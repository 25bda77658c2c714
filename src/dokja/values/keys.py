"""Ed25519 keys of logs, witnesses and builders, in the text forms that other tools of C2SP read.

A public key is written `name+id+key` (a *vkey*), where the id is the first four bytes of the
SHA-256 of name, newline, sort and key. Nothing here makes randomness or reads a file: seeds come
in as arguments, and `evidence.ledger.keys` keeps secret keys in files.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from dokja.errors import KeyFileError

__all__ = [
    "KeySort",
    "SigningKey",
    "VerifierKey",
    "is_key_name",
    "key_parts",
    "refuse_other_id",
    "refuse_reused",
]

_RAW_BYTES = 32


class KeySort(Enum):
    """What a key signs; the value is the byte that C2SP assigns."""

    LOG = 0x01  # checkpoints, as signed notes
    WITNESS = 0x04  # timestamped co-signatures over checkpoints


def is_key_name(name: str) -> bool:
    """Tell whether a key may be named so: one word without spaces or plus signs.

    Example:
        >>> is_key_name("example.org/log"), is_key_name("my log")
        (True, False)
    """
    return bool(name) and "+" not in name and name.isprintable() and not any(map(str.isspace, name))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of a key.

    Attributes:
        name: Whose key it is, such as `example.org/log`.
        public: The 32 bytes of the Ed25519 public key.
        sort: What it signs.

    Example:
        >>> key = SigningKey("example.org/log", bytes(32)).verifier
        >>> str(key)
        'example.org/log+4e933303+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop'
        >>> VerifierKey.parse(str(key)) == key
        True
    """

    name: str
    public: bytes
    sort: KeySort = KeySort.LOG

    @property
    def key_id(self) -> bytes:
        """The four bytes that stand before each of its signatures."""
        return sha256(self.name.encode() + b"\n" + bytes([self.sort.value]) + self.public).digest()[
            :4
        ]

    def __str__(self) -> str:
        material = base64.b64encode(bytes([self.sort.value]) + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @classmethod
    def parse(cls, text: str) -> "VerifierKey":
        """Return the key that is written as a vkey.

        Raises:
            KeyFileError: It is no vkey, of another sort, or its id is not the id of its key.
        """
        name, written_id, sort, raw = key_parts(text, what="public key")
        key = cls(name, raw, sort)
        refuse_other_id(key, written_id, what="public key")
        if str(key) != text.strip():
            message = f"public key of {name}: written otherwise than {key}"
            raise KeyFileError(message)
        return key

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Tell whether this key signed the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The secret half of a key.

    Attributes:
        name: Whose key it is.
        seed: The 32 secret bytes it follows from.
        sort: What it signs.
    """

    name: str
    seed: bytes = field(repr=False)
    sort: KeySort = KeySort.LOG

    def __post_init__(self) -> None:
        if not is_key_name(self.name):
            message = f"a key cannot be named {self.name!r}: no spaces, no plus signs"
            raise KeyFileError(message)
        if len(self.seed) != _RAW_BYTES:
            message = f"the seed of a key has {_RAW_BYTES} bytes, not {len(self.seed)}"
            raise KeyFileError(message)

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, public, self.sort)

    def sign(self, message: bytes) -> bytes:
        """Return the 64 bytes of the Ed25519 signature (RFC 8032)."""
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)


def refuse_reused(keys: Sequence[VerifierKey]) -> None:
    """Refuse keys that could be taken for one another.

    Raises:
        KeyFileError: Two different keys share a name, or a name and id; or one key stands under
            two names or serves as log and witness, so that it vouches for itself.
    """
    faults = []
    for place, one in enumerate(keys):
        for other in keys[place + 1 :]:
            if one == other:
                continue
            if one.public == other.public:
                faults.append(f"{one} and {other} are one key in two roles")
            elif (one.name, one.key_id) == (other.name, other.key_id):
                faults.append(f"{one} and {other} are two keys with one name and one key id")
            elif one.name == other.name and one.sort is KeySort.WITNESS is other.sort:
                faults.append(f"{one} and {other} are two witnesses of one name")
    if faults:
        message = (
            f"keys that cannot be told apart: {'; '.join(faults)}. Nothing was checked with them."
        )
        raise KeyFileError(message)


def key_parts(text: str, *, what: str) -> tuple[str, str, KeySort, bytes]:
    """Return name, written id, sort and the 32 bytes of a written key.

    Args:
        text: As it is written: `name+id+base64`.
        what: What an error calls it.

    Raises:
        KeyFileError: It is written otherwise.
    """
    name, _, rest = text.strip().partition("+")
    written_id, _, material = rest.partition("+")
    try:
        raw = base64.b64decode(material, validate=True)
        sort = KeySort(raw[0])
    except (binascii.Error, ValueError, IndexError) as error:
        message = f"{what}: expected name+id+base64 of an Ed25519 key ({error})"
        raise KeyFileError(message) from error
    if len(raw) != _RAW_BYTES + 1 or not is_key_name(name):
        message = f"{what}: expected name+id+base64 of a sort and {_RAW_BYTES} bytes"
        raise KeyFileError(message)
    return name, written_id, sort, raw[1:]


def refuse_other_id(key: VerifierKey, written_id: str, *, what: str) -> None:
    """Refuse a key whose written id is not the id of its key.

    Raises:
        KeyFileError: The two differ.
    """
    if written_id != key.key_id.hex():
        message = (
            f"{what} of {key.name}: the key id reads {written_id!r}, but its key has the id "
            f"{key.key_id.hex()}. Ask its owner for it again."
        )
        raise KeyFileError(message)
