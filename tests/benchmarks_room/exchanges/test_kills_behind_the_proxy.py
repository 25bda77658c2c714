"""`dokja measure`, killed again and again behind the proxy: nothing is paid for twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dokja.evidence.benchmarks.exchanges import read_recording

pytestmark = pytest.mark.loopback

ITEMS, KILLS = 150, 3
SIMULATOR = Path(__file__).parents[2] / "simulators/endpoint.py"


@pytest.fixture
def servers(tmp_path):
    """Starts programs that serve; ends them with the test."""
    started = []

    def start(*words, mark):
        process = subprocess.Popen(
            [sys.executable, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        started.append(process)
        line = next(line for line in process.stdout if mark in line)
        return process, line[line.index(mark) + len(mark) :].strip()

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def suite(tmp_path):
    """A suite of sums, and what is right."""
    rows = [
        {
            "id": f"s-{n:03d}",
            "prompt": f"{n} + 1 = ?",
            "answer": str(n + 1),
            "cluster": f"c-{n % 5}",
        }
        for n in range(ITEMS)
    ]
    path = tmp_path / "sums.jsonl"
    path.write_text("".join(json.dumps({**row, "language": "ko"}) + "\n" for row in rows))
    return path, {row["prompt"]: row["answer"] for row in rows}


def test_no_answer_is_paid_for_twice_behind_the_proxy(servers, suite, tmp_path):
    path, answers = suite
    (tmp_path / "answers.json").write_text(json.dumps(answers))
    behaviour = {"answers": str(tmp_path / "answers.json"), "delay_s": 0.05}
    _, port = servers(str(SIMULATOR), json.dumps(behaviour), mark="")
    store, run = tmp_path / "store", tmp_path / "run"
    upstream = f"http://127.0.0.1:{port}/v1"
    words = ("-m", "dokja", "record", "--upstream", upstream, "--store", str(store))
    recorder, url = servers(*words, mark=" at ")
    begin = ("always-right", "--suite", str(path), "--endpoint", url, "--out", str(run))
    moments = random.Random(5)  # noqa: S311  # moments of a test
    measure = [sys.executable, "-m", "dokja", "measure"]

    for number in range(KILLS):
        which = ("--resume", str(run)) if number else begin
        with subprocess.Popen(
            [*measure, *which, *(() if number else ("--concurrency", "8"))],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as killed:
            wanted = recorded(store) + moments.randrange(5, 30)
            while recorded(store) < wanted and killed.poll() is None:
                time.sleep(0.002)
            killed.send_signal(signal.SIGKILL)
    done = subprocess.run(
        [*measure, "--resume", str(run), "--json"], capture_output=True, text=True, check=False
    )
    recorder.send_signal(signal.SIGINT)
    recorder.wait()

    found = read_recording(store)
    assert done.returncode == 0, done.stderr
    assert len(found.exchanges) == ITEMS
    assert len({each.key for each in found.exchanges}) == ITEMS
    assert [each.n for each in found.exchanges if each.is_faulty] == []


def recorded(store):
    """Return how many exchanges a store holds by now."""
    journal = store / "journal.jsonl"
    return journal.read_bytes().count(b'"kind":"exchange"') if journal.exists() else 0
