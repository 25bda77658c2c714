"""What a programme shows of its ledger: signed checkpoints, and what its witnesses made of them."""

from pathlib import Path

from dokja.errors import KeyFileError, LedgerBrokenError, LedgerError
from dokja.evidence.ledger.exports import WitnessNote
from dokja.evidence.ledger.keys import KeySort, SigningKey, VerifierKey, read_key
from dokja.evidence.ledger.notes import open_note
from dokja.evidence.ledger.programmes import Programme
from dokja.evidence.ledger.witnesses import fetch, write_note

__all__ = ["publish_checkpoint", "read_public_key", "signed_note", "witness_notes"]


def publish_checkpoint(programme: Programme, *, key: SigningKey) -> str:
    """Sign the ledger as it stands, keep the note in `checkpoints/`, and return it.

    What was signed before must still hold: a log that signs two histories has signed none.

    Raises:
        LedgerBrokenError: An earlier checkpoint is contradicted by the ledger; nothing is signed.
        LedgerWriteError: The note cannot be kept.
    """
    size = programme.ledger.size
    known = [*programme.log_keys, key.verifier]
    for path, note in programme.notes():
        earlier = open_note(note, keys=known, place=str(path))
        if earlier.size > size or programme.ledger.root(earlier.size) != earlier.root:
            message = (
                f"{path}: the ledger is no longer the one that was signed here at {earlier.size} "
                "entries. Nothing was signed; run: dokja ledger verify"
            )
            raise LedgerBrokenError(message)
        if earlier.size == size and earlier.signed_by(key.verifier):
            return note
    note = programme.ledger.checkpoint(key, size=size)
    write_note(programme.checkpoints / f"{size}.note", note)
    return note


def signed_note(programme: Programme, size: int) -> str | None:
    """Return the checkpoint that was signed at this size, if there is one."""
    sized = (note for path, note in programme.notes() if path.name == f"{size}.note")
    return next(sized, None)


def witness_notes(programme: Programme) -> tuple[tuple[WitnessNote, ...], tuple[str, ...]]:
    """Return what the witnesses publish now, and which of them could not be asked."""
    notes, silent = [], []
    for witness in programme.witnesses:
        try:
            note = fetch(witness.at, folder=programme.folder)
        except LedgerError as error:
            silent.append(f"witness {witness.key.name} could not be asked: {error}")
        else:
            notes.append(WitnessNote(key=witness.key, note=note))
    return tuple(notes), tuple(silent)


def read_public_key(written: str, *, sort: KeySort) -> VerifierKey:
    """Return a public key from its text, from a file that holds it, or from a secret key file.

    Raises:
        KeyFileError: It is none of these, or a key of another sort.
    """
    path = Path(written)
    if not path.is_file():
        key = VerifierKey.parse(written)
    else:
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        key = read_key(path).verifier if text.startswith("PRIVATE+") else VerifierKey.parse(text)
    if key.sort is not sort:
        message = f"{key} is a {key.sort.name.lower()}'s key, expected a {sort.name.lower()}'s"
        raise KeyFileError(message)
    return key
