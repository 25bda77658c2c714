"""Opens a programme folder for a command that rests on what its ledger says."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dokja.cli.ledger_printing import progress
from dokja.evidence.ledger import Programme, open_programme

__all__ = ["unbroken"]


@contextmanager
def unbroken(folder: Path) -> Iterator[Programme]:
    """Open a programme folder, having verified its ledger against all that its log signed.

    Witnesses are not asked, so that a decision can be replayed offline: `dokja ledger verify`
    asks them.

    Raises:
        LedgerBrokenError: The ledger was edited after it was written; names the first bad entry.
        ProgrammeError: The folder is half there.
    """
    with closing(open_programme(folder)) as programme:
        with progress() as shown:
            found = programme.ledger.verify(
                checkpoints=[note for _, note in programme.notes()],
                keys=programme.log_keys,
                progress=shown,
            )
        found.refuse_broken(programme.ledger.place)
        yield programme
