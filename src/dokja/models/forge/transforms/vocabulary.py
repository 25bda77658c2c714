"""Changes which token each row of embedding and head stands for.

Rows are kept, new or drawn again. The map from new rows to old ones is in the record, as runs,
with the share of rows that are new: it says how much of a vocabulary an ancestor can have given.
"""

import math
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.initialisation import STANDARD_DEVIATION
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.axes import Axis, place, resized
from dokja.models.forge.transforms.draws import normals, permutation
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse, sound
from dokja.models.forge.transforms.sums import steady_mean
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan, Tensors, copied
from dokja.values import Json

__all__ = [
    "NEW",
    "NEW_ROWS",
    "change_vocabulary",
    "extend_rows",
    "pad_rows",
    "replace_embeddings",
    "runs",
    "swap_rows",
]

NEW = -1
"""Stands in a map of rows where a row is new."""

NEW_ROWS = ("mean", "seed", "zero")
"""How new rows begin: as the mean of the old ones, drawn as at a start, or as zero."""


def extend_rows(vocabulary: int, *, add: int) -> list[int]:
    """Return the map that keeps every row and adds new ones at the end.

    Example:
        >>> extend_rows(3, add=2)
        [0, 1, 2, -1, -1]
    """
    return [*range(vocabulary), *([NEW] * add)]


def pad_rows(vocabulary: int, *, multiple: int) -> list[int]:
    """Return the map that adds rows up to a multiple, such as 128.

    Example:
        >>> pad_rows(3, multiple=4)
        [0, 1, 2, -1]
    """
    return extend_rows(vocabulary, add=-vocabulary % multiple)


def swap_rows(vocabulary: int, *, share: float, seed: bytes) -> list[int]:
    """Return the map in which a random share of the rows is new, rounded to whole rows."""
    chosen = permutation(seed, "vocabulary/swap", count=vocabulary)[: round(share * vocabulary)]
    rows = np.arange(vocabulary)
    rows[chosen] = NEW
    return [int(row) for row in rows]


def runs(rows: Sequence[int]) -> list[list[int]]:
    """Return a map as runs `[first new row, first old row, length]`; new rows are left out.

    Example:
        >>> runs([0, 1, 2, -1, 7, 8])
        [[0, 0, 3], [4, 7, 2]]
    """
    array = np.array([NEW - 1, *rows, NEW - 1], dtype=np.int64)
    follows = (np.diff(array) == 1) & (array[1:] >= 1) & (array[:-1] >= 0)
    # Where a row does not follow the one before it, a run begins, of kept or of new rows.
    starts = [at for at in range(len(rows)) if not follows[at]]
    found = [
        [start, int(rows[start]), stop - start] for start, stop in pairwise([*starts, len(rows)])
    ]
    return [run for run in found if run[1] != NEW]


def change_vocabulary(
    model: Model,
    *,
    rows: Sequence[int],
    new: str = "mean",
    seed: bytes = b"",
    parameters: dict[str, Json] | None = None,
) -> Transformed:
    """Return the model with another vocabulary.

    Args:
        model: Of a family with axes.
        rows: For each new row, the old one that it keeps, or `NEW`.
        new: One of `NEW_ROWS`. The mean is that of the old rows, for embedding and head alike.
        seed: For rows that are drawn.
        parameters: What the record says instead of the whole map.

    Raises:
        TransformError: A row is not there, or none would be left.
    """
    structure = sound(model)
    refuse(_mistakes(structure, rows, new))
    changed = resized(structure, vocabulary=len(rows))
    index = np.array(list(rows), dtype=np.int64)
    plans = {}
    for name in model.tensors.names:
        axes = place(structure, name).axes
        if Axis.VOCABULARY not in axes:
            plans[name] = copied(model.tensors, name)
            continue
        make = partial(_changed, model.tensors, name, index=index, new=new, seed=seed)
        shape = (len(rows), *model.tensors.shape(name)[1:])
        plans[name] = Plan(shape=shape, dtype=FLOAT32, make=make)
    count = sum(1 for row in rows if row == NEW)
    return Transformed(
        tensors=Derived(plans),
        structure=changed,
        record=TransformRecord(
            kind="vocabulary",
            parameters=parameters
            or {"kind": "map", "rows": list(rows), "new": new, "seed": seed.hex()},
            map={"rows": runs(rows), "new": count, "share_new": count / len(rows)},
            parents=(model.name,),
        ),
    )


def replace_embeddings(
    model: Model,
    *,
    parts: Sequence[str] = ("embedding", "head"),
    donor: Model | None = None,
    seed: bytes = b"",
) -> Transformed:
    """Return the model with an embedding or head that is another's, or drawn again.

    Args:
        model: Of a family with axes.
        parts: `embedding`, `head` or both. A tied head goes with its embedding.
        donor: Whose rows they become; its vocabulary becomes the model's. Without it, they are
            drawn as at a start.
        seed: For rows that are drawn.

    Raises:
        TransformError: A part is unknown, or the donor has another width or vocabulary.
    """
    structure = sound(model)
    vocabulary = structure.vocabulary if donor is None else donor.structure.vocabulary
    names = {
        "embedding" if Axis.WRITES in place(structure, name).axes else "head": name
        for name in model.tensors.names
        if Axis.VOCABULARY in place(structure, name).axes
    }
    chosen = {names[part]: part for part in parts if part in names}
    refuse(_part_mistakes(model, donor, parts=parts, chosen=chosen, names=names))
    changed = resized(structure, vocabulary=vocabulary)
    plans = {name: copied(model.tensors, name) for name in model.tensors.names}
    for name in chosen:
        if donor is not None:
            plans[name] = copied(donor.tensors, name)
            continue
        shape = model.tensors.shape(name)
        plans[name] = Plan(
            shape=shape, dtype=FLOAT32, make=partial(_drawn, name, shape=shape, seed=seed)
        )
    return Transformed(
        tensors=Derived(plans),
        structure=changed,
        record=TransformRecord(
            kind="replace-embeddings",
            parameters={"parts": list(parts), "seed": seed.hex()},
            map={"replaced": sorted(chosen)},
            parents=(model.name,) if donor is None else (model.name, donor.name),
        ),
    )


def _changed(
    tensors: Tensors, name: str, *, index: NDArray[np.int64], new: str, seed: bytes
) -> NDArray[Any]:
    old = tensors.read(name).astype(np.float32, copy=False)
    values = old[np.where(index == NEW, 0, index)]
    fresh = index == NEW
    count = int(fresh.sum())
    if new == "mean" and count:
        values[fresh] = steady_mean(old).astype(np.float32)
    elif new == "seed":
        values[fresh] = _drawn(name, shape=(count, *old.shape[1:]), seed=seed)
    else:
        values[fresh] = 0
    return values


def _drawn(name: str, *, shape: tuple[int, ...], seed: bytes) -> NDArray[np.float32]:
    drawn = normals(seed, f"vocabulary/{name}", shape=shape)
    return drawn * np.float32(STANDARD_DEVIATION)


def _mistakes(structure: Structure, rows: Sequence[int], new: str) -> Iterator[Mistake]:
    wrong = sorted({row for row in rows if not NEW <= row < structure.vocabulary})
    if wrong or not rows:
        yield Mistake(
            file="vocabulary",
            place="rows",
            read=str(wrong[:20]) if rows else "no row",
            expected=f"rows from 0 to {structure.vocabulary - 1}, or {NEW} for new ones",
        )
    if new not in NEW_ROWS:
        yield Mistake(
            file="vocabulary",
            place="new",
            read=repr(new),
            expected="one of " + ", ".join(NEW_ROWS),
        )


def _part_mistakes(
    model: Model,
    donor: Model | None,
    *,
    parts: Sequence[str],
    chosen: dict[str, str],
    names: dict[str, str],
) -> Iterator[Mistake]:
    unknown = [part for part in parts if part not in {"embedding", "head"}]
    if unknown or not chosen:
        yield Mistake(
            file="replace-embeddings",
            place="parts",
            read=", ".join(parts) or "nothing",
            expected="some of " + ", ".join(sorted(names)),
        )
    if donor is None:
        return
    for name in sorted(chosen):
        has = name in donor.tensors.names
        shape = donor.tensors.shape(name) if has else ()
        if not has or math.prod(shape[1:]) != model.structure.width:
            yield Mistake(
                file=donor.name,
                place=f"tensor {name}",
                read=f"shape {shape}" if has else "nothing",
                expected=f"rows of width {model.structure.width}",
            )
    rest = set(names.values()) - set(chosen)
    if rest and donor.structure.vocabulary != model.structure.vocabulary:
        yield Mistake(
            file=donor.name,
            place="vocabulary",
            read=str(donor.structure.vocabulary),
            expected=f"{model.structure.vocabulary}, or both embedding and head replaced",
        )
