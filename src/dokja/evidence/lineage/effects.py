"""The effect of a comparison with its interval, and the layers that it was taken over."""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.lineage.findings import LayerReading, TokenRows
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.screening import Screen
from dokja.evidence.statistics import clustered_mean
from dokja.values import Estimate, Missing

__all__ = ["effect_of", "effect_of_rows", "layer_readings", "optional_rows"]

_LEAST_CLUSTERS = 3


def layer_readings(screen: Screen) -> tuple[LayerReading, ...]:
    """Return the layers that the effect is taken over, pair by pair."""
    return tuple(
        LayerReading(
            suspect=pair[0],
            reference=pair[1],
            value=float(screen.table.values[pair]),
            standard_error=float(screen.errors[pair]),
            roles=tuple(
                (role, float(table.values[pair]))
                for role, table in screen.tables.items()
                if table.filled[pair]
            ),
        )
        for pair in screen.path
    )


def effect_of(screen: Screen, *, plan: Plan) -> Estimate:
    """Return the mean centred correlation over layers and roles, with its interval.

    Two things vary, and their variances add up: what each role of a layer happens to show under
    re-ordered rows, and how layers differ. Layers are the clusters; a component of one or two
    layers is all the layers there are, and its roles stand in for them.
    """
    readings = layer_readings(screen)
    values = [value for reading in readings for _, value in reading.roles]
    layers = [number for number, reading in enumerate(readings) for _ in reading.roles]
    clusters = layers if len(readings) >= _LEAST_CLUSTERS else list(range(len(values)))
    spread = clustered_mean(values, clusters, level=plan.level, scale=(-1.0, 1.0))
    mean = math.fsum(values) / len(values)
    chance = math.sqrt(math.fsum(reading.standard_error**2 for reading in readings)) / len(readings)
    reach = NormalDist().inv_cdf(0.5 + plan.level / 2) * chance
    below = above = between = 0.0
    if not isinstance(spread, Missing):
        below, above = spread.value - spread.low, spread.high - spread.value
        between = spread.standard_error or 0.0
    return Estimate(
        value=mean,
        low=max(-1.0, mean - math.hypot(below, reach)),
        high=min(1.0, mean + math.hypot(above, reach)),
        level=plan.level,
        standard_error=math.hypot(between, chance),
        rests_on=(("layers", len(readings)), ("tensors", len(values))),
        method="centred-correlation",
    )


def effect_of_rows(rows: TokenRows, *, plan: Plan) -> Estimate:
    """Return the centred correlation of paired rows, with its interval under re-ordering."""
    reach = NormalDist().inv_cdf(0.5 + plan.level / 2) * rows.standard_error
    return Estimate(
        value=rows.value,
        low=max(-1.0, rows.value - reach),
        high=min(1.0, rows.value + reach),
        level=plan.level,
        standard_error=rows.standard_error,
        rests_on=(("tokens", rows.tokens),),
        method="centred-correlation",
    )


def optional_rows(table: NDArray[np.float64]) -> tuple[tuple[float | None, ...], ...]:
    """Return a table as plain rows; none where it has no number.

    Example:
        >>> optional_rows(np.array([[0.5, np.nan]]))
        ((0.5, None),)
    """
    return tuple(
        tuple(value if math.isfinite(value) else None for value in row) for row in table.tolist()
    )
