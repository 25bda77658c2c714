"""Walking along the leaves of a ledger and recomputing everything from their bytes alone.

Pure: it is fed with leaves and with what was kept about them, and knows neither database nor
file. It stops at nothing: an entry that is wrong is named, and the walk goes on, so that one
run tells all there is to tell.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dokja.errors import LedgerFormatError
from dokja.evidence.ledger.entries import Entry, as_entry
from dokja.evidence.ledger.leaves import is_newer, leaf_fault
from dokja.evidence.ledger.references import reference_fault, referred
from dokja.evidence.ledger.registers import NameRegister, fingerprint
from dokja.values.trees import Frontier, Run, leaf_hash

__all__ = ["MOST_PROBLEMS", "Chain", "Problem"]

MOST_PROBLEMS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that contradicts the claim that nobody edited the ledger.

    Attributes:
        seq: The first entry that it concerns; none where it concerns no entry of its own.
        code: What sort of contradiction it is, for programs.
        words: What it is, for people.
    """

    seq: int | None
    code: str
    words: str

    def __str__(self) -> str:
        return self.words if self.seq is None else f"entry {self.seq}: {self.words}"


class Chain:
    """One walk along a ledger.

    Args:
        register: Where ids are noted, to find one that stands twice.
        stops: Sizes at which the root is wanted, because somebody signed it.
    """

    def __init__(self, *, register: NameRegister, stops: Iterable[int] = ()) -> None:
        self.problems: list[Problem] = []
        self.notes: list[str] = []
        self.roots: dict[int, bytes] = {}
        self._edge = Frontier()
        self._stops = sorted(set(stops), reverse=True)
        self._register = register
        self._bad: set[int] = set()
        self._newer: dict[int, str] = {}
        self._speaking: list[Entry] = []
        self._latest = ""
        self._behind: list[int] = []
        self._reach_stops()

    @property
    def size(self) -> int:
        """How many leaves were walked."""
        return self._edge.size

    @property
    def root(self) -> bytes:
        """The root over the leaves that were walked."""
        return self._edge.root

    def find(self, seq: int | None, code: str, words: str) -> None:
        """Note a contradiction; of one entry only the first is noted."""
        if seq is not None:
            if seq in self._bad:
                return
            self._bad.add(seq)
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(Problem(seq=seq, code=code, words=words))

    def take(
        self,
        leaves: Sequence[bytes],
        *,
        kept: Callable[[Run], Mapping[int, bytes] | None],
        columns: Sequence[tuple[int, str, str, str]] | None = None,
    ) -> None:
        """Walk along some more leaves.

        Args:
            leaves: Their bytes, in order.
            kept: Gives the tree hashes that were kept for a run, by place, or none where
                hashes of that level are not kept. One that is lacking is a contradiction.
            columns: Number, id, kind and time under which each leaf was kept.
        """
        done = 0
        while done < len(leaves):
            stop = done + self._stops[-1] - self.size if self._stops else len(leaves)
            part = leaves[done:stop]
            for place, leaf in enumerate(part, start=done):
                column = None if columns is None else columns[place]
                self._judge(self.size + place - done, leaf, column)
            for run in self._edge.add([leaf_hash(leaf) for leaf in part]):
                was_kept = kept(run)
                if was_kept is not None:
                    self._compare(run, was_kept)
            done += len(part)
            self._reach_stops()

    def settle_references(self, find: Callable[[str], Entry | None]) -> None:
        """Judge the corrections and unsealings that were met.

        Args:
            find: Returns the entry of an id, or none.
        """
        for entry in self._speaking:
            name = referred(entry.kind, entry.body)
            target = None if name is None else find(name)
            if target is not None and target.seq >= entry.seq:
                target = None  # nobody can speak of what is said later
            fault = reference_fault(entry.kind, entry.body, target=target)
            if fault is not None:
                key, read, expected = fault
                words = f"its {key} reads {read}, expected {expected}"
                self.find(entry.seq, "reference", words)

    def settle_names(self, again: Callable[[], Iterable[tuple[int, str]]]) -> None:
        """Name the entries whose id stands twice.

        Args:
            again: Yields number and id of every entry once more; asked only when needed.
        """
        repeated = self._register.repeated()
        if not repeated:
            return
        first: dict[str, int] = {}
        for seq, name in again():
            if fingerprint(name) in repeated and first.setdefault(name, seq) != seq:
                words = f"its id {name!r} is that of entry {first[name]}"
                self.find(seq, "id", words)

    def close(self) -> None:
        """Put the problems in the order of entries, and note what is no contradiction."""
        self.problems.sort(key=lambda problem: (problem.seq is None, problem.seq or 0))
        if self._behind:
            self.notes.append(
                f"the time of entry {self._behind[0]} lies before that of an earlier entry: a "
                "clock ran behind; the order of entries is their number"
            )

    @property
    def named(self) -> frozenset[str]:
        """The ids that corrections and unsealings speak of."""
        names = (referred(entry.kind, entry.body) for entry in self._speaking)
        return frozenset(name for name in names if name is not None)

    def _reach_stops(self) -> None:
        while self._stops and self._stops[-1] <= self.size:
            self.roots[self._stops.pop()] = self.root

    def _judge(self, seq: int, leaf: bytes, column: tuple[int, str, str, str] | None) -> None:
        said, fault = leaf_fault(leaf)
        if fault:
            if is_newer(said):
                self._newer[seq] = fault
            self.find(seq, "leaf", f"{fault}; it was edited after it was written")
            return
        if said["seq"] != seq:
            words = f"it says that it is entry {said['seq']}; entries were moved or taken out"
            self.find(seq, "order", words)
        elif column is not None and column != (seq, said["id"], said["kind"], said["time"]):
            words = "it is kept under another number, id, kind or time than it says"
            self.find(seq, "column", words)
        self._register.take(said["id"])
        if referred(said["kind"], said["body"]) is not None:
            self._speaking.append(as_entry(said, leaf=leaf))
        if said["time"] >= self._latest:
            self._latest = said["time"]
        elif len(self._behind) < MOST_PROBLEMS:
            self._behind.append(seq)

    def _compare(self, run: Run, kept: Mapping[int, bytes]) -> None:
        """Compare recomputed tree hashes with those that were kept."""
        if not self._newer and list(kept.values()) == run.hashes and _begins(kept, run.first):
            return
        for place, computed in enumerate(run.hashes, start=run.first):
            if kept.get(place) != computed:
                self._find_hash(place, run.level)
            elif run.level == 0 and place in self._newer:
                message = f"entry {place}: {self._newer[place]}. Use the Dokja that wrote it."
                raise LedgerFormatError(message)

    def _find_hash(self, place: int, level: int) -> None:
        first, past = place << level, (place + 1) << level
        if level == 0:
            words = (
                "its bytes do not have the hash that was kept of it; it was edited after it "
                "was written"
            )
            self.find(place, "hash", words)
        elif not any(first <= seq < past for seq in self._bad):
            words = f"the tree hash over entries {first} to {past - 1} was edited or is missing"
            self.find(first, "node", words)


def _begins(kept: Mapping[int, bytes], first: int) -> bool:
    """Tell whether hashes are in the order of their places, from the first on without gaps."""
    return list(kept) == list(range(first, first + len(kept)))
