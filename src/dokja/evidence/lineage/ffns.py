"""Feed-forward halves from the tensors of a layer: dense, shared, routed; single or stacked."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from dokja.evidence.lineage.bodies import Cell, Ffn
from dokja.evidence.lineage.patterns import listed
from dokja.evidence.lineage.shapes import Survey, Tensor
from dokja.evidence.lineage.unfusing import gate_and_up

__all__ = ["FFN_ROLES", "Feeding", "feeding", "is_woven"]

FFN_ROLES = frozenset({"gate", "up", "down", "gate_up", "flat_gate", "flat_up", "flat_down"})
_FLAT = ("flat_gate", "flat_up", "flat_down")
_STACK = 3
_MOST_EXPERTS = 4096
"""More experts than this are no experts: public models have some hundreds in a layer."""

_MOST_WOVEN = 2**20
"""More rows than this are not taken apart one by one."""

Held = Mapping[tuple[str, int | None], Mapping[str, Tensor]]
"""Weights of feed-forward halves by role, for each group and expert."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feeding:
    """The feed-forward half of a layer.

    Attributes:
        ffn: Its dense block.
        experts: Routed experts, in order.
        shared: Experts that every token takes.
        router: Chooses among the experts.
    """

    ffn: Ffn | None
    experts: tuple[Ffn, ...]
    shared: tuple[Ffn, ...]
    router: Cell | None


def feeding(survey: Survey, held: Held, *, router: Tensor | None, woven: bool) -> Feeding:
    """Return the feed-forward half of a layer.

    Args:
        survey: Of the stack.
        held: Its tensors.
        router: Chooses among the experts.
        woven: Whether fused rows alternate between gate and up.
    """
    dense: list[Ffn] = []
    shared: list[Ffn] = []
    numbered: dict[int, Ffn] = {}
    stacked: list[Ffn] = []
    for (group, expert), tensors in sorted(held.items(), key=lambda item: _order(item[0])):
        found = list(_blocks(survey, tensors, woven=woven, router=router))
        if group == "shared":
            shared += found
        elif expert is not None and len(found) == 1:
            numbered[expert] = found[0]
        elif len(found) > 1 or group == "routed":
            stacked += found
        else:
            dense += found
    experts = (*(numbered[number] for number in sorted(numbered)), *stacked)
    _check_numbers(survey, numbered, held)
    routing = None if router is None else survey.reader(router)
    if router is not None and routing is not None:
        survey.put([router])
        if experts and routing.units != len(experts):
            survey.doubt(
                f"{router.shown} chooses among {routing.units} experts, but its layer holds "
                f"{len(experts)}, such as {experts[0].up.tensor}"
            )
    if shared and not experts and not dense:
        dense, shared = shared[:1], shared[1:]
    return Feeding(
        ffn=dense[0] if dense else None, experts=experts, shared=tuple(shared), router=routing
    )


def _order(key: tuple[str, int | None]) -> tuple[str, int]:
    return key[0], -1 if key[1] is None else key[1]


def _check_numbers(survey: Survey, numbered: Mapping[int, Ffn], held: Held) -> None:
    if numbered and sorted(numbered) != list(range(len(numbered))):
        first = next(iter(held.values()))
        place = next(iter(first.values())).place
        survey.doubt(
            f"{place.stack}.{place.layer}: its experts are not numbered from 0 to "
            f"{len(numbered) - 1} without a gap, or some could not be placed"
        )


def _blocks(
    survey: Survey, tensors: Mapping[str, Tensor], *, woven: bool, router: Tensor | None
) -> Iterator[Ffn]:
    """Yield the block that tensors make, or one for each expert of a stack."""
    if set(_FLAT) <= set(tensors):
        yield from _flat(survey, tensors, router)
        return
    if "down" not in tensors or not {"up", "gate_up"} & set(tensors):
        shown = ", ".join(tensor.shown for tensor in tensors.values())
        survey.doubt(f"{shown}: a feed-forward block of which a part is missing")
        return
    down = survey.writer(tensors["down"])
    first, up = _readers(survey, tensors, down=down, woven=woven)
    where = ", ".join(tensor.shown for tensor in tensors.values())
    if down is None or up is None or ("gate" in tensors and first is None):
        return
    if {up.units, down.units} | ({first.units} if first else set()) != {up.units}:
        survey.doubt(f"{where}: these do not have the same number of neurons")
        return
    sizes = {tensor.shape[0] for tensor in tensors.values() if len(tensor.shape) == _STACK}
    if len({len(tensor.shape) for tensor in tensors.values()}) > 1 or len(sizes) > 1:
        survey.doubt(f"{where}: these are not stacks of the same number of experts")
        return
    experts = next(iter(sizes), None)
    if experts is not None and experts > min(_MOST_EXPERTS, survey.experts_left):
        survey.doubt(f"{where}: {experts} are more than can be experts")
        return
    survey.experts_left -= experts or 0
    survey.put(tensors.values())
    for expert in (None,) if experts is None else range(experts):
        yield Ffn(
            gate=None if first is None else replace(first, expert=expert),
            up=replace(up, expert=expert),
            down=replace(down, expert=expert),
        )


def _readers(
    survey: Survey, tensors: Mapping[str, Tensor], *, down: Cell | None, woven: bool
) -> tuple[Cell | None, Cell | None]:
    """Return gate and up. A single matrix with twice the neurons holds both, whatever its name."""
    if "gate_up" in tensors:
        fused = survey.reader(tensors["gate_up"])
        if fused is not None and (fused.units % 2 or (woven and fused.units > _MOST_WOVEN)):
            survey.doubt(f"{tensors['gate_up'].shown} cannot be parted into gate and up")
            fused = None
        return (None, None) if fused is None else gate_and_up(fused, woven=woven)
    up = survey.reader(tensors["up"])
    gate = survey.reader(tensors["gate"]) if "gate" in tensors else None
    if "gate" not in tensors and up and down and up.units == 2 * down.units:
        return gate_and_up(up, woven=False)
    return gate, up


def _flat(survey: Survey, tensors: Mapping[str, Tensor], router: Tensor | None) -> Iterator[Ffn]:
    """Yield experts whose neurons lie below each other in one matrix for each role (DBRX)."""
    shapes = {tensors[role].shape for role in _FLAT}
    where = ", ".join(tensors[role].shown for role in _FLAT)
    count = router.shape[0] if router is not None and router.shape else 0
    rows, columns = next(iter(shapes)) if len(next(iter(shapes))) == 2 else (0, 0)  # noqa: PLR2004
    if (
        len(shapes) != 1
        or not 0 < count <= _MOST_EXPERTS
        or rows % count
        or columns != survey.width
    ):
        survey.doubt(f"{where}: these are no rows of {count} experts at the width {survey.width}")
        return
    survey.put(tensors[role] for role in _FLAT)
    each = rows // count
    for expert in range(count):
        gate, up, down = (
            Cell(
                tensor=tensors[role].name,
                units=each,
                residual=columns,
                picks=((expert * each, (expert + 1) * each),),
            )
            for role in _FLAT
        )
        yield Ffn(gate=gate, up=up, down=down)


def is_woven(survey: Survey, names: Sequence[str]) -> bool:
    """Return whether a family alternates rows of gate and up; no shape shows it."""
    return survey.claims.model_type in listed("woven", "types") or any(
        name.endswith("gate_up_proj_bias") for name in names
    )
