"""The room's names load late, each from the module that it stands in."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import dokja.evidence.statistics as room

ROOM = "dokja.evidence.statistics"


def imported():
    """The names that the room's file imports, each with its module, as types are checked by."""
    tree = ast.parse(Path(room.__file__).read_text())
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(ROOM)
        for alias in node.names
    }


def test_every_name_is_what_types_are_checked_by():
    found = imported()

    assert sorted(found) == sorted(room.__all__)
    for name, module in found.items():
        assert getattr(room, name) is getattr(import_module(module), name)


def test_name_that_is_not_there_is_said_to_be_missing():
    assert not hasattr(room, "certainty")


def test_asking_an_endpoint_loads_no_ledger_no_contrasts_and_no_weights():
    program = "import sys, dokja.cli.measure; print(*sys.modules)"

    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.split()

    assert "dokja.evidence.benchmarks.running" in loaded
    late = {"dokja.evidence.ledger", f"{ROOM}.contrasts", "dokja.models.weights"}
    assert not late & set(loaded)
