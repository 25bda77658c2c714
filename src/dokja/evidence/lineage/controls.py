"""What the same rule says of pairs whose truth is known, made in the same run.

*Derived* controls are the reference mixed with independent noise to a stated correlation: they
must be found. The *scrambled* control is the reference with the rows and columns of every tensor
in random order: the same values without the relation, which must not be found. Third-party models
that are known to be strangers can be given besides. The smallest correlation that is found in
nine of ten draws is the run's own power; noise is not training, so it is stated as noise.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.readings import LayerValues, Values
from dokja.evidence.lineage.screening import Screen, judge, role_tables
from dokja.models.comparison import LayerTable, centred

__all__ = [
    "ControlReading",
    "derived_control",
    "scrambled_control",
    "smallest_detected",
    "stands_out",
]

_FOUND_OF_DRAWS = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlReading:
    """What the rule says of a pair whose truth is known.

    Attributes:
        kind: Whether it is truly derived or truly independent.
        name: What it was made from.
        value: The effect, in the finding's own measure.
        found: Whether the rule called it related.
        measure: Of the value: `centred_r` or `agreement`.
    """

    kind: Literal["derived", "independent"]
    name: str
    value: float
    found: bool
    measure: str = "centred_r"

    @property
    def behaves(self) -> bool:
        """Whether the rule said what is true."""
        return self.found == (self.kind == "derived")


def derived_control(
    reference: Sequence[LayerValues],
    *,
    correlation: float,
    errors: Mapping[str, float],
    plan: Plan,
    rng: np.random.Generator,
) -> ControlReading:
    """Return what the rule says of the reference mixed with noise to this correlation."""
    mixed = [
        {role: _mixed(values, correlation=correlation, rng=rng) for role, values in layer.items()}
        for layer in reference
    ]
    screen = judge(role_tables(mixed, reference), errors, plan=plan)
    return ControlReading(
        kind="derived",
        name=f"reference-with-noise-{correlation:g}",
        value=screen.effect,
        found=screen.found,
    )


def scrambled_control(
    reference: Sequence[LayerValues],
    *,
    errors: Mapping[str, float],
    plan: Plan,
    rng: np.random.Generator,
) -> ControlReading:
    """Return what the rule says of the reference with rows and columns in random order."""
    scrambled = [
        {role: _scrambled(values, rng=rng) for role, values in layer.items()} for layer in reference
    ]
    screen = judge(role_tables(scrambled, reference), errors, plan=plan)
    return ControlReading(
        kind="independent", name="reference-scrambled", value=screen.effect, found=screen.found
    )


def _mixed(values: Values, *, correlation: float, rng: np.random.Generator) -> Values:
    noise = _unit(centred(rng.standard_normal(values.direction.shape, dtype=np.float32)))
    mixed = correlation * values.direction + math.sqrt(1 - correlation**2) * noise
    return Values(raw=values.raw, direction=_unit(mixed), dtype=values.dtype)


def _scrambled(values: Values, *, rng: np.random.Generator) -> Values:
    rows = rng.permutation(values.direction.shape[0])
    columns = rng.permutation(values.direction.shape[1])
    return Values(
        raw=values.raw, direction=values.direction[np.ix_(rows, columns)], dtype=values.dtype
    )


def _unit(values: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(values / np.linalg.norm(values), dtype=np.float32)


def smallest_detected(
    reference: Sequence[LayerValues],
    *,
    errors: Mapping[str, float],
    plan: Plan,
    rng: np.random.Generator,
) -> float | None:
    """Return the smallest correlation that the rule finds in nine of ten draws.

    The noise is not made value by value: what enters the rule is its product with each layer's
    direction, and these products are normal with the layers' own products as covariance.

    Returns:
        One of the plan's levels; None when even the largest is not found.
    """
    tables = role_tables(reference, reference)
    sizes = {
        role: next(layer[role].direction.shape for layer in reference if role in layer)
        for role in tables
    }
    spreads = {role: _spread(table, sizes[role]) for role, table in tables.items()}
    may_miss = int((1 - _FOUND_OF_DRAWS) * plan.detectable_draws + 1e-9)
    for correlation in plan.detectable_levels:
        missed = 0
        for _ in range(plan.detectable_draws):
            drawn = {
                role: _noisy(table, spreads[role], correlation=correlation, rng=rng)
                for role, table in tables.items()
            }
            missed += not judge(drawn, errors, plan=plan).found
            if missed > may_miss:
                break
        if missed <= may_miss:
            return correlation
    return None


def _spread(table: LayerTable, size: tuple[int, ...]) -> NDArray[np.float64]:
    """Return a square root of the covariance of a noise direction's products with all layers."""
    free = math.prod(length - 1 for length in size)
    likeness = np.where(table.filled, table.values, 0.0)
    strengths, axes = np.linalg.eigh((likeness + likeness.T) / 2)
    return np.asarray(axes * np.sqrt(np.clip(strengths, 0.0, None) / free))


def _noisy(
    table: LayerTable,
    spread: NDArray[np.float64],
    *,
    correlation: float,
    rng: np.random.Generator,
) -> LayerTable:
    """Return the table of the reference against itself, one side mixed with noise."""
    layers = len(table.values)
    noise = rng.standard_normal((layers, spread.shape[1])) @ spread.T
    beside = math.sqrt(1 - correlation**2)
    values = correlation * table.values + beside * noise
    # A mixture is as long as it comes out, and is brought back to length 1.
    length = np.sqrt(1 + 2 * correlation * beside * np.diag(noise))
    return LayerTable(
        values=np.where(table.filled, values / length[:, None], 0.0),
        filled=table.filled,
        roles=table.roles,
    )


def stands_out(screen: Screen, strangers: Sequence[ControlReading], *, plan: Plan) -> bool:
    """Tell whether a relation stands far enough above every model known to be a stranger."""
    return all(
        screen.effect >= plan.third_party_factor * abs(control.value) for control in strangers
    )
