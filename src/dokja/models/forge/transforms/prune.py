"""Takes neurons and heads out of a network.

Which neurons stay is decided layer by layer, by their size or by a list; heads stay or go in the
same number in every group of keys and values, since each group must serve equally many. Every
index that stays is in the record: with the parent, it makes the child again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import NEURONS, Axis, known_family, place, resized
from dokja.models.forge.transforms.draws import permutation
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse, sound
from dokja.models.forge.transforms.sums import steady_sum
from dokja.models.forge.transforms.tensors import Derived, Plan, Tensors, copied
from dokja.values import Json

__all__ = ["CRITERIA", "neuron_sizes", "prune_heads", "prune_neurons"]

CRITERIA = ("size", "random", "first")
"""How neurons that stay are chosen: largest product of norms, by lot, or the first ones."""

Indices = NDArray[np.int64]


def neuron_sizes(tensors: Tensors, structure: Structure, *, group: str) -> NDArray[np.float64]:
    """Return how large each neuron of one feed-forward half is.

    The product of the norms of what a neuron reads with and what it writes with: invariant to
    scales that move from one of a neuron's matrices to another.

    Args:
        tensors: The model.
        structure: Of it.
        group: Of `neuron_groups`: a layer, or one expert of it.

    Returns:
        Shape `(ffn,)`.
    """
    names = [name for name in structure.shapes() if neuron_group(structure, name) == group]
    return _sizes(tensors, structure, names)


def neuron_group(structure: Structure, name: str) -> str | None:
    """Return the feed-forward half that a tensor with neurons belongs to; None for others.

    Example:
        >>> tiny = Structure(
        ...     family="llama", vocabulary=256, width=128, layers=4,
        ...     heads=4, kv_heads=2, head_width=32, ffn=352,
        ... )
        >>> neuron_group(tiny, "model.layers.2.mlp.down_proj.weight")
        'layer 2'
    """
    spot = place(structure, name)
    if spot.axis(*NEURONS) is None:
        return None
    return f"layer {spot.layer}" + ("" if spot.expert is None else f", expert {spot.expert}")


def neuron_groups(structure: Structure) -> tuple[str, ...]:
    """Return every feed-forward half, in the order of the tensors' names."""
    return tuple(_group_names(structure))


def prune_neurons(
    model: Model,
    *,
    keep: int | None = None,
    criterion: str = "size",
    seed: bytes = b"",
    kept: Mapping[str, Sequence[int]] | None = None,
) -> Transformed:
    """Return the network with fewer neurons in every feed-forward half.

    Args:
        model: Of a family with axes.
        keep: How many stay in each half.
        criterion: One of `CRITERIA`.
        seed: For `random`.
        kept: Instead of a criterion: for each of `neuron_groups`, which stay, in order.

    Raises:
        TransformError: The numbers do not fit, or lists are missing or of different lengths.
    """
    structure = sound(model)
    chosen = kept
    if chosen is None:
        refuse(_keep_mistakes(structure, keep, criterion))
        chosen = {
            group: _chosen(
                model, group, names=names, keep=keep or 0, criterion=criterion, seed=seed
            )
            for group, names in _group_names(structure).items()
        }
    refuse(_kept_mistakes(structure, chosen))
    narrower = resized(structure, ffn=len(next(iter(chosen.values()))))
    picks = {group: np.array(list(indices), dtype=np.int64) for group, indices in chosen.items()}

    def taken(name: str) -> dict[Axis, Indices]:
        group = neuron_group(structure, name)
        return {} if group is None else dict.fromkeys(NEURONS, picks[group])

    written: dict[str, Json] = {group: one.tolist() for group, one in picks.items()}
    said: dict[str, Json] = {"keep": keep, "criterion": criterion, "seed": seed.hex()}
    return _narrowed(
        model,
        narrower,
        taken=taken,
        record=TransformRecord(
            kind="prune-neurons",
            parameters=said if kept is None else {"kept": written},
            map={"neurons": written},
            parents=(model.name,),
            structure_changed=True,
        ),
    )


def prune_heads(
    model: Model, *, groups: Sequence[int], heads: Sequence[int] | None = None
) -> Transformed:
    """Return the network with fewer heads in every layer.

    Args:
        model: Of a family whose heads have a width of their own (`llama`, `peri`, `mixtral`).
        groups: Which groups of keys and values stay, in order.
        heads: Which query heads of each group stay, counted inside the group; all by default.

    Raises:
        TransformError: The family ties the number of heads to the width, or an index is not
            there or stands twice.
    """
    structure = sound(model)
    known_family(structure, transform="prune-heads", families=("llama", "peri", "mixtral"))
    each = structure.heads // structure.kv_heads
    inside = list(range(each)) if heads is None else list(heads)
    refuse(
        [
            *_index_mistakes(groups, structure.kv_heads, file="prune-heads", place="groups"),
            *_index_mistakes(inside, each, file="prune-heads", place="heads"),
        ]
    )
    narrower = resized(structure, heads=len(groups) * len(inside), kv_heads=len(groups))
    queries = [group * each + head for group in groups for head in inside]
    asked, answered = (_blocks(one, structure.head_width) for one in (queries, groups))
    picks = {Axis.QUERY: asked, Axis.MIXED: asked, Axis.KEY: answered, Axis.VALUE: answered}
    return _narrowed(
        model,
        narrower,
        taken=lambda _: picks,
        record=TransformRecord(
            kind="prune-heads",
            parameters={"groups": list(groups), "heads": inside},
            map={"query_heads": queries, "kv_heads": list(groups)},
            parents=(model.name,),
            structure_changed=True,
        ),
    )


def _narrowed(
    model: Model,
    narrower: Structure,
    *,
    taken: Callable[[str], Mapping[Axis, Indices]],
    record: TransformRecord,
) -> Transformed:
    """Return the network with only some places of some axes, by what stays of each tensor's."""
    plans = {}
    for name, shape in narrower.shapes().items():
        spot, picks = place(model.structure, name), taken(name)
        axis = spot.axis(*picks)
        if axis is None:
            plans[name] = copied(model.tensors, name)
            continue
        make = partial(_taken, model.tensors, name, axis=axis, indices=picks[spot.axes[axis]])
        plans[name] = Plan(shape=shape, dtype=model.tensors.dtype(name), make=make)
    return Transformed(tensors=Derived(plans), structure=narrower, record=record)


def _group_names(structure: Structure) -> dict[str, list[str]]:
    """Return the tensors of every feed-forward half, in one pass over all names."""
    found: dict[str, list[str]] = {}
    for name in structure.shapes():
        group = neuron_group(structure, name)
        if group is not None:
            found.setdefault(group, []).append(name)
    return found


def _sizes(tensors: Tensors, structure: Structure, names: Sequence[str]) -> NDArray[np.float64]:
    """Return the product of each neuron's norms over some matrices; biases do not count."""
    sizes = np.ones(structure.ffn, dtype=np.float64)
    for name in names:
        spot = place(structure, name)
        axis = spot.axis(*NEURONS)
        if axis is not None and len(spot.axes) > 1:
            squares = np.square(tensors.read(name).astype(np.float64))
            sizes *= np.sqrt(steady_sum(np.moveaxis(squares, axis, -1)))
    return sizes


def _chosen(
    model: Model, group: str, *, names: Sequence[str], keep: int, criterion: str, seed: bytes
) -> list[int]:
    """Return the neurons of a half that stay, in their old order."""
    ffn = model.structure.ffn
    if criterion == "first":
        return list(range(keep))
    if criterion == "random":
        order = permutation(seed, f"prune/{group}", count=ffn)
    else:
        sizes = _sizes(model.tensors, model.structure, names)
        order = np.argsort(-sizes, kind="stable")
    return sorted(int(one) for one in order[:keep])


def _taken(tensors: Tensors, name: str, *, axis: int, indices: Indices) -> NDArray[Any]:
    return np.ascontiguousarray(np.take(tensors.read(name), indices, axis=axis))


def _blocks(chosen: Sequence[int], width: int) -> Indices:
    """Return the places of whole heads on an axis that counts heads by their width."""
    starts = np.array(list(chosen), dtype=np.int64) * width
    places: Indices = (starts[:, None] + np.arange(width)).ravel()
    return places


def _keep_mistakes(structure: Structure, keep: int | None, criterion: str) -> Iterator[Mistake]:
    if criterion not in CRITERIA:
        yield Mistake(
            file="prune-neurons",
            place="criterion",
            read=repr(criterion),
            expected="one of " + ", ".join(CRITERIA),
        )
    if keep is None or not 0 < keep <= structure.ffn:
        yield Mistake(
            file="prune-neurons",
            place="keep",
            read=str(keep),
            expected=f"a number from 1 to {structure.ffn}, the neurons that there are",
        )


def _kept_mistakes(structure: Structure, kept: Mapping[str, Sequence[int]]) -> Iterator[Mistake]:
    groups = neuron_groups(structure)
    if set(kept) != set(groups) or len({len(one) for one in kept.values()}) != 1:
        lengths = ", ".join(f"{group}: {len(one)}" for group, one in sorted(kept.items()))
        yield Mistake(
            file="prune-neurons",
            place="kept",
            read=lengths or "nothing",
            expected=f"lists of one length for each of {', '.join(groups)}",
        )
    for group, one in sorted(kept.items()):
        yield from _index_mistakes(one, structure.ffn, file="prune-neurons", place=f"kept, {group}")


def _index_mistakes(
    indices: Sequence[int], count: int, *, file: str, place: str
) -> Iterator[Mistake]:
    wrong = [index for index in indices if not 0 <= index < count]
    if wrong or not indices or len(set(indices)) != len(indices):
        yield Mistake(
            file=file,
            place=place,
            read=str(list(indices)[:20]),
            expected=f"numbers from 0 to {count - 1}, each once, and at least one",
        )
