"""A report as entries for the ledger: one `finding` for each component."""

from collections.abc import Mapping
from datetime import date

from dokja.evidence.ledger import Draft
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.findings import ComponentFinding, MergeReading, TraceReport
from dokja.values import Estimate, Json

__all__ = ["finding_drafts"]

_FIGURES = 6
"""Figures after the point. The last bits of a sum differ between machines; a ledger entry that
is made again should not."""

# Why a comparison could not be made or says less, in both languages of the ledger.
_NOTES: Mapping[str, tuple[str, str]] = {
    "lineage-shapes-differ": (
        "역할과 모양이 같은 텐서가 없어 비교할 수 없다. 두 모델이 무관하다는 뜻은 아니다.",
        "No tensor has the same role and shape on both sides: nothing was compared or ruled out.",
    ),
    "lineage-shapes-differ-mostly": (
        "값의 절반 이상이 상대 모델에 같은 모양의 짝이 없어 판단할 수 없다.",
        "Most of the values have no counterpart of the same shape, so that nothing can be told.",
    ),
    "lineage-too-many-layers": (
        "층이 너무 많아 서로 비교할 수 없다. 두 모델이 무관하다는 뜻은 아니다.",
        "There are too many layers to compare each with each: nothing was ruled out.",
    ),
    "lineage-control-failed": (
        "진실을 아는 대조군에서 방법이 어긋나 이 비교로는 판단할 수 없다.",
        "The method erred on a control whose truth is known: this comparison carries no verdict.",
    ),
    "lineage-strangers-too-near": (
        "무관한 것으로 알려진 모델도 비슷한 값을 보여 판단할 수 없다.",
        "A model known to be a stranger comes too near for a verdict.",
    ),
    "lineage-many-tests": (
        "여러 모델과 견주었으므로 이 정도의 값은 우연으로도 나올 수 있어 판단할 수 없다.",
        "Among as many comparisons as were made, chance alone may show as much: no verdict.",
    ),
    "lineage-budget": (
        "읽을 수 있는 바이트가 정해져 있어 뉴런의 일치는 보지 않았다.",
        "The budget of bytes left no room for matching neurons.",
    ),
    "lineage-laid-onto-it": (
        "어댑터를 바로 이 모델 위에 얹었으므로 둘이 닮은 것은 그렇게 만들었기 때문이다.",
        "The adapter was laid onto this very reference: the sum is alike because of that.",
    ),
    "lineage-by-agreement": (
        "같은 좌표가 아니라 뉴런 대응의 일치로 본 결과다. 효과는 일치한 뉴런의 비율이다.",
        "Seen by how neurons match, not in the same coordinates; the effect is their share.",
    ),
    "lineage-token-rows-only": (
        "관계가 층이 아니라 같은 토큰의 임베딩 행에서만 보인다. 효과는 그 행의 값이다.",
        "The relation shows in the rows of shared tokens only; the effect is theirs.",
    ),
}

_LEFT_OUT = (
    "비교할 수 없는 값이 있어 제외된 텐서 {n}개.",
    "Tensors left out because their values cannot be compared: {n}.",
)
_MERGED = (
    "여러 모델의 가중 합으로 설명된다: {parents}. 남는 에너지 {left:.1%}.",
    "Explained as a weighted sum: {parents}; energy left {left:.1%}.",
)
_ELECTED = (
    "기반 {base}에 변화를 골라 더한 것(TIES)으로 설명된다: {parents}. 남는 에너지 {left:.1%}.",
    "Explained by elected changes of {base} (TIES): {parents}; energy left {left:.1%}.",
)
_UNCLAIMED = (
    "신고된 구성요소에 속하지 않아 비교되지 않은 텐서 {n}개.",
    "Tensors that belong to no declared component, and were not compared: {n}.",
)


def finding_drafts(
    report: TraceReport, *, model: str, reference: str, on: date, actor: str
) -> tuple[Draft, ...]:
    """Return a `finding` entry for each component of the report.

    Args:
        report: What `trace` returned.
        model: The suspect's id in the ledger.
        reference: The reference's id in the ledger, or its name outside.
        on: The day of the comparison.
        actor: Who says it: an organisation or office.
    """
    return tuple(
        Draft(
            kind="finding",
            actor=actor,
            body=_body(report, finding, model=model, reference=reference, on=on),
        )
        for finding in report.findings
    )


def _body(
    report: TraceReport, finding: ComponentFinding, *, model: str, reference: str, on: date
) -> dict[str, Json]:
    body: dict[str, Json] = {
        "on": on.isoformat(),
        "model": model,
        "component": finding.component,
        "reference": reference,
        "relations": [relation.value for relation in finding.relations],
        "derivation": finding.derivation.value,
        "direction": None if finding.direction is None else finding.direction.value,
        "measure": finding.measure,
        "effect": _interval(finding.effect),
        "layer_map": None if finding.layer_map is None else [list(p) for p in finding.layer_map],
        "layers_compared": finding.layers_compared,
        "controls": [
            {
                "kind": control.kind,
                "name": _named(control),
                "value": round(control.value, _FIGURES),
                "found": control.found,
            }
            for control in finding.controls
        ],
        "minimum_detectable": finding.minimum_detectable,
        "parameter_share": round(finding.parameter_share, _FIGURES),
        "read_share": round(finding.read_share, _FIGURES),
        "bytes_read": finding.bytes_read,
        "facts": _facts(report),
        "method": report.method,
        "basis": "measured",
        "observed": on.isoformat(),
    }
    if (note := _note(report, finding)) is not None:
        body["note"] = note
    return body


def _named(control: ControlReading) -> str:
    """Return a control's name; a third model may stand there by either way of looking."""
    third = control.kind == "independent" and not control.name.startswith("reference-")
    return f"{control.name}, matched" if third and control.measure == "agreement" else control.name


def _facts(report: TraceReport) -> dict[str, Json]:
    """Return what is no lineage and stands beside it."""
    if report.tokenizers is None:
        return {}
    return {"tokenizer_overlap": round(report.tokenizers.share, _FIGURES)}


def _interval(effect: Estimate | None) -> dict[str, Json] | None:
    if effect is None:
        return None
    return {
        "value": round(effect.value, _FIGURES),
        "low": round(effect.low, _FIGURES),
        "high": round(effect.high, _FIGURES),
        "level": effect.level,
        "kind": effect.kind.value,
        "standard_error": (
            None if effect.standard_error is None else round(effect.standard_error, _FIGURES)
        ),
    }


def _note(report: TraceReport, finding: ComponentFinding) -> dict[str, Json] | None:
    """Return what a reader should know besides; None where there is nothing."""
    said = [_NOTES[reason.code] for reason in finding.reasons if reason.code in _NOTES]
    left_out = sum(reason.code == "lineage-tensor-left-out" for reason in finding.reasons)
    if left_out:
        korean, english = _LEFT_OUT
        said.append((korean.format(n=left_out), english.format(n=left_out)))
    if finding.merge is not None:
        said.append(_merged(finding.merge))
    if report.unclaimed:
        korean, english = _UNCLAIMED
        n = len(report.unclaimed)
        said.append((korean.format(n=n), english.format(n=n)))
    if not said:
        return None
    return {"ko": " ".join(ko for ko, _ in said), "en": " ".join(en for _, en in said)}


def _merged(merge: MergeReading) -> tuple[str, str]:
    """Return what a merge is made of, in Korean and in English."""
    weighed = zip(merge.parents, merge.weights, strict=True)
    told = {
        "parents": ", ".join(f"{name} {weight.value:.2f}" for name, weight in weighed),
        "left": merge.left,
        "base": "" if merge.elected is None else merge.elected.base,
    }
    korean, english = _MERGED if merge.elected is None else _ELECTED
    return korean.format(**told), english.format(**told)
