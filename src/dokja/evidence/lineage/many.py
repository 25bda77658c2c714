"""Compares a model with several references, and holds what was found together.

The more references are looked at, the more chance has to play with: Holm's adjustment runs over
every component and every reference, and a relation whose adjusted chance is above the plan's
error rate is left open beside no evidence. A component that is related to several references may
be a mixture of them, which no single comparison can show.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log10

import numpy as np

from dokja.evidence.lineage.adapted import Model, bare
from dokja.evidence.lineage.chances import log10_chance_of
from dokja.evidence.lineage.components import ComponentSpec
from dokja.evidence.lineage.engines import Engine
from dokja.evidence.lineage.findings import ComponentFinding, MergeReading, TraceReport
from dokja.evidence.lineage.merging import decompose
from dokja.evidence.lineage.other_facts import OtherFacts, other_facts
from dokja.evidence.lineage.pieces import traced_apart
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import Relation, derivation_of
from dokja.evidence.lineage.tracing import trace
from dokja.evidence.statistics import holm
from dokja.models.weights import Source
from dokja.values import Reason

__all__ = ["Chance", "Tracing", "held_together", "trace_all"]

_LEAST_PARENTS = 2
_NO_SUM = frozenset({Relation.IDENTICAL, Relation.REQUANTISED, Relation.DEPTH_EDITED})
"""Relations that are said already, and that no sum would explain better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """The chance of one finding, as log₁₀; approximate.

    Attributes:
        component: Of the suspect.
        reference: The reference's number.
        log10: By itself.
        adjusted: After Holm, over all of the run.
    """

    component: str
    reference: int
    log10: float
    adjusted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracing:
    """What comparisons of one model with several references found.

    Attributes:
        suspect: Name of the suspect's files.
        reports: One for each reference, in the order given.
        facts: What is no lineage, for each reference.
        chances: One for each component and reference that could be looked at.
        tests: How many pairs of layers and of blocks were looked at in all.
        seed: Of every comparison.
        plan: By which rules.
    """

    suspect: str
    reports: tuple[TraceReport, ...]
    facts: tuple[OtherFacts, ...]
    chances: tuple[Chance, ...]
    tests: int
    seed: int
    plan: Plan

    @property
    def findings(self) -> tuple[tuple[int, ComponentFinding], ...]:
        """Every finding with its reference's number."""
        return tuple(
            (number, finding)
            for number, report in enumerate(self.reports)
            for finding in report.findings
        )

    def chance(self, component: str, reference: int) -> Chance | None:
        """Return the chance of a finding; none where nothing could be looked at."""
        return next(
            (
                one
                for one in self.chances
                if (one.component, one.reference) == (component, reference)
            ),
            None,
        )

    @property
    def read_share(self) -> float:
        """Share of the suspect's values that was read, beside the reference with most."""
        return max(
            sum(finding.read_share * finding.parameter_share for finding in report.findings)
            for report in self.reports
        )

    @property
    def bytes_read(self) -> int:
        """Of all sides, in all comparisons."""
        return sum(report.bytes_read for report in self.reports)


def trace_all(
    suspect: Model,
    references: Sequence[Model],
    *,
    seed: int,
    components: Mapping[str, ComponentSpec] | None = None,
    plan: Plan | None = None,
    controls: Sequence[Source] = (),
    progress: Callable[[str], None] | None = None,
    engine: Engine | None = None,
) -> Tracing:
    """Return what the suspect's components are consistent with, against every reference.

    Args:
        suspect: The model in question.
        references: The candidates; each is compared as if it were the only one.
        seed: Draws rows, row orders and controls, afresh for each reference, so that a report
            does not depend on what else was asked.
        components: The suspect's components as declared; by tensor names where none are.
        plan: What is read and from when on a likeness counts.
        controls: Models that are known to be strangers to the suspect.
        progress: Told what is compared before it is.
        engine: Where components and references are compared; one after the other, in this
            process, where there is none. The answer is the same.

    Raises:
        ValueError: There is no reference.
        ClusterError: The engine cannot do the work.
        WeightsError: A file changed since it was checked, or a tokenizer is damaged.
    """
    if not references:
        raise ValueError("a model can only be compared with a reference, and none was given")
    plan = plan if plan is not None else Plan()
    tell = progress if progress is not None else _silent
    reports = _reports(
        suspect,
        references,
        seed=seed,
        components=components,
        plan=plan,
        controls=controls,
        engine=engine,
        tell=tell,
    )
    chances = _chances(reports)
    reports = held_together(reports, chances, plan=plan)
    sources = tuple(bare(one) for one in (suspect, *references))
    _name_sums(reports, sources, seed=seed, components=components, plan=plan, tell=tell)
    return Tracing(
        suspect=sources[0].name,
        reports=tuple(reports),
        facts=tuple(other_facts(sources[0], reference) for reference in sources[1:]),
        chances=chances,
        tests=sum(report.tests for report in reports),
        seed=seed,
        plan=plan,
    )


def _reports(
    suspect: Model,
    references: Sequence[Model],
    *,
    seed: int,
    components: Mapping[str, ComponentSpec] | None,
    plan: Plan,
    controls: Sequence[Source],
    engine: Engine | None,
    tell: Callable[[str], None],
) -> list[TraceReport]:
    """Return one report for each reference, each as if it were the only one."""
    if engine is not None:
        return traced_apart(
            suspect,
            references,
            seed=seed,
            components=components,
            plan=plan,
            controls=controls,
            engine=engine,
            told=lambda count: tell(f"{count} comparisons done"),
        )
    return [
        trace(
            suspect,
            reference,
            rng=np.random.default_rng(seed),
            components=components,
            plan=plan,
            controls=controls,
            progress=_named(tell, bare(reference).name),
        )
        for reference in references
    ]


def _name_sums(
    reports: list[TraceReport],
    sources: Sequence[Source],
    *,
    seed: int,
    components: Mapping[str, ComponentSpec] | None,
    plan: Plan,
    tell: Callable[[str], None],
) -> None:
    """Call components merged, in place, that are sums of references; the suspect comes first."""
    for component, numbers in _may_be_sums(reports).items():
        tell(f"{component}: a sum of {len(numbers)} references?")
        merge = decompose(
            sources[0],
            [sources[1 + number] for number in numbers],
            component=component,
            rng=np.random.default_rng(seed),
            components=components,
            plan=plan,
        )
        if merge is not None:
            _name_merge(reports, merge, component=component, numbers=numbers)


def _silent(_: str) -> None:
    """Tell nobody."""


def held_together(
    reports: Sequence[TraceReport], chances: Sequence[Chance], *, plan: Plan
) -> list[TraceReport]:
    """Return the reports; a relation that chance could make among so many is left open."""
    held = list(reports)
    for chance in chances:
        if chance.adjusted > log10(plan.error_rate):
            held[chance.reference] = _with_finding(
                held[chance.reference], chance.component, _left_open
            )
    return held


def _named(progress: Callable[[str], None], reference: str) -> Callable[[str], None]:
    return lambda component: progress(f"{component} beside {reference}")


def _chances(reports: Sequence[TraceReport]) -> tuple[Chance, ...]:
    found = [
        (finding.component, number, log10_p)
        for number, report in enumerate(reports)
        for finding in report.findings
        if (log10_p := log10_chance_of(finding)) is not None
    ]
    adjusted = holm([log10_p for *_, log10_p in found])
    return tuple(
        Chance(component=component, reference=number, log10=log10_p, adjusted=held)
        for (component, number, log10_p), held in zip(found, adjusted, strict=True)
    )


def _with_finding(
    report: TraceReport, component: str, change: Callable[[ComponentFinding], ComponentFinding]
) -> TraceReport:
    findings = tuple(
        change(finding) if finding.component == component else finding
        for finding in report.findings
    )
    return replace(report, findings=findings)


def _left_open(finding: ComponentFinding) -> ComponentFinding:
    """Return a related finding with no evidence beside its relations; others as they are."""
    if not finding.related:
        return finding
    relations = (*finding.relations, Relation.NO_EVIDENCE)
    return replace(
        finding,
        relations=relations,
        derivation=derivation_of(relations),
        reasons=(*finding.reasons, Reason(code="lineage-many-tests")),
    )


def _may_be_sums(reports: Sequence[TraceReport]) -> dict[str, list[int]]:
    """Return components that are related to several references in the same coordinates."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for number, report in enumerate(reports):
        for finding in report.findings:
            if (
                finding.related
                and finding.measure == "centred_r"
                and not _NO_SUM & set(finding.relations)
            ):
                found[finding.component].append(number)
    return {name: numbers for name, numbers in found.items() if len(numbers) >= _LEAST_PARENTS}


def _name_merge(
    reports: list[TraceReport], merge: MergeReading, *, component: str, numbers: Sequence[int]
) -> None:
    """Call the component merged in the reports of those references that went into it."""
    relations = (Relation.MERGED,)
    for place in merge.models:
        reports[numbers[place]] = _with_finding(
            reports[numbers[place]],
            component,
            lambda finding: replace(
                finding,
                relations=relations,
                derivation=derivation_of(relations),
                merge=merge,
            ),
        )
