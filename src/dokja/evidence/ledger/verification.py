"""Whether a ledger was edited after it was written, and what that was compared with.

The chain is recomputed from the leaves alone and compared with the hashes that were kept, with
what the log signed, and with what witnesses saw. Without a witness, nobody can tell that the
tail was cut or that everything was rewritten by its owner: then that is said.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import LedgerBrokenError, LedgerError
from dokja.evidence.ledger.chains import Chain, Problem
from dokja.evidence.ledger.entries import Entry, read_entry
from dokja.evidence.ledger.keys import KeySort, VerifierKey, refuse_reused
from dokja.evidence.ledger.notes import Checkpoint, open_note
from dokja.evidence.ledger.registers import NameRegister
from dokja.evidence.ledger.storage import Reading, Row, Storage
from dokja.evidence.ledger.witnesses import Witness, fetch
from dokja.values import Digest
from dokja.values.trees import Run

__all__ = [
    "NO_WITNESS",
    "Verification",
    "Vouched",
    "compare_vouched",
    "open_vouched",
    "verify_storage",
]

NO_WITNESS = (
    "no witness was asked: that the tail was cut, or that all was rewritten by whoever holds the "
    "log's key, cannot be excluded"
)

_PAGE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What verifying a ledger came to.

    Attributes:
        origin: Name under which the ledger signs.
        size: How many entries were walked.
        root: Root over them, recomputed from their bytes.
        problems: What contradicts the claim that nobody edited it, first entry first.
        undecided: What could not be told, and what it would take.
        notes: What is no contradiction, but worth knowing.
        checked: What was compared.
    """

    origin: str
    size: int
    root: Digest
    problems: tuple[Problem, ...] = ()
    undecided: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing contradicts the ledger."""
        return not self.problems

    @property
    def first_bad(self) -> int | None:
        """The first entry that was found bad; none where no single entry was."""
        return next((found.seq for found in self.problems if found.seq is not None), None)

    def refuse_broken(self, place: str) -> None:
        """Raise unless nothing contradicts the ledger.

        Raises:
            LedgerBrokenError: Something does; it names the first bad entry.
        """
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            message = f"{place}: {self.problems[0]}{more}. Nothing was changed."
            raise LedgerBrokenError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouched:
    """A checkpoint that somebody vouches for, as it was read.

    Attributes:
        who: Who vouches, for people.
        checkpoint: What it says; none if it could not be taken as a checkpoint.
        problem: Why not.
        undecided: Why it could not be told.
    """

    who: str
    checkpoint: Checkpoint | None = None
    problem: str = ""
    undecided: str = ""


def open_vouched(
    note: str, *, keys: Sequence[VerifierKey], signer: VerifierKey | None, origin: str, who: str
) -> Vouched:
    """Return what a note says if the right key signed it.

    Args:
        note: The note.
        keys: All keys that are known.
        signer: The key that must have signed; none: any of the log's.
        origin: The log it must be of.
        who: Who vouches, for people.
    """
    try:
        checkpoint = open_note(note, keys=keys, place=who)
    except LedgerBrokenError as error:
        return Vouched(who=who, problem=str(error))
    if checkpoint.origin != origin:
        problem = f"{who}: this checkpoint is of {checkpoint.origin!r}, not of {origin!r}"
        return Vouched(who=who, problem=problem)
    log_keys = [key for key in keys if key.sort is KeySort.LOG]
    # What a witness co-signs is a checkpoint of the log: both signatures must be there.
    wanted = [log_keys] if signer is None else [[signer], log_keys]
    for either in wanted:
        if either and not any(checkpoint.signed_by(key) for key in either):
            names = " or ".join(str(key) for key in either)
            return Vouched(who=who, problem=f"{who}: none of the signatures is by {names}")
    undecided = ""
    if not any(wanted):
        undecided = f"{who}: no key of the log is known, so that nobody can tell who signed it"
    return Vouched(who=who, checkpoint=checkpoint, undecided=undecided)


def compare_vouched(chain: Chain, vouched: Iterable[Vouched]) -> list[str]:
    """Compare what was vouched for with the chain that was walked; return what was compared."""
    agreeing = 0
    checked = []
    for one in sorted(vouched, key=lambda one: one.checkpoint.size if one.checkpoint else 0):
        if one.problem:
            chain.find(None, "vouched", one.problem)
        if one.checkpoint is None:
            continue
        size, root = one.checkpoint.size, one.checkpoint.root
        checked.append(f"{one.who} of size {size}")
        if size > chain.size:
            words = (
                f"it and all after it are missing: {one.who} speaks of {size} entries, "
                f"and {chain.size} are here; the tail was cut"
            )
            chain.find(chain.size, "tail", words)
        elif chain.roots.get(size) == root.raw:
            agreeing = max(agreeing, size)
        else:
            words = (
                f"it or one up to {size - 1} is not what {one.who} speaks of; entries were "
                f"edited after they were written (agreement reaches up to entry {agreeing - 1})"
            )
            if not any(p.seq is not None and p.seq < size for p in chain.problems):
                chain.find(agreeing, "root", words)
    return checked


def verify_storage(
    storage: Storage,
    *,
    checkpoints: Sequence[str] = (),
    keys: Sequence[VerifierKey] = (),
    witnesses: Sequence[Witness] = (),
    folder: Path,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Verify a ledger where it is kept.

    Args:
        storage: Where.
        checkpoints: Notes that the log signed.
        keys: The log's public keys.
        witnesses: Who watches it.
        folder: The programme folder, where relative places of witnesses start.
        progress: Told how many of how many entries have been walked.

    Raises:
        KeyFileError: Keys cannot be told apart.
        LedgerFormatError: The ledger was written by a newer release.
        LedgerError: It cannot be read.
    """
    known = [*keys, *(witness.key for witness in witnesses)]
    refuse_reused(known)
    vouched = [
        open_vouched(note, keys=known, signer=None, origin=storage.origin, who=f"checkpoint {n}")
        for n, note in enumerate(checkpoints, start=1)
    ]
    vouched += [
        _asked(witness, keys=known, origin=storage.origin, folder=folder) for witness in witnesses
    ]
    stops = [one.checkpoint.size for one in vouched if one.checkpoint]
    with NameRegister() as register:
        chain = Chain(register=register, stops=stops)
        try:
            for words in storage.damage():
                chain.find(None, "file", f"the database's own check finds: {words}")
            with storage.reading() as view:
                _walk(chain, view, progress=progress)
        except LedgerBrokenError as error:
            chain.find(None, "file", str(error))
    checked = [
        f"{chain.size} entries: number, form, id, hash and place in the tree",
        *compare_vouched(chain, vouched),
    ]
    chain.close()
    undecided = [one.undecided for one in vouched if one.undecided]
    if not witnesses:
        chain.notes.append(NO_WITNESS)
    return Verification(
        origin=storage.origin,
        size=chain.size,
        root=Digest(chain.root.hex()),
        problems=tuple(chain.problems),
        undecided=tuple(undecided),
        notes=tuple(chain.notes),
        checked=tuple(checked),
    )


def _asked(witness: Witness, *, keys: Sequence[VerifierKey], origin: str, folder: Path) -> Vouched:
    """Return what a witness says."""
    who = f"witness {witness.key.name}"
    try:
        note = fetch(witness.at, folder=folder)
    except LedgerBrokenError as error:
        return Vouched(who=who, problem=str(error))
    except LedgerError as error:
        return Vouched(who=who, undecided=f"{who} could not be asked: {error}")
    return open_vouched(note, keys=keys, signer=witness.key, origin=origin, who=who)


def _walk(chain: Chain, view: Reading, *, progress: Callable[[int, int], None] | None) -> None:
    """Walk along what a view shows, and compare it with all that is kept about it."""
    head = view.head()
    gap = False
    page: list[Row] = []

    def take() -> None:
        def kept(run: Run) -> dict[int, bytes]:
            return view.run(run.level, run.first, len(run.hashes))

        # A column of bytes that was edited may hold text; no leaf is empty, so it is named.
        leaves = [row.leaf if type(row.leaf) is bytes else b"" for row in page]
        chain.take(leaves, kept=kept, columns=[row[:4] for row in page])
        page.clear()
        if progress is not None:
            progress(chain.size, head.size)

    for row in view.rows(-(2**62)):
        expected = chain.size + len(page)
        if row.seq != expected or expected == head.size:
            take()
            _find_misplaced(chain, row, size=head.size)
            gap = True
            break
        page.append(row)
        if len(page) == _PAGE:
            take()
    take()
    if not gap:
        _compare_head(chain, view, head_size=head.size, head_root=head.root)
        chain.settle_names(lambda: ((row.seq, row.id) for row in view.rows(0)))
    chain.settle_references(lambda name: _found(view, name))


def _find_misplaced(chain: Chain, row: Row, *, size: int) -> None:
    """Note that the row that comes next is not the one that must."""
    after = "; what comes after it was not compared"
    if row.seq > chain.size and chain.size < size:
        chain.find(chain.size, "missing", "it is missing; it was taken out" + after)
    elif row.seq < chain.size or row.seq < 0:
        chain.find(row.seq, "order", "it stands where no entry can stand" + after)
    else:
        words = f"it stands beyond the end, which is at {size} entries; it was put in by hand"
        chain.find(row.seq, "beyond", words)


def _compare_head(chain: Chain, view: Reading, *, head_size: int, head_root: bytes) -> None:
    size = chain.size
    rows, nodes = view.counts()
    if size < head_size:
        words = f"it is missing: the ledger had {head_size} entries and {size} are here"
        chain.find(size, "missing", words)
    elif head_size < 0:
        chain.find(None, "head", "the ledger does not say how long it is")
    elif head_root != chain.root and not chain.problems:
        chain.find(None, "head", "the root that the last writer left is not that of the entries")
    expected = sum(size >> level for level in range(size.bit_length()))
    if size == head_size and (rows, nodes) != (size, expected) and not chain.problems:
        words = f"{nodes} tree hashes and {rows} rows are kept, expected {expected} and {size}"
        chain.find(None, "node", words)


def _found(view: Reading, name: str) -> Entry | None:
    """Return the entry of this id, if it is there and whole; a broken one is named elsewhere."""
    row = view.find(name)
    try:
        return None if row is None else read_entry(row.leaf, place=name)
    except LedgerBrokenError:
        return None
