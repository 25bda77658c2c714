"""How alike two models' normalisation gains are.

Gains are centred before they are compared: nearly all of them lie near one, so that their
cosine is near one for any two models. Nothing here reads a file or knows a threshold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.models.comparison.coordinates import centred_correlation

__all__ = ["Likeness", "gain_likeness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """A likeness and what it rests on.

    Attributes:
        value: In [-1, 1].
        layers: Over how many layers it was averaged.
    """

    value: float
    layers: int


def gain_likeness(child: NDArray[np.float32], parent: NDArray[np.float32]) -> Likeness:
    """Return how alike the gains are, averaged over the layers that both models have.

    Args:
        child: Gains of the model in question, shape `(layers, width)`.
        parent: Gains of the candidate ancestor, shape `(layers, width)`, same width.

    Returns:
        The mean Pearson correlation over layers, in [-1, 1]; 1 for a copy. What strangers
        score is measured in `evidence.lineage`, not assumed here.

    Raises:
        NotComparableError: The widths differ, or no layer varies in both models.

    Example:
        >>> gains = np.array([[1.0, 2.0, 4.0]], dtype=np.float32)
        >>> round(gain_likeness(gains, 3 * gains).value, 6)
        1.0
    """
    if child.ndim != 2 or parent.ndim != 2 or child.shape[1] != parent.shape[1]:  # noqa: PLR2004  # layers and width
        raise NotComparableError(
            f"gains of shapes {child.shape} and {parent.shape} differ in width"
        )
    shared = min(len(child), len(parent))
    varying: list[float] = []
    for ours, theirs in zip(child[:shared], parent[:shared], strict=True):
        try:
            varying.append(centred_correlation(ours, theirs))
        except NotComparableError:
            continue  # a layer whose gains never moved says nothing, and is not counted
    if not varying:
        raise NotComparableError(f"none of the {shared} shared layers varies in both models")
    return Likeness(value=sum(varying) / len(varying), layers=len(varying))
