"""Where a free answer stands in a reply: in a box, behind a declaration, or as all that is said.

Free answers are texts or numbers. The rules are an ordered list that a suite may shorten; the
first that finds something decides, and two findings of one rule are compared by whoever scores.
"""

import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from dokja.evidence.benchmarks.scorers.statements import (
    BOX_HEAD,
    EN_NOUNS,
    FINAL_HEAD,
    HEAD,
    RETRACTED,
)

__all__ = ["RULES", "Passage", "passages"]

RULES = ("boxed", "final", "statement", "whole", "first-line", "last-line")
"""Where an answer may stand; a suite names some of them, in its own order."""

_BOX = re.compile(
    rf"{BOX_HEAD}(?P<answer>[^{{}}]{{0,400}}(?:\{{[^{{}}]{{0,200}}\}}[^{{}}]{{0,200}}){{0,8}})\}}"
)
_DECLARED: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {
        "boxed": _BOX,
        "final": re.compile(rf"{FINAL_HEAD}[ \t]{{0,8}}(?=(?P<answer>[^\n]{{1,400}}))"),
        "statement": re.compile(rf"{HEAD}[ \t]{{0,8}}(?=(?P<answer>[^\n]{{1,400}}))"),
    }
)
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "boxed": ("\\",),
        "final": ("최종", "마지막", "final"),
        "statement": ("답", "선택", "결론", *EN_NOUNS),
    }
)
"""Words of which one stands wherever a rule finds something: looked for first, as cheaper."""
_SENTENCE_END = re.compile(
    r"(?:입니다|이다|이에요|예요|임)(?=[\s.!,]|$)|[.!](?=\s|$)|[。！]|,\s{0,8}왜냐|\s{0,8}\b(?:because|since)\b"
)
_LONGEST = 1000  # characters of a line that may be an answer
_LAST = 32  # declarations that are looked at: nobody who means it declares more
_INSTEAD = re.compile(
    r"[^\n.]{1,80}?(?:이|가)?\s{0,8}(?:아니라|아니고)\s{0,8},?\s{0,8}(?P<rest>\S.*)"
    r"|\s{0,8}(?i:not)\s[^\n.]{1,80}?\s(?i:but|rather)\s{1,8}(?P<other>\S.*)"
)
_EDGES = " \t\n\r\"'`*_~「」『』“”‘’<>《》〈〉"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a reply that holds an answer.

    Attributes:
        rule: The rule that found it.
        text: From the declaration to the end of its line, without what is denied at its beginning.
        start: Where it begins.
        clause: How many of its characters make up its first clause.
        line: The same with what is denied.
    """

    rule: str
    text: str
    start: int
    clause: int
    line: str


def passages(text: str, rules: Sequence[str]) -> tuple[Passage, ...]:
    """Return what the first rule that finds anything finds.

    Where words take an earlier declaration back, only what follows them counts.

    Example:
        >>> found = passages("서울 같지만, 정답은 부산입니다. 항구니까요.", RULES)
        >>> found[0].rule, found[0].text[: found[0].clause]
        ('statement', '부산')
    """
    for rule in rules:
        found = tuple(_of_rule(text, rule))
        if found:
            return found
    return ()


def _of_rule(text: str, rule: str) -> Iterator[Passage]:
    if rule in _DECLARED:
        small = text.lower()
        if not any(word in small for word in _WORDS[rule]):
            return
        found = deque(_DECLARED[rule].finditer(text), maxlen=_LAST)
        yield from _standing(text, [*found], rule)
        return
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or (rule == "whole" and len(lines) > 1):
        return
    line = lines[0] if rule in {"whole", "first-line"} else lines[-1]
    if len(line) > _LONGEST:
        return
    at = text.find(line) if rule in {"whole", "first-line"} else text.rfind(line)
    passage = _passage(line, at=at, rule=rule)
    if passage is not None:
        yield passage


def _standing(text: str, found: Sequence[re.Match[str]], rule: str) -> Iterator[Passage]:
    """Yield the declarations that nothing after them takes back."""
    first = 0
    for place in range(1, len(found)):
        if RETRACTED.search(text, found[place - 1].start("answer"), found[place].start()):
            first = place
    for match in found[first:]:
        passage = _passage(match.group("answer"), at=match.start("answer"), rule=rule)
        if passage is not None:
            yield passage


def _passage(text: str, *, at: int, rule: str) -> Passage | None:
    body = text.lstrip(_EDGES)
    at += len(text) - len(body)
    line = body = body.rstrip(_EDGES)
    instead = _INSTEAD.match(body)
    if instead is not None:
        begin = max(instead.start("rest"), instead.start("other"))
        at, body = at + begin, body[begin:]
    if not body:
        return None
    end = _SENTENCE_END.search(body)
    clause = len(body[: end.start()].rstrip(_EDGES)) if end and end.start() else len(body)
    return Passage(rule=rule, text=body, start=at, clause=clause, line=line)
