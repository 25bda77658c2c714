"""A decision: who goes on, who does not, who cannot be told, and everything it rests on.

It is written as one JSON document, `dokja.decision/1`, in the canonical bytes of RFC 8785: the
same rulebook and the same ledger give the same bytes. Reasons are codes; no sentence stands here.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from dokja.decisions.grades import ModelGrade
from dokja.decisions.judging.shown import (
    aggregate_json,
    chance_json,
    gates_json,
    measured_json,
    parts_json,
    ranks_json,
    score_json,
    stage_json,
    titles_json,
)
from dokja.decisions.rules import Rulebook, Ruling, Verdict, reason_json
from dokja.decisions.standing import AggregateCheck, Between, Chance, PartScore, RankRange
from dokja.evidence.ledger.kinds import Programme
from dokja.values import Digest, Json, Measured, Reason, Text, canonical_bytes

__all__ = [
    "SCHEMA",
    "Absence",
    "Decision",
    "Ground",
    "LedgerHead",
    "Outcome",
    "Published",
    "Reliability",
    "SealedField",
    "Software",
    "TeamStanding",
]

SCHEMA = "dokja.decision/1"


class LedgerHead(NamedTuple):
    """The ledger that a decision was made from: its name, how many entries, and their root."""

    origin: str
    size: int
    root: Digest


class Software(NamedTuple):
    """What computed a decision."""

    name: str
    version: str


class Ground(Enum):
    """Why a team does not go on."""

    POINTS = "points"
    GATE = "gate"
    BOTH = "both"
    VOTE = "vote"


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamStanding:
    """How one team stands.

    Attributes:
        team: Its id.
        name: Its name.
        models: Ids of the models with which it stands in the stage.
        scores: Every part and sub-part, parents before children; none in a vote.
        total: The sum of the parts; missing in a vote, which has no points.
        ranks: The ranks that it can hold on points; all of them in a vote.
        gates: One ruling per gate; the frontier's among them where it counts as one.
        frontier: Whether it reaches the frontier; missing where the stage has none.
        grades: One grade per model.
        advances: Whether it goes on; its parts are the gates and the points or the vote.
        chance: How likely it is to go on; a reason where there is no probability.
    """

    team: str
    name: Text
    models: tuple[str, ...]
    scores: tuple[PartScore, ...]
    total: Measured
    ranks: RankRange
    gates: tuple[Ruling, ...]
    grades: tuple[ModelGrade, ...]
    advances: Ruling
    chance: Chance | Reason
    frontier: Ruling | None = None

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "team": self.team,
            "name": {"ko": self.name.ko, "en": self.name.en},
            "models": list(self.models),
            "scores": [score_json(score) for score in self.scores],
            "total": measured_json(self.total),
            "rank_set": ranks_json(self.ranks),
            "gates": [gate.to_json() for gate in self.gates],
            "grades": [grade.to_json() for grade in self.grades],
            # Decisions of stages without a frontier are the same bytes as ever.
            **({} if self.frontier is None else {"frontier": self.frontier.to_json()}),
            "advances": self.advances.to_json(),
            "probability": None if isinstance(self.chance, Reason) else chance_json(self.chance),
            "probability_missing": (
                reason_json(self.chance) if isinstance(self.chance, Reason) else None
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a stage comes to.

    Attributes:
        advance: Teams that go on.
        out: Teams that do not, with the ground.
        undecided: Teams of which it cannot be told.
        planned: How many were to go on.
        vacancies: How many planned places stay open.
        follows: What the rulebook says of open places: its rule, and the stage that fills them.
        decided: Whether every entrant is told, the unnamed included.
    """

    advance: tuple[str, ...]
    out: tuple[tuple[str, Ground], ...]
    undecided: tuple[str, ...]
    planned: int | None
    vacancies: Between
    follows: tuple[str, str | None] | None
    decided: bool

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        rule_and_stage = self.follows
        return {
            "verdict": "decided" if self.decided else "undecided",
            "advance": list(self.advance),
            "out": [{"team": team, "ground": ground.value} for team, ground in self.out],
            "undecided": list(self.undecided),
            "planned": self.planned,
            "vacancies": self.vacancies.to_json(),
            "next": (
                None
                if rule_and_stage is None
                else {"rule": rule_and_stage[0], "stage": rule_and_stage[1]}
            ),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The outcome as the organiser published it, beside the computed one.

    Attributes:
        advance: Teams that were said to go on.
        eliminated: Team, ground and gate of those that were said not to.
        agrees: Holds when both say the same; undecided where only the published one decides.
        differences: Where they differ.
        entries: Numbers of its entries.
        withheld: What was not published.
    """

    advance: tuple[str, ...]
    eliminated: tuple[tuple[str, str, str | None], ...]
    agrees: Verdict
    differences: tuple[Reason, ...]
    entries: tuple[int, ...]
    withheld: tuple[str, ...]

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "advance": list(self.advance),
            "eliminated": [
                {"team": team, "ground": ground, "gate": gate}
                for team, ground, gate in self.eliminated
            ],
            "agrees": self.agrees.value,
            "differences": [reason_json(reason) for reason in self.differences],
            "entries": list(self.entries),
            "withheld": list(self.withheld),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A score that is not there.

    Attributes:
        team: Whose.
        part: In which part.
        reason: Why it is missing.
        entries: Numbers of the entries that speak of it.
        settles: What having it would do.
    """

    team: str
    part: str
    reason: str
    entries: tuple[int, ...]
    settles: Reason

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "team": self.team,
            "part": self.part,
            "reason": self.reason,
            "entries": list(self.entries),
            "settles": reason_json(self.settles),
        }


class SealedField(NamedTuple):
    """A field of an entry that stays secret: number of the entry, its key, the commitment."""

    entry: int
    field: str
    commitment: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """How likely the decision is wrong, and what would settle what is open.

    Attributes:
        wrong: The probability; a reason where there is none.
        settles: What would settle it, the greatest effect first.
    """

    wrong: Between | Reason
    settles: tuple[Reason, ...]

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "p_wrong": None if isinstance(self.wrong, Reason) else self.wrong.to_json(),
            "missing": reason_json(self.wrong) if isinstance(self.wrong, Reason) else None,
            "settles": [reason_json(reason) for reason in self.settles],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The decision of one stage, by one rulebook version and one ledger.

    Attributes:
        software: What computed it.
        programme: The programme's own entry.
        rulebook: The version that it was made by.
        ledger: The ledger that it was made from.
        stage: Id of the stage.
        teams: Every named entrant, in order of the ids.
        aggregates: Published figures over several teams.
        outcome: What it comes to.
        published: What the organiser published, if anything.
        missing: Every score that is not there.
        sealed: Every field of the stage's entries that stays secret.
        reliability: How likely it is wrong.
        entries: Number, id, kind and leaf digest of every entry that it rests on.
    """

    software: Software
    programme: Programme
    rulebook: Rulebook
    ledger: LedgerHead
    stage: str
    teams: tuple[TeamStanding, ...]
    aggregates: tuple[AggregateCheck, ...]
    outcome: Outcome
    published: Published | None
    missing: tuple[Absence, ...]
    sealed: tuple[SealedField, ...]
    reliability: Reliability
    entries: tuple[tuple[int, str, str, Digest], ...]

    @property
    def canonical_bytes(self) -> bytes:
        """The RFC 8785 bytes of the decision: what is compared and what is signed."""
        return canonical_bytes(self.to_json())

    @property
    def digest(self) -> Digest:
        """Digest of the canonical bytes."""
        return Digest.of(self.canonical_bytes)

    def to_json(self) -> dict[str, Json]:
        """Return the document `dokja.decision/1`."""
        book = self.rulebook
        return {
            "schema": SCHEMA,
            "software": {"name": self.software.name, "version": self.software.version},
            "programme": {
                "id": self.programme.programme,
                "title": {"ko": self.programme.title.ko, "en": self.programme.title.en},
                "invented": self.programme.invented,
            },
            "rulebook": {
                "id": book.id,
                "version": book.version,
                "digest": str(book.digest),
                "title": titles_json(book.title),
                "supersedes": book.supersedes,
                "in_force": book.in_force.isoformat(),
            },
            "ledger": {
                "origin": self.ledger.origin,
                "size": self.ledger.size,
                "root": str(self.ledger.root),
            },
            "stage": stage_json(book, self.stage),
            "parts": parts_json(book, self.stage),
            "gates": gates_json(book, self.stage),
            "teams": [team.to_json() for team in self.teams],
            "aggregates": [aggregate_json(check) for check in self.aggregates],
            "outcome": self.outcome.to_json(),
            "published": None if self.published is None else self.published.to_json(),
            "missing": [absence.to_json() for absence in self.missing],
            "sealed": [field._asdict() for field in self.sealed],
            "reliability": self.reliability.to_json(),
            "entries": [
                {"seq": seq, "id": name, "kind": kind, "digest": str(digest)}
                for seq, name, kind, digest in self.entries
            ],
        }
