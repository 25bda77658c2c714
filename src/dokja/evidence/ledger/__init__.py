"""The ledger: what was said, in order, so that nothing can be unsaid and every edit is found.

Entries are canonical JSON (RFC 8785) under a Merkle tree (RFC 6962); checkpoints are signed in
the C2SP note formats and co-signed by witnesses outside the programme folder. This room is the
only writer; it knows the form of what is entered and nothing of what follows from it.
"""

from dokja.evidence.ledger.blobs import Blobs
from dokja.evidence.ledger.chains import Problem
from dokja.evidence.ledger.corrections import CurrentEntry, current
from dokja.evidence.ledger.drafts import parse_drafts
from dokja.evidence.ledger.entries import Draft, Entry
from dokja.evidence.ledger.exports import WitnessNote, verify_export
from dokja.evidence.ledger.keys import KeySort, SigningKey, VerifierKey, read_key, write_key
from dokja.evidence.ledger.ledgers import Ledger
from dokja.evidence.ledger.notes import Checkpoint, open_note
from dokja.evidence.ledger.programmes import (
    Programme,
    add_log_key,
    add_witness,
    create_programme,
    open_programme,
)
from dokja.evidence.ledger.proofs import consistency_document, inclusion_document, verify_proof
from dokja.evidence.ledger.publication import (
    publish_checkpoint,
    read_public_key,
    signed_note,
    witness_notes,
)
from dokja.evidence.ledger.sealing import SALT_BYTES, SealFolder, seal, unseals
from dokja.evidence.ledger.verification import Verification
from dokja.evidence.ledger.wholeness import verify_programme
from dokja.evidence.ledger.witnesses import Witness, co_sign, fetch, is_outside, write_note

__all__ = [
    "SALT_BYTES",
    "Blobs",
    "Checkpoint",
    "CurrentEntry",
    "Draft",
    "Entry",
    "KeySort",
    "Ledger",
    "Problem",
    "Programme",
    "SealFolder",
    "SigningKey",
    "Verification",
    "VerifierKey",
    "Witness",
    "WitnessNote",
    "add_log_key",
    "add_witness",
    "co_sign",
    "consistency_document",
    "create_programme",
    "current",
    "fetch",
    "inclusion_document",
    "is_outside",
    "open_note",
    "open_programme",
    "parse_drafts",
    "publish_checkpoint",
    "read_key",
    "read_public_key",
    "seal",
    "signed_note",
    "unseals",
    "verify_export",
    "verify_programme",
    "verify_proof",
    "witness_notes",
    "write_key",
    "write_note",
]
