"""The engine `hf` in this process: families, adapters, precision, signals, and a slow twin."""

import ast
import functools
import importlib
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dokja.models.forge.corpora.batches import open_data
from dokja.models.forge.engines import (
    Interruption,
    find_checkpoints,
    open_checkpoint,
    read_events,
    read_job,
    write_job,
)
from dokja.models.forge.engines.jobs import AdamW, Adapter, Batch, Keep
from dokja.models.forge.engines.ref import mean_loss, replay
from dokja.models.forge.structures import Structure
from dokja.models.weights import open_source

ROOT = Path(__file__).parents[2]
STEPS = 6
torch_only = pytest.mark.torch
peft_speaks_of_itself = pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated:FutureWarning"
)
# peft asks transformers for an attribute by its old name.


@pytest.fixture(scope="module")
def hf():
    """The worker's module; the process's own answers to signals are given back."""
    module = importlib.import_module("dokja.models.forge.workers.hf")
    held = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield module
    for number, answer in held.items():
        signal.signal(number, answer)


@pytest.fixture(scope="module")
def run(hf, make_workplace):
    """Return a runner of small jobs; it gives the folder of a run that ended well."""

    @functools.cache
    def run(structure=None, *, interrupted=False, **settings):
        said = {"steps": STEPS, "keep": Keep(checkpoint_every=3), **settings}
        workplace = make_workplace(structure, **said)
        if interrupted:
            write_job(workplace.job.until(3), workplace.path)
            assert hf.main([str(workplace.path)]) == 0
            write_job(workplace.job, workplace.path)
        assert hf.main([str(workplace.path)]) == 0
        return workplace.folder

    return run


def structures(tiny):
    whole = {**tiny, "kv_heads": 4}
    return {
        "llama": Structure(family="llama", **tiny),
        "llama, tied": Structure(family="llama", tied=True, **tiny),
        "peri": Structure(family="peri", window=9, **{**tiny, "layers": 4}),
        "gpt2": Structure(family="gpt2", tied=True, **whole),
        "mixtral": Structure(family="mixtral", experts=4, experts_per_token=2, **tiny),
        "latent-moe": Structure(
            family="latent-moe",
            experts=4,
            experts_per_token=2,
            expert_ffn=16,
            shared_experts=1,
            dense_layers=1,
            latent=16,
            rope_width=4,
            **whole,
        ),
    }


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


def losses(folder):
    return read_events(folder / "events.jsonl").metrics().loss


def tokens(folder, start, stop):
    said = json.loads((folder / "job.json").read_text())
    with open_data(said["data"], base=folder, length=32) as data:
        return data.batch(start, stop)


@torch_only
@pytest.mark.parametrize("name", ["llama", "llama, tied", "peri", "gpt2", "mixtral", "latent-moe"])
def test_family_starts_bit_equal_resumes_to_the_same_bytes_and_learns(run, tiny, name):
    structure = structures(tiny)[name]

    straight = run(structure)
    resumed = run(structure, interrupted=True)

    assert kept(resumed) == kept(straight)
    start = weights(straight / "start")
    loaded = weights(straight / "checkpoints/step-00000000/weights")
    assert {n: t.tobytes() for n, t in loaded.items()} == {n: t.tobytes() for n, t in start.items()}
    final = weights(straight / "model")
    unmoved = {name for name in start if np.array_equal(start[name], final[name])}
    assert unmoved == structure.buffers()
    assert losses(straight)[-1] < losses(straight)[0] - 0.05


@torch_only
@pytest.mark.parametrize("name", ["gpt2", "mixtral", "latent-moe"])
def test_transformers_reads_the_folder_and_finds_the_logged_loss(run, tiny, name):
    """Names and cuts of fused experts are right if the library's own reader agrees."""
    torch, transformers = map(importlib.import_module, ("torch", "transformers"))
    folder = run(structures(tiny)[name])

    network = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "checkpoints/step-00000003/weights", dtype=torch.float32
    )
    ids = torch.from_numpy(tokens(folder, 24, 32))
    with torch.no_grad():
        loss = network(input_ids=ids, labels=ids).loss.item()

    assert loss == pytest.approx(losses(folder)[3], abs=2e-6)


@torch_only
def test_steps_equal_those_of_a_plain_loop(run, tiny):
    """The slow twin: no Trainer, no accelerate, torch's own clipping and AdamW, one by one."""
    torch, transformers = map(importlib.import_module, ("torch", "transformers"))
    folder = run(structures(tiny)["llama"])
    structure = structures(tiny)["llama"]
    network = transformers.LlamaForCausalLM(transformers.LlamaConfig(**structure.config()))
    network.load_state_dict(
        {name: torch.from_numpy(tensor) for name, tensor in weights(folder / "start").items()}
    )
    matrices = [p for p in network.parameters() if p.dim() >= 2]
    vectors = [p for p in network.parameters() if p.dim() < 2]
    adamw = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}],
        lr=1e-3,
        betas=(0.9, 0.95),
        foreach=False,
    )
    told, norms = [], []

    for step in range(1, STEPS + 1):
        for group in adamw.param_groups:
            group["lr"] = 1e-3 * (step / 5 if step <= 5 else 0.1)
        adamw.zero_grad()
        whole = torch.from_numpy(tokens(folder, 8 * (step - 1), 8 * step))
        parts = [network(input_ids=ids, labels=ids).loss / 2 for ids in whole.split(4)]
        for part in parts:
            part.backward()
        told.append(sum(part.item() for part in parts))
        norms.append(torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0).item())
        adamw.step()

    final = weights(folder / "model")
    assert {n: p.detach().numpy().tobytes() for n, p in network.named_parameters()} == {
        name: tensor.tobytes() for name, tensor in final.items()
    }
    metrics = read_events(folder / "events.jsonl").metrics()
    assert metrics.loss.tolist() == pytest.approx(told, abs=1e-6)
    assert metrics.grad_norm.tolist() == pytest.approx(norms, abs=1e-6)
    assert metrics.lr.tolist() == [1e-3 * f for f in (0.2, 0.4, 0.6, 0.8, 1.0, 0.1)]


@torch_only
@pytest.mark.parametrize("name", ["llama", "peri"])
def test_numpy_replays_what_torch_trained(run, hf, tiny, name):
    """Two implementations that know nothing of each other agree within fp32's noise."""
    structure = structures(tiny)[name]
    folder = run(structure)
    job = read_job(folder / "job.json")
    state = folder / "checkpoints/step-00000003"

    with open_data(job.data, base=folder, length=32) as data:
        replayed = replay(job, state_folder=state, steps=3, batches=data.batch)
        loss = mean_loss(weights(state / "weights"), structure, data.batch(24, 32))

    started = weights(state / "weights")
    assert distance(replayed.weights, weights(folder / "model"), started) <= 1e-5
    assert loss == pytest.approx(losses(folder)[3], abs=2e-6)


@torch_only
def test_olmo_says_all_that_it_cannot_do(make_workplace, tiny, capsys):
    olmo = importlib.import_module("dokja.models.forge.workers.olmo")
    workplace = make_workplace(structures(tiny)["gpt2"], attention="eager")

    code = olmo.main([str(workplace.path)])

    assert code == 4
    assert capsys.readouterr().err == (
        "olmo cannot do this job: it trains llama, not gpt2; its head is its own tensor, never "
        "tied; it has no eager attention; say sdpa or math. Nothing was changed.\n"
    )


@torch_only
@pytest.mark.parametrize(
    "settings",
    [{"foreach": False}, {"determinism": "strict"}],
    ids=["one by one", "strict"],
)
def test_settings_that_change_no_sum_give_the_same_bytes(run, settings):
    assert kept(run(**settings)) == kept(run())


@torch_only
@pytest.mark.parametrize(
    "settings",
    [
        {"attention": "eager"},
        {"attention": "math"},
        {"foreach": False, "fused": True},
        {"batch": Batch(sequences=8, length=32, micro=8)},
        {"batch": Batch(sequences=8, length=32, micro=1)},
    ],
    ids=["eager", "math", "fused", "one pass", "eight passes"],
)
def test_other_ways_to_the_same_sum_stay_within_noise(run, settings):
    plain = run()

    other = weights(run(**settings) / "model")

    assert distance(other, weights(plain / "model"), weights(plain / "start")) <= 1e-5


@torch_only
def test_bf16_keeps_float32_masters(run):
    plain, narrow = run(), run(precision="bf16")

    source = open_source(narrow / "model")
    state = find_checkpoints(narrow / "checkpoints").newest.state

    assert {source.info(name).dtype for name in source.names} == {"F32"}
    assert state.precision == "bf16"
    apart = distance(weights(narrow / "model"), weights(plain / "model"), weights(plain / "start"))
    assert 1e-5 < apart < 0.1


ADAPTER = {
    "trainable": "adapters",
    "adapter": Adapter(rank=4, alpha=8.0, targets=("q_proj", "down_proj"), seed="beef"),
}


@torch_only
@peft_speaks_of_itself
def test_adapter_alone_moves_and_is_merged_and_kept(run):
    torch, transformers, peft = map(importlib.import_module, ("torch", "transformers", "peft"))
    folder = run(**ADAPTER)
    start, final = weights(folder / "start"), weights(folder / "model")

    network = transformers.AutoModelForCausalLM.from_pretrained(
        folder / "start", dtype=torch.float32
    )
    merged = peft.PeftModel.from_pretrained(network, folder / "model-adapter").merge_and_unload()
    by_peft = {name: tensor.detach().numpy() for name, tensor in merged.named_parameters()}

    moved = {name for name in start if not np.array_equal(start[name], final[name])}
    assert moved == {name for name in start if "q_proj" in name or "down_proj" in name}
    assert all(np.array_equal(final[name], by_peft[name]) for name in final)
    opened = open_checkpoint(folder / "checkpoints/step-00000003")
    assert opened.trained == opened.adapter.names
    assert len(opened.trained) == 8


@torch_only
@peft_speaks_of_itself
def test_adapter_resumes_to_the_same_bytes(run):
    assert kept(run(**ADAPTER, interrupted=True)) == kept(run(**ADAPTER))


@torch_only
def test_only_what_the_patterns_match_moves(run):
    folder = run(trainable=("model.layers.1.*", "lm_head.weight"))

    start, final = weights(folder / "start"), weights(folder / "model")
    moved = {name for name in start if not np.array_equal(start[name], final[name])}

    assert moved == {n for n in start if n.startswith(("model.layers.1.", "lm_head."))}
    assert find_checkpoints(folder / "checkpoints").newest.trained == tuple(sorted(moved))


@torch_only
@pytest.mark.parametrize(
    ("name", "patterns", "sentence"),
    [
        ("llama", ("model.layers.9.*",), "trainable: read 'model.layers.9.*'"),
        ("mixtral", ("*.experts.0.w1.weight",), "all of a fused parameter or none"),
    ],
)
def test_patterns_that_cannot_be_trained_are_refused(
    hf, make_workplace, tiny, capsys, name, patterns, sentence
):
    workplace = make_workplace(structures(tiny)[name], trainable=patterns)

    code = hf.main([str(workplace.path)])

    assert code == 2
    assert sentence in capsys.readouterr().err
    assert not (workplace.folder / "checkpoints").exists()


@torch_only
def test_start_of_another_structure_is_refused_with_every_mistake(hf, make_workplace, tiny, capsys):
    workplace = make_workplace()
    wider = Structure(family="llama", **{**tiny, "ffn": 65, "layers": 1})
    write_job(replace(workplace.job, structure=wider), workplace.path)

    code = hf.main([str(workplace.path)])

    assert code == 2
    said = capsys.readouterr().err
    assert "mlp.up_proj.weight': read the shape (64, 32); expected the shape (65, 32)." in said
    assert said.count("expected no such tensor") == 9


@torch_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_signal_keeps_the_state_and_the_run_goes_on_to_the_same_bytes(
    hf, run, make_workplace, number
):
    workplace = make_workplace(steps=STEPS, keep=Keep(checkpoint_every=3))
    job = workplace.job

    class Signalled:
        def batch(self, start, stop):
            if start == job.instances(5)[0]:
                os.kill(os.getpid(), number)
            return tokens(workplace.folder, start, stop)

    code = hf.train(job, base=workplace.folder, data=Signalled())
    told = read_events(workplace.folder / "events.jsonl").events[-1]
    again = hf.main([str(workplace.path)])

    assert (code, again) == (130, 0)
    assert isinstance(told, Interruption)
    assert (told.step, signal.Signals(number).name in told.reason) == (5, True)
    resumed, straight = kept(workplace.folder), kept(run())
    extra = {name for name in resumed if "step-00000005" in name}
    assert {name: resumed[name] for name in resumed.keys() - extra} == straight
    assert len(extra) == 4


@torch_only
def test_training_that_is_no_longer_finite_stops_and_says_so(hf, make_workplace, capsys):
    workplace = make_workplace(steps=12, optimizer=AdamW(lr=1e15, clip=None))

    code = hf.main([str(workplace.path)])

    assert code == 4
    assert "which are not finite" in capsys.readouterr().err
    events = read_events(workplace.folder / "events.jsonl")
    assert isinstance(events.events[-1], Interruption)
    assert np.isfinite(events.metrics().loss).all()


@torch_only
def test_done_run_is_left_alone(hf, run):
    folder = run()
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    assert hf.main([str(folder / "job.json")]) == 0
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before


@torch_only
def test_job_that_is_wrong_ends_with_two(hf, tmp_path, capsys):
    (tmp_path / "job.json").write_text("{}")

    assert (hf.main([str(tmp_path / "job.json")]), hf.main([])) == (2, 2)
    assert "job.json, plan: read nothing; expected text." in capsys.readouterr().err


def imported(module, seen):
    """Everything that importing a module of ours imports, read from its source."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        place = ROOT / "src" / Path(*parts[:length])
        path = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if name in seen or not path.exists():
            continue
        seen.add(name)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            else:
                continue
            for inner in names:
                if inner.startswith("dokja"):
                    imported(inner, seen)
                else:
                    seen.add(inner.split(".")[0])
    return seen


def test_worker_needs_neither_pydantic_nor_the_signing_library_to_begin():
    """A machine for training has torch and its like; it need not have what the core has."""
    found = imported("dokja.models.forge.workers.hf", set())

    assert {"torch", "transformers", "numpy"} <= found
    assert found & {"pydantic", "cryptography", "click", "jinja2", "rich", "tokenizers"} == set()
