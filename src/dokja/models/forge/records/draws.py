"""What is drawn from a witness's receipt, so that the builder cannot choose it.

The builder commits to a nonce before there is a receipt, and the receipt signs the commitment:
neither side alone decides the seed. Whether a probe pair is kept follows from the receipt of the
entry that names its digests. Where no witness answered, nothing can be drawn: such a seed is
marked, and such a pair is kept.
"""

from hashlib import sha256

from dokja.models.forge.records.bodies import Commit, Probe
from dokja.models.forge.records.witness import Receipt
from dokja.values import Digest

__all__ = ["NONCE_BYTES", "draw_seed", "keeps_probe"]

NONCE_BYTES = 32
"""Length of a builder's nonce."""

_SEED = b"dokja-seed-v1\n"
_PROBE = b"dokja-probe-draw-v1\n"
_DRAWN_BITS = 64


def draw_seed(plan: Digest, nonce: bytes, *, receipt: Receipt | None) -> bytes:
    """Return the seed of a run, 32 bytes: SHA-256 of plan, nonce and the commit's receipt.

    Args:
        plan: Digest of the plan.
        nonce: The builder's 32 secret bytes, whose digest the commit names.
        receipt: Of the commit; None where no witness answered, which a record must say.

    Raises:
        ValueError: The nonce has another length.

    Example:
        >>> draw_seed(Digest.of(b"plan"), bytes(32), receipt=None).hex()[:16]
        'c6d3a68afdb5dfb8'
    """
    if len(nonce) != NONCE_BYTES:
        raise ValueError(f"a nonce has {NONCE_BYTES} bytes, not {len(nonce)}")
    said = b"" if receipt is None else receipt.to_bytes()
    return sha256(_SEED + plan.raw + nonce + said).digest()


def keeps_probe(probe: Probe, receipt: Receipt | None, *, commit: Commit) -> bool:
    """Tell whether the two states of a probe must be kept.

    Args:
        probe: The pair.
        receipt: Of the entry that names it; None while there is none, and then it is kept.
        commit: Which share is kept, and up to which step all are.
    """
    if receipt is None or probe.after.step <= commit.dense_until:
        return True
    drawn = int.from_bytes(sha256(_PROBE + receipt.to_bytes()).digest()[: _DRAWN_BITS // 8], "big")
    return drawn < int(commit.archive_share * 2**_DRAWN_BITS)
