"""Checkpoints that are written while training goes on: whole, told once, and never too early."""

import json
from datetime import UTC, datetime

import numpy as np
import pytest

from dokja.errors import LogError
from dokja.models.forge.engines import open_checkpoint, read_events
from dokja.models.forge.engines.checkpoints import checkpoint_name
from dokja.models.forge.engines.runs import Run, State

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


@pytest.fixture
def workplace(make_workplace):
    return make_workplace()


@pytest.fixture
def run(workplace):
    found = Run(workplace.job, base=workplace.folder, engine="ref", clock=lambda: NOON)
    found.begin({}, resumed=None)
    yield found
    found.close()


def state(job, *, updates):
    weights = {n: np.zeros(s, np.float32) + updates for n, s in job.structure.shapes().items()}
    moments = {f"{w}/{n}": a for w in ("exp_avg", "exp_avg_sq") for n, a in weights.items()}
    return State(weights=weights, config=job.structure.config(), moments=moments, updates=updates)


def test_state_written_behind_is_told_with_its_own_step(run, workplace):
    run.tell([2.0], [1.0])
    run.keep_behind(state(workplace.job, updates=1))
    run.tell([1.9, 1.8], [1.0, 1.0])
    run.settle()

    events = read_events(workplace.folder / workplace.job.events)

    assert [one.step for one in events.checkpoints] == [1]
    folder = workplace.folder / workplace.job.checkpoints / checkpoint_name(1)
    assert open_checkpoint(folder).state.updates == 1


def test_next_state_waits_for_the_one_before(run, workplace):
    for step in range(1, 4):
        run.tell([2.0], [1.0])
        run.keep_behind(state(workplace.job, updates=step))
    run.settle()

    events = read_events(workplace.folder / workplace.job.events)

    assert [one.step for one in events.checkpoints] == [1, 2, 3]


def test_interruption_comes_after_what_was_still_being_written(run, workplace):
    run.tell([2.0], [1.0])
    run.keep_behind(state(workplace.job, updates=1))
    run.interrupt("asked to stop")

    kinds = [
        type(one).__name__ for one in read_events(workplace.folder / workplace.job.events).events
    ]

    assert kinds == ["Start", "Steps", "Checkpointed", "Interruption"]


def test_a_state_of_a_step_that_was_never_told_is_a_fault(run, workplace):
    run.tell([2.0], [1.0])
    run.keep(state(workplace.job, updates=1))
    path = workplace.folder / workplace.job.events
    lines = path.read_text().splitlines()
    last = json.loads(lines[-1]) | {"step": 9}
    path.write_text("\n".join([*lines[:-1], json.dumps(last)]) + "\n")

    with pytest.raises(LogError, match="the last step told"):
        read_events(path)
