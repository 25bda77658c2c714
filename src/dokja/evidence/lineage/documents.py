"""A run as one JSON document: the schema `dokja.trace/1`.

Fields are added and never renamed. What is missing is `null`, and a field of the same name that
ends in `_missing` says why. Controls stand inside of the finding that they belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.evidence.lineage.chances import SMALLEST_LOG10
from dokja.evidence.lineage.figures import interval, or_missing, rounded, rounded_or_none
from dokja.evidence.lineage.findings import (
    AdapterReading,
    BranchSummary,
    ComponentFinding,
    LayerAgreement,
    LayerReading,
    NeuronMap,
    TraceReport,
)
from dokja.evidence.lineage.many import Tracing
from dokja.evidence.lineage.merge_documents import merge_field
from dokja.evidence.lineage.other_facts import OtherFacts
from dokja.values import Json

__all__ = ["SCHEMA", "Named", "trace_document"]

SCHEMA = "dokja.trace/1"

_DRAWS = 10
_FOUND = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A model as a run names it.

    Attributes:
        name: Of its folder or file.
        digest: Of its weights.
    """

    name: str
    digest: str


def trace_document(
    tracing: Tracing,
    *,
    suspect: Named,
    references: Sequence[Named],
    exit_code: int,
    ranges_digest: str | None = None,
) -> dict[str, Json]:
    """Return a run as one JSON document.

    Args:
        tracing: What was found.
        suspect: The model in question.
        references: The references in their order.
        exit_code: What the command line ends with.
        ranges_digest: Over every range that was read; none where whole files are named instead.
    """
    return {
        "schema": SCHEMA,
        "exit": exit_code,
        "suspect": {"name": suspect.name, "digest": suspect.digest},
        "references": [{"name": one.name, "digest": one.digest} for one in references],
        "findings": [
            _finding(tracing, finding, reference=number) for number, finding in tracing.findings
        ],
        "component_reuse": [list(report.reused) for report in tracing.reports],
        "not_compared": [_not_compared(report) for report in tracing.reports],
        "not_lineage": _not_lineage(tracing.facts),
        "read": {
            "level": tracing.plan.depth,
            "bytes": tracing.bytes_read,
            "share": rounded(tracing.read_share),
            **or_missing(
                "ranges_digest",
                ranges_digest,
                why="local files are named whole, by the digests above",
            ),
        },
        **or_missing("calibration", _calibration(tracing), why="none was given"),
        "method": tracing.reports[0].method,
        "seed": tracing.seed,
        "tests_made": tracing.tests,
        "held_together": len(tracing.chances),
    }


def _finding(tracing: Tracing, finding: ComponentFinding, *, reference: int) -> dict[str, Json]:
    controls: list[Json] = [
        {
            "kind": "derived" if control.kind == "derived" else "null",
            "name": control.name,
            "measure": control.measure,
            "r": rounded(control.value),
            "found": control.found,
        }
        for control in finding.controls
    ]
    return {
        "component": finding.component,
        "role": finding.role,
        "reference": reference,
        "reference_component": finding.reference_component,
        "parameter_share": rounded(finding.parameter_share),
        **or_missing(
            "unmapped_share",
            rounded_or_none(finding.unmapped_share),
            why="neurons were not looked at, for want of bytes",
        ),
        "read_share": rounded(finding.read_share),
        "bytes_read": finding.bytes_read,
        "relations": [relation.value for relation in finding.relations],
        "derivation": finding.derivation.value,
        **or_missing(
            "direction",
            None if finding.direction is None else finding.direction.value,
            why="no one-way operation seen",
        ),
        "p": _chance(tracing, finding, reference=reference),
        "effect": _effect(finding),
        **_ratio(finding),
        **or_missing(
            "minimum_detectable",
            _power(finding),
            why="not even the strongest likeness that was tried would have been found",
        ),
        "detectable": {way: _of_draws(smallest) for way, smallest in finding.detectable},
        "re_expressed": list(finding.re_expressed),
        "branches": {one.branch: _branch(one) for one in finding.branches},
        **_maps(finding),
        "layers": _layers(finding),
        "layer_pairs": _rows(finding.pairs),
        "controls": controls,
        "reasons": [{"code": one.code, "params": dict(one.params)} for one in finding.reasons],
    }


def _chance(tracing: Tracing, finding: ComponentFinding, *, reference: int) -> Json:
    chance = tracing.chance(finding.component, reference)
    if chance is None:
        return None
    return {
        "log10": rounded(chance.log10),
        "kind": "approximate",
        "adjusted_for": len(tracing.chances),
        "adjusted_log10": rounded(chance.adjusted),
        "floor": chance.log10 <= SMALLEST_LOG10,
    }


def _effect(finding: ComponentFinding) -> dict[str, Json]:
    effect, branch = finding.effect, _telling(finding)
    aligned = finding.likeness
    if finding.measure == "centred_r" and effect is not None:
        aligned = effect.value
    two = None
    if branch is not None and branch.agreements:
        two = sum(one.two for one in branch.agreements) / sum(one.of for one in branch.agreements)
    return {
        "measure": finding.measure,
        **or_missing("interval", interval(effect), why="nothing could be compared"),
        **or_missing(
            "agreement_k3",
            None if branch is None else rounded_or_none(branch.share),
            why="no branch could match neurons",
        ),
        **or_missing("agreement_k2", rounded_or_none(two), why="no branch could match neurons"),
        **or_missing(
            "aligned_r", rounded_or_none(aligned), why="no relation lays the values on each other"
        ),
        **or_missing(
            "gain_r",
            None if finding.gains is None else rounded(finding.gains.value),
            why="no gain varies on both sides",
        ),
    }


def _telling(finding: ComponentFinding) -> BranchSummary | None:
    """Return the branch that found the relation, or the one that came nearest."""
    ran = [one for one in finding.branches if one.share is not None]
    return max(ran, key=lambda one: (one.found, one.share or 0.0), default=None)


def _power(finding: ComponentFinding) -> dict[str, Json] | None:
    if finding.minimum_detectable is None:
        return None
    return _of_draws(finding.minimum_detectable)


def _of_draws(smallest: float) -> dict[str, Json]:
    return {"r": smallest, "found": _FOUND, "of": _DRAWS}


def _branch(branch: BranchSummary) -> dict[str, Json]:
    return {
        "found": branch.found,
        **or_missing("share", rounded_or_none(branch.share), why=branch.missing),
        **or_missing("log10_p", rounded_or_none(branch.log10_p), why=branch.missing),
        **or_missing("null_share", rounded_or_none(branch.null), why=branch.missing),
        **or_missing("basis", rounded_or_none(branch.basis), why=branch.missing or "needs none"),
        "tests": branch.tests,
        "layer_pairs": _rows(branch.pairs),
    }


def _ratio(finding: ComponentFinding) -> dict[str, Json]:
    said = finding.calibrated
    if said is None or said.log10_ratio is None:
        why = "no calibration was given" if said is None else said.missing
        return or_missing("likelihood_ratio", None, why=why)
    return {
        "likelihood_ratio": {
            "log10_at_least": rounded(said.log10_ratio),
            "capped_by_root_pairs": said.capped_by,
            "classes": list(said.classes),
            "level": said.level,
        }
    }


def _calibration(tracing: Tracing) -> dict[str, Json] | None:
    said = [one.calibrated for _, one in tracing.findings if one.calibrated is not None]
    if not said:
        return None
    return {
        "id": said[0].calibration,
        "digest": str(said[0].digest),
        "inside_range": all(one.inside for one in said),
    }


def _maps(finding: ComponentFinding) -> dict[str, Json]:
    layers = finding.layer_map
    experts = finding.expert_map
    return {
        **or_missing(
            "layer_map",
            None if layers is None else [list(pair) for pair in layers],
            why="no relation, or no layers",
        ),
        **or_missing(
            "head_map",
            [list(one) for one in finding.head_map] or None,
            why="neurons show no relation, or heads are not known",
        ),
        **or_missing(
            "expert_map", [list(one) for one in experts] or None, why="no experts were mapped"
        ),
        "neuron_map": [_neurons(one) for one in finding.neuron_map],
        **merge_field(finding),
        **or_missing("adapter", _adapter(finding.adapter), why="no side is laid with an adapter"),
    }


def _neurons(one: NeuronMap) -> dict[str, Json]:
    return {
        "suspect": one.suspect,
        "block": one.block,
        "reference": one.reference,
        "reference_block": one.reference_block,
        "pairs": len(one.pairs),
        "of": one.of,
        "among": one.among,
    }


def _adapter(reading: AdapterReading | None) -> dict[str, Json] | None:
    if reading is None:
        return None
    return {
        "coefficient": interval(reading.coefficient),
        "r": rounded(reading.likeness),
        "r_of_twin": rounded(reading.twin),
        "left": rounded(reading.left),
        "matrices": reading.matrices,
        "merged": reading.merged,
        "untouched": reading.untouched,
    }


def _layers(finding: ComponentFinding) -> list[Json]:
    """Return each pair of layers that was taken, with its roles and its neurons."""
    telling = _telling(finding)
    agreements = (
        {} if telling is None else {(a.suspect, a.reference): a for a in telling.agreements}
    )
    readings = {(one.suspect, one.reference): one for one in finding.layers}
    return [
        _layer(pair, readings.get(pair), agreements.get(pair))
        for pair in sorted({*agreements, *readings})
    ]


def _layer(
    pair: tuple[int, int], reading: LayerReading | None, agreement: LayerAgreement | None
) -> dict[str, Json]:
    roles = None if reading is None else {role: rounded(value) for role, value in reading.roles}
    unmatched = "neurons agree most with another layer, or could not be matched"
    return {
        "suspect": pair[0],
        "reference": pair[1],
        **or_missing("k2", None if agreement is None else agreement.two, why=unmatched),
        **or_missing("k3", None if agreement is None else agreement.three, why=unmatched),
        **or_missing("m", None if agreement is None else agreement.of, why=unmatched),
        **or_missing("role_r", roles, why="the same coordinates map this layer elsewhere"),
    }


def _not_compared(report: TraceReport) -> dict[str, Json]:
    return {"components": list(report.absent), "tensors": list(report.unclaimed)}


def _not_lineage(facts: Sequence[OtherFacts]) -> dict[str, Json]:
    return {
        "tokenizer": [_tokenizer(one) for one in facts],
        "configuration": [_configuration(one) for one in facts],
        "files": [_files(one) for one in facts],
    }


def _files(facts: OtherFacts) -> dict[str, Json]:
    """Return which licences and notices lie beside either side; their digests tell copies."""
    return {
        key: value
        for side, found in zip(("suspect", "reference"), facts.notices, strict=True)
        for key, value in or_missing(
            side,
            None if found is None else {one.name: str(one.digest) for one in found},
            why="the weights lie at an address, beside which nothing is looked for",
        ).items()
    }


def _tokenizer(facts: OtherFacts) -> dict[str, Json] | None:
    if facts.tokenizers is None:
        return None
    return {
        "shared": facts.tokenizers.shared,
        "suspect": facts.tokenizers.child,
        "reference": facts.tokenizers.parent,
        "jaccard": rounded(facts.tokenizers.share),
        "same_row": rounded_or_none(facts.same_rows),
    }


def _configuration(facts: OtherFacts) -> dict[str, Json] | None:
    if not facts.configured:
        return None
    return {
        "equal": facts.same_settings,
        "different": [
            {"key": one.key, "suspect": one.suspect, "reference": one.reference}
            for one in facts.other_settings
        ],
    }


def _rows(rows: Sequence[Sequence[float | None]]) -> list[Json]:
    return [[rounded_or_none(value) for value in row] for row in rows]
