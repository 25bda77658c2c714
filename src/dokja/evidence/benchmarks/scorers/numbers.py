"""Whether a free answer is the right number, within a tolerance that is declared.

Numbers are read exactly, whatever way they are written, and compared as fractions: a tolerance of
0 is one of 0. The right number may stand in the key in any of these ways, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from dokja.evidence.benchmarks.outcomes import Cause
from dokja.evidence.benchmarks.scorers.answers import Passage, passages
from dokja.evidence.benchmarks.scorers.numerals import (
    Numeral,
    leading_numeral,
    numerals_in,
    value_of,
)
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

__all__ = ["NumericScorer"]

_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericScorer:
    """Compares a number with the right one.

    Attributes:
        read: Where an answer may stand, in order; see `answers.RULES`.
        absolute: What the answer may be off by, in the key's unit.
        relative: What it may be off by, as a share of the key. The larger of the two counts.
        refusals: Patterns that mark a refusal, looked for where no answer was read out.

    Example:
        >>> task = Task(id="people", keys=("35000",))
        >>> scored = NumericScorer().score(task, Reply(text="따라서 정답은 약 3만 5천 명입니다."))
        >>> scored.outcome.value, scored.extracted
        ('correct', '35000')
    """

    read: tuple[str, ...] = ("boxed", "final", "statement", "whole")
    absolute: str = "0"
    relative: str = "0"
    refusals: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`numeric`."""
        return "numeric"

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores."""
        return {"scorer": self.kind, "v": _VERSION, "options": self._options}

    @property
    def digest(self) -> Digest:
        """Names these rules with these options."""
        return digest_of(self.kind, _VERSION, self._options)

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply; a key that is no number is the scorer's fault."""
        keys = _values(task.keys)

        def right(found: Found) -> bool:
            said = _exact(found.answer)
            return any(key is not None and self._near(said, key) for key in keys)

        return settle(
            task,
            reply,
            aids=aids,
            refusals=self.refusals,
            read=lambda _, text: Cause.SCORER if None in keys else self._read(text),
            mark=lambda found: settled(found, 1.0 if right(found) else 0.0),
        )

    @property
    def _options(self) -> Mapping[str, Json]:
        return {
            "read": list(self.read),
            "absolute": self.absolute,
            "relative": self.relative,
            "refusals": list(self.refusals),
        }

    def _near(self, said: Fraction, key: Fraction) -> bool:
        if said == key:
            return True
        absolute, relative = _exact(self.absolute), _exact(self.relative)
        return abs(said - key) <= max(absolute, relative * abs(key))

    def _read(self, text: Plain) -> Found | Cause:
        found: list[Found] = []
        for passage in passages(text.text, self.read):
            numbers = _numbers(passage)
            if len(numbers) > 1 and len({number.value for number in numbers}) > 1:
                return Cause.SEVERAL
            found += [
                Found(
                    answer=str(number.value),
                    rule=passage.rule,
                    start=passage.start + number.start,
                    stop=passage.start + number.stop,
                )
                for number in numbers[:1]
            ]
        if not found:
            return Cause.NOT_EXTRACTED
        first = _exact(found[0].answer)
        if any(not self._near(first, _exact(each.answer)) for each in found[1:]):
            return Cause.SEVERAL
        return found[-1]


@lru_cache(maxsize=16_384)
def _exact(written: str) -> Fraction:
    return Fraction(written)


@lru_cache(maxsize=16_384)
def _values(keys: tuple[str, ...]) -> tuple[Fraction | None, ...]:
    return tuple(value_of(key) for key in keys)


def _numbers(passage: Passage) -> list[Numeral]:
    """Return the numbers of a passage; after an equals sign only those behind the last one."""
    clause = passage.text[: passage.clause]
    begin = clause.rfind("=") + 1
    there = [number for number in numerals_in(clause) if number.start >= begin]
    if there:
        return there
    words = leading_numeral(clause[begin:])
    if words is None:
        return []
    return [Numeral(value=words.value, start=begin + words.start, stop=begin + words.stop)]
