"""The noise of asking again: against loops, and against really asking again."""

import math

import numpy as np
import pytest

from dokja.evidence.statistics.contrasts import Repeats, layout_of, run_noise
from dokja.values import Missing, MissingReason


def asked(rng, chances, epochs):
    return (rng.uniform(size=(len(chances), epochs)) < chances[:, None]).astype(float)


def test_it_is_the_sum_over_items_and_systems():
    rng = np.random.default_rng(1)
    chances = rng.uniform(0.2, 0.9, 30)
    candidate, reference = asked(rng, chances, 4), asked(rng, chances, 3)
    weights = rng.uniform(0.5, 2.0, 30)

    found = run_noise(
        Repeats(values=candidate),
        Repeats(values=reference),
        ratio=".95",
        layout=layout_of(30, weights=weights),
    )

    shares = weights / weights.sum()
    variance = sum(
        w**2 * (c.var(ddof=1) / 4 + 0.95**2 * f.var(ddof=1) / 3)
        for w, c, f in zip(shares, candidate, reference, strict=True)
    )
    assert found.standard_error == pytest.approx(math.sqrt(variance))
    assert found.margin == pytest.approx(
        float(shares @ (candidate.mean(axis=1) - 0.95 * reference.mean(axis=1)))
    )
    assert (found.df, found.items, found.filled) == (30 * 3 + 30 * 2, 30, 0)


def test_asking_the_same_items_again_moves_the_margin_by_so_much():
    rng = np.random.default_rng(2)
    chances = rng.uniform(0.1, 0.9, 200)
    layout = layout_of(200)
    margins, errors, covered = [], [], 0
    truth = float((chances - 0.95 * chances).mean())

    for _ in range(400):
        found = run_noise(
            Repeats(values=asked(rng, chances, 2)),
            Repeats(values=asked(rng, chances, 2)),
            ratio=".95",
            layout=layout,
        )
        margins.append(found.margin)
        errors.append(found.standard_error)
        covered += found.low <= truth <= found.high

    assert np.mean(errors) == pytest.approx(np.std(margins), rel=0.1)
    assert 0.92 <= covered / 400 <= 0.98


def test_items_asked_once_borrow_the_noise_of_the_others():
    values = np.array([[1.0, 0.0], [1.0, 1.0], [0.0, 9.0]])
    counted = np.array([[True, True], [True, True], [True, False]])
    still = Repeats(values=np.ones((3, 2)))

    found = run_noise(
        Repeats(values=values, counted=counted), still, ratio="1", layout=layout_of(3)
    )

    # s² is .5 and 0 on two items asked twice, so .25 on the one asked once.
    assert found.standard_error == pytest.approx(math.sqrt((0.25 + 0 + 0.25) / 9))
    assert (found.filled, found.df) == (1, 5)


def test_without_repeats_there_is_no_such_figure():
    once, twice = Repeats(values=np.ones((3, 1))), Repeats(values=np.ones((3, 2)))
    none = Repeats(values=np.ones((3, 2)), counted=np.array([[True] * 2, [True] * 2, [False] * 2]))
    nothing = Missing(reason=MissingReason.NOT_MEASURED, what=("epochs",))

    assert run_noise(twice, once, ratio="1", layout=layout_of(3)) == nothing
    assert run_noise(none, twice, ratio="1", layout=layout_of(3)) == nothing
    with pytest.raises(ValueError, match="fit"):
        run_noise(twice, twice, ratio="1", layout=layout_of(4))
