"""Slow, obvious twins of the statistics, and shorthand for totals, as fixtures."""

from collections.abc import Callable
from statistics import NormalDist

import pytest

from dokja.evidence.statistics import Total
from dokja.values import Estimate

MakeTotal = Callable[[str, float, float], Total]
SlowRanks = Callable[[list[tuple[float, float]], int], list[tuple[float, float, float]]]


@pytest.fixture(scope="session")
def total() -> MakeTotal:
    """Return a total of a team from its value and standard error."""

    def make(team: str, value: float, error: float) -> Total:
        half = NormalDist().inv_cdf(0.975) * error
        estimate = Estimate(
            value=value, low=value - half, high=value + half, level=0.95, standard_error=error
        )
        return Total(team=team, estimate=estimate, low=0.0, high=100.0)

    return make


@pytest.fixture(scope="session")
def slow_ranks() -> SlowRanks:
    """Return P(top), P(lowest) and mean rank of independent normal totals by quadrature.

    For every value that a team may draw, how many others draw more is a Poisson-binomial count.
    """

    def ranks(totals: list[tuple[float, float]], places: int) -> list[tuple[float, float, float]]:
        steps = 4_000
        found = []
        for me, (mine, error) in enumerate(totals):
            top = lowest = rank = 0.0
            for step in range(steps):
                share = (step + 0.5) / steps
                x = NormalDist(mine, error).inv_cdf(share)
                above = [1.0]
                for other, (theirs, theirs_error) in enumerate(totals):
                    if other == me:
                        continue
                    more = 1 - NormalDist(theirs, theirs_error).cdf(x)
                    above = [
                        (above[k] if k < len(above) else 0.0) * (1 - more)
                        + (above[k - 1] if k else 0.0) * more
                        for k in range(len(above) + 1)
                    ]
                top += sum(above[:places]) / steps
                lowest += above[-1] / steps
                rank += sum((1 + k) * p for k, p in enumerate(above)) / steps
            found.append((top, lowest, rank))
        return found

    return ranks
