"""The ledger: what was said, in order, so that nothing can be unsaid and every edit is found.

Entries are canonical JSON (RFC 8785) under a Merkle tree (RFC 6962); checkpoints are signed in
the C2SP note formats and co-signed by witnesses outside the programme folder. This room is the
only writer; it knows the form of what is entered and nothing of what follows from it.
"""

from dokja.evidence.ledger.blobs import Blobs
from dokja.evidence.ledger.corrections import CurrentEntry, current
from dokja.evidence.ledger.entries import Draft, Entry
from dokja.evidence.ledger.keys import KeySort, SigningKey, VerifierKey, read_key, write_key
from dokja.evidence.ledger.ledgers import Ledger
from dokja.evidence.ledger.programmes import (
    Programme,
    add_log_key,
    add_witness,
    create_programme,
    open_programme,
)
from dokja.evidence.ledger.sealing import SealFolder, seal, unseals
from dokja.evidence.ledger.witnesses import Witness

__all__ = [
    "Blobs",
    "CurrentEntry",
    "Draft",
    "Entry",
    "KeySort",
    "Ledger",
    "Programme",
    "SealFolder",
    "SigningKey",
    "VerifierKey",
    "Witness",
    "add_log_key",
    "add_witness",
    "create_programme",
    "current",
    "open_programme",
    "read_key",
    "seal",
    "unseals",
    "write_key",
]
