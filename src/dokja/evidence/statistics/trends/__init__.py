"""Latent scores, for seeing how things move. Nothing here carries a ratio or a verdict.

Every place comes back as a `TrendScore`: the origin of a latent scale is somebody's choice, so that
"95 % of" one means nothing.
"""

from dokja.evidence.statistics.trends.curves import (
    BenchmarkCurve,
    Cell,
    Curves,
    capability_curves,
    curves_over,
)
from dokja.evidence.statistics.trends.linking import Link, link_forms, linked
from dokja.evidence.statistics.trends.rasch import Rasch, Stage, Taker, rasch
from dokja.evidence.statistics.trends.slopes import FEWEST_TAKERS, ItemSlopes, item_slopes

__all__ = [
    "FEWEST_TAKERS",
    "BenchmarkCurve",
    "Cell",
    "Curves",
    "ItemSlopes",
    "Link",
    "Rasch",
    "Stage",
    "Taker",
    "capability_curves",
    "curves_over",
    "item_slopes",
    "link_forms",
    "linked",
    "rasch",
]
