"""One layer of a body from the tensors that names propose for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from dokja.evidence.lineage.attentions import ATTENTION_ROLES, attention
from dokja.evidence.lineage.bodies import Cell, Layer
from dokja.evidence.lineage.ffns import FFN_ROLES, feeding, is_woven
from dokja.evidence.lineage.norms import layer_norms
from dokja.evidence.lineage.patterns import Sort
from dokja.evidence.lineage.shapes import Survey, Tensor
from dokja.evidence.lineage.unnamed import by_shape

__all__ = ["layer_of"]

_INNER_GAINS = frozenset({"norm_inside", "norm_q", "norm_k", "norm_q_a", "norm_kv_a", "norm_cross"})
_BLOCK_ROLES = ATTENTION_ROLES | FFN_ROLES | {"router"}


@dataclass(slots=True)
class _Sorted:
    """A layer's tensors by what their names propose; of two with one place the first has it."""

    named: dict[str, Tensor] = field(default_factory=dict)
    biases: dict[str, Tensor] = field(default_factory=dict)
    held: dict[tuple[str, int | None], dict[str, Tensor]] = field(default_factory=dict)
    gains: dict[str, list[Tensor]] = field(default_factory=dict)
    gain_biases: dict[str, list[Tensor]] = field(default_factory=dict)
    nameless: list[Tensor] = field(default_factory=list)
    rest: list[Tensor] = field(default_factory=list)


def layer_of(survey: Survey, tensors: Sequence[Tensor]) -> Layer:
    """Return a layer; what has no place in it is left out of `survey.placed`.

    Args:
        survey: Of the stack.
        tensors: Of one layer.
    """
    found = _sorted(tensors)
    attends, mixers = attention(survey, found.named, found.biases)
    fed = feeding(
        survey,
        found.held,
        router=found.named.get("router"),
        woven=is_woven(survey, [tensor.name for tensor in tensors]),
    )
    ffn = fed.ffn
    if found.nameless:
        guessed = by_shape(
            survey,
            found.nameless,
            attends=attends is not None or bool(ATTENTION_ROLES & set(found.named)),
            feeds=bool(found.held),
        )
        attends, ffn = attends or guessed.attention, ffn or guessed.ffn
    mixers |= _mixers(survey, found)
    feeds = ffn is not None or bool(fed.experts) or bool(fed.shared) or bool(found.held)
    norms = layer_norms(
        survey,
        found.gains,
        found.gain_biases,
        halves=(attends is not None or bool(mixers), feeds),
    )
    _put_rest_aside(survey, tensors)
    return Layer(
        attention=attends,
        ffn=ffn,
        experts=fed.experts,
        shared=fed.shared,
        router=fed.router,
        norm_attention=norms.attention,
        norm_ffn=norms.ffn,
        writes_are_normed=bool(norms.written),
        write_norms=norms.written,
        mixers=mixers,
    )


def _sorted(tensors: Sequence[Tensor]) -> _Sorted:
    found = _Sorted()
    for tensor in sorted(tensors, key=lambda tensor: tensor.name):
        place, role = tensor.place, tensor.place.role
        if role is None:
            found.nameless.append(tensor)
        elif place.sort is Sort.GAINS:
            held = found.gain_biases if place.part == "bias" else found.gains
            held.setdefault(role, []).append(tensor)
            beside = found.biases if place.part == "bias" else found.named
            beside.setdefault(role, tensor)
        elif place.part == "bias":
            found.biases.setdefault(role, tensor)
        elif role in FFN_ROLES:
            group = "routed" if len(tensor.shape) > 2 else place.group  # noqa: PLR2004  # a stack
            found.held.setdefault((group, place.expert), {}).setdefault(role, tensor)
        else:
            found.named.setdefault(role, tensor)
            found.rest.append(tensor)
    return found


def _mixers(survey: Survey, found: _Sorted) -> dict[str, Cell]:
    """Return what reads or writes the residual outside of the known blocks."""
    cells: dict[str, Cell] = {}
    present = {
        role
        for role in set(found.named) & ATTENTION_ROLES
        if found.named[role].name not in survey.placed
    }
    # Attention of which a part lies in another layer, or nowhere, is no block of this one.
    partial = (
        present
        and not ({"q", "k", "v", "o"} <= present or {"kv_a", "kv_b", "o"} <= present)
        and not ({"qkv", "qkv_by_group"} & present and "o" in present)
    )
    for tensor in found.rest:
        role, sort = tensor.place.role or "", tensor.place.sort
        if tensor.name in survey.placed:
            continue
        first = found.named.get(role) is tensor
        if role in _BLOCK_ROLES and not (partial and role in present and first):
            continue
        if sort is Sort.INNER:
            survey.put_aside(tensor, "inner matrix")
        elif sort in {Sort.READS, Sort.WRITES}:
            cell = survey.writer(tensor) if sort is Sort.WRITES else survey.reader(tensor)
            if cell is not None:
                cells[role if first else tensor.place.template] = cell
                survey.put([tensor])
    if partial:
        named = ", ".join(found.named[role].shown for role in sorted(present))
        survey.doubt(f"{named}: attention of which a part is missing")
    return cells


def _put_rest_aside(survey: Survey, tensors: Sequence[Tensor]) -> None:
    """Give a place to what is no matrix of units: biases, scales, constants, inner gains."""
    for tensor in tensors:
        place = tensor.place
        if tensor.name in survey.placed:
            continue
        if place.part == "bias" or tensor.name.endswith("bias"):
            survey.put_aside(tensor, "bias")
        elif place.sort is Sort.OTHER:
            survey.put_aside(tensor, place.role or "")
        elif place.sort is Sort.GAINS and place.role in _INNER_GAINS:
            survey.put_aside(tensor, "gain")
        elif tensor.shape == (survey.width,) and place.sort in {None, Sort.GAINS}:
            survey.put_aside(tensor, "vector over the residual")
