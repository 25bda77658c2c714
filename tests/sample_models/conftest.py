"""The sample's recipe, opened as the scripts see each other: by their bare names."""

import importlib
import json
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[2] / "sample"
MODELS = ("dasom-1", "garam-1", "hanbit-1", "maru-1", "narae-1", "raon-1")


@pytest.fixture(scope="session")
def sample():
    return SAMPLE


@pytest.fixture(scope="session", params=MODELS)
def model_folder(request):
    return SAMPLE / "programme" / "models" / request.param


@pytest.fixture(scope="session")
def items():
    return {
        path.stem: [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for path in sorted((SAMPLE / "programme" / "items").glob("*.jsonl"))
    }


@pytest.fixture
def recipe(monkeypatch):
    """Import a module of `sample/make` and forget it afterwards."""
    monkeypatch.syspath_prepend(str(SAMPLE / "make"))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if (SAMPLE / "make" / f"{name}.py").exists():
            del sys.modules[name]
