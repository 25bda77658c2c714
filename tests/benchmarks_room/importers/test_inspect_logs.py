"""Logs of Inspect written by hand, in every shape: what samples become, and what is refused."""

import io
import json
import zipfile

import pytest

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import import_log, read_inspect
from dokja.evidence.benchmarks.outcomes import Charge, Outcome


def sample(number, value="C", *, epoch=1, text="ANSWER: A", stop="stop", tokens=4, **changes):
    reason = changes.pop("reason", None)
    score = {"value": value, "answer": "A", "reason": reason, "history": []}
    made = {
        "id": number,
        "epoch": epoch,
        "input": f"question {number}",
        "choices": ["1", "2"],
        "target": "A",
        "output": {
            "model": "stub",
            "choices": [{"message": {"role": "assistant", "content": text}, "stop_reason": stop}],
            "completion": text,
            "usage": {"input_tokens": 9, "output_tokens": tokens, "total_tokens": 13},
        },
        "scores": {"choice": score},
        "metadata": {"subject": "xy"[number % 2]},
        "attachments": {},
    }
    return {**made, **changes}


def head(count, *, epochs=1, model="api/stub", accuracy=None, **changes):
    spec = {
        "eval_id": "E",
        "created": "2026-01-01T00:00:00+00:00",
        "task": "sums",
        "dataset": {"name": "sums", "samples": count, "sample_ids": list(range(count))},
        "model": model,
        "config": {"epochs": epochs},
        **changes,
    }
    scores = [] if accuracy is None else [{"name": "choice", "metrics": {"accuracy": accuracy}}]
    return {"version": 2, "status": "success", "eval": spec, "results": {"scores": scores}}


def write_eval(path, top, samples, *, chunked=(), finished=True, extra=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_journal/start.json", json.dumps(top))
        for each in samples:
            name = f"samples/{each['id']}_epoch_{each['epoch']}"
            if each["id"] not in chunked:
                archive.writestr(f"{name}.json", json.dumps(each))
                continue
            rest = dict(each)
            metadata, attachments = rest.pop("metadata"), rest.pop("attachments")
            archive.writestr(f"{name}/sample.json", json.dumps(rest))
            archive.writestr(f"{name}/metadata.json", json.dumps(metadata))
            archive.writestr(f"{name}/messages/0.json", "[]")
            archive.writestr(f"{name}/events/stats.json", "{}")
            for start, text in enumerate(attachments.values()):
                archive.writestr(f"{name}/attachments/{start}.json", json.dumps([text]))
        for name, content in extra:
            archive.writestr(name, content)
        if finished:
            archive.writestr("header.json", json.dumps(top))
    path.write_bytes(file.getvalue())
    return path


def told(read):
    rows = read.rows
    charges = tuple(Charge)
    return [
        (
            rows.items.text(row),
            Outcome.of_code(int(rows.outcomes[row])).value,
            rows.causes.text(row) if rows.causes else None,
            charges[int(rows.charges[row])].value,
        )
        for row in range(len(rows))
    ]


SAMPLES = [
    (sample(0), "correct", None, "nobody"),
    (sample(1, "I"), "wrong", None, "nobody"),
    (sample(2, "C", stop="max_tokens"), "truncated", None, "unknown"),
    (sample(3, "I", stop="content_filter"), "filtered", None, "host"),
    (sample(4, "I", stop="model_length"), "no_answer", "over_context", "model"),
    (sample(5, "I", error={"message": "boom"}), "infrastructure_error", None, "unknown"),
    (sample(6, "I", text="", tokens=0), "infrastructure_error", "empty_unexplained", "unknown"),
    (sample(7, "I", text="  ", tokens=5), "no_answer", "empty", "unknown"),
    (sample(8, "I", reason="invalid_response_format"), "no_answer", "not_extracted", "unknown"),
    (sample(9, "I", reason="refusal"), "refused", None, "unknown"),
    (sample(10, None, reason="grader_failed"), "infrastructure_error", "scorer", "operator"),
    (sample(11, "N"), "no_answer", "not_extracted", "unknown"),
    (
        sample(12, "I", limit={"type": "time", "limit": 9}),
        "infrastructure_error",
        "timeout",
        "unknown",
    ),
    (sample(13, "I", limit={"type": "token", "limit": 9}), "truncated", None, "unknown"),
    (sample(14, "I", invalidation={"author": "me"}), "infrastructure_error", None, "operator"),
    (sample(15, value=True), "correct", None, "nobody"),
    (sample(16, 0), "wrong", None, "nobody"),
]


@pytest.mark.parametrize("shape", ["eval", "chunked", "mixed", "json"])
def test_every_sample_becomes_what_the_log_shows(tmp_path, shape):
    samples = [made for made, *_ in SAMPLES]
    path = tmp_path / ("log.json" if shape == "json" else "log.eval")
    if shape == "json":
        path.write_text(json.dumps({**head(17), "samples": samples}), encoding="utf-8")
    else:
        chunked = {"eval": (), "chunked": range(17), "mixed": range(0, 17, 3)}[shape]
        write_eval(path, head(17), samples, chunked=chunked)

    read = read_inspect(path, category="subject")

    assert sorted(told(read), key=lambda each: int(each[0])) == [
        (str(made["id"]), *rest) for made, *rest in SAMPLES
    ]
    assert read.flags == ()
    assert [read.rows.categories.text(row) for row in range(2)] == ["x", "y"]


def test_null_and_nan_stay_missing_and_are_counted(tmp_path):
    samples = [sample(0), sample(1, None), sample(2, float("nan"))]
    path = write_eval(tmp_path / "log.eval", head(3), samples)

    read = read_inspect(path)

    assert [item for item, *_ in told(read)] == ["0"]
    (flag,) = read.flags
    assert (flag.name, flag.count, flag.facts["not_scored"]) == ("incomplete_log", 2, 2)


def test_success_is_not_believed(tmp_path):
    path = write_eval(tmp_path / "log.eval", head(3, epochs=2), [sample(0), sample(0, epoch=2)])

    read = read_inspect(path)

    (flag,) = read.flags
    assert read.unfinished
    assert (flag.count, flag.facts["planned"], flag.facts["status"]) == (4, 6, "success")
    outcomes = import_log(read).table.outcomes[:, 0]
    assert (outcomes == Outcome.NOT_RUN.code).sum() == 4


def test_an_interrupted_log_is_read_from_its_journal(tmp_path):
    summary = {"id": 1, "epoch": 1, "target": "A", "scores": {"choice": {"value": "I"}}}
    path = write_eval(
        tmp_path / "log.eval",
        head(3),
        [sample(0)],
        finished=False,
        extra=[("_journal/summaries/1.json", json.dumps([summary]))],
    )

    read = read_inspect(path)

    assert [each[:2] for each in told(read)] == [("0", "correct"), ("1", "wrong"), ("2", "not_run")]
    assert read.flags[0].facts["closed"] == "no"


def test_attachments_tell_what_was_asked_in_both_shapes(tmp_path):
    long = "a long question"
    asked = [{"role": "user", "id": "m1", "content": "attachment://0"}]
    plain = [{"role": "user", "id": "m2", "content": long}]
    first = write_eval(
        tmp_path / "a.eval",
        head(1),
        [sample(0, input=asked, attachments={"0": long})],
        chunked=[0],
    )
    second = write_eval(tmp_path / "b.eval", head(1), [sample(0, input=plain)])
    third = write_eval(
        tmp_path / "c.eval", head(1), [sample(0, input=asked, attachments={"0": long})]
    )

    contents = [read_inspect(path).rows.contents.names for path in (first, second, third)]

    assert contents[0] == contents[1] == contents[2]


def test_an_attachment_that_is_not_there_is_refused(tmp_path):
    path = write_eval(
        tmp_path / "a.eval", head(1), [sample(0, input=["attachment://9"], attachments={})]
    )

    with pytest.raises(TableError, match="an attachment that the log holds"):
        read_inspect(path)


def test_two_logs_of_a_folder_are_two_systems_paired_by_id(tmp_path):
    write_eval(tmp_path / "a.eval", head(2, model="one"), [sample(0), sample(1, "I")])
    write_eval(tmp_path / "b.eval", head(2, model="two"), [sample(0, "I"), sample(1)])

    table = import_log(read_inspect(tmp_path)).table

    assert table.systems == ("one", "two")
    assert table.outcomes[:, :, 0].tolist() == [[0, 1], [1, 0]]


def test_one_model_in_two_logs_is_told_apart_by_the_time(tmp_path):
    write_eval(tmp_path / "a.eval", head(1, created="T1"), [sample(0)])
    write_eval(tmp_path / "b.eval", head(1, created="T2"), [sample(0, target="B")])

    table = import_log(read_inspect(tmp_path)).table

    assert table.systems == ("api/stub T1", "api/stub T2")
    assert [flag.name for flag in table.flags] == ["key_changed"]


@pytest.mark.parametrize(("printed", "names"), [(0.5, []), (1.0, ["claim_does_not_replay"])])
def test_what_the_log_prints_is_computed_again(tmp_path, printed, names):
    path = write_eval(
        tmp_path / "a.eval", head(2, accuracy={"value": printed}), [sample(0), sample(1, "I")]
    )

    assert [flag.name for flag in read_inspect(path).flags] == names


def test_partial_scores_stay_shares(tmp_path):
    path = write_eval(tmp_path / "a.eval", head(2), [sample(0, "P"), sample(1, 0.25)])

    table = import_log(read_inspect(path)).table

    assert table.scores[:, 0, 0].tolist() == [0.5, 0.25]


@pytest.mark.parametrize(
    ("samples", "changes", "told"),
    [
        ([sample(0)], {"version": 3}, "version 3"),
        ([sample(0, "yes")], {}, "one of C, I, P, N"),
        ([sample(0, 7)], {}, "a number in"),
        ([sample(0, {"a": 1})], {}, "a number in"),
        ([sample(0, scores={"one": {"value": 1}, "two": {"value": 0}})], {}, "--scorer"),
        ([sample(0, epoch=10**9)], {}, "epoch"),
        ([sample(0, id=True)], {}, "id True"),
    ],
)
def test_what_is_not_understood_is_told_with_what_to_do(tmp_path, samples, changes, told):
    path = write_eval(tmp_path / "a.eval", {**head(1), **changes}, samples)

    with pytest.raises(TableError, match=told):
        read_inspect(path)


def test_an_entry_of_another_kind_stops_the_import(tmp_path):
    path = write_eval(tmp_path / "a.eval", head(1), [sample(0)], extra=[("new/thing.bin", b"")])

    with pytest.raises(TableError, match="a newer Dokja"):
        read_inspect(path)


def test_shards_and_several_tasks_are_refused(tmp_path):
    write_eval(tmp_path / "a.eval", head(1), [sample(0)])
    write_eval(tmp_path / "b.eval", head(1, task="other"), [sample(0)])

    with pytest.raises(TableError, match="other, sums"):
        read_inspect(tmp_path)

    assert len(read_inspect(tmp_path, task="other").rows) == 1
    write_eval(tmp_path / "b.eval", head(1, shards={"count": 2}), [sample(0)])
    with pytest.raises(TableError, match="shards"):
        read_inspect(tmp_path / "b.eval")
