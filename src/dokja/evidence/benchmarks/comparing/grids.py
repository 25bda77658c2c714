"""The same record read in every way that somebody could defend, with the registered one marked."""

from dataclasses import replace

from dokja.evidence.benchmarks.comparing.questions import Chance, Question, Weighting
from dokja.evidence.benchmarks.comparing.sheets import sheet_of
from dokja.evidence.benchmarks.tables import OutcomeTable
from dokja.evidence.statistics.contrasts import (
    GeneraliseTo,
    Multiverse,
    ReferenceMode,
    Universe,
    multiverse,
)

__all__ = ["grid_of"]

_WEIGHTINGS: tuple[Weighting, ...] = ("items", "category-macro")


def grid_of(table: OutcomeTable, question: Question) -> Multiverse | None:
    """Return the grid of conventions, weightings, corrections for chance, errors and modes.

    Cells that have nothing to say (no item counts for every system) are left out.

    Returns:
        None where the registered view itself has nothing to say.
    """
    asked_for: list[Chance] = ["none", question.chance]
    if table.chance is not None:
        asked_for.append("item")
    chances = list(dict.fromkeys(asked_for))
    universes = []
    for convention in (question.convention, *question.beside):
        for weights in _WEIGHTINGS:
            for chance in chances:
                asked = replace(question, weights=weights, chance=chance)
                sheet = sheet_of(table, asked, convention=convention)
                if sheet.cells is None or sheet.layout is None:
                    continue
                universes.append(
                    Universe(
                        convention=convention.name,
                        aggregation=weights,
                        chance=str(chance),
                        values=sheet.cells.registered,
                        layout=sheet.layout,
                        scale=sheet.scale,
                    )
                )
    registered = (question.convention.name, question.weights, str(question.chance))
    if registered not in {(u.convention, u.aggregation, u.chance) for u in universes}:
        return None
    terms = question.terms
    goals = (GeneraliseTo.BLUEPRINT, GeneraliseTo.NEW_CLUSTERS, terms.generalise_to)
    modes = [terms.mode]
    if len(question.references) > 1 and terms.mode is ReferenceMode.ALL:
        modes.append(ReferenceMode.CROSSFIT)
    return multiverse(
        universes,
        terms=terms,
        registered=registered,
        goals=tuple(dict.fromkeys(goals)),
        modes=tuple(modes),
    )
