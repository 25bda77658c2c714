import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.schedules import KINDS, Schedule, factor


def slow_factor(schedule, step):
    """The same in exact fractions, point by point from the definition."""
    if schedule.warmup_steps and step <= schedule.warmup_steps:
        return Fraction(step, schedule.warmup_steps)
    if schedule.kind == "constant":
        return Fraction(1)
    final = Fraction(schedule.final)
    span = schedule.total_steps - schedule.warmup_steps
    left = Fraction(max(0, schedule.total_steps - step), span) if span else Fraction(0)
    if schedule.kind == "warmup-linear":
        return final + (1 - final) * left
    # 1 + cos(pi x) is 2 sin^2(pi (1 - x) / 2).
    return final + (1 - final) * Fraction(math.sin(math.pi / 2 * float(left)) ** 2)


@st.composite
def schedules(draw):
    total = draw(st.integers(1, 300))
    return Schedule(
        kind=draw(st.sampled_from(KINDS)),
        total_steps=total,
        warmup_steps=draw(st.integers(0, total)),
        final=draw(st.floats(0, 1)),
    )


@given(schedule=schedules(), step=st.integers(1, 400))
def test_factor_equals_its_slow_twin(schedule, step):
    assert factor(schedule, step) == pytest.approx(float(slow_factor(schedule, step)), abs=1e-14)


@given(schedule=schedules())
def test_factor_climbs_to_one_and_never_climbs_again(schedule):
    factors = [factor(schedule, step) for step in range(1, schedule.total_steps + 1)]
    top = max(schedule.warmup_steps, 1)

    assert factors[: top - 1] == sorted(factors[: top - 1])
    assert factors[top - 1 :] == sorted(factors[top - 1 :], reverse=True)
    assert all(0 <= one <= 1 for one in factors)


@given(schedule=schedules())
def test_schedule_goes_through_json_unchanged(schedule):
    assert Schedule.from_json(schedule.to_json()) == schedule
    assert factor(schedule.to_json(), 1) == factor(schedule, 1)


def test_named_points_of_each_kind():
    linear = Schedule(kind="warmup-linear", total_steps=100, warmup_steps=20, final=0.1)
    cosine = Schedule(kind="warmup-cosine", total_steps=100, warmup_steps=20, final=0.1)
    constant = Schedule(kind="constant", total_steps=100)

    assert [factor(linear, step) for step in (1, 10, 20)] == [0.05, 0.5, 1.0]
    assert [factor(linear, step) for step in (60, 100, 101)] == [0.55, 0.1, 0.1]
    assert [round(factor(cosine, step), 12) for step in (20, 60, 100)] == [1.0, 0.55, 0.1]
    assert [factor(constant, step) for step in (1, 100, 1000)] == [1.0, 1.0, 1.0]


def test_schedule_with_several_mistakes_is_refused_whole():
    said = {"kind": "step", "total_steps": 0, "warmup_steps": -1, "final": 2}

    with pytest.raises(RecipeError) as error:
        Schedule.from_json(said)

    assert [mistake.place for mistake in error.value.mistakes] == [*said]


def test_schedule_with_missing_and_unknown_values_is_refused_whole():
    with pytest.raises(RecipeError) as error:
        Schedule.from_json({"kind": "constant", "decay": 1})

    assert [mistake.place for mistake in error.value.mistakes] == ["total_steps", "decay"]


def test_warmup_longer_than_the_training_is_refused():
    with pytest.raises(RecipeError) as error:
        Schedule(kind="constant", total_steps=5, warmup_steps=6)

    assert [mistake.place for mistake in error.value.mistakes] == ["warmup_steps"]


def test_step_before_the_first_is_refused():
    with pytest.raises(ValueError, match="step 0 is before the first"):
        factor(Schedule(kind="constant", total_steps=5), 0)
