"""The floors are law: each way of breaking them is tried in a copy of the house."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def house(tmp_path):
    shutil.copytree(
        ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.toml")
    )
    shutil.copy(ROOT / ".importlinter", tmp_path)
    return tmp_path


def lint(house):
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=house,
        env={**os.environ, "PYTHONPATH": str(house / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_house_as_it_stands_is_lawful(house):
    code, said = lint(house)

    assert code == 0, said


@pytest.mark.parametrize(
    ("room", "line", "contract"),
    [
        ("values", "from dokja.evidence import ledger", "Data flows one way"),
        ("models/weights", "from dokja.evidence import ledger", "Data flows one way"),
        ("decisions", "from dokja.public import reports", "Data flows one way"),
        ("evidence/ballots", "from dokja.evidence import lineage", "Observers do not know"),
        ("evidence/ledger", "from dokja.evidence import statistics", "Observers do not know"),
        ("decisions/standing", "import numpy", "A decision knows no clock"),
        ("decisions/rules", "import time", "A decision knows no clock"),
        ("decisions/grades", "import random", "A decision knows no clock"),
        ("decisions/rules", "import socket", "A decision knows no clock"),
        ("decisions", "from dokja.models import weights", "A decision knows no clock"),
        ("evidence/lineage", "import torch", "Torch may be met only"),
        ("models/serving", "import transformers", "Torch may be met only"),
        ("evidence/ledger", "import django", "A web framework may be met only"),
        ("values", "import sqlite3", "Values do no I/O"),
    ],
)
def test_a_broken_law_is_named(house, room, line, contract):
    (house / "src/dokja" / room / "intruder.py").write_text(f'"""Breaks a law."""\n\n{line}\n')

    code, said = lint(house)

    assert code == 1
    assert f"{contract}" in "\n".join(row for row in said.splitlines() if "BROKEN" in row)


@pytest.mark.parametrize("folder", ["utils", "evidence/helpers", "public/common"])
def test_a_strange_folder_is_refused(house, folder):
    strange = house / "src/dokja" / folder
    strange.mkdir()
    (strange / "__init__.py").write_text('"""Belongs nowhere."""\n')

    code, said = lint(house)

    assert code == 1
    assert folder.rsplit("/", 1)[-1] in said
