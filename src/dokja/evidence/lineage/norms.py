"""Which normalisation stands where in a layer.

Names of norms mislead: `post_attention_layernorm` normalises what the feed-forward half reads in
Llama, and what attention has written in Gemma 2. What else a layer has tells the two apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dokja.evidence.lineage.bodies import Norm
from dokja.evidence.lineage.patterns import listed
from dokja.evidence.lineage.shapes import Survey, Tensor

__all__ = ["LayerNorms", "layer_norms", "norm_at"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerNorms:
    """A layer's normalisations.

    Attributes:
        attention: Of what attention reads.
        ffn: Of what the feed-forward half reads.
        written: Of what the halves write.
    """

    attention: Norm | None
    ffn: Norm | None
    written: tuple[Norm, ...]


def norm_at(
    survey: Survey, gain: Tensor | None, bias: Tensor | None, *, length: int | None
) -> Norm | None:
    """Return a normalisation, or None where it is not there or does not fit.

    Args:
        survey: Of the stack.
        gain: Its gains.
        bias: Its bias.
        length: How many gains there must be; any number where None.
    """
    if gain is None:
        return None
    if length is not None and gain.shape != (length,):
        survey.doubt(f"{gain.shown} is named like gains over {length} dimensions and is none")
        return None
    survey.put([gain])
    if bias is not None and bias.shape == gain.shape:
        survey.put([bias])
    else:
        bias = None
    return Norm(
        gain=gain.name, bias=None if bias is None else bias.name, offset=_offset(survey, gain)
    )


def _offset(survey: Survey, gain: Tensor) -> float:
    kept_less_one = (
        survey.claims.model_type in listed("offsets", "all")
        and survey.claims.role in listed("offsets", "components")
        and gain.place.role not in listed("offsets", "except")
    )
    return 1.0 if kept_less_one else 0.0


def layer_norms(
    survey: Survey,
    gains: Mapping[str, list[Tensor]],
    biases: Mapping[str, list[Tensor]],
    *,
    halves: tuple[bool, bool],
) -> LayerNorms:
    """Return a layer's normalisations.

    Args:
        survey: Of the stack.
        gains: By role; several of a role in the order of their names.
        biases: Likewise.
        halves: Whether the layer has a mixing half, and whether it has a feed-forward half.
    """

    def made(role: str) -> tuple[Norm, ...]:
        beside = {tensor.place.template: tensor for tensor in biases.get(role, [])}
        found = (
            norm_at(survey, gain, beside.get(gain.place.template), length=survey.width)
            for gain in gains.get(role, [])
        )
        return tuple(norm for norm in found if norm is not None)

    first, second, between = made("norm_attention"), made("norm_ffn"), made("norm_between")
    single, written = made("norm_mixer"), made("norm_written")
    if second or not first:
        written = (*between, *written)
    else:
        second = between
    first = first or single
    mixes, feeds = halves
    if not mixes or not (second or written):
        # One norm before both halves, where they stand beside each other or only one is there.
        second = second or first
    return LayerNorms(
        attention=first[0] if first and mixes else None,
        ffn=second[0] if second and feeds else None,
        written=written,
    )
