"""A merge as the fields of a JSON document; what is missing is `null`, with the reason beside."""

from dokja.evidence.lineage.figures import interval, or_missing, rounded
from dokja.evidence.lineage.findings import ComponentFinding, ElectedReading, MergeReading
from dokja.values import Json

__all__ = ["merge_field"]


def merge_field(finding: ComponentFinding) -> dict[str, Json]:
    """Return the field `merge` of a finding, or why there is none, and what is left open."""
    unknown = "left open: a mixture with a model that was not given"
    told = or_missing(
        "merge",
        None if finding.merge is None else _merge(finding.merge),
        why=unknown if finding.open_mixture else "no sum of several references",
    )
    return {**told, "open_mixture": finding.open_mixture}


def _merge(merge: MergeReading) -> dict[str, Json]:
    weighed = zip(merge.parents, merge.weights, strict=True)
    return {
        "parents": [{"name": name, "weight": interval(weight)} for name, weight in weighed],
        "left": rounded(merge.left),
        "left_by_one": rounded(merge.left_by_one),
        "left_by_twin": rounded(merge.left_by_twin),
        "layers": [[layer, [rounded(one) for one in weights]] for layer, weights in merge.layers],
        "tensors": merge.tensors,
        **or_missing(
            "elected",
            None if merge.elected is None else _elected(merge.elected),
            why=merge.not_elected,
        ),
    }


def _elected(elected: ElectedReading) -> dict[str, Json]:
    return {
        "base": elected.base,
        "form": elected.form,
        "scale": interval(elected.scale),
        "densities": [rounded(one) for one in elected.densities],
        "left_of_change": rounded(elected.left),
        "rounding": rounded(elected.rounding),
    }
