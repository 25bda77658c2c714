"""How much of a run was witnessed while it happened, and which probes it had to keep.

History cannot be written afterwards, only marked late: what a witness saw within ten minutes is
live, what it saw later is late, and imported logs are late by definition.
"""

from collections.abc import Container
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from dokja.models.forge.records.bodies import Metrics, Probe
from dokja.models.forge.records.chain import Chain
from dokja.models.forge.records.draws import keeps_probe
from dokja.models.forge.records.entries import Link
from dokja.models.forge.records.register import KeyRegister, KeyRole, KeyStanding

__all__ = ["LATE_AFTER", "Liveness", "Seen", "kept_probes", "liveness", "seen"]

LATE_AFTER = timedelta(minutes=10)
"""An entry is late if its receipt is younger than it by more than this."""


class Seen(Enum):
    """When a witness saw an entry."""

    LIVE = "live"
    LATE = "late"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """How many steps of a run were witnessed, and when.

    Attributes:
        steps: All steps of the run.
        live: Steps that a known witness saw within ten minutes.
        late: Steps that it saw later, or that were imported.
        unwitnessed: Steps told in entries that no known witness saw.
    """

    steps: int
    live: int
    late: int
    unwitnessed: int

    @property
    def untold(self) -> int:
        """Steps that no entry tells of."""
        return self.steps - self.live - self.late - self.unwitnessed

    @property
    def share(self) -> float | None:
        """Share of steps that were witnessed live, in [0, 1]; None where there are no steps."""
        return self.live / self.steps if self.steps else None


def seen(
    link: Link, *, keys: KeyRegister | None = None, unsigned: Container[int] | None = None
) -> Seen:
    """Return when a witness saw an entry.

    Args:
        link: The entry.
        keys: Witnesses that are known; a receipt by any other counts for nothing. None where
            every witness counts, such as for the builder's own view.
        unsigned: Lines of the entries whose receipts were found not to be signed; None where
            signatures are still to be checked.
    """
    receipt = link.receipt
    if receipt is None or receipt.entry != link.digest:
        return Seen.NOT_SEEN
    if keys is not None and (
        keys.standing(receipt.witness, role=KeyRole.WITNESS, at=receipt.at, seen=receipt.at)
        is not KeyStanding.VALID
        or not (receipt.is_signed() if unsigned is None else link.line not in unsigned)
    ):
        return Seen.NOT_SEEN
    body = link.entry.body
    imported = isinstance(body, Metrics) and body.imported
    return Seen.LATE if imported or receipt.at - link.entry.at > LATE_AFTER else Seen.LIVE


def liveness(
    chain: Chain,
    *,
    component: str,
    steps: int | None = None,
    keys: KeyRegister | None = None,
    unsigned: Container[int] | None = None,
) -> Liveness:
    """Return how much of a component's training was witnessed live.

    Steps that were told again, after a resume, count as they were told the last time.

    Args:
        chain: As it was read.
        component: Whose training.
        steps: How many steps the plan has; the last one told of, unless given.
        keys: As in `seen`.
        unsigned: As in `seen`.
    """
    told = [(link, said) for link, said in chain.of(Metrics) if said.component == component]
    last = max((said.last for _, said in told), default=0)
    total = last if steps is None else steps
    counts = dict.fromkeys(Seen, 0)
    covered: list[tuple[int, int]] = []  # apart, sorted, half-open
    for link, said in reversed(told):
        begin, end = said.first - 1, min(said.last, total)
        fresh = (end - begin) - _overlap(covered, begin, end)
        if begin < end and fresh:
            counts[seen(link, keys=keys, unsigned=unsigned)] += fresh
            covered = _joined(covered, begin, end)
    return Liveness(
        steps=total,
        live=counts[Seen.LIVE],
        late=counts[Seen.LATE],
        unwitnessed=counts[Seen.NOT_SEEN],
    )


def _overlap(covered: list[tuple[int, int]], begin: int, end: int) -> int:
    return sum(max(0, min(end, stop) - max(begin, start)) for start, stop in covered)


def _joined(covered: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    apart = [(start, stop) for start, stop in covered if stop < begin or start > end]
    touching = [pair for pair in covered if pair not in apart]
    begin = min([begin, *(start for start, _ in touching)])
    end = max([end, *(stop for _, stop in touching)])
    return sorted([*apart, (begin, end)])


def kept_probes(chain: Chain) -> tuple[tuple[Link, Probe], ...]:
    """Return the probes whose pair of states the builder had to keep, by the receipts' draw.

    Raises:
        ValueError: The chain does not begin with a commit, so that nobody is bound to a share.
    """
    commit = chain.commit
    if commit is None:
        raise ValueError("a chain that does not begin with a commit binds nobody to keep probes")
    return tuple(
        (link, probe)
        for link, probe in chain.of(Probe)
        if keeps_probe(probe, link.receipt, commit=commit)
    )
