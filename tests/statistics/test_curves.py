"""Capability curves: against scipy, against planted places, and as properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from dokja.errors import NotComparableError
from dokja.evidence.statistics import Cell, TrendScore, capability_curves
from dokja.evidence.statistics.trends import curves_over


def planted(seed, *, models=14, benchmarks=8, noise=0.02, share=0.8):
    """Scores of models whose places are known, with a share of the cells left out."""
    rng = np.random.default_rng(seed)
    capability, difficulty = rng.normal(1.5, 0.8, models), rng.normal(1.2, 0.8, benchmarks)
    slope = np.exp(rng.normal(0.3, 0.3, benchmarks))
    slope[0] = 1.0
    cells = []
    for m in range(models):
        for b in range(benchmarks):
            if b == 0 or rng.random() < share:
                score = 1 / (1 + np.exp(-slope[b] * (capability[m] - difficulty[b])))
                score = float(np.clip(score + rng.normal(0, noise), 0, 1))
                cells.append(Cell(model=f"m{m:02}", benchmark=f"b{b}", score=score))
    return cells, capability - difficulty[0], difficulty - difficulty[0], slope


def by_scipy(cells, *, anchor, ridge):
    """The same least squares by another program, cell by cell, the slope of the anchor at 1."""
    models = sorted({cell.model for cell in cells})
    benchmarks = sorted({cell.benchmark for cell in cells})
    others = [b for b in benchmarks if b != anchor]
    places = len(models) + len(benchmarks)

    def residuals(at):
        slopes = dict(zip(others, at[places:], strict=True)) | {anchor: 1.0}
        found = []
        for cell in cells:
            gap = at[models.index(cell.model)] - at[len(models) + benchmarks.index(cell.benchmark)]
            found.append(1 / (1 + np.exp(-slopes[cell.benchmark] * gap)) - cell.score)
        return np.array([*found, np.sqrt(ridge * (at @ at) / len(at))])

    start = np.concatenate([np.full(places, 0.1), np.ones(len(others))])
    low = np.concatenate([np.full(places, -10.0), np.full(len(others), 0.1)])
    found = least_squares(residuals, start, bounds=(low, 10.0), xtol=1e-14, ftol=1e-14, gtol=1e-12)
    zero = found.x[len(models) + benchmarks.index(anchor)]
    return found.cost, dict(zip(models, found.x - zero, strict=False))


@pytest.mark.parametrize(("seed", "ridge"), [(1, 0.1), (2, 1.0)])
def test_the_fit_is_that_of_scipy(seed, ridge):
    cells, *_ = planted(seed, models=6, benchmarks=4)
    cost, places = by_scipy(cells, anchor="b0", ridge=ridge)

    found = capability_curves(cells, anchor="b0", ridge=ridge)

    assert found.half_squares == pytest.approx(cost, rel=1e-6)
    for score in found.models:
        assert score.place.value == pytest.approx(places[score.system], abs=2e-4)


def test_planted_places_are_found_and_covered():
    covered = total = 0
    for seed in range(8):
        cells, capability, *_ = planted(seed)
        found = capability_curves(cells, anchor="b0", ridge=1e-3)
        for score, true in zip(found.models, capability, strict=True):
            covered += score.place.low <= true <= score.place.high
            total += 1

    assert covered / total >= 0.88  # the anchor's own miss is shared by all places of a fit


def test_places_are_trend_scores_from_the_anchor():
    cells, *_ = planted(3)

    found = capability_curves(cells, anchor="b0")

    assert all(isinstance(score, TrendScore) for score in found.models)
    assert found.model("m00").origin == "difficulty of b0"
    assert found.benchmark("b0").difficulty.value == 0.0
    assert (found.benchmark("b0").slope.value, found.benchmark("b0").at_the_end) == (1.0, False)
    with pytest.raises(KeyError):
        found.model("nobody")
    with pytest.raises(KeyError):
        found.benchmark("nothing")


def test_a_benchmark_that_is_all_or_nothing_lies_at_the_end_of_what_is_allowed():
    cells, capability, *_ = planted(4, share=1.0)
    middle = float(np.median(capability))
    for m, place in enumerate(capability):
        cells.append(Cell(model=f"m{m:02}", benchmark="cliff", score=float(place > middle)))

    found = capability_curves(cells, anchor="b0", ridge=1e-6)

    assert found.benchmark("cliff").at_the_end
    assert found.benchmark("cliff").slope.value == 10.0
    assert not found.benchmark("b1").at_the_end


def test_the_ridge_moves_slopes_and_is_shown_over_a_range():
    cells, *_, slope = planted(5, noise=0.05)

    light, heavy = curves_over(cells, anchor="b0", ridges=[1e-4, 30.0])

    assert (light.ridge, heavy.ridge) == (1e-4, 30.0)
    own = [abs(each.slope.value - true) for each, true in zip(light.benchmarks, slope, strict=True)]
    other = [abs(e.slope.value - true) for e, true in zip(heavy.benchmarks, slope, strict=True)]
    assert sum(own) < sum(other)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 1000), st.randoms())
def test_the_order_of_cells_changes_nothing(seed, random):
    cells, *_ = planted(seed, models=6, benchmarks=4)
    shuffled = list(cells)
    random.shuffle(shuffled)

    first = capability_curves(cells, anchor="b0")
    second = capability_curves(shuffled, anchor="b0")

    assert [score.place.value for score in second.models] == pytest.approx(
        [score.place.value for score in first.models], abs=1e-6
    )


def test_what_cannot_be_fitted_is_refused():
    cells, *_ = planted(6)

    with pytest.raises(NotComparableError, match="nothing is at 0"):
        capability_curves(cells, anchor="b9")
    with pytest.raises(NotComparableError, match="cannot place"):
        capability_curves(cells[:6], anchor="b0")
    with pytest.raises(ValueError, match="two scores"):
        capability_curves([*cells, cells[0]], anchor="b0")
    with pytest.raises(ValueError, match="outside"):
        capability_curves([*cells, Cell(model="x", benchmark="b0", score=38.1)], anchor="b0")
    with pytest.raises(ValueError, match="ridge"):
        capability_curves(cells, anchor="b0", ridge=0.0)
