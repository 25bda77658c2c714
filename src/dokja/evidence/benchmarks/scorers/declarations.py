"""Scorers as they are declared in a suite: a kind, and options that are checked whole."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake
from dokja.evidence.benchmarks.scorers.choices import ChoiceScorer
from dokja.evidence.benchmarks.scorers.tasks import Scorer
from dokja.values import shown

__all__ = ["KINDS", "read_scorer"]

_Option = tuple[Callable[[Any], bool], str]


def _one_of(*values: str) -> _Option:
    return (lambda value: value in values, "one of " + ", ".join(repr(each) for each in values))


def _is_patterns(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(each, str) and _compiles(each) for each in value
    )


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return bool(pattern)


_REFUSALS: _Option = (_is_patterns, "a list of regular expressions")

KINDS: Mapping[str, tuple[Callable[..., Scorer], Mapping[str, _Option]]] = MappingProxyType(
    {
        "choice": (
            ChoiceScorer,
            {"change_of_mind": _one_of("last", "several"), "refusals": _REFUSALS},
        ),
    }
)
"""Each kind of scorer: what makes it, and its options."""


def read_scorer(said: Mapping[str, Any], *, file: str) -> tuple[Scorer | None, tuple[Mistake, ...]]:
    """Return the scorer of a table, or every mistake in it.

    Args:
        said: `kind`, and its options.
        file: Where it was read, for the mistakes.

    Example:
        >>> scorer, _ = read_scorer({"kind": "choice"}, file="suite.toml")
        >>> scorer.kind
        'choice'
    """
    kind = said.get("kind")
    if kind not in KINDS:
        read = "nothing" if "kind" not in said else shown(repr(kind))
        expected = "one of " + ", ".join(KINDS)
        return None, (Mistake(file=file, place="scorer.kind", read=read, expected=expected),)
    make, options = KINDS[kind]
    mistakes = []
    given: dict[str, Any] = {}
    for key, value in said.items():
        if key == "kind":
            continue
        if key not in options:
            expected = "one of " + ", ".join(["kind", *options])
            mistakes.append(
                Mistake(file=file, place=f"scorer.{key}", read="this key", expected=expected)
            )
        elif not options[key][0](value):
            read, expected = shown(repr(value)), options[key][1]
            mistakes.append(Mistake(file=file, place=f"scorer.{key}", read=read, expected=expected))
        else:
            given[key] = tuple(value) if isinstance(value, list) else value
    return (None, tuple(mistakes)) if mistakes else (make(**given), ())
