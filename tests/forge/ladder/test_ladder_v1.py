"""V1: what a log cannot say at once with plan, schedule and clock; and the readers of logs."""

import json
import math
import re
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import LogError
from dokja.models.forge.engines.events import parse_events
from dokja.models.forge.importers import read_log as read_imported
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.findings import Level, Outcome
from dokja.models.forge.ladder.log_checks import factors
from dokja.models.forge.ladder.logs import read_log_bytes
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.v1 import log_level
from dokja.models.forge.schedules import KINDS, Schedule, factor


def of_steps(edit):
    """Return an edit of the log that changes lines of steps only."""

    def edited(said):
        return edit(dict(said)) if said["kind"] == "steps" else said

    return edited


def rate_off(said):
    said["lr"] = [rate * (1 + 3e-6) if n == 4 else rate for n, rate in enumerate(said["lr"])]
    return said


def tokens_doubled(said):
    return {**said, "tokens": [2 * said["tokens"][0]]}


def step_missing(said):
    return None if said["first"] == 11 else said


def clock_backwards(said):
    if said["first"] != 11:
        return said
    at = datetime.fromisoformat(said["at"]) - timedelta(hours=1)
    return {**said, "at": at.isoformat(timespec="microseconds").replace("+00:00", "Z")}


def already_trained(said):
    if said["first"] == 1:
        said["loss"] = [1.645 * math.log(2), *said["loss"][1:]]
    return said


def not_finite_norm(said):
    return {key: value for key, value in said.items() if key != "grad_norm"}


def other_instances(said):
    return {**said, "instances": [one + 4 for one in said["instances"]]}


LIES = {
    "a rate off by 3e-6": (rate_off, {"V1.2"}),
    "twice the tokens": (tokens_doubled, {"V1.1"}),
    "a line of steps missing": (step_missing, {"V1.4"}),
    "a clock that runs backwards": (clock_backwards, {"V1.4"}),
    "a start that knows something": (already_trained, {"V1.3"}),
    "no gradient norms": (not_finite_norm, {"V1.4"}),
    "instances out of order": (other_instances, {"V1.4", "V1.6"}),
}


def test_an_honest_log_passes_every_check(honest):
    found = [one for one in honest.verify(Level.V1) if one.level is Level.V1]

    assert {one.check: one.outcome for one in found if one.outcome is not Outcome.PASS} == {}
    assert sorted(one.check for one in found) == [f"V1.{n}" for n in range(8)]


@pytest.mark.parametrize("name", LIES)
def test_a_lie_told_and_signed_is_seen_by_its_check(build, name):
    edit, expected = LIES[name]
    build.edit_events(of_steps(edit))
    build.retell()

    found = build.failing(Level.V1)

    assert found == expected


def test_work_that_no_device_does_is_seen(build):
    start = json.loads(build.events.read_text().splitlines()[0])["at"]

    def hurried(said):
        short = {"device_seconds": 1e-4} if said["kind"] == "end" else {}
        return {**said, "at": start, **short}

    build.edit_events(hurried)
    build.retell(compute={"device_hours": {"cpu": 1e-4 / 3600}})

    assert build.failing(Level.V1) == {"V1.5"}


def test_hours_are_compared_with_logs_and_with_accounting(build):
    seal = open_artefacts(build.run).seal
    (device, hours) = next(iter(seal.compute["device_hours"].items()))

    assert build.failing(Level.V1, accounted={"4711": hours * 1.01}) == set()
    assert build.failing(Level.V1, accounted={"4711": hours * 1.05}) == {"V1.7"}

    build.retell(compute={"device_hours": {device: hours * 2}})

    assert build.failing(Level.V1) == {"V1.7"}


def test_jobs_without_their_accounting_are_not_passed(build):
    hours = open_artefacts(build.run).seal.compute["device_hours"]
    build.retell(compute={"device_hours": hours, "jobs": ["4711"]})

    (found,) = [one for one in build.verify(Level.V1) if one.check == "V1.7"]

    assert found.outcome is Outcome.NOT_AVAILABLE


def test_an_imported_log_is_undecided_by_name_where_it_is_silent(honest, tmp_path):
    metrics = parse_events(honest.events.read_bytes(), file="").metrics()
    path = tmp_path / "log.jsonl"
    rows = zip(metrics.step.tolist(), metrics.loss.tolist(), metrics.lr.tolist(), strict=True)
    lines = [json.dumps({"step": step, "loss": loss, "lr": rate}) for step, loss, rate in rows]
    path.write_text("".join(f"{line}\n" for line in lines))

    artefacts = open_artefacts(honest.run, imported={"body/1": read_imported(path)})
    found = {one.check: one for one in log_level(artefacts, Settings())}

    passed = {check for check, one in found.items() if one.outcome is Outcome.PASS}
    assert passed == {"V1.0", "V1.2", "V1.3"}
    assert {one.outcome for check, one in found.items() if check not in passed} == {
        Outcome.UNDECIDED
    }
    assert "grad_norm" in found["V1.4"].why


@given(
    kind=st.sampled_from(KINDS),
    warmup=st.integers(0, 20),
    more=st.integers(1, 50),
    final=st.floats(0, 1),
)
def test_factors_are_those_of_the_schedule(kind, warmup, more, final):
    schedule = Schedule(kind=kind, warmup_steps=warmup, total_steps=warmup + more, final=final)
    steps = np.arange(1, warmup + more + 5)

    slow = [factor(schedule, int(step)) for step in steps]

    np.testing.assert_allclose(factors(schedule, steps), slow, rtol=1e-14, atol=1e-15)


numbers = st.floats(0, 1e6) | st.sampled_from([1e-5, 5e-324, 1.0, 12345678.9])


@st.composite
def logs(draw):
    """Return the lines of an engine that was resumed now and then."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    lines, step, kinds = [], 0, draw(st.lists(st.integers(0, 5), min_size=1, max_size=12))

    def said(kind, **values):
        nonlocal at
        at += timedelta(seconds=1.5)
        stamp = at.isoformat(timespec="microseconds")[:-6] + "Z"
        lines.append(json.dumps({"kind": kind, **values, "at": stamp}, separators=(",", ":")))

    said("start", step=0, environment={})
    for kind in kinds:
        if kind == 0 and step:
            step = draw(st.integers(0, step))
            said("resume", step=step, environment={}, lost_bytes=0)
            continue
        last = step + draw(st.integers(1, 4))
        some = [draw(st.lists(numbers, min_size=last - step, max_size=last - step)) for _ in "abc"]
        said(
            "steps",
            first=step + 1,
            last=last,
            tokens=[last * 8],
            loss=some[0],
            lr=some[1],
            grad_norm=some[2],
            instances=[step * 2, last * 2],
        )
        step = last
    said("end", step=step, device_seconds=2.5)
    return "".join(f"{line}\n" for line in lines).encode()


@given(logs())
@settings(max_examples=40)
def test_logs_are_read_in_bulk_as_they_are_read_line_by_line(data):
    slow = parse_events(data, file="log").metrics()

    fast = read_log_bytes(data, file="log")

    assert fast.faults == ()
    for name in ("loss", "lr", "grad_norm"):
        column = fast.column(name)
        if column is None:
            assert len(slow.step) == 0
            continue
        assert column.step.tolist() == slow.step.tolist()
        assert column.value.tolist() == getattr(slow, name).tolist()
    if len(slow.step):
        assert fast.instances.tolist() == slow.instances.tolist()


@given(logs(), st.data())
@settings(max_examples=60)
def test_whatever_the_exact_reader_refuses_has_faults(data, drawn):
    place = drawn.draw(st.integers(0, len(data) - 1))
    sign = drawn.draw(st.sampled_from(b'0123456789,.:-"[]{}eE\n '))
    damaged = data[:place] + bytes([sign]) + data[place + 1 :]
    slow, mistakes = read_slowly(damaged)

    try:
        fast = read_log_bytes(damaged, file="log")
    except LogError as error:
        fast, faults = None, error.mistakes
    else:
        faults = fast.faults

    assert faults == mistakes
    if fast is not None and slow is not None and len(slow.step):
        assert fast.column("loss").value.tolist() == slow.loss.tolist()


def reordered(line):
    said = json.loads(line)
    return json.dumps(dict(sorted(said.items())), separators=(",", ":"))


MANGLED = {
    "keys in another order": reordered,
    "spaces": lambda line: line.replace(",", ", "),
    "a key that stands twice": lambda line: line[:-1] + line[line.index(",") :],
    "a key that nobody knows": lambda line: line[:-1] + ',"more":1}',
    "a kind in escapes": lambda line: line.replace("steps", "\\u0073teps"),
    "a carriage return": lambda line: line + "\r",
    "two lines in one": lambda line: line + line,
    "half a line": lambda line: line[: len(line) // 2],
    "nothing": lambda line: line[:0],
    "a comma more": lambda line: line.replace("],", ",],"),
    "a day that is none": lambda line: line.replace("2026-01-02", "2026-02-30"),
    "a week": lambda line: line.replace("2026-01-02", "2026-W01-5"),
    "another zone": lambda line: line.replace('Z"', '+"'),
}
SPELLINGS = ["1E5", "-0", "-0.0", "1e400", "NaN", "Infinity", "1e-05", "2.5e-05", "1", "1" * 400]
SPELLINGS += ["true", "null", '"1"', "0x1", "01.5", "9007199254740993", "1.0000000000000001", ""]


@given(logs(), st.data())
@settings(max_examples=150)
def test_logs_written_otherwise_are_read_as_they_are_read_line_by_line(data, drawn):
    lines = data.decode().splitlines()
    for place in drawn.draw(st.lists(st.integers(0, len(lines) - 1), max_size=3)):
        mangled = drawn.draw(st.sampled_from(sorted(MANGLED)))
        lines[place] = MANGLED[mangled](lines[place] or "{},")
    end = drawn.draw(st.sampled_from(["\n", "\n", "", "\n\n"]))

    assert_alike(("\n".join(lines) + end).encode())


@given(logs(), st.data())
@settings(max_examples=150)
def test_numbers_spelt_otherwise_are_read_as_they_are_read_line_by_line(data, drawn):
    text = data.decode()
    numbers = list(re.finditer(r"(?<=[\[,:])[0-9][0-9.e-]*(?=[\],}])", text))
    number = drawn.draw(st.sampled_from(numbers))
    spelt = drawn.draw(st.sampled_from(SPELLINGS))

    assert_alike((text[: number.start()] + spelt + text[number.end() :]).encode())


def test_a_long_log_with_one_odd_line_is_read_whole():
    at = datetime(2026, 1, 2, tzinfo=UTC)
    lines = []
    for step in range(1, 2001):
        stamp = (at + timedelta(minutes=step)).isoformat(timespec="microseconds")[:-6] + "Z"
        said = {"kind": "steps", "first": step, "last": step, "tokens": [8 * step]}
        said |= {"loss": [1 / step], "lr": [3e-5 / step], "grad_norm": [step / 7]}
        said |= {"instances": [2 * step - 2, 2 * step], "at": stamp}
        lines.append(json.dumps(said, separators=(",", ":") if step % 700 else None))
    start = '{"kind":"start","step":0,"at":"2026-01-02T00:00:00.000000Z","environment":{}}'

    assert_alike("".join(f"{line}\n" for line in [start, *lines]).encode())


def test_a_checkpoint_that_is_told_late_is_no_fault():
    stamp = '"at":"2026-01-02T00:00:00.000000Z"'
    steps = (
        f'{{"kind":"steps","first":1,"last":2,"tokens":[16],"loss":[5.5,5.25],"lr":[0.5,0.5],'
        f'"grad_norm":[1.5,1.5],"instances":[0,4],{stamp}}}'
    )
    start = f'{{"kind":"start","step":0,{stamp},"environment":{{}}}}'
    late = f'{{"kind":"checkpoint","step":1,"folder":"step-1",{stamp}}}'
    early = f'{{"kind":"checkpoint","step":3,"folder":"step-3",{stamp}}}'

    assert_alike(f"{start}\n{steps}\n{late}\n".encode())
    assert_alike(f"{start}\n{steps}\n{early}\n".encode())


def assert_alike(data):
    """Assert that a log is read fast as it is read line by line, faults and values."""
    slow, mistakes = read_slowly(data)
    try:
        fast = read_log_bytes(data, file="log")
    except LogError as error:
        fast, faults = None, error.mistakes
    else:
        faults = fast.faults

    assert faults == mistakes
    if fast is not None and slow is not None and len(slow.step):
        for name in ("loss", "lr", "grad_norm"):
            assert fast.column(name).value.tobytes() == getattr(slow, name).tobytes()
        assert fast.column("loss").step.tolist() == slow.step.tolist()
        assert fast.instances.tolist() == slow.instances.tolist()


def read_slowly(data):
    """Return what the exact reader reads, and what it has against it."""
    try:
        return parse_events(data, file="log").metrics(), ()
    except LogError as error:
        return None, error.mistakes
