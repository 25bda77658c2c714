"""The reference engine as a worker: whole jobs, kill -9, torn lines, jobs that cannot be done."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.errors import CorpusError, EngineError, LogError, RecipeError, RecordError, WeightsError
from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines.checkpoints import open_checkpoint, write_weights
from dokja.models.forge.engines.contract import (
    BAD_INPUT,
    CANNOT_TELL,
    DONE,
    INTERRUPTED,
    Capability,
)
from dokja.models.forge.engines.events import Interruption, Resume, read_events
from dokja.models.forge.engines.job_files import read_job, write_job
from dokja.models.forge.engines.jobs import AdamW, Adapter, Batch, Job, Keep
from dokja.models.forge.engines.ref import ENGINE, mean_loss, replay
from dokja.models.forge.engines.ref.environment import THREAD_VARIABLES
from dokja.models.forge.engines.ref.worker import train
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source
from dokja.values import Digest

SIZES = {
    "vocabulary": 40,
    "width": 16,
    "layers": 4,
    "heads": 2,
    "kv_heads": 1,
    "head_width": 8,
    "ffn": 24,
    "positions": 64,
}
LLAMA = Structure(family="llama", **SIZES)
PERI = Structure(family="peri", **SIZES, window=5)


def data_of(*, repeats=1):
    source = {"name": "text", "corpus": "corpus", "weight": 1.0, "max_repeats": repeats}
    return {"seed": "5eed", "sources": [source]}


def job_of(structure=LLAMA, **changed):
    base = {
        "plan": "sha256:none",
        "structure": structure,
        "start": "start",
        "steps": 24,
        "batch": Batch(sequences=4, length=16, micro=2),
        "optimizer": AdamW(lr=3e-3),
        "schedule": Schedule(kind="warmup-linear", total_steps=24, warmup_steps=4, final=0.1),
        "data": data_of(),
        "keep": Keep(checkpoint_every=8, dense_until=1, at=(5,)),
        "log_every": 3,
    }
    return Job(**(base | changed))


def laid_out(folder, job):
    """A run's folder: start weights drawn from a seed, a corpus, and the job file."""
    write_weights(
        folder / "start",
        dict(initialise(job.structure, b"start")),
        config=job.structure.config(),
    )
    ids = np.random.default_rng(1).zipf(1.3, (30, 200)) % job.structure.vocabulary
    write_corpus(
        (" ".join(map(str, row)) for row in ids),
        folder / "corpus",
        encode=lambda text: [int(word) for word in text.split()],
        facts=CorpusFacts(
            name="text",
            tokenizer=Digest.of(b"words"),
            vocabulary=job.structure.vocabulary,
            licence="CC0-1.0",
            origin="drawn from a seed",
            collected="2026-01-15",
            personal_data="none",
        ),
    ).close()
    write_job(job, folder / "job.json")
    return folder


class Clock:
    """Counts seconds from a noon; goes on where another one was told to stop."""

    def __init__(self, start=0):
        self.now = start

    def __call__(self):
        self.now += 1
        return datetime(2026, 1, 15, 12, tzinfo=UTC) + timedelta(seconds=self.now)

    def seconds(self):
        return float(self.now)


def run(folder, job, *, clock=None, stop=lambda: None):
    clock = clock or Clock()
    return train(job, base=folder, clock=clock, seconds=clock.seconds, stop=stop)


def worker(folder, *, threads="1"):
    return subprocess.Popen(
        ENGINE.command(folder / "job.json"),
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | dict.fromkeys(THREAD_VARIABLES, threads),
    )


def bytes_of(folder):
    """Everything that a run computed, byte by byte; times and log are not among it."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("checkpoints", "model")
        for path in sorted((folder / part).rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module", params=["llama", "peri"])
def finished(request, tmp_path_factory):
    """A run that nobody disturbed."""
    job = job_of({"llama": LLAMA, "peri": PERI}[request.param])
    folder = laid_out(tmp_path_factory.mktemp(request.param), job)
    assert run(folder, job) == DONE
    return folder, job


def test_run_keeps_what_the_job_says_and_tells_every_step(finished):
    folder, job = finished

    events = read_events(folder / "events.jsonl")

    metrics = events.metrics()
    assert [one.step for one in events.checkpoints] == [0, 1, 5, 8, 16, 24]
    assert metrics.step.tolist() == [*range(1, 25)]
    assert metrics.lr.tolist() == [job.learning_rate(step) for step in range(1, 25)]
    assert metrics.instances.tolist() == [[4 * s - 4, 4 * s] for s in range(1, 25)]
    assert metrics.tokens.tolist() == [64 * step for step in range(1, 25)]
    assert (events.end.step, events.interruptions) == (24, ())
    assert metrics.loss[-6:].mean() < metrics.loss[:3].mean() - 0.1


def test_run_begins_at_the_start_weights_bit_equal(finished):
    folder, job = finished

    first = open_checkpoint(folder / "checkpoints/step-00000000")

    start = open_source(folder / "start")
    assert first.weights.names == start.names == tuple(job.structure.shapes())
    assert all(np.array_equal(first.weights.read(n), start.read(n)) for n in start.names)
    assert not any(first.moment("exp_avg_sq", name).any() for name in first.trained)


def test_final_weights_are_those_of_the_last_checkpoint(finished):
    folder, job = finished

    last, final = folder / "checkpoints/step-00000024/weights", folder / "model"

    for name in ("model.safetensors", "config.json"):
        assert (final / name).read_bytes() == (last / name).read_bytes()
    assert Structure.from_config(open_source(final).config) == job.structure


def test_logged_loss_is_that_of_the_weights_before_the_step(finished):
    folder, job = finished
    losses = read_events(folder / "events.jsonl").metrics().loss

    with open_data(job.data, base=folder, length=16) as data:
        for step in (0, 1, 5, 8, 16):
            source = open_checkpoint(folder / f"checkpoints/step-{step:08d}").weights
            weights = {name: source.read(name) for name in source.names}
            loss = mean_loss(weights, job.structure, data.batch(*job.instances(step + 1)))
            assert loss == pytest.approx(losses[step], abs=1e-6)


@pytest.mark.parametrize(("first", "steps"), [(0, 1), (5, 3), (8, 8), (16, 8)])
def test_replay_ends_at_the_claimed_weights_bit_equal(finished, first, steps):
    folder, job = finished
    metrics = read_events(folder / "events.jsonl").metrics()

    with open_data(job.data, base=folder, length=16) as data:
        state = folder / f"checkpoints/step-{first:08d}"
        replayed = replay(job, state_folder=state, steps=steps, batches=data.batch)

    claimed = open_checkpoint(folder / f"checkpoints/step-{first + steps:08d}").weights
    assert replayed.step == first + steps
    assert all(np.array_equal(replayed.weights[n], claimed.read(n)) for n in claimed.names)
    told = slice(first, first + steps)
    assert [one.loss for one in replayed.measured] == metrics.loss[told].tolist()
    assert [one.grad_norm for one in replayed.measured] == metrics.grad_norm[told].tolist()


def test_replay_of_other_data_ends_elsewhere(finished):
    folder, job = finished
    state = folder / "checkpoints/step-00000008"

    with open_data({**job.data, "seed": "07"}, base=folder, length=16) as data:
        replayed = replay(job, state_folder=state, steps=8, batches=data.batch)

    claimed = open_checkpoint(folder / "checkpoints/step-00000016").weights
    before = open_checkpoint(state).weights
    apart = [np.linalg.norm(replayed.weights[n] - claimed.read(n)) for n in claimed.names]
    moved = [np.linalg.norm(claimed.read(n) - before.read(n)) for n in claimed.names]
    assert np.linalg.norm(apart) > 0.1 * np.linalg.norm(moved)


def test_finished_run_that_is_started_again_changes_nothing(finished):
    folder, job = finished
    before, log = bytes_of(folder), (folder / "events.jsonl").read_bytes()

    assert run(folder, job) == DONE

    assert bytes_of(folder) == before
    assert (folder / "events.jsonl").read_bytes() == log


@pytest.mark.parametrize("asked_after", [1, 2, 7, 8, 13])
def test_interrupted_run_goes_on_to_the_same_bytes(finished, tmp_path, asked_after):
    undisturbed, job = finished
    laid_out(tmp_path, job)
    clock, asked = Clock(), iter(range(100))

    stop = lambda: "the power goes" if next(asked) == asked_after - 1 else None  # noqa: E731  # counts steps
    first = run(tmp_path, job, clock=clock, stop=stop)
    kept = max(path.name for path in (tmp_path / "checkpoints").iterdir())
    second = run(tmp_path, job, clock=clock)

    events = read_events(tmp_path / "events.jsonl")
    assert (first, second, kept) == (INTERRUPTED, DONE, f"step-{asked_after:08d}")
    assert [type(event) for event in events.interruptions] == [Interruption, Resume]
    assert events.differing_steps() == ()
    told, expected = events.metrics(), read_events(undisturbed / "events.jsonl").metrics()
    assert told.loss.tolist() == expected.loss.tolist()
    ours, theirs = bytes_of(tmp_path), bytes_of(undisturbed)
    assert {name: ours[name] for name in theirs} == theirs


def test_killed_worker_goes_on_to_the_same_bytes(tmp_path):
    job = job_of(PERI, steps=44, keep=Keep(checkpoint_every=4))
    whole, killed = laid_out(tmp_path / "whole", job), laid_out(tmp_path / "killed", job)
    kills, rng = 0, np.random.default_rng(11)

    assert run(whole, job) == DONE
    while True:
        process = worker(killed)
        last = _newest(killed)
        while process.poll() is None and _newest(killed) < last + 8:
            time.sleep(0.002)
        time.sleep(float(rng.uniform(0, 0.02)))
        process.kill()
        _, errors = process.communicate(timeout=60)
        if process.returncode != -signal.SIGKILL:
            break
        kills += 1
        if kills == 2:  # a line that the kill tore, whether or not this kill did
            with (killed / "events.jsonl").open("ab") as log:
                log.write(b'{"kind":"steps","first":')

    assert (process.returncode, errors) == (DONE, "")
    assert kills >= 3
    assert bytes_of(killed) == bytes_of(whole)
    events = read_events(killed / "events.jsonl")
    resumes = [event for event in events.interruptions if isinstance(event, Resume)]
    assert len(resumes) == kills
    assert 24 in {event.lost_bytes for event in resumes}
    assert events.differing_steps() == ()
    expected = read_events(whole / "events.jsonl").metrics()
    assert events.metrics().loss.tolist() == expected.loss.tolist()
    assert [one.step for one in events.checkpoints] == [*range(0, 45, 4)]


def _newest(folder):
    names = [path.name for path in (folder / "checkpoints").glob("step-*")]
    return max((int(name[5:]) for name in names), default=0)


def test_asked_by_a_signal_the_worker_keeps_its_step_and_can_go_on(tmp_path):
    job = job_of(steps=100_000, keep=Keep(checkpoint_every=10**9), data=data_of(repeats=10_000))
    laid_out(tmp_path, job)
    process = worker(tmp_path)
    while (
        not (tmp_path / "events.jsonl").exists()
        or b'"steps"' not in (tmp_path / "events.jsonl").read_bytes()
    ):
        time.sleep(0.01)

    process.send_signal(signal.SIGUSR1)
    process.communicate(timeout=60)

    events = read_events(tmp_path / "events.jsonl")
    (interruption,) = events.interruptions
    assert process.returncode == INTERRUPTED
    assert interruption.reason == "the process was asked to stop by SIGUSR1"
    assert interruption.step == events.checkpoints[-1].step > 0


def test_worker_counts_the_threads_that_the_job_says(tmp_path):
    job = job_of(steps=1, threads=2)
    laid_out(tmp_path, job)

    process = worker(tmp_path, threads="7")
    process.communicate(timeout=60)

    environment = read_events(tmp_path / "events.jsonl").start.environment
    assert process.returncode == DONE
    assert (environment["engine"], environment["threads"]) == ("ref", 2)
    assert environment["numpy"] == np.__version__


def test_only_tensors_that_match_a_pattern_move(tmp_path):
    job = job_of(trainable=("*.mlp.*", "lm_head.weight"), steps=3)
    laid_out(tmp_path, job)

    assert run(tmp_path, job) == DONE

    start, final = open_source(tmp_path / "start"), open_source(tmp_path / "model")
    moved = {n for n in start.names if not np.array_equal(start.read(n), final.read(n))}
    assert moved == {n for n in start.names if ".mlp." in n or n == "lm_head.weight"}
    last = open_checkpoint(tmp_path / "checkpoints/step-00000003")
    assert set(last.trained) == moved


def test_second_stage_counts_its_steps_on_and_reads_on(tmp_path):
    job = job_of(first_step=24, steps=6)
    laid_out(tmp_path, job)

    assert run(tmp_path, job) == DONE

    events = read_events(tmp_path / "events.jsonl")
    assert (events.start.step, events.end.step) == (24, 30)
    assert events.metrics().instances[0].tolist() == [96, 100]


def test_numbers_that_are_not_finite_end_the_run_and_keep_what_was_good(tmp_path):
    job = job_of(optimizer=AdamW(lr=1e30, clip=None))
    laid_out(tmp_path, job)

    code = run(tmp_path, job)

    events = read_events(tmp_path / "events.jsonl")
    assert code == CANNOT_TELL
    assert events.interruptions[0].reason.endswith("and the gradient norm nan")
    assert [one.step for one in events.checkpoints] == [0, 1]


def test_job_of_another_engine_is_refused_with_every_reason(tmp_path):
    gpt2 = Structure(family="gpt2", **{**SIZES, "kv_heads": 2})
    adapter = Adapter(rank=2, alpha=4.0, targets=("q_proj",), seed="00")
    job = job_of(gpt2, precision="bf16", device="cuda", adapter=adapter, trainable="adapters")

    with pytest.raises(EngineError) as error:
        run(tmp_path, job)

    assert str(error.value) == (
        "ref cannot do this job. It asks for the family 'gpt2' (it trains llama and peri); the "
        "precision 'bf16' (it computes in fp32); adapters (it trains whole tensors); the device "
        "'cuda' (it computes on the CPU). Nothing was changed. Name another engine for it, such "
        "as hf."
    )
    assert list(tmp_path.iterdir()) == []


def test_pattern_that_matches_nothing_is_refused(tmp_path):
    with pytest.raises(EngineError, match=r"the pattern 'mlp' \(no tensor"):
        run(tmp_path, job_of(trainable=("mlp", "*.mlp.*")))


def test_start_weights_of_another_structure_are_refused_with_every_mistake(tmp_path):
    laid_out(tmp_path, job_of())
    other = replace(LLAMA, ffn=32, rope_theta=5e5)

    with pytest.raises(RecordError) as error:
        run(tmp_path, job_of(other))

    places = [mistake.place for mistake in error.value.mistakes]
    assert len(places) == 3 * 4 + 2
    assert places[-2:] == ["ffn", "rope_theta"]
    assert not (tmp_path / "events.jsonl").exists()


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        (lambda folder: (folder / "start/model.safetensors").unlink(), WeightsError),
        (lambda folder: (folder / "corpus/manifest.json").write_text("{}"), CorpusError),
        (lambda folder: (folder / "events.jsonl").write_text("never an event\n"), LogError),
    ],
)
def test_broken_folder_is_refused_before_the_first_step(tmp_path, broken, error):
    laid_out(tmp_path, job_of())
    broken(tmp_path)

    with pytest.raises(error):
        run(tmp_path, job_of())

    assert not (tmp_path / "checkpoints").exists()


def test_source_that_would_run_out_is_refused_before_the_first_step(tmp_path):
    job = job_of(steps=300)
    laid_out(tmp_path, job)

    with pytest.raises(CorpusError):
        run(tmp_path, job)

    assert not (tmp_path / "events.jsonl").exists()


def test_checkpoint_of_another_job_is_refused(finished):
    folder, job = finished
    other = replace(job, batch=Batch(sequences=2, length=16, micro=2))

    with open_data(job.data, base=folder, length=16) as data, pytest.raises(RecordError) as error:
        replay(
            other,
            state_folder=folder / "checkpoints/step-00000008",
            steps=1,
            batches=data.batch,
        )

    assert [mistake.place for mistake in error.value.mistakes] == [
        "state, cursor",
        "state, tokens",
    ]


def test_replay_of_no_steps_is_a_mistake(finished):
    folder, job = finished

    with pytest.raises(ValueError, match="replays nothing"):
        replay(job, state_folder=folder, steps=0, batches=lambda *_: None)


@pytest.mark.parametrize("text", ["{", '{"schema": "dokja.job/1", "steps": 0}'])
def test_worker_says_what_is_wrong_with_a_job_and_ends_with_two(tmp_path, text):
    (tmp_path / "job.json").write_text(text, encoding="utf-8")

    process = worker(tmp_path)
    _, errors = process.communicate(timeout=60)

    assert process.returncode == BAD_INPUT
    assert errors.startswith("job.json")
    assert errors.endswith("Nothing was changed.\n")


def test_worker_without_a_job_says_how_it_is_called():
    done = subprocess.run(
        [sys.executable, "-m", ENGINE.module], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (
        BAD_INPUT,
        "usage: python -m dokja.models.forge.engines.ref job.json\n",
    )


def test_job_written_and_read_is_the_job(tmp_path):
    laid_out(tmp_path, job_of(PERI))
    said = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))

    assert (said["schema"], said["structure"]) == ("dokja.job/1", PERI.to_json())


def test_muon_is_no_optimizer_of_a_job(tmp_path):
    laid_out(tmp_path, job_of())
    said = json.loads((tmp_path / "job.json").read_text(encoding="utf-8"))
    said["optimizer"]["kind"] = "muon"
    (tmp_path / "job.json").write_text(json.dumps(said), encoding="utf-8")

    with pytest.raises(RecipeError, match=r"optimizer\.kind: read 'muon'; expected adamw"):
        read_job(tmp_path / "job.json")


def test_engine_declares_what_it_lacks_with_reasons():
    lacking = {item for item in Capability if ENGINE.capabilities.why_not(item)}

    assert lacking == {Capability.PROCESSES, Capability.ADAPTERS, Capability.BF16}
    assert ENGINE.capabilities.families == {"llama", "peri"}
