"""What a body holds outside of its layers: embedding, head, last norm, entries, projections."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from dokja.evidence.lineage.bodies import Cell, Layer, Norm
from dokja.evidence.lineage.norms import norm_at
from dokja.evidence.lineage.patterns import Sort, listed
from dokja.evidence.lineage.shapes import Survey, Tensor

__all__ = ["Outside", "is_layer_norm", "outside_of"]

_FREE = {"projector", "adapter"}
"""Roles whose matrices lead from one width to another, so that no side need be the residual."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What stands outside of layers.

    Attributes:
        embedding: One unit for each token.
        head: Likewise; the embedding itself where both are tied.
        final_norm: Normalises what the head reads.
        norms: Every normalisation, the final one included.
        matrices: All other matrices by the tensors' names.
    """

    embedding: Cell | None = None
    head: Cell | None = None
    final_norm: Norm | None = None
    norms: tuple[Norm, ...] = ()
    matrices: Mapping[str, Cell] = field(default_factory=dict)


def outside_of(survey: Survey, tensors: Sequence[Tensor], *, role: str) -> Outside:
    """Return what the tensors outside of a body's layers are.

    Args:
        survey: Of the body.
        tensors: All that stand in no layer.
        role: Of the body's component.
    """
    weights = [tensor for tensor in tensors if tensor.place.part != "bias"]
    embedding = _token_rows(survey, weights, "embedding")
    head = _token_rows(survey, weights, "head")
    if head is None and not any(tensor.place.role == "head" for tensor in weights):
        head = _tied(survey, embedding, role=role)
    elif head is not None and embedding is not None and survey.claims.tied:
        survey.doubt(
            f"the configuration says that head and embedding are one, but {head.tensor} is there "
            f"beside {embedding.tensor}"
        )
    final_norm, norms = _norms(survey, tensors)
    matrices: dict[str, Cell] = {}
    for tensor in weights:
        if tensor.name not in survey.placed and _is_matrix(tensor):
            factor = role == "adapter" and len(tensor.shape) == 2  # noqa: PLR2004  # a matrix
            cell = (
                _factor(survey, tensor) if factor else _matrix(survey, tensor, free=role in _FREE)
            )
            if cell is not None:
                matrices[tensor.name] = cell
    _put_rest_aside(survey, tensors, free=role in _FREE)
    return Outside(
        embedding=embedding,
        head=head,
        final_norm=final_norm,
        norms=tuple(norms),
        matrices=matrices,
    )


def _token_rows(survey: Survey, tensors: Iterable[Tensor], role: str) -> Cell | None:
    tensor = next((tensor for tensor in tensors if tensor.place.role == role), None)
    if tensor is None:
        return None
    if len(tensor.shape) != 2 or tensor.shape[1] != survey.width:  # noqa: PLR2004  # a matrix
        survey.doubt(
            f"{tensor.shown} is named like the {role}, but its columns are not the "
            f"{survey.width} of the layers"
        )
        return None
    survey.put([tensor])
    return Cell(tensor=tensor.name, units=tensor.shape[0], residual=tensor.shape[1])


def _tied(survey: Survey, embedding: Cell | None, *, role: str) -> Cell | None:
    if role != "language-body" or embedding is None:
        return None
    if survey.claims.tied is False:
        survey.doubt(
            "the configuration says that the head is a tensor of its own, but none is there "
            f"beside {embedding.tensor}"
        )
        return None
    if survey.claims.tied is None and survey.claims.causes is False:
        return None
    return embedding


def _norms(survey: Survey, tensors: Sequence[Tensor]) -> tuple[Norm | None, list[Norm]]:
    """Return the final normalisation and all; of several final ones the last by name."""
    biases = {tensor.place.template: tensor for tensor in tensors if tensor.place.part == "bias"}
    gains = [
        tensor
        for tensor in sorted(tensors, key=lambda tensor: tensor.name)
        if tensor.place.sort is Sort.GAINS
        and tensor.place.part != "bias"
        and tensor.shape == (survey.width,)
    ]
    last = next((one for one in reversed(gains) if one.place.role == "norm_final"), None)
    final: Norm | None = None
    norms: list[Norm] = []
    for gain in gains:
        norm = norm_at(survey, gain, biases.get(gain.place.template), length=survey.width)
        if norm is None:
            continue
        norms.append(norm)
        if gain is last:
            final = norm
        else:
            survey.others[norm.gain] = "gain"
            survey.others |= {} if norm.bias is None else {norm.bias: "bias"}
    return final, norms


def _is_matrix(tensor: Tensor) -> bool:
    return (
        len(tensor.shape) > 1
        and 0 not in tensor.shape
        and tensor.place.sort not in {Sort.OTHER, Sort.GAINS}
        and not tensor.name.endswith("bias")
    )


def _matrix(survey: Survey, tensor: Tensor, *, free: bool) -> Cell | None:
    """Return a matrix of which a side is the residual; of a projector, any."""
    first, last = tensor.shape[0], tensor.shape[-1]
    columns = prod(tensor.shape[1:])
    writes = tensor.place.sort is Sort.WRITES and len(tensor.shape) != 2  # noqa: PLR2004  # a convolution
    if first == survey.width and (writes or last != survey.width):
        cell = Cell(tensor=tensor.name, units=columns, residual=first, turned=True)
    elif last == survey.width:
        cell = Cell(tensor=tensor.name, units=prod(tensor.shape[:-1]), residual=last)
    elif free:
        cell = Cell(tensor=tensor.name, units=first, residual=columns)
    else:
        if tensor.place.role not in {None, "embedding", "head"}:
            survey.doubt(
                f"{tensor.shown} is named like {tensor.place.role}, but no side of it is the "
                f"{survey.width} of the layers"
            )
        return None
    survey.put([tensor])
    return cell


def _factor(survey: Survey, tensor: Tensor) -> Cell:
    """Return a factor of a low-rank change: its units are the dimensions between the factors."""
    survey.put([tensor])
    rows, columns = tensor.shape
    if "lora_b" in tensor.name.lower() or "embedding_b" in tensor.name.lower():
        return Cell(tensor=tensor.name, units=columns, residual=rows, turned=True)
    return Cell(tensor=tensor.name, units=rows, residual=columns)


def _put_rest_aside(survey: Survey, tensors: Sequence[Tensor], *, free: bool) -> None:
    for tensor in tensors:
        if tensor.name in survey.placed:
            continue
        place = tensor.place
        if place.part == "bias" or tensor.name.endswith("bias"):
            survey.put_aside(tensor, "bias")
        elif place.sort is Sort.OTHER:
            survey.put_aside(tensor, place.role or "")
        elif len(tensor.shape) <= 1 and (free or tensor.shape == (survey.width,)):
            survey.put_aside(tensor, "gain" if place.sort is Sort.GAINS else "vector")
        elif place.sort is Sort.GAINS:
            survey.doubt(f"{tensor.shown} is named like gains over {survey.width} and is none")


def is_layer_norm(survey: Survey, layers: Sequence[Layer], around: Outside) -> bool:
    """Return whether normalisations take the mean away: those with a bias do.

    Without a bias, and where there is no norm tensor at all, the configuration's type tells.
    """
    norms = [
        norm
        for layer in layers
        for norm in (layer.norm_attention, layer.norm_ffn, *layer.write_norms)
        if norm is not None
    ]
    if any(norm.bias is not None for norm in (*norms, *around.norms)):
        return True
    return survey.claims.model_type in listed("layer_norm", "types")
