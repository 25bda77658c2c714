"""The challenge: which segments an examiner replays, drawn after the builder sealed the run.

The draw is SHA-256 over the seal, a nonce that the examiner committed to before the seal, and a
public beacon's value from after it. The builder knows neither when sealing, the examiner cannot
choose after seeing the seal, and anybody can draw again what a challenge says. The first segment
and those at stages and interruptions are in every challenge, whatever is drawn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from hashlib import sha256

from pydantic import with_config

from dokja.errors import Mistake, RecordError
from dokja.models.forge.forms import STRICT, Count, DigestText, HexText, Moment
from dokja.models.forge.ladder.commitments import Beacon, NonceCommitment
from dokja.models.forge.ladder.segments import Absent, Segment, archive_of
from dokja.models.forge.records import Chain
from dokja.values import Digest

__all__ = [
    "Challenge",
    "Chosen",
    "Examiner",
    "Missed",
    "Why",
    "draw_challenge",
    "sealed_at",
    "self_challenge",
]

_DRAW = b"dokja-challenge-v1\n"
_PLACE = b"dokja-challenge-place-v1\n"


class Why(Enum):
    """Why a segment is in a challenge."""

    FIRST = "first"
    STAGE = "stage"
    INTERRUPTION = "interruption"
    DRAWN = "drawn"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A segment that must be replayed.

    Attributes:
        component: Whose.
        stage: Folder of the training, relative to the run's.
        before: Step of the earlier state.
        after: Step of the later one.
        entry: Number of the probe that names the pair; none where two checkpoints do.
        why: Every reason.
    """

    component: str
    stage: str
    before: Count
    after: Count
    entry: Count | None
    why: tuple[Why, ...]


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Missed:
    """A segment that should be replayed and was not archived.

    Attributes:
        component: Whose.
        step: The step that it would begin with or contain.
        why: What is missing.
    """

    component: str
    step: Count
    why: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """The examiner's part in a draw.

    Attributes:
        nonce: 32 bytes, hexadecimal, revealed.
        revealed_at: When.
        commitment: The commitment from before the seal; none where the builder's own commit
            entry holds it.
    """

    nonce: HexText
    revealed_at: Moment
    commitment: NonceCommitment | None = None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge:
    """Which segments are replayed, and how they were drawn.

    Attributes:
        seal: Digest of the chain's last entry.
        sealed_at: When it was seen, or written where nobody saw it.
        asked: How many segments were to be drawn.
        examiner: None where nobody but the builder took part: such a draw can be foreseen.
        beacon: Likewise.
        seed: What the draw was made with.
        chosen: What must be replayed, in the order of the run.
        missed: What should be replayed and was not archived.
    """

    seal: DigestText
    sealed_at: Moment
    asked: Count
    examiner: Examiner | None
    beacon: Beacon | None
    seed: DigestText
    chosen: tuple[Chosen, ...]
    missed: tuple[Missed, ...]

    @property
    def drawn(self) -> int:
        """How many segments chance chose."""
        return sum(Why.DRAWN in one.why for one in self.chosen)

    @property
    def is_foreseeable(self) -> bool:
        """Whether the builder could know before sealing what would be replayed."""
        return self.examiner is None or self.beacon is None


def sealed_at(chain: Chain) -> datetime | None:
    """Return when a chain was sealed: the later of what builder and witness say; None if not."""
    if chain.seal is None:
        return None
    link = chain.links[-1]
    return link.entry.at if link.receipt is None else max(link.entry.at, link.receipt.at)


def draw_challenge(
    chain: Chain,
    *,
    segments: int,
    nonce: bytes,
    revealed_at: datetime,
    beacon: Beacon,
    commitment: NonceCommitment | None = None,
) -> Challenge:
    """Return the challenge of an examiner.

    Args:
        chain: Of the run, sealed.
        segments: How many are drawn beside those that are always replayed.
        nonce: The examiner's 32 secret bytes.
        revealed_at: When they are revealed, after the seal.
        beacon: A public value from after the seal.
        commitment: To the nonce, from before the seal; none where the commit entry holds it.

    Raises:
        RecordError: The chain is not sealed, the nonce is not the one that was committed to, or
            something is dated on the wrong side of the seal; every mistake is in it.
    """
    mistakes = list(_mistakes(chain, nonce, revealed_at, beacon=beacon, commitment=commitment))
    if mistakes:
        raise RecordError(mistakes)
    examiner = Examiner(nonce=nonce.hex(), revealed_at=revealed_at, commitment=commitment)
    return _drawn(chain, segments, examiner=examiner, beacon=beacon)


def self_challenge(chain: Chain, *, segments: int) -> Challenge:
    """Return the draw that follows from the seal alone, for a builder's own use.

    Raises:
        RecordError: The chain is not sealed.
    """
    if chain.seal is None:
        raise RecordError([_unsealed(chain)])
    return _drawn(chain, segments, examiner=None, beacon=None)


def _drawn(
    chain: Chain, segments: int, *, examiner: Examiner | None, beacon: Beacon | None
) -> Challenge:
    nonce = b"" if examiner is None else bytes.fromhex(examiner.nonce)
    value = b"" if beacon is None else bytes.fromhex(beacon.value)
    seed = Digest(sha256(_DRAW + chain.head.raw + nonce + value).hexdigest())
    archive = archive_of(chain)
    reasons: dict[tuple[str, str, int, int], list[Why]] = {}
    known: dict[tuple[str, str, int, int], Segment] = {}

    def take(found: Iterable[Segment], why: Why) -> None:
        for one in found:
            place = (one.component, one.stage, one.before.step, one.after.step)
            known.setdefault(place, one)
            if why not in reasons.setdefault(place, []):
                reasons[place].append(why)

    take(archive.first, Why.FIRST)
    take(archive.stages, Why.STAGE)
    take(archive.interruptions, Why.INTERRUPTION)
    always = set(known)
    pool = [
        one
        for one in archive.drawn_from
        if (one.component, one.stage, one.before.step, one.after.step) not in always
    ]
    take(_by_lot(pool, seed)[:segments], Why.DRAWN)
    when = sealed_at(chain)
    if when is None:
        raise RecordError([_unsealed(chain)])
    return Challenge(
        seal=chain.head,
        sealed_at=when,
        asked=segments,
        examiner=examiner,
        beacon=beacon,
        seed=seed,
        chosen=tuple(_chosen(known[place], reasons[place]) for place in sorted(known)),
        missed=tuple(_missed(one) for one in archive.absent),
    )


def _by_lot(pool: Sequence[Segment], seed: Digest) -> list[Segment]:
    """Return segments in the order of their lots: SHA-256 of the seed and the probe's number."""

    def lot(segment: Segment) -> bytes:
        number = 0 if segment.entry is None else segment.entry
        return sha256(_PLACE + seed.raw + number.to_bytes(8, "big")).digest()

    return sorted(pool, key=lot)


def _chosen(segment: Segment, why: list[Why]) -> Chosen:
    return Chosen(
        component=segment.component,
        stage=segment.stage,
        before=segment.before.step,
        after=segment.after.step,
        entry=segment.entry,
        why=tuple(why),
    )


def _missed(absent: Absent) -> Missed:
    return Missed(component=absent.component, step=absent.step, why=absent.why)


def _unsealed(chain: Chain) -> Mistake:
    return Mistake(
        file=chain.file,
        place="seal",
        read="no such entry",
        expected="a sealed chain: what is challenged must be whole first",
        remedy="Resume the run until it is done: dokja forge run --resume",
    )


def _mistakes(
    chain: Chain,
    nonce: bytes,
    revealed_at: datetime,
    *,
    beacon: Beacon,
    commitment: NonceCommitment | None,
) -> Iterator[Mistake]:
    """Find what makes a draw worthless: a nonce or a beacon that somebody could choose."""
    when = sealed_at(chain)
    if when is None:
        yield _unsealed(chain)
        return
    begun = chain.commit
    promised = None if begun is None else begun.examiner
    if commitment is not None:
        if promised is not None and promised != commitment.nonce:
            read = f"a commitment to {commitment.nonce}"
            yield _wrong("examiner.commitment", read, f"{promised}, as the commit entry says")
        promised = commitment.nonce
        # The earlier of the seal's two dates: a commitment must be before both.
        if commitment.at >= min(when, chain.links[-1].entry.at):
            read = f"a commitment of {commitment.at.isoformat()}"
            yield _wrong("examiner.commitment", read, f"one before the seal, {when.isoformat()}")
        yield from commitment.mistakes()
    if promised is None:
        expected = "a commitment to it from before the seal, in the commit entry or a file"
        yield _wrong("examiner.nonce", "a nonce that nobody was bound to", expected)
    elif Digest.of(nonce) != promised:
        yield _wrong("examiner.nonce", f"a nonce of digest {Digest.of(nonce)}", str(promised))
    for place, at in (("examiner.revealed_at", revealed_at), ("beacon.at", beacon.at)):
        if at <= when:
            read = f"{at.isoformat()}, which is not after the seal"
            yield _wrong(place, read, f"a moment after {when.isoformat()}: the builder knew it")


def _wrong(place: str, read: str, expected: str) -> Mistake:
    return Mistake(file="challenge", place=place, read=read, expected=expected)
