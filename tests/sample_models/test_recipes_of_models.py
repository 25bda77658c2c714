"""The sample's models come from recipes of the forge, bit for bit where the engine allows it."""

import subprocess
import sys
from pathlib import Path

import pytest

from dokja.models.forge.plans import BaseStore, plan_recipe
from dokja.models.forge.recipes import read_recipe, read_table
from dokja.models.weights import open_source

ROOT = Path(__file__).parents[2]
GRADES = {
    "hanbit-1": "T4",
    "garam-1": "T4",
    "narae-1": "T4",
    "dasom-1": "T3",  # what its team declares is another matter
    "raon-1": "T1",
    "maru-1": "T4",
}


@pytest.mark.parametrize(("name", "grade"), GRADES.items())
def test_recipe_claims_what_is_true_of_the_model(sample, tmp_path, name, grade):
    recipe = read_recipe(sample / f"make/recipes/{name}.toml")

    plan = plan_recipe(
        recipe,
        "cpu",
        bases=BaseStore([sample / "programme/models"]),
        table=read_table(),
        folder=tmp_path,
    )

    counted = sum(one.parameters or 0 for one in plan.components)
    assert plan.claim["claim"] == grade
    assert counted == open_source(sample / "programme/models" / name).parameters


@pytest.mark.torch
def test_a_model_is_made_again_to_the_same_bytes(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "sample/make/build.py",
            *("--only", "dasom-1", "--into", str(tmp_path)),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, "dasom-1: the same bytes" in done.stdout) == (0, True), done.stderr
    assert (tmp_path / "run-dasom-1/record.json").exists()
