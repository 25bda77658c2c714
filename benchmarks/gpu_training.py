"""What a GPU makes of the engine `hf`: its speed, and how far two honest runs lie apart.

    PYTHONPATH=src python benchmarks/gpu_training.py --json figures.json
    PYTHONPATH=src python benchmarks/gpu_training.py --smoke

Every section runs in a process of its own, so that one that fails or hangs costs only itself; all
end within eight minutes. MFU is FLOP by `Structure.flop_per_token` over seconds and the nominal
dense bf16 peak. The distance e is that of a replay: |W - W'| over |W' - W_start|, all tensors
together, from one state after ten steps. `--smoke` does everything once, tiny, on a CPU.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DEADLINE_SECONDS = 470
WARM = 5


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    device: str
    small: str
    large: str
    cross: str
    length: int
    sequences: int
    large_length: int
    timed: int
    segments: tuple[int, ...]


GPU = Scale("cuda", "124m", "1b", "0.9m", 1024, 32, 2048, 20, (10, 50))
SMOKE = Scale("cpu", "0.2m", "0.2m", "0.2m", 32, 8, 32, 3, (2, 3))


def main() -> int:
    """Run every section, print the tables, write the figures."""
    words = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    words.add_argument("--smoke", action="store_true")
    words.add_argument("--json", type=Path)
    words.add_argument("--only", choices=sorted(SECTIONS), help="one section, in this process")
    words.add_argument("--sections", nargs="*", choices=sorted(SECTIONS), default=list(SECTIONS))
    said = words.parse_args()
    scale = SMOKE if said.smoke else GPU
    if said.only:
        print(json.dumps(SECTIONS[said.only](scale)), flush=True)
        return 0
    began, figures = time.monotonic(), {}
    for name in said.sections:
        left = DEADLINE_SECONDS - (time.monotonic() - began)
        figures[name] = section(name, smoke=said.smoke, seconds=left) if left > 20 else "no time"  # type: ignore[assignment]  # a sentence where there is no figure
        if said.json:  # after each section: whatever comes later, these are kept
            said.json.write_text(json.dumps(figures, indent=1))
        print(table(name, figures[name]), flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all")
    return int(any(isinstance(found, str) for found in figures.values()))


def section(name: str, *, smoke: bool, seconds: float) -> Any:
    """Return what a section measured, or the last line of what went wrong."""
    words = [sys.executable, __file__, "--only", name, *(["--smoke"] if smoke else [])]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, check=False, timeout=min(seconds, 200)
        )
    except subprocess.TimeoutExpired:
        return "took too long"
    if done.returncode != 0:
        sys.stderr.write(done.stderr[-3000:])
        return (done.stderr.strip().splitlines() or ["no word"])[-1][:300]
    return json.loads(done.stdout.strip().splitlines()[-1])


def table(name: str, found: Any) -> str:
    """Return a section's rows as a Markdown table."""
    if isinstance(found, str):
        return f"\n## {name}\nnot measured: {found}"
    rows = found["rows"]
    keys = list(dict.fromkeys(key for row in rows for key in row))
    lines = ["| " + " | ".join(keys) + " |", "|" + "---|" * len(keys)]
    lines += ["| " + " | ".join(_shown(row.get(key)) for key in keys) + " |" for row in rows]
    return "\n".join([f"\n## {name} on {found['device']}, torch {found['torch']}", *lines])


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


# Below here, torch is known: only the sections' own processes come this far.


@dataclass
class State:
    """A state in memory: weights, moments, steps done."""

    weights: list[Any]
    moments: list[tuple[Any, Any]]
    step: int


class Bench:
    """One network that is trained again and again from states in memory, by the engine's loop."""

    def __init__(self, scale: Scale, size: str, *, device: str, **settings: Any) -> None:
        import torch  # noqa: PLC0415  # the parent process needs no torch
        import training_parts as parts  # noqa: PLC0415  # likewise
        from accelerate.state import AcceleratorState  # noqa: PLC0415  # likewise

        from dokja.models.forge.engines.jobs import Batch  # noqa: PLC0415  # likewise
        from dokja.models.forge.initialisation import initialise  # noqa: PLC0415  # likewise
        from dokja.models.forge.workers import loops, networks, training  # noqa: PLC0415  # likewise
        from dokja.models.forge.workers import settings as told  # noqa: PLC0415  # likewise

        # accelerate remembers the first device of a process, and a section may use two.
        AcceleratorState._reset_state(reset_partial_state=True)  # noqa: SLF001  # no other door
        self.torch, self.parts, self.training, self.loops = torch, parts, training, loops
        self.settings = told
        large = size == scale.large and scale.device == "cuda"
        length = scale.large_length if large else scale.length
        batch = Batch(sequences=scale.sequences, length=length, micro=scale.sequences)
        if large:
            batch = Batch(sequences=8, length=length, micro=4)
        settings = {"foreach": False, "fused": True, **settings}
        self.job = parts.job(size, steps=10_000, batch=batch, device=device, **settings)
        told.prepare(self.job)
        network = networks.build(self.job.structure, attention=self.job.attention)
        network = network.to(device)
        views = dict(networks.Parts(network, self.job.structure).views())
        if large:  # no start of a gigabyte is drawn where only speed is asked for
            for view in views.values():
                view.normal_(std=0.02) if view.dim() > 1 else view.fill_(1.0)
        else:
            for name, array in initialise(self.job.structure, b"seed"):
                views[name].copy_(torch.from_numpy(array))
        self.network = network
        self.trained = sorted(network.named_parameters())
        self.tokens = parts.Tokens(self.job.structure.vocabulary, length)
        zeros = [(torch.zeros_like(p), torch.zeros_like(p)) for _, p in self.trained]
        self.start = State([p.detach().clone() for _, p in self.trained], zeros, 0)
        self.device = torch.cuda.get_device_name() if device == "cuda" else "cpu"

    def run(self, state: State, steps: int, **settings: Any) -> tuple[State, list[float], float]:
        """Go on from a state; return the next one, the losses, and tokens a second when warm."""
        torch, training = self.torch, self.training
        job = replace(self.job, **settings).until(state.step + steps)
        with torch.no_grad():
            for (_, parameter), kept in zip(self.trained, state.weights, strict=True):
                parameter.copy_(kept)
        adamw = training.optimizer(job, self.trained)
        meter = _meter(self, adamw, state, steps)
        loader = training.Loader(job, self.tokens, first=state.step, process=0, processes=1)
        loop = self.loops.Loop(
            job,
            self.network,
            loader=loader,
            callback=meter,
            optimizers=(adamw, training.scheduler(job, adamw, first=state.step)),
            measures=training.Measures(),
            scratch=os.fspath(Path.cwd() / "build"),
        )
        meter.loop = loop
        with self.settings.attention_kernel(job.attention):
            loop.train()
        held = [adamw.state[p] for _, p in self.trained]
        after = State(
            [p.detach().clone() for _, p in self.trained],
            [(one["exp_avg"].clone(), one["exp_avg_sq"].clone()) for one in held],
            state.step + steps,
        )
        speed = job.batch.tokens * max(steps - WARM, 1) / max(meter.seconds, 1e-9)
        return after, meter.losses, speed

    def told(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """Return rows with what they were measured on."""
        return {"device": self.device, "torch": self.torch.__version__, "rows": rows}


def _meter(bench: Bench, adamw: Any, state: State, steps: int) -> Any:
    from transformers import TrainerCallback  # noqa: PLC0415  # likewise

    torch = bench.torch
    on_gpu = bench.job.device == "cuda"

    class Meter(TrainerCallback):
        """Restores moments, takes measures as the engine does, and times the warm steps."""

        loop: Any = None
        losses: list[float]
        seconds = 0.0

        def on_train_begin(self, *_: Any, **__: Any) -> None:
            self.losses = []
            for (_, parameter), (first, second) in zip(bench.trained, state.moments, strict=True):
                counter = torch.tensor(float(state.step))
                adamw.state[parameter] = {
                    "step": counter.to(parameter.device) if bench.job.fused else counter,
                    "exp_avg": first.clone(),
                    "exp_avg_sq": second.clone(),
                }

        def on_step_end(self, _: Any, at: Any, __: Any, **___: Any) -> None:
            if at.global_step % 10 == 0 or at.global_step == steps:
                self.losses += self.loop.measures.take(processes=1)[0]
            if at.global_step in {min(WARM, steps - 1), steps}:
                if on_gpu:
                    torch.cuda.synchronize()
                self.seconds = time.perf_counter() - self.seconds

    return Meter()


def mfu(scale: Scale, size: str, *variants: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the speed of some ways to train one size."""
    rows, bench = [], None
    for name, settings in variants:
        try:
            bench = Bench(scale, size, device=scale.device, precision="bf16", **settings)
            _, losses, speed = bench.run(bench.start, WARM + scale.timed)
        except Exception:  # noqa: BLE001  # a variant that fails is a row that says so
            rows.append({"way": name, "failed": traceback.format_exc().splitlines()[-1][:160]})
            continue
        flop = bench.job.structure.flop_per_token(bench.job.batch.length)
        nominal = bench.parts.peak(bench.device)
        rows.append(
            {
                "way": name,
                "parameters, M": round(bench.job.structure.parameters() / 1e6, 1),
                "tokens a step": bench.job.batch.tokens,
                "tokens/s": round(speed),
                "MFU, %": None if nominal is None else round(100 * speed * flop / nominal, 1),
                "last loss": losses[-1],
                "memory, GiB": _memory(bench),
            }
        )
        del bench.network, bench.start, bench.trained
    if bench is None:
        raise RuntimeError(str(rows))
    return bench.told(rows)


def _memory(bench: Bench) -> float | None:
    if bench.job.device == "cpu":
        return None
    peak = bench.torch.cuda.max_memory_allocated() / 2**30
    bench.torch.cuda.empty_cache()
    bench.torch.cuda.reset_peak_memory_stats()
    return float(peak)


def distance(one: State, other: State, start: State) -> float:
    """Return the distance of two ends over the way from their start."""
    apart = moved = 0.0
    for a, b, s in zip(one.weights, other.weights, start.weights, strict=True):
        a, b, s = (tensor.double().cpu() for tensor in (a, b, s))  # noqa: PLW2901  # in full
        apart += float((a - b).square().sum())
        moved += float((b - s).square().sum())
    return float((apart / moved) ** 0.5)


def equal(one: State, other: State) -> str:
    """Return how many tensors of two ends are bit-equal."""
    same = sum(bool((a == b).all()) for a, b in zip(one.weights, other.weights, strict=True))
    return f"{same}/{len(one.weights)}"


def floors(scale: Scale, **settings: Any) -> dict[str, Any]:
    """Return how far bf16 replays of one state lie apart, by attention kernel."""
    bench = Bench(scale, scale.small, device=scale.device, precision="bf16", **settings)
    base = "flash" if scale.device == "cuda" else "sdpa"
    begun, _, _ = bench.run(bench.start, 10, attention=base)
    rows = []
    for steps in scale.segments:
        claimed, told, _ = bench.run(begun, steps, attention=base)
        for kernel in (base, "cudnn", "math"):
            if kernel == "cudnn" and scale.device == "cpu":
                continue
            try:
                again, losses, speed = bench.run(begun, steps, attention=kernel)
            except Exception:  # noqa: BLE001  # a kernel that is not there is a row that says so
                rows.append({"steps": steps, "kernel": kernel, "failed": _last_line()})
                continue
            apart = max(abs(a - b) for a, b in zip(told, losses, strict=True))
            rows.append(
                {
                    "steps": steps,
                    "kernel": f"{kernel} against {base}",
                    "e": distance(again, claimed, begun),
                    "tensors equal": equal(again, claimed),
                    "largest loss difference": apart,
                    "tokens/s": round(speed),
                }
            )
    return bench.told(rows)


def _last_line() -> str:
    return traceback.format_exc().splitlines()[-1][:160]


def cross(scale: Scale) -> dict[str, Any]:
    """Return how far a CPU that replays a GPU's steps ends from it, in fp32 and bf16."""
    rows, bench = [], None
    threads = 1 if scale.device == "cpu" else 8
    for precision in ("fp32", "bf16"):
        bench = Bench(scale, scale.cross, device=scale.device, precision=precision)
        begun, _, _ = bench.run(bench.start, 10)
        other = Bench(scale, scale.cross, device="cpu", threads=threads)
        moved = State(
            [tensor.cpu() for tensor in begun.weights],
            [(first.cpu(), second.cpu()) for first, second in begun.moments],
            begun.step,
        )
        claimed, told, _ = bench.run(begun, scale.segments[0])
        replayed, losses, _ = other.run(moved, scale.segments[0])
        apart = max(abs(a - b) for a, b in zip(told, losses, strict=True))
        rows.append(
            {
                "steps": scale.segments[0],
                "pair": f"CPU fp32 replays {bench.device} {precision}",
                "e": distance(replayed, claimed, begun),
                "largest loss difference": apart,
            }
        )
    if bench is None:
        raise RuntimeError("no precision")
    return bench.told(rows)


STRICT = {"determinism": "strict"}
SECTIONS: dict[str, Callable[[Scale], dict[str, Any]]] = {
    "speed, small": lambda scale: mfu(scale, scale.small, ("calibrated", {})),
    "speed, small, strict": lambda scale: mfu(scale, scale.small, ("strict", STRICT)),
    "noise floor": floors,
    "noise floor, strict": lambda scale: floors(
        replace(scale, segments=scale.segments[:1]), **STRICT
    ),
    "speed, large": lambda scale: mfu(scale, scale.large, ("calibrated", {})),
    "CPU replays": cross,
    "speed, small, compiled": lambda scale: mfu(
        scale, scale.small, ("compiled", {"compile": scale.device == "cuda"})
    ),
    "speed, large, compiled": lambda scale: mfu(
        scale, scale.large, ("compiled", {"compile": scale.device == "cuda"})
    ),
}


if __name__ == "__main__":
    sys.exit(main())
