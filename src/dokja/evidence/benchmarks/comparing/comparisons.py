"""From outcomes to an answer: does a model reach the required share of the frontier?

The verdict is that of `evidence.statistics` on the registered view. Everything else that is
computed here stands beside it and decides nothing: the same by other errors and under other
conventions, how little would turn it, what would settle it, and the maximum as it is drawn.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from dokja.evidence.benchmarks.comparing.grids import grid_of
from dokja.evidence.benchmarks.comparing.questions import Question
from dokja.evidence.benchmarks.comparing.sheets import Sheet, sheet_of
from dokja.evidence.benchmarks.comparing.together import Together, benchmarks_of, together
from dokja.evidence.benchmarks.tables import Flag, OutcomeTable
from dokja.evidence.statistics.contrasts import (
    Basis,
    Clearance,
    CombinedReach,
    Contrast,
    Doubt,
    Floats,
    Fragility,
    FrontierDraws,
    Multiverse,
    RatioInterval,
    Reach,
    Reask,
    ReferenceMode,
    Settling,
    combined_reach,
    fragility,
    frontier_draws,
    leave_one_out,
    ratio_interval,
    reach,
    reask,
    right_counts,
    settling,
    unmeasured,
)
from dokja.values import Missing, MissingReason

__all__ = ["Comparison", "Domain", "compare"]

_DRAWS = 2_000
_BASES = (Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Domain:
    """What one benchmark says.

    Attributes:
        sheet: How it was laid out.
        reach: The answer on it alone.
        hardest: The contrast that the answer turned on; None where there is none.
        against: The reference of that contrast; empty where there is none.
        intervals: Fieller's interval of the ratio to it, by each error that could be told.
        conventions: The ratio under each other convention, by its name.
        fragility: How few items carry the point verdict; `Missing` for graded scores.
        settling: What would settle the question; `Missing` where nothing was contrasted.
        reask: How many open samples must be asked again; None where that is not the doubt.
        draws: The maximum of several references as it is drawn; None for one reference.
        grid: The same record read in every other way; None where there is nothing to read.
        flags: What was noticed about the data of the compared systems.
    """

    sheet: Sheet
    reach: Reach
    hardest: Contrast | None
    against: str
    intervals: tuple[tuple[Basis, RatioInterval], ...]
    conventions: tuple[tuple[str, float | Missing], ...]
    fragility: Fragility | Missing
    settling: Settling | Missing
    reask: Reask | None
    draws: FrontierDraws | None
    grid: Multiverse | None
    flags: tuple[Flag, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The answer to a question.

    Attributes:
        question: What was asked.
        domains: What each benchmark says, in the order in which they came.
        combined: What they say together; None for one benchmark.
        without: The verdict with each benchmark left out in turn; empty for one.
        references: Those that were measured on every benchmark.
        together: Over several benchmarks, what each error says; empty for one benchmark and where
            each stands for itself.
        unmade: Why several benchmarks could not be put together; empty where they were.
    """

    question: Question
    domains: tuple[Domain, ...]
    combined: CombinedReach | None
    without: tuple[tuple[str, Clearance], ...]
    references: tuple[str, ...]
    together: tuple[Together, ...] = ()
    unmade: tuple[Doubt, ...] = ()

    @property
    def verdict(self) -> Clearance:
        """The answer."""
        if self.unmade:
            return Clearance.UNDECIDED
        return self.domains[0].reach.verdict if self.combined is None else self.combined.verdict

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """Why it is undecided; empty where it is decided."""
        if self.unmade:
            return self.unmade
        return self.domains[0].reach.doubts if self.combined is None else self.combined.doubts

    @property
    def ratio(self) -> float | Missing:
        """The ratio to the frontier under the registered convention."""
        if self.combined is not None:
            return self.combined.registered.ratio
        if self.unmade:
            return Missing(reason=MissingReason.PARTS_MISSING, what=("benchmarks",))
        first = self.domains[0].reach.registered
        if first is None:
            return Missing(reason=MissingReason.NOT_MEASURED, what=("items",))
        return first.ratio

    @property
    def items(self) -> int:
        """On how many items."""
        return sum(domain.sheet.items for domain in self.domains)


def compare(
    tables: Sequence[OutcomeTable], question: Question, *, doubts: Iterable[Doubt] = ()
) -> Comparison:
    """Return the answer to a question.

    Args:
        tables: One for each benchmark, each named once.
        question: What is asked.
        doubts: What the caller knows of identity, scorers and the frontier.

    Raises:
        InputError: A table does not hold what the question asks for; every mistake of the first
            such table.
        ValueError: No table, or two of one name.
    """
    names = [table.suite for table in tables]
    if not tables or len(set(names)) < len(names):
        raise ValueError("a comparison needs benchmarks, each once")
    known = frozenset(doubts)
    there = tuple(
        name for name in question.references if all(name in table.systems for table in tables)
    )
    if len(there) < len(question.references) and not question.may_lack:
        known |= {Doubt.FRONTIER_INCOMPLETE}
    asked = replace(question, references=there) if question.registered else question
    domains = tuple(_domain(table, asked, doubts=known) for table in tables)
    found = partial(Comparison, question=question, domains=domains, references=there)
    if len(domains) == 1:
        return found(combined=None, without=())
    unmade = {d for one in domains if one.sheet.cells is None for d in one.reach.doubts}
    if unmade:
        listed = tuple(doubt for doubt in Doubt if doubt in unmade)
        return found(combined=None, without=(), unmade=listed)
    combined, without = _combined(domains, asked, doubts=known)
    return found(
        combined=combined,
        without=without,
        together=together([domain.sheet for domain in domains], asked),
    )


def _domain(table: OutcomeTable, question: Question, *, doubts: frozenset[Doubt]) -> Domain:
    sheet = sheet_of(table, question)
    found = doubts | sheet.doubts
    concerned = {question.candidate, *question.references}
    flags = tuple(f for f in table.flags if not f.systems or concerned & set(f.systems))
    nothing = Missing(reason=MissingReason.NOT_MEASURED, what=("items",))
    if sheet.cells is None or sheet.layout is None:
        return Domain(
            sheet=sheet,
            reach=unmeasured(question.terms, doubts=found or {Doubt.NO_ITEMS}),
            hardest=None,
            against="",
            intervals=(),
            conventions=(),
            fragility=nothing,
            settling=nothing,
            reask=None,
            draws=None,
            grid=None,
            flags=flags,
        )
    answer = _reach(sheet, question, doubts=found)
    return _told(table, question, sheet=sheet, answer=answer, flags=flags)


def _reach(sheet: Sheet, question: Question, *, doubts: frozenset[Doubt]) -> Reach:
    """Return the answer; who is below one of the references is, whoever else was not measured."""
    if sheet.cells is None or sheet.layout is None:
        raise ValueError("nothing was measured")
    asked = partial(
        reach,
        sheet.cells,
        sheet.layout,
        terms=question.terms,
        dropped_weight=sheet.dropped_weight,
        scale=sheet.scale,
    )
    answer = asked(doubts=doubts - {Doubt.FRONTIER_INCOMPLETE})
    if Doubt.FRONTIER_INCOMPLETE in doubts and answer.verdict is not Clearance.DOES_NOT_CLEAR:
        return asked(doubts=doubts)
    return answer


def _told(
    table: OutcomeTable,
    question: Question,
    *,
    sheet: Sheet,
    answer: Reach,
    flags: tuple[Flag, ...],
) -> Domain:
    """Return the answer with everything that stands beside it."""
    cells, layout, terms = sheet.cells, sheet.layout, question.terms
    if cells is None or layout is None or answer.registered is None:
        raise ValueError("nothing was measured")
    place = _hardest(answer)
    contrasted = answer.registered.contrasts[place]
    crossfit = terms.mode is ReferenceMode.CROSSFIT and len(cells.names) > 1
    own = cells.registered.candidate
    other = cells.registered.references[:, 0 if crossfit else place]
    found = [
        (basis, ratio_interval(own, other, layout=layout, basis=basis))
        for basis in _BASES
        if not crossfit
    ]
    doubtful = Doubt.FAULTS in answer.doubts
    return Domain(
        sheet=sheet,
        reach=answer,
        hardest=contrasted,
        against="" if crossfit else cells.names[place],
        intervals=tuple(
            (basis, interval) for basis, interval in found if isinstance(interval, RatioInterval)
        ),
        conventions=tuple(
            (each.name, _ratio_under(table, question, name=each.name)) for each in question.beside
        ),
        fragility=_fragility(sheet, own=own, other=other, question=question),
        settling=settling(contrasted, own - float(terms.ratio) * other, layout=layout, terms=terms),
        reask=reask(cells, layout, terms=terms, scale=sheet.scale) if doubtful else None,
        draws=_draws(sheet, question, answer=answer) if len(cells.names) > 1 else None,
        grid=grid_of(table, question),
        flags=flags,
    )


def _hardest(answer: Reach) -> int:
    """Return the place of the reference that leaves least room, by the error that decides."""
    if answer.registered is None or answer.basis is None:
        return 0
    margins = []
    for each in answer.registered.contrasts:
        test = each.by(answer.basis)
        margins.append((each.margin if isinstance(test, Missing) else test.p_at_least, each.margin))
    return min(range(len(margins)), key=lambda place: margins[place])


def _ratio_under(table: OutcomeTable, question: Question, *, name: str) -> float | Missing:
    other = next(each for each in question.beside if each.name == name)
    sheet = sheet_of(table, question, convention=other)
    if sheet.cells is None or sheet.layout is None:
        return Missing(reason=MissingReason.NOT_MEASURED, what=("items",))
    values = sheet.cells.registered
    top = float((sheet.layout.weights @ values.references).max())
    if top <= 0:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference",))
    return float(sheet.layout.weights @ values.candidate) / top


def _fragility(
    sheet: Sheet, *, own: Floats, other: Floats, question: Question
) -> Fragility | Missing:
    graded = Missing(reason=MissingReason.NOT_COMPARABLE, what=("graded",))
    if question.weights != "items" or question.chance != "none":
        return graded  # the count is exact for items that weigh alike, and right answers only
    first, second = (right_counts(values, epochs=sheet.epochs) for values in (own, other))
    if isinstance(first, Missing) or isinstance(second, Missing):
        return graded
    return fragility(first, second, ratio=question.terms.ratio)


def _draws(sheet: Sheet, question: Question, *, answer: Reach) -> FrontierDraws | None:
    if sheet.cells is None or sheet.layout is None:
        return None
    basis = Basis.ITEMS if answer.basis is None else answer.basis
    if basis not in _BASES:
        basis = Basis.CLUSTERS  # the draw takes whole clusters, wherever they lie
    return frontier_draws(
        sheet.cells.registered,
        sheet.layout,
        ratio=question.terms.ratio,
        basis=basis,
        draws=_DRAWS,
        seed=question.terms.seed,
    )


def _combined(
    domains: Sequence[Domain], question: Question, *, doubts: frozenset[Doubt]
) -> tuple[CombinedReach, tuple[tuple[str, Clearance], ...]]:
    parts, scale = benchmarks_of([domain.sheet for domain in domains], question)
    found = set(doubts)
    for domain in domains:
        found |= set(domain.sheet.doubts) | (set(domain.reach.doubts) & _OF_DATA)
    asked = partial(
        combined_reach,
        parts,
        combine=question.combine,
        frontier=question.frontier,
        terms=question.terms,
        scale=scale,
    )
    answer = asked(doubts=found - {Doubt.FRONTIER_INCOMPLETE})
    if Doubt.FRONTIER_INCOMPLETE in found and answer.verdict is not Clearance.DOES_NOT_CLEAR:
        answer = asked(doubts=found)
    left = leave_one_out(
        parts, combine=question.combine, frontier=question.frontier, terms=question.terms
    )
    return answer, tuple((name, each.verdict) for name, each in left)


_OF_DATA = frozenset({Doubt.DOMAIN_SHRUNK, Doubt.NOT_PAIRED, Doubt.NO_ITEMS, Doubt.IDENTITY})
