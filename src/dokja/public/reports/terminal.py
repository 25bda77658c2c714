"""What `dokja judge` says in a terminal: the decision and the standing as plain text.

Hangul is twice as wide as Latin letters; columns are measured in terminal cells, not in
characters. Signs that would steer a terminal are written out.
"""

import unicodedata
from collections.abc import Mapping, Sequence

from dokja.public.reports import figures
from dokja.public.reports.document import Decision, Measure, Reason, Team, read_decision
from dokja.public.reports.headlines import sentences
from dokja.public.reports.merging import merged
from dokja.public.reports.names import Names, language
from dokja.public.reports.story import by_total
from dokja.public.reports.telling import Teller
from dokja.public.reports.words import Words, visible
from dokja.values import Json

__all__ = ["columns", "headline", "standing_text", "word_reason", "wrapped"]

_GAP = "  "
_POINTS = slice(1, 3)


def word_reason(
    reason: Mapping[str, Json], lang: str, *, decision: Mapping[str, Json] | None = None
) -> str:
    """Return a reason as a sentence.

    Args:
        reason: Its code, params and entries, as they stand in a decision.
        lang: `ko` or `en`.
        decision: Gives teams, parts and gates their names; identifiers stand without it.

    Raises:
        ValueError: No such language.

    Example:
        >>> word_reason({"code": "not-ruled", "params": {
        ...     "gate": "independence", "authority": "office", "component": None}}, "en")
        'The record holds no ruling of office by the gate “independence”.'
    """
    names = Names() if decision is None else Names.of(read_decision(decision))
    words = Words(language(lang), names=names)
    return visible(words.reason(Reason.model_validate({**reason, "entries": ()})))


def headline(decision: Mapping[str, Json], lang: str) -> str:
    """Return the decision in as few sentences as it needs.

    Raises:
        DecisionFileError: The document is not a decision of this format.
        ValueError: No such language.
    """
    read = read_decision(decision)
    words = Words(language(lang), names=Names.of(read))
    return visible(" ".join(sentences(read, words)))


def standing_text(decision: Mapping[str, Json], lang: str, *, width: int = 100) -> str:
    """Return who goes on and why, with totals, ranks, gates and probabilities, as plain text.

    Args:
        decision: The decision document.
        lang: `ko` or `en`.
        width: Cells of a line; columns of the table are never cut, so that a narrow terminal
            wraps them itself.

    Raises:
        DecisionFileError: The document is not a decision of this format.
        ValueError: No such language.
    """
    read = read_decision(decision)
    words = Words(language(lang), names=Names.of(read))
    tell = Teller(read, words)
    lines = [f"{words.local(read.programme.title)} · {words.local(read.stage.title)}"]
    if read.programme.invented:
        lines.append(words.text("title.invented"))
    lines += ["", *wrapped(" ".join(sentences(read, words)), width=width), ""]
    lines += columns(_rows(read, words=words, tell=tell))
    lines += ["", *_closing(read, words=words, tell=tell, width=width)]
    return visible("\n".join(lines))


def _rows(decision: Decision, *, words: Words, tell: Teller) -> Sequence[Sequence[str]]:
    keys = ("team", "total", "ranks", "gates", "advances", "chance")
    heads = [words.text(f"column.{key}") for key in keys]
    rows = [heads, *(_row(team, words=words, tell=tell) for team in by_total(decision.teams))]
    if decision.parts:
        return rows
    return [[row[0], *row[_POINTS.stop :]] for row in rows]  # a vote has no points and no ranks


def _row(team: Team, *, words: Words, tell: Teller) -> Sequence[str]:
    if isinstance(team.total, Measure):
        total = f"{figures.value(team.total)} [{figures.interval(team.total)}]"
    elif team.total is None:
        total = "–"
    else:
        total = f"– ({words.label('missing', team.total.missing)})"
    gates = [words.label("verdict", gate.verdict) for gate in team.gates]
    chance = words.text("decision.cannot-be-told")
    if team.probability is not None:
        chance = tell.chance(team)
        if team.probability.basis == "published-order":
            chance = f"{chance} ({words.label('basis', team.probability.basis)})"
    return [
        words.local(team.name),
        total,
        tell.ranks(team),
        ", ".join(gates) or "–",
        words.label("advance", team.advances.verdict),
        chance,
    ]


def _closing(decision: Decision, *, words: Words, tell: Teller, width: int) -> list[str]:
    wrong = decision.reliability.p_wrong
    if wrong is not None:
        shown = tell.wrong(wrong)
        said = [words.text("doubt.wrong", range=shown)]
    else:
        said = [words.text("doubt.cannot-be-told")]
    lines = [line for sentence in said for line in wrapped(sentence, width=width)]
    if decision.reliability.settles:
        lines.append(f"{words.text('doubt.settles')}:")
    for reason in merged(decision.reliability.settles):
        first, *rest = wrapped(words.reason(reason), width=width - 2)
        lines += [f"- {first}", *(f"  {line}" for line in rest)]
    return lines


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows in columns, measured in terminal cells, with a rule below the first."""
    widths = [max(_cells(row[column]) for row in rows) for column in range(len(rows[0]))]
    drawn = [
        _GAP.join(
            cell + " " * (width - _cells(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    ]
    rule = _GAP.join("─" * width for width in widths)
    return [drawn[0].rstrip(), rule, *(line.rstrip() for line in drawn[1:])]


def wrapped(text: str, *, width: int) -> list[str]:
    """Return a sentence in lines of so many terminal cells."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and _cells(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _cells(text: str) -> int:
    """Return how many cells of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(sign) else 2 if unicodedata.east_asian_width(sign) in "WF" else 1
        for sign in visible(text)
    )
