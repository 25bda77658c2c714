"""The live chain of a run: what it did, entry by entry, signed and witnessed while it did it.

Here a chain is only read. `appending` writes one; whether it may be believed is asked in
`checking`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dokja.errors import Mistake, RecordError
from dokja.models.forge.records.bodies import Body, Commit, Init, Seal
from dokja.models.forge.records.entries import START, LateReceipt, Link, read_line
from dokja.models.forge.records.usual_lines import usual_line
from dokja.values import Digest

__all__ = ["FILE", "Chain", "parse_chain", "read_chain"]

FILE = "chain.jsonl"
"""What the chain is called in a run's folder."""

_MOST_MISTAKES = 100

Said = TypeVar("Said", bound=Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A chain as it was read: every line can be read, nothing was judged.

    Attributes:
        links: Its entries, in the order of the file, with the receipts that came later.
        file: What messages call it.
        digest: SHA-256 of the whole lines.
        torn_bytes: Length of half a line at the end; 0 unless it was read live.
    """

    links: tuple[Link, ...]
    file: str
    digest: Digest
    torn_bytes: int = 0

    @property
    def commit(self) -> Commit | None:
        """What the builder is bound to; None if the chain does not begin with it."""
        body = self.links[0].entry.body if self.links else None
        return body if isinstance(body, Commit) else None

    @property
    def seal(self) -> Seal | None:
        """What came out; None if the chain does not end with it."""
        body = self.links[-1].entry.body if self.links else None
        return body if isinstance(body, Seal) else None

    @property
    def head(self) -> Digest:
        """Digest of the last entry; names all of them."""
        return self.links[-1].digest if self.links else START

    @property
    def waiting(self) -> tuple[Link, ...]:
        """Entries that no witness has seen yet."""
        return tuple(link for link in self.links if link.receipt is None)

    @property
    def init(self) -> Init | None:
        """Seed and start, once they are there."""
        return next((init for _, init in self.of(Init)), None)

    def of(self, kind: type[Said]) -> Iterator[tuple[Link, Said]]:
        """Yield the entries of one kind, each with what it says."""
        for link in self.links:
            if isinstance(link.entry.body, kind):
                yield link, link.entry.body


def read_chain(path: Path, *, live: bool = False) -> Chain:
    """Read a chain whole.

    Args:
        path: The file, or the folder of the run.
        live: Whether the run may still be going: half a line at the end is then no fault.

    Raises:
        RecordError: A line cannot be read, or a receipt belongs to no entry before it; every
            mistake is in it, up to 100.
    """
    path = path / FILE if path.is_dir() else path
    try:
        data = path.read_bytes()
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=read, expected="the chain of a run")
        raise RecordError([wrong]) from error
    return parse_chain(data, file=path.name, live=live)


def parse_chain(data: bytes, *, file: str, live: bool = False) -> Chain:
    """Read a chain from bytes; see `read_chain`.

    Raises:
        RecordError: As there.
    """
    whole = data[: data.rfind(b"\n") + 1]
    torn = len(data) - len(whole)
    links: list[Link] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(whole.split(b"\n")[:-1], start=1):
        try:
            found = usual_line(line, number=number) or read_line(line, file=file, number=number)
            _take(found, links, file=file, number=number)
        except RecordError as error:
            mistakes += error.mistakes
    if torn and not live:
        mistakes.append(
            Mistake(
                file=file,
                place=f"line {whole.count(10) + 1}",
                read=f"half a line of {torn} bytes",
                expected="whole lines",
                remedy="Resume the run: it cuts the half line off and keeps it beside the chain.",
            )
        )
    if mistakes:
        raise RecordError(mistakes[:_MOST_MISTAKES])
    return Chain(links=tuple(links), file=file, digest=Digest.of(whole), torn_bytes=torn)


def _take(found: Link | LateReceipt, links: list[Link], *, file: str, number: int) -> None:
    """Add an entry, or give an entry its receipt."""
    if isinstance(found, Link):
        links.append(found)
        return
    # Places are looked up in the list, not by `n`: whether these agree is judged elsewhere.
    if found.n >= len(links) or links[found.n].receipt is not None:
        read = f"a receipt of entry {found.n}"
        expected = "a receipt of an entry that stands above and has none"
        raise RecordError(
            [Mistake(file=file, place=f"line {number}", read=read, expected=expected)]
        )
    links[found.n] = replace(links[found.n], receipt=found.receipt)
