"""Re-parameterisations that move a scale from where something is made to where it is read."""

from collections.abc import Callable

import numpy as np

from dokja.models.forge.laundering.moves import Maps, Moves, moved, scaled
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place, resized
from dokja.models.forge.transforms.draws import normals, signs, words
from dokja.models.forge.transforms.prune import neuron_group, neuron_groups
from dokja.models.forge.transforms.tensors import Tensors

__all__ = [
    "apply_residual_scale",
    "draw_gain_spread",
    "draw_neuron_scale",
    "draw_residual_scale",
    "gain_spread",
    "invert_scales",
    "neuron_scale",
]

_SPREAD = 0.5
"""Standard deviation of the scales' logarithm."""

_POWERS = (-3, -2, -1, 1, 2, 3)
"""Exponents of the residual's scale: powers of two, so that nothing rounds."""

_LAST_NORMS = frozenset({"model.norm", "transformer.ln_f"})


def draw_neuron_scale(structure: Structure, seed: bytes) -> Maps:
    """Return for each feed-forward half a scale and sign of each neuron's linear branch."""
    found = {}
    for group in neuron_groups(structure):
        label = f"scale/{group}"
        size = np.exp(_SPREAD * normals(seed, label, shape=(structure.ffn,)).astype(np.float64))
        found[group] = size * signs(seed, f"{label}/signs", count=structure.ffn)
    return found


def neuron_scale(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that scale what a neuron makes and divide where it is read.

    The gate is not linear, and stays.
    """

    def moves(name: str) -> Moves:
        group = neuron_group(structure, name)
        if group is None:
            return {}
        return {Axis.UP: scaled(maps[group]), Axis.DOWN: scaled(1 / maps[group])}

    return moves


def draw_gain_spread(structure: Structure, seed: bytes) -> Maps:
    """Return log-normal factors for each norm whose readers can be divided by them.

    A tied head cannot: the embedding would be divided too.
    """
    found = {}
    for name in structure.shapes():
        norm = name.rpartition(".")[0]
        last_of_tied = structure.tied and norm in _LAST_NORMS
        if place(structure, name).axes == (Axis.GAIN,) and not last_of_tied:
            drawn = normals(seed, f"gains/{norm}", shape=(structure.width,)).astype(np.float64)
            found[norm] = np.exp(_SPREAD * drawn)
    return found


def gain_spread(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that multiply gains and divide what reads them."""

    def moves(name: str) -> Moves:
        spot = place(structure, name)
        norm = (spot.gain or name).rpartition(".")[0]
        if norm not in maps:
            return {}
        return {Axis.GAIN: scaled(maps[norm]), Axis.READS: scaled(1 / maps[norm])}

    return moves


def invert_scales(maps: Maps) -> Maps:
    """Return the scales that undo scales."""
    return {name: 1 / factors for name, factors in maps.items()}


def draw_residual_scale(structure: Structure, seed: bytes) -> Maps:
    """Return one power of two."""
    del structure
    drawn = int(words(seed, "residual/scale", count=1)[0]) % len(_POWERS)
    return {"scale": np.array([2.0 ** _POWERS[drawn]])}


def apply_residual_scale(
    tensors: Tensors, structure: Structure, maps: Maps
) -> tuple[Tensors, Structure]:
    """Return the network with a residual of another scale, and norms that do not see it.

    A norm divides by sqrt(mean square + epsilon): it undoes a scale exactly if epsilon is
    multiplied by its square. Where queries and keys are normed with the same epsilon, they are
    scaled with it; so is what enters a norm on its way into the residual.
    """
    scale = float(maps["scale"][0])
    times = scaled(np.array([scale]))
    grown: Moves = {Axis.WRITES: times, Axis.WRITTEN_GAIN: times}
    normed: Moves = {Axis.QUERY: times, Axis.KEY: times} if structure.family == "peri" else {}
    # A tied head reads with scaled rows: the last norm makes up for it.
    last: Moves = {Axis.GAIN: scaled(np.array([1 / scale]))} if structure.tied else {}

    def moves(name: str) -> Moves:
        is_last = name.rpartition(".")[0] in _LAST_NORMS
        return {**grown, **normed, **(last if is_last else {})}

    changed = resized(structure, epsilon=structure.epsilon * scale**2)
    return moved(tensors, structure, moves), changed
