"""Makes a network wider while it computes the same (Net2Net, arXiv 1511.05641, section 2.2).

Units are repeated, and whoever reads the copies reads each by its share. The residual and the
heads are repeated whole, a number of times, because the norms then see the same mean and square;
neurons may grow to any number. Copies are equal and would stay so in training: follow this with
`noise` before training.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place, resized
from dokja.models.forge.transforms.draws import words
from dokja.models.forge.transforms.prune import neuron_group, neuron_groups
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse, sound
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan, Tensors
from dokja.values import Json

__all__ = ["grow"]

Indices = NDArray[np.int64]
Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeat:
    """Along one axis: which old unit each new one copies, and what it is divided by."""

    axis: int
    indices: Indices
    divisors: NDArray[np.float64] | None = None


def grow(
    model: Model,
    *,
    ffn: int | None = None,
    width_times: int = 1,
    heads_times: int = 1,
    seed: bytes = b"",
) -> Transformed:
    """Return a wider network with the same outputs but for rounding.

    Args:
        model: Of a family with axes.
        ffn: Neurons in each feed-forward half afterwards; as many as before by default. Which
            old ones are copied follows from the seed.
        width_times: How many times the residual is repeated.
        heads_times: How many times the heads are repeated; in `gpt2`, where the number of heads
            times their width is the width, it must be `width_times`.
        seed: Of the neurons that are copied.

    Raises:
        TransformError: A number is too small, or the sizes do not fit each other.
    """
    structure = sound(model)
    neurons = structure.ffn if ffn is None else ffn
    refuse(_mistakes(structure, ffn=neurons, width_times=width_times, heads_times=heads_times))
    wider = resized(
        structure,
        ffn=neurons,
        width=structure.width * width_times,
        heads=structure.heads * heads_times,
        kv_heads=structure.kv_heads * heads_times,
    )
    sources = {
        group: _neuron_sources(structure.ffn, neurons, seed=seed, label=f"grow/{group}")
        for group in neuron_groups(structure)
    }
    times: dict[str, Json] = {"width_times": width_times, "heads_times": heads_times}
    added = {group: one[structure.ffn :].tolist() for group, one in sources.items()}
    record = TransformRecord(
        kind="grow",
        parameters={"ffn": neurons, **times, "seed": seed.hex()},
        map={**times, "neurons": added},
        parents=(model.name,),
        keeps_function=True,
        structure_changed=True,
    )
    plans = _plans(model, wider, sources, width_times=width_times, heads_times=heads_times)
    return Transformed(tensors=Derived(plans), structure=wider, record=record)


def _plans(
    model: Model,
    wider: Structure,
    sources: dict[str, Indices],
    *,
    width_times: int,
    heads_times: int,
) -> dict[str, Plan]:
    plans = {}
    for name, shape in wider.shapes().items():
        repeats = tuple(
            _repeats(
                model.structure, name, sources, width_times=width_times, heads_times=heads_times
            )
        )
        make = partial(_repeated, model.tensors, name, repeats)
        plans[name] = Plan(shape=shape, dtype=FLOAT32, make=make)
    return plans


def _repeats(
    structure: Structure,
    name: str,
    sources: dict[str, Indices],
    *,
    width_times: int,
    heads_times: int,
) -> Iterator[_Repeat]:
    width = np.tile(np.arange(structure.width), width_times)
    thinner = np.full(len(width), float(width_times))
    # A tied head cannot read by shares what the embedding writes whole: the last norm does it.
    last = structure.tied and name in _LAST_NORMS
    for at, axis in enumerate(place(structure, name).axes):
        match axis:
            case Axis.WRITES | Axis.GAIN | Axis.WRITTEN_GAIN:
                yield _Repeat(axis=at, indices=width, divisors=thinner if last else None)
            case Axis.READS:
                yield _Repeat(axis=at, indices=width, divisors=thinner)
            case Axis.QUERY | Axis.KEY | Axis.VALUE | Axis.JOINED | Axis.MIXED:
                yield _head_repeat(structure, at, kind=axis, times=heads_times)
            case Axis.GATE | Axis.UP | Axis.DOWN:
                indices = sources[neuron_group(structure, name) or ""]
                counts = np.bincount(indices, minlength=structure.ffn).astype(np.float64)
                divisors = counts[indices] if axis is Axis.DOWN else None
                yield _Repeat(axis=at, indices=indices, divisors=divisors)
            case Axis.VOCABULARY | Axis.POSITION | Axis.HEAD | Axis.EXPERT:
                pass


_LAST_NORMS = frozenset({"model.norm.weight", "transformer.ln_f.weight", "transformer.ln_f.bias"})


def _head_repeat(structure: Structure, at: int, *, kind: Axis, times: int) -> _Repeat:
    queries, grouped = (
        np.arange(count * structure.head_width) for count in (structure.heads, structure.kv_heads)
    )
    if kind is Axis.JOINED:
        starts = (0, len(queries), len(queries) + len(grouped))
        parts = zip((queries, grouped, grouped), starts, strict=True)
        return _Repeat(
            axis=at, indices=np.concatenate([np.tile(part + first, times) for part, first in parts])
        )
    indices = np.tile(grouped if kind in {Axis.KEY, Axis.VALUE} else queries, times)
    divisors = np.full(len(indices), float(times)) if kind is Axis.MIXED else None
    return _Repeat(axis=at, indices=indices, divisors=divisors)


def _repeated(tensors: Tensors, name: str, repeats: tuple[_Repeat, ...]) -> Array:
    values: Array = tensors.read(name).astype(np.float64)
    for repeat in repeats:
        values = np.take(values, repeat.indices, axis=repeat.axis)
        if repeat.divisors is not None:
            shape = [1] * values.ndim
            shape[repeat.axis] = -1
            values = values / repeat.divisors.reshape(shape)
    return values.astype(np.float32)


def _neuron_sources(old: int, new: int, *, seed: bytes, label: str) -> Indices:
    """Return which old neuron each new one copies; the first ones copy themselves."""
    drawn = (words(seed, label, count=new - old) % np.uint64(old)).astype(np.int64)
    return np.concatenate([np.arange(old, dtype=np.int64), drawn])


def _mistakes(
    structure: Structure, *, ffn: int, width_times: int, heads_times: int
) -> Iterator[Mistake]:
    at_least = {
        "ffn": (ffn, structure.ffn),
        "width_times": (width_times, 1),
        "heads_times": (heads_times, 1),
    }
    for key, (value, least) in at_least.items():
        if value < least:
            yield Mistake(
                file="grow", place=key, read=str(value), expected=f"a number of at least {least}"
            )
    if structure.family == "gpt2" and width_times != heads_times:
        yield Mistake(
            file="grow",
            place="heads_times",
            read=str(heads_times),
            expected=f"{width_times}, as width_times: the heads of gpt2 fill its width",
        )
