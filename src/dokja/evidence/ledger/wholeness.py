"""Whether a whole programme folder is as it was written: ledger, checkpoints, witnesses, blobs."""

from collections.abc import Callable
from dataclasses import replace

from dokja.errors import LedgerError
from dokja.evidence.ledger.chains import Problem
from dokja.evidence.ledger.programmes import Programme
from dokja.evidence.ledger.verification import Verification

__all__ = ["verify_programme"]


def verify_programme(
    programme: Programme, *, progress: Callable[[int, int], None] | None = None
) -> Verification:
    """Verify the ledger against all that was signed and seen, and the blobs by their digests.

    Args:
        programme: An open programme folder.
        progress: Told how many of how many entries have been walked.

    Raises:
        KeyFileError: Keys cannot be told apart.
        LedgerFormatError: The ledger was written by a newer release.
        LedgerError: It cannot be read.
    """
    found = programme.ledger.verify(
        checkpoints=[note for _, note in programme.notes()],
        keys=programme.log_keys,
        witnesses=programme.witnesses,
        folder=programme.folder,
        progress=progress,
    )
    if not found.ok:
        return found
    problems, missing, whole = [], 0, 0
    for entry in programme.ledger.entries():
        for digest in entry.blobs:
            try:
                if programme.blobs.is_whole(digest):
                    whole += 1
                    continue
            except LedgerError:
                missing += 1
                continue
            words = f"the file {programme.blobs.path(digest)} was edited after it was written"
            problems.append(Problem(seq=entry.seq, code="blob", words=words))
    notes = list(found.notes)
    if missing:
        notes.append(f"{missing} files that entries rest on are not kept here")
    return replace(
        found,
        problems=tuple(problems),
        notes=tuple(notes),
        checked=(*found.checked, f"{whole} files by their digests"),
    )
