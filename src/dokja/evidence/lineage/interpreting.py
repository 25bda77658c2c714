"""What a calibration adds to a finding: a likelihood ratio, and classes that are ruled out.

A calibration narrows a set of relations and never makes one: a finding without evidence stays
without, and what the plan's rule found stays found. Where a relation is either training or a
shared random start, a class that known pairs speak against is dropped.
"""

from dataclasses import replace

from dokja.evidence.lineage.bodies import Body
from dokja.evidence.lineage.calibrations import Calibration, Features
from dokja.evidence.lineage.findings import ComponentFinding
from dokja.evidence.lineage.relations import Relation, derivation_of

__all__ = ["features_of", "interpreted"]


def features_of(finding: ComponentFinding) -> Features:
    """Return a finding's reading in the numbers that a calibration knows."""
    shares = [one.share for one in finding.branches if one.share is not None]
    correlations = [layer.value for layer in finding.layers]
    return Features(
        agreement=max(shares, default=None),
        correlation=sum(correlations) / len(correlations) if correlations else None,
        gains=None if finding.gains is None else finding.gains.value,
    )


def interpreted(
    finding: ComponentFinding, body: Body, *, calibration: Calibration
) -> ComponentFinding:
    """Return the finding with what a calibration says of it.

    Args:
        finding: What was read.
        body: The suspect's component.
        calibration: Of known pairs.
    """
    gated = any(layer.ffn is not None and layer.ffn.gate is not None for layer in body.layers)
    gated = gated or any(ffn.gate is not None for layer in body.layers for ffn in layer.experts)
    unseen = {Relation.NO_EVIDENCE, Relation.NOT_TESTABLE}
    said = calibration.says(
        features_of(finding),
        width=body.width,
        depth=len(body.layers),
        gated=gated,
        found=not unseen & set(finding.relations),
    )
    beside = replace(finding, calibrated=said)
    if not said.classes or Relation.SHARED_INITIALISATION not in finding.relations:
        return beside
    kept = tuple(one for one in finding.relations if _class(one) in said.classes)
    if not kept:
        return beside
    return replace(beside, relations=kept, derivation=derivation_of(kept))


def _class(relation: Relation) -> str:
    if relation is Relation.SHARED_INITIALISATION:
        return "shared_initialisation"
    return "derived" if relation.descends else "independent"
