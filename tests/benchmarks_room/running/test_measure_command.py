"""`dokja measure` as a user meets it: endpoints, folders, going on, exit codes."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.running import read_plan
from dokja.evidence.ledger import open_programme

ROOT = Path(__file__).parents[3]
MODEL = ROOT / "sample/programme/models/dasom-1"
SUMS = ROOT / "sample/programme/items/sums.jsonl"

REMOTE = ("--endpoint", "http://x")

pytestmark = pytest.mark.loopback


@pytest.fixture
def suite(tmp_path):
    """A suite folder of Korean choices, and the right answer to each of its prompts."""
    folder = tmp_path / "choices"
    folder.mkdir()
    (folder / "suite.toml").write_text(
        'format = 1\nname = "choices"\nversion = "2026.1"\nlicence = "CC0-1.0"\n'
        'language = "ko"\nbudget_tokens = 16\nclusters = ["subject"]\nstrata = "subject"\n'
        'scorer = { kind = "choice" }\n'
    )
    (folder / "template.txt").write_text("{{question}}\n\n{{choices}}\n\n정답:\n")
    answers, rows = {}, []
    for number in range(12):
        options = [str(number + off) for off in (1, 2, 3, 4)]
        key = "ABCD"[number % 4]
        rows.append(
            {
                "id": f"q-{number}",
                "question": f"{number}번 물음",
                "choices": options,
                "key": key,
                "clusters": {"subject": f"s{number % 3}"},
            }
        )
        listed = "\n".join(f"{a}. {b}" for a, b in zip("ABCD", options, strict=True))
        answers[f"{number}번 물음\n\n{listed}\n\n정답:"] = f"정답은 {key}입니다."
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder, answers


@pytest.fixture
def told(capsys):
    """Runs a command line and returns its code with what it printed."""

    def go(*words):
        capsys.readouterr()
        code = run([str(word) for word in words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


def test_an_endpoint_is_measured_on_a_suite_folder(endpoint, suite, told, tmp_path, monkeypatch):
    folder, answers = suite
    server = endpoint(answers, keep=True)
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")

    code, out, _ = told(
        *("measure", "always-right", "--endpoint", server.url, "--suite", folder),
        *("--out", tmp_path / "run", "--json"),
    )

    said = json.loads(out)
    assert code == 0
    assert said["schema"] == "dokja.measure/1"
    assert (said["outcomes"], said["open"]) == ({"correct": 12}, 0)
    assert server.requests[0][0]["authorization"] == "Bearer secret-key"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file())
    assert b"secret-key" not in kept


def test_options_reach_the_request_and_the_plan(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers, keep=True, model="served-name")

    code, _, _ = told(
        *("measure", "asked-name", "--endpoint", f"{server.url}/", "--suite", folder),
        *("--out", tmp_path / "run", "--reports", "served-name", "--label", "system"),
        *("--set", "temperature=0.5", "--set", 'reasoning_effort="high"', "--effort", "high"),
        *("--limit-field", "max_completion_tokens", "--stream", "--epochs", 2, "--seed", 3),
    )

    request = server.requests[0][1]
    plan = read_plan(tmp_path / "run")
    assert code == 0
    assert request["model"] == "asked-name"
    assert (request["temperature"], request["reasoning_effort"]) == (0.5, "high")
    assert request["max_completion_tokens"] == 16
    assert request["stream"] is True
    assert (plan.system.label, plan.system.reported) == ("system", ("served-name",))
    assert (plan.epochs, plan.order.seed, plan.asked.version) == (2, 3, "2026.1")
    assert server.asked.total() == 24


def test_completions_are_asked_with_a_prompt(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers, keep=True)

    code, _, _ = told(
        *("measure", "always-right", "--endpoint", server.url, "--suite", folder),
        *("--completions", "--out", tmp_path / "run"),
    )

    assert code == 0
    assert "정답:" in server.requests[0][1]["prompt"]


def test_a_folder_is_measured_in_this_process_and_entered(told, tmp_path):
    programme = tmp_path / "programme"
    run(["new", str(programme), "--from", str(ROOT / "sample/programme")])
    few = tmp_path / "few-sums.jsonl"
    few.write_bytes(b"".join(SUMS.read_bytes().splitlines(keepends=True)[:70]))

    code, out, _ = told(
        *("measure", MODEL, "--suite", few, "--out", tmp_path / "run"),
        *("--programme", programme, "--stage", "final"),
    )

    plan = read_plan(tmp_path / "run")
    with closing(open_programme(programme)) as opened:
        entry = opened.ledger.find("run/final/dasom-1/few-sums")
        records = opened.blobs.get(entry.blobs[0])
    assert code == 0
    assert "correct" in out
    assert plan.system.weights.startswith("sha256:")
    assert entry.body["plan"] == str(plan.digest)
    assert records == (tmp_path / "run/records.jsonl").read_bytes()
    assert len(records.splitlines()) == entry.body["items"] == 70


def test_a_scorer_is_tried_before_it_gives_evidence(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers)
    programme = tmp_path / "programme"
    told("new", programme, "--from", ROOT / "sample/programme")
    words = ("measure", "dasom-1", "--endpoint", server.url, "--suite", folder)
    words += ("--reports", "always-right", "--out", tmp_path / "run")
    words += ("--programme", programme, "--stage", "final")

    before = told(*words)
    asked = server.asked.total()
    tried = told("sanity", folder, "--programme", programme)
    after = told(*words)

    again = told(*words[:-6], *words[-4:], "--out", tmp_path / "again")
    assert (before[0], asked, tried[0], after[0], again[0]) == (3, 0, 0, 0, 2)
    assert "in the ledger already" in again[2]
    assert "dokja sanity" in before[2]
    assert server.asked.total() == 12


def test_a_prompt_that_the_model_cannot_hold_stops_the_run(told, tmp_path):
    items = [json.loads(line) for line in SUMS.read_bytes().splitlines()[:3]]
    items[1]["prompt"] = "1 + " * 3000
    suite = tmp_path / "long.jsonl"
    suite.write_text("".join(json.dumps(item) + "\n" for item in items))

    code, out, _ = told("measure", MODEL, "--suite", suite, "--out", tmp_path / "run")

    assert code == 2
    assert "configuration" in out
    assert "infrastructure_error 3" in out


def test_the_same_model_gives_the_same_answers_again(told, tmp_path):
    few = tmp_path / "few.jsonl"
    few.write_bytes(b"".join(SUMS.read_bytes().splitlines(keepends=True)[:9]))

    for name in ("a", "b"):
        told("measure", MODEL, "--suite", few, "--out", tmp_path / name)

    plans = [(tmp_path / name / "plan.json").read_bytes() for name in ("a", "b")]
    said = [
        [
            (record["item"], record["outcome"], record["response_digest"])
            for record in map(
                json.loads, (tmp_path / name / "records.jsonl").read_text().splitlines()
            )
        ]
        for name in ("a", "b")
    ]
    assert plans[0] == plans[1]
    assert said[0] == said[1]


def test_open_samples_end_with_four_and_going_on_with_nought(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers, script=("malformed",) * 3)
    run_folder = tmp_path / "run"

    first = told(
        *("measure", "always-right", "--endpoint", server.url, "--suite", folder),
        *("--out", run_folder),
    )
    second = told("measure", "--resume", run_folder)

    assert (first[0], second[0]) == (4, 0)
    assert f"dokja measure --resume {run_folder}" in first[1]
    assert "malformed 36" in first[1]


@pytest.mark.parametrize(
    ("script", "code", "said"),
    [(("status:401:invalid_api_key",), 2, "invalid_api_key"), (("wrong_model",) * 9, 3, "another")],
)
def test_a_stopped_run_says_why(endpoint, suite, told, tmp_path, script, code, said):
    folder, answers = suite
    server = endpoint(answers, script=script)

    found = told(
        *("measure", "always-right", "--endpoint", server.url, "--suite", folder),
        *("--out", tmp_path / "run"),
    )

    assert found[0] == code
    assert said in found[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "name a MODEL"),
        (("m",), "--suite"),
        (("m", "--suite", SUMS, "--endpoint", "ftp://x"), "http://"),
        (("m", "--suite", SUMS, "--endpoint", "http://a:b@x"), "secret"),
        (("m", "--suite", SUMS, "--endpoint", "http://x?api_key=1"), "secret"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--set", "x"), "NAME=JSON"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--set", "messages=[]"), "NAME=JSON"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--budget", "1"), "--prices"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--budget", "much"), "12.50"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--form", "a"), "no forms"),
        (("m", "--suite", SUMS, "--endpoint", "http://x", "--convention", "kind"), "strict"),
        (("m", "--suite", SUMS, "--stage", "final"), "--programme"),
        (("nowhere", "--suite", SUMS), "nowhere"),
        (("A B", "--suite", SUMS, *REMOTE, "--programme", ROOT, "--stage", "s"), "--label"),
    ],
)
def test_what_cannot_be_measured_is_told_and_nothing_is_made(told, tmp_path, words, said):
    out = tmp_path / "run"

    code, _, errors = told("measure", *words, "--out", out)

    assert code == 2
    assert said in errors
    assert not out.exists()


def test_going_on_with_other_options_names_every_difference(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers)
    begin = ("measure", "always-right", "--endpoint", server.url, "--suite", folder)
    told(*begin, "--out", tmp_path / "run")
    asked = server.asked.total()

    code, _, errors = told(
        *("measure", "another", "--resume", tmp_path / "run", "--set", "temperature=1"),
        *("--epochs", 3),
    )

    assert code == 2
    for place in ("system.model", "request.temperature", "epochs"):
        assert place in errors
    assert server.asked.total() == asked
    again = told(*begin, "--out", tmp_path / "run")
    assert again[0] == 2
    assert "--resume" in again[2]


def test_going_on_without_its_items_asks_for_them(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers)
    out = tmp_path / "run"
    told("measure", "always-right", "--endpoint", server.url, "--suite", folder, "--out", out)
    folder.rename(tmp_path / "moved")

    without = told("measure", "--resume", out)
    given = told("measure", "--resume", out, "--suite", tmp_path / "moved")

    assert (without[0], given[0]) == (2, 0)
    assert "--suite" in without[2]


def test_prices_and_a_budget_bound_what_is_spent(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers)
    prices = tmp_path / "prices.toml"
    prices.write_text('currency = "KRW"\nper_million_in = "1000000"\nper_million_out = "0"\n')

    code, out, _ = told(
        *("measure", "always-right", "--endpoint", server.url, "--suite", folder),
        *("--out", tmp_path / "run", "--prices", prices, "--budget", "250", "--json"),
    )

    said = json.loads(out)
    assert code == 4
    assert said["cost"]["currency"] == "KRW"
    assert said["cost"]["at_most_micro"] <= 250_000_000
    assert said["outcomes"]["not_run"] > 0


def test_a_table_of_prices_is_told_whole(told, tmp_path):
    prices = tmp_path / "prices.toml"
    prices.write_text('per_million_in = 3\nper_million_out = "-1"\nfree = true\n')

    code, _, errors = told(
        *("measure", "m", "--endpoint", "http://x", "--suite", SUMS, "--prices", prices)
    )

    assert code == 2
    for place in ("currency", "per_million_in", "per_million_out", "free"):
        assert place in errors


def test_an_interrupt_ends_with_its_signal_and_can_be_gone_on_from(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers, delay_s=0.05)
    out = tmp_path / "run"
    words = ["measure", "always-right", "--endpoint", server.url, "--suite", str(folder)]
    with subprocess.Popen(
        [sys.executable, "-m", "dokja", *words, "--out", str(out), "--concurrency", "1"],
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        while server.asked.total() < 3 and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate()

    code, _, _ = told("measure", "--resume", out)

    assert process.returncode == 128 + signal.SIGINT
    assert b"dokja measure --resume" in errors
    assert code == 0
    assert server.asked.total() == 12


def test_the_score_is_shown_only_when_asked_for(endpoint, suite, told, tmp_path):
    folder, answers = suite
    server = endpoint(answers, script=("",), by_question={next(iter(answers)): ("status:400",)})
    begin = ("measure", "always-right", "--endpoint", server.url, "--suite", folder)

    hidden = told(*begin, "--out", tmp_path / "a", "--concurrency", 1)
    server.asked.clear()
    shown = told(*begin, "--out", tmp_path / "b", "--concurrency", 1, "--show-score")

    assert "correct" not in hidden[1]
    assert "settled" in hidden[1] or "infrastructure_error" in hidden[1]
    assert json.loads((tmp_path / "b/summary.json").read_bytes())["looks"] == 1
    assert "settled" not in shown[1]
