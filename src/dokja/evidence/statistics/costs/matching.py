"""Whether a candidate reaches the frontier at its own price, beside the frontier without a limit.

A model that thinks for thirty times the tokens may be better; whether it is better *for the money*
is another question, and both answers belong side by side.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.contrasts import Basis, Layout, Ratio, contrast
from dokja.evidence.statistics.costs.systems import CostedSystem, check_systems, mean_cost
from dokja.values import Measured, Missing, MissingReason

__all__ = ["CostMatched", "Reached", "cost_matched"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """Whether a candidate reaches a share of the best of some references.

    Attributes:
        p_at_least: P(ratio ≥ x): the smallest of the confidences over the references, as for a
            maximum of which nobody knows who it is.
        hardest: The reference with that smallest confidence.
        ratio: To the best of the references as measured; `Missing` where that is 0.
        references: Who was compared, by label.
    """

    p_at_least: float
    hardest: str
    ratio: float | Missing
    references: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CostMatched:
    """A candidate against the frontier at its own cost, beside the unlimited one.

    Attributes:
        candidate: Its label.
        unit: Of the costs.
        budget: The candidate's mean cost per item.
        matched: Against the references that cost no more; `Missing` where there is none.
        unlimited: Against all references, those of unknown cost among them.
        dearer: References that cost more.
        left_out: References whose cost is not known: they are in `unlimited` alone.
    """

    candidate: str
    unit: str
    budget: Measured
    matched: Reached | Missing
    unlimited: Reached | Missing
    dearer: tuple[str, ...]
    left_out: tuple[str, ...]


def cost_matched(
    candidate: CostedSystem,
    references: Sequence[CostedSystem],
    *,
    ratio: Ratio,
    layout: Layout,
    basis: Basis,
    unit: str,
    seed: int,
    level: float = 0.95,
) -> CostMatched:
    """Return P(ratio ≥ x) at the candidate's own cost and without a limit.

    Whether a reference costs more is read off the mean costs as measured.

    Args:
        candidate: Whose cost is the budget.
        references: Measured on the same items.
        ratio: What is required, x, above 0.
        layout: Of the items.
        basis: What another form would replace.
        unit: Of all costs.
        seed: Of the rulebook.
        level: Of the budget's interval, in (0, 1).

    Returns:
        `matched` is `Missing` where the candidate's cost is not known, or nobody is as cheap.

    Raises:
        ValueError: A label stands twice, shapes do not fit, or a cost is below 0.
    """
    check_systems([candidate, *references], layout=layout)

    def reached(among: Sequence[CostedSystem]) -> Reached | Missing:
        return _reached(candidate, among, ratio=ratio, layout=layout, basis=basis, seed=seed)

    nothing = Missing(reason=MissingReason.NOT_MEASURED, what=("cost", candidate.label))
    budget: Measured = nothing
    within, dearer, left_out = _by_price(references, candidate.known_costs, layout=layout)
    if candidate.known_costs is not None:
        budget = mean_cost(candidate.known_costs, layout=layout, basis=basis, level=level)
    return CostMatched(
        candidate=candidate.label,
        unit=unit,
        budget=budget,
        matched=nothing if isinstance(budget, Missing) else reached(within),
        unlimited=reached(references),
        dearer=dearer,
        left_out=left_out,
    )


def _by_price(
    references: Sequence[CostedSystem], own: NDArray[np.float64] | None, *, layout: Layout
) -> tuple[list[CostedSystem], tuple[str, ...], tuple[str, ...]]:
    """Return who costs no more on average, and the labels of who costs more or cannot be told."""
    within: list[CostedSystem] = []
    dearer: list[str] = []
    left_out: list[str] = []
    for each in sorted(references, key=lambda one: one.label):
        if each.known_costs is None:
            left_out.append(each.label)
        elif own is not None and layout.weights @ each.known_costs <= layout.weights @ own:
            within.append(each)
        elif own is not None:
            dearer.append(each.label)
    return within, tuple(dearer), tuple(left_out)


def _reached(
    candidate: CostedSystem,
    references: Sequence[CostedSystem],
    *,
    ratio: Ratio,
    layout: Layout,
    basis: Basis,
    seed: int,
) -> Reached | Missing:
    if not references:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    confidences: list[tuple[float, str]] = []
    for each in references:
        found = contrast(candidate.scores, each.scores, ratio=ratio, layout=layout, seed=seed)
        test = found.by(basis)
        if isinstance(test, Missing):
            return test
        confidences.append((test.p_at_least, each.label))
    least, hardest = min(confidences)
    best = max(float(layout.weights @ each.scores) for each in references)
    own = float(layout.weights @ candidate.scores)
    nothing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    return Reached(
        p_at_least=least,
        hardest=hardest,
        ratio=own / best if best > 0 else nothing,
        references=tuple(sorted(label for _, label in confidences)),
    )
