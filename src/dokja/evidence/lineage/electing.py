"""Whether a component is a base with trimmed and elected changes of several references (TIES).

Three references take part at least: the base and two that were tuned from it. Which of the
candidates is the base is not told, it is tried; of many, six that are likeliest. Parents are
chosen on a few tensors and fitted on all of them.

The rule is strict, since such a fit chooses a sign for every value: next to nothing may be left
of what the nearest reference leaves, beside rounding; a plain sum must leave more than that by
the plan's margin, and so must every parent's scrambled twin in its place. A base
that is not among the candidates leaves far more, and then nothing is said here but that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dokja.evidence.lineage.findings import ElectedReading, MergeReading
from dokja.evidence.lineage.laying import Candidate, LaidTensor, over_layers
from dokja.evidence.lineage.plans import Plan
from dokja.models.comparison import (
    Choice,
    ElectedFit,
    MixtureBlock,
    elected_fit,
    scrambled_twin,
    untouched_share,
)
from dokja.values import Estimate

__all__ = ["elected_reading"]

_LEAST, _FEW_LAYERS = 3, 2
_NOTHING_LEFT = 1e-10
"""Share of a component's energy below which a plain sum explains it whole."""

_LEFT = 0.01
"""Largest share of what the nearest single reference leaves that may be left beside rounding.
Exact merges leave less than a thousandth, edges and elections that rounding turned up to a
hundredth. The change of the base is no measure of it: that of a stranger is as large as a model,
and little of it is left whatever the others are."""

_MOST_ROUNDING = 0.15
"""From which share on, of the same, a change drowns in its rounding."""

_PROBED, _MOST_BASES, _PAIRED = 8, 6, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """A base and the models that were tuned from it, by number, and what they leave."""

    base: int
    tuned: tuple[int, ...]
    left: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What explains a component, and what is left otherwise, as shares of its energy.

    Attributes:
        chosen: Base and parents.
        whole: Their fit over all tensors.
        alone: Left by the best single reference.
        twin: Left with the best of the parents' scrambled twins.
    """

    chosen: _Chosen
    whole: ElectedFit
    alone: float
    twin: float


def elected_reading(
    laid: Sequence[LaidTensor],
    plain: Choice,
    *,
    candidates: Sequence[Candidate],
    plan: Plan,
    rng: np.random.Generator,
) -> MergeReading | str:
    """Return the component as elected changes on a base, or why it is not called that.

    Args:
        laid: Every tensor of suspect and candidates.
        plain: What a weighted sum makes of them.
        candidates: In the order of the blocks' parents.
        plan: By how much a plain sum and scrambled twins must leave more, and the level.
        rng: Orders of the twins.
    """
    if refused := _refused(laid, plain, candidates=len(candidates)):
        return refused
    blocks = [one.block for one in laid]
    bits = min(one.bits for one in laid if one.bits is not None)
    search = _Search(blocks=_probes(laid), bits=bits, least_fall=plan.merge_fall)
    chosen = search.best(len(candidates))
    whole = None if chosen is None else _fit(laid, chosen)
    if chosen is None or whole is None or not _explains(whole, plain, plan=plan):
        return "none of the references is a base on which changes of others explain it"
    twin = _left_by_twin(blocks, chosen, bits=bits, rng=rng)
    if whole.left_of_child > (1 - plan.merge_fall) * twin:
        return "a scrambled twin explains as much as one of the parents"
    found = _Found(chosen=chosen, whole=whole, alone=plain.left[0], twin=twin)
    return _reading(laid, found, candidates=candidates, plan=plan)


def _refused(laid: Sequence[LaidTensor], plain: Choice, *, candidates: int) -> str:
    """Return why elected changes are not looked for; empty where they are."""
    if plain.left[-1] <= _NOTHING_LEFT:
        return "a weighted sum leaves nothing to explain"
    if candidates < _LEAST:
        return "it takes three references: a base, and two that were tuned from it"
    if any(one.bits is None for one in laid):
        return "a tensor is stored in a coarser way than as floating-point numbers"
    return ""


def _explains(fit: ElectedFit, plain: Choice, *, plan: Plan) -> bool:
    """Tell whether a fit leaves next to nothing, and far less than a plain sum."""
    nearest, plain_left = plain.left[0], plain.left[-1]
    if fit.rounding_of_child > _MOST_ROUNDING * nearest:
        return False
    allowed = _LEFT * nearest + fit.rounding_of_child
    return fit.left_of_child <= min(allowed, (1 - plan.merge_fall) * plain_left)


def _probes(laid: Sequence[LaidTensor]) -> tuple[MixtureBlock, ...]:
    """Return a few tensors from all depths, on which base and parents are chosen."""
    places = np.unique(np.linspace(0, len(laid) - 1, num=min(_PROBED, len(laid))).astype(int))
    return tuple(laid[place].block for place in places)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Search:
    """A search for base and parents.

    Attributes:
        blocks: On which.
        bits: Of the coarsest stored type.
        least_fall: Share of what is left that each further parent must take away.
    """

    blocks: tuple[MixtureBlock, ...]
    bits: int
    least_fall: float

    def best(self, count: int) -> _Chosen | None:
        """Return what leaves least among so many candidates; None if nothing fits."""
        found = [self._on(base, count) for base in self._bases(count)]
        return min(filter(None, found), key=lambda one: one.left, default=None)

    def _bases(self, count: int) -> list[int]:
        """Return the likeliest bases: where most values are left as they are, or in the middle.

        Parents share values with the child as well, where their change stands alone, and keep
        nothing of the base where nothing was trimmed; so both are asked, and the better counts.
        """
        kept = [
            float(np.mean([untouched_share(one, base, bits=self.bits) for one in self.blocks]))
            for base in range(count)
        ]
        apart = [sum(map(self._apart, [base] * count, range(count))) for base in range(count)]
        by_kept = sorted(range(count), key=lambda base: -kept[base])
        by_middle = sorted(range(count), key=lambda base: apart[base])
        ranks = {base: min(by_kept.index(base), by_middle.index(base)) for base in range(count)}
        return sorted(range(count), key=lambda base: ranks[base])[:_MOST_BASES]

    def _apart(self, one: int, other: int) -> float:
        return sum(
            float(np.square(block.parents[one] - block.parents[other]).sum())
            for block in self.blocks
        )

    def _on(self, base: int, count: int) -> _Chosen | None:
        """Return the parents on one base: the best two of the likeliest, and what adds to them."""
        others = [number for number in range(count) if number != base]
        likely = sorted(others, key=lambda number: self._left(base, (number,)))[:_PAIRED]
        pairs: list[tuple[int, ...]] = list(combinations(likely, 2))
        tuned = min(pairs, key=lambda pair: self._left(base, pair))
        left = self._left(base, tuned)
        while rest := [number for number in others if number not in tuned]:
            further = min(((*tuned, one) for one in rest), key=lambda some: self._left(base, some))
            now = self._left(base, further)
            if not now < (1 - self.least_fall) * left:
                break
            tuned, left = further, now
        if not np.isfinite(left):
            return None
        return _Chosen(base=base, tuned=tuned, left=left)

    def _left(self, base: int, tuned: tuple[int, ...]) -> float:
        fit = elected_fit(self.blocks, base, tuned=tuned, bits=self.bits)
        return float("inf") if fit is None else fit.left_of_child


def _left_by_twin(
    blocks: Sequence[MixtureBlock], chosen: _Chosen, *, bits: int, rng: np.random.Generator
) -> float:
    """Return the least that is left with one parent's scrambled twin in its place."""
    found = []
    for parent in chosen.tuned:
        twins = [scrambled_twin(one, parent, rng=rng) for one in blocks]
        fit = elected_fit(twins, chosen.base, tuned=chosen.tuned, bits=bits)
        found.append(_whole_change(blocks, chosen.base) if fit is None else fit.left_of_child)
    return min(found)


def _whole_change(blocks: Sequence[MixtureBlock], base: int) -> float:
    """Return the change of the base as a share of the child's energy: what no fit leaves."""
    shares = [
        np.sum(np.square(one.child - one.parents[base], dtype=np.float64))
        / np.sum(np.square(one.child - one.child.mean(), dtype=np.float64))
        for one in blocks
    ]
    return float(np.mean(shares))


def _reading(
    laid: Sequence[LaidTensor], found: _Found, *, candidates: Sequence[Candidate], plan: Plan
) -> MergeReading:
    chosen, whole = found.chosen, found.whole
    layers = sorted({one.layer for one in laid})
    groups = [[one for one in laid if one.layer == layer] for layer in layers]
    fits = [_fit(group, chosen) for group in groups]
    # One or two layers are all the layers there are; their tensors stand in for them.
    parts = fits if len(layers) > _FEW_LAYERS else [_fit([one], chosen) for one in laid]
    samples = [one for one in parts if one is not None] or [whole]

    def mean(values: Sequence[float]) -> Estimate:
        return over_layers(values, layers=len(layers), plan=plan, method="elected-least-squares")

    order = sorted(range(len(chosen.tuned)), key=lambda place: -whole.weights[place])
    parents = [candidates[chosen.tuned[place]] for place in order]
    base = candidates[chosen.base]
    return MergeReading(
        parents=tuple(one.source.name for one in parents),
        places=tuple(one.place for one in parents),
        weights=tuple(mean([one.weights[place] for one in samples]) for place in order),
        left=whole.left_of_child,
        left_by_one=found.alone,
        left_by_twin=found.twin,
        layers=tuple(
            (layer, tuple(fit.weights[place] for place in order))
            for layer, fit in zip(layers, fits, strict=True)
            if fit is not None
        ),
        tensors=len(laid),
        elected=ElectedReading(
            base=base.source.name,
            place=base.place,
            form=whole.form,
            densities=tuple(whole.densities[place] for place in order),
            scale=mean([one.scale for one in samples]),
            left=whole.left,
            rounding=whole.rounding,
        ),
    )


def _fit(group: Sequence[LaidTensor], chosen: _Chosen) -> ElectedFit | None:
    bits = min(one.bits for one in group if one.bits is not None)
    return elected_fit([one.block for one in group], chosen.base, tuned=chosen.tuned, bits=bits)
