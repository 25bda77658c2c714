"""A merge as the fields of a JSON document; what is missing is `null`, with the reason beside."""

from dokja.evidence.lineage.figures import interval, or_missing, rounded
from dokja.evidence.lineage.findings import ComponentFinding, ElectedReading, MergeReading
from dokja.evidence.lineage.relations import Relation
from dokja.values import Json

__all__ = ["merge_field"]


def merge_field(finding: ComponentFinding) -> dict[str, Json]:
    """Return the field `merge` of a finding, or why there is none."""
    left_open = finding.merge is None and Relation.MERGED in finding.relations
    unknown = "left open: a mixture with a model that was not given"
    return or_missing(
        "merge",
        None if finding.merge is None else _merge(finding.merge),
        why=unknown if left_open else "no sum of several references",
    )


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
