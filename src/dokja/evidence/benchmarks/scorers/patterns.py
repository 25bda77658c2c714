"""What a declared regular expression finds, compared with the right text or number.

The pattern has one group named `answer`. Patterns that may take exponentially long are refused
where they are declared: replies come from outside, and nothing here is timed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from dokja.evidence.benchmarks.outcomes import Cause
from dokja.evidence.benchmarks.scorers.exact import ExactScorer
from dokja.evidence.benchmarks.scorers.numerals import value_of
from dokja.evidence.benchmarks.scorers.settling import digest_of, settle
from dokja.evidence.benchmarks.scorers.tasks import (
    ALONE,
    Aids,
    Found,
    Reply,
    Scoring,
    Task,
    settled,
)
from dokja.evidence.benchmarks.scorers.texts import Plain
from dokja.values import Digest, Json

__all__ = ["PatternScorer", "example_fault", "pattern_fault"]

_VERSION = 1
_NESTED = re.compile(r"[^\\](?:[+*]|\{\d+,\d*\})[^()]*\)(?:[+*]|\{\d+,\d*\})|\)[+*][^()]*\)[+*{]")


def pattern_fault(pattern: object) -> str:
    r"""Return what keeps a pattern from being used; empty if nothing does.

    Example:
        >>> pattern_fault(r"####\s*(?P<answer>.+)"), pattern_fault("(a+)+(?P<answer>b)")
        ('', 'no repeated group that repeats inside: it may take for ever')
    """
    if not isinstance(pattern, str) or not pattern:
        return "a regular expression"
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        return f"a regular expression ({error})"
    if "answer" not in compiled.groupindex:
        return "a group (?P<answer>…) in it"
    if _NESTED.search(pattern):
        return "no repeated group that repeats inside: it may take for ever"
    return ""


def example_fault(pattern: str, example: str) -> str:
    """Return what keeps an example from showing what the pattern finds; empty if nothing does.

    Example:
        >>> example_fault("#(?P<answer>.+)", "{{key}}")
        'a reply in which the pattern finds the answer'
    """
    if "{{key}}" not in example:
        return "the place {{key}} where the answer stands"
    match = re.search(pattern, example.replace("{{key}}", "17"), re.MULTILINE)
    right = match is not None and (match.group("answer") or "").strip() == "17"
    return "" if right else "a reply in which the pattern finds the answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatternScorer:
    r"""Reads an answer out by a pattern.

    Attributes:
        pattern: With a group `answer`; `^` and `$` are the ends of lines.
        example: A right reply of the declared form, with the place `{{key}}` for the answer.
        take: Which match counts: `only` if all must agree, `first` or `last`.
        compare: `text` as the scorer `exact` does, `verbatim` sign by sign, `number` as numbers.
        refusals: Patterns that mark a refusal, looked for where no answer was read out.

    Example:
        >>> task = Task(id="sum", keys=("7",))
        >>> pattern = r"####\s*(?P<answer>\S+)"
        >>> scorer = PatternScorer(pattern=pattern, example="#### {{key}}", compare="number")
        >>> scorer.score(task, Reply(text="3 + 4\n#### 7.0")).outcome.value
        'correct'
    """

    pattern: str
    example: str
    take: str = "only"
    compare: str = "text"
    refusals: tuple[str, ...] = ()
    _texts: ExactScorer = field(default_factory=ExactScorer, repr=False, compare=False)

    @property
    def kind(self) -> str:
        """`pattern`."""
        return "pattern"

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores."""
        return {"scorer": self.kind, "v": _VERSION, "options": self._options}

    @property
    def digest(self) -> Digest:
        """Names these rules with these options."""
        return digest_of(self.kind, _VERSION, self._options)

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply."""
        return settle(
            task,
            reply,
            aids=aids,
            refusals=self.refusals,
            read=lambda _, text: self._read(text),
            mark=lambda found: settled(found, 1.0 if self._right(found.answer, task) else 0.0),
        )

    @property
    def _options(self) -> Mapping[str, Json]:
        return {
            "pattern": self.pattern,
            "example": self.example,
            "take": self.take,
            "compare": self.compare,
            "refusals": list(self.refusals),
        }

    def _read(self, text: Plain) -> Found | Cause:
        found = [
            Found(
                answer=match.group("answer").strip(),
                rule=f"pattern-{self.take}",
                start=match.start("answer"),
                stop=match.end("answer"),
            )
            for match in re.finditer(self.pattern, text.text, re.MULTILINE)
            if match.group("answer") is not None and match.group("answer").strip()
        ]
        if not found:
            return Cause.NOT_EXTRACTED
        if self.take == "only" and len({each.answer for each in found}) > 1:
            return Cause.SEVERAL
        return found[0] if self.take == "first" else found[-1]

    def _right(self, answer: str, task: Task) -> bool:
        if self.compare == "verbatim":
            return answer in task.keys
        if self.compare == "number":
            said = value_of(answer)
            return said is not None and said in {value_of(key) for key in task.keys}
        return any(self._texts.equal(answer, key) for key in task.keys)
