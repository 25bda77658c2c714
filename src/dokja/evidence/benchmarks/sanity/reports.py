"""What the sanity suite found about a scorer: check by check, with what it rests on.

A scorer whose checks do not all hold may give no evidence. A scorer whose extraction was not
audited may, but a reply that it could not read is then charged to the operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from dokja.values import Digest, Json

if TYPE_CHECKING:
    from dokja.evidence.ledger import Draft

__all__ = ["ATTACKS", "Check", "Floor", "Recall", "SanityReport"]

ATTACKS: Mapping[str, str] = {
    "right": "the right answer in its plain form is right",
    "other": "another answer in its plain form is not right",
    "null": "empty, constant and random texts earn no more than chance",
    "constant": "a constant label earns the share of its key, in every spelling",
    "echo": "a repeated prompt, and a repeated line of it, is never right",
    "listing": "a list of all options is never right",
    "several": "several answers are not the right one",
    "denial": "what is denied is not the answer",
    "change_of_mind": "an answer that was taken back goes by the declared rule",
    "injection": "words to whoever scores earn nothing",
    "spelling": "the same answer in another spelling fares alike, or is refused",
    "repetition": "the same reply is scored alike again",
    "escape": "a program reaches no network, no file and no end before its time",
    "judge_error": "the judge's error was measured against people",
}
"""Each attack, and what must hold."""

_LEAST_RECALL = 0.99
_LEAST_REPLIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What became of one attack.

    Attributes:
        attack: Its name, of `ATTACKS`.
        holds: Whether what must hold does.
        tried: How many replies were scored.
        figure: What was found, in words or as a share.
        bound: What was allowed; empty where nothing is.
        examples: The first replies that should not have passed; none of private items.
    """

    attack: str
    holds: bool
    tried: int
    figure: str
    bound: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What three ways of answering without reading earn; above them lies skill.

    Attributes:
        first: Always the first option.
        longest: Always the longest option.
        random: A random option.
    """

    first: float
    longest: float
    random: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """How many labelled replies were read out as people read them.

    Attributes:
        found: Replies with an answer that was read out rightly.
        of: Replies with an answer.
        misread: Replies out of which an answer was read that is not in them.
    """

    found: int
    of: int
    misread: int

    @property
    def share(self) -> float:
        """Found of all."""
        return self.found / self.of if self.of else 0.0

    @property
    def suffices(self) -> bool:
        """Whether replies that cannot be read may be charged to the model."""
        return self.of >= _LEAST_REPLIES and self.share >= _LEAST_RECALL


@dataclass(frozen=True, slots=True, kw_only=True)
class SanityReport:
    """What was found about a scorer.

    Attributes:
        scorer: Digest of its declaration.
        declaration: All that decides how it scores.
        suite: The suite that it was tried on; `probes` for the built-in items.
        items: Digest of the items that it was tried on.
        tasks: How many there were.
        checks: One per attack that concerns such a scorer.
        floor: What answering without reading earns; None for open questions.
        recall: None where no labelled replies are known for it.
    """

    scorer: Digest
    declaration: Mapping[str, Json]
    suite: str
    items: Digest
    tasks: int
    checks: tuple[Check, ...]
    floor: Floor | None
    recall: Recall | None

    @property
    def passed(self) -> bool:
        """Whether the scorer may give evidence."""
        return bool(self.checks) and all(check.holds for check in self.checks)

    @property
    def audited(self) -> bool:
        """Whether a reply that it cannot read may be charged to the model."""
        return self.recall is not None and self.recall.suffices

    def to_json(self) -> dict[str, Json]:
        """Return the report as JSON; shares are texts of fixed precision."""
        said: dict[str, Json] = {
            "scorer": str(self.scorer),
            "declaration": dict(self.declaration),
            "suite": self.suite,
            "items": str(self.items),
            "tasks": self.tasks,
            "passed": self.passed,
            "audited": self.audited,
            "checks": [_check_json(check) for check in self.checks],
        }
        if self.floor is not None:
            floor = self.floor
            said["floor"] = {
                "first": f"{floor.first:.4f}",
                "longest": f"{floor.longest:.4f}",
                "random": f"{floor.random:.4f}",
            }
        if self.recall is not None:
            recall = self.recall
            said["recall"] = {"found": recall.found, "of": recall.of, "misread": recall.misread}
        return said

    def draft(self, *, on: date, actor: str) -> "Draft":
        """Return the ledger's entry about it.

        Args:
            on: The day of the trial.
            actor: Who made it.
        """
        # Loaded here: whoever only reads replies should not wait for the ledger.
        from dokja.evidence.ledger import Draft  # noqa: PLC0415  # see above

        said = self.to_json()
        said["checks"] = [
            {key: value for key, value in _check_json(check).items() if key != "examples"}
            for check in self.checks
        ]
        name = f"sanity/{self.scorer.short}/{self.suite}/{self.items.short}"
        return Draft(kind="sanity", actor=actor, id=name, body={"on": on.isoformat(), **said})


def _check_json(check: Check) -> dict[str, Json]:
    said: dict[str, Json] = {
        "attack": check.attack,
        "holds": check.holds,
        "tried": check.tried,
        "figure": check.figure,
    }
    if check.bound:
        said["bound"] = check.bound
    if check.examples:
        said["examples"] = list(check.examples)
    return said
