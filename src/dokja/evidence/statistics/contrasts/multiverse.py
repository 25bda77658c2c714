"""Every defensible analysis side by side, with the registered one marked.

The grid is convention × aggregation × correction for chance × error × reference mode. It shows
what a verdict would have been under other rules; it informs and never decides, because whoever
may choose the rule after the fact may choose the verdict (design/measurement 5.10).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from dokja.evidence.statistics.contrasts.cells import Values
from dokja.evidence.statistics.contrasts.contrast import Scale
from dokja.evidence.statistics.contrasts.layouts import Layout
from dokja.evidence.statistics.contrasts.readings import Reading, reading
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
)
from dokja.values import Missing

__all__ = ["Multiverse", "Universe", "VerdictShare", "Verdicts", "multiverse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Universe:
    """One way to turn outcomes into values.

    Attributes:
        convention: How outcomes became values, such as `strict`.
        aggregation: How items were weighed, such as `items` or `category-macro`.
        chance: What was taken off for guessing, such as `raw` or `0.25`.
        values: Of the candidate and each reference, on the items that count for all.
        layout: Of these items.
        scale: Least and greatest value of an item.
    """

    convention: str
    aggregation: str
    chance: str
    values: Values
    layout: Layout
    scale: Scale = (0.0, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """One cell of the grid.

    Attributes:
        convention: As in the universe.
        aggregation: As in the universe.
        chance: As in the universe.
        generalise_to: Which error was used.
        mode: How the references made one frontier.
        ratio: To the best reference; `Missing` if that is at 0.
        p_at_least: P(ratio ≥ x) by that error; `Missing` where there is none.
        verdict: Of this cell.
        registered: Whether this is the one that decides.
    """

    convention: str
    aggregation: str
    chance: str
    generalise_to: GeneraliseTo
    mode: ReferenceMode
    ratio: float | Missing
    p_at_least: float | Missing
    verdict: Clearance
    registered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictShare:
    """How many cells give a verdict."""

    verdict: Clearance
    cells: int
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Multiverse:
    """The grid as one curve.

    Attributes:
        cells: In the order of their ratio; cells without a ratio come last.
        shares: How many cells give each verdict, in the order of `Clearance`.
        lowest: The smallest ratio of all cells that have one; None where none has.
        highest: The greatest.
    """

    cells: tuple[Verdicts, ...]
    shares: tuple[VerdictShare, ...]
    lowest: float | None
    highest: float | None


def multiverse(
    universes: Sequence[Universe],
    *,
    terms: ReachTerms,
    registered: tuple[str, str, str],
    goals: Iterable[GeneraliseTo] = (GeneraliseTo.BLUEPRINT, GeneraliseTo.NEW_CLUSTERS),
    modes: Iterable[ReferenceMode] = (ReferenceMode.ALL,),
) -> Multiverse:
    """Return what every cell of the grid says.

    Args:
        universes: Views that were made beforehand, each combination of names once.
        terms: What was registered.
        registered: Convention, aggregation and chance of the view that decides.
        goals: Which errors to show.
        modes: Which reference modes to show.

    Raises:
        ValueError: No universe, a combination twice, or the registered cell is not in the grid.

    Example:
        >>> import numpy as np
        >>> from dokja.evidence.statistics.contrasts import Values, layout_of, reach_terms
        >>> got = np.tile([1.0, 0.0, 1.0, 1.0], 100)
        >>> one = Universe(convention="strict", aggregation="items", chance="raw",
        ...                values=Values(candidate=got, references=np.roll(got, 1)[:, None]),
        ...                layout=layout_of(400, clusters=np.arange(400) // 4))
        >>> found = multiverse([one], terms=reach_terms(".9", seed=1),
        ...                    registered=("strict", "items", "raw"))
        >>> [(cell.verdict.value, cell.registered) for cell in found.cells]
        [('undecided', False), ('clears', True)]
    """
    goals, modes = tuple(goals), tuple(modes)
    names = [(each.convention, each.aggregation, each.chance) for each in universes]
    if len(set(names)) < len(names):
        raise ValueError("a view stands twice in the grid")
    if registered not in names or terms.generalise_to not in goals or terms.mode not in modes:
        raise ValueError(
            "the registered view is not in the grid, and nothing else may stand for it"
        )
    cells = []
    for universe, name in zip(universes, names, strict=True):
        for mode in modes:
            for goal in goals:
                here = replace(terms, generalise_to=goal, mode=mode)
                found = reading(universe.values, universe.layout, terms=here, scale=universe.scale)
                is_it = name == registered and (goal, mode) == (terms.generalise_to, terms.mode)
                cells.append(_cell(universe, found, terms=here, registered=is_it))
    ratios = [cell.ratio for cell in cells if isinstance(cell.ratio, float)]
    shares = []
    for verdict in Clearance:
        count = sum(cell.verdict is verdict for cell in cells)
        shares.append(VerdictShare(verdict=verdict, cells=count, share=count / len(cells)))
    return Multiverse(
        cells=tuple(sorted(cells, key=_place)),
        shares=tuple(shares),
        lowest=min(ratios, default=None),
        highest=max(ratios, default=None),
    )


def _cell(universe: Universe, found: Reading, *, terms: ReachTerms, registered: bool) -> Verdicts:
    basis = terms.generalise_to.basis(crossed=universe.layout.crossed is not None)
    return Verdicts(
        convention=universe.convention,
        aggregation=universe.aggregation,
        chance=universe.chance,
        generalise_to=terms.generalise_to,
        mode=terms.mode,
        ratio=found.ratio,
        p_at_least=found.p_at_least(basis),
        verdict=found.verdict,
        registered=registered,
    )


def _place(cell: Verdicts) -> tuple[bool, float]:
    """Return where a cell stands on the curve."""
    return isinstance(cell.ratio, Missing), cell.ratio if isinstance(cell.ratio, float) else 0.0
