"""The acceptance: lm-eval and Inspect as they come, recorded once, replayed against a liar.

The endpoint answers at random, so that asking it again would give another score. In the replay
it is replaced by one that says the same wrong thing to everything, at the same address: had any
request gone there, the score would show it, and so would its count.
"""

import json

import pytest

from dokja.cli.commands import run
from dokja.evidence.benchmarks.exchanges import read_recording, repeats
from dokja.evidence.benchmarks.exchanges.engine_scores import read_scores

pytestmark = [pytest.mark.engines, pytest.mark.loopback]

LIE = "ANSWER: E"
"""Scores 0 with either engine: no item has an E."""


@pytest.fixture
def environment(engines, tmp_path, monkeypatch):
    """The engines' environment in this process, whose children they are."""
    home = tmp_path / "home"
    home.mkdir()
    for name, value in engines.offline(home).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(home)
    return home


@pytest.fixture
def twice(engines, environment, tmp_path, capfd):
    """Records a run of an engine, replays it with a liar in place; returns what came of both."""

    def done(words, *, seed):
        store, first, second = tmp_path / "store", tmp_path / "first", tmp_path / "second"
        with engines.endpoint(seed=seed) as server:
            port, address = server.server_port, ["--upstream", server.url]
            codes = [run(["record", "--store", str(store), *address, "--", *words(first)])]
            asked = server.asked
        with engines.endpoint(lying=LIE, port=port) as liar:
            compared = ["--recorded", str(first), "--score", str(second), "--json"]
            capfd.readouterr()
            codes.append(run(["replay", "--store", str(store), *compared, "--", *words(second)]))
            out, error = capfd.readouterr()
        assert codes == [0, 0], error
        assert liar.asked == 0
        return json.loads(out), asked, read_recording(store)

    return done


def test_lm_eval_scores_the_same_with_the_model_gone(engines, environment, twice):
    said, asked, found = twice(
        lambda out: engines.lm_eval_words(environment, url="{url}", out=out), seed=11
    )

    scores = said["scores"]
    assert (said["answered"], asked, said["missed"], said["unused"]) == (12, 12, [], [])
    assert scores["identical"]
    assert scores["recorded"] == scores["replayed"]
    assert 0 < float(scores["recorded"]["dokja_sums/exact_match,letter"]) < 1
    assert repeats(found.exchanges).duplicates == ()


def test_inspect_scores_the_same_with_the_model_gone(engines, environment, twice):
    said, asked, found = twice(
        lambda out: engines.inspect_words(environment, out=out, epochs=2, log_format="eval"),
        seed=13,
    )

    scores = said["scores"]
    (accuracy,) = [value for name, value in scores["recorded"].items() if "accuracy" in name]
    assert (said["answered"], asked, said["missed"], said["unused"]) == (24, 24, [], [])
    assert scores["identical"]
    assert scores["recorded"] == scores["replayed"]
    assert scores["recorded"]["completed_samples"] == "24"
    assert 0 < float(accuracy) < 1
    assert repeats(found.exchanges).epochs == 2


def test_logs_of_both_engines_can_be_made(engine_logs):
    samples = list(engine_logs["lm_eval"].glob("samples_*.jsonl"))

    rows = [json.loads(line) for line in samples[0].read_text().splitlines()]
    log = json.loads(engine_logs["inspect_json"].read_text())
    assert {row["filter"] for row in rows} == {"letter", "strict"}
    assert len(rows) == 24
    assert log["status"] == "success"
    assert len(log["samples"]) == 24
    assert engine_logs["inspect_eval"].read_bytes()[:2] == b"PK"


def test_scores_are_read_from_what_each_engine_writes(engine_logs):
    lm_eval, binary, text = (
        read_scores(engine_logs[name]) for name in ("lm_eval", "inspect_eval", "inspect_json")
    )

    log = json.loads(engine_logs["inspect_json"].read_text())
    metrics = log["results"]["scores"][0]["metrics"]
    assert "dokja_sums/exact_match,letter" in lm_eval.values
    assert binary.values.keys() == text.values.keys()
    assert sorted(text.values.values()) == sorted(
        ["24", "24", *(repr(metric["value"]) for metric in metrics.values())]
    )
