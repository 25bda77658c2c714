"""Whether a model is a base with trimmed changes of others on it, signs elected (TIES merging).

Of each tuned model's change of the base only the largest values are kept. Of the kept ones the
sign with the larger weighted sum is elected for every value, and those that have it are averaged,
or added up, and put on the base (arXiv 2306.01708, algorithm 1). That is no weighted sum of
models: where nothing was kept the child has the base's own value, where one change stands alone
its weight does not show, and weights show only where two kept changes agree in their sign.

Those three kinds of values are told apart here, by the child's own change: what was kept, by
where the child left the base; the scale, where one change stands alone; the weights, where
several do. Without the base none of it can be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.models.comparison.mixtures import MixtureBlock
from dokja.models.comparison.trims import kept_counts, places_by_size, rounding_floor

__all__ = ["ElectedFit", "elected_change", "elected_fit", "untouched_share"]

Doubles = NDArray[np.float64]
Flags = NDArray[np.bool_]
Form = Literal["mean", "sum"]

_VISIBLE = 4
"""A change shows if it is so many times what rounding can do to the value."""

_BALANCED = 0.01
"""An election whose sides differ by a smaller share could go the other way: changes on a coarse
grid weigh exactly the same now and then, and weights are found only so well."""

_REFINED, _STEPS, _STILL = 3, 20, 1e-12
_NEAR_MISS = 4.4478
"""Three standard deviations of normal errors, as a multiple of their median size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectedFit:
    """What trimmed and elected changes make of a child.

    Attributes:
        form: Whether elected changes are averaged by their weights, or added up.
        densities: Of each tuned model, the share of its change that is kept, in [0, 1].
        scale: What the mean is multiplied by; of a sum, what its coefficients add up to.
        weights: Of each tuned model; they add up to 1.
        left: Share of the energy of the child's change that is left, summed over blocks.
        left_of_child: Share of the child's energy about its mean that is left, mean over blocks.
        rounding: Share of the energy of the child's change that rounding alone would leave.
        rounding_of_child: The same as a share of the child's energy, mean over blocks.
    """

    form: Form
    densities: tuple[float, ...]
    scale: float
    weights: tuple[float, ...]
    left: float
    left_of_child: float
    rounding: float
    rounding_of_child: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Laid:
    """One block as changes of the base.

    Attributes:
        change: Of the child, shape `(values,)`.
        kept: Of the tuned models, zero where trimmed, shape `(tuned, values)`.
        floor: What rounding can do to each value of the child, shape `(values,)`.
        densities: Share that is kept of each tuned model's change.
        energy: Of the child about its mean.
        fineness: Half a step of the stored type, as a share of the value.
    """

    change: Doubles
    kept: Doubles
    floor: Doubles
    densities: Doubles
    energy: float
    fineness: float

    @property
    def agrees(self) -> Flags:
        """Which kept changes have the sign that the child shows, shape `(tuned, values)`.

        Nothing where one of the kept changes is so small that rounding could hide or turn the
        sign of what was made of them. Leaving values out by what the child shows instead would
        keep those that were rounded up, and weights would come out wrong.
        """
        plain = ((self.kept == 0) | (np.abs(self.kept) > _VISIBLE * self.floor)).all(axis=0)
        found: Flags = plain & (self.kept != 0) & (np.sign(self.kept) == np.sign(self.change))
        return found

    @property
    def errors(self) -> Doubles:
        """How far values may be off: by rounding, and by arithmetic that rounds as coarsely."""
        return self.floor + np.abs(self.change) * self.fineness


def elected_fit(
    blocks: Sequence[MixtureBlock], base: int, *, tuned: Sequence[int], bits: int = 23
) -> ElectedFit | None:
    """Return the trimmed and elected changes that leave least of the child; None if none fit.

    What is kept is found block by block, scale and weights over all blocks together.

    Args:
        blocks: Child and candidates.
        base: Which candidate all were tuned from.
        tuned: Which candidates were merged; one or more.
        bits: Of the mantissa that the coarsest of the models is stored with: 23 for float32,
            10 for float16, 7 for bfloat16.

    Returns:
        The fit, whatever it leaves: whether that is little is for the caller to say. None where
        the child is the base, where no weight shows, or where one would have to be negative.

    Raises:
        NotComparableError: A value is not finite, or a child does not vary.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> base, one, other = rng.standard_normal((3, 40, 40))
        >>> changes = np.stack([one - base, other - base])
        >>> child = base + elected_change(changes, coefficients=(0.7, 0.3), form="mean")
        >>> block = MixtureBlock(child=child, parents=(base, one, other))
        >>> [round(weight, 4) for weight in elected_fit([block], 0, tuned=(1, 2)).weights]
        [0.7, 0.3]
    """
    laid = [_laid(block, base, tuned=tuned, bits=bits) for block in blocks]
    total = sum(float(one.change @ one.change) for one in laid)
    if total == 0.0:
        return None
    sizes = [one.change.size for one in laid]
    densities = np.average([one.densities for one in laid], axis=0, weights=sizes)
    # An error anywhere between half a step down and half a step up has a third of its square.
    rounding = [float(one.floor @ one.floor) / 3 for one in laid]
    ways: dict[Form, Doubles | None] = {
        "mean": _mean_coefficients(laid),
        "sum": _sum_coefficients(laid),
    }
    fits = []
    for form, found in ways.items():
        if found is None or not (found > 0).all():
            continue
        left = [_left(one, found, form=form) for one in laid]
        fits.append(
            ElectedFit(
                form=form,
                densities=tuple(float(one) for one in densities),
                scale=float(found.sum()),
                weights=tuple(float(one) for one in found / found.sum()),
                left=sum(left) / total,
                left_of_child=_of_child(left, laid),
                rounding=sum(rounding) / total,
                rounding_of_child=_of_child(rounding, laid),
            )
        )
    return min(fits, key=lambda one: one.left) if fits else None


def elected_change(
    kept: NDArray[np.floating], *, coefficients: Sequence[float] | Doubles, form: Form
) -> Doubles:
    """Return what trimmed changes make together once signs are elected.

    Args:
        kept: Zero where trimmed, shape `(tuned, …)`.
        coefficients: One for each, positive. Their sum is the scale of a mean.
        form: `mean` averages the elected changes by their coefficients, `sum` adds them up.

    Returns:
        Shape `kept.shape[1:]`; zero where nothing is kept or the two signs weigh the same.

    Example:
        >>> kept = np.array([[3.0, 1.0, 0.0], [1.0, -2.0, 4.0]])
        >>> elected_change(kept, coefficients=(0.5, 0.5), form="mean").tolist()
        [2.0, -2.0, 4.0]
    """
    weights = np.asarray(coefficients, dtype=np.float64)
    signs = np.sign(np.tensordot(weights, kept, axes=1))
    return _agreed(kept, weights, signs=signs, form=form)


def _agreed(kept: NDArray[np.floating], weights: Doubles, *, signs: Doubles, form: Form) -> Doubles:
    """Return what those changes make that have the sign that was elected."""
    agrees = (kept != 0) & (np.sign(kept) == signs)
    summed: Doubles = np.tensordot(weights, np.where(agrees, kept, 0), axes=1)
    if form == "sum":
        return summed
    shares = np.tensordot(weights, agrees.astype(np.float64), axes=1)
    mean: Doubles = np.divide(summed, shares, out=np.zeros_like(summed), where=shares != 0)
    return float(weights.sum()) * mean


def untouched_share(block: MixtureBlock, base: int, *, bits: int = 23) -> float:
    """Return at how many of its values the child is a candidate, up to rounding, as a share.

    Example:
        >>> block = MixtureBlock(child=np.array([[1.0, 2.0]]), parents=(np.array([[1.0, 3.0]]),))
        >>> untouched_share(block, 0)
        0.5
    """
    child, start = (one.astype(np.float64) for one in (block.child, block.parents[base]))
    floor = rounding_floor(np.maximum(np.abs(child), np.abs(start)), bits=bits)
    return float(np.mean(np.abs(child - start) <= floor))


def _of_child(energies: Sequence[float], laid: Sequence[_Laid]) -> float:
    """Return energies as shares of the child's, mean over blocks: every tensor counts alike."""
    return float(np.mean([part / one.energy for part, one in zip(energies, laid, strict=True)]))


def _left(laid: _Laid, coefficients: Doubles, *, form: Form) -> float:
    """Return the energy that is left; an election that rounding decides may go either way."""
    change, kept = laid.change, laid.kept
    missed = change - elected_change(kept, coefficients=coefficients, form=form)
    near = np.abs(coefficients @ kept) <= _BALANCED * (coefficients @ np.abs(kept))
    open_ = np.flatnonzero(near & kept.any(axis=0))
    ways = [change[open_]] + [
        change[open_] - _agreed(kept[:, open_], coefficients, signs=signs, form=form)
        for signs in (np.ones(len(open_)), -np.ones(len(open_)))
    ]
    missed[open_] = np.abs(ways).min(axis=0)
    return float(missed @ missed)


def _laid(block: MixtureBlock, base: int, *, tuned: Sequence[int], bits: int) -> _Laid:
    """Return a block as changes of the base, what was trimmed set to zero."""
    values = [block.child, block.parents[base], *(block.parents[one] for one in tuned)]
    if not all(np.isfinite(one).all() for one in values):
        raise NotComparableError("a value is not finite")
    child, start, *others = (one.astype(np.float64).ravel() for one in values)
    about = child - child.mean()
    if not about.any():
        raise NotComparableError("every value of the child is the same")
    floor = rounding_floor(np.maximum(np.abs(child), np.abs(start)), bits=bits)
    change, changes = child - start, np.stack(others) - start
    ranks = np.stack([places_by_size(one) for one in np.abs(changes)])
    counts = kept_counts(np.abs(change) > floor, ranks, shows=np.abs(changes) > _VISIBLE * floor)
    return _Laid(
        change=change,
        kept=np.where(ranks < counts[:, np.newaxis], changes, 0),
        floor=floor,
        densities=counts / change.size,
        energy=float(about @ about),
        fineness=2.0 ** -(bits + 1),
    )


def _mean_coefficients(laid: Sequence[_Laid]) -> Doubles | None:
    """Return scale times weights of a mean; None where scale or weights do not show."""
    found = _agreeing(laid)
    count: NDArray[np.int64] = np.sum(found.sides != 0, axis=0)
    alone, several = (found.only(np.flatnonzero(some)) for some in (count == 1, count > 1))
    scale = _robust(alone.values, alone.sides.sum(axis=0)[np.newaxis])
    if scale is None or scale[0] <= 0:
        return None
    if len(found.sides) == 1:
        return scale
    weights = _shares(several.values / scale[0], several.sides)
    return None if weights is None else scale[0] * weights


def _sum_coefficients(laid: Sequence[_Laid]) -> Doubles | None:
    """Return the coefficients of a sum of elected changes; None where they do not show."""
    found = _agreeing(laid)
    return _robust(found.values, found.sides)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Agreeing:
    """Values whose elected sign is plain, in units of their own error.

    Attributes:
        values: Of the child's change, shape `(values,)`.
        sides: Of the kept changes that agree, zero for the others, shape `(tuned, values)`.
    """

    values: Doubles
    sides: Doubles

    def only(self, some: NDArray[np.int64]) -> "_Agreeing":
        """Return some of the values, by place."""
        return _Agreeing(values=self.values[some], sides=self.sides[:, some])


def _agreeing(laid: Sequence[_Laid]) -> _Agreeing:
    parts = []
    for one in laid:
        agrees, errors = one.agrees, one.errors
        whole = _Agreeing(values=one.change / errors, sides=np.where(agrees, one.kept, 0) / errors)
        parts.append(whole.only(np.flatnonzero(agrees.any(axis=0))))
    return _Agreeing(
        values=np.concatenate([one.values for one in parts]),
        sides=np.concatenate([one.sides for one in parts], axis=1),
    )


def _shares(means: Doubles, sides: Doubles) -> Doubles | None:
    """Return the weights of which values are means, by Gauss and Newton; they add up to 1.

    Args:
        means: Shape `(values,)`, in units of their errors.
        sides: What was averaged, zero where a change has no part, shape `(tuned, values)`.
    """
    has = (sides != 0).astype(np.float64)
    weights = np.full(len(sides), 1 / len(sides))
    for _ in range(_STEPS):
        total = weights @ has
        mean = (weights @ sides) / total
        missed = means - mean
        holds = _holding(missed)
        slopes = (has * (sides - mean) / total)[:, holds]
        # The last of as many weights as there are follows from the others.
        if np.linalg.matrix_rank(slopes @ slopes.T) < len(sides) - 1:
            return None
        step, *_ = np.linalg.lstsq(slopes.T, missed[holds], rcond=None)
        # No step leaves the weights that a merge can have; the next one goes on from there.
        weights = np.maximum(weights + step, weights / 10)
        weights = weights / weights.sum()
        if np.abs(step).max() < _STILL:
            break
    return weights


def _robust(values: Doubles, sides: Doubles) -> Doubles | None:
    """Return coefficients by least squares, fitted again without what they miss by far."""
    found: Doubles = np.zeros(len(sides))
    holds = np.ones(values.size, dtype=bool)
    for _ in range(_REFINED):
        used = sides[:, holds]
        if np.linalg.matrix_rank(used @ used.T) < len(sides):
            return None
        found = np.linalg.lstsq(used.T, values[holds], rcond=None)[0].astype(np.float64)
        holds = _holding(values - found @ sides)
    return found


def _holding(missed: Doubles) -> Flags:
    """Return which values are no outliers, by the median of what they miss in errors."""
    sizes = np.abs(missed)
    reach = _NEAR_MISS * float(np.median(sizes)) if sizes.size else 0.0
    found: Flags = sizes <= max(reach, 2.0)
    return found
