"""Logs in which anything may stand anywhere are read or refused, and never fall over."""

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers import read_every_eval, read_inspect, read_lm_eval

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)
INSPECT = {
    "version": 2,
    "status": "success",
    "eval": {
        "task": "t",
        "model": "m",
        "dataset": {"sample_ids": ["a"]},
        "config": {"epochs": 1, "epochs_reducer": ["mean"]},
    },
    "results": {"scores": [{"name": "s", "metrics": {"accuracy": {"value": 1.0}}}]},
    "samples": [
        {
            "id": "a",
            "epoch": 1,
            "input": [{"role": "user", "content": "q"}],
            "target": "A",
            "scores": {"s": {"value": "C", "answer": "A", "reason": None}},
            "output": {
                "choices": [{"message": {"content": "A"}, "stop_reason": "stop"}],
                "usage": {"output_tokens": 1},
            },
            "metadata": {"subject": "x"},
            "limit": {"type": "token"},
            "attachments": {},
        }
    ],
}
LM_EVAL = {
    "doc_id": 0,
    "doc": {"subject": "x"},
    "target": "A",
    "arguments": {},
    "resps": [["A"]],
    "filtered_resps": ["A"],
    "filter": "none",
    "metrics": ["acc"],
    "doc_hash": "1",
    "prompt_hash": "2",
    "target_hash": "3",
    "acc": 1.0,
}
EVERY = {
    "schema_version": "0.2.2",
    "evaluation_id": "e",
    "model_id": "m",
    "evaluation_name": "n",
    "sample_id": "1",
    "interaction_type": "single_turn",
    "input": {"raw": "q", "reference": ["A"]},
    "output": {"raw": ["A"]},
    "answer_attribution": [{"extracted_value": "A", "is_terminal": True}],
    "evaluation": {"score": 1.0, "is_correct": True},
    "token_usage": {"output_tokens": 1},
    "metadata": {"dokja.outcome": "scored", "dokja.epoch": "0", "subject": "x"},
}


def places(value, path=()):
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


@st.composite
def changed(draw, said):
    made = copy.deepcopy(said)
    for place in draw(st.lists(st.sampled_from(list(places(said))[1:]), min_size=1, max_size=3)):
        inner = made
        for key in place[:-1]:
            inner = inner[key] if _holds(inner, key) else None
        if _holds(inner, place[-1]):
            inner[place[-1]] = draw(VALUES)
    return made


def _holds(value, key):
    inside = isinstance(value, list) and isinstance(key, int) and key < len(value)
    return inside or (isinstance(value, dict) and key in value)


def read_or_refused(reader, path, said):
    path.write_text(json.dumps(said), encoding="utf-8")
    try:
        rows = reader(path, category="subject").rows
    except TableError:
        return
    assert len(rows.systems.names) <= 1


@given(changed(INSPECT))
def test_a_strange_log_of_inspect_is_read_or_refused(tmp_path_factory, said):
    read_or_refused(read_inspect, tmp_path_factory.mktemp("log") / "log.json", said)


@given(changed(LM_EVAL))
def test_a_strange_log_of_lm_eval_is_read_or_refused(tmp_path_factory, said):
    read_or_refused(read_lm_eval, tmp_path_factory.mktemp("log") / "samples_t_1.jsonl", said)


@given(changed(EVERY))
def test_a_strange_instance_record_is_read_or_refused(tmp_path_factory, said):
    read_or_refused(read_every_eval, tmp_path_factory.mktemp("log") / "records.jsonl", said)
