"""Which option a reply chooses. The rules stand in order; the first that finds something decides.

`boxed`, `final`, `statement`, `whole`, `text`, `leading`, `closing`, `stated`, `mention`. Two
matches of one rule that disagree are `several`, unless words between them take the earlier one
back ("아니, 다시 보니", "wait") and the declaration says that the last one counts. A reply that
lists the options, or repeats what it was told, has chosen none.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dokja.evidence.benchmarks.outcomes import Cause
from dokja.evidence.benchmarks.scorers import statements as said
from dokja.evidence.benchmarks.scorers.marks import (
    Mark,
    Options,
    folded,
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
_ENDING = re.compile(
    r"[\s.,!:;)\]}*_`\"'$]*(?:입니다|이다|예요|이에요|이요|요|임|번입니다|번)?[\s.!*_`\"')\]}$~]*"
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
        page = _Page(
            text=without_listing(text.text, options),
            options=options,
            takes_back=self.change_of_mind == "last",
        )
        for name, rule in _RULES:
            marks = rule(page)
            if not marks:
                continue
            mark = _agreed(page, marks)
            if isinstance(mark, Cause):
                return mark
            if not 0 <= mark.place < len(options.labels):
                return Cause.ILLEGAL_LABEL
            label = options.labels[mark.place]
            return Found(answer=label, rule=name, start=mark.start, stop=mark.stop)
        return Cause.NOT_EXTRACTED


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """A text that is being read for an option."""

    text: str
    options: Options
    takes_back: bool


def _agreed(page: _Page, marks: Sequence[Mark]) -> Mark | Cause:
    """Return the option that all marks name, or that stands after all others were taken back."""
    if len({mark.place for mark in marks}) == 1:
        return marks[-1]
    if not page.takes_back:
        return Cause.SEVERAL
    kept = [marks[0]]
    for before, mark in zip(marks, marks[1:], strict=False):
        if said.RETRACTED.search(page.text, before.stop, mark.start):
            kept = []
        kept.append(mark)
    return kept[-1] if len({mark.place for mark in kept}) == 1 else Cause.SEVERAL


def _found(page: _Page, patterns: Sequence[re.Pattern[str]]) -> list[Mark]:
    """Return the labels that the patterns find, in order; denied ones left out, joined ones in."""
    found: dict[int, Mark] = {}
    for pattern in patterns:
        for match in pattern.finditer(page.text):
            mark = _mark(match, page.options)
            if mark is None or said.DENIED.match(page.text, mark.stop):
                continue
            found[mark.start] = mark
            found.update({each.start: each for each in _joined(page, mark)})
    return [found[start] for start in sorted(found)]


def _joined(page: _Page, mark: Mark) -> list[Mark]:
    """Return the labels that are joined to one: "A와 B", "A, B, C"."""
    found = []
    match = said.JOINED.match(page.text, mark.stop)
    while match is not None:
        other = _mark(match, page.options)
        if other is None:
            break
        found.append(other)
        match = said.JOINED.match(page.text, other.stop)
    return found


def _mark(match: re.Match[str], options: Options) -> Mark | None:
    place = place_of(match, options)
    if place is None:
        return None
    rows = ("circle", "latin", "digit", "korean", "jamo")
    row = next(each for each in rows if match.group(each) is not None)
    return Mark(place=place, start=match.start(row), stop=match.end(row))


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
    mark = None if match is None else _mark(match, page.options)
    if match is None or mark is None or not _SEPARATED.match(match.group("rest")):
        return []
    if said.DENIED.match(first, mark.stop) or _texts_in(match.group("rest"), page.options):
        return []
    return [Mark(place=mark.place, start=at + mark.start, stop=at + mark.stop)]


def _closing(page: _Page) -> list[Mark]:
    """The last line is a label, alone or with that option's own text."""
    lines = [line for line in page.text.split("\n") if line.strip()]
    return _alone(page, lines[-1], at=page.text.rfind(lines[-1])) if lines else []


def _alone(page: _Page, line: str, *, at: int) -> list[Mark]:
    match = said.WHOLE.match(line)
    mark = None if match is None else _mark(match, page.options)
    if match is None or mark is None:
        return []
    rest = match.group("rest")
    own = page.options.texts[mark.place] if 0 <= mark.place < len(page.options.texts) else ""
    if not (_ENDING.fullmatch(rest) or (own and folded(rest.strip(" .):]-,*(")) == own)):
        joined = _joined(page, Mark(place=mark.place, start=at + mark.start, stop=at + mark.stop))
        if not joined:
            return []
        return [Mark(place=mark.place, start=at + mark.start, stop=at + mark.stop), *joined]
    return [Mark(place=mark.place, start=at + mark.start, stop=at + mark.stop)]


_HEADED = re.compile(rf"{said.HEAD}[ \t]*(?P<answer>[^\n]+)")


def _text(page: _Page) -> list[Mark]:
    """The reply is an option's text and nothing else, or declares that text to be the answer."""
    body = page.text.strip()
    found = []
    if body and "\n" not in body:
        found += _of_text(page, body, at=page.text.find(body), whole=True)
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


_LISTED = re.compile(
    r"\s*[-*•]?\s*[(\[]?(?P<label>[A-Za-z]|[1-9]\d?|[①-⑳]|[가나다라마바사아자차]|[ㄱ-ㅊ])\s*(?:[)\].:]|(?<=[①-⑳]))\s*(?P<text>\S.*)"
)


def without_listing(text: str, options: Options) -> str:
    """Return the text with every list of options blanked, in lines or in one line.

    Example:
        >>> from dokja.evidence.benchmarks.scorers.tasks import Choice
        >>> made = options_of((Choice(label="A", text="one"), Choice(label="B", text="two")))
        >>> without_listing("A. one\\nB. two\\nso B", made).split()
        ['so', 'B']
    """
    lines = text.split("\n")
    kept = list(lines)
    for run in _runs(lines):
        if len({_label(lines[place]) for place in run}) > 1:
            for place in run:
                kept[place] = " " * len(lines[place])
    return _without_inline("\n".join(kept), options)


def _label(line: str) -> str:
    match = _LISTED.match(line)
    return match.group("label") if match else ""


def _runs(lines: Sequence[str]) -> list[list[int]]:
    """Return runs of lines that begin with a label and go on; empty lines do not end a run."""
    runs: list[list[int]] = [[]]
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        if _LISTED.match(line):
            runs[-1].append(place)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _without_inline(text: str, options: Options) -> str:
    listed = []
    for place, label in enumerate(options.labels):
        own = options.texts[place]
        if not own or own[0] not in text.casefold():
            continue
        spelt = r"\s*".join(re.escape(sign) for sign in own)
        pattern = re.compile(rf"[(\[]?{re.escape(label)}\s*[)\].:]?\s*{spelt}", re.IGNORECASE)
        match = pattern.search(text)
        if match:
            listed.append(match)
    if len(listed) < max(2, len(options.labels) - 1):
        return text
    for match in listed:
        text = text[: match.start()] + " " * len(match.group()) + text[match.end() :]
    return text
