"""What `dokja simulate` says in a terminal.

Signs that would steer a terminal are written out; columns are measured in terminal cells.
"""

from collections.abc import Iterable

from dokja.public.reports.names import language
from dokja.public.reports.simulations_telling import SimulationReport, SimulationTeller, Table
from dokja.public.reports.terminal import columns, wrapped
from dokja.public.reports.words import Words, visible

__all__ = ["simulation_text"]


def simulation_text(report: SimulationReport, lang: str, *, width: int = 100) -> str:
    """Return a simulated stage as plain text for people.

    Args:
        report: The simulation, with names.
        lang: `ko` or `en`.
        width: Cells of a line of prose.

    Raises:
        ValueError: No such language.
    """
    tell = SimulationTeller(report, Words(language(lang), names=report.names))
    blocks = [
        [tell.title(), *_wrapped([tell.setting()], width)],
        _wrapped(tell.answer(), width),
        _drawn(tell.curve()),
        _wrapped(tell.needed(), width),
        _drawn(tell.levers()),
        _wrapped([*tell.halving(), tell.words.text("simulation.rules-note")], width),
        _drawn(tell.noise()),
        _drawn(tell.teams()),
        _drawn(tell.doubts()),
        _drawn(tell.assumptions()),
        _wrapped([tell.words.text("simulation.what-is"), *tell.basis()], width),
    ]
    return visible("\n\n".join("\n".join(block) for block in blocks))


def _wrapped(sentences: Iterable[str], width: int) -> list[str]:
    return [line for sentence in sentences for line in wrapped(sentence, width=width)]


def _drawn(table: Table) -> list[str]:
    return [table.caption, *(f"  {line}" for line in columns([table.header, *table.rows]))]
