"""Replays of a torch run: by its own engine, with other kernels, and by numpy."""

import os
import subprocess
import sys

import pytest

from dokja.models.forge.engines.catalogue import worker_engine
from dokja.models.forge.ladder.distances import distance
from dokja.models.forge.ladder.noise import NoiseFloor, NoiseSample
from dokja.models.forge.ladder.replay import RefReplayer, ReplayRequest, WorkerReplayer
from dokja.models.forge.ladder.replaying import Verdict, other_kernels, run_environment, verdict
from dokja.models.weights import open_source

pytestmark = pytest.mark.torch

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="module")
def run(make_workplace):
    """A finished run of 20 steps by the engine `hf`."""
    workplace = make_workplace()
    command = worker_engine("hf", python=sys.executable).command(workplace.path)
    subprocess.run(command, check=True, env=ENVIRONMENT)
    return workplace


@pytest.fixture(scope="module")
def by_hf(tmp_path_factory):
    """The engine `hf` as a replayer."""
    scratch = tmp_path_factory.mktemp("scratch")
    engine = worker_engine("hf", python=sys.executable)
    return WorkerReplayer(engine, scratch=scratch, environment=ENVIRONMENT)


def replayed(run, replayer, **settings):
    """Return how far ten steps from step 10 end from the claim, and where they ran."""
    folder = run.folder / "checkpoints"
    request = ReplayRequest(
        job=run.job, base=run.folder, state=folder / "step-00000010", steps=10, settings=settings
    )
    done = replayer.replay(request)
    before, after = (open_source(folder / f"step-000000{n}/weights") for n in (10, 20))
    found = distance(done.weights, after.read, before=before.read, names=after.names)
    return found, done


def shown(found, done, run, *, floor=None):
    kernels = other_kernels(run_environment(run.folder, step=10), done.environment)
    return verdict(
        found,
        floor or NoiseFloor(samples=(), crosses=done.engine == "ref"),
        precision="fp32",
        same_precision=done.environment.get("precision", "fp32") == "fp32",
        kernels=not kernels,
    )


def test_the_same_engine_replays_to_the_same_bytes_with_the_same_kernels(run, by_hf):
    found, done = replayed(run, by_hf)

    assert (found.total, found.equal) == (0.0, found.tensors)
    assert other_kernels(run_environment(run.folder, step=10), done.environment) == ()
    assert shown(found, done, run) is Verdict.BIT_EQUAL


def test_another_attention_kernel_stays_within_its_own_noise(run, by_hf):
    found, done = replayed(run, by_hf, attention="eager")
    floor = NoiseFloor(samples=(NoiseSample(segment="10-20", change="eager", apart=found),))

    assert 0.0 < found.total < 5e-6
    assert other_kernels(run_environment(run.folder, step=10), done.environment) == ("attention",)
    assert shown(found, done, run, floor=floor) is Verdict.WITHIN_NOISE


def test_numpy_replays_a_torch_run_within_noise(run):
    found, done = replayed(run, RefReplayer())

    assert 0.0 < found.total < 5e-6
    assert shown(found, done, run) is Verdict.WITHIN_NOISE


def test_replay_in_bf16_of_an_fp32_run_is_not_comparable(run, by_hf):
    found, done = replayed(run, by_hf, precision="bf16")

    assert 1e-4 < found.total < 5e-2
    assert shown(found, done, run) is Verdict.NOT_COMPARABLE


def test_other_data_seed_differs_whoever_replays(run):
    other = ReplayRequest(
        job=run.job,
        base=run.folder,
        state=run.folder / "checkpoints/step-00000010",
        steps=10,
        settings={"data": {**run.job.data, "seed": "bb"}},
    )
    done = RefReplayer().replay(other)
    before, after = (
        open_source(run.folder / f"checkpoints/step-000000{n}/weights") for n in (10, 20)
    )

    found = distance(done.weights, after.read, before=before.read, names=after.names)

    assert found.total > 0.05
    assert shown(found, done, run) is Verdict.DIFFERS
