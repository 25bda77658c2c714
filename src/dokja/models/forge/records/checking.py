"""What is wrong with a chain, as a list of problems, and how much of it was witnessed live.

A chain that can be read is never refused here: every problem is returned, so that the ladder of
checks can say all of them. A problem either contradicts the chain, or leaves something unsettled
that another register or a later receipt would settle.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum
from typing import NamedTuple

from dokja.errors import KeyFileError
from dokja.models.forge.forms import strict_base64
from dokja.models.forge.records.bodies import Commit, Init, Seal, SeedOrigin
from dokja.models.forge.records.chain import Chain
from dokja.models.forge.records.draws import draw_seed
from dokja.models.forge.records.entries import SIGNED, START, Link
from dokja.models.forge.records.register import KeyRegister, KeyRole, KeyStanding
from dokja.models.forge.records.witness import Receipt, key_of
from dokja.values import Digest

__all__ = ["CLOCKS_APART", "Problem", "ProblemKind", "check_chain"]

CLOCKS_APART = timedelta(minutes=1)
"""How far the builder's clock may be ahead of the witness's."""

_AT_ONCE = 500


class ProblemKind(Enum):
    """What is wrong with an entry."""

    GAP = "gap"  # a number is missing, or stands twice
    PREDECESSOR = "predecessor"  # names another entry before it than the one that stands there
    SIGNATURE = "signature"  # not signed by the key that it names
    UNKNOWN_KEY = "unknown-key"  # signed by a key that the register does not have
    KEY_NOT_VALID = "key-not-valid"  # signed before or after the key counts
    KEY_REVOKED = "key-revoked"  # signed by a revoked key, and no witness saw it before
    OTHER_BUILDER = "other-builder"  # signed by a key of somebody else than the commit names
    CLOCK = "clock"  # dated before the entry before it
    RECEIPT_ENTRY = "receipt-of-another-entry"
    RECEIPT_SIGNATURE = "receipt-signature"
    RECEIPT_CLOCK = "receipt-clock"  # a witness saw a later entry first, or before it was made
    UNKNOWN_WITNESS = "unknown-witness"
    WITNESS_NOT_VALID = "witness-not-valid"
    ORDER = "order"  # no commit first, a second commit or init, something after the seal
    SEED = "seed"  # does not follow from plan, nonce and receipt
    NONCE = "nonce"  # is not what the commit is bound to
    SEED_UNWITNESSED = "seed-unwitnessed"  # the builder could have chosen it
    NO_RECEIPT = "no-receipt"  # no witness saw the commit
    NO_SEAL = "no-seal"  # the run is not done, or its end is missing

    @property
    def contradicts(self) -> bool:
        """Whether it shows the chain to be wrong; otherwise it leaves something unsettled."""
        return self not in _UNSETTLED


_UNSETTLED = frozenset(
    {
        ProblemKind.UNKNOWN_KEY,
        ProblemKind.UNKNOWN_WITNESS,
        ProblemKind.SEED_UNWITNESSED,
        ProblemKind.NO_RECEIPT,
        ProblemKind.NO_SEAL,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a chain.

    Attributes:
        kind: What sort of thing.
        n: Place of the entry in the file, from 0; none for the chain as a whole.
        line: Its line, from 1; 0 for the chain as a whole.
        read: What stands there.
        expected: What should.
    """

    kind: ProblemKind
    n: int | None
    line: int
    read: str
    expected: str

    def __str__(self) -> str:
        place = "chain" if self.n is None else f"entry {self.n} (line {self.line})"
        return f"{place}: read {self.read}; expected {self.expected}"


class Fault(NamedTuple):
    """A problem before it is known where it stands."""

    kind: ProblemKind
    read: str
    expected: str


def check_chain(chain: Chain, *, keys: KeyRegister, threads: int = 1) -> tuple[Problem, ...]:
    """Return everything that is wrong with a chain, in the order of its entries.

    Args:
        chain: As it was read.
        keys: Builders and witnesses that are known.
        threads: How many signatures are checked at the same time.
    """
    builder = None if chain.commit is None else chain.commit.builder
    signed = _signatures(chain.links, threads)
    found: list[Problem] = []
    seen: dict[str, Receipt] = {}
    inits = 0
    for place, link in enumerate(chain.links):
        before = chain.links[place - 1] if place else None
        by_builder, by_witness = signed[place]
        faults = [
            *_hangs_together(link, before, place=place),
            *_signed(link, keys, holds=by_builder, builder=builder),
            *_witnessed(link, keys, holds=by_witness, seen=seen),
            *_in_order(chain, place, inits=inits),
        ]
        if isinstance(link.entry.body, Init):
            inits += 1
            faults += [] if inits > 1 else list(_seed(chain, link.entry.body))
        found += [Problem(n=place, line=link.line, **fault._asdict()) for fault in faults]
    return (*found, *(Problem(n=None, line=0, **fault._asdict()) for fault in _whole(chain)))


def _signatures(links: Sequence[Link], threads: int) -> list[tuple[bool, bool]]:
    """Return for each entry whether builder and witness signed it; most of the work is here."""

    def holds(piece: Sequence[Link]) -> list[tuple[bool, bool]]:
        return [
            (is_signed(link), link.receipt is not None and link.receipt.is_signed())
            for link in piece
        ]

    pieces = [links[start : start + _AT_ONCE] for start in range(0, len(links), _AT_ONCE)]
    if threads <= 1:
        return [one for piece in pieces for one in holds(piece)]
    with ThreadPoolExecutor(threads) as pool:
        return [one for done in pool.map(holds, pieces) for one in done]


def is_signed(link: Link) -> bool:
    """Tell whether the key that an entry names signed it."""
    try:
        signature = strict_base64(link.signature)
        return key_of(link.signer).verifies(signature, SIGNED + link.raw)
    except (KeyFileError, ValueError):
        return False


def _hangs_together(link: Link, before: Link | None, *, place: int) -> Iterator[Fault]:
    if link.entry.n != place:
        yield Fault(ProblemKind.GAP, f"number {link.entry.n}", f"number {place}")
    prev = START if before is None else before.digest
    if link.entry.prev != prev:
        read = f"{link.entry.prev} as the entry before it"
        yield Fault(ProblemKind.PREDECESSOR, read, str(prev))
    if before is not None and link.entry.at < before.entry.at:
        read, expected = link.entry.at.isoformat(), f"not before {before.entry.at.isoformat()}"
        yield Fault(ProblemKind.CLOCK, read, expected)


_STANDINGS = {
    KeyStanding.UNKNOWN: ProblemKind.UNKNOWN_KEY,
    KeyStanding.NOT_YET: ProblemKind.KEY_NOT_VALID,
    KeyStanding.EXPIRED: ProblemKind.KEY_NOT_VALID,
    KeyStanding.REVOKED: ProblemKind.KEY_REVOKED,
}


def _signed(link: Link, keys: KeyRegister, *, holds: bool, builder: str | None) -> Iterator[Fault]:
    if not holds:
        read, expected = "another signature", f"one by {link.signer} over this entry"
        yield Fault(ProblemKind.SIGNATURE, read, expected)
        return
    seen = link.receipt.at if link.receipt is not None else None
    standing = keys.standing(link.signer, role=KeyRole.BUILDER, at=link.entry.at, seen=seen)
    if standing is not KeyStanding.VALID:
        read = f"the key {link.signer}, {standing.value}"
        expected = "a builder's key that the register has and that counts at that time"
        yield Fault(_STANDINGS[standing], read, expected)
    found = keys.find(link.signer, role=KeyRole.BUILDER)
    if found is not None and builder is not None and found.holder != builder:
        read, expected = f"a key of {found.holder}", f"a key of {builder}, whom the commit names"
        yield Fault(ProblemKind.OTHER_BUILDER, read, expected)


def _witnessed(
    link: Link, keys: KeyRegister, *, holds: bool, seen: dict[str, Receipt]
) -> Iterator[Fault]:
    receipt = link.receipt
    if receipt is None:
        return
    if receipt.entry != link.digest:
        read, expected = f"a receipt of {receipt.entry}", f"one of {link.digest}"
        yield Fault(ProblemKind.RECEIPT_ENTRY, read, expected)
    if not holds:
        read, expected = "another signature", f"one by {receipt.witness} over this receipt"
        yield Fault(ProblemKind.RECEIPT_SIGNATURE, read, expected)
        return
    standing = keys.standing(receipt.witness, role=KeyRole.WITNESS, at=receipt.at, seen=receipt.at)
    if standing is not KeyStanding.VALID:
        unknown = standing is KeyStanding.UNKNOWN
        kind = ProblemKind.UNKNOWN_WITNESS if unknown else ProblemKind.WITNESS_NOT_VALID
        read = f"a receipt by {receipt.witness}, {standing.value}"
        yield Fault(kind, read, "a witness that the register has")
    if receipt.at < link.entry.at - CLOCKS_APART:
        read = f"seen at {receipt.at.isoformat()}"
        expected = f"not before it was made, at {link.entry.at.isoformat()}"
        yield Fault(ProblemKind.RECEIPT_CLOCK, read, expected)
    last = seen.get(receipt.witness)
    if last is not None and (receipt.at < last.at or receipt.seq <= last.seq):
        read = f"seen as number {receipt.seq} at {receipt.at.isoformat()}"
        expected = f"after number {last.seq} at {last.at.isoformat()}, an earlier entry's"
        yield Fault(ProblemKind.RECEIPT_CLOCK, read, expected)
    seen[receipt.witness] = receipt


def _in_order(chain: Chain, place: int, *, inits: int) -> Iterator[Fault]:
    body = chain.links[place].entry.body
    if place == 0 and not isinstance(body, Commit):
        yield Fault(ProblemKind.ORDER, chain.links[0].entry.kind, "commit, before everything")
    if place and isinstance(body, Commit):
        yield Fault(ProblemKind.ORDER, "a second commit", "one, at the beginning")
    if inits and isinstance(body, Init):
        yield Fault(ProblemKind.ORDER, "a second init", "one")
    if place and isinstance(chain.links[place - 1].entry.body, Seal):
        yield Fault(ProblemKind.ORDER, f"{chain.links[place].entry.kind} after seal", "nothing")


def _whole(chain: Chain) -> Iterator[Fault]:
    if not chain.links:
        yield Fault(ProblemKind.ORDER, "no entry", "commit at the beginning")
    elif chain.links[0].receipt is None:
        yield Fault(ProblemKind.NO_RECEIPT, "a beginning that no witness saw", "its receipt")
    if chain.seal is None:
        yield Fault(ProblemKind.NO_SEAL, "no seal at the end", "seal, once the run is done")


def _seed(chain: Chain, init: Init) -> Iterator[Fault]:
    commit, seal = chain.commit, chain.seal
    if commit is None:
        return
    if init.origin is SeedOrigin.FIXED:
        yield Fault(ProblemKind.SEED_UNWITNESSED, "a seed that the builder chose", "one drawn")
        return
    revealed = init.nonce or (None if seal is None else seal.nonce)
    if revealed is None:
        if seal is not None:
            yield Fault(ProblemKind.NONCE, "no nonce, and none in the seal", "the nonce")
        return
    nonce = bytes.fromhex(revealed)
    if Digest.of(nonce) != commit.nonce:
        read = f"a nonce whose digest is {Digest.of(nonce)}"
        yield Fault(ProblemKind.NONCE, read, str(commit.nonce))
    receipt = chain.links[0].receipt if init.origin is SeedOrigin.RECEIPT else None
    if init.origin is SeedOrigin.NONCE:
        read = "a seed drawn without a receipt"
        yield Fault(ProblemKind.SEED_UNWITNESSED, read, "one drawn with it")
    elif receipt is None or init.receipt != Digest.of(receipt.to_bytes()):
        read = f"the receipt {init.receipt}"
        yield Fault(ProblemKind.SEED, read, "the commit's receipt, as it stands there")
    if draw_seed(commit.plan, nonce, receipt=receipt).hex() != init.seed:
        yield Fault(ProblemKind.SEED, f"the seed {init.seed}", "what plan, nonce, receipt give")
