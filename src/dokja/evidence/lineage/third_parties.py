"""Models known to be strangers, laid beside the suspect by the agreement of neurons.

The turned control of a reference keeps its spectra and loses what training on the same text does
to strangers; only a third model shows that. So a relation that agreement found must stand far
above what any of them reaches, and one that is itself called related shows that the rule errs.
"""

from collections.abc import Sequence
from dataclasses import replace

from dokja.evidence.lineage.combining import look
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.findings import ComponentFinding
from dokja.evidence.lineage.pairs import Run
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import Derivation, Relation, derivation_of
from dokja.values import Reason

__all__ = ["beside_strangers", "held_to"]


def beside_strangers(run: Run, finding: ComponentFinding) -> tuple[ControlReading, ...]:
    """Return how far neurons of a component agree with those of every known stranger.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    controls = []
    for source, _ in run.strangers:
        pairs = run.bodies.facing(source).pairs(finding.component, finding.role)
        looked = [look(ours, theirs, plan=run.plan, rng=run.rng) for ours, theirs in pairs]
        shares = [one.share for each in looked for one in each.ran if one.share is not None]
        if shares:
            controls.append(
                ControlReading(
                    kind="independent",
                    name=source.name,
                    value=max(shares),
                    found=any(one.found is not None for one in looked),
                    measure="agreement",
                )
            )
    return tuple(controls)


def held_to(
    finding: ComponentFinding, controls: Sequence[ControlReading], *, plan: Plan
) -> ComponentFinding:
    """Return the finding held to what strangers reach by agreement."""
    beside = replace(finding, controls=(*finding.controls, *controls))
    if failing := [one.name for one in controls if one.found]:
        reason = Reason(code="lineage-control-failed", params={"controls": failing})
        return replace(
            beside,
            relations=(Relation.NOT_TESTABLE,),
            derivation=Derivation.CANNOT_TELL,
            reasons=(*finding.reasons, reason),
        )
    effect = finding.effect
    if effect is None or finding.measure != "agreement" or not finding.related:
        return beside
    if all(effect.value >= plan.third_party_factor * one.value for one in controls):
        return beside
    relations = (*finding.relations, Relation.NO_EVIDENCE)
    return replace(
        beside,
        relations=relations,
        derivation=derivation_of(relations),
        reasons=(*finding.reasons, Reason(code="lineage-strangers-too-near")),
    )
