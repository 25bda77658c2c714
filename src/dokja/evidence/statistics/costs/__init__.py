"""What scores cost. A cost that is not known takes a system out of these views, by name."""

from dokja.evidence.statistics.costs.matching import CostMatched, Reached, cost_matched
from dokja.evidence.statistics.costs.systems import CostedSystem
from dokja.evidence.statistics.costs.views import CostView, SystemCost, cost_view

__all__ = [
    "CostMatched",
    "CostView",
    "CostedSystem",
    "Reached",
    "SystemCost",
    "cost_matched",
    "cost_view",
]
