"""What is written beside an export: whose it is, how it was made, what it is, how good it is.

The statement names its file by digest, so that a copy of the file can be told from another file.
A builder's key signs it: RFC 8785 bytes under a line of their own, so that the signature is good
for nothing else. A sealed run says nothing more in its chain; there this file is all there is.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from dokja.errors import KeyFileError, Mistake, RecordError
from dokja.values import Digest, Json, canonical_bytes, parse_json
from dokja.values.keys import SigningKey, VerifierKey

__all__ = ["ExportStatement", "file_digest", "read_statement", "statement_path"]

SCHEMA = "dokja.export/1"
_SIGNED = b"dokja.export/1\n"
_MAX_BYTES = 1 << 20
_TEXTS = ("component", "format", "method", "parent", "file", "digest", "at")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportStatement:
    """A file, and what it was made from.

    Attributes:
        component: The parent's id in its run.
        format: `gguf` or `onnx`.
        method: Such as `q8_0`.
        parent: Tensor root of what was exported.
        file: The file's name.
        digest: SHA-256 of the file.
        at: When it was made, ISO 8601 in UTC.
        quality: What was measured against the parent.
        made: With what, and what a reader of the file must know.
        signer: The key that signed, as a vkey; none for an unsigned one.
        signature: Base64; none for an unsigned one.
    """

    component: str
    format: str
    method: str
    parent: str
    file: str
    digest: Digest
    at: str
    quality: Mapping[str, Json]
    made: Mapping[str, Json] = field(default_factory=dict)
    signer: str | None = None
    signature: str | None = None

    def said(self) -> dict[str, Json]:
        """Return what is signed."""
        return {
            "schema": SCHEMA,
            "component": self.component,
            "format": self.format,
            "method": self.method,
            "parent": self.parent,
            "file": self.file,
            "digest": str(self.digest),
            "at": self.at,
            "quality": dict(self.quality),
            "made": dict(self.made),
            "signer": self.signer,
        }

    def to_json(self) -> dict[str, Json]:
        """Return all of it."""
        return {**self.said(), "signature": self.signature}

    def written(self) -> bytes:
        """Return the bytes of the file."""
        return (json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n").encode()

    def signed(self, key: SigningKey) -> "ExportStatement":
        """Return it with a signature."""
        bare = replace(self, signer=str(key.verifier), signature=None)
        signature = key.sign(_SIGNED + canonical_bytes(bare.said()))
        return replace(bare, signature=base64.b64encode(signature).decode())

    def is_signed(self) -> bool:
        """Tell whether the key that it names signed it; whose key that is, a register knows."""
        if self.signer is None or self.signature is None:
            return False
        try:
            key = VerifierKey.parse(self.signer)
            signature = base64.b64decode(self.signature, validate=True)
        except (KeyFileError, binascii.Error, ValueError):
            return False
        return key.verifies(signature, _SIGNED + canonical_bytes(self.said()))


def statement_path(file: Path) -> Path:
    """Return where the statement of an export lies.

    Example:
        >>> statement_path(Path("model.gguf")).name
        'model.gguf.export.json'
    """
    return file.with_name(f"{file.name}.export.json")


def read_statement(file: Path) -> ExportStatement:
    """Return the statement beside an export, once the export is the one that it names.

    Args:
        file: The export, not the statement.

    Raises:
        RecordError: Either is missing or cannot be read, the file is another, or the signature is
            not that of the key that is named.
    """
    path = statement_path(file)
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise _wrong(path, "", f"more than {_MAX_BYTES} bytes", "a statement of an export")
        said = parse_json(path.read_bytes())
        digest = file_digest(file)
    except OSError as error:
        expected = "an export and the statement beside it"
        raise _wrong(path, "", f"nothing: {error.strerror}", expected) from error
    except ValueError as error:
        raise _wrong(path, "", str(error), "JSON") from error
    statement = _understood(said, path)
    if statement.digest != digest:
        raise _wrong(file, "digest", str(digest), f"{statement.digest}, as {path.name} says")
    if statement.signature is not None and not statement.is_signed():
        raise _wrong(path, "signature", "a signature that does not hold", "that of its signer")
    return statement


def file_digest(file: Path) -> Digest:
    """Return the SHA-256 of a file, read a piece at a time."""
    with file.open("rb") as stream:
        return Digest(hashlib.file_digest(stream, "sha256").hexdigest())


def _understood(said: Any, path: Path) -> ExportStatement:
    if not isinstance(said, dict) or said.get("schema") != SCHEMA:
        read = repr(said.get("schema")) if isinstance(said, dict) else type(said).__name__
        raise _wrong(path, "schema", read, SCHEMA)
    keys = {*_TEXTS, "schema", "quality", "made", "signer", "signature"}
    faults = sorted(keys ^ said.keys())
    faults += [name for name in _TEXTS if not isinstance(said.get(name), str)]
    faults += [name for name in ("quality", "made") if not isinstance(said.get(name), dict)]
    faults += [
        name for name in ("signer", "signature") if not isinstance(said.get(name), str | None)
    ]
    if faults:
        raise _wrong(path, ", ".join(faults), "another form", "a statement as an export writes it")
    try:
        digest = Digest.parse(said["digest"])
    except ValueError as error:
        raise _wrong(path, "digest", str(error), "sha256: and 64 digits") from error
    values = {name: said[name] for name in keys - {"schema", "digest"}}
    return ExportStatement(digest=digest, **values)


def _wrong(path: Path, place: str, read: str, expected: str) -> RecordError:
    return RecordError([Mistake(file=str(path), place=place, read=read, expected=expected)])
