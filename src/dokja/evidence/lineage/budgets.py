"""What is read of two components when only so many bytes may be.

The order in which things are given up: the agreement of neurons, which wants whole matrices;
then matrices that say least for their bytes (outputs, and every routed expert); then rows. A
budget is a side's: as much is read of the reference as of the suspect. Gains and few rows of
every layer's queries, keys, values, gates and routers are a screen; it sees relations in the same
coordinates only, and its power is stated like any other's.
"""

from collections.abc import Iterator
from dataclasses import replace

from dokja.evidence.lineage.components import ComponentTensors
from dokja.evidence.lineage.plans import Plan
from dokja.models.weights import TensorInfo

__all__ = ["fitted", "is_screened"]

_SCREENED = frozenset({"q", "k", "v", "qkv", "gate", "up", "gate_up", "router"})
_LEAST_ROWS = 2
_FOR_MATRICES = 0.6
"""Share of a budget that rows of matrices may take; gains, embedding and head have the rest."""
_LEAST_TOKENS = 64


def is_screened(role: str) -> bool:
    """Tell whether a screen reads a role: what every layer has once, and shared experts.

    Example:
        >>> [is_screened(role) for role in ("q", "down", "mlp.experts.3.up_proj.weight")]
        [True, False, False]
    """
    plain = role.split(" ", maxsplit=1)[0]  # a shape may stand behind it
    return plain in _SCREENED or ("shared" in plain and "down" not in plain)


def fitted(plan: Plan, component: ComponentTensors, *, share: float) -> Plan:
    """Return the plan of what is read of one component within the budget.

    Args:
        plan: With the budget of a whole side.
        component: The suspect's.
        share: The component's share of the budget, in (0, 1].

    Returns:
        The same plan where there is no budget, or where it is enough for everything.
    """
    if plan.budget_bytes is None:
        return plan
    budget = int(plan.budget_bytes * share)
    whole = sum(_bytes_of(tensor, plan.values_per_tensor) for _, tensor in _matrices(component))
    whole += sum(_bytes_of(tensor, plan.tokens * _width(tensor)) for tensor in _tokens(component))
    blocks = sum(_size(tensor) for _, tensor in _matrices(component))
    if whole + blocks <= budget:
        return plan
    if whole <= budget:
        return replace(plan, agreement=False)
    return _screen(plan, component, budget=budget)


def _screen(plan: Plan, component: ComponentTensors, *, budget: int) -> Plan:
    chosen = [tensor for role, tensor in _matrices(component) if is_screened(role)]
    of_a_row = sum(_width(tensor) * _item(tensor) for tensor in chosen)
    rows = max(_LEAST_ROWS, int(_FOR_MATRICES * budget) // max(of_a_row, 1))
    widest = max((_width(tensor) for tensor in chosen), default=1)
    left = int((1 - _FOR_MATRICES) * budget) // 2  # the rest is for gains
    of_a_token = sum(_width(tensor) * _item(tensor) for tensor in _tokens(component))
    return replace(
        plan,
        agreement=False,
        screen=True,
        values_per_tensor=min(plan.values_per_tensor, rows * widest),
        tokens=max(_LEAST_TOKENS, min(plan.tokens, left // max(of_a_token, 1))),
    )


def _matrices(component: ComponentTensors) -> Iterator[tuple[str, TensorInfo]]:
    for group in (*component.layers, component.loose):
        yield from group.items()


def _tokens(component: ComponentTensors) -> list[TensorInfo]:
    return list(component.token_rows.values())


def _bytes_of(tensor: TensorInfo, most: int) -> int:
    return min(tensor.parameters, most) * _item(tensor)


def _size(tensor: TensorInfo) -> int:
    return tensor.parameters * _item(tensor)


def _width(tensor: TensorInfo) -> int:
    return tensor.parameters // max(tensor.shape[0], 1) if tensor.shape else 1


def _item(tensor: TensorInfo) -> int:
    return max(1, tensor.bytes // max(tensor.parameters, 1))
