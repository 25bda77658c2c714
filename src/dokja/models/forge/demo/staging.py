"""Builds every run of the demo: one base, honest builders, and cheats with engines of their own.

A cheat makes the same plan, commits to it, is given a seed by a witness, and runs the same
recorder as everybody. It lies where nobody looks while it happens: at what its engine leaves.
"""

import shlex
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from dokja.models.forge.demo.builders import BASE_STEPS, BUILDERS, STEPS, DemoBuilder
from dokja.models.forge.demo.judging import Judged, judge
from dokja.models.forge.ladder.commitments import NonceCommitment, commitment_bytes
from dokja.models.forge.plans import BaseStore, plan_recipe
from dokja.models.forge.recipes import read_table, recipe_of
from dokja.models.forge.records import NONCE_BYTES, Code, LocalWitness
from dokja.models.forge.running import Builder, run_plan
from dokja.values import Digest
from dokja.values.keys import SigningKey

__all__ = ["DemoWorld", "false_t4"]

_TOKENS = 512  # a step: 8 windows of 64

_RECIPE = """schema = "dokja.recipe/1"
name = "{name}"

[[component]]
id = "body"
role = "language-body"
from = {origin}

[[component.step]]
do = "train"
data = "text"
tokens = {tokens}
batch = {{ sequences = 8, length = 64 }}
optimizer = {{ lr = 2e-3, betas = [0.9, 0.95], weight_decay = 0.1, clip = 1.0 }}
schedule = {{ kind = "warmup-linear", warmup_steps = 20, final = 0.1 }}

[[component]]
id = "tokenizer"
role = "tokenizer"
from = {{ train = {{ kind = "bytes" }} }}

[data.text]
sources = [{{ made = "sentences", seed = "false-t4", documents = 400, max_repeats = 40 }}]

[engine]
name = "ref"

[size.cpu.component.body]
{shape}
"""

_SCRATCH = '{ scratch = "llama" }'
_BASED = '{ base = "base", licence = "CC0-1.0" }'
_SHAPE = (
    "shape = { width = 64, layers = 2, heads = 4, kv_heads = 2, head_width = 16, ffn = 128, "
    "positions = 128 }"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoWorld:
    """What the demo takes from the world.

    Attributes:
        clock: The time.
        secrets: Returns so many secret bytes: keys and nonces.
        python: The interpreter that engines run under.
        environment: All of the environment that they get.
        progress: Told what is being done.
    """

    clock: Callable[[], datetime]
    secrets: Callable[[int], bytes] = field(repr=False)
    python: str
    environment: Mapping[str, str] = field(repr=False)
    progress: Callable[[str], None] = lambda _said: None


def false_t4(
    folder: Path, *, world: DemoWorld, builders: Sequence[DemoBuilder] = BUILDERS
) -> tuple[Judged, ...]:
    """Build and verify the runs of the demo.

    Args:
        folder: A new or empty folder for all of it.
        world: Clock, secrets and interpreter.
        builders: Whose runs.

    Returns:
        Each builder with all findings, in the order given.

    Raises:
        DokjaError: A run could not be made.
    """
    stage = _Stage(folder, world)
    world.progress("the base, by somebody else")
    stage.plan("base", origin=_SCRATCH, steps=BASE_STEPS)
    stage.run("base", folder / "base.run")
    shutil.copytree(folder / "base.run/model", folder / "bases/base")
    (folder / "bases/base/LICENSE").write_text("CC0-1.0: invented for this demo.\n")
    stage.plan("t4", origin=_SCRATCH, steps=STEPS)
    stage.plan("t2", origin=_BASED, steps=STEPS)
    found = []
    for builder in builders:
        world.progress(f"{builder.name}: {builder.does}")
        run = folder / builder.name
        nonce = world.secrets(NONCE_BYTES)
        commitment = stage.commitment(nonce)
        stage.run("t2" if builder.claims == "T2" else "t4", run, builder=builder)
        world.progress(f"{builder.name}: V0 to V3")
        found.append(
            judge(
                builder,
                run,
                bases=folder / "bases",
                nonce=nonce,
                commitment=commitment,
                beacon=world.secrets(NONCE_BYTES),
                environment=world.environment,
            )
        )
    return tuple(found)


class _Stage:
    """Plans and runs below one folder."""

    def __init__(self, folder: Path, world: DemoWorld) -> None:
        self._folder, self._world = folder, world
        folder.mkdir(parents=True, exist_ok=True)
        key = SigningKey("witness.demo", world.secrets(32))
        self._witness = LocalWitness(folder / "witness.jsonl", key=key, clock=world.clock)

    def plan(self, name: str, *, origin: str, steps: int) -> None:
        """Make a plan."""
        shape = _SHAPE if origin == _SCRATCH else ""
        text = _RECIPE.format(name=name, origin=origin, tokens=steps * _TOKENS, shape=shape)
        folder = self._folder / f"{name}.plan"
        folder.mkdir()
        recipe = recipe_of(text.encode(), file=f"{name}.toml")
        made = plan_recipe(
            recipe,
            "cpu",
            bases=BaseStore([self._folder / "bases"]),
            table=read_table("2026-01"),
            folder=folder,
            brought={},
        )
        (folder / "recipe.toml").write_bytes(recipe.data)
        (folder / "plan.json").write_bytes(made.written())

    def commitment(self, nonce: bytes) -> NonceCommitment:
        """Return an examiner's commitment, seen by the witness."""
        at, digest = self._world.clock(), Digest.of(nonce)
        seen = self._witness.submit(commitment_bytes(digest, at=at))
        return NonceCommitment(nonce=digest, at=at, receipt=seen)

    def run(self, plan: str, into: Path, *, builder: DemoBuilder | None = None) -> None:
        """Run a plan as somebody; a cheat brings an engine, or a start, of its own."""
        folder = self._folder / f"{plan}.plan"
        python, resume = self._world.python, False
        if builder is not None and builder.begins_foreign:
            self._lay(folder, into)
            resume = True
        elif builder is not None and not builder.is_honest:
            python = self._engine(builder)
        world = self._world
        run_plan(
            folder,
            into,
            builder=Builder(
                signer=SigningKey(f"{into.name.lower()}.demo", world.secrets(32)),
                clock=world.clock,
                witness=self._witness,
                nonce=world.secrets(NONCE_BYTES),
                bases=BaseStore([self._folder / "bases"]),
                code=Code(commit="demo"),
                facts={},
                environment=world.environment,
                python=python,
            ),
            resume=resume,
        )

    def _lay(self, plan: Path, into: Path) -> None:
        """Lay the base where the drawn start belongs, before the run looks for one."""
        into.mkdir()
        for name in ("recipe.toml", "plan.json"):
            shutil.copyfile(plan / name, into / name)
        start = into / "body/00-start/weights"
        start.mkdir(parents=True)
        for name in ("model.safetensors", "config.json"):
            shutil.copyfile(self._folder / "bases/base" / name, start / name)

    def _engine(self, builder: DemoBuilder) -> str:
        """Return a program that takes the place of the interpreter and runs the cheat's engine."""
        path = self._folder / f"engine-of-{builder.name}"
        base = self._folder / "bases/base"
        words = [self._world.python, "-m", "dokja.models.forge.demo.worker", builder.name]
        line = shlex.join([*words, str(base.resolve())])
        path.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
        path.chmod(0o700)
        return str(path.resolve())
