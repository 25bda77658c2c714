"""Signs and checks the files of a finished folder in the format of OpenSSF Model Signing.

The signature is a Sigstore bundle made with an elliptic-curve key, which other tools can check.
Every file must be signed: the library would leave out git's files, and files that the signature
itself asks it to leave out; neither is allowed here, and the list of signed files is compared
with the folder once more. Needs the extra `sign`.
"""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecordError
from dokja.models.forge.extras import need
from dokja.models.forge.manifests import FileManifest, file_manifest
from dokja.values import parse_json, shown

__all__ = ["FileSignature", "sign_files", "verify_files"]

_EXTRA = "sign"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSignature:
    """What became of the signature of a folder's files.

    Attributes:
        holds: Whether the key signed exactly these files.
        files: The folder's files as they lie there.
        reason: Why it does not hold, as a sentence; empty where it does.
    """

    holds: bool
    files: FileManifest
    reason: str = ""


def sign_files(folder: Path, signature: Path, *, key: Path, password: str | None = None) -> None:
    """Sign every file of a folder.

    Args:
        folder: The finished model; nothing in it may be a link.
        signature: Where the signature is written, outside the folder.
        key: File of the private key, PEM, on the curve P-256, P-384 or P-521.
        password: Of the key, if it has one.

    Raises:
        ExtraMissingError: The extra `sign` is not installed.
        RecordError: The folder is empty or holds links, the signature would lie inside it, or
            the key cannot be used. Nothing was written then.
    """
    module = _library("signing")
    _refuse_inside(folder, signature)
    _refuse_links(folder)
    file_manifest(folder)
    unfinished = signature.with_name(f".{signature.name}.unfinished")
    try:
        config = module.Config().use_elliptic_key_signer(private_key=key, password=password)
        config.set_hashing_config(_hashing()).sign(folder, unfinished)
    except (OSError, ValueError, TypeError) as error:
        unfinished.unlink(missing_ok=True)
        expected = "a folder and a private key that can sign it"
        raise RecordError([_wrong(key.name, "", str(error), expected)]) from error
    unfinished.replace(signature)


def verify_files(folder: Path, signature: Path, *, key: Path) -> FileSignature:
    """Return whether a key signed exactly the files of a folder.

    Args:
        folder: The model.
        signature: As `sign_files` wrote it.
        key: File of the public key, PEM.

    Raises:
        ExtraMissingError: The extra `sign` is not installed.
        RecordError: The signature or the key cannot be read, or the folder is empty or holds
            links.
    """
    module, exceptions = _library("verifying"), need("cryptography.exceptions", extra=_EXTRA)
    _refuse_links(folder)
    files = file_manifest(folder)
    statement = _statement(signature)
    config = _verifier(module, key)
    # Set outright: left to itself the library takes the settings from the signature.
    config.set_hashing_config(_hashing()).set_ignore_unsigned_files(False)
    try:
        config.verify(folder, signature)
    except exceptions.InvalidSignature:
        reason = "the signature was made with another key, or was changed"
        return FileSignature(holds=False, files=files, reason=reason)
    except (ValueError, KeyError, TypeError) as error:
        return FileSignature(holds=False, files=files, reason=str(error))
    reason = next(_left_out(statement, files), "")
    return FileSignature(holds=not reason, files=files, reason=reason)


def _library(name: str) -> Any:
    need("OpenSSL", extra=_EXTRA)  # model-signing uses pyOpenSSL and does not declare it
    return need(f"model_signing.{name}", extra=_EXTRA)


def _hashing() -> Any:
    module = need("model_signing.hashing", extra=_EXTRA)
    config = module.Config().use_file_serialization(hashing_algorithm="sha256", max_workers=1)
    return config.set_ignored_paths(paths=[], ignore_git_paths=False)


def _verifier(module: Any, key: Path) -> Any:
    try:
        return module.Config().use_elliptic_key_verifier(public_key=key)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        expected = "a public key on P-256, P-384 or P-521, in PEM"
        raise RecordError([_wrong(key.name, "", str(error), expected)]) from error


def _statement(signature: Path) -> Mapping[str, Any]:
    """Return the signed statement; whether the signature is right is asked later."""
    try:
        bundle = parse_json(signature.read_bytes())
        payload = base64.b64decode(bundle["dsseEnvelope"]["payload"], validate=True)
        said = parse_json(payload)
        if not isinstance(said["predicate"]["resources"], list):
            raise ValueError("resources are no list")  # noqa: TRY004, TRY301  # one answer for all that is no bundle
    except (OSError, ValueError, KeyError, TypeError) as error:
        expected = "a Sigstore bundle over an in-toto statement"
        read = shown(f"{type(error).__name__}: {error}")
        raise RecordError([_wrong(signature.name, "", read, expected)]) from error
    found: Mapping[str, Any] = said
    return found


def _left_out(statement: Mapping[str, Any], files: FileManifest) -> Iterator[str]:
    """Yield why the list of signed files is not that of the folder."""
    predicate = statement["predicate"]
    ignored = predicate.get("serialization", {}).get("ignore_paths")
    if ignored:
        yield f"the signature asks that files be left out: {shown(repr(ignored))}"
    try:
        signed = {str(one["name"]): str(one["digest"]) for one in predicate["resources"]}
    except (KeyError, TypeError):
        yield "the list of signed files cannot be read"
        return
    lying = {file.name: file.sha256.hex for file in files.files}
    if signed != lying:
        differing = sorted(set(signed.items()) ^ set(lying.items()))
        yield f"the signed files are not those of the folder: {shown(differing[0][0])}"


def _refuse_inside(folder: Path, signature: Path) -> None:
    if signature.resolve().is_relative_to(folder.resolve()):
        read, expected = "a place inside the signed folder", "a place outside of it"
        raise RecordError([_wrong(signature.name, "", read, expected)])


def _refuse_links(folder: Path) -> None:
    links = sorted(path for path in folder.rglob("*") if path.is_symlink())
    if links:
        raise RecordError(
            [
                _wrong(folder.name, str(link.relative_to(folder)), "a link", "the file itself")
                for link in links
            ]
        )


def _wrong(file: str, place: str, read: str, expected: str) -> Mistake:
    return Mistake(file=file, place=place, read=read, expected=expected)
