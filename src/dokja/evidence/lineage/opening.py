"""Two models' components as their networks use them, folded when they are first asked for.

A component that can be held is folded whole. Of a larger one a sketch is made: some interior
layers of the suspect, the same ones of the reference where both are as deep and all of them
where not, all neurons on the suspect's side and some on the reference's. Both sides of a pair are
looked at in the same way.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.agreements import Side, interior
from dokja.evidence.lineage.bodies import Body
from dokja.evidence.lineage.components import ComponentSpec
from dokja.evidence.lineage.folding import Folded, fold, sketch
from dokja.evidence.lineage.mapping import map_bodies
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.projecting import axes
from dokja.models.weights import Source

__all__ = ["Bodies", "Declared", "block_values", "evenly"]

Declared = tuple[Source, Mapping[str, ComponentSpec] | None]
"""A model, and its components as declared; by tensor names where none are."""


class Bodies:
    """Two models' components, made into sides that can be laid on each other.

    Args:
        suspect: The suspect, and its components as declared.
        reference: Likewise.
        plan: What is held, and how a sketch is made.
        seed: Draws axes and neurons.
    """

    def __init__(self, suspect: Declared, reference: Declared, *, plan: Plan, seed: int) -> None:
        self._ours, self._theirs = (
            map_bodies(source, components=said) for source, said in (suspect, reference)
        )
        self._sources = (suspect[0], reference[0])
        self._plan = plan
        self._seed = seed
        self._held: dict[tuple[int, str], Folded] = {}

    def anew(self) -> "Bodies":
        """Return the same with nothing folded yet, for a component that is looked at by itself."""
        other = copy(self)
        other._held = {}  # noqa: SLF001  # its own class
        return other

    def facing(self, reference: Source) -> "Bodies":
        """Return the suspect facing another reference; what was folded of it is kept."""
        other = copy(self)
        other._theirs = map_bodies(reference)  # noqa: SLF001  # its own class
        other._sources = (self._sources[0], reference)  # noqa: SLF001  # likewise
        other._held = {key: one for key, one in self._held.items() if key[0] == 0}  # noqa: SLF001  # likewise
        return other

    def pairs(self, component: str, role: str) -> list[tuple[Side, Side]]:
        """Return a component of the suspect beside each of the reference's components of a role.

        A component whose feed-forward blocks are not known is in no pair.
        """
        ours = [body for body in self._ours if body.component == component]
        theirs = [body for body in self._theirs if body.role == role]
        made = [self._pair(one, other) for one in ours for other in theirs]
        return [pair for pair in made if pair[0].folded.blocks and pair[1].folded.blocks]

    def _pair(self, ours: Body, theirs: Body) -> tuple[Side, Side]:
        if max(block_values(ours), block_values(theirs)) > self._plan.held_values:
            return self._sketched(ours, theirs)
        return self._whole(0, ours), self._whole(1, theirs)

    def _whole(self, which: int, body: Body) -> Side:
        key = (which, body.component)
        if key not in self._held:
            self._held[key] = fold(self._sources[which], body)
        return Side(source=self._sources[which], body=body, folded=self._held[key], seed=self._seed)

    def _sketched(self, ours: Body, theirs: Body) -> tuple[Side, Side]:
        plan = self._plan
        layers = evenly(interior(len(ours.layers)), plan.sketched_layers)
        deep = len(ours.layers) == len(theirs.layers)
        by, other = (axes(body.width, plan.sketch_axes, seed=self._seed) for body in (ours, theirs))
        again = partial(
            _again,
            self._sources[1],
            theirs,
            layers=layers if deep else range(len(theirs.layers)),
            neurons=plan.sketched_neurons,
            seed=self._seed,
        )
        first = sketch(self._sources[0], ours, layers=layers, onto=by)
        return (
            Side(
                source=self._sources[0],
                body=ours,
                folded=first,
                seed=self._seed,
                sketched_by=by,
            ),
            Side(
                source=self._sources[1],
                body=theirs,
                folded=again(other),
                seed=self._seed,
                anew=again,
                sketched_by=other,
            ),
        )


def _again(
    source: Source,
    body: Body,
    onto: NDArray[np.floating],
    *,
    layers: Sequence[int],
    neurons: int,
    seed: int,
) -> Folded:
    return sketch(source, body, layers=layers, onto=onto, neurons=neurons, experts=16, seed=seed)


def block_values(body: Body) -> int:
    """Return how many values a component's feed-forward blocks have."""
    blocks = [
        ffn
        for layer in body.layers
        for ffn in (*([layer.ffn] if layer.ffn else []), *layer.experts, *layer.shared)
    ]
    return sum(cell.parameters for ffn in blocks for cell in (ffn.gate, ffn.up, ffn.down) if cell)


def evenly(places: Sequence[int], count: int) -> list[int]:
    """Return so many of the places, evenly spaced.

    Example:
        >>> evenly(range(4, 44), 6)
        [4, 12, 20, 27, 35, 43]
    """
    if len(places) <= count:
        return list(places)
    chosen = np.linspace(0, len(places) - 1, count).round().astype(int)
    return [places[i] for i in chosen]
