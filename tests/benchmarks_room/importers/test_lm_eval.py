"""Samples of lm-eval written by hand: filters, metrics, empties, repeats, recomputed figures."""

import hashlib
import json

import pytest

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import import_log, read_lm_eval
from dokja.evidence.benchmarks.outcomes import Outcome

TIME = "2026-01-01T00-00-00.000001"


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def sample(
    number, value=1.0, *, text="(A)", answer="A", keep="strict", metric="exact_match", **changes
):
    made = {
        "doc_id": number,
        "doc": {"question": f"q{number}", "subject": "xy"[number % 2]},
        "target": "A",
        "arguments": {"gen_args_0": {"arg_0": f"q{number}"}},
        "resps": [[text]],
        "filtered_resps": [answer],
        "filter": keep,
        "metrics": [metric],
        "doc_hash": digest(f"doc {number}"),
        "prompt_hash": digest(f"prompt {number}"),
        "target_hash": digest("A"),
        metric: value,
    }
    return {**made, **changes}


def write(folder, samples, *, model="stub", task="sums", time=TIME, results=True, **printed):
    folder = folder / model
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in samples]
    (folder / f"samples_{task}_{time}.jsonl").write_text("".join(lines), encoding="utf-8")
    joined = "".join(s["doc_hash"] + s["prompt_hash"] + s["target_hash"] for s in samples)
    said = {
        "model_name": model,
        "task_hashes": {task: digest(joined)},
        "results": {task: printed.get("means", {})},
        "n-samples": {task: {"effective": printed.get("effective", len(samples))}},
    }
    if results:
        (folder / f"results_{time}.json").write_text(json.dumps(said), encoding="utf-8")
    return folder


def told(read):
    rows = read.rows
    return [
        (
            Outcome.of_code(int(rows.outcomes[row])).value,
            rows.causes.text(row) if rows.causes else None,
        )
        for row in range(len(rows))
    ]


def test_what_could_not_be_read_out_is_no_wrong_answer(tmp_path):
    samples = [
        sample(0),
        sample(1, 0.0, answer="B"),
        sample(2, 0.0, text="I think", answer="[invalid]"),
        sample(3, 0.0, text=" ", answer="[invalid]"),
        sample(4, None),
    ]
    write(tmp_path, samples, means={"exact_match,strict": 0.25})

    read = read_lm_eval(tmp_path, category="subject")

    assert told(read) == [
        ("correct", None),
        ("wrong", None),
        ("no_answer", "not_extracted"),
        ("infrastructure_error", "empty_unexplained"),
    ]
    assert read.flags == ()
    assert read.rows.suite == "sums"
    assert import_log(read).table.strata == ("x", "y", "x", "y")


def test_of_two_filters_one_must_be_chosen_or_every_item_counts_twice(tmp_path):
    write(tmp_path, [sample(0, keep="loose"), sample(0, 0.0, keep="strict")])

    with pytest.raises(TableError, match="--filter: loose, strict"):
        read_lm_eval(tmp_path)
    with pytest.raises(TableError, match="2 filters"):
        read_lm_eval(tmp_path, keep="other")

    assert told(read_lm_eval(tmp_path, keep="strict")) == [("wrong", None)]


def test_the_document_is_the_item_and_not_its_place(tmp_path):
    write(tmp_path, [sample(0), sample(1, 0.0)], model="one")
    second = [{**sample(1), "doc_id": 0}, {**sample(0, 0.0), "doc_id": 1}]
    write(tmp_path, second, model="two")

    table = import_log(read_lm_eval(tmp_path)).table

    assert table.systems == ("one", "two")
    assert table.outcomes[:, :, 0].tolist() == [[0, 1], [1, 0]]


def test_log_likelihoods_have_one_request_for_each_choice(tmp_path):
    requests = [[["-1.5", "False"]], [["-0.5", "True"]]]
    filtered = [["-1.5", "False"], ["-0.5", "True"]]
    samples = [
        sample(n, float(n), resps=requests, filtered_resps=filtered, metric="acc") for n in (0, 1)
    ]
    samples = [{**each, "metrics": ["acc", "acc_norm"], "acc_norm": 0.0} for each in samples]
    write(tmp_path, samples)

    assert told(read_lm_eval(tmp_path)) == [("wrong", None), ("correct", None)]


def test_repeats_of_which_one_was_scored_are_told(tmp_path):
    write(tmp_path, [sample(0, resps=[["(A)", "(B)", "(A)"]]), sample(1)])

    (flag,) = read_lm_eval(tmp_path).flags

    assert (flag.name, flag.count) == ("unscored_repeats", 2)


def test_printed_means_and_digests_are_computed_again(tmp_path):
    folder = write(tmp_path, [sample(0), sample(1, 0.0)], means={"exact_match,strict": 0.75})
    file = folder / f"results_{TIME}.json"
    file.write_text(file.read_text().replace('"sums": "', '"sums": "0'), encoding="utf-8")

    flags = read_lm_eval(tmp_path).flags

    assert [(flag.name, flag.facts["figure"]) for flag in flags] == [
        ("claim_does_not_replay", "exact_match,strict"),
        ("claim_does_not_replay", "task_hashes"),
    ]


def test_fewer_samples_than_planned_are_told(tmp_path):
    write(tmp_path, [sample(0)], effective=4)

    (flag,) = read_lm_eval(tmp_path).flags

    assert (flag.name, flag.count) == ("incomplete_log", 3)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"surprise": 1}, "surprise"),
        ({"doc_hash": 3}, "doc_hash"),
        ({"exact_match": 7}, "--metric"),
        ({"metrics": ["bleu", "f1"], "bleu": 0.1, "f1": 0.2}, "--metric: bleu, f1"),
    ],
)
def test_what_is_not_known_stops_the_import(tmp_path, changes, told):
    made = {**sample(0), **changes}
    if "bleu" in made:
        del made["exact_match"]
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / f"samples_sums_{TIME}.jsonl").write_text(json.dumps(made), encoding="utf-8")

    with pytest.raises(TableError, match=told):
        read_lm_eval(tmp_path)


@pytest.mark.parametrize("content", ["[1]", "{", ""])
def test_lines_that_are_no_samples_are_refused(tmp_path, content):
    (tmp_path / f"samples_sums_{TIME}.jsonl").write_text(content, encoding="utf-8")

    with pytest.raises(TableError):
        read_lm_eval(tmp_path)


def test_of_several_tasks_one_must_be_chosen(tmp_path):
    write(tmp_path, [sample(0)], task="sums")
    write(tmp_path, [sample(0, 0.0)], task="more")

    with pytest.raises(TableError, match="--task: more, sums"):
        read_lm_eval(tmp_path)

    assert told(read_lm_eval(tmp_path, task="more")) == [("wrong", None)]


def test_one_model_twice_is_told_apart_by_the_time(tmp_path):
    write(tmp_path, [sample(0)], time="T1")
    write(tmp_path, [sample(0)], time="T2")

    assert read_lm_eval(tmp_path).rows.systems.names == ("stub T1", "stub T2")
