"""What a comparison says to the ledger: frozen values that a judge reads without arrays."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from dokja.evidence.benchmarks.comparing.comparisons import Comparison, Domain
from dokja.evidence.benchmarks.comparing.documents import decimal, document, document_bytes
from dokja.evidence.benchmarks.comparing.together import Together
from dokja.evidence.ledger import Draft
from dokja.evidence.statistics.contrasts import Basis, Clearance, GeneraliseTo, MarginTest, Shape
from dokja.values import Digest, Json, Missing

__all__ = ["Occasion", "reach_draft"]

_VERDICTS = {
    Clearance.CLEARS: "clears",
    Clearance.DOES_NOT_CLEAR: "does_not_clear",
    Clearance.UNDECIDED: "undecided",
}
_BY = {
    GeneraliseTo.BLUEPRINT: "strata",
    GeneraliseTo.NEW_CLUSTERS: "clusters",
    GeneraliseTo.BLUEPRINT_NEW_CLUSTERS: "clusters",
    GeneraliseTo.NEW_BENCHMARKS: "clusters",
}
_BASES = (Basis.ITEMS, Basis.STRATA, Basis.CLUSTERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """For which stage a measurement was made, of whom, and when.

    Attributes:
        stage: The stage.
        team: Whose model it is.
        model: The model's id in the ledger.
        rulebook: The version that registered the question.
        on: The day of the measurement.
        actor: Who made it.
    """

    stage: str
    team: str
    model: str
    rulebook: str
    on: date
    actor: str


def reach_draft(
    comparison: Comparison,
    occasion: Occasion,
    *,
    software: str,
    evidence: Iterable[str] = (),
    invented: bool = False,
) -> tuple[Draft, bytes]:
    """Return the entry that a comparison makes, and the document that is its blob.

    Several benchmarks are told by their combined verdict; the contrasts of each stand in the
    document.

    Args:
        comparison: What was found, under the rulebook's own terms.
        occasion: For which stage it was made, of whom, and when.
        software: Name and version of what computed it.
        evidence: Ids of entries, or digests of tables, that hold the outcomes.
        invented: Whether what it rests on was made by a seeded script.
    """
    listed = sorted(evidence)
    data = document_bytes(comparison, evidence=listed, software=software)
    said = document(comparison, evidence=listed, software=software)
    body = _body(comparison, occasion, document=said)
    body |= {
        "document": str(Digest.of(data)),
        "evidence": [*listed],
        "invented": invented,
    }
    draft = Draft(
        kind="reach",
        actor=occasion.actor,
        id=f"reach/{occasion.stage}/{occasion.model}/{Digest.of(data).short}",
        blobs=(Digest.of(data),),
        body=body,
    )
    return draft, data


def _body(
    comparison: Comparison, occasion: Occasion, *, document: Mapping[str, Json]
) -> dict[str, Json]:
    """Return what the entry says of the answer itself."""
    question = comparison.question
    body: dict[str, Json] = {
        "on": occasion.on.isoformat(),
        "stage": occasion.stage,
        "team": occasion.team,
        "model": occasion.model,
        "rulebook": occasion.rulebook,
        "references": list(comparison.references or question.references),
        "required": str(document["ratio_required"]),
        "benchmarks": [domain.sheet.suite for domain in comparison.domains],
        "items": comparison.items,
        "open": sum(d.sheet.open_candidate + d.sheet.open_references for d in comparison.domains),
        "dropped": max(domain.sheet.dropped_weight for domain in comparison.domains),
        "convention": question.convention.name,
        "generalise_to": question.terms.generalise_to.value,
        "decisive": _decisive(document),
        "standards": _standards(comparison),
        "flags": _flags(comparison),
        "verdict": _VERDICTS[comparison.verdict],
        "reasons": [doubt.value for doubt in comparison.doubts],
    }
    if not isinstance(comparison.ratio, Missing):
        body["ratio"] = decimal(comparison.ratio, places=4)
    if len(comparison.domains) == 1:
        body |= _alone(comparison.domains[0])
    elif comparison.combined is not None:
        body |= _bounds_of(comparison)
    return body


def _decisive(said: Mapping[str, Json]) -> str:
    benchmarks = said["benchmarks"]
    if isinstance(benchmarks, list) and len(benchmarks) == 1:
        first = benchmarks[0]
        estimate = first.get("estimate") if isinstance(first, dict) else None
        if isinstance(estimate, dict) and "decisive" in estimate:
            return str(estimate["decisive"])
        return "none"
    return "combined"


def _standards(comparison: Comparison) -> list[Json]:
    if comparison.combined is not None:
        if not comparison.together:
            return _each(comparison)
        return [_standard(each) for each in comparison.together]
    return _errors(comparison.domains[0])


def _standard(each: Together) -> dict[str, Json]:
    one: dict[str, Json] = {
        "by": _BY[each.goal],
        "delta": decimal(each.margin, places=6),
        "error": decimal(each.standard_error, places=6),
        "units": each.units,
        "p_reaches": decimal(each.p_at_least, places=3),
    }
    interval = each.interval
    if not isinstance(interval, Missing):
        ends = (interval.low, interval.high)
        if not any(isinstance(end, Missing) for end in ends):
            low, high = (decimal(float(end), places=4) for end in ends if isinstance(end, float))
            one["ratio"] = {"low": low, "high": high}
    return one


def _each(comparison: Comparison) -> list[Json]:
    """Return the contrasts of the benchmark that leaves least room, where each must clear."""
    found = [domain for domain in comparison.domains if domain.hardest is not None]
    if len(found) < len(comparison.domains):
        return []
    return _errors(min(found, key=lambda one: one.hardest.margin if one.hardest else 0.0))


def _errors(domain: Domain) -> list[Json]:
    if domain.hardest is None:
        return []
    intervals = dict(domain.intervals)
    listed: list[Json] = []
    for basis in _BASES:
        test = domain.hardest.by(basis)
        if not isinstance(test, MarginTest):
            continue
        one: dict[str, Json] = {
            "by": basis.value,
            "delta": decimal(domain.hardest.margin, places=6),
            "error": decimal(test.standard_error, places=6),
            "units": test.units,
            "p_reaches": decimal(test.p_at_least, places=3),
        }
        interval = intervals.get(basis)
        if interval is not None and interval.shape is Shape.BETWEEN:
            low, high = decimal(interval.low, places=4), decimal(interval.high, places=4)
            one["ratio"] = {"low": low, "high": high}
        listed.append(one)
    return listed


def _alone(domain: Domain) -> dict[str, Json]:
    body: dict[str, Json] = {}
    if domain.against:
        body["strictest"] = domain.against
    bounds = domain.reach.bounds
    if bounds is not None and not any(isinstance(end, Missing) for end in bounds):
        low, high = sorted(float(end) for end in bounds if not isinstance(end, Missing))
        body["bounds"] = {"low": decimal(low, places=4), "high": decimal(high, places=4)}
    body["conventions"] = [
        {"convention": name, "ratio": decimal(ratio, places=4)}
        for name, ratio in domain.conventions
        if not isinstance(ratio, Missing)
    ]
    fragile = domain.fragility
    if not isinstance(fragile, Missing):
        removed, share = fragile.removed, fragile.share
        if not isinstance(removed, Missing) and not isinstance(share, Missing):
            body["fragility"] = {"items": removed, "share": decimal(share, places=4)}
    if domain.grid is not None:
        counts = {each.verdict: each.cells for each in domain.grid.shares}
        body["multiverse"] = {key: counts.get(v, 0) for v, key in _VERDICTS.items()}
    if domain.reach.verdict is Clearance.UNDECIDED and not isinstance(domain.settling, Missing):
        needed = domain.settling.at_estimate.items_in_all
        if not isinstance(needed, Missing):
            body["settles_items"] = needed
    if domain.reask is not None:
        body["settles_reask"] = domain.reask.samples
    return body


def _bounds_of(comparison: Comparison) -> dict[str, Json]:
    combined = comparison.combined
    if combined is None or combined.worst is None or combined.best is None:
        return {}
    ends = (combined.worst.ratio, combined.best.ratio)
    if any(isinstance(end, Missing) for end in ends):
        return {}
    low, high = sorted(float(end) for end in ends if not isinstance(end, Missing))
    return {"bounds": {"low": decimal(low, places=4), "high": decimal(high, places=4)}}


def _flags(comparison: Comparison) -> list[Json]:
    counts: Counter[str] = Counter()
    for domain in comparison.domains:
        for flag in domain.flags:
            counts[flag.name] += flag.count
    return [{"flag": name, "count": count} for name, count in sorted(counts.items())]
