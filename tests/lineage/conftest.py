"""A family of toy models made with numpy, and what can be done to their weights.

Strangers of one family share what trained models of one recipe share: shapes, spectra, the
levels of rows and columns, outlying residual dimensions, how often tokens are used. What they do
not share is their random start.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.evidence.lineage import trace
from dokja.models.weights import open_source

WIDTH, FFN, KV, VOCABULARY = 48, 96, 24, 160
SHAPES = {
    "self_attn.q_proj": (WIDTH, WIDTH),
    "self_attn.k_proj": (KV, WIDTH),
    "self_attn.v_proj": (KV, WIDTH),
    "self_attn.o_proj": (WIDTH, WIDTH),
    "mlp.gate_proj": (FFN, WIDTH),
    "mlp.up_proj": (FFN, WIDTH),
    "mlp.down_proj": (WIDTH, FFN),
}
GAINS = ("input_layernorm", "post_attention_layernorm")


@dataclass
class Toys:
    """Makes, edits, stores and compares toy models: mappings from tensor name to values."""

    home: Path
    family: np.random.Generator = field(default_factory=lambda: np.random.default_rng(77))
    count: int = 0

    def __post_init__(self):
        self.row_levels = {k: self.family.lognormal(0, 0.3, (s[0], 1)) for k, s in SHAPES.items()}
        self.column_levels = {
            k: self.family.lognormal(0, 0.3, (1, s[1])) for k, s in SHAPES.items()
        }
        for levels in self.column_levels.values():
            levels[0, :2] *= 4  # the same outlying dimensions in all of the family
        self.use = self.family.zipf(1.5, VOCABULARY) ** -0.3

    def matrix(self, rng, name):
        rows, columns = SHAPES[name]
        spikes = rng.standard_normal((rows, 3)) @ rng.standard_normal((3, columns))
        values = rng.standard_normal((rows, columns)) + spikes
        level = rng.normal(0.3, 0.1)
        return values * self.row_levels[name] * self.column_levels[name] + level

    def layer(self, rng, *, prefix):
        made = {f"{prefix}.{name}.weight": self.matrix(rng, name) for name in SHAPES}
        gains = {f"{prefix}.{name}.weight": rng.normal(1, 0.05, WIDTH) for name in GAINS}
        return made | gains

    def model(self, seed, *, layers=3):
        """Train nothing: a model with its own random start."""
        rng = np.random.default_rng(seed)
        made = {}
        for layer in range(layers):
            made |= self.layer(rng, prefix=f"model.layers.{layer}")
        common = rng.standard_normal(WIDTH)  # frequent tokens go one way, in every model its own
        rows = rng.standard_normal((VOCABULARY, WIDTH)) + np.outer(self.use * 3, common)
        made["model.embed_tokens.weight"] = rows
        made["model.norm.weight"] = rng.normal(1, 0.05, WIDTH)
        return {name: values.astype(np.float32) for name, values in made.items()}

    def encoder(self, seed, *, layers=2):
        """Make a picture encoder."""
        rng = np.random.default_rng(seed)
        made = {}
        for layer in range(layers):
            made |= self.layer(rng, prefix=f"vision_tower.layers.{layer}")
        return {name: values.astype(np.float32) for name, values in made.items()}

    @staticmethod
    def noised(model, correlation, *, seed, gains=True):
        """Mix every tensor with independent noise to this correlation."""
        rng = np.random.default_rng(seed)
        beside = np.sqrt(1 - correlation**2)
        return {
            name: (
                values
                if values.ndim < 2 and gains
                else values.mean()
                + correlation * (values - values.mean())
                + beside * values.std() * rng.standard_normal(values.shape)
            ).astype(np.float32)
            for name, values in model.items()
        }

    @staticmethod
    def with_layers(model, order, *, fresh=None):
        """Build a model whose layers are these of another; None takes one from `fresh`."""
        made = {k: v for k, v in model.items() if ".layers." not in k}
        for new, old in enumerate(order):
            source = model if old is not None else fresh
            old_prefix = f"model.layers.{0 if old is None else old}."
            made |= {
                k.replace(old_prefix, f"model.layers.{new}.", 1): v
                for k, v in source.items()
                if k.startswith(old_prefix)
            }
        return made

    def store(self, model, *, name=None, tokens=VOCABULARY, tokenizer=True):
        """Write a model to a folder and open it."""
        self.count += 1
        folder = self.home / (name or f"toy-{self.count}")
        folder.mkdir()
        save_file(model, folder / "model.safetensors")
        (folder / "config.json").write_text('{"model_type": "llama"}')
        if tokenizer:
            vocabulary = {f"t{row}": row for row in range(tokens)}
            (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": vocabulary}}))
        return open_source(folder)

    def compare(self, suspect, reference, **settings):
        """Trace two stored models, or two models that are stored first."""
        sides = [self.store(one) if isinstance(one, dict) else one for one in (suspect, reference)]
        return trace(*sides, rng=np.random.default_rng(settings.pop("seed", 1)), **settings)

    def only(self, suspect, reference, **settings):
        """Return the only finding of a trace."""
        (finding,) = self.compare(suspect, reference, **settings).findings
        return finding


@pytest.fixture
def toys(tmp_path):
    return Toys(tmp_path)


@pytest.fixture(scope="session")
def shared_toys(tmp_path_factory):
    return Toys(tmp_path_factory.mktemp("toys"))
