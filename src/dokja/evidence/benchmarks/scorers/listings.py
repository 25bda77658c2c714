"""Lists of options in a reply: who only lists them has chosen none, unless one is ticked."""

import re
from collections.abc import Sequence
from functools import lru_cache

from dokja.evidence.benchmarks.scorers.marks import Mark, Options, folded, mark_of
from dokja.evidence.benchmarks.scorers.statements import WHOLE

__all__ = ["ticked", "without_listing"]

_LISTED = re.compile(
    r"\s{0,40}[-*•]?\s{0,8}[(\[*_]{0,8}"
    r"(?P<label>[A-Za-z]|[1-9]\d?|[①-⑳]|[가나다라마바사아자차]|[ㄱ-ㅊ])"
    r"\s{0,8}[*_]{0,8}(?:[)\].:]|(?<=[①-⑳]))[*_]{0,8}\s{0,40}(?P<text>\S.*)"
)
_TICK = re.compile(
    r"[✓✔✅☑]|[(\[<]\s{0,8}(?:정답|답|(?i:correct|answer|right))\s{0,8}[)\]>]"
    r"|(?:←|<-|<--|⇐|[-–=]\s)\s{0,8}(?:정답|답|(?i:correct|right)(?:\s{1,8}answer)?)\b"
)


def without_listing(text: str, options: Options) -> str:
    r"""Return the text with every list of options blanked, in lines or in one line.

    A line of a list loses its label, and all of it if it holds nothing but an option; what is said
    about the option stays.

    Example:
        >>> from dokja.evidence.benchmarks.scorers.marks import options_of
        >>> from dokja.evidence.benchmarks.scorers.tasks import Choice
        >>> made = options_of((Choice(label="A", text="one"), Choice(label="B", text="two")))
        >>> without_listing("A. one\nB. two\nso B", made).split()
        ['so', 'B']
    """
    if "\n" in text:
        lines = text.split("\n")
        for run in _runs(lines):
            if len({match.group("label") for _, match in run}) > 1:
                for place, match in run:
                    lines[place] = _blanked(lines[place], match, options)
        text = "\n".join(lines)
    return _without_inline(text, options)


def ticked(text: str, options: Options) -> list[Mark]:
    """Return the labels of list lines that bear a tick, "(정답)" or the like."""
    if not _TICK.search(text):
        return []
    found = []
    at = 0
    for line in text.split("\n"):
        match = WHOLE.match(line) if _LISTED.match(line) and _TICK.search(line) else None
        mark = None if match is None else mark_of(match, options, at=at)
        if mark is not None:
            found.append(mark)
        at += len(line) + 1
    return found


def _runs(lines: Sequence[str]) -> list[list[tuple[int, re.Match[str]]]]:
    """Return runs of lines that begin with a label and go on; empty lines do not end a run."""
    runs: list[list[tuple[int, re.Match[str]]]] = [[]]
    for place, line in enumerate(lines):
        if not line.strip():
            continue
        match = _LISTED.match(line)
        if match:
            runs[-1].append((place, match))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _blanked(line: str, match: re.Match[str], options: Options) -> str:
    if folded(match.group("text")) in options.texts:
        return " " * len(line)
    if match.group("label") not in options.labels:
        return line  # a numbered step of somebody's reasoning
    start = match.start("text")
    return " " * start + line[start:]


def _without_inline(text: str, options: Options) -> str:
    flat = "".join(text.split()).casefold()
    enough = max(2, len(options.labels) - 1)
    there = [place for place, own in enumerate(options.texts) if own and own in flat]
    if len(there) < enough:
        return text
    listed = [
        match
        for place in there
        if (match := _spelt(options.labels[place], options.texts[place]).search(text))
    ]
    if len(listed) < enough:
        return text
    for match in listed:
        text = text[: match.start()] + " " * len(match.group()) + text[match.end() :]
    return text


@lru_cache(maxsize=65_536)
def _spelt(label: str, own: str) -> re.Pattern[str]:
    """Return the pattern of a label with its option's text behind it, however spaced."""
    spelt = r"\s{0,8}".join(re.escape(sign) for sign in own)
    return re.compile(rf"[(\[]?{re.escape(label)}\s{{0,8}}[)\].:]?\s{{0,8}}{spelt}", re.IGNORECASE)
