import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import LogError
from dokja.models.forge.engines import (
    Checkpointed,
    End,
    EventWriter,
    Interruption,
    Resume,
    Start,
    Steps,
    read_events,
)
from dokja.models.forge.engines.events import event_json, parse_events

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BATCH, LENGTH = 4, 16


def at(seconds):
    return NOON + timedelta(seconds=seconds)


def steps(first, last, *, seconds, losses=None):
    count = last - first + 1
    return Steps(
        first=first,
        last=last,
        tokens=last * BATCH * LENGTH,
        loss=tuple(losses or (5.5 - 0.01 * step for step in range(first, last + 1))),
        lr=(1e-3,) * count,
        grad_norm=(1.25,) * count,
        instances=((first - 1) * BATCH, last * BATCH),
        at=at(seconds),
    )


RUN = (
    Start(step=0, at=at(0), environment={"engine": "ref", "threads": 1}),
    Checkpointed(step=0, folder="checkpoints/step-00000000", at=at(1)),
    steps(1, 4, seconds=2),
    Checkpointed(step=4, folder="checkpoints/step-00000004", at=at(3)),
    steps(5, 7, seconds=4),
    Resume(step=4, at=at(60), environment={"engine": "ref"}, lost_bytes=17),
    steps(5, 8, seconds=61),
    Checkpointed(step=8, folder="checkpoints/step-00000008", at=at(62)),
    Interruption(step=8, reason="asked to stop by SIGTERM", at=at(63)),
    Resume(step=8, at=at(90), environment={"engine": "ref"}, lost_bytes=0),
    steps(9, 10, seconds=91),
    End(step=10, at=at(92), device_seconds=12.5),
)


def lines(events):
    return [json.dumps(event_json(event)) for event in events]


def data(events):
    return "".join(line + "\n" for line in lines(events)).encode()


def faults(said, **options):
    with pytest.raises(LogError) as caught:
        parse_events(said, file="events.jsonl", **options)
    return [(mistake.place, mistake.read) for mistake in caught.value.mistakes]


def test_stream_comes_back_as_it_was_written(tmp_path):
    path = tmp_path / "events.jsonl"

    with EventWriter(path) as log:
        for event in RUN:
            log.write(event)

    read = read_events(path)
    assert read.events == RUN
    assert (read.start, read.end, read.torn_bytes) == (RUN[0], RUN[-1], 0)
    assert [one.step for one in read.checkpoints] == [0, 4, 8]
    assert read.interruptions == (RUN[5], RUN[8], RUN[9])


def test_line_is_what_the_contract_says():
    assert event_json(RUN[2]) == {
        "kind": "steps",
        "first": 1,
        "last": 4,
        "tokens": [256],
        "loss": [5.49, 5.48, 5.47, 5.46],
        "lr": [1e-3] * 4,
        "grad_norm": [1.25] * 4,
        "instances": [0, 16],
        "at": "2026-01-02T12:00:02.000000Z",
    }


def test_steps_told_twice_count_as_last_told():
    told = (*RUN[:4], steps(5, 7, seconds=4, losses=(5.0, 4.9, 4.8)), *RUN[5:])

    read = parse_events(data(told), file="events.jsonl")
    metrics = read.metrics()

    assert metrics.step.tolist() == list(range(1, 11))
    assert metrics.loss.tolist() == [5.5 - 0.01 * step for step in range(1, 11)]
    assert metrics.tokens.tolist() == [step * BATCH * LENGTH for step in range(1, 11)]
    assert metrics.instances[2].tolist() == [8, 12]
    assert read.differing_steps() == (5, 6, 7)
    assert parse_events(data(RUN), file="events.jsonl").differing_steps() == ()


def test_half_a_line_is_a_fault_unless_the_run_goes_on():
    torn = data(RUN[:5]) + b'{"kind":"steps","fir'

    live = parse_events(torn, file="events.jsonl", live=True)

    assert (live.events, live.torn_bytes) == (RUN[:5], 20)
    assert faults(torn) == [("line 6", "half a line of 20 bytes")]


def test_writer_cuts_half_a_line_and_says_how_long_it_was(tmp_path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(data(RUN[:5]) + b'{"kind":"steps","fir')

    with EventWriter(path) as log:
        log.write(Resume(step=4, at=at(60), environment={}, lost_bytes=log.lost_bytes))

    assert read_events(path).events[-1].lost_bytes == 20


def test_writer_refuses_what_is_not_finite(tmp_path):
    with EventWriter(tmp_path / "events.jsonl") as log, pytest.raises(ValueError, match="JSON"):
        log.write(steps(1, 1, seconds=1, losses=(float("nan"),)))

    assert (tmp_path / "events.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((RUN[0], steps(2, 3, seconds=2)), [("line 2, first", "2")]),
        ((*RUN[:3], steps(4, 5, seconds=3)), [("line 4, first", "4")]),
        ((*RUN[:3], *RUN[4:5], Resume(step=9, at=at(60), environment={}, lost_bytes=0)),
         [("line 5, step", "a resume from 9")]),
        ((*RUN[:3], steps(5, 6, seconds=1)),
         [("line 4, at", "2026-01-02T12:00:01+00:00, after 2026-01-02T12:00:02+00:00")]),
        ((RUN[2],), [("line 1", "the kind 'steps'")]),
        ((*RUN[:3], RUN[0]),
         [("line 4, at", "2026-01-02T12:00:00+00:00, after 2026-01-02T12:00:02+00:00"),
          ("line 4", "the kind 'start'")]),
        ((*RUN[:3], RUN[7]), [("line 4, step", "8")]),
        ((*RUN, steps(11, 12, seconds=99)), [("line 13", "the kind 'steps'")]),
    ],
    ids=[
        "gap",
        "told twice",
        "resume beyond",
        "clock",
        "no start",
        "two starts",
        "checkpoint of untold step",
        "after the end",
    ],
)  # fmt: skip  # one case, one line
def test_course_that_contradicts_itself_is_told_by_line(events, expected):
    assert faults(data(events)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"loss": [1.0]}, [("line 3, loss", "1 numbers")]),
        ({"loss": [1.0, 2.0, 3.0, None]}, [("line 3, loss", "[1.0, 2.0, 3.0, None]")]),
        ({"tokens": [255]}, [("line 3, tokens", "255 over 4 steps")]),
        ({"tokens": 256}, [("line 3, tokens", "256")]),
        ({"instances": [4, 20]}, [("line 3, instances", "a start at 4")]),
        ({"instances": [0, 15]}, [("line 3, instances", "15 over 4 steps")]),
        ({"last": 0}, [("line 3, last", "0")]),
        ({"at": "2026-01-02 12:00"}, [("line 3, at", "'2026-01-02 12:00'")]),
        ({"more": 1}, [("line 3", "the key 'more'")]),
        ({"kind": "stepz"}, [("line 3", "'stepz'")]),
    ],
)  # fmt: skip  # one case, one line
def test_line_that_is_wrong_is_told_by_place(change, expected):
    said = [json.loads(line) for line in lines(RUN[:3])]
    said[2] |= change

    assert faults("".join(json.dumps(line) + "\n" for line in said).encode()) == expected


def test_all_faults_are_told_at_once():
    said = [*lines(RUN[:3]), "nonsense", "[]", '{"kind":"end","step":-1}', ""]

    assert faults("".join(line + "\n" for line in said).encode()) == [
        ("line 4", "nonsense"),
        ("line 5", "[]"),
        ("line 6, step", "-1"),
        ("line 6, at", "nothing"),
        ("line 6, device_seconds", "nothing"),
        ("line 7", "an empty line"),
    ]


def test_file_that_is_missing_or_empty_is_told(tmp_path):
    (tmp_path / "empty.jsonl").touch()

    assert faults(b"") == [("", "no line")]
    with pytest.raises(LogError) as caught:
        read_events(tmp_path / "none.jsonl")
    assert caught.value.mistakes[0].read == "nothing: No such file or directory"


@given(cut=st.integers(0, len(data(RUN))))
def test_stream_cut_anywhere_is_read_up_to_the_cut(cut):
    whole = data(RUN)[:cut]
    count = whole.count(b"\n")

    if count == 0:
        assert faults(whole, live=True) == [("", "no line")]
        return
    read = parse_events(whole, file="events.jsonl", live=True)

    assert read.events == RUN[:count]
    assert read.torn_bytes == len(whole) - len(data(RUN[:count]))


@given(plan=st.lists(st.tuples(st.integers(1, 9), st.integers(0, 9)), min_size=1, max_size=8))
def test_any_run_with_resumes_has_every_step_once(plan):
    """Each leg runs some steps and is then thrown back by some; the slow twin counts by hand."""
    events, step, clock, told = [RUN[0]], 0, 0, {}
    for forward, back in plan:
        clock += 2
        events.append(steps(step + 1, step + forward, seconds=clock))
        told |= dict.fromkeys(range(step + 1, step + forward + 1))
        step = max(0, step + forward - back)
        events.append(Resume(step=step, at=at(clock + 1), environment={}, lost_bytes=0))

    metrics = parse_events(data(events), file="events.jsonl").metrics()

    assert metrics.step.tolist() == sorted(told)
    assert np.diff(metrics.step).tolist() == [1] * (len(told) - 1)
    assert metrics.instances.tolist() == [[(s - 1) * BATCH, s * BATCH] for s in sorted(told)]
