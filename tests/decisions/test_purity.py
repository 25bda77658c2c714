"""Nothing that decides can reach for a clock, for chance, for a disk or for a network."""

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[2] / "src/dokja/decisions"
SOURCES = sorted(ROOM.rglob("*.py"))
MAY_IMPORT = {
    "collections",
    "dataclasses",
    "datetime",  # for days that are read, never for the day it is
    "difflib",
    "enum",
    "functools",
    "importlib",  # `rulebooks` hands out the bytes that come with the package
    "itertools",
    "math",
    "pydantic",
    "re",
    "tomllib",
    "types",
    "typing",
}
OURS = ("dokja.decisions", "dokja.errors", "dokja.values", "dokja.evidence")
DOORS = ("dokja.evidence.ledger", "dokja.evidence.statistics")
OF_DATETIME = {"date", "datetime"}
FORBIDDEN_CALLS = {"open", "eval", "exec", "__import__", "input", "id", "hash"}
FORBIDDEN_NAMES = {"now", "today", "utcnow", "fromtimestamp", "environ", "getenv", "random"}


def name(path):
    return str(path.relative_to(ROOM))


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_room_imports_only_what_cannot_surprise(path):
    tree = ast.parse(path.read_text())

    strange = [
        (module, what)
        for module, what in imports(tree)
        if not (module.startswith(OURS) or module.split(".")[0] in MAY_IMPORT)
        or (module.startswith("dokja.evidence") and not module.startswith(DOORS))
        or (module == "datetime" and what not in OF_DATETIME)
    ]

    assert strange == []


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_room_asks_nothing_of_the_machine(path):
    tree = ast.parse(path.read_text())

    asked = [
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in FORBIDDEN_CALLS
    ]
    reached = [
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr in FORBIDDEN_NAMES
    ]

    assert (asked, reached) == ([], [])
