"""One file with which a stranger can verify a ledger, without database, folder or trust in us.

JSON Lines: a head; then the leaves, each exactly as it is hashed, with a line of their hashes
after every 256; then a foot with checkpoints, keys and what witnesses said. Verifying is pure:
it needs the bytes of the file and, to be sure who signed, public keys from elsewhere.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from dokja.errors import KeyFileError, LedgerBrokenError, LedgerError, LedgerFormatError
from dokja.evidence.ledger.chains import Chain
from dokja.evidence.ledger.entries import Entry, read_entry
from dokja.evidence.ledger.keys import VerifierKey, refuse_reused
from dokja.evidence.ledger.registers import NameRegister
from dokja.evidence.ledger.storage import Storage
from dokja.evidence.ledger.verification import (
    NO_WITNESS,
    Verification,
    Vouched,
    compare_vouched,
    open_vouched,
)
from dokja.values import Digest, Json, canonical_bytes, parse_json
from dokja.values.trees import Run, leaf_hash

__all__ = ["EXPORT", "WitnessNote", "export_lines", "verify_export"]

EXPORT = "dokja.ledger.export/1"
EXPORT_END = "dokja.ledger.export-end/1"
BLOCK = 256

_FAMILY = "dokja.ledger.export/"
_HASHES, _FOOT = b'{"hashes":', b'{"checkpoints":'
_LONGEST_LINE = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessNote:
    """What a witness said, carried along.

    Attributes:
        key: Its public key.
        note: The checkpoint that it co-signed.
    """

    key: VerifierKey
    note: str


def export_lines(
    storage: Storage,
    *,
    checkpoints: Sequence[str] = (),
    keys: Sequence[VerifierKey] = (),
    witnesses: Sequence[WitnessNote] = (),
) -> Iterator[bytes]:
    """Yield the lines of an export, newlines included, with a flat use of memory.

    Args:
        storage: The ledger.
        checkpoints: Notes that the log signed.
        keys: The log's public keys.
        witnesses: What witnesses said.

    Raises:
        LedgerError: The ledger cannot be read.
    """
    with storage.reading() as view:
        size, root = view.head()
        yield _line(
            {
                "schema": EXPORT,
                "origin": storage.origin,
                "size": size,
                "root": str(Digest(root.hex())),
            }
        )
        hashes: list[str] = []
        for row in view.rows(0, size):
            yield row.leaf + b"\n"
            hashes.append(_base64(leaf_hash(row.leaf)))
            if len(hashes) == BLOCK:
                yield _line({"hashes": hashes})
                hashes = []
        if hashes:
            yield _line({"hashes": hashes})
    said: list[Json] = [{"key": str(one.key), "note": one.note} for one in witnesses]
    yield _line(
        {
            "schema": EXPORT_END,
            "checkpoints": list(checkpoints),
            "keys": [str(key) for key in keys],
            "witnesses": said,
        }
    )


def verify_export(
    source: Path | bytes,
    *,
    keys: Sequence[VerifierKey] = (),
    witnesses: Sequence[WitnessNote] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Verify an exported ledger from its bytes alone.

    Args:
        source: The file, or its bytes.
        keys: Public keys of the log and of witnesses that are known from elsewhere. Without
            them the keys in the export are taken, and it is said that nobody vouched for them.
        witnesses: What witnesses said, known from elsewhere.
        progress: Told how many of how many entries have been walked.

    Raises:
        LedgerFormatError: This is no export, or one of a newer release.
        LedgerError: The file cannot be read.
        KeyFileError: Keys cannot be told apart.

    Example:
        >>> verify_export(b'{"schema":"something else"}')
        Traceback (most recent call last):
        ...
        dokja.errors.LedgerFormatError: the export: this is no exported ledger. Nothing was changed.
    """
    place = str(source) if isinstance(source, Path) else "the export"
    try:
        head = _read_head(source, place=place)
        foot, found_end = _read_foot(source, head=head)
        known, carried, notes = _keys_of(foot, keys=keys, witnesses=witnesses, place=place)
        vouched = _vouched(foot, carried, keys=known, origin=head.origin)
        stops = [one.checkpoint.size for one in vouched if one.checkpoint]
        with NameRegister() as register:
            chain = Chain(register=register, stops=stops)
            _walk(chain, source, size=head.size, progress=progress)
            if not found_end:
                words = "its last line is not the foot of an export; it was cut off or edited"
                chain.find(None, "foot", words)
            _settle(chain, source, head=head)
    except OSError as error:
        message = f"{place}: the export cannot be read ({error.strerror})"
        raise LedgerError(message) from error
    checked = [
        f"{chain.size} entries: number, form, id, hash and place in the tree",
        *compare_vouched(chain, vouched),
    ]
    chain.close()
    return Verification(
        origin=head.origin,
        size=chain.size,
        root=Digest(chain.root.hex()),
        problems=tuple(chain.problems),
        undecided=tuple(one.undecided for one in vouched if one.undecided),
        notes=(*chain.notes, *notes),
        checked=tuple(checked),
    )


def _settle(chain: Chain, source: Path | bytes, *, head: "_Head") -> None:
    """Compare the root, and judge what could only be judged after all entries were met."""
    if chain.size == head.size and chain.root != head.root and not chain.problems:
        words = "the root of the entries is not the one that the head names"
        chain.find(None, "head", words)
    chain.settle_names(lambda: _names(source, size=head.size))
    if chain.named:
        found = _entries_of(source, chain.named, size=head.size)
        chain.settle_references(found.get)


@dataclass(frozen=True, slots=True)
class _Head:
    origin: str
    size: int
    root: bytes


def _opened(source: Path | bytes) -> AbstractContextManager[IO[bytes]]:
    return source.open("rb") if isinstance(source, Path) else nullcontext(BytesIO(source))


def _lines(source: Path | bytes) -> Iterator[bytes]:
    with _opened(source) as file:
        while line := file.readline(_LONGEST_LINE):
            yield line


def _read_head(source: Path | bytes, *, place: str) -> _Head:
    line = next(_lines(source), b"")
    try:
        said = parse_json(line)
        schema = said["schema"]
        if schema == EXPORT:
            root = Digest.parse(said["root"]).raw
            if type(said["size"]) is int and said["size"] >= 0 and isinstance(said["origin"], str):
                return _Head(said["origin"], said["size"], root)
        elif isinstance(schema, str) and schema.startswith(_FAMILY):
            message = f"{place}: an export of the form {schema}; this Dokja reads {EXPORT}."
            raise LedgerFormatError(message)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    message = f"{place}: this is no exported ledger. Nothing was changed."
    raise LedgerFormatError(message)


def _read_foot(source: Path | bytes, *, head: _Head) -> tuple[Mapping[str, Any], bool]:
    """Return the foot, and whether it stands where it must and says what it must."""
    expected = 1 + head.size + -(-head.size // BLOCK)
    last, number = b"", -1
    for number, line in enumerate(_lines(source)):  # noqa: B007 (the last number is what counts)
        last = line
    try:
        said = parse_json(last)
        right = isinstance(said, dict) and canonical_bytes(said) + b"\n" == last
        right = right and said.keys() == {"schema", "checkpoints", "keys", "witnesses"}
        right = right and said["schema"] == EXPORT_END and _is_foot(said)
    except (ValueError, RecursionError):
        return {}, False
    return (said, number == expected) if right else ({}, False)


def _is_foot(said: Mapping[str, Any]) -> bool:
    """Tell whether texts and keys stand where they must."""
    texts = [*said["checkpoints"], *said["keys"]]
    for one in said["witnesses"]:
        if not isinstance(one, dict) or one.keys() != {"key", "note"}:
            return False
        texts += one.values()
    if not all(isinstance(text, str) for text in texts):
        return False
    try:
        for key in [*said["keys"], *(one["key"] for one in said["witnesses"])]:
            VerifierKey.parse(key)
    except KeyFileError:
        return False
    return True


def _keys_of(
    foot: Mapping[str, Any],
    *,
    keys: Sequence[VerifierKey],
    witnesses: Sequence[WitnessNote],
    place: str,
) -> tuple[list[VerifierKey], list[WitnessNote], list[str]]:
    """Return the keys to go by, what their witnesses said, and what is worth knowing."""
    notes = []
    carried = [
        WitnessNote(key=VerifierKey.parse(one["key"]), note=one["note"])
        for one in foot.get("witnesses", ())
    ]
    named = [VerifierKey.parse(key) for key in foot.get("keys", ())]
    known = list(dict.fromkeys([*keys, *(one.key for one in witnesses)]))
    if known:
        strange = ", ".join(str(key) for key in named if key not in known)
        if strange:
            notes.append(f"{place} names keys that were not given: {strange}")
        carried = [one for one in carried if one.key in known]
    else:
        known = list(dict.fromkeys([*named, *(one.key for one in carried)]))
        notes.append(
            "the keys are those that the export names itself; whoever forged it could have "
            "made them. Get them from the programme and its witnesses"
        )
    refuse_reused(known)
    carried = [*carried, *witnesses]
    if not carried:
        notes.append(NO_WITNESS)
    return known, carried, notes


def _vouched(
    foot: Mapping[str, Any],
    witnesses: Sequence[WitnessNote],
    *,
    keys: Sequence[VerifierKey],
    origin: str,
) -> list[Vouched]:
    """Return what the log and the witnesses vouch for."""
    vouched = [
        open_vouched(note, keys=keys, signer=None, origin=origin, who=f"checkpoint {number}")
        for number, note in enumerate(foot.get("checkpoints", ()), start=1)
    ]
    vouched += [
        open_vouched(
            one.note, keys=keys, signer=one.key, origin=origin, who=f"witness {one.key.name}"
        )
        for one in witnesses
    ]
    return vouched


def _walk(
    chain: Chain,
    source: Path | bytes,
    *,
    size: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    """Walk along the leaves of an export, block by block."""
    for leaves, line in _blocks(source, size=size):
        kept = _kept_hashes(line, first=chain.size)
        if kept is None:
            words = f"the line of hashes after entry {chain.size + len(leaves) - 1} was edited"
            chain.find(None, "hashes", words)

        def at(run: Run, kept: dict[int, bytes] | None = kept) -> dict[int, bytes] | None:
            return kept if run.level == 0 else None

        chain.take(leaves, kept=at)
        if progress is not None:
            progress(chain.size, size)
    if chain.size < size:
        words = f"it is missing: the head names {size} entries, and {chain.size} are here"
        chain.find(chain.size, "missing", words)


def _kept_hashes(line: bytes, *, first: int) -> dict[int, bytes] | None:
    """Return the leaf hashes of a line, by number; none where the line is wrong."""
    try:
        said = parse_json(line)
        hashes = [base64.b64decode(text, validate=True) for text in said["hashes"]]
        right = _line({"hashes": [_base64(one) for one in hashes]}) == line
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return dict(enumerate(hashes, start=first)) if right else None


def _blocks(source: Path | bytes, *, size: int) -> Iterator[tuple[list[bytes], bytes]]:
    """Yield leaves with the line of their hashes, never more than the head names.

    A line too many is passed over: then a number is wrong, or the foot stands elsewhere.
    """
    lines = _lines(source)
    next(lines, b"")
    done = 0
    while done < size:
        wanted = min(BLOCK, size - done)
        leaves: list[bytes] = []
        mark = b""
        for line in lines:
            if line.startswith((_HASHES, _FOOT)):
                mark = line
                break
            if len(leaves) < wanted:
                leaves.append(line.removesuffix(b"\n"))
        yield leaves, mark
        if len(leaves) < wanted or not mark.startswith(_HASHES):
            return
        done += wanted


def _names(source: Path | bytes, *, size: int) -> Iterator[tuple[int, str]]:
    for entry in _read_entries(source, size=size):
        yield entry.seq, entry.id


def _entries_of(source: Path | bytes, names: Iterable[str], *, size: int) -> dict[str, Entry]:
    """Return the entries of these ids; of two with one id, the first."""
    wanted = frozenset(names)
    found: dict[str, Entry] = {}
    for entry in _read_entries(source, size=size):
        if entry.id in wanted:
            found.setdefault(entry.id, entry)
    return found


def _read_entries(source: Path | bytes, *, size: int) -> Iterator[Entry]:
    """Yield the entries that are whole; the others are named elsewhere."""
    for leaves, _ in _blocks(source, size=size):
        for leaf in leaves:
            try:
                yield read_entry(leaf, place="the export")
            except (LedgerBrokenError, LedgerFormatError):
                continue


def _line(value: Json) -> bytes:
    return canonical_bytes(value) + b"\n"


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
