"""Stopping and going on: kills, signals, other plans; nothing lost, nothing asked twice."""

import json
import random
import signal
import subprocess
import sys
import threading
import time

import pytest

from dokja.errors import RunError
from dokja.evidence.benchmarks.running import (
    Ending,
    OpenRun,
    Why,
    begin_run,
    make_plan,
    read_plan,
    refuse_another,
    run_table,
)
from dokja.models.serving.endpoints import Patience

pytestmark = pytest.mark.loopback


SLOW = Patience()


def stop_after(server, count, *, number=signal.SIGINT):
    """Returns what stops a session once so many requests came."""

    def begun(session):
        def look():
            while server.asked.total() < count and not session.gate.closed.is_set():
                time.sleep(0.0005)
            session.gate.closed._loop.call_soon_threadsafe(
                session.stop, Ending(why=Why.INTERRUPTED, signal=int(number))
            )

        threading.Thread(target=look, daemon=True).start()

    return begun


def test_a_run_that_was_stopped_asks_only_what_is_open(run, quick):
    one = run(60, delay_s=0.002)

    first = one.go(quick(concurrency=8), begun=stop_after(one.server, 20))
    answered = {line["k"] for line in one.lines("answer")}
    second = one.go(quick(concurrency=8))
    told = one.told()

    assert (first.why, first.signal, second.why) == (Why.INTERRUPTED, 2, Why.DONE)
    assert 20 <= len(answered) < 60
    assert one.server.asked.total() == 60  # what was in the air was waited for
    assert told.twice == 0
    assert told.outcomes == {"correct": 60}


def test_a_second_signal_does_not_wait_and_says_what_may_be_paid_twice(run, quick):
    one = run(40, delay_s=0.06)

    def begun(session):
        stop_after(one.server, 9)(session)
        stop_after(one.server, 9)(session)

    one.go(quick(concurrency=8, grace_s=30.0, patience=SLOW), begun=begun)
    one.server.behaviour.delay_s = 0
    one.go(quick(concurrency=8))
    told = one.told()

    assert told.outcomes == {"correct": 40}
    assert 1 <= told.twice == one.server.asked.total() - 40 <= 8


def test_a_finished_run_asks_nothing_more(run):
    one = run(5)
    one.go()

    one.go()

    assert one.server.asked.total() == 5


def test_what_ended_in_a_fault_is_asked_again(run):
    one = run(5, script=("malformed",) * 3)
    one.go()
    first = one.told()

    one.go()
    second = one.told()

    assert first.outcomes == {"infrastructure_error": 5}
    assert second.outcomes == {"correct": 5}
    assert {each["attempts"] for each in one.records} == {4}
    assert [len(each["faults"]) for each in one.records] == [3] * 5


def killed(one, *, tmp_path, after):
    """Runs `dokja measure --resume` and kills it once so many more requests came."""
    before = one.server.asked.total()
    with (tmp_path / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "dokja", "measure", "--resume", str(one.folder)],
            stdout=said,
            stderr=said,
        )
        while one.server.asked.total() < before + after and process.poll() is None:
            time.sleep(0.0005)
        process.kill()
        return process.wait()


def test_kills_at_any_moment_lose_nothing_and_ask_little_twice(run, tmp_path):
    one = run(400, delay_s=0.002)
    suite = tmp_path / "sums.jsonl"
    suite.write_bytes(
        b"".join(
            json.dumps(
                {
                    "id": question.task.id,
                    "prompt": question.task.prompt,
                    "answer": question.task.keys[0],
                    "cluster": question.stratum,
                    "language": "ko",
                },
                ensure_ascii=False,
            ).encode()
            + b"\n"
            for question in one.form.questions
        )
    )
    (one.folder / "given.json").write_text(json.dumps({"suite": str(suite)}))
    chance = random.Random(11)  # noqa: S311  # moments of a test

    codes = [killed(one, tmp_path=tmp_path, after=chance.randrange(1, 90)) for _ in range(3)]
    while_killed = one.server.asked.total()
    one.go()
    told = one.told()

    assert codes == [-signal.SIGKILL] * 3
    assert 0 < while_killed < 400
    assert told.outcomes == {"correct": 400}
    assert len({record["item"] for record in one.records}) == len(one.records) == 400
    assert one.server.asked.total() <= 400 + 64 * 3
    assert told.twice >= one.server.asked.total() - 400
    answered = [line["k"] for line in one.lines("answer")]
    assert len(answered) == len(set(answered)) == 400


def test_another_plan_is_refused_with_every_difference(run):
    one = run(6)
    other, _ = make_plan(
        one.form,
        system=one.plan.system.model_copy(update={"model": "another"}),
        request={"model": "another"},
        tokens=16,
        epochs=2,
    )

    with pytest.raises(RunError) as refused:
        refuse_another(one.plan, other, folder=one.folder)

    places = [each.place for each in refused.value.mistakes]
    assert places == [
        "epochs",
        "order.digest",
        "request.max_tokens",
        "request.model",
        "request.temperature",
        "system.model",
    ]


def test_a_folder_with_a_run_is_not_begun_again(run):
    one = run(2)

    with pytest.raises(RunError, match="--resume"):
        begin_run(one.folder, one.plan)


def test_a_beginning_that_was_cut_off_can_be_begun_again(run, tmp_path):
    plan = run(2).plan
    folder = tmp_path / "again"
    (folder / "blobs").mkdir(parents=True)
    (folder / ".plan.json.part").write_bytes(b"{")

    begin_run(folder, plan, beside={"given.json": b"{}"})

    assert read_plan(folder) == plan
    assert (folder / "given.json").read_bytes() == b"{}"


def test_a_folder_with_something_else_is_left_alone(run, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("dear")

    with pytest.raises(RunError, match="not empty"):
        begin_run(tmp_path / "full", run(2).plan)

    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_a_plan_that_was_changed_is_no_longer_the_run(run):
    one = run(2)
    one.go()
    plan = one.folder / "plan.json"
    plan.write_bytes(plan.read_bytes().replace(b'"tokens":16', b'"tokens":17'))

    with pytest.raises(RunError, match="line 1"):
        one.go()


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"{}", "system"),
        (b"no", ""),
        (b'{"v": 2}', "v"),
    ],
)
def test_a_file_that_is_no_plan_is_told_whole(run, data, place):
    one = run(2)
    (one.folder / "plan.json").write_bytes(data)

    with pytest.raises(RunError) as wrong:
        one.go()
    assert place in {each.place for each in wrong.value.mistakes}


def test_a_run_that_is_not_begun_has_nothing_to_tell(run):
    one = run(2)

    with pytest.raises(RunError, match="begun"):
        OpenRun(one.folder, order=one.order)


def test_runs_on_one_form_lie_side_by_side(run):
    first, second = run(6, name="a"), run(6, name="b", script=("malformed",) * 3)
    for each in (first, second):
        each.go()
        each.told()

    with pytest.raises(RunError, match=r"system\.label"):
        run_table([first.folder, second.folder])
    table = run_table([second.folder])
    assert table.systems == ("m",)
    assert table.items == tuple(f"sums-{number:04d}" for number in range(6))
    assert set(table.outcomes.ravel().tolist()) == {7}
    assert table.clusters["cluster"] == table.strata


def test_runs_on_other_items_are_no_table(run):
    first, second = run(6, name="a"), run(7, name="b")

    with pytest.raises(RunError) as wrong:
        run_table([first.folder, second.folder])

    places = {each.place for each in wrong.value.mistakes}
    assert {"asked.items_digest", "system.label", ""} == places
