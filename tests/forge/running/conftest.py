"""A tiny recipe, planned and run as a user does it."""

import pytest

from dokja.cli.commands import run as dokja
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests

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
tokens = 20_480
batch = { sequences = 4, length = 128 }
optimizer = { lr = 1e-3 }

[data.text]
sources = [{ made = "sentences", seed = "a", documents = 100 }]

[engine]
name = "ref"

[seed]
fixed = "of the tests"

[size.cpu.component.body]
shape = { width = 32, layers = 2, heads = 2, head_width = 16, kv_heads = 1, ffn = 64 }
"""


@pytest.fixture(scope="session")
def recipe():
    return RECIPE


@pytest.fixture(scope="session")
def planned():
    """Plan a recipe in a folder; return the plan's folder."""

    def plan(folder, text=RECIPE, *, name="plan"):
        (folder / "tiny.toml").write_text(text)
        assert dokja(["forge", "plan", str(folder / "tiny.toml"), "-o", str(folder / name)]) == 0
        return folder / name

    return plan


@pytest.fixture(scope="session")
def root_of():
    return lambda folder: root_text(root(source_digests(open_source(folder))))


@pytest.fixture(scope="session")
def whole(tmp_path_factory, planned):
    """A run that nothing disturbed; its plan lies beside it."""
    folder = tmp_path_factory.mktemp("whole")
    plan = planned(folder)
    assert dokja(["forge", "run", str(plan), "-o", str(folder / "run")]) == 0
    return folder / "run"
