"""Instance records of Every Eval Ever: what was written comes back, and errors are no wrongs."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import every_eval_lines, read_every_eval
from dokja.evidence.benchmarks.outcomes import CAUSES, Cause, Charge, Outcome
from dokja.evidence.benchmarks.rows import Column, Rows

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)


@st.composite
def answers(draw):
    outcome = draw(st.sampled_from([each for each in Outcome if each is not Outcome.MISSING]))
    causes = [None, *sorted(CAUSES[outcome], key=lambda each: each.value)]
    return {
        "outcome": outcome,
        "cause": draw(st.sampled_from(causes)),
        "charge": draw(st.sampled_from(Charge)),
        "score": draw(st.floats(0.0625, 0.9375, width=32)) if outcome is Outcome.SCORED else None,
        "epoch": draw(st.integers(0, 3)),
        "system": draw(st.sampled_from(["a", "나"])),
        "item": draw(TEXT),
        "key": draw(st.none() | TEXT),
        "said": draw(st.none() | TEXT),
        "category": draw(st.none() | TEXT),
        "content": draw(st.none() | TEXT),
        "reply": draw(st.none() | TEXT),
    }


def rows_of(told):
    def column(name):
        texts = [each[name] for each in told]
        return Column.of(texts) if any(text is not None for text in texts) else None

    scores = [np.nan if each["score"] is None else each["score"] for each in told]
    return Rows(
        file="made",
        suite="sums",
        systems=column("system"),
        outcomes=np.array([each["outcome"].code for each in told], dtype=np.uint8),
        charges=np.array([each["charge"].code for each in told], dtype=np.uint8),
        causes=Column.of([each["cause"] and each["cause"].value for each in told]),
        items=column("item"),
        categories=column("category"),
        keys=column("key"),
        answers=column("said"),
        contents=column("content"),
        replies=column("reply"),
        scores=np.array(scores, dtype=np.float32),
        epochs=np.array([each["epoch"] for each in told], dtype=np.int32),
    )


def table_of(rows):
    def text(column, row):
        return None if column is None else column.text(row)

    columns = (rows.systems, rows.items, rows.causes, rows.categories, rows.keys, rows.answers)
    return [
        (
            Outcome.of_code(int(rows.outcomes[row])),
            int(rows.charges[row]),
            0 if rows.epochs is None else int(rows.epochs[row]),
            None if rows.scores is None or np.isnan(rows.scores[row]) else float(rows.scores[row]),
            *(text(column, row) for column in (*columns, rows.contents, rows.replies)),
        )
        for row in range(len(rows))
    ]


@given(st.lists(answers(), min_size=1, max_size=8))
def test_what_was_exported_comes_back_the_same(tmp_path_factory, told):
    rows = rows_of(told)
    file = tmp_path_factory.mktemp("eee") / "records.jsonl"

    file.write_bytes(b"\n".join(every_eval_lines(rows, evaluation="run")))

    assert table_of(read_every_eval(file).rows) == table_of(rows)


def record(**changes):
    made = {
        "schema_version": "instance_level_eval_0.2.2",
        "evaluation_id": "run",
        "model_id": "a/b",
        "evaluation_name": "sums",
        "sample_id": "1",
        "interaction_type": "single_turn",
        "input": {"raw": "1 + 1", "reference": ["2"]},
        "output": {"raw": ["2"]},
        "messages": None,
        "answer_attribution": [
            {
                "turn_idx": 0,
                "source": "output.raw",
                "extracted_value": "2",
                "extraction_method": "exact_match",
                "is_terminal": True,
            }
        ],
        "evaluation": {"score": 1.0, "is_correct": True},
        "metadata": {"subject": "x"},
    }
    return {**made, **changes}


def read(tmp_path, *records, **options):
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in records), encoding="utf-8")
    return read_every_eval(file, **options)


def test_an_error_is_a_fault_whatever_is_correct_says(tmp_path):
    wrong = {"score": 0.0, "is_correct": False}
    found = read(
        tmp_path,
        record(),
        record(sample_id="2", evaluation=wrong),
        record(sample_id="3", evaluation=wrong, error="timeout"),
        record(sample_id="4", evaluation=wrong, output={"raw": [""]}),
        record(
            sample_id="5",
            evaluation=wrong,
            output={"raw": [""]},
            token_usage={"input_tokens": 1, "output_tokens": 7, "total_tokens": 8},
        ),
        category="subject",
    ).rows

    assert [Outcome.of_code(int(code)).value for code in found.outcomes] == [
        "correct",
        "wrong",
        "infrastructure_error",
        "infrastructure_error",
        "no_answer",
    ]
    assert [found.causes.text(row) for row in range(5)] == [
        None,
        None,
        None,
        Cause.EMPTY_UNEXPLAINED.value,
        Cause.EMPTY.value,
    ]
    assert set(found.charges[2:].tolist()) == {Charge.UNKNOWN.code}
    assert found.categories.names == ("x",)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"surprise": 1}, "surprise"),
        ({"schema_version": "0.3.0"}, "schema_version"),
        ({"evaluation": {"score": 1, "is_correct": False}}, "agree"),
        ({"evaluation": {"score": 1}}, "is_correct"),
        ({"sample_id": 3}, "sample_id"),
        ({"input": "text"}, "an object"),
        ({"metadata": {"dokja.outcome": "lovely"}}, "lovely"),
    ],
)
def test_what_the_schema_does_not_allow_is_refused(tmp_path, changes, told):
    with pytest.raises(TableError, match=told):
        read(tmp_path, record(**changes))


def test_every_key_that_is_lacking_is_told(tmp_path):
    with pytest.raises(TableError) as caught:
        read(tmp_path, {"schema_version": "0.2.0"})

    assert len(caught.value.mistakes) == 8


def test_of_several_evaluations_one_must_be_chosen(tmp_path):
    records = [record(), record(evaluation_name="more")]

    with pytest.raises(TableError, match="--task: more, sums"):
        read(tmp_path, *records)

    assert len(read(tmp_path, *records, task="more").rows) == 1
