"""Every way in which weights can change while the network does not.

Where the next kind goes: a pair of functions that draw and apply it, and one entry in `KINDS`.
`tests/forge/test_laundering.py` holds every kind against every family that it names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dokja.models.forge.laundering import bases, permuting, scaling
from dokja.models.forge.laundering.moves import Maps, Moves, moved
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.tensors import Tensors

__all__ = ["KINDS", "LaunderingKind", "kinds_for"]

_Apply = Callable[[Tensors, Structure, Maps], tuple[Tensors, Structure]]


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunderingKind:
    """One re-parameterisation.

    Attributes:
        name: What recipes and records call it.
        families: Structures that it is exact for.
        draw: From a structure and a seed to its random choices.
        apply: From tensors, their structure and the choices to what they become.
        invert: From choices to those that undo them; None where the parent's gains are lost.
        exact: Whether single weights only move, flip or are multiplied by a power of two.
        fits: Whether there is anything to change in this structure.
    """

    name: str
    families: tuple[str, ...]
    draw: Callable[[Structure, bytes], Maps]
    apply: _Apply
    invert: Callable[[Maps], Maps] | None
    exact: bool = False
    fits: Callable[[Structure], bool] = lambda _: True


def _along(moves: Callable[[Structure, Maps], Callable[[str], Moves]]) -> _Apply:
    """Return the application of a kind that only maps axes."""

    def apply(tensors: Tensors, structure: Structure, maps: Maps) -> tuple[Tensors, Structure]:
        return moved(tensors, structure, moves(structure, maps)), structure

    return apply


_GATED = ("llama", "peri", "mixtral")
_ALL = (*_GATED, "gpt2")

KINDS: Mapping[str, LaunderingKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            LaunderingKind(
                name="gain-spread",
                families=_ALL,
                draw=scaling.draw_gain_spread,
                apply=_along(scaling.gain_spread),
                invert=scaling.invert_scales,
            ),
            LaunderingKind(
                name="ffn-permutation",
                families=_ALL,
                draw=permuting.draw_neuron_order,
                apply=_along(permuting.neuron_order),
                invert=permuting.invert_order,
                exact=True,
            ),
            LaunderingKind(
                name="head-permutation",
                families=_ALL,
                draw=permuting.draw_head_order,
                apply=_along(permuting.head_order),
                invert=permuting.invert_order,
                exact=True,
                fits=lambda structure: structure.heads > 1,
            ),
            LaunderingKind(
                name="expert-permutation",
                families=("mixtral",),
                draw=permuting.draw_expert_order,
                apply=permuting.apply_expert_order,
                invert=permuting.invert_order,
                exact=True,
            ),
            LaunderingKind(
                name="value-basis",
                families=_ALL,
                draw=bases.draw_value_basis,
                apply=_along(bases.value_basis),
                invert=bases.invert_bases,
            ),
            LaunderingKind(
                name="rope-phase",
                families=("llama", "mixtral"),
                draw=bases.draw_rope_phases,
                apply=_along(bases.query_key_basis),
                invert=bases.invert_bases,
            ),
            LaunderingKind(
                name="query-key-basis",
                families=("gpt2",),
                draw=bases.draw_query_key_basis,
                apply=_along(bases.query_key_basis),
                invert=bases.invert_bases,
            ),
            LaunderingKind(
                name="swiglu-scale",
                families=_GATED,
                draw=scaling.draw_neuron_scale,
                apply=_along(scaling.neuron_scale),
                invert=scaling.invert_scales,
            ),
            LaunderingKind(
                name="rotation",
                families=("llama", "mixtral"),
                draw=bases.draw_rotation,
                apply=bases.apply_rotation,
                invert=None,
            ),
            LaunderingKind(
                name="residual-permutation",
                families=_ALL,
                draw=permuting.draw_residual_order,
                apply=_along(permuting.residual_order),
                invert=permuting.invert_residual_order,
                exact=True,
            ),
            LaunderingKind(
                name="residual-scale",
                families=_ALL,
                draw=scaling.draw_residual_scale,
                apply=scaling.apply_residual_scale,
                invert=scaling.invert_scales,
                exact=True,
            ),
        )
    }
)
"""Every kind by its name, in the order in which all of them together are applied."""


def kinds_for(structure: Structure) -> tuple[str, ...]:
    """Return every kind that is exact for a structure and changes something in it.

    Example:
        >>> tiny = Structure(
        ...     family="peri", vocabulary=256, width=128, layers=4,
        ...     heads=4, kv_heads=2, head_width=32, ffn=352, window=16,
        ... )
        >>> "rope-phase" in kinds_for(tiny)
        False
    """
    return tuple(
        kind.name
        for kind in KINDS.values()
        if structure.family in kind.families and kind.fits(structure)
    )
