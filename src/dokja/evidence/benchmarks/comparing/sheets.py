"""One benchmark laid out for a question: which items count, what they weigh, what everybody got.

The domain is what was asked: items for which one of the compared systems at least has a row. An
item that the convention drops for one of them is dropped for all, so that everybody is compared
on the same items; its weight goes to its own category, because drops are rarely at random.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.comparing.questions import BY_CATEGORY, Question
from dokja.evidence.benchmarks.conventions import Convention
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.tables import OutcomeTable, View, view
from dokja.evidence.statistics.contrasts import (
    Cells,
    Doubt,
    Layout,
    Values,
    above_chance,
    cells_of,
    layout_of,
    without,
)

__all__ = ["Sheet", "sheet_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A benchmark, laid out.

    Attributes:
        suite: Names it.
        form: Which items of the suite; empty for all there are.
        convention: By which it was laid out.
        cells: What everybody got on the items that count; None where no item does.
        layout: Of these items; None likewise.
        items: How many count.
        kept: Their places in the table.
        not_asked: Items of the table for which no compared system has a row.
        dropped_weight: Share of the domain's weight that the convention dropped.
        open_candidate: How many cells of the candidate are open.
        open_references: How many of the references.
        epochs: How often each item was asked.
        scale: Least and greatest value of an item.
        doubts: What makes any verdict on it undecided.
    """

    suite: str
    form: str
    convention: str
    cells: Cells | None
    layout: Layout | None
    items: int
    kept: NDArray[np.intp]
    not_asked: int
    dropped_weight: float
    open_candidate: int
    open_references: int
    epochs: int
    scale: tuple[float, float]
    doubts: frozenset[Doubt]


def sheet_of(
    table: OutcomeTable, question: Question, *, convention: Convention | None = None
) -> Sheet:
    """Return the benchmark as the question asks for it.

    Args:
        table: What became of every answer.
        question: What is asked.
        convention: Another than the registered one, to be shown beside it.

    Raises:
        InputError: The candidate is not in the table, the clustering is not, or chance is to be
            taken off item by item and the table does not say what it is; every mistake.
    """
    _refuse(table, question)
    used = convention or question.convention
    references = tuple(name for name in question.references if name in table.systems)
    doubts = frozenset(_doubts(table, question, references=references))
    columns = [table.system(name) for name in (question.candidate, *references)]
    asked = (table.outcomes[:, columns, :] != Outcome.MISSING.code).any(axis=(1, 2))
    plain, opened = _views(table, question, convention=used)
    domain = np.flatnonzero(asked)
    counts = np.logical_and.reduce(plain.counted[domain][:, columns], axis=1)
    kept = domain[counts]
    nothing = not len(kept) or not references
    layout: Layout | None = None
    cells: Cells | None = None
    dropped = 1.0 if len(domain) else 0.0
    if not nothing:
        whole = _layout(table, question, domain=domain)
        dropped = float(whole.weights[~counts].sum())
        layout, _ = without(whole, counts)
        cells = _cells(table, question, plain=plain, opened=opened, kept=kept, names=references)
    return Sheet(
        suite=table.suite,
        form=table.form,
        convention=used.name,
        cells=cells,
        layout=layout,
        items=len(kept),
        kept=kept,
        not_asked=int((~asked).sum()),
        dropped_weight=dropped,
        open_candidate=0 if cells is None else cells.open_candidate,
        open_references=0 if cells is None else cells.open_references,
        epochs=table.outcomes.shape[2],
        scale=_scale(table, question, kept=kept),
        doubts=doubts | ({Doubt.NO_ITEMS} if not len(kept) else frozenset()),
    )


def _refuse(table: OutcomeTable, question: Question) -> None:
    mistakes = []
    known = ", ".join(table.systems)
    if question.candidate not in table.systems:
        read = f"no system {question.candidate!r}"
        mistakes.append(Mistake(file=table.suite, place="", read=read, expected=f"one of {known}"))
    if not question.registered:  # a rulebook's system that was not measured is a finding
        mistakes += [
            Mistake(
                file=table.suite, place="", read=f"no system {name!r}", expected=f"one of {known}"
            )
            for name in question.references
            if name not in table.systems
        ]
    if question.candidate in question.references:
        read = f"{question.candidate!r} beside itself"
        expected = "other systems for the frontier"
        mistakes.append(Mistake(file=table.suite, place="", read=read, expected=expected))
    if question.clusters != BY_CATEGORY and question.clusters not in table.clusters:
        expected = ", ".join([BY_CATEGORY, *sorted(table.clusters)])
        read = f"no clustering {question.clusters!r}"
        mistakes.append(
            Mistake(file=table.suite, place="clusters", read=read, expected=f"one of {expected}")
        )
    if question.chance == "item" and table.chance is None:
        mistakes.append(
            Mistake(
                file=table.suite,
                place="chance",
                read="nothing",
                expected="what guessing gets on each item",
                remedy="Give one share for all items, such as --chance 0.25; that is a convention.",
            )
        )
    if mistakes:
        raise InputError(mistakes)


def _doubts(
    table: OutcomeTable, question: Question, *, references: tuple[str, ...]
) -> Iterator[Doubt]:
    """Yield what the table itself says against a verdict."""
    if not table.paired:
        yield Doubt.NOT_PAIRED
    for flag in table.flags:
        concerned = not flag.systems or {question.candidate, *references} & set(flag.systems)
        if not concerned:
            continue
        if "pairing" in flag.blocks:
            yield Doubt.NOT_PAIRED
        if "run" in flag.blocks:
            yield Doubt.IDENTITY
        if "items" in flag.blocks:
            yield Doubt.NO_ITEMS


def _views(table: OutcomeTable, question: Question, *, convention: Convention) -> tuple[View, View]:
    """Return the view of the convention, and the one that leaves open what is not known.

    Where a run has many empty replies that nothing explains, those of unknown charge are open
    whatever is registered: nobody can say that they are the model's.
    """
    open_here = frozenset(each for each in question.open if convention.worth.get(each) != "drop")
    wide = convention.with_open(open_here)
    systems = {question.candidate, *question.references}
    heavy = any("verdict" in flag.blocks and systems & set(flag.systems) for flag in table.flags)
    if heavy and convention.worth[Outcome.NO_ANSWER] != "drop":
        worth = {**wide.worth, Outcome.NO_ANSWER: "by-charge"}
        wide = Convention(name=wide.name, worth=worth)
    return view(table, convention), view(table, wide)


def _layout(table: OutcomeTable, question: Question, *, domain: NDArray[np.intp]) -> Layout:
    strata = np.array(table.strata)[domain]
    labels = (
        strata
        if question.clusters == BY_CATEGORY
        else np.array(table.clusters[question.clusters])[domain]
    )
    weights: NDArray[np.float64] | None = None
    if question.weights == "category-macro":
        _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
        weights = 1.0 / sizes[codes]
    return layout_of(len(domain), weights=weights, strata=strata, clusters=labels)


def _cells(
    table: OutcomeTable,
    question: Question,
    *,
    plain: View,
    opened: View,
    kept: NDArray[np.intp],
    names: tuple[str, ...],
) -> Cells:
    def of(values: NDArray[np.float64]) -> Values:
        if question.chance == "item" and table.chance is not None:
            values = above_chance(values, table.chance)
        elif isinstance(question.chance, float):
            values = above_chance(values, question.chance)
        rows = values[kept]
        others = [table.system(name) for name in names]
        return Values(
            candidate=rows[:, table.system(question.candidate)].copy(),
            references=rows[:, others].copy(),
        )

    registered = of(plain.low)
    return cells_of(
        registered.candidate,
        registered.references,
        names=names,
        low=of(opened.low),
        high=of(opened.high),
    )


def _scale(
    table: OutcomeTable, question: Question, *, kept: NDArray[np.intp]
) -> tuple[float, float]:
    most = 0.0
    if question.chance == "item" and table.chance is not None and len(kept):
        most = float(table.chance[kept].max())
    elif isinstance(question.chance, float):
        most = question.chance
    return (-most / (1 - most), 1.0)
