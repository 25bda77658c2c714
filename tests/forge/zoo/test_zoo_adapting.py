"""Adapters by numpy: their gradient, their rank, and going on after an interruption."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import read_job, write_job
from dokja.models.forge.engines.contract import CANNOT_TELL, DONE
from dokja.models.forge.engines.ref import mean_loss
from dokja.models.forge.zoo import open_made, open_model
from dokja.models.forge.zoo.adapting import Adapting, main
from dokja.models.forge.zoo.corpora import ensure_corpus
from dokja.models.forge.zoo.training import prepare
from dokja.models.weights import open_source


@pytest.fixture(autouse=True)
def _signals_as_before():
    """Workers take over the signals of their process, which is ours here."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture
def job(zoo, plan, tmp_path):
    """The job of an adapter on the tiny zoo's first root, not begun."""
    return prepare(
        next(one for one in plan.blueprints if one.name == "f1-r00.lora-04"),
        open_made(zoo, "f1-r00"),
        folder=tmp_path,
        corpus=ensure_corpus(tmp_path / "corpora", "answers", tokens=4_000),
        share=plan.share("F1"),
    )


def opened(path):
    job = read_job(path)
    return job, open_data(job.data, base=path.parent, length=job.batch.length)


def test_gradient_of_factors_is_that_of_differences(zoo, job):
    said, data = opened(job)
    start = open_model(zoo, "f1-r00")
    adapting = Adapting(
        said, {n: start.read(n).astype(np.float32) for n in start.names}, resumed=None
    )
    target = "model.layers.1.mlp.up_proj"
    factors = adapting._optimizer.weights.named
    batch = data.batch(*said.instances(1))
    wide = {name: value.astype(np.float64) for name, value in adapting.weights.items()}
    push = np.zeros_like(factors[f"{target}.lora_B.weight"], dtype=np.float64)
    push[2, 1] = 1e-4

    change = 2.0 * push @ factors[f"{target}.lora_A.weight"]
    above, below = (
        mean_loss(
            {**wide, f"{target}.weight": wide[f"{target}.weight"] + sign * change},
            said.structure,
            batch,
        )
        for sign in (1, -1)
    )
    adapting._job = replace(said, optimizer=replace(said.optimizer, clip=None))
    adapting.take_step(data)

    gradient = adapting._optimizer.gradient.named[f"{target}.lora_B.weight"][2, 1]
    assert gradient == pytest.approx((above - below) / 2e-4, rel=2e-3)


def test_adapter_changes_targets_alone_and_by_its_rank(zoo):
    before, after = (open_model(zoo, name) for name in ("f1-r00", "f1-r00.lora-04"))

    changed = {n for n in before.names if not np.array_equal(before.read(n), after.read(n))}

    assert changed == {n for n in before.names if "_proj." in n}
    for name in changed:
        sizes = np.linalg.svd(after.read(name) - before.read(name), compute_uv=False)
        assert (sizes > 1e-3 * sizes[0]).sum() <= 4


def test_interrupted_adapter_goes_on_to_the_same_bytes(zoo, job):
    whole = read_job(job)
    write_job(whole.until(2), job.with_name("first.json"))

    assert main([str(job.with_name("first.json"))]) == DONE
    assert main([str(job)]) == DONE

    resumed, at_once = open_source(job.parent / "model"), open_model(zoo, "f1-r00.lora-04")
    assert all(np.array_equal(resumed.read(n), at_once.read(n)) for n in at_once.names)
    assert main([str(job)]) == DONE


def test_job_without_an_adapter_is_refused(job, capsys):
    write_job(replace(read_job(job), adapter=None, trainable="all"), job)

    assert main([str(job)]) == CANNOT_TELL
    assert "no adapter" in capsys.readouterr().err
