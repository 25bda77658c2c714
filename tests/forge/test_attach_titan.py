"""The settings that are written for torchtitan, taken by torchtitan itself (where it is there)."""

import importlib.util
import os
import subprocess
import sys
from pathlib import PurePosixPath

import numpy as np
import pytest

from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.models.forge.engines import Job, write_weights
from dokja.models.forge.engines.jobs import AdamW, Batch, Keep
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.launch import LaunchRequest
from dokja.models.forge.launch.parallelism import Parallelism
from dokja.models.forge.launch.titan import write_titan
from dokja.models.forge.launch.watching import Engine, open_attached
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source
from dokja.values import Digest

pytestmark = [
    pytest.mark.torch,
    pytest.mark.skipif(
        importlib.util.find_spec("torchtitan") is None, reason="torchtitan 0.3.0 is not installed"
    ),
]

# Runs in a process of its own, as torchtitan does; says what it found by its exit code.
SCRIPT = """\
import warnings; warnings.simplefilter("ignore")
import numpy as np, torch
import torch.distributed.checkpoint as dcp
from safetensors.torch import load_file
from torchtitan.config import ConfigManager
from transformers import LlamaForCausalLM
import dokja_titan

config = ConfigManager().parse_args(["--module", "dokja_titan", "--config", "plan"])
spec = config.model_spec
model = spec.model.build()
theirs = load_file("start/model.safetensors")
adapter = spec.state_dict_adapter(spec.model, "start")
model.load_state_dict(adapter.from_hf(dict(theirs)))
back = adapter.to_hf(model.state_dict())
assert set(back) == set(theirs) and all(torch.equal(back[n], theirs[n]) for n in theirs)

data = config.dataloader.build(dp_world_size=2, dp_rank=1, tokenizer=None, seq_len=64,
                               local_batch_size=2, snapshot_every_n_steps=1)
drawn = iter(data)
for turn in range(3):  # of two replicas with two sequences each, the second
    inputs, labels = next(drawn)
    assert np.array_equal(inputs["input"], data.data.batch(4 * turn + 2, 4 * turn + 4))
    assert torch.equal(labels[:, :-1], inputs["input"][:, 1:]) and (labels[:, -1] == -100).all()
assert data.state_dict() == {"drawn": 3}

with torch.no_grad():
    masks = model.get_attention_masks(positions=inputs["positions"])
    ours = model(inputs["input"], positions=inputs["positions"], attention_masks=masks)
    hf = LlamaForCausalLM.from_pretrained("start", dtype=torch.float32)(inputs["input"]).logits
assert float((ours - hf).abs().max()) < 1e-5

optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
class Held(list):
    pass
schedule = config.lr_scheduler.build(optimizers=Held([optimizer]), training_steps=6)
rates = []
for _ in range(6):
    rates.append(schedule.get_metrics()["lr/AdamW"])
    optimizer.step()
    schedule.step()
print("rates", *map(repr, rates))
dcp.save(model.state_dict(), checkpoint_id="step-6")
"""


def test_torchtitan_takes_the_settings_and_means_what_the_plan_says(tmp_path):
    structure = Structure(
        family="llama",
        vocabulary=256,
        width=64,
        layers=2,
        heads=4,
        kv_heads=2,
        head_width=16,
        ffn=176,
    )
    write_weights(
        tmp_path / "start", dict(initialise(structure, b"seed")), config=structure.config()
    )
    letters = np.random.default_rng(0).integers(97, 123, (60, 400))
    facts = CorpusFacts(
        name="c",
        tokenizer=Digest.of(b"t"),
        vocabulary=256,
        licence="MIT",
        origin="drawn",
        collected="2026-01-15",
        personal_data="none",
    )
    write_corpus(
        (bytes(row.astype(np.uint8)).decode() for row in letters),
        tmp_path / "corpus",
        encode=lambda text: list(text.encode()),
        facts=facts,
    )
    source = {"name": "c", "corpus": "corpus", "weight": 1.0, "max_repeats": 4}
    schedule = Schedule(kind="warmup-linear", total_steps=6, warmup_steps=2, final=0.1)
    job = Job(
        plan=str(Digest.of(b"plan")),
        structure=structure,
        start="start",
        steps=6,
        batch=Batch(sequences=4, length=64, micro=2),
        optimizer=AdamW(lr=1e-3),
        schedule=schedule,
        data={"seed": "00ff", "sources": [source]},
        keep=Keep(checkpoint_every=3),
    )
    request = LaunchRequest(
        plan=Digest.of(b"plan"),
        folder=PurePosixPath(tmp_path),
        command=("-m", "torchtitan.train"),
        job=PurePosixPath("job.json"),
        python=sys.executable,
        gpus_per_node=2,
        gpu_type="b200",
    )
    write_titan(job, tmp_path, parallelism=Parallelism(data=2), request=request)
    (tmp_path / "try.py").write_text(SCRIPT)

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    done = run("try.py")
    assert done.returncode == 0, done.stderr[-4000:]
    converted = run("convert_titan.py", "step-6", "hf-6")
    assert converted.returncode == 0, converted.stderr[-4000:]

    rates = [float(word) for word in done.stdout.split("rates ")[1].split()]
    assert rates == [job.learning_rate(step) for step in range(1, 7)]
    ours, theirs = (
        open_source(tmp_path / "start"),
        open_attached(tmp_path / "hf-6", engine=Engine.TITAN),
    )
    assert ours.names == theirs.names
    assert all(np.array_equal(ours.read(name), theirs.read(name)) for name in ours.names)
