"""Whether a free answer is the right text, after normalisation that is declared.

Always: composed Hangul (NFC), full-width signs as plain ones, no case, no signs at the edges. By
declaration: spacing, numerals in words and digits, endings and particles. Two texts are equal only
if they are equal under what was declared; nothing is ever guessed from likeness.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from dokja.evidence.benchmarks.outcomes import Cause
from dokja.evidence.benchmarks.scorers.answers import Passage, passages
from dokja.evidence.benchmarks.scorers.numerals import leading_numeral
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
from dokja.evidence.benchmarks.scorers.texts import Plain, plain
from dokja.values import Digest, Json

__all__ = ["ExactScorer"]

_VERSION = 1
_EDGES = " \t.,!?:;\"'`*_~()[]{}<>。、·「」『』《》〈〉"
_ENDINGS = re.compile(r"(?:이었습니다|였습니다|입니다|이다|이에요|예요|이요|임)$")
_AFTER_CONSONANT = ("은", "이", "을", "과", "으로", "이라고")
_AFTER_VOWEL = ("는", "가", "를", "와", "로", "라고")
_FREE = ("의", "에", "에서", "도", "만", "까지", "부터")
_OR = re.compile(r"[,/;]|(?<=[가-힣])(?:이나|와|과)(?=\s)|\s(?:또는|혹은|아니면|(?i:or|and))(?=\s)")
_FIRST, _LAST, _FINALS = 0xAC00, 0xD7A3, 28


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactScorer:
    """Compares a free answer with the right texts.

    Attributes:
        read: Where an answer may stand, in order; see `answers.RULES`.
        spacing: `ignore` if spaces do not count, `collapse` if one is as good as several.
        numerals: Whether a numeral in words is as good as one in digits ("서른네 명" as "34명").
        endings: Whether a sentence's ending may stand behind the answer ("서울입니다").
        particles: Whether a particle may ("서울은"); it must be the one that the sound asks for.
        refusals: Patterns that mark a refusal, looked for where no answer was read out.

    Example:
        >>> task = Task(id="age", keys=("34명",))
        >>> scored = ExactScorer().score(task, Reply(text="정답: 서른네 명입니다."))
        >>> scored.outcome.value, scored.extracted, scored.rule
        ('correct', '서른네 명', 'statement')
    """

    read: tuple[str, ...] = ("boxed", "final", "statement", "whole")
    spacing: str = "ignore"
    numerals: bool = True
    endings: bool = True
    particles: bool = False
    refusals: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`exact`."""
        return "exact"

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
        keys = _keys(self, task.keys)

        def right(found: Found) -> bool:
            return not keys.isdisjoint(self._forms(found.answer))

        return settle(
            task,
            reply,
            aids=aids,
            refusals=self.refusals,
            read=lambda _, text: self._read(text, keys),
            mark=lambda found: settled(found, 1.0 if right(found) else 0.0),
        )

    def equal(self, answer: str, key: str) -> bool:
        """Tell whether an answer equals a key under what is declared."""
        return not _keys(self, (key,)).isdisjoint(self._forms(answer))

    @property
    def _options(self) -> Mapping[str, Json]:
        return {
            "read": list(self.read),
            "spacing": self.spacing,
            "numerals": self.numerals,
            "endings": self.endings,
            "particles": self.particles,
            "refusals": list(self.refusals),
        }

    def _read(self, text: Plain, keys: frozenset[str]) -> Found | Cause:
        found = [self._found(passage, keys) for passage in passages(text.text, self.read)]
        if not found:
            return Cause.NOT_EXTRACTED
        if len(found) > 1 and len({self._folded(each.answer) for each in found}) > 1:
            return Cause.SEVERAL
        answer = found[-1].answer
        if not keys.isdisjoint(self._forms(answer)):
            return found[-1]
        parts = [part for part in _OR.split(answer) if part.strip()]
        one_of = any(not keys.isdisjoint(self._forms(part)) for part in parts)
        if len(parts) > 1 and one_of:
            return Cause.SEVERAL  # the right one among others is not chosen
        return found[-1]

    def _found(self, passage: Passage, keys: frozenset[str]) -> Found:
        """Return the passage's first clause, or all of it if a key holds more than a clause."""
        start, answer = passage.start, passage.text[: passage.clause]
        if not self.endings:
            # Where endings are not passed over, the one that ends the clause is part of it.
            answer += "".join(passage.text[passage.clause :].split(maxsplit=1)[:1])
        if keys.isdisjoint(self._forms(answer)):
            for whole in (passage.text, passage.line):
                if not keys.isdisjoint(self._forms(whole)):
                    start, answer = passage.start + len(passage.text) - len(whole), whole
                    break
        return Found(answer=answer, rule=passage.rule, start=start, stop=start + len(answer))

    def _folded(self, text: str) -> str:
        read = plain(text).text.casefold().strip(_EDGES)
        return re.sub(r"\s+", "" if self.spacing == "ignore" else " ", read)

    def key_forms(self, key: str) -> Iterator[str]:
        """Yield every form of a key; an answer is right if one of its own is among them."""
        yield self._folded(key)
        if self.numerals:
            yield from self._numbered(key)

    def _forms(self, text: str) -> frozenset[str]:
        return _forms(self, text)

    def forms(self, text: str) -> frozenset[str]:
        """Return every form under which an answer may equal a key."""
        forms = {self._folded(text)}
        read = plain(text).text.casefold().strip(_EDGES)
        pieces = {read}
        if self.endings:
            pieces |= {_ENDINGS.sub("", piece).strip(_EDGES) for piece in pieces}
        if self.particles:
            pieces |= {bare for piece in pieces for bare in _without_particle(piece)}
        for piece in pieces:
            forms.add(self._folded(piece))
            if self.numerals:
                forms |= set(self._numbered(piece))
        return frozenset(forms - {""})

    def _numbered(self, text: str) -> Iterator[str]:
        """Yield the form with its leading numeral as a number, and the unit behind it."""
        read = plain(text).text.casefold().strip(_EDGES)
        numeral = leading_numeral(read)
        if numeral is not None:
            yield f"#{numeral.value}{self._folded(read[numeral.stop :])}"


@lru_cache(maxsize=16_384)
def _keys(scorer: ExactScorer, keys: tuple[str, ...]) -> frozenset[str]:
    return frozenset(form for key in keys for form in scorer.key_forms(key))


@lru_cache(maxsize=16_384)
def _forms(scorer: ExactScorer, text: str) -> frozenset[str]:
    return scorer.forms(text)


def _without_particle(text: str) -> Iterator[str]:
    """Yield the text without a particle that its last sound allows.

    Example:
        >>> [*_without_particle("서울은")], [*_without_particle("서울는")]
        (['서울'], [])
    """
    for particles, final in ((_AFTER_CONSONANT, True), (_AFTER_VOWEL, False), (_FREE, None)):
        for particle in particles:
            bare = text.removesuffix(particle)
            if bare == text or not bare or not _FIRST <= ord(bare[-1]) <= _LAST:
                continue
            closed = (ord(bare[-1]) - _FIRST) % _FINALS > 0
            if final is None or final == closed:
                yield bare
