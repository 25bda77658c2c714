"""The noise floor: distances against slow twins, and thresholds that rest on what was measured."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dokja.models.forge.engines.ref.worker import train
from dokja.models.forge.ladder.distances import Distance, distance
from dokja.models.forge.ladder.noise import NoiseFloor, NoiseSample, benign_changes, noise_floor
from dokja.models.forge.ladder.replay import RefReplayer, ReplayRequest
from dokja.models.forge.ladder.replaying import Verdict, other_kernels, verdict
from dokja.models.forge.ladder.segments import Segment
from dokja.models.forge.records import StateDigest

floats = st.floats(-4, 4, width=32)
tensor = arrays(np.float32, (2, 3), elements=floats)


def slow_distance(replayed, claimed, before):
    """Return e in all and of the worst tensor, value by value."""
    squares = {
        name: sum(
            (float(a) - float(b)) ** 2
            for a, b in zip(replayed[name].flat, claimed[name].flat, strict=True)
        )
        for name in claimed
    }
    ways = {
        name: sum(
            (float(a) - float(b)) ** 2
            for a, b in zip(claimed[name].flat, before[name].flat, strict=True)
        )
        for name in claimed
    }
    way = math.sqrt(sum(ways.values()))
    each = [math.sqrt(squares[n]) / (math.sqrt(ways[n]) or way) for n in claimed if squares[n]]
    return math.sqrt(sum(squares.values())) / way, max(each, default=0.0)


@given(tensor, tensor, tensor, tensor)
def test_distance_is_what_adding_up_value_by_value_gives(one, other, start, still):
    replayed, claimed = {"a": one, "b": still}, {"a": other, "b": still}
    before = {"a": start, "b": still}
    if np.array_equal(other, start):
        return

    found = distance(
        replayed.__getitem__, claimed.__getitem__, before=before.__getitem__, names=["a", "b"]
    )

    total, worst = slow_distance(replayed, claimed, before)
    assert found.total == pytest.approx(total, rel=1e-12, abs=1e-300)
    assert found.worst == pytest.approx(worst, rel=1e-12, abs=1e-300)


def test_change_in_one_small_tensor_is_seen_in_its_own_distance():
    rng = np.random.default_rng(0)
    before = {"large": rng.normal(size=(400, 400)), "small": rng.normal(size=8)}
    before = {name: values.astype(np.float32) for name, values in before.items()}
    claimed = {name: values + np.float32(0.01) for name, values in before.items()}
    replayed = {**claimed, "small": claimed["small"] + np.float32(1e-5)}

    found = distance(
        replayed.__getitem__, claimed.__getitem__, before=before.__getitem__, names=claimed
    )

    assert found.worst_tensor == "small"
    assert found.worst == pytest.approx(1e-3, rel=1e-2)
    assert found.total == pytest.approx(1e-3 * math.sqrt(8 / 160_008), rel=1e-2)


def test_tensor_that_should_stand_still_is_measured_by_the_whole_way():
    before = {"a": np.zeros(4, np.float32), "frozen": np.ones(4, np.float32)}
    claimed = {**before, "a": np.ones(4, np.float32)}
    replayed = {**claimed, "frozen": np.full(4, 1.5, np.float32)}

    found = distance(
        replayed.__getitem__, claimed.__getitem__, before=before.__getitem__, names=claimed
    )

    assert (found.worst_tensor, found.worst, found.equal) == ("frozen", 0.5, 1)


def test_nothing_that_moved_measures_nothing():
    one, other = {"a": np.zeros(2, np.float32)}, {"a": np.ones(2, np.float32)}

    with pytest.raises(ValueError, match="no tensor moved"):
        distance(other.__getitem__, one.__getitem__, before=one.__getitem__, names=["a"])


def test_numbers_that_are_not_finite_are_infinitely_far():
    claimed = {"a": np.ones(2, np.float32)}
    broken = {"a": np.array([1, math.nan], np.float32)}
    before = {"a": np.zeros(2, np.float32)}

    found = distance(
        broken.__getitem__, claimed.__getitem__, before=before.__getitem__, names=["a"]
    )

    assert found.total == math.inf


def apart(total, worst=None, *, equal=0):
    return Distance(
        total=total, worst=worst or total, worst_tensor="a", equal=equal, tensors=9, moved=1.0
    )


def floor(*totals, crosses=False):
    samples = [
        NoiseSample(segment=str(n), change="2 threads", apart=apart(e, 3 * e))
        for n, e in enumerate(totals)
    ]
    return NoiseFloor(samples=tuple(samples), crosses=crosses)


def test_threshold_is_ten_times_the_loudest_and_never_below_the_least():
    loud, quiet = floor(2e-7, 5e-7, 1e-7), floor(0.0, 1e-9, 0.0)

    assert (loud.total, loud.threshold) == (5e-7, pytest.approx(5e-6))
    assert loud.tensor_threshold == pytest.approx(1.5e-5)
    assert (quiet.threshold, quiet.tensor_threshold) == (1e-6, 1e-6)
    assert floor(0.0, crosses=True).threshold == 1e-5
    assert NoiseFloor(samples=()).threshold == 1e-6


@pytest.mark.parametrize(
    ("found", "settings", "shown"),
    [
        (apart(0.0, equal=9), {}, Verdict.BIT_EQUAL),
        (apart(4e-7), {}, Verdict.WITHIN_NOISE),
        (apart(9.7e-4), {}, Verdict.DIFFERS),
        (apart(4e-7, 2e-3), {}, Verdict.DIFFERS),
        (apart(9.7e-4), {"kernels": False}, Verdict.DIFFERS),
        (apart(3.9e-3), {"same_precision": False}, Verdict.NOT_COMPARABLE),
        (apart(1.5e-2), {"precision": "bf16", "kernels": False}, Verdict.NOT_COMPARABLE),
        (apart(6.5e-2), {"precision": "bf16", "kernels": False}, Verdict.DIFFERS),
        (apart(1.5e-2), {"precision": "bf16"}, Verdict.DIFFERS),
    ],
)
def test_verdict_follows_from_distance_floor_and_kernels(found, settings, shown):
    given_ = {"precision": "fp32", "same_precision": True, "kernels": True, **settings}

    assert verdict(found, floor(1e-7), **given_) is shown


def test_kernels_are_unknown_where_one_side_is_silent():
    said = {"engine": "hf", "attention": "sdpa", "devices": ["cpu"]}

    assert other_kernels(said, said) == ()
    assert other_kernels(said, {}) == ("unknown",)
    assert other_kernels(said, {**said, "attention": "eager"}) == ("attention",)


@pytest.fixture(scope="module")
def run(make_workplace):
    """A finished run of 20 steps by the numpy engine."""
    workplace = make_workplace()
    clock = lambda: datetime(2026, 2, 1, tzinfo=UTC)  # noqa: E731  # a clock that stands still
    code = train(workplace.job, base=workplace.folder, clock=clock, seconds=lambda: 0.0)
    assert code == 0
    return workplace


def state(step):
    return StateDigest(step=step, tokens=0, cursor=0, weights="w")


def replays(run, *starts):
    done = []
    for step in starts:
        segment = Segment(
            component="body", stage="", before=state(step), after=state(step + 5), entry=None
        )
        request = ReplayRequest(
            job=run.job,
            base=run.folder,
            state=run.folder / f"checkpoints/step-{step:08d}",
            steps=5,
        )
        done.append((segment, request, RefReplayer().replay(request)))
    return done


@pytest.mark.parametrize("starts", [(0, 1, 10), (10,)])
def test_floor_of_a_run_is_above_nothing_and_far_below_any_forgery(run, starts):
    names = sorted(run.job.structure.shapes())

    found = noise_floor(replays(run, *starts), replayer=RefReplayer(), engine="ref", names=names)

    assert found.segments == len(starts)
    assert 1e-8 < found.total < 1e-5
    assert found.total <= found.worst < 1e-3
    assert len({(one.segment, one.change) for one in found.samples}) == len(found.samples)


def test_changes_are_those_that_suit_the_engine(run):
    by_ref = [one.name for one in benign_changes(run.job, engine="ref")]
    by_hf = [one.name for one in benign_changes(run.job, engine="hf")]

    assert by_ref == ["micro-batches of 1"]
    assert by_hf == ["eager attention", "numpy", "2 threads", "micro-batches of 1"]
