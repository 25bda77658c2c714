"""An attention block from the tensors of a layer: separate, fused, or by latents.

Every cell stands as `bodies` asks; parts that contradict each other are left without a place.
"""

from collections.abc import Mapping

from dokja.evidence.lineage.bodies import Attention, Cell, Latent, Norm
from dokja.evidence.lineage.head_counts import Rows, head_sizes, latent_sizes
from dokja.evidence.lineage.norms import norm_at
from dokja.evidence.lineage.patterns import listed
from dokja.evidence.lineage.shapes import Survey, Tensor
from dokja.evidence.lineage.unfusing import (
    HeadSizes,
    followed,
    gated_queries,
    queries_keys_values,
)

__all__ = ["ATTENTION_ROLES", "Named", "attention"]

Named = Mapping[str, Tensor]
"""The weights of a layer outside of experts, by role."""

ATTENTION_ROLES = frozenset(
    {"q", "k", "v", "o", "qkv", "qkv_by_group", "q_a", "q_b", "kv_a", "kv_b"}
)


def attention(
    survey: Survey, named: Named, biases: Named
) -> tuple[Attention | None, dict[str, Cell]]:
    """Return a layer's attention and the gate of its queries, where it has one.

    Args:
        survey: Of the stack.
        named: The layer's weights by role.
        biases: The layer's biases by role.
    """
    if _is_linear(named):
        return None, _linear(survey, named)
    if "o" not in named:
        return None, {}
    if "kv_a" in named and "kv_b" in named:
        return _latent(survey, named, biases)
    fused = named.get("qkv") or named.get("qkv_by_group")
    if fused is not None:
        return _fused(survey, named, biases, fused), {}
    if {"q", "k", "v"} <= set(named):
        return _separate(survey, named, biases)
    return None, {}


def _is_linear(named: Named) -> bool:
    """Return whether the queries stand beside a convolution or a decay: no softmax then."""
    if "q" not in named:
        return False
    place = named["q"].place.template.rpartition(".")[0]
    beside = (named[role] for role in ("state-space", "convolution") if role in named)
    return any(tensor.place.template.startswith(f"{place}.") for tensor in beside)


def _linear(survey: Survey, named: Named) -> dict[str, Cell]:
    mixers: dict[str, Cell] = {}
    for role in ("q", "k", "v", "o"):
        if role in named:
            cell = survey.writer(named[role]) if role == "o" else survey.reader(named[role])
            if cell is not None:
                mixers[f"linear_{role}"] = cell
                survey.put([named[role]])
    return mixers


def _separate(
    survey: Survey, named: Named, biases: Named
) -> tuple[Attention | None, dict[str, Cell]]:
    q, k, v = (survey.reader(named[role]) for role in ("q", "k", "v"))
    o = survey.writer(named["o"])
    if q is None or k is None or v is None or o is None:
        return None, {}
    # Twice as many rows as the output has columns: every head is followed by its gate.
    gated = q.units == 2 * o.units and v.units <= o.units
    rows = Rows(
        where=", ".join(named[role].shown for role in ("q", "k", "v", "o")),
        queries=q.units // 2 if gated else q.units,
        keys=k.units,
        values=v.units,
        mixed=o.units,
        gains=_gains(named),
        heads=_sinks(named),
    )
    sizes = head_sizes(survey, rows)
    if sizes is None:
        return None, {}
    mixers = {}
    if gated:
        q, mixers["attention_gate"] = gated_queries(q, sizes)
    survey.put(named[role] for role in ("q", "k", "v", "o"))
    return _made(survey, named, biases, cells=(q, k, v, o), sizes=sizes), mixers


def _fused(survey: Survey, named: Named, biases: Named, fused: Tensor) -> Attention | None:
    if survey.claims.model_type in listed("fused_strangely", "types"):
        survey.doubt(f"{fused.shown}: how {survey.claims.model_type} fuses heads is not known")
        return None
    whole, o = survey.reader(fused), survey.writer(named["o"])
    if whole is None or o is None:
        return None
    rest = whole.units - o.units
    if rest <= 0 or rest % 2:
        survey.doubt(
            f"{fused.shown} has {rest} rows more than the {o.units} columns of "
            f"{named['o'].shown}, which are no keys and values of equal size"
        )
        return None
    rows = Rows(
        where=f"{fused.shown}, {named['o'].shown}",
        queries=o.units,
        keys=rest // 2,
        values=rest // 2,
        mixed=o.units,
        gains=_gains(named),
        heads=_sinks(named),
    )
    sizes = head_sizes(survey, rows)
    if sizes is None:
        return None
    by_head = survey.claims.model_type in listed("fused_by_head", "types")
    by_group = by_head or fused.place.role == "qkv_by_group"
    cells = queries_keys_values(whole, sizes, by_group=by_group)
    survey.put((fused, named["o"]))
    return _made(survey, named, biases, cells=(*cells, o), sizes=sizes)


def _made(
    survey: Survey,
    named: Named,
    biases: Named,
    *,
    cells: tuple[Cell, Cell, Cell, Cell],
    sizes: HeadSizes,
) -> Attention:
    q, k, v, o = cells
    return Attention(
        q=q,
        k=k,
        v=v,
        o=o,
        heads=sizes.heads,
        kv_heads=sizes.kv_heads,
        q_norm=_norm(survey, "norm_q", named, biases, length=None),
        k_norm=_norm(survey, "norm_k", named, biases, length=None),
    )


def _gains(named: Named) -> int | None:
    gains = named.get("norm_q")
    return gains.shape[-1] if gains is not None and gains.shape else None


def _sinks(named: Named) -> int | None:
    sinks = named.get("attention sink")
    return sinks.shape[0] if sinks is not None and len(sinks.shape) == 1 else None


def _latent(
    survey: Survey, named: Named, biases: Named
) -> tuple[Attention | None, dict[str, Cell]]:
    """Return latent attention; its five sizes follow from its shapes alone."""
    query = named.get("q_b") or named.get("q")
    if query is None:
        survey.doubt(f"{named['kv_a'].shown} is there, but no queries beside it")
        return None, {}
    kv_down, o = survey.reader(named["kv_a"]), survey.writer(named["o"])
    q_down = survey.reader(named["q_a"]) if "q_a" in named else None
    q_up = _inner(survey, query) if "q_a" in named else survey.reader(query)
    kv_up = _inner(survey, named["kv_b"])
    if kv_down is None or o is None or q_up is None or kv_up is None:
        return None, {}
    if q_down is None and "q_a" in named:
        return None, {}
    held = [named[role] for role in ("q_a", "q_b", "q", "kv_a", "kv_b", "o") if role in named]
    where = ", ".join(tensor.shown for tensor in held)
    # Queries from two latents at once, each head's followed by the gate of its values (A.X K2).
    gated = q_down is not None and q_up.residual == 2 * q_down.units
    sizes = latent_sizes(kv_down=kv_down, kv_up=kv_up, q_up=q_up, o=o, gated=gated)
    if sizes is None or (q_down is not None and q_down.units * (1 + gated) != q_up.residual):
        survey.doubt(f"{where}: these fit no latent attention")
        return None, {}
    _latent_claims(survey, where, sizes)
    survey.put(held)
    mixers = {}
    if gated:
        q_up, mixers["attention_gate"] = followed(
            q_up, heads=sizes["heads"], first=sizes["plain"] + sizes["rotated"], then=sizes["value"]
        )
    latent = Latent(
        kv_down=kv_down,
        kv_up=kv_up,
        q_down=q_down,
        q_up=q_up,
        latent=sizes["latent"],
        rotated=sizes["rotated"],
        plain=sizes["plain"],
        value=sizes["value"],
        kv_norm=_norm(survey, "norm_kv_a", named, biases, length=kv_up.residual),
        q_norm=_norm(
            survey, "norm_q_a", named, biases, length=None if q_down is None else q_down.units
        ),
    )
    heads = sizes["heads"]
    found = Attention(q=None, k=None, v=None, o=o, heads=heads, kv_heads=heads, latent=latent)
    return found, mixers


def _norm(
    survey: Survey, role: str, named: Named, biases: Named, *, length: int | None
) -> Norm | None:
    return norm_at(survey, named.get(role), biases.get(role), length=length)


def _inner(survey: Survey, tensor: Tensor) -> Cell | None:
    sides = tensor.shape
    if len(sides) != 2 or 0 in sides:  # noqa: PLR2004  # a matrix
        survey.doubt(f"{tensor.shown} is named like a matrix of the {tensor.place.role}, not one")
        return None
    units, inputs = (sides[1], sides[0]) if survey.transposed else sides
    return Cell(tensor=tensor.name, units=units, residual=inputs, turned=survey.transposed)


def _latent_claims(survey: Survey, where: str, sizes: Mapping[str, int]) -> None:
    for what, found in sizes.items():
        claim = survey.claims.size(what)
        if claim is not None and claim.value != found:
            survey.doubt(
                f"the configuration says {claim.key} {claim.value}, but {where} make it {found}"
            )
