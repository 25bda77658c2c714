"""What `dokja trace` says in a terminal.

Signs that would steer a terminal are written out; columns are measured in terminal cells.
"""

import textwrap

from dokja.evidence.lineage import Tracing
from dokja.public.reports.lineage_telling import LineageTeller
from dokja.public.reports.names import language
from dokja.public.reports.words import Words, visible

__all__ = ["lineage_text"]

_INDENT = "    "


def lineage_text(tracing: Tracing, lang: str, *, width: int = 100) -> str:
    """Return what a run found, as plain text for people.

    Args:
        tracing: What was found.
        lang: `ko` or `en`.
        width: Cells of a line.

    Raises:
        ValueError: No such language.
    """
    words = Words(language(lang))
    tell = LineageTeller(tracing, words, markup=False)
    references = [report.reference for report in tracing.reports]
    lines = [
        words.text("lineage.title", model=tracing.suspect),
        words.text("lineage.against", references=references),
        "",
    ]
    for number, finding in tracing.findings:
        lines += [*_wrapped(tell.sentence(finding, number), width), ""]
        if (direction := tell.direction(finding, number)) is not None:
            lines[-1:] = [*_wrapped(direction, width), ""]
        for heading, said in tell.how(finding, number):
            lines += _listed(heading, said, width)
        lines.append("")
    for sentence in (*tell.absences(), *tell.summaries()):
        lines += _wrapped(sentence, width)
    if not tracing.findings:
        lines += _wrapped(words.text("lineage.nothing"), width)
    lines += ["", *_wrapped(tell.held_together(), width), ""]
    lines += [f"{words.label('lineage-section', 'beside')}:"]
    lines += [f"  {line}" for fact in tell.facts() for line in _wrapped(fact, width - 2)]
    lines += ["", *_wrapped(words.text("gates.never"), width)]
    return visible("\n".join(lines))


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False, break_on_hyphens=False)


def _listed(heading: str, said: list[str], width: int) -> list[str]:
    lines = [f"  {heading}"]
    for one in said:
        first, *rest = _wrapped(one, width - len(_INDENT)) or [""]
        lines += [f"{_INDENT}{first}", *(f"{_INDENT}  {line}" for line in rest)]
    return lines
