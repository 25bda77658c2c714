import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.engines import parse_job, read_job, write_job
from dokja.models.forge.engines.jobs import Adapter, Keep


@pytest.fixture
def said(make_workplace):
    """A job as its file states it, to be spoilt."""
    return make_workplace().job.to_json()


def mistakes(said):
    with pytest.raises(RecipeError) as caught:
        parse_job(json.dumps(said), file="job.json")
    return [(mistake.place, mistake.read) for mistake in caught.value.mistakes]


def test_job_comes_back_as_it_was_written(make_workplace, tmp_path):
    job = make_workplace(
        trainable="adapters",
        adapter=Adapter(rank=4, alpha=8.0, targets=("q_proj",), seed="00ff"),
        keep=Keep(checkpoint_every=7, dense_until=3, at=(4, 9)),
    ).job

    write_job(job, tmp_path / "job.json")

    assert read_job(tmp_path / "job.json") == job
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_job_of_the_contract_is_read():
    text = """{"schema": "dokja.job/1", "plan": "sha256:0",
     "structure": {"family": "llama", "vocabulary": 256, "width": 32, "layers": 2, "heads": 4,
                   "kv_heads": 2, "head_width": 8, "ffn": 64},
     "start": "start/weights", "steps": 100, "first_step": 0,
     "batch": {"sequences": 8, "length": 128, "micro": 8},
     "optimizer": {"kind": "adamw", "lr": 1e-3, "betas": [0.9, 0.95], "eps": 1e-8,
                   "weight_decay": 0.1, "clip": 1.0},
     "schedule": {"kind": "warmup-linear", "warmup_steps": 20, "final": 0.1, "total_steps": 100},
     "trainable": "all", "precision": "fp32", "device": "cpu", "determinism": "calibrated",
     "threads": 1, "attention": "sdpa", "foreach": true, "fused": false, "adapter": null,
     "data": {"seed": "aa", "sources": []},
     "keep": {"checkpoint_every": 50, "dense_until": 0, "at": [10, 20]}, "log_every": 10,
     "events": "events.jsonl", "checkpoints": "checkpoints", "final": "model"}"""

    job = parse_job(text, file="job.json")

    assert (job.last_step, job.batch.tokens, job.keep.at) == (100, 1024, (10, 20))
    assert (job.learning_rate(10), job.instances(3)) == (0.0005, (16, 24))


def test_every_mistake_is_told_at_once(said):
    said |= {"steps": 0, "precision": "fp8", "start": "/etc", "extra": 1, "threads": True}
    said["batch"] = {"sequences": 8, "length": 1}
    said["structure"] = {**said["structure"], "width": 0, "heads": "four"}
    said["schedule"] = {"kind": "sudden", "total_steps": 5}
    said["keep"] = {"checkpoint_every": 10, "at": [2, 1]}

    assert mistakes(said) == [
        ("structure.width", "0"),
        ("structure.heads", "'four'"),
        ("start", "'/etc'"),
        ("steps", "0"),
        ("batch.length", "1"),
        ("batch.micro", "nothing"),
        ("schedule.kind", "'sudden'"),
        ("keep.at", "[2, 1]"),
        ("precision", "'fp8'"),
        ("threads", "True"),
        ("extra", "a key that nobody reads"),
    ]


def test_what_makes_no_sense_together_is_told(said):
    said["batch"] = {"sequences": 8, "length": 65, "micro": 3}
    said |= {"trainable": "adapters", "foreach": True, "fused": True}

    assert mistakes(said) == [
        ("batch.micro", "3"),
        ("batch.length", "65"),
        ("trainable", "'adapters' without an adapter"),
        ("fused", "true beside foreach"),
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("[]", "[]"),
        ("{", "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"),
        ('{"steps": 1, "steps": 2}', "the key 'steps' stands twice in one object"),
        ('{"steps": NaN}', "NaN is not a number that can be judged"),
    ],
)
def test_text_that_is_no_job_is_refused(text, read):
    with pytest.raises(RecipeError) as caught:
        parse_job(text, file="job.json")

    assert caught.value.mistakes[0].read == read


def test_job_that_is_not_there_is_told(tmp_path):
    with pytest.raises(RecipeError) as caught:
        read_job(tmp_path / "job.json")

    assert str(caught.value.mistakes[0]) == (
        "job.json: read nothing: No such file or directory; expected a job file."
    )


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
        max_leaves=6,
    ),
    data=st.data(),
)
def test_no_value_in_any_place_makes_the_reader_fall(make_workplace_job, value, data):
    said = dict(make_workplace_job)
    key = data.draw(st.sampled_from(sorted(said)))
    said[key] = value

    try:
        job = parse_job(json.dumps(said), file="job.json")
    except RecipeError as error:
        assert error.mistakes  # noqa: PT017  # either way is right; falling otherwise is not
    else:
        assert parse_job(json.dumps(job.to_json()), file="job.json") == job


@pytest.fixture(scope="module")
def make_workplace_job(make_workplace):
    return make_workplace().job.to_json()


@given(
    every=st.integers(1, 30),
    dense=st.integers(0, 30),
    at=st.lists(st.integers(0, 60), unique=True).map(sorted),
)
def test_first_and_last_state_are_always_kept(make_workplace_job, every, dense, at):
    said = {**make_workplace_job, "steps": 47}
    said["keep"] = {"checkpoint_every": every, "dense_until": dense, "at": at}

    job = parse_job(json.dumps(said), file="job.json")
    kept = {step for step in range(48) if job.wants_checkpoint(step)}

    assert kept == (
        {0, 47}
        | set(range(0, 48, every))
        | set(range(min(dense, 47) + 1))
        | {step for step in at if step < 48}
    )
