"""What a neuron is like, in numbers that no change of coordinates touches.

For finding the turn between two residual streams without embeddings: neurons of two models are
laid beside each other by lengths, by the angles between their own vectors, and by how they lie
in matrices that the whole layer makes. All of these stay as they are when the residual stream
is turned, neurons are re-ordered, or up and down are scaled or change their sign together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.models.comparison.units import Units

__all__ = ["LayerSpace", "mean_forms", "residual_forms", "signatures"]

_FARTHEST = 6.0
"""Robust deviations beyond this are cut to it: a single wild number must not rule a distance."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerSpace:
    """A layer as it lies in the residual stream.

    Attributes:
        units: Its neurons.
        forms: Matrices of the residual stream by name, each shape `(width, width)` and of
            Frobenius norm 1; a turn Q makes QᵀMQ of each.
    """

    units: Units
    forms: Mapping[str, NDArray[np.float32]]

    def turned(self, basis: NDArray[np.floating]) -> "LayerSpace":
        """Return the layer in other coordinates; see `Units.turned`."""
        turn = basis.astype(np.float32)
        forms = {
            name: np.asarray(turn.T @ form @ turn, dtype=np.float32)
            for name, form in self.forms.items()
        }
        return LayerSpace(units=self.units.turned(basis), forms=forms)


def residual_forms(
    units: Units, *, others: Mapping[str, NDArray[np.floating]] | None = None
) -> dict[str, NDArray[np.float32]]:
    """Return the matrices that a layer makes in the residual stream.

    Args:
        units: Its neurons.
        others: Further ones, such as Σ W_qᵀW_k over heads; brought to norm 1 here.
    """
    made: dict[str, NDArray[np.floating]] = {
        "up-up": units.up.T @ units.up,
        "down-down": units.down.T @ units.down,
        "up-down": units.up.T @ units.down,
    }
    if units.gate is not None:
        made["gate-gate"] = units.gate.T @ units.gate
    made |= dict(others or {})
    return {
        name: np.asarray(form / max(float(np.linalg.norm(form)), 1e-30), dtype=np.float32)
        for name, form in made.items()
    }


def mean_forms(layers: Sequence[LayerSpace]) -> dict[str, NDArray[np.float32]]:
    """Return the mean over layers of every form that all of them have."""
    names = set(layers[0].forms).intersection(*(layer.forms for layer in layers))
    return {
        name: np.mean([layer.forms[name] for layer in layers], axis=0, dtype=np.float32)
        for name in sorted(names)
    }


def signatures(layer: LayerSpace, mean: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Return each neuron's signature, as robust deviations from the layer's median.

    Args:
        layer: The layer.
        mean: Forms of the whole model, see `mean_forms`.

    Returns:
        Shape `(neurons, features)`, in [-6, 6]. Two layers' signatures are comparable when both
        are gated or neither is, and both have the same forms.
    """
    units = layer.units
    forms = [*_ordered(layer.forms), *_ordered(mean)]
    found = [np.log(units.through), *_forms_between(units.up, units.down, forms, sign=True)]
    found += [np.einsum("nd,nd->n", units.up, units.down)]
    for rows in (units.up, units.down):
        found += _forms_between(rows, rows, forms, sign=True)
    if units.gate is not None and units.gate_length is not None:
        found += [np.log(units.gate_length)]
        found += _forms_between(units.gate, units.gate, forms, sign=True)
        for rows in (units.up, units.down):
            found += [np.abs(np.einsum("nd,nd->n", units.gate, rows))]
            found += _forms_between(units.gate, rows, forms, sign=False)
    return _deviations(np.stack(found, axis=1))


def _ordered(
    forms: Mapping[str, NDArray[np.float32]],
) -> list[tuple[NDArray[np.float32], bool]]:
    """Return forms in the order of their names, each with whether it is symmetric by making."""
    symmetric = {"up-up", "down-down", "gate-gate"}
    return [(forms[name], name in symmetric) for name in sorted(forms)]


def _forms_between(
    left: NDArray[np.float32],
    right: NDArray[np.float32],
    forms: Sequence[tuple[NDArray[np.float32], bool]],
    *,
    sign: bool,
) -> list[NDArray[np.floating]]:
    """Return xᵀMy, and xᵀMᵀy where that is another number, for each neuron's x and y."""
    found = []
    for form, symmetric in forms:
        turned = [form] if symmetric or left is right else [form, form.T]
        found += [np.einsum("nd,nd->n", left @ one, right) for one in turned]
    return found if sign else [np.abs(values) for values in found]


def _deviations(values: NDArray[np.floating]) -> NDArray[np.float32]:
    median = np.median(values, axis=0)
    spread = 1.4826 * np.median(np.abs(values - median), axis=0)  # σ of a normal
    varying = spread > 1e-12 * np.maximum(np.abs(median), 1.0)
    found = (values[:, varying] - median[varying]) / spread[varying]
    kept = np.zeros(values.shape, dtype=np.float32)
    kept[:, varying] = np.clip(found, -_FARTHEST, _FARTHEST)
    return kept
