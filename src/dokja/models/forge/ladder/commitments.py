"""What binds a challenge to time: an examiner's commitment to a nonce, and a public beacon.

The commitment is made before the run is sealed, and may be shown to a witness, whose receipt
dates it. The beacon's value is published by others after the seal, such as a round of a public
randomness beacon or the hash of a block; whether it is the one that was published can be looked
up by anybody who reads its name and round.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import with_config

from dokja.errors import Mistake
from dokja.models.forge.forms import (
    STRICT,
    Count,
    DigestText,
    HexText,
    Moment,
    moment_text,
)
from dokja.models.forge.records import Receipt
from dokja.values import Digest, canonical_bytes

__all__ = ["COMMITMENT", "Beacon", "NonceCommitment", "commitment_bytes"]

COMMITMENT = "dokja.examiner-commitment/1"
"""What an examiner's commitment says it is."""


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Beacon:
    """A public value that nobody knew before its time.

    Attributes:
        name: Who publishes it, such as `drand quicknet`.
        round: Which of its values.
        value: 32 bytes, hexadecimal.
        at: When it was published.
    """

    name: str
    round: Count
    value: HexText
    at: Moment


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class NonceCommitment:
    """An examiner's commitment to a nonce.

    Attributes:
        nonce: SHA-256 of the 32 secret bytes.
        at: When it was made.
        receipt: Of a witness that saw `commitment_bytes`; none where only the examiner's word
            dates it.
    """

    nonce: DigestText
    at: Moment
    receipt: Receipt | None = None

    def mistakes(self) -> Iterator[Mistake]:
        """Find what is wrong with the receipt, if there is one."""
        if self.receipt is None:
            return
        if self.receipt.entry != Digest.of(commitment_bytes(self.nonce, at=self.at)):
            yield _wrong("a receipt of something else", "one of this commitment")
        if not self.receipt.is_signed():
            yield _wrong("a receipt that its witness did not sign", "a signed one")


def commitment_bytes(nonce: Digest, *, at: datetime) -> bytes:
    """Return what a witness is shown of a commitment.

    Args:
        nonce: SHA-256 of the 32 secret bytes.
        at: When it is made.
    """
    said = {"schema": COMMITMENT, "nonce": str(nonce), "at": moment_text(at)}
    return canonical_bytes(said)


def _wrong(read: str, expected: str) -> Mistake:
    return Mistake(file="challenge", place="examiner.receipt", read=read, expected=expected)
