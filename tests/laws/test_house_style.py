"""What no linter of others checks: sizes, doors, purity of decisions, words that are not ours."""

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "src/dokja").rglob("*.py"))
PACKAGES = [path for path in SOURCES if path.name == "__init__.py"]
DECISIONS = [path for path in SOURCES if "decisions" in path.relative_to(ROOT / "src/dokja").parts]
LONGEST_FILE, LONGEST_FUNCTION = 600, 60


def name(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_file_is_one_idea(path):
    assert len(path.read_text().splitlines()) <= LONGEST_FILE


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_functions_fit_a_screen(path):
    tree = ast.parse(path.read_text())

    too_long = [
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno + 1 > LONGEST_FUNCTION
    ]

    assert too_long == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_source_neither_asserts_nor_swallows(path):
    tree = ast.parse(path.read_text())

    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    swallows = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (
            node.type is None
            or (isinstance(node.type, ast.Name) and node.type.id in {"Exception", "BaseException"})
        )
    ]

    assert (asserts, swallows) == ([], [])


@pytest.mark.parametrize("path", PACKAGES, ids=name)
def test_every_room_has_a_door(path):
    tree = ast.parse(path.read_text())

    names = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }

    assert ast.get_docstring(tree)
    assert "__all__" in names


@pytest.mark.parametrize("path", DECISIONS, ids=name)
def test_decisions_read_no_clock(path):
    tree = ast.parse(path.read_text())

    clocks = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in {"now", "today", "utcnow"}
    ]

    assert clocks == []


def tracked():
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return [ROOT / path for path in listed.stdout.split("\0") if path]


def test_no_file_holds_a_path_of_a_machine_or_a_registry():
    forbidden = (
        "/wo" + "rk/",
        "/ro" + "ot/",
        "pypi." + "org",
        "files.python" + "hosted",
        "index-" + "url",
    )
    allowed = {"run.py"}  # names the option that leaves addresses out

    found = [
        (str(path.relative_to(ROOT)), word)
        for path in tracked()
        if path.is_file()
        and path.stat().st_size < 2_000_000
        and str(path.relative_to(ROOT)) not in allowed
        for word in forbidden
        if word in path.read_bytes().decode("utf-8", errors="ignore")
    ]

    assert found == []
