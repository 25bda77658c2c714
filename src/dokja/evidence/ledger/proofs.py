"""Proofs that travel alone: one entry, or the growth of a ledger, with what proves it.

A proof is a JSON document with everything in it that verifying needs but the public key of the
log. Making one reads a ledger; verifying one is pure.
"""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from dokja.errors import LedgerBrokenError, LedgerFormatError
from dokja.evidence.ledger.entries import Entry, read_entry
from dokja.evidence.ledger.keys import VerifierKey
from dokja.evidence.ledger.ledgers import Ledger
from dokja.evidence.ledger.notes import open_note
from dokja.values import Digest, Json
from dokja.values.trees import is_consistent, is_included

__all__ = ["PROOF", "consistency_document", "inclusion_document", "verify_proof"]

PROOF = "dokja.ledger.prove/1"


def inclusion_document(
    ledger: Ledger, seq: int, *, size: int | None = None, checkpoint: str | None = None
) -> dict[str, Json]:
    """Return the proof that an entry stands in the tree of `size` entries.

    Args:
        ledger: The ledger.
        seq: Which entry.
        size: Of which tree; of the present one where none is given.
        checkpoint: The log's signed note over that tree, carried along.

    Raises:
        LedgerError: There is no such entry in such a tree.
    """
    size = ledger.size if size is None else size
    path = ledger.inclusion_proof(seq, size)
    return {
        "schema": PROOF,
        "proves": "inclusion",
        "origin": ledger.origin,
        "seq": seq,
        "size": size,
        "root": str(ledger.root(size)),
        "leaf": ledger.entry(seq).leaf_bytes.decode(),
        "path": [base64.b64encode(one).decode() for one in path],
        "checkpoint": checkpoint,
    }


def consistency_document(
    ledger: Ledger, old: int, *, new: int | None = None, checkpoint: str | None = None
) -> dict[str, Json]:
    """Return the proof that the tree of `new` entries begins with that of `old`.

    Raises:
        LedgerError: The ledger never had both sizes, in that order.
    """
    new = ledger.size if new is None else new
    path = ledger.consistency_proof(old, new)
    return {
        "schema": PROOF,
        "proves": "consistency",
        "origin": ledger.origin,
        "old": old,
        "old_root": str(ledger.root(old)),
        "size": new,
        "root": str(ledger.root(new)),
        "path": [base64.b64encode(one).decode() for one in path],
        "checkpoint": checkpoint,
    }


def verify_proof(
    document: Mapping[str, Any], *, keys: Sequence[VerifierKey] = (), place: str = "the proof"
) -> Entry | None:
    """Verify a proof from its document alone; return the entry that it proves, if it proves one.

    Args:
        document: The proof.
        keys: The log's public keys. With them, a checkpoint signed by one must be there.
        place: Where it was read, for errors.

    Raises:
        LedgerBrokenError: It does not prove what it says.
        LedgerFormatError: It is no proof, or one of a newer release.
    """
    if document.get("schema") != PROOF:
        message = f"{place}: this is no proof of the form {PROOF}. Nothing was changed."
        raise LedgerFormatError(message)
    try:
        path = [base64.b64decode(one, validate=True) for one in document["path"]]
        root, size = Digest.parse(document["root"]), int(document["size"])
        _refuse_unsigned(document, root=root, size=size, keys=keys, place=place)
        if document["proves"] == "inclusion":
            entry = read_entry(str(document["leaf"]).encode(), place=place)
            right = entry.seq == document["seq"] and is_included(
                entry.digest.raw, root.raw, seq=entry.seq, size=size, path=path
            )
        else:
            entry = None
            old_root = Digest.parse(document["old_root"]).raw
            right = is_consistent(old_root, root.raw, old=int(document["old"]), new=size, path=path)
    except (KeyError, TypeError, ValueError) as error:
        message = f"{place}: this proof is not whole ({error}). Nothing was changed."
        raise LedgerFormatError(message) from error
    if not right:
        message = f"{place}: it does not prove what it says; it was edited or is of another tree"
        raise LedgerBrokenError(message)
    return entry


def _refuse_unsigned(
    document: Mapping[str, Any], *, root: Digest, size: int, keys: Sequence[VerifierKey], place: str
) -> None:
    """Refuse a proof whose tree is not the one that the log signed."""
    note = document.get("checkpoint")
    if note is None and not keys:
        return
    if not isinstance(note, str):
        message = f"{place}: no checkpoint is carried along, so that nobody signed this tree"
        raise LedgerBrokenError(message)
    signed = open_note(note, keys=keys, place=place)
    if (signed.origin, signed.size, signed.root) != (document["origin"], size, root):
        message = f"{place}: the checkpoint is of another tree than the proof"
        raise LedgerBrokenError(message)
    if keys and not signed.signatures:
        names = ", ".join(map(str, keys))
        message = f"{place}: the checkpoint is signed by none of {names}"
        raise LedgerBrokenError(message)
