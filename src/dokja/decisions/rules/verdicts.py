"""What a rule answers: holds, fails, or undecided, with every reason for it.

A rule answers; it does not raise to say no. Rulings compose: what decided a composed ruling
stands in its reasons, and every ruling that went into it stays below it as a part, so that no
reason is lost on the way up. Missing evidence is never a failure and never a pass. Nothing here
knows what is being ruled on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from dokja.values import Json, Reason

__all__ = ["Ruling", "Verdict", "all_of", "any_of", "majority", "reason_json"]


class Verdict(Enum):
    """The three answers of a rule."""

    HOLDS = "holds"
    FAILS = "fails"
    UNDECIDED = "undecided"  # the evidence suffices for neither; the reasons say what is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule says of a subject, and why.

    Attributes:
        rule: The rule that answered, such as `independence`.
        subject: What it was asked about: a team, or `model/component`.
        verdict: Its answer.
        reasons: What decided the answer.
        parts: The rulings that it was composed from, in the order in which they were asked.
    """

    rule: str
    subject: str
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()
    parts: tuple["Ruling", ...] = ()

    def every_reason(self) -> Iterator[Reason]:
        """Yield its own reasons, then those of its parts, however deep."""
        yield from self.reasons
        for part in self.parts:
            yield from part.every_reason()

    @property
    def entries(self) -> tuple[int, ...]:
        """Sequence numbers of the ledger entries that it rests on, in order."""
        return tuple(sorted({seq for reason in self.every_reason() for seq in reason.entries}))

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a decision."""
        return {
            "rule": self.rule,
            "subject": self.subject,
            "verdict": self.verdict.value,
            "reasons": [reason_json(reason) for reason in self.reasons],
            "parts": [part.to_json() for part in self.parts],
        }


def reason_json(reason: Reason) -> dict[str, Json]:
    """Return a reason as it stands in a decision."""
    return {
        "code": reason.code,
        "params": dict(reason.params),
        "entries": list(reason.entries),
    }


def all_of(rulings: Sequence[Ruling], *, rule: str = "all-of", subject: str = "") -> Ruling:
    """Return `FAILS` if any fails, else `UNDECIDED` if any is, else `HOLDS`; keep every reason.

    Args:
        rulings: The rulings that must all hold.
        rule: Name of the rule that they make up.
        subject: What it is asked about.

    Raises:
        ValueError: `rulings` is empty: a rule that asks for nothing is a mistake, not a pass.

    Example:
        >>> gate = Ruling(rule="independence", subject="garam", verdict=Verdict.FAILS)
        >>> points = Ruling(rule="points", subject="garam", verdict=Verdict.HOLDS)
        >>> all_of([points, gate]).verdict
        <Verdict.FAILS: 'fails'>
    """
    verdicts = _verdicts(rulings)
    if Verdict.FAILS in verdicts:
        verdict = Verdict.FAILS
    elif Verdict.UNDECIDED in verdicts:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.HOLDS
    return _composed(verdict, rulings, rule=rule, subject=subject)


def any_of(rulings: Sequence[Ruling], *, rule: str = "any-of", subject: str = "") -> Ruling:
    """Return `HOLDS` if any holds, else `UNDECIDED` if any is, else `FAILS`; keep every reason.

    Args:
        rulings: The rulings of which one must hold.
        rule: Name of the rule that they make up.
        subject: What it is asked about.

    Raises:
        ValueError: `rulings` is empty: a choice of nothing is a mistake, not a failure.

    Example:
        >>> own = Ruling(rule="own-weights", subject="garam", verdict=Verdict.UNDECIDED)
        >>> free = Ruling(rule="free-licence", subject="garam", verdict=Verdict.FAILS)
        >>> any_of([own, free]).verdict
        <Verdict.UNDECIDED: 'undecided'>
    """
    verdicts = _verdicts(rulings)
    if Verdict.HOLDS in verdicts:
        verdict = Verdict.HOLDS
    elif Verdict.UNDECIDED in verdicts:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.FAILS
    return _composed(verdict, rulings, rule=rule, subject=subject)


def majority(
    rulings: Sequence[Ruling], *, more_than: float, rule: str = "majority", subject: str = ""
) -> Ruling:
    """Return whether more than a share of the rulings holds; keep every reason.

    Rulings that are undecided count as neither: it holds when enough hold already, fails when
    too few could still hold, and is undecided between the two.

    Args:
        rulings: The rulings that are counted.
        more_than: The share that must be exceeded, in [0, 1).
        rule: Name of the rule that they make up.
        subject: What it is asked about.

    Raises:
        ValueError: `rulings` is empty, or the share is outside [0, 1).

    Example:
        >>> votes = [
        ...     Ruling(rule="competes", subject="garam", verdict=verdict)
        ...     for verdict in (Verdict.HOLDS, Verdict.HOLDS, Verdict.FAILS)
        ... ]
        >>> majority(votes, more_than=0.5).verdict
        <Verdict.HOLDS: 'holds'>
    """
    if not 0 <= more_than < 1:
        raise ValueError(f"a majority is a share in [0, 1), not {more_than}")
    verdicts = _verdicts(rulings)
    needed = more_than * len(verdicts)
    holding = verdicts.count(Verdict.HOLDS)
    if holding > needed:
        verdict = Verdict.HOLDS
    elif holding + verdicts.count(Verdict.UNDECIDED) > needed:
        verdict = Verdict.UNDECIDED
    else:
        verdict = Verdict.FAILS
    return _composed(verdict, rulings, rule=rule, subject=subject)


def _verdicts(rulings: Sequence[Ruling]) -> list[Verdict]:
    if not rulings:
        raise ValueError("a rule that asks for nothing is a mistake, neither a pass nor a failure")
    return [ruling.verdict for ruling in rulings]


def _composed(verdict: Verdict, rulings: Sequence[Ruling], *, rule: str, subject: str) -> Ruling:
    """Return the composed ruling; its own reasons are those of the parts that decided it."""
    decisive: list[Reason] = []
    for ruling in rulings:
        if ruling.verdict is verdict:
            decisive += [reason for reason in ruling.reasons if reason not in decisive]
    return Ruling(
        rule=rule,
        subject=subject,
        verdict=verdict,
        reasons=tuple(decisive),
        parts=tuple(rulings),
    )
