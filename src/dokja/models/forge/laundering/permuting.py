"""Re-parameterisations that only put things in another order or flip signs: bit by bit the same.

But for the order of additions inside a matrix product, which rounds.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.laundering.moves import Maps, Moves, heads_taken, moved, scaled, taken
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import RESIDUAL, Axis, place
from dokja.models.forge.transforms.draws import permutation, signs
from dokja.models.forge.transforms.prune import neuron_group, neuron_groups
from dokja.models.forge.transforms.tensors import Derived, Plan, Tensors, copied

__all__ = [
    "apply_expert_order",
    "draw_expert_order",
    "draw_head_order",
    "draw_neuron_order",
    "draw_residual_order",
    "head_order",
    "invert_order",
    "invert_residual_order",
    "neuron_order",
    "residual_order",
]

Indices = NDArray[np.int64]


def cycle(seed: bytes, label: str, *, count: int) -> Indices:
    """Return a permutation that leaves nothing in its place: one round through a drawn order.

    Example:
        >>> bool((cycle(b"seed", "a", count=5) == np.arange(5)).any())
        False
    """
    order = permutation(seed, label, count=count)
    found = np.empty(count, dtype=np.int64)
    found[order] = np.roll(order, 1)
    return found


def draw_neuron_order(structure: Structure, seed: bytes) -> Maps:
    """Return an order of the neurons for each feed-forward half."""
    return {
        group: permutation(seed, f"neurons/{group}", count=structure.ffn)
        for group in neuron_groups(structure)
    }


def neuron_order(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that put neurons in another order."""

    def moves(name: str) -> Moves:
        group = neuron_group(structure, name)
        if group is None:
            return {}
        move = taken(maps[group])
        return {Axis.GATE: move, Axis.UP: move, Axis.DOWN: move}

    return moves


def draw_head_order(structure: Structure, seed: bytes) -> Maps:
    """Return for each layer an order of the groups, and of the query heads with their groups."""
    each = structure.heads // structure.kv_heads
    found: dict[str, Indices] = {}
    for layer in range(structure.layers):
        groups = cycle(seed, f"groups/{layer}", count=structure.kv_heads)
        inside = [
            cycle(seed, f"heads/{layer}/{group}", count=each) for group in range(structure.kv_heads)
        ]
        found[f"layer {layer}, groups"] = groups
        found[f"layer {layer}, heads"] = np.concatenate(
            [group * each + inside[at] for at, group in enumerate(groups)]
        )
    return found


def head_order(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that put heads in another order, queries staying with their keys."""

    def moves(name: str) -> Moves:
        layer = place(structure, name).layer
        if layer is None:
            return {}
        groups = heads_taken(maps[f"layer {layer}, groups"], width=structure.head_width)
        heads = heads_taken(maps[f"layer {layer}, heads"], width=structure.head_width)
        return {Axis.QUERY: heads, Axis.MIXED: heads, Axis.KEY: groups, Axis.VALUE: groups}

    return moves


def invert_order(maps: Maps) -> Maps:
    """Return the orders that undo orders."""
    return {name: np.argsort(order) for name, order in maps.items()}


def draw_residual_order(structure: Structure, seed: bytes) -> Maps:
    """Return one order of the residual's channels, and a sign for each.

    A norm that subtracts the mean sees a sign on single channels, so that `gpt2` gets none.
    """
    flipped = signs(seed, "residual/signs", count=structure.width).astype(np.float64)
    if structure.family == "gpt2":
        flipped = np.ones(structure.width, dtype=np.float64)
    return {
        "order": permutation(seed, "residual/order", count=structure.width),
        "signs": flipped,
    }


def residual_order(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that put the residual in another order and flip signs.

    A gain multiplies what comes in with its sign, and so keeps its own.
    """
    del structure
    order, flip = taken(maps["order"]), scaled(maps["signs"])
    both: Moves = {
        axis: order
        if axis in {Axis.GAIN, Axis.WRITTEN_GAIN}
        else lambda values, at: flip(order(values, at), at)
        for axis in RESIDUAL
    }
    return lambda _: both


def invert_residual_order(maps: Maps) -> Maps:
    """Return the order and signs that undo an order and signs."""
    back = np.argsort(maps["order"])
    return {"order": back, "signs": maps["signs"][back]}


def draw_expert_order(structure: Structure, seed: bytes) -> Maps:
    """Return an order of the experts for each layer."""
    return {
        f"layer {layer}": cycle(seed, f"experts/{layer}", count=structure.experts or 0)
        for layer in range(structure.layers)
    }


def apply_expert_order(
    tensors: Tensors, structure: Structure, maps: Maps
) -> tuple[Tensors, Structure]:
    """Return the network with its experts in another order, and its routers likewise."""

    def router(name: str) -> Moves:
        spot = place(structure, name)
        return {Axis.EXPERT: taken(maps[f"layer {spot.layer}"])} if Axis.EXPERT in spot.axes else {}

    routed = moved(tensors, structure, router)
    plans: dict[str, Plan] = {}
    for name in routed.names:
        spot = place(structure, name)
        old = name
        if spot.expert is not None:
            source = int(maps[f"layer {spot.layer}"][spot.expert])
            old = name.replace(f".experts.{spot.expert}.", f".experts.{source}.")
        plans[name] = copied(routed, old)
    return Derived(plans), structure
