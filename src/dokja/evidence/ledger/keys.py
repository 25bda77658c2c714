"""Files that hold secret keys of logs and witnesses.

A secret key is kept in a file of its own that only its owner may read. The keys themselves are
values (`values.keys`); nothing here makes randomness.
"""

import base64
import os
from pathlib import Path

from dokja.errors import KeyFileError
from dokja.values.keys import (
    KeySort,
    SigningKey,
    VerifierKey,
    is_key_name,
    key_parts,
    refuse_other_id,
    refuse_reused,
)

__all__ = [
    "KeySort",
    "SigningKey",
    "VerifierKey",
    "is_key_name",
    "read_key",
    "refuse_reused",
    "write_key",
]

_SECRET_MARK = "PRIVATE+KEY+"  # noqa: S105 (the mark of such a file, no secret)


def write_key(path: Path, key: SigningKey) -> None:
    """Write a secret key to a new file that only its owner may read.

    Raises:
        KeyFileError: A file is there already, or it cannot be written.
    """
    material = base64.b64encode(bytes([key.sort.value]) + key.seed).decode()
    text = f"{_SECRET_MARK}{key.name}+{key.verifier.key_id.hex()}+{material}\n"
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        message = f"{path}: the key could not be written ({error.strerror}). Nothing was changed."
        raise KeyFileError(message) from error


def read_key(path: Path) -> SigningKey:
    """Return the secret key in a file.

    Raises:
        KeyFileError: It is missing, malformed, or others than its owner may read it.
    """
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path}: no key could be read here ({error}). Nothing was signed."
        raise KeyFileError(message) from error
    if mode & 0o077:
        message = (
            f"{path}: others may read this secret key (mode {mode & 0o777:o}); "
            f"run: chmod 600 {path}. Nothing was signed."
        )
        raise KeyFileError(message)
    if not text.startswith(_SECRET_MARK):
        message = f"{path}: this is no secret key of a log or witness. Nothing was signed."
        raise KeyFileError(message)
    name, written_id, sort, seed = key_parts(
        text.removeprefix(_SECRET_MARK), what=f"{path}: secret key"
    )
    key = SigningKey(name, seed, sort)
    refuse_other_id(key.verifier, written_id, what=f"{path}: secret key")
    return key
