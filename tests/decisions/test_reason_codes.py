"""The list of reasons and the code agree: none is given unlisted, none is listed for show."""

import ast
from pathlib import Path

import pytest

from dokja.decisions import REASON_CODES

ROOM = Path(__file__).parents[2] / "src/dokja/decisions"
LIST = ROOM / "rules/reasons.py"
GIVING = [path for path in sorted(ROOM.rglob("*.py")) if path != LIST]
CODES = {code for code, _ in REASON_CODES}


def given(path):
    """Every `because(…)` of a file: the texts that its code can be, and its parameters."""
    for node in ast.walk(ast.parse(path.read_text())):
        named = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "because"
        if named:
            yield node


def texts(node):
    return {
        inner.value
        for inner in ast.walk(node)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    }


@pytest.mark.parametrize("path", GIVING, ids=lambda path: str(path.relative_to(ROOM)))
def test_reasons_that_are_written_out_are_on_the_list(path):
    strange = [code for call in given(path) for code in texts(call.args[0]) if code not in CODES]

    assert strange == []


@pytest.mark.parametrize("path", GIVING, ids=lambda path: str(path.relative_to(ROOM)))
def test_reasons_have_the_parameters_of_the_list(path):
    listed = {code: set(params) for code, params in REASON_CODES}

    wrong = [
        (code, sorted(passed))
        for call in given(path)
        if (passed := {key.arg for key in call.keywords if key.arg} - {"entries"}) is not None
        and all(key.arg for key in call.keywords)  # with ** the parameters are seen when it runs
        for code in texts(call.args[0])
        if passed != listed[code]
    ]

    assert wrong == []


def test_every_listed_reason_is_given_somewhere():
    written = {text for path in GIVING for text in texts(ast.parse(path.read_text()))}

    assert sorted(CODES - written) == []
