"""A teacher in torch: the loss against a slow twin, `hf` and `olmo` beside numpy."""

import functools
import importlib
import math
import signal
from dataclasses import replace

import numpy as np
import pytest

from dokja.errors import EngineError
from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import read_events, write_job
from dokja.models.forge.engines.jobs import Adapter, Batch, Keep
from dokja.models.forge.engines.ref import open_teaching, replay
from dokja.models.forge.engines.ref.training import refuse
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source

pytestmark = pytest.mark.torch
peft_speaks_of_itself = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)
# peft asks transformers for an attribute by its old name.

libraries_of_olmo_speak_of_others = pytest.mark.filterwarnings(
    "ignore::ImportWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
)
# OLMo-core imports clients of remote stores, which warn of what they lack.

ENGINES = ["hf", pytest.param("olmo", marks=libraries_of_olmo_speak_of_others)]
ADAPTER = {
    "trainable": "adapters",
    "adapter": Adapter(rank=4, alpha=8.0, targets=("q_proj", "down_proj"), seed="beef"),
}


@pytest.fixture(scope="module", autouse=True)
def answers():
    """The process's own answers to signals are given back."""
    held = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, answer in held.items():
        signal.signal(number, answer)


def worker(engine):
    return importlib.import_module(f"dokja.models.forge.workers.{engine}")


@pytest.fixture(scope="module")
def run(make_taught):
    """Return a runner of small jobs with a teacher; it gives the workplace of a finished run."""

    @functools.cache
    def run(*, engine="hf", interrupted=False, **settings):
        workplace = make_taught(**{"steps": 6, "keep": Keep(checkpoint_every=3), **settings})
        if interrupted:
            write_job(workplace.job.until(3), workplace.path)
            assert worker(engine).main([str(workplace.path)]) == 0
            write_job(workplace.job, workplace.path)
        assert worker(engine).main([str(workplace.path)]) == 0
        return workplace

    return run


def weights(folder):
    source = open_source(folder)
    return {name: source.read(name) for name in source.names}


def kept(folder):
    names = [path for part in ("checkpoints", "model") for path in (folder / part).rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if path.is_file()}


def distance(one, other, start):
    """The replay distance of the design note, over all tensors together."""
    flat = [
        np.concatenate([w[name].ravel() for name in sorted(start)]) for w in (one, other, start)
    ]
    return float(np.linalg.norm(flat[0] - flat[1]) / np.linalg.norm(flat[1] - flat[2]))


def slow_divergence(student, teacher, temperature):
    """The slow twin: one position after another, straight from the definition."""
    found = []
    for here, there in zip(student.reshape(-1, 7), teacher.reshape(-1, 7), strict=True):
        q, p = ([math.exp(score / temperature) for score in one] for one in (here, there))
        pairs = zip(p, q, strict=True)
        found.append(sum(a / sum(p) * math.log(a / sum(p) * sum(q) / b) for a, b in pairs))
    return temperature**2 * sum(found) / len(found)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_divergence_is_that_of_the_slow_twin(temperature):
    torch = importlib.import_module("torch")
    teaching = importlib.import_module("dokja.models.forge.workers.teaching")
    student, teacher = np.random.default_rng(2).normal(size=(2, 3, 5, 7)).astype(np.float32)

    found = teaching.divergence(*map(torch.from_numpy, (student, teacher)), temperature=temperature)

    assert found.item() == pytest.approx(slow_divergence(student, teacher, temperature), rel=1e-5)


@pytest.mark.parametrize("engine", ENGINES)
def test_share_of_nothing_is_plain_training_bit_for_bit(run, make_workplace, engine):
    plain = make_workplace(steps=6, keep=Keep(checkpoint_every=3))

    assert worker(engine).main([str(plain.path)]) == 0

    taught = run(engine=engine, share=0.0)
    assert kept(taught.folder) == kept(plain.folder)
    told = [read_events(one.folder / "events.jsonl").metrics() for one in (taught, plain)]
    assert told[0].loss.tolist() == told[1].loss.tolist()


@pytest.mark.parametrize("engine", ENGINES)
def test_numpy_replays_a_taught_run_within_noise_and_tells_the_same_losses(run, engine):
    workplace = run(engine=engine, share=0.6)
    folder, state = workplace.folder, workplace.folder / "checkpoints/step-00000003"
    teaching = open_teaching(workplace.job, base=folder)

    with open_data(workplace.job.data, base=folder, length=32) as data:
        found = replay(
            workplace.job, state_folder=state, steps=3, batches=data.batch, teaching=teaching
        )

    assert distance(found.weights, weights(folder / "model"), weights(state / "weights")) <= 1e-5
    logged = read_events(folder / "events.jsonl").metrics().loss[3:]
    assert [one.loss for one in found.measured] == pytest.approx(logged.tolist(), abs=2e-6)


def test_taught_run_goes_on_to_the_same_bytes(run):
    assert kept(run(share=0.6, interrupted=True).folder) == kept(run(share=0.6).folder)


@pytest.mark.parametrize("micro", [8, 1])
def test_gradients_that_are_accumulated_otherwise_stay_within_noise(run, micro):
    plain = run(share=0.6).folder
    other = run(share=0.6, batch=Batch(sequences=8, length=32, micro=micro)).folder

    ends = [weights(folder / "model") for folder in (other, plain)]

    assert distance(*ends, weights(plain / "start")) <= 1e-5


@peft_speaks_of_itself
def test_adapters_alone_follow_a_teacher_and_go_on_to_the_same_bytes(run):
    straight = run(share=0.6, **ADAPTER).folder

    resumed = run(share=0.6, interrupted=True, **ADAPTER).folder

    assert kept(resumed) == kept(straight)
    start, final = weights(straight / "start"), weights(straight / "model")
    moved = {name for name in start if not np.array_equal(start[name], final[name])}
    assert moved == {name for name in start if "q_proj" in name or "down_proj" in name}


def test_teacher_of_another_family_teaches_in_bf16_and_numpy_says_that_it_cannot(run, tiny):
    teacher = Structure(family="gpt2", tied=True, **{**tiny, "kv_heads": 4})

    workplace = run(share=1.0, teacher=teacher, precision="bf16")

    found = open_source(workplace.folder / "model")
    assert {found.info(name).dtype for name in found.names} == {"F32"}
    with pytest.raises(EngineError, match="a teacher of the family 'gpt2'"):
        refuse(replace(workplace.job, precision="fp32"))


def test_other_weights_than_the_job_names_end_with_two_and_nothing_is_written(make_taught, capsys):
    workplace = make_taught(share=0.5)
    root = "dokja-tensors-v1:" + "00" * 32
    other = replace(workplace.job, teacher=replace(workplace.job.teacher, root=root))
    write_job(other, workplace.path)

    code = worker("hf").main([str(workplace.path)])

    assert code == 2
    assert f"teacher.root: read {workplace.job.teacher.root}; expected {root}." in (
        capsys.readouterr().err
    )
    assert not (workplace.folder / "events.jsonl").exists()
