"""Whether a configuration says the sizes that the headers show.

Headers outrank it: what it says otherwise changes nothing in a body but its doubts.
"""

from collections.abc import Iterable, Sequence

from dokja.evidence.lineage.bodies import Layer
from dokja.evidence.lineage.outside import Outside
from dokja.evidence.lineage.patterns import listed
from dokja.evidence.lineage.shapes import Survey

__all__ = ["check_sizes"]


def check_sizes(survey: Survey, layers: Sequence[Layer], around: Outside) -> None:
    """Note a doubt for every size that the configuration states otherwise than the headers.

    Args:
        survey: Of the body; it holds the claims.
        layers: Of the body.
        around: What stands outside of them.
    """
    _check(survey, "width", {survey.width}, "dimensions of the residual stream")
    if layers and survey.claims.role != "draft-head":
        more = survey.claims.said.get("num_global_layers")
        extra = more if isinstance(more, int) and not isinstance(more, bool) else 0
        _check(survey, "layers", {len(layers)}, "layers", added=extra)
    tokens = {cell.units for cell in (around.embedding, around.head) if cell is not None}
    # An embedding may have rows for more than what the head can say, such as pictures.
    said = {claim.value for claim in survey.claims.sizes("vocabulary")}
    if not said & tokens:
        _check(survey, "vocabulary", tokens, "rows of the embedding")
    halved = survey.claims.model_type in listed("halved_ffn", "types")
    dense = {layer.ffn.up.units for layer in layers if layer.ffn is not None}
    _check(survey, "ffn", {2 * units for units in dense} if halved else dense, "neurons")
    routed = {expert.up.units for layer in layers for expert in layer.experts}
    of_experts = "expert_ffn" if survey.claims.size("expert_ffn") is not None else "ffn"
    _check(survey, of_experts, routed, "neurons of an expert")
    _check(survey, "experts", {len(layer.experts) for layer in layers if layer.experts}, "experts")


def _check(survey: Survey, what: str, found: Iterable[int], thing: str, *, added: int = 0) -> None:
    claims = survey.claims.sizes(what)
    allowed = {claim.value for claim in claims} | {claim.value + added for claim in claims}
    for size in sorted(set(found) - allowed) if claims else ():
        said = ", ".join(f"{claim.key} {claim.value}" for claim in claims)
        survey.doubt(f"the configuration says {said}, but the headers hold {size} {thing}")
