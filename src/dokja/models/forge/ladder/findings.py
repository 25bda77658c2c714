"""What checks of the verification ladder find, each on its own, never summed into a score.

A check passes, fails, is undecided (what it needs is missing in part, or it would not have seen
a tampering), or is not available (nothing of what it reads is at hand). A level holds where all
of its checks pass; one that could not be made is never counted as passed.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import assert_never

from dokja.values import Json

__all__ = ["Finding", "Level", "Outcome", "highest_level", "level_outcome", "outcome_of", "tally"]

Measure = float | int | str | None
"""What a check measured or demanded; none where there is nothing to measure."""

_CHECK = re.compile(r"V([0-4])\.([0-9]+)(\.[a-z0-9-]+)?")


class Outcome(Enum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105  # a word of the ladder, no password
    FAIL = "fail"
    UNDECIDED = "undecided"
    NOT_AVAILABLE = "not-available"


class Level(IntEnum):
    """A level of the ladder; a higher one rests on all below it.

    Example:
        >>> Level.parse("V2") is Level.V2 and str(Level.V2) == "V2"
        True
    """

    V0 = 0
    V1 = 1
    V2 = 2
    V3 = 3
    V4 = 4

    def __str__(self) -> str:
        return self.name

    @classmethod
    def parse(cls, written: str) -> "Level":
        """Return the level of a name such as `V2`.

        Raises:
            ValueError: There is none of this name.
        """
        try:
            return cls[written.upper()]
        except KeyError:
            message = f"no level {written!r}; there are V0 to V4"
            raise ValueError(message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found.

    Attributes:
        check: Its number, such as `V2.3`; a part of a check has a name after it, `V2.5.licence`.
        title: What it asks, a few words.
        outcome: How it ended.
        component: Whose; empty where it is about the whole record.
        value: What was measured, in the unit that the title or `why` says.
        threshold: What it was held against.
        power: The smallest tampering that it would have seen, a sentence.
        read_bytes: How much of the artefacts it read.
        why: What was found and where, a sentence or more.
        remedy: What to do now; empty where there is nothing to do.

    Example:
        >>> Finding(check="V2.1", title="start", outcome=Outcome.PASS).level
        <Level.V2: 2>
    """

    check: str
    title: str
    outcome: Outcome
    component: str = ""
    value: Measure = None
    threshold: Measure = None
    power: str = ""
    read_bytes: int = 0
    why: str = ""
    remedy: str = ""

    def __post_init__(self) -> None:
        if _CHECK.fullmatch(self.check) is None:
            raise ValueError(f"no check of the ladder has the number {self.check!r}")

    @property
    def level(self) -> Level:
        """To which level the check belongs."""
        return Level(int(self.check[1]))

    def to_json(self) -> dict[str, Json]:
        """Return it as `dokja forge verify --json` prints it."""
        return {
            "check": self.check,
            "title": self.title,
            "outcome": self.outcome.value,
            "component": self.component,
            "value": self.value,
            "threshold": self.threshold,
            "power": self.power,
            "read_bytes": self.read_bytes,
            "why": self.why,
            "remedy": self.remedy,
        }


def outcome_of(findings: Iterable[Finding]) -> Outcome:
    """Return how checks ended together: the worst of them.

    A failure outweighs everything; then what could not be decided, then what was not there.
    No finding at all is not available, never a pass.

    Example:
        >>> outcome_of([]).value
        'not-available'
    """
    found = {finding.outcome for finding in findings}
    for outcome in (Outcome.FAIL, Outcome.UNDECIDED, Outcome.NOT_AVAILABLE, Outcome.PASS):
        if outcome in found:
            return outcome
    return Outcome.NOT_AVAILABLE


def level_outcome(findings: Iterable[Finding], level: Level) -> Outcome:
    """Return how the checks of one level ended together."""
    return outcome_of(finding for finding in findings if finding.level is level)


def highest_level(findings: Iterable[Finding]) -> Level | None:
    """Return the highest level that holds with all levels below it; none if V0 does not.

    Example:
        >>> passed = [
        ...     Finding(check=check, title="", outcome=Outcome.PASS) for check in ("V0.1", "V1.1")
        ... ]
        >>> str(highest_level(passed)), highest_level(passed[1:])
        ('V1', None)
    """
    known = tuple(findings)
    highest = None
    for level in Level:
        if level_outcome(known, level) is not Outcome.PASS:
            break
        highest = level
    return highest


_VERBS: Mapping[Outcome, str] = MappingProxyType(
    {
        Outcome.PASS: "holds",
        Outcome.FAIL: "fails",
        Outcome.UNDECIDED: "is undecided",
        Outcome.NOT_AVAILABLE: "was not made",
    }
)


def tally(findings: Iterable[Finding], level: Level) -> str:
    """Return one level in words, as a claim is printed with it.

    Example:
        >>> tally([Finding(check="V1.3", title="", outcome=Outcome.FAIL)], Level.V1)
        'V1 fails (V1.3)'
    """
    known = [finding for finding in findings if finding.level is level]
    together = outcome_of(known)
    worst = Counter(finding.check for finding in known if finding.outcome is together)
    match together:
        case Outcome.PASS:
            return f"{level} {_VERBS[together]}"
        case Outcome.FAIL | Outcome.UNDECIDED | Outcome.NOT_AVAILABLE:
            named = f" ({', '.join(sorted(worst))})" if worst else ""
            return f"{level} {_VERBS[together]}{named}"
        case _:
            assert_never(together)
