"""Makes a network deeper or shallower: layers repeated, inserted as nothing, or left out.

Depth up-scaling repeats layers and changes the function; blocks of which both halves write zero
keep it bit by bit, since the residual passes through. All three are one map from new layers to
old ones.
"""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np

from dokja.errors import Mistake, TransformError
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place, resized, split_layer
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse, sound
from dokja.models.forge.transforms.tensors import Derived, Plan, copied
from dokja.values import Json

__all__ = ["drop_layers", "insert_zero_blocks", "overlap_map", "scale_depth"]


def overlap_map(layers: int, *, drop: int) -> list[int]:
    """Return SOLAR's map: the first n - m layers, then the last n - m (arXiv 2312.15166, 2.1).

    Args:
        layers: n, how many there are.
        drop: m, how many are left out of each copy.

    Raises:
        TransformError: m is not from 0 to n - 1.

    Example:
        >>> overlap_map(4, drop=1)
        [0, 1, 2, 1, 2, 3]
        >>> len(overlap_map(32, drop=8))
        48
    """
    if not 0 <= drop < layers:
        raise TransformError(
            [
                Mistake(
                    file="dus",
                    place="map.drop",
                    read=str(drop),
                    expected=f"a number from 0 to {layers - 1}: the network has {layers} layers",
                )
            ]
        )
    return [*range(layers - drop), *range(drop, layers)]


def scale_depth(model: Model, *, layers: Sequence[int]) -> Transformed:
    """Return a network whose layers are copies of the model's, in a new order and number.

    Args:
        model: Any family.
        layers: For each new layer, which old one it copies; see `overlap_map`.

    Raises:
        TransformError: The list is empty or names layers that are not there.
    """
    refuse(_layer_mistakes(model.structure, layers, file="dus", place="map"))
    return _relayered(
        model,
        layers=layers,
        zero=frozenset(),
        record=TransformRecord(
            kind="dus",
            parameters={"map": list(layers)},
            map={"layers": list(layers)},
            parents=(model.name,),
            keeps_function=list(layers) == list(range(model.structure.layers)),
            structure_changed=len(layers) != model.structure.layers,
        ),
    )


def insert_zero_blocks(model: Model, *, after: Sequence[int]) -> Transformed:
    """Return a deeper network that computes the same, bit by bit.

    An inserted block is a copy of the one before it, except that what it writes to the residual
    is zero (LLaMA Pro, arXiv 2401.02415, section 3): its projections out of both halves, and
    their biases.

    Args:
        model: Of a family with axes.
        after: Old layers after each of which one block is inserted; one may stand there twice.

    Raises:
        TransformError: A layer is not there, or old layers would change between sliding and full
            attention, whose places are fixed in the family.
    """
    structure = sound(model)
    refuse(_layer_mistakes(structure, after, file="zero-blocks", place="after"))
    layers: list[int] = []
    zero: set[int] = set()
    for layer in range(structure.layers):
        layers.append(layer)
        for _ in range(list(after).count(layer)):
            zero.add(len(layers))
            layers.append(layer)
    refuse(_pattern_mistakes(structure, layers, zero))
    return _relayered(
        model,
        layers=layers,
        zero=frozenset(zero),
        record=TransformRecord(
            kind="zero-blocks",
            parameters={"after": list(after)},
            map={"layers": list(layers), "zero": sorted(zero)},
            parents=(model.name,),
            keeps_function=True,
            structure_changed=True,
        ),
    )


def drop_layers(model: Model, *, layers: Sequence[int]) -> Transformed:
    """Return the network without some of its layers.

    Args:
        model: Any family.
        layers: Old layers that are left out.

    Raises:
        TransformError: A layer is not there, stands twice, or none would be left.
    """
    structure = model.structure
    mistakes = list(_layer_mistakes(structure, layers, file="drop-layers", place="layers"))
    kept = [layer for layer in range(structure.layers) if layer not in set(layers)]
    if len(set(layers)) != len(layers) or not kept:
        mistakes.append(
            Mistake(
                file="drop-layers",
                place="layers",
                read=str(list(layers)),
                expected="each layer once, and at least one that stays",
            )
        )
    refuse(mistakes)
    return _relayered(
        model,
        layers=kept,
        zero=frozenset(),
        record=TransformRecord(
            kind="drop-layers",
            parameters={"layers": list(layers)},
            map={"layers": list(kept)},
            parents=(model.name,),
            structure_changed=True,
        ),
    )


def _relayered(
    model: Model, *, layers: Sequence[int], zero: frozenset[int], record: TransformRecord
) -> Transformed:
    copies: dict[int, list[int]] = {}
    for new, old in enumerate(layers):
        copies.setdefault(old, []).append(new)
    plans: dict[str, Plan] = {}
    for name in model.tensors.names:
        layer, part = split_layer(name)
        if layer is None:
            plans[name] = copied(model.tensors, name)
            continue
        stem = name.removesuffix(f"{layer}.{part}")
        for new in copies.get(layer, ()):
            plan = copied(model.tensors, name)
            # The tensor is a projection out of a half; a norm behind it makes zero of zero.
            if new in zero and Axis.WRITES in place(model.structure, name).axes:
                plan = _zeros(plan)
            plans[f"{stem}{new}.{part}"] = plan
    return Transformed(
        tensors=Derived(plans),
        structure=resized(model.structure, layers=len(layers)),
        record=record,
    )


def _zeros(plan: Plan) -> Plan:
    return Plan(
        shape=plan.shape,
        dtype=plan.dtype,
        make=lambda: np.zeros(plan.shape, dtype=plan.dtype),
    )


def _attention_kinds(structure: Structure) -> list[Any]:
    """Return each layer's kind of attention, as `config.json` lists it."""
    config: Mapping[str, Json] = structure.config()
    listed: Any = config.get("layer_types")
    return list(listed) if listed else ["full_attention"] * structure.layers


def _pattern_mistakes(
    structure: Structure, layers: Sequence[int], zero: AbstractSet[int]
) -> Iterator[Mistake]:
    """Find old layers that would see a window where they saw everything, or the reverse."""
    old = _attention_kinds(structure)
    kinds = _attention_kinds(resized(structure, layers=len(layers)))
    for at, layer in enumerate(layers):
        if at not in zero and kinds[at] != old[layer]:
            yield Mistake(
                file="zero-blocks",
                place="after",
                read=f"old layer {layer}, {old[layer]}, at the new place {at}, {kinds[at]}",
                expected="blocks inserted so that every old layer keeps its kind of attention",
                remedy="Insert a whole period of the pattern at one place.",
            )


def _layer_mistakes(
    structure: Structure, layers: Sequence[int], *, file: str, place: str
) -> Iterator[Mistake]:
    if not layers:
        yield Mistake(file=file, place=place, read="no layer", expected="at least one")
    for layer in sorted(set(layers)):
        if not 0 <= layer < structure.layers:
            yield Mistake(
                file=file,
                place=place,
                read=f"layer {layer}",
                expected=f"layers from 0 to {structure.layers - 1}",
            )
