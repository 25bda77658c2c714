"""Small models with tokenizers beside them, as an export meets them."""

import json
import os
import sys
from datetime import UTC, datetime

import numpy as np
import pytest

from dokja.models.forge.exports import Exporter
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import byte_tokenizer, tokenizer_config, tokenizer_json
from dokja.models.forge.transforms import ArrayTensors, write_folder

SIZES = {"vocabulary": 256, "width": 32, "layers": 2, "heads": 4, "kv_heads": 2}
SIZES |= {"head_width": 16, "ffn": 64, "positions": 64}


@pytest.fixture(scope="session")
def structure():
    """A Llama whose heads together are wider than the model, so that no shape stands for two."""
    return Structure(family="llama", **SIZES)


@pytest.fixture(scope="session")
def peri():
    return Structure(family="peri", window=8, **SIZES)


@pytest.fixture(scope="session")
def make_model(tmp_path_factory):
    """Write a model's folder: weights from a seed, far enough from zero to say something."""

    def make(structure, *, tokenizer=None, edit=None, gain=8.0):
        tokenizer = tokenizer or byte_tokenizer()
        weights = {
            name: values * np.float32(gain if values.ndim > 1 else 1)
            for name, values in initialise(structure, b"exports")
        }
        if edit is not None:
            edit(weights)
        folder = tmp_path_factory.mktemp("model") / "model"
        files = {
            "tokenizer.json": json.dumps(tokenizer_json(tokenizer)).encode(),
            "tokenizer_config.json": json.dumps(tokenizer_config(tokenizer)).encode(),
        }
        write_folder(ArrayTensors(weights), folder, config=structure.config(), files=files)
        return folder

    return make


@pytest.fixture(scope="session")
def model(make_model, structure):
    return make_model(structure)


@pytest.fixture(scope="session")
def exporter():
    """Who exports, at noon, with the interpreter that runs the tests."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return Exporter(
        clock=lambda: datetime(2026, 1, 2, 12, tzinfo=UTC),
        python=sys.executable,
        environment=environment,
    )
