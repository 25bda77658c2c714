"""What the ledger adds to a decision: findings, builds, disputes, published claims, awards, notes.

The decision names findings by the numbers of their entries; here they are read back, as they
stand after their corrections. Disputes, awards and notes are told with their published figures
and never judged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from dokja.evidence.ledger.corrections import current
from dokja.evidence.ledger.entries import Entry
from dokja.evidence.ledger.kinds import (
    Award,
    Body,
    Build,
    Claim,
    Dispute,
    Finding,
    Model,
    Note,
    Reach,
    Ruling,
    read_body,
)

__all__ = ["Records", "Said", "read_records"]

_READ = {"finding", "build", "dispute", "award", "note", "claim", "model", "ruling", "reach"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A body with the numbers of the entries that say it.

    Attributes:
        body: What was said, after corrections.
        seqs: The entry, then its correction where there is one.
        actor: Who entered it.
    """

    body: Body
    seqs: tuple[int, ...]
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a dossier tells from the ledger beside the decision.

    Attributes:
        findings: By the number of any entry that says or corrects them.
        builds: Build records, in the ledger's order.
        disputes: Steps of each dispute by its identifier, in order of their days.
        rulings: Rulings of authorities, by entry number.
        claims: Figures that teams state of themselves.
        awards: Resources awarded.
        notes: Facts that no rule reads.
        models: Identifier and name of every model.
        reaches: Measurements beside the frontier, by entry number.
        unreadable: Entries whose bodies this release cannot read.
    """

    findings: Mapping[int, tuple[Finding, Said]]
    builds: Sequence[tuple[Build, Said]]
    disputes: Mapping[str, Sequence[tuple[Dispute, Said]]]
    rulings: Mapping[int, tuple[Ruling, Said]]
    claims: Sequence[tuple[Claim, Said]]
    awards: Sequence[tuple[Award, Said]]
    notes: Sequence[tuple[Note, Said]]
    models: Mapping[str, str]
    reaches: Mapping[int, tuple[Reach, Said]]
    unreadable: tuple[int, ...]


def read_records(entries: Iterable[Entry]) -> Records:
    """Return what the entries add to a decision, after corrections."""
    said, unreadable = _bodies(entries)
    disputes: dict[str, list[tuple[Dispute, Said]]] = {}
    for one in said:
        if isinstance(one.body, Dispute):
            disputes.setdefault(one.body.dispute, []).append((one.body, one))
    return Records(
        findings={
            seq: (one.body, one)
            for one in said
            if isinstance(one.body, Finding)
            for seq in one.seqs
        },
        builds=[(one.body, one) for one in said if isinstance(one.body, Build)],
        disputes={
            name: sorted(steps, key=lambda step: (step[0].on, step[1].seqs[0]))
            for name, steps in disputes.items()
        },
        rulings={
            seq: (one.body, one) for one in said if isinstance(one.body, Ruling) for seq in one.seqs
        },
        claims=[(one.body, one) for one in said if isinstance(one.body, Claim)],
        awards=[(one.body, one) for one in said if isinstance(one.body, Award)],
        notes=_by_day([(one.body, one) for one in said if isinstance(one.body, Note)]),
        models={one.body.model: one.body.name for one in said if isinstance(one.body, Model)},
        reaches={
            seq: (one.body, one) for one in said if isinstance(one.body, Reach) for seq in one.seqs
        },
        unreadable=unreadable,
    )


def _bodies(entries: Iterable[Entry]) -> tuple[list[Said], tuple[int, ...]]:
    said: list[Said] = []
    unreadable: list[int] = []
    for one in current(entries):
        if one.body is None or one.entry.kind not in _READ:
            continue
        try:
            body = read_body(one.entry.kind, one.body)
        except ValidationError:
            unreadable.append(one.seq)  # written by a newer release, which knows more keys
            continue
        said.append(Said(body=body, seqs=one.seqs, actor=one.entry.actor))
    return said, tuple(unreadable)


def _by_day(notes: list[tuple[Note, Said]]) -> list[tuple[Note, Said]]:
    return sorted(notes, key=lambda note: (note[0].on, note[1].seqs[0]))
