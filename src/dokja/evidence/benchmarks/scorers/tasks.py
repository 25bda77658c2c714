"""What a scorer is given, and what it answers: a task, a reply, a scoring. No rule stands here.

A task is an item as it was asked. A reply is what came back, word for word. A scoring says what
became of it: the outcome, whose doing it is, what was read out, by which rule, and where it stands.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome, default_charge
from dokja.values import Digest, Json

__all__ = [
    "ALONE",
    "Aids",
    "Choice",
    "CodeTest",
    "Executor",
    "Found",
    "Judge",
    "Ran",
    "Reply",
    "Scorer",
    "Scoring",
    "Task",
    "scoring_of",
    "settled",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One option: the label that the prompt gives it, and its text."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeTest:
    """What a program is given on standard input, and what it must print.

    What it must print never enters the sandbox, so that no program can hand it back.
    """

    stdin: str
    stdout: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """An item as it was asked.

    Attributes:
        id: The item's id.
        keys: Every answer that is right; for options their labels, for programs none.
        choices: The options, in the order in which they were shown.
        prompt: All that the model was told; a reply that repeats it says nothing.
        language: Such as `ko`.
        tests: For programs.
    """

    id: str
    keys: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    prompt: str = ""
    language: str = "ko"
    tests: tuple[CodeTest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came back, unchanged.

    Attributes:
        text: The visible text; reasoning between `<think>` marks may stand in it.
        finish: The stop reason, as the server wrote it; None if it gave none.
        tokens_out: Tokens that the server counted; None if it told none.
        refusal: Whether the server marked it as a refusal of the model.
        reasoning: Reasoning that came in a field of its own.
    """

    text: str
    finish: str | None = "stop"
    tokens_out: int | None = None
    refusal: bool = False
    reasoning: str = ""


class Found(NamedTuple):
    """An answer that was read out.

    Attributes:
        answer: In the form in which it is compared: a label, a text, a number.
        rule: The extraction rule that found it.
        start: Where it begins in the reply's text, counted in characters of `Reply.text`.
        stop: One past its end.
    """

    answer: str
    rule: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """What became of a reply.

    Attributes:
        outcome: See `outcomes`.
        charge: Whose doing it is, where there is no scored answer.
        cause: Why, where more is known.
        extracted: The answer that was read out; None if none was.
        rule: The rule that found it.
        span: Where it stands in the reply's text, `(start, stop)` in characters.
        score: In [0, 1]; present only if the outcome is settled.
    """

    outcome: Outcome
    charge: Charge
    cause: Cause | None = None
    extracted: str | None = None
    rule: str | None = None
    span: tuple[int, int] | None = None
    score: float | None = None


def settled(found: Found, score: float, *, graded: bool = False) -> Scoring:
    """Return the scoring of an answer that was read out.

    Args:
        found: The answer.
        score: In [0, 1]; for a binary scorer 0 or 1.
        graded: Whether the scorer gives shares; the outcome is then `scored`.

    Raises:
        ValueError: The score lies outside [0, 1].
    """
    if not 0 <= score <= 1:
        raise ValueError(f"a score lies in [0, 1]; {score} does not")
    binary = Outcome.CORRECT if score == 1 else Outcome.WRONG
    return Scoring(
        outcome=Outcome.SCORED if graded else binary,
        charge=Charge.NOBODY,
        extracted=found.answer,
        rule=found.rule,
        span=(found.start, found.stop),
        score=float(score),
    )


def scoring_of(
    outcome: Outcome, cause: Cause | None = None, *, charge: Charge | None = None
) -> Scoring:
    """Return the scoring of a reply without a scored answer.

    Raises:
        ValueError: The cause cannot stand beside the outcome.
    """
    usual = default_charge(outcome, cause)
    return Scoring(outcome=outcome, cause=cause, charge=usual if charge is None else charge)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a program did in the sandbox.

    Attributes:
        stdout: What it printed, cut at the sandbox's limit.
        ended: Whether it ended by itself with exit code 0 and inside the limits.
        fault: What kept the sandbox itself from running it; empty if it ran.
    """

    stdout: str
    ended: bool
    fault: str = ""


class Executor(Protocol):
    """Runs programs, and nowhere but in a sandbox."""

    def run(self, program: str, *, stdin: str) -> Ran:
        """Return what the program did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A model that judges.

    Attributes:
        name: As records name it.
        family: Its maker's family; it may not judge a model of the same one.
        ask: Gives its reply to a prompt; the same one for the same prompt where it was kept.
        again: Asks the same once more, whatever was kept; None where `ask` keeps nothing.
    """

    name: str
    family: str
    ask: Callable[[str], str]
    again: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Aids:
    """What a scorer may need besides the reply; those that need nothing look at none of it.

    Attributes:
        executor: For programs; without one every program is `infrastructure_error`, `sandbox`.
        judge: For judged answers; without one they are `infrastructure_error`, `scorer`.
        judged_family: The family of the model whose replies are scored.
        audited: Whether the scorer's extraction passed its audit; if not, a reply from which
            nothing could be read out is the operator's doing.
        budget_granted: Whether the model was given the suite's declared budget of tokens; if not,
            a reply that was cut off is the operator's doing.
    """

    executor: Executor | None = None
    judge: Judge | None = None
    judged_family: str = ""
    audited: bool = True
    budget_granted: bool = True

    @property
    def once_more(self) -> "Aids":
        """The same, with a judge that is really asked once more and not read from what it said."""
        judge = self.judge
        if judge is None or judge.again is None:
            return self
        return replace(self, judge=replace(judge, ask=judge.again))


ALONE = Aids()
"""No aid at all."""


class Scorer(Protocol):
    """Tells what became of a reply, by declared rules.

    The declaration holds every option and the version of the rules; its digest names the scorer
    in every record, so that another rule is another digest.
    """

    @property
    def kind(self) -> str:
        """Such as `choice`."""

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores, as JSON."""

    @property
    def digest(self) -> Digest:
        """Digest of the declaration's canonical bytes."""

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply."""
