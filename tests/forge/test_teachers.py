"""A teacher, by numpy alone: the loss against a slow twin, and jobs that follow one."""

import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from dokja.errors import RecipeError, RecordError
from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import parse_job, read_events, write_job
from dokja.models.forge.engines.catalogue import worker_engine
from dokja.models.forge.engines.jobs import AdamW, Keep
from dokja.models.forge.engines.ref import Teaching, logits, mean_loss, open_teaching, replay
from dokja.models.forge.engines.ref.forward import gradient
from dokja.models.forge.engines.ref.network import Network
from dokja.models.forge.engines.ref.worker import main
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.ladder.replay import ReplayRequest, WorkerReplayer
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source

SIZES = {"heads": 2, "kv_heads": 1, "head_width": 4, "ffn": 12, "positions": 16}
STUDENT = Structure(family="llama", vocabulary=11, width=8, layers=1, **SIZES)
TEACHER = Structure(family="peri", vocabulary=11, width=12, layers=2, window=4, **SIZES)


def drawn(structure, name):
    return {n: 8 * t.astype(np.float64) for n, t in initialise(structure, name)}


def softened(scores, temperature):
    powers = [math.exp(score / temperature) for score in scores]
    return [power / sum(powers) for power in powers]


def slow_loss(student, teacher, batch, *, share, temperature):
    """The slow twin: one prediction after another, straight from the definition."""
    here, there = logits(student, STUDENT, batch), logits(teacher, TEACHER, batch)
    terms = []
    for sequence in range(len(batch)):
        for place in range(batch.shape[1] - 1):
            wanted = batch[sequence, place + 1]
            entropy = -math.log(softened(here[sequence, place], 1.0)[wanted])
            q = softened(here[sequence, place], temperature)
            p = softened(there[sequence, place], temperature)
            apart = sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
            terms.append((1 - share) * entropy + share * temperature**2 * apart)
    return sum(terms) / len(terms)


@pytest.mark.parametrize(("share", "temperature"), [(0.5, 2.0), (1.0, 1.0), (0.3, 0.5)])
def test_gradient_is_that_of_the_slow_twin(share, temperature):
    student, teacher = drawn(STUDENT, b"s"), drawn(TEACHER, b"t")
    rng = np.random.default_rng(3)
    batch = rng.integers(0, 11, (3, 6))
    teaching = Teaching(
        network=Network(TEACHER), weights=teacher, share=share, temperature=temperature
    )
    found = {name: np.zeros_like(tensor) for name, tensor in student.items()}

    told = gradient(Network(STUDENT), student, batch, into=found, micro=2, teaching=teaching)

    assert told == pytest.approx(mean_loss(student, STUDENT, batch), rel=1e-12)
    for name, tensor in student.items():
        place = tuple(rng.integers(0, size) for size in tensor.shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = tensor.copy()
            moved[place] += step
            weights = {**student, name: moved}
            ends.append(slow_loss(weights, teacher, batch, share=share, temperature=temperature))
        assert found[name][place] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=2e-8, rel=1e-5)


@pytest.fixture(scope="module")
def done(make_taught):
    """A finished run with a teacher, of 20 steps."""
    workplace = make_taught(share=0.5)
    assert main(workplace.path) == 0
    return workplace


def weights(folder):
    source = open_source(folder)
    return {name: source.read(name) for name in source.names}


def kept(folder):
    names = [path for part in ("checkpoints", "model") for path in (folder / part).rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if path.is_file()}


def batches(workplace):
    with open_data(workplace.job.data, base=workplace.folder, length=32) as data:
        return data.batch(0, 160)


def apart(workplace, folder):
    """How far a student's distribution is from its teacher's, nats."""
    batch, teacher = batches(workplace)[:8], workplace.job.teacher
    taught = weights(workplace.folder / teacher.weights)
    p = np.float64(logits(taught, teacher.structure, batch))
    q = np.float64(logits(weights(folder), workplace.job.structure, batch))
    p -= np.log(np.exp(p).sum(axis=-1, keepdims=True))
    q -= np.log(np.exp(q).sum(axis=-1, keepdims=True))
    return float((np.exp(p) * (p - q)).sum(axis=-1).mean())


def test_share_of_nothing_is_plain_training_bit_for_bit(make_taught, make_workplace):
    taught, plain = make_taught(share=0.0), make_workplace()

    assert (main(taught.path), main(plain.path)) == (0, 0)

    assert kept(taught.folder) == kept(plain.folder)
    losses = [read_events(w.folder / "events.jsonl").metrics().loss for w in (taught, plain)]
    assert losses[0].tolist() == losses[1].tolist()


def test_share_of_all_comes_near_the_teacher_and_data_alone_does_not(make_taught):
    fast = {"temperature": 1.0, "steps": 60, "optimizer": AdamW(lr=5e-3)}
    taught, plain = make_taught(share=1.0, **fast), make_taught(share=0.0, **fast)

    assert (main(taught.path), main(plain.path)) == (0, 0)

    before = apart(taught, taught.folder / "start")
    assert apart(taught, taught.folder / "model") < 0.6 * before
    assert apart(plain, plain.folder / "model") > before


def test_log_tells_the_datas_own_loss_whatever_is_followed(done):
    logged = read_events(done.folder / "events.jsonl").metrics().loss

    state = weights(done.folder / "checkpoints/step-00000010/weights")
    found = mean_loss(state, done.job.structure, batches(done)[80:88])

    assert logged[10] == pytest.approx(found, abs=1e-6)


def test_micro_batches_change_nothing_but_noise(make_taught):
    whole = make_taught(share=0.7)
    batch = replace(whole.job.batch, micro=1)
    parts = make_taught(share=0.7, batch=batch)

    assert (main(whole.path), main(parts.path)) == (0, 0)

    one, other = weights(whole.folder / "model"), weights(parts.folder / "model")
    assert all(np.allclose(one[name], other[name], atol=2e-6) for name in one)
    assert kept(whole.folder) != kept(parts.folder)


def test_run_that_is_killed_goes_on_to_the_same_bytes(make_taught):
    straight, broken = (make_taught(share=0.5, steps=30) for _ in range(2))
    assert main(straight.path) == 0
    events = broken.folder / "events.jsonl"
    command = worker_engine("ref", python=sys.executable).command(broken.path)
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"})
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        if events.exists() and '"steps"' in events.read_text():
            break
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)

    killed = process.wait()
    again = main(broken.path)

    assert (killed, again) == (-signal.SIGKILL, 0)
    assert kept(broken.folder) == kept(straight.folder)


def replayed(workplace, **changed):
    """Return how far ten steps from step 10 end from the run's own, in units of their way."""
    job = replace(workplace.job, teacher=replace(workplace.job.teacher, **changed))
    teaching = open_teaching(job, base=workplace.folder)
    folder = workplace.folder / "checkpoints"
    with open_data(job.data, base=workplace.folder, length=32) as data:
        again = replay(
            job,
            state_folder=folder / "step-00000010",
            steps=10,
            batches=data.batch,
            teaching=teaching,
        )
    before, after = (weights(folder / f"step-000000{step}/weights") for step in (10, 20))
    off = [np.square(again.weights[name] - after[name]).sum() for name in after]
    way = [np.square(after[name] - before[name]).sum() for name in after]
    return float(np.sqrt(sum(off) / sum(way)))


def test_replay_holds_and_shows_another_share_temperature_or_teacher(done, make_taught):
    other = make_taught(share=0.5, teacher=Structure(family="peri", window=9, **_sizes(done)))
    theirs = replace(other.job.teacher, weights=str(other.folder / "teacher/weights"))

    assert replayed(done) == 0.0
    assert replayed(done, share=0.51) > 1e-3
    assert replayed(done, temperature=2.1) > 1e-3
    same = {"weights": theirs.weights, "root": theirs.root, "structure": theirs.structure}
    assert replayed(done, **same) > 0.1


def test_replay_in_a_folder_of_its_own_finds_the_teacher_where_it_lay(done, tmp_path):
    replayer = WorkerReplayer(
        worker_engine("ref", python=sys.executable), scratch=tmp_path, environment=os.environ
    )
    state = done.folder / "checkpoints/step-00000010"

    again = replayer.replay(ReplayRequest(job=done.job, base=done.folder, state=state, steps=10))

    claimed = weights(done.folder / "model")
    assert all(np.array_equal(again.weights(name), claimed[name]) for name in claimed)


def _sizes(workplace):
    said = workplace.job.structure.to_json()
    return {key: value for key, value in said.items() if key not in {"family", "window", "tied"}}


def test_other_weights_than_the_job_names_are_refused(done):
    root = "dokja-tensors-v1:" + "00" * 32

    with pytest.raises(RecordError) as caught:
        replayed(done, root=root)

    (mistake,) = caught.value.mistakes
    assert (mistake.place, mistake.expected) == ("teacher.root", root)


def test_job_with_a_teacher_that_is_not_there_ends_with_two_and_writes_nothing(make_taught, capsys):
    workplace = make_taught(share=0.5)
    (workplace.folder / "teacher").unlink()

    code = main(workplace.path)

    assert code == 2
    assert "teacher" in capsys.readouterr().err
    assert not (workplace.folder / "events.jsonl").exists()


def test_job_without_a_teacher_has_no_such_key_and_one_with_a_teacher_comes_back(
    make_taught, make_workplace, tmp_path
):
    plain, taught = make_workplace().job, make_taught(share=0.5).job

    write_job(taught, tmp_path / "job.json")

    assert "teacher" not in plain.to_json()
    assert parse_job((tmp_path / "job.json").read_bytes(), file="job.json") == taught


def test_every_mistake_of_a_teacher_is_told_at_once(make_taught):
    said = make_taught(share=0.5, keep=Keep(checkpoint_every=10)).job.to_json()
    wide = {**said["teacher"]["structure"], "vocabulary": 300, "positions": 16}
    shapes = {**said, "teacher": {**said["teacher"], "structure": wide}}
    values = {
        **said,
        "teacher": {**said["teacher"], "share": 1.5, "temperature": 0, "weights": "/etc"},
    }

    assert [mistakes(one) for one in (shapes, values)] == [
        [("teacher.structure.vocabulary", "300"), ("teacher.structure.positions", "16")],
        [("teacher.weights", "'/etc'"), ("teacher.share", "1.5"), ("teacher.temperature", "0")],
    ]


def mistakes(said):
    with pytest.raises(RecipeError) as caught:
        parse_job(json.dumps(said), file="job.json")
    return [(mistake.place, mistake.read) for mistake in caught.value.mistakes]
