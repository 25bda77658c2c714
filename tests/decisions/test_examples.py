"""The examples in the docstrings are what happens."""

import doctest
from importlib import import_module
from pkgutil import walk_packages

import pytest

import dokja.decisions

MODULES = sorted(
    module.name
    for module in walk_packages(dokja.decisions.__path__, prefix="dokja.decisions.")
    if not module.ispkg
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    results = doctest.testmod(
        import_module(name), optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )

    assert results.failed == 0
