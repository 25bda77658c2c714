"""Adds noise to weights: the plainest way to make a copy look like something else."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.transforms.draws import normals
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord
from dokja.models.forge.transforms.sums import steady_mean
from dokja.models.forge.transforms.tensors import edited

__all__ = ["add_noise", "spread"]


def spread(values: NDArray[Any]) -> float:
    """Return the standard deviation of an array's values, the same bits on every machine.

    Example:
        >>> spread(np.array([1.0, 3.0]))
        1.0
    """
    flat = values.astype(np.float64).ravel()
    mean = steady_mean(flat)
    return float(np.sqrt(steady_mean(np.square(flat - mean))))


def add_noise(
    model: Model, *, share: float, seed: bytes, tensors: Sequence[str] = ("*",)
) -> Transformed:
    """Return the model with seeded normal noise on its tensors.

    Args:
        model: Any model.
        share: Standard deviation of the noise as a share of each tensor's own, such as 0.01 to
            0.1. A tensor whose values are all equal is left as it is.
        seed: Of the noise.
        tensors: Name patterns (`*` and `?`) of the tensors to be changed.
    """

    def edit(name: str, values: NDArray[Any]) -> NDArray[Any]:
        if not any(fnmatchcase(name, pattern) for pattern in tensors):
            return values.astype(np.float32, copy=False)
        size = share * spread(values)
        noise = normals(seed, f"noise/{name}", shape=values.shape)
        noisy: NDArray[np.float32] = (values + size * noise.astype(np.float64)).astype(np.float32)
        return noisy

    return Transformed(
        tensors=edited(model.tensors, edit),
        structure=model.structure,
        record=TransformRecord(
            kind="noise",
            parameters={"share": share, "seed": seed.hex(), "tensors": list(tensors)},
            parents=(model.name,),
        ),
    )
