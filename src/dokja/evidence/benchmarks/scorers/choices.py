"""Which option a reply chooses. The rules stand in order; the first that finds any decides.

`whole`, `boxed`, `final`, `statement`, `ticked`, `text`, `leading`, `closing`, `stated`,
`mention`. Two matches of one rule that disagree are `several`, unless words between them take the
earlier one back ("아니, 다시 보니", "wait") and the declaration says that the last one counts. A
reply that lists the options, or repeats what it was told, has chosen none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dokja.evidence.benchmarks.outcomes import Cause
from dokja.evidence.benchmarks.scorers import statements as said
from dokja.evidence.benchmarks.scorers.listings import ticked, without_listing
from dokja.evidence.benchmarks.scorers.marks import (
    Mark,
    Options,
    folded,
    mark_of,
    options_of,
    place_of,
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

__all__ = ["ChoiceScorer"]

_VERSION = 1
_BRIEF = 60  # characters
_LINE = 400  # characters of a line that are looked at behind a label
_NEAR = 16  # characters before a label in which another one may be joined to it
_ENDING = re.compile(
    r"[\s.,!:;)\]}*_`\"'$]{0,40}(?:입니다|이다|예요|이에요|이요|요|임|번입니다|번)?[\s.!*_`\"')\]}$~]{0,40}"
)
_SEPARATED = re.compile(r"\s*[.):\],:]|\s*-\s|\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChoiceScorer:
    """Reads out which option was chosen.

    Attributes:
        change_of_mind: `last` if an answer that was taken back does not count, `several` if two
            answers are two answers whatever stands between them.
        refusals: Patterns that mark a refusal, looked for where no option was chosen.

    Example:
        >>> from dokja.evidence.benchmarks.scorers.tasks import Choice
        >>> options = (Choice(label="A", text="부산"), Choice(label="B", text="서울"))
        >>> task = Task(id="capital", keys=("B",), choices=options)
        >>> found = ChoiceScorer().score(task, Reply(text="정답은 ②번입니다."))
        >>> found.outcome.value, found.extracted, found.rule, found.span
        ('correct', 'B', 'statement', (4, 5))
    """

    change_of_mind: str = "last"
    refusals: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """`choice`."""
        return "choice"

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores."""
        options = {"change_of_mind": self.change_of_mind, "refusals": list(self.refusals)}
        return {"scorer": self.kind, "v": _VERSION, "options": options}

    @property
    def digest(self) -> Digest:
        """Names these rules with these options."""
        options = {"change_of_mind": self.change_of_mind, "refusals": list(self.refusals)}
        return digest_of(self.kind, _VERSION, options)

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply; an option that the item has not is `illegal_label`."""
        return settle(
            task,
            reply,
            aids=aids,
            refusals=self.refusals,
            read=self._read,
            mark=lambda found: settled(found, 1.0 if found.answer in task.keys else 0.0),
        )

    def _read(self, task: Task, text: Plain) -> Found | Cause:
        options = options_of(task.choices)
        if len(text.text) < _BRIEF:
            brief = _brief(text.text, options)
            if brief is not None:
                return brief
        read = without_listing(text.text, options)
        page = _Page(
            text=read,
            small=read.lower(),
            unblanked=text.text,
            options=options,
            takes_back=self.change_of_mind == "last",
        )
        for name, rule in _RULES:
            marks = rule(page)
            if not marks:
                continue
            mark = _agreed(page, marks)
            return mark if isinstance(mark, Cause) else _chosen(mark, name, options)
        return Cause.NOT_EXTRACTED


def _chosen(mark: Mark, rule: str, options: Options) -> Found | Cause:
    if not 0 <= mark.place < len(options.labels):
        return Cause.ILLEGAL_LABEL
    return Found(answer=options.labels[mark.place], rule=rule, start=mark.start, stop=mark.stop)


def _brief(text: str, options: Options) -> Found | Cause | None:
    """Return what a reply says that holds nothing but a label; the rules below say the same."""
    match = said.BRIEF.fullmatch(text)
    place = None if match is None else place_of(match["sign"], options)
    if match is None or place is None:
        return None
    mark = Mark(place=place, start=match.start("sign"), stop=match.end("sign"))
    return _chosen(mark, "statement" if match["head"] else "whole", options)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A text that is being read for an option."""

    text: str
    small: str
    unblanked: str
    options: Options
    takes_back: bool


def _agreed(page: _Page, marks: Sequence[Mark]) -> Mark | Cause:
    """Return the option that all marks name, or that stands after all others were taken back."""
    if len({mark.place for mark in marks}) == 1:
        return marks[-1]
    if not page.takes_back:
        return Cause.SEVERAL
    kept = [marks[0]]
    for before, mark in pairwise(marks):
        if said.RETRACTED.search(page.text, before.stop, mark.start):
            kept = []
        kept.append(mark)
    return kept[-1] if len({mark.place for mark in kept}) == 1 else Cause.SEVERAL


def _found(page: _Page, wordings: Sequence[said.Wording]) -> list[Mark]:
    """Return the labels that the patterns find, in order; denied ones left out, joined ones in."""
    found: dict[int, Mark] = {}
    for pattern, words in wordings:
        if words and not _has(page.small, words):
            continue
        for match in pattern.finditer(page.text):
            mark = mark_of(match, page.options)
            if mark is None or mark.start in found or said.DENIED.match(page.text, mark.stop):
                continue
            found[mark.start] = mark
            found.update({each.start: each for each in _joined(page, mark)})
            rest = page.text[mark.stop : mark.stop + _LINE].split("\n", 1)[0]
            for place in set(_named(rest, page.options)) - {mark.place}:
                # a label with another option's text behind it names two options
                found[mark.stop] = Mark(place=place, start=mark.stop, stop=mark.stop)
    return [found[start] for start in sorted(found)]


def _has(text: str, words: Sequence[str]) -> bool:
    """Tell whether one of the words stands in a text; asked so often that a loop is written out."""
    for word in words:  # noqa: SIM110  # a generator costs three times as much here
        if word in text:
            return True
    return False


def _joined(page: _Page, mark: Mark) -> list[Mark]:
    """Return the labels that are joined to one, on either side: "A와 B", "A, B, C"."""
    found = []
    led = said.LED.search(page.text, max(0, mark.start - _NEAR), mark.start)
    before = None if led is None else mark_of(led, page.options)
    if before is not None:
        found.append(before)
    match = said.JOINED.match(page.text, mark.stop)
    while match is not None:
        other = mark_of(match, page.options)
        if other is None:
            break
        found.append(other)
        match = said.JOINED.match(page.text, other.stop)
    return found


def _whole(page: _Page) -> list[Mark]:
    """The whole reply is a label, or a label with that option's own text."""
    body = page.text.strip()
    return _alone(page, body, at=page.text.find(body)) if "\n" not in body else []


def _leading(page: _Page) -> list[Mark]:
    """The first line is a label, alone or with a separator behind it."""
    first = next((line for line in page.text.split("\n") if line.strip()), "")
    at = page.text.find(first)
    alone = _alone(page, first, at=at)
    if alone:
        return alone
    match = said.WHOLE.match(first)
    mark = None if match is None else mark_of(match, page.options, at=at)
    if match is None or mark is None or not _SEPARATED.match(match.group("rest")):
        return []
    if said.DENIED.match(page.text, mark.stop) or _texts_in(match.group("rest"), page.options):
        return []
    return [mark]


def _closing(page: _Page) -> list[Mark]:
    """The last line is a label, alone or with that option's own text."""
    if "\n" not in page.text:
        return []  # that is what `whole` looks at
    lines = [line for line in page.text.split("\n") if line.strip()]
    return _alone(page, lines[-1], at=page.text.rfind(lines[-1])) if lines else []


def _alone(page: _Page, line: str, *, at: int) -> list[Mark]:
    """Return the label that a line is, with the option's own text behind it or none."""
    match = said.WHOLE.match(line)
    mark = None if match is None else mark_of(match, page.options, at=at)
    if match is None or mark is None:
        return []
    rest = match.group("rest")
    if _ENDING.fullmatch(rest):
        return [mark]
    named = _named(rest, page.options)
    if named:
        return [mark, *(Mark(place=place, start=mark.start, stop=mark.stop) for place in named)]
    joined = _joined(page, mark)
    if joined and _ENDING.fullmatch(page.text, joined[-1].stop, at + len(line)):
        return [mark, *joined]
    return []


def _named(rest: str, options: Options) -> list[int]:
    """Return the options whose text is all that stands behind a label."""
    text = folded(rest.strip(" .):]-,*("))
    return [place for place, own in enumerate(options.texts) if own and own == text]


_HEADED = re.compile(rf"{said.HEAD}[ \t]{{0,8}}(?P<answer>[^\n]{{1,{_LINE}}})")


def _text(page: _Page) -> list[Mark]:
    """The reply is an option's text and nothing else, or declares that text to be the answer."""
    body = page.text.strip()
    found = []
    if body and "\n" not in body:
        found += _of_text(page, body, at=page.text.find(body), whole=True)
    if not _has(page.small, said.STATEMENTS[0].words):
        return found
    for match in _HEADED.finditer(page.text):
        found += _of_text(page, match.group("answer"), at=match.start("answer"), whole=False)
    return found


def _of_text(page: _Page, line: str, *, at: int, whole: bool) -> list[Mark]:
    said_text = folded(line)
    places = [n for n, text in enumerate(page.options.texts) if text and text == said_text]
    if not places and not whole:
        head = folded(re.split(r"[.,!(]\s|[.!]$|입니다|이다|예요|이에요|\s[-–]\s", line)[0])
        places = [n for n, text in enumerate(page.options.texts) if text and text == head]
    return [Mark(place=place, start=at, stop=at + len(line)) for place in places]


_RULES: tuple[tuple[str, Callable[[_Page], list[Mark]]], ...] = (
    ("whole", _whole),
    ("boxed", lambda page: _found(page, said.BOXED)),
    ("final", lambda page: _found(page, said.FINAL)),
    ("statement", lambda page: _found(page, said.STATEMENTS)),
    ("ticked", lambda page: ticked(page.unblanked, page.options)),
    ("text", _text),
    ("leading", _leading),
    ("closing", _closing),
    ("stated", lambda page: _found(page, said.STATED)),
    ("mention", lambda page: _found(page, said.ANY_MARK)),
)


def _texts_in(text: str, options: Options) -> bool:
    """Tell whether the texts of two options or more stand in a text."""
    read = folded(text)
    return sum(1 for each in options.texts if each and each in read) > 1
