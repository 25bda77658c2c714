"""Latent scores, for seeing how things move. Nothing here carries a ratio or a verdict.

Every function returns `TrendScore`s or what such scores rest on: the origin of a latent scale is
somebody's choice, so that "95 % of" one means nothing.
"""

from dokja.evidence.statistics.trends.curves import (
    BenchmarkCurve,
    Cell,
    Curves,
    capability_curves,
    curves_over,
)

__all__ = ["BenchmarkCurve", "Cell", "Curves", "capability_curves", "curves_over"]
