"""What every engine must do, or say that it does not, and why.

All runs of an engine are made once a session, without a network: a guard that is loaded before
anything else refuses every connection and writes down that somebody asked for one.
"""

import os
import random
import signal
import subprocess
import sys
import time
from functools import cached_property

import numpy as np
import pytest

from dokja.errors import RecipeError
from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import (
    Capability,
    find_checkpoints,
    open_checkpoint,
    read_events,
    read_job,
)
from dokja.models.forge.engines.catalogue import WORKERS, worker_engine
from dokja.models.forge.engines.ref import mean_loss, replay
from dokja.models.forge.engines.replays import prepare_replay
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source

STEPS = 20
GUARD = """
import os, socket
log = open(os.environ["GUARD"], "a")
print("guarded", file=log, flush=True)
def refuse(self, address, *more):
    print("connects to", address, file=log, flush=True)
    raise OSError("no network here")
socket.socket.connect = socket.socket.connect_ex = refuse
"""
# Imports a worker once and runs each job in a child of its own, since imports take seconds.
NURSERY = """
import importlib, os, sys
worker = importlib.import_module(sys.argv[1])
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        os._exit(worker.main([line.strip()]))
    print(child, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""
ENGINES = [
    pytest.param(name, marks=() if name == "ref" else pytest.mark.torch) for name in sorted(WORKERS)
]


class Conformance:
    """An engine's runs of one job, each made when a test first asks for it."""

    def __init__(self, name, make_workplace, scratch):
        self.name = name
        self.engine = worker_engine(name)
        self.scratch = scratch
        self._make = make_workplace
        (scratch / "sitecustomize.py").write_text(GUARD)

    def needs(self, capability):
        """Skip, with the engine's own reason, what it says that it does not offer."""
        reason = self.engine.capabilities.why_not(capability)
        if reason is not None:
            pytest.skip(f"{self.name} does not offer it: {reason}")

    def workplace(self):
        family = "llama" if "llama" in self.engine.capabilities.families else None
        assert family == "llama"
        return self._make(steps=STEPS)

    def start(self, job, *, guard="guard.log", engine=None):
        return subprocess.Popen(
            (engine or self.engine).command(job),
            env=self.surroundings(guard=guard),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def surroundings(self, *, guard="guard.log"):
        settings = {**os.environ, "OMP_NUM_THREADS": "1"}
        if guard:
            paths = [str(self.scratch), *filter(None, [os.environ.get("PYTHONPATH")])]
            settings |= {"PYTHONPATH": os.pathsep.join(paths), "GUARD": str(self.scratch / guard)}
        return settings

    @cached_property
    def nursery(self):
        """A process that has imported the worker, and begets one for every job."""
        return subprocess.Popen(
            [sys.executable, "-c", NURSERY, self.engine.module],
            env=self.surroundings(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self):
        if "nursery" in self.__dict__:
            self.nursery.communicate(timeout=60)

    def beget(self, job):
        """Run a job in a child of the nursery; return its process id, at once."""
        self.nursery.stdin.write(f"{job}\n")
        self.nursery.stdin.flush()
        return int(self.nursery.stdout.readline())

    def again(self, job):
        """Run a job to its end, as cheaply as the engine can be started."""
        if self.name == "ref":
            return self.finish(job)
        self.beget(job)
        assert self.nursery.stdout.readline() == "0\n"
        return job.parent

    def kill_after(self, job, *, delay):
        """Start a job and kill it some seconds after it began to tell."""
        process = self.start(job) if self.name == "ref" else None
        number = process.pid if process else self.beget(job)
        while not (job.parent / "events.jsonl").exists():
            time.sleep(0.002)
        time.sleep(delay)
        if process:
            process.kill()
            process.communicate()
        else:
            os.kill(number, signal.SIGKILL)
            assert self.nursery.stdout.readline() in {"-9\n", "0\n"}

    def finish(self, job, **options):
        process = self.start(job, **options)
        out, error = process.communicate(timeout=120)
        assert (process.returncode, out) == (0, ""), error
        return job.parent

    @cached_property
    def straight(self):
        """A run that nothing disturbed."""
        return self.finish(self.workplace().path)

    @cached_property
    def killed(self):
        """A run that was killed at a random moment of its training, and started again."""
        told = read_events(self.straight / "events.jsonl")
        whole = (told.end.at - told.start.at).total_seconds()
        delay = random.random() * whole  # noqa: S311  # a moment, not a secret
        job = self.workplace().path
        self.kill_after(job, delay=delay)
        print(f"{self.name} was killed {delay:.3f} s after it began")  # noqa: T201  # for a failure
        return self.again(job)

    @cached_property
    def two(self):
        """The same run by two processes."""
        engine = worker_engine(self.name, processes=2)
        return self.finish(self.workplace().path, guard=None, engine=engine)

    @cached_property
    def replayed(self):
        """Steps 11 to 20 of the undisturbed run, from its state after ten."""
        job = prepare_replay(
            self.straight / "job.json",
            checkpoint=self.straight / "checkpoints/step-00000010",
            steps=STEPS - 10,
            into=self.scratch / "replay",
        )
        return self.again(job)


@pytest.fixture(scope="session", params=ENGINES)
def conformance(request, make_workplace, tmp_path_factory):
    scratch = tmp_path_factory.mktemp(f"conformance-{request.param}")
    runs = Conformance(request.param, make_workplace, scratch)
    yield runs
    runs.close()


def weights(folder):
    source = open_source(folder)
    return {name: source.read(name) for name in source.names}


def kept(folder):
    """Every byte that a run keeps, but for its log."""
    names = [*(folder / "checkpoints").rglob("*"), *(folder / "model").rglob("*")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in names if path.is_file()}


def data_of(folder):
    conformed = open_checkpoint(folder / "checkpoints/step-00000000")
    assert conformed.state.step == 0
    said = {
        "seed": "aa",
        "sources": [{"name": "ko", "corpus": "data/ko", "weight": 1.0, "max_repeats": 1000}],
    }
    return open_data(said, base=folder, length=32)


def test_start_is_loaded_bit_equal(conformance):
    conformance.needs(Capability.START_BIT_EQUAL)

    start = weights(conformance.straight / "start")
    loaded = open_checkpoint(conformance.straight / "checkpoints/step-00000000")

    assert {name: loaded.weights.read(name).tobytes() for name in start} == {
        name: tensor.tobytes() for name, tensor in start.items()
    }
    assert loaded.state.updates == 0


def test_instance_log_equals_the_order(conformance, tiny):
    """The log names the instances of the order, and its losses are those of their tokens."""
    conformance.needs(Capability.INSTANCE_LOG)

    metrics = read_events(conformance.straight / "events.jsonl").metrics()

    assert metrics.step.tolist() == list(range(1, STEPS + 1))
    assert metrics.instances.tolist() == [[8 * t, 8 * t + 8] for t in range(STEPS)]
    structure = Structure(family="llama", **tiny)
    with data_of(conformance.straight) as data:
        for step in (0, 10):
            state = weights(conformance.straight / f"checkpoints/step-{step:08d}/weights")
            expected = mean_loss(state, structure, data.batch(8 * step, 8 * step + 8))
            assert metrics.loss[step] == pytest.approx(expected, abs=2e-6)


def test_resume_after_a_kill_gives_the_same_bytes(conformance):
    conformance.needs(Capability.RESUME_BIT_EQUAL)

    assert kept(conformance.killed) == kept(conformance.straight)


def test_log_stays_whole_through_a_kill(conformance):
    conformance.needs(Capability.SURVIVES_KILL)

    killed = read_events(conformance.killed / "events.jsonl")
    straight = read_events(conformance.straight / "events.jsonl")

    assert killed.end.step == STEPS
    assert killed.differing_steps() == ()
    assert killed.metrics().loss.tolist() == straight.metrics().loss.tolist()
    assert [one.step for one in killed.checkpoints] == [
        one.state.step for one in find_checkpoints(conformance.killed / "checkpoints").whole
    ]


@pytest.mark.loopback
def test_two_processes_stay_within_the_noise_floor(conformance):
    conformance.needs(Capability.PROCESSES)

    start, one, two = (
        np.concatenate([tensor.ravel() for _, tensor in sorted(weights(folder).items())])
        for folder in (
            conformance.straight / "start",
            conformance.straight / "model",
            conformance.two / "model",
        )
    )
    distance = np.linalg.norm(two - one) / np.linalg.norm(one - start)

    assert distance <= 1e-5
    metrics = read_events(conformance.two / "events.jsonl").metrics()
    straight = read_events(conformance.straight / "events.jsonl").metrics()
    assert metrics.instances.tolist() == straight.instances.tolist()
    assert metrics.loss.tolist() == pytest.approx(straight.loss.tolist(), abs=2e-6)


def test_replay_from_an_archived_state_ends_where_the_run_ended(conformance):
    conformance.needs(Capability.REPLAY)

    assert (conformance.replayed / "model/model.safetensors").read_bytes() == (
        conformance.straight / "model/model.safetensors"
    ).read_bytes()
    replayed = read_events(conformance.replayed / "events.jsonl").metrics()
    straight = read_events(conformance.straight / "events.jsonl").metrics()
    assert replayed.step.tolist() == list(range(11, STEPS + 1))
    assert replayed.loss.tolist() == straight.loss[10:].tolist()


def test_numpy_replays_the_whole_run_within_the_noise_floor(conformance):
    """Engines that know nothing of each other's code agree: same blocks, order and updates."""
    conformance.needs(Capability.REPLAY)
    folder = conformance.straight

    with data_of(folder) as data:
        replayed = replay(
            read_job(folder / "job.json"),
            state_folder=folder / "checkpoints/step-00000000",
            steps=STEPS,
            batches=data.batch,
        ).weights

    start, end = weights(folder / "start"), weights(folder / "model")
    apart = sum(float(np.square(replayed[n] - end[n], dtype=np.float64).sum()) for n in start)
    moved = sum(float(np.square(end[n] - start[n], dtype=np.float64).sum()) for n in start)
    assert (apart / moved) ** 0.5 <= 1e-5


def test_tokens_are_counted_exactly(conformance):
    conformance.needs(Capability.EXACT_TOKENS)

    metrics = read_events(conformance.straight / "events.jsonl").metrics()
    states = find_checkpoints(conformance.straight / "checkpoints").whole

    assert metrics.tokens.tolist() == [256 * step for step in range(1, STEPS + 1)]
    assert [(one.state.step, one.state.tokens, one.state.cursor) for one in states] == [
        (step, 256 * step, 8 * step) for step in (0, 1, 10, 20)
    ]


def test_no_connection_is_asked_for(conformance):
    conformance.needs(Capability.OFFLINE)
    assert conformance.straight.is_dir()

    said = (conformance.scratch / "guard.log").read_text().splitlines()

    assert set(said) == {"guarded"}


def test_the_guard_would_have_seen_a_connection(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(GUARD)
    settings = {**os.environ, "PYTHONPATH": str(tmp_path), "GUARD": str(tmp_path / "log")}
    program = "import urllib.request as u; u.urlopen('http://127.0.0.1:9')"

    done = subprocess.run(
        [sys.executable, "-c", program], env=settings, capture_output=True, check=False
    )

    assert done.returncode == 1
    assert (tmp_path / "log").read_text() == "guarded\nconnects to ('127.0.0.1', 9)\n"


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_engine_says_of_every_capability_whether_it_has_it(name):
    capabilities = WORKERS[name].capabilities

    stated = capabilities.offers | set(capabilities.missing)

    assert stated == set(Capability)
    assert all(reason.strip() for reason in capabilities.missing.values())


@pytest.mark.parametrize(
    ("name", "processes", "read"),
    [("nemo", 1, "'nemo'"), ("ref", 2, "'ref' as 2 processes")],
)
def test_engine_that_is_not_there_is_refused(name, processes, read):
    with pytest.raises(RecipeError) as caught:
        worker_engine(name, processes=processes)

    assert [mistake.read for mistake in caught.value.mistakes] == [read]
