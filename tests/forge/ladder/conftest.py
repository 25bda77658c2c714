"""What the ladder's tests share: an honest run, a stranger's, and a builder who lies about his.

A cheat holds his own key and talks to a real witness: he can change what lies on his disk and
tell all of it again, properly signed. What he cannot change is what was committed and drawn.
"""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dokja.cli.commands import run as dokja
from dokja.cli.forge_keys import local_witness
from dokja.evidence.ledger import read_key
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.findings import Level, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.verify import verify
from dokja.models.forge.plans import read_plan
from dokja.models.forge.records import (
    ChainWriter,
    Checkpoint,
    Init,
    LogSpan,
    Metrics,
    Probe,
    Seal,
    Stage,
    file_manifest,
    read_chain,
    read_keys,
)
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.running.recording import write_record
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest

RECIPE = """
schema = "dokja.recipe/1"
name = "tiny"

[[component]]
id = "body"
role = "language-body"
from = { scratch = "llama" }

[[component.step]]
do = "train"
data = "text"
tokens = 10_240
batch = { sequences = 4, length = 64 }
optimizer = { lr = 1e-3, betas = [0.9, 0.95], weight_decay = 0.1, clip = 1.0 }
schedule = { kind = "warmup-linear", warmup_steps = 5, final = 0.1 }

[[component]]
id = "tokenizer"
role = "tokenizer"
from = { train = { kind = "bytes" } }

[data.text]
sources = [
  { made = "sentences", seed = "a", documents = 60, weight = 0.75, max_repeats = 4 },
  { made = "sentences", seed = "b", documents = 40, weight = 0.25, max_repeats = 4 },
]

[engine]
name = "ref"

[size.cpu.component.body]
shape = { width = 32, layers = 2, heads = 2, head_width = 16, kv_heads = 1, ffn = 64 }
"""

STEPS = 40


def root_of(folder):
    return root_text(root(source_digests(open_source(folder))))


def write_register(path, *, builder, witness):
    """Write a register that knows a builder's and a witness's key."""
    rows = "".join(
        f'[[key]]\nholder = "{key.name}"\nrole = "{role}"\n'
        f'vkey = "{key.verifier}"\nfrom = 2020-01-01\n'
        for role, key in (("builder", builder), ("witness", witness))
    )
    path.write_text(f'schema = "dokja.keys/1"\n{rows}')
    return path


@dataclass(frozen=True)
class Build:
    """A run with everything beside it: plan, keys, witness."""

    folder: Path

    @property
    def run(self):
        return self.folder / "run"

    @property
    def plan(self):
        return self.folder / "plan"

    @property
    def stage(self):
        return self.run / "body/01-train"

    @property
    def keys(self):
        return self.folder / "keys.toml"

    @property
    def events(self):
        return self.stage / "events.jsonl"

    def state(self, step):
        return self.stage / f"checkpoints/step-{step:08d}"

    def copy(self, to):
        shutil.copytree(self.folder, to)
        return Build(to)

    def edit_events(self, edit):
        """Change every line of the log by a function from object to object; None drops it."""
        said = [json.loads(line) for line in self.events.read_text().splitlines()]
        told = [edit(one) for one in said]
        lines = [json.dumps(one, separators=(",", ":")) for one in told if one is not None]
        self.events.write_text("".join(f"{line}\n" for line in lines))

    def verify(self, upto=Level.V2, **settings):
        chosen = Settings(keys=read_keys(self.keys), **settings)
        return verify(open_artefacts(self.run), upto=upto, settings=chosen)

    def failing(self, upto=Level.V2, **settings):
        """Return the numbers of the checks that fail; whatever else there is passes."""
        found = self.verify(upto, **settings)
        return {one.check for one in found if one.outcome is Outcome.FAIL}

    def retell(self, *, first=2, roots=None, compute=None):
        """Tell the chain again from an entry on, as the disk is now, signed; make a new record.

        Args:
            first: The first entry that is told otherwise.
            roots: What the start's root is said to be.
            compute: What the seal says of compute otherwise than before.
        """
        chain = read_chain(self.run)
        bodies = [link.entry.body for link in chain.links]
        lines = (self.run / "chain.jsonl").read_bytes().splitlines(keepends=True)
        kept = [line for line in lines if _entry_of(line) < first]
        (self.run / "chain.jsonl").write_bytes(b"".join(kept))
        signer = read_key(self.folder / "run.key")
        witness = local_witness(self.run, clock=_now)
        with ChainWriter(self.run, signer=signer, clock=_now, witness=witness) as writer:
            teller = _Teller(self, roots=roots, compute=compute)
            for body in bodies[first:]:
                told = teller.told(body)
                if told is not None:
                    writer.append(told)
        write_record(
            read_plan(self.run),
            self.plan,
            RunPlaces(self.run),
            chain=read_chain(self.run),
            signer=signer,
        )

    def train_again(self, start, *, lr=None):
        """Train from other weights with the run's own worker, in the place of what was there."""
        job = json.loads((self.stage / "job.json").read_text())
        if lr is not None:
            job["optimizer"]["lr"] = lr
        (self.stage / "job.json").write_text(json.dumps(job))
        weights = self.run / "body/00-start/weights"
        if start != weights:
            shutil.rmtree(weights)
            shutil.copytree(start, weights)
        shutil.rmtree(self.stage / "checkpoints")
        shutil.rmtree(self.stage / "model")
        self.events.unlink()
        words = [sys.executable, "-m", "dokja.models.forge.engines.ref", "job.json"]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        subprocess.run(words, cwd=self.stage, check=True, env=environment)
        self.publish(self.stage / "model")

    def publish(self, weights):
        """Let other weights be what came out."""
        shutil.copyfile(weights / "model.safetensors", self.run / "model/model.safetensors")


def _now():
    return datetime.now(UTC)


def _entry_of(line):
    said = json.loads(line)
    return said["n"] if "n" in said else said["entry"]["n"]


class _Teller:
    """Says the entries of a chain again, with what lies on the disk now."""

    def __init__(self, build, *, roots, compute):
        self.build, self.roots, self.compute = build, roots, compute
        self.read = 0

    def told(self, body):
        start = {} if self.roots is None else {"roots": self.roots}
        tellers = {
            Init: lambda: replace(body, **start),
            Stage: lambda: replace(body, before=self.roots["body"]) if start else body,
            Checkpoint: lambda: self._checkpoint(body),
            Probe: lambda: self._probe(body),
            Metrics: lambda: self._metrics(body),
            Seal: lambda: self._seal(body),
        }
        teller = tellers.get(type(body))
        return body if teller is None else teller()

    def _probe(self, body):
        return replace(body, before=self._state(body.before), after=self._state(body.after))

    def _state(self, state):
        folder = self.build.state(state.step)
        if not folder.is_dir():
            return state
        return replace(
            state,
            weights=root_of(folder / "weights"),
            optimizer=root_of(folder / "state/optimizer.safetensors"),
        )

    def _checkpoint(self, body):
        digests = source_digests(open_source(self.build.state(body.state.step) / "weights"))
        said = [one.to_json() for one in digests]
        data = RunPlaces(self.build.run).write_digests("body/01-train", body.state.step, said)
        return replace(body, state=self._state(body.state), digests=Digest.of(data))

    def _metrics(self, body):
        lines = self.build.events.read_bytes().splitlines(keepends=True)
        taken, at, last = [], 0, None
        for line in lines:
            at += len(line)
            said = json.loads(line)
            if at <= self.read:
                continue
            if said["kind"] == "steps":
                if said["last"] > body.last:
                    break
                last = said
            taken.append(line)
            if last is not None and last["last"] == body.last:
                break
        if last is None:
            return None
        start = self.read
        self.read += sum(map(len, taken))
        span = LogSpan(
            file=body.log.file,
            start=start,
            stop=self.read,
            digest=Digest.of(b"".join(taken)),
        )
        return replace(body, loss=last["loss"][-1], tokens=last["tokens"][0], log=span)

    def _seal(self, body):
        model = self.build.run / "model"
        files = {**body.files, "body": file_manifest(model).digest}
        ends = [json.loads(line) for line in self.build.events.read_text().splitlines()]
        seconds = sum(one.get("device_seconds", 0.0) for one in ends)
        hours = {"device_hours": {"cpu": seconds / 3600}}
        compute = {**body.compute, **hours, **(self.compute or {})}
        return replace(body, roots={"body": root_of(model)}, files=files, compute=compute)


def _built(folder, text=RECIPE):
    (folder / "tiny.toml").write_text(text)
    plan, run = folder / "plan", folder / "run"
    assert dokja(["forge", "plan", str(folder / "tiny.toml"), "-o", str(plan)]) == 0
    assert dokja(["forge", "run", str(plan), "-o", str(run)]) == 0
    write_register(
        folder / "keys.toml",
        builder=read_key(folder / "run.key"),
        witness=read_key(folder / "run.witness.key"),
    )
    return Build(folder)


@pytest.fixture(scope="session")
def make_build():
    """Return a maker of whole runs in a folder, by a recipe's text."""
    return _built


@pytest.fixture(scope="session")
def honest(tmp_path_factory):
    """A run that nobody touched; tests copy it before they change anything."""
    return _built(tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="session")
def honest_findings(honest):
    """What V0 to V2 find in the honest run."""
    return honest.verify()


@pytest.fixture(scope="session")
def stranger(tmp_path_factory):
    """Weights of the same structure that somebody else trained, on more and faster."""
    text = RECIPE.replace("lr = 1e-3", "lr = 8e-3").replace("tokens = 10_240", "tokens = 25_600")
    text = text.replace("max_repeats = 4", "max_repeats = 9")
    return _built(tmp_path_factory.mktemp("stranger"), text).run / "model"


@pytest.fixture(scope="session")
def false_t4(honest, stranger, tmp_path_factory):
    """Cheat A: claims a start from the seed, and honestly trains a stranger's weights on."""
    build = honest.copy(tmp_path_factory.mktemp("a") / "build")
    build.train_again(stranger)
    build.retell(first=1, roots={"body": root_of(stranger)})
    return build


@pytest.fixture
def build(honest, tmp_path):
    """A copy of the honest run, to be tampered with."""
    return honest.copy(tmp_path / "build")
