"""Re-parameterisations that change a basis: of values, of queries and keys, of the residual.

Attention reads values and the products of queries with keys, never their coordinates. Rotary
positions fix the coordinates of queries and keys up to a phase and a scale of each rotated pair;
a norm on queries and keys fixes them whole. RMSNorm sees the residual's length alone once its
gains are folded into the matrices behind it (SliceGPT, arXiv 2401.15024, section 3).
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.laundering.moves import DOUBLE, Maps, Moves, moved, scaled, turned
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place, resized
from dokja.models.forge.transforms.draws import normals, uniforms
from dokja.models.forge.transforms.tensors import Derived, Plan, Tensors, copied

__all__ = [
    "apply_rotation",
    "draw_query_key_basis",
    "draw_rope_phases",
    "draw_rotation",
    "draw_value_basis",
    "invert_bases",
    "query_key_basis",
    "value_basis",
]

Array = NDArray[Any]

_SPREAD = 0.3
"""Standard deviation of the logarithm of a basis' stretches: conditions of about four."""

_EMBEDDINGS = "model.embed_tokens.weight"
_HEAD = "lm_head.weight"


def orthogonal(seed: bytes, label: str, *, size: int) -> NDArray[np.float64]:
    """Return a random orthogonal matrix: Q of a normal matrix, signs from R (Mezzadri 2007)."""
    q, r = np.linalg.qr(normals(seed, label, shape=(size, size)).astype(np.float64))
    rotation: NDArray[np.float64] = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return rotation


def draw_value_basis(structure: Structure, seed: bytes) -> Maps:
    """Return for each layer and each value head an invertible matrix, and its inverse."""
    return _bases(structure, seed, "values")


def value_basis(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that give values another basis, and take it out where they are read."""
    each = structure.heads // structure.kv_heads

    def moves(name: str) -> Moves:
        layer = place(structure, name).layer
        if layer is None:
            return {}
        back = maps[f"layer {layer}, inverse"].swapaxes(1, 2)
        return {
            Axis.VALUE: turned(maps[f"layer {layer}, basis"]),
            Axis.MIXED: turned(np.repeat(back, each, axis=0)),
        }

    return moves


def draw_query_key_basis(structure: Structure, seed: bytes) -> Maps:
    """Return for each layer and each key head an invertible matrix, and its inverse."""
    return _bases(structure, seed, "keys")


def draw_rope_phases(structure: Structure, seed: bytes) -> Maps:
    """Return for each layer and key head the matrix that turns and stretches each rotated pair.

    Channel i is rotated together with channel i plus half the head's width.
    """
    half = structure.head_width // 2
    shape = (structure.kv_heads, half)
    found: dict[str, Array] = {}
    for layer in range(structure.layers):
        label = f"rope/{layer}"
        angles = 2 * np.pi * uniforms(seed, f"{label}/angles", count=shape[0] * half)
        stretch = np.exp(_SPREAD * normals(seed, f"{label}/stretch", shape=shape).astype(DOUBLE))
        found[f"layer {layer}, basis"] = _pairs(angles.reshape(shape), stretch)
        # The inverse of a turn and stretch turns back and stretches by the reciprocal.
        found[f"layer {layer}, inverse"] = _pairs(-angles.reshape(shape), 1 / stretch)
    return found


def query_key_basis(structure: Structure, maps: Maps) -> Callable[[str], Moves]:
    """Return the moves that give keys a basis, and queries the one that keeps all products."""
    each = structure.heads // structure.kv_heads

    def moves(name: str) -> Moves:
        layer = place(structure, name).layer
        if layer is None:
            return {}
        back = maps[f"layer {layer}, inverse"].swapaxes(1, 2)
        return {
            Axis.KEY: turned(maps[f"layer {layer}, basis"]),
            Axis.QUERY: turned(np.repeat(back, each, axis=0)),
        }

    return moves


def invert_bases(maps: Maps) -> Maps:
    """Return the bases that undo bases."""
    swapped = {"basis": "inverse", "inverse": "basis"}
    found = {}
    for name, matrices in maps.items():
        layer, _, kind = name.partition(", ")
        found[f"{layer}, {swapped[kind]}"] = matrices
    return found


def draw_rotation(structure: Structure, seed: bytes) -> Maps:
    """Return one orthogonal matrix of the residual's width."""
    return {"rotation": orthogonal(seed, "rotation", size=structure.width)}


def apply_rotation(tensors: Tensors, structure: Structure, maps: Maps) -> tuple[Tensors, Structure]:
    """Return the network in a rotated residual, its gains folded into what reads them.

    The gains become one, and cannot be told from the result. A tied head gets weights of its
    own, since the last gain is folded into it and not into the embedding.
    """
    untied, free = _untied(tensors, structure)
    turn = turned(maps["rotation"][None])

    def moves(name: str) -> Moves:
        gain = place(free, name).gain
        if gain is None:
            return {Axis.WRITES: turn, Axis.GAIN: lambda values, _: np.ones_like(values)}
        fold = scaled(untied.read(gain).astype(np.float64))
        return {Axis.READS: lambda values, at: turn(fold(values, at), at)}

    return moved(untied, free, moves), free


def _untied(tensors: Tensors, structure: Structure) -> tuple[Tensors, Structure]:
    if not structure.tied:
        return tensors, structure
    plans = {name: copied(tensors, name) for name in tensors.names}
    plans[_HEAD] = Plan(
        shape=tensors.shape(_EMBEDDINGS),
        dtype=tensors.dtype(_EMBEDDINGS),
        make=partial(tensors.read, _EMBEDDINGS),
    )
    return Derived(plans), resized(structure, tied=False)


def _bases(structure: Structure, seed: bytes, what: str) -> Maps:
    size = structure.head_width
    found: dict[str, Array] = {}
    for layer in range(structure.layers):
        bases, inverses = [], []
        for group in range(structure.kv_heads):
            label = f"{what}/{layer}/{group}"
            left = orthogonal(seed, f"{label}/left", size=size)
            right = orthogonal(seed, f"{label}/right", size=size)
            stretch = np.exp(_SPREAD * normals(seed, f"{label}/stretch", shape=(size,)))
            bases.append((left * stretch) @ right)
            inverses.append((right.T / stretch) @ left.T)
        found[f"layer {layer}, basis"] = np.stack(bases)
        found[f"layer {layer}, inverse"] = np.stack(inverses)
    return found


def _pairs(angles: Array, stretch: Array) -> NDArray[np.float64]:
    """Return matrices that turn channel i with channel i plus half, shape `(heads, 2h, 2h)`."""
    heads, half = angles.shape
    matrices = np.zeros((heads, 2 * half, 2 * half), dtype=np.float64)
    at = np.arange(half)
    cos, sin = stretch * np.cos(angles), stretch * np.sin(angles)
    matrices[:, at, at] = matrices[:, at + half, at + half] = cos
    matrices[:, at, at + half] = -sin
    matrices[:, at + half, at] = sin
    return matrices
