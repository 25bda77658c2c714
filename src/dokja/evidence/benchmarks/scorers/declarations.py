"""Scorers as they are declared in a suite: a kind, and options that are checked whole."""

import re
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from types import MappingProxyType
from typing import Any

from dokja.errors import Mistake
from dokja.evidence.benchmarks.scorers.answers import RULES
from dokja.evidence.benchmarks.scorers.choices import ChoiceScorer
from dokja.evidence.benchmarks.scorers.exact import ExactScorer
from dokja.evidence.benchmarks.scorers.judged import JudgeScorer
from dokja.evidence.benchmarks.scorers.numbers import NumericScorer
from dokja.evidence.benchmarks.scorers.patterns import PatternScorer, example_fault, pattern_fault
from dokja.evidence.benchmarks.scorers.programs import CodeScorer
from dokja.evidence.benchmarks.scorers.tasks import Scorer
from dokja.values import shown

__all__ = ["KINDS", "NEEDED", "read_scorer"]

_Option = tuple[Callable[[Any], bool], str]


def _one_of(*values: str) -> _Option:
    return (lambda value: value in values, "one of " + ", ".join(repr(each) for each in values))


def _list_of(values: Sequence[str]) -> _Option:
    return (
        lambda said: (
            isinstance(said, list)
            and bool(said)
            and all(each in values for each in said)
            and len(set(said)) == len(said)
        ),
        "a list of " + ", ".join(repr(each) for each in values),
    )


def _compiles(pattern: object) -> bool:
    try:
        re.compile(str(pattern))
    except re.error:
        return False
    return isinstance(pattern, str) and bool(pattern)


def _is_tolerance(value: object) -> bool:
    """Tell whether a text is an exact number, at least 0, such as `0.01` or `1/3`."""
    try:
        return isinstance(value, str) and Fraction(value) >= 0
    except (ValueError, ZeroDivisionError):
        return False


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


_FLAG: _Option = (lambda value: isinstance(value, bool), "true or false")
_TEXT: _Option = (_is_text, "text")
_TOLERANCE: _Option = (_is_tolerance, "an exact number as text, such as '0.01'")
_PATTERN: _Option = (
    lambda value: not pattern_fault(value),
    "a regular expression with a group (?P<answer>…) and no repeated group that repeats inside",
)
_REFUSALS: _Option = (
    lambda value: isinstance(value, list) and all(_compiles(each) for each in value),
    "a list of regular expressions",
)
_READ = _list_of(RULES)

KINDS: Mapping[str, tuple[Callable[..., Scorer], Mapping[str, _Option]]] = MappingProxyType(
    {
        "choice": (
            ChoiceScorer,
            {"change_of_mind": _one_of("last", "several"), "refusals": _REFUSALS},
        ),
        "exact": (
            ExactScorer,
            {
                "read": _READ,
                "spacing": _one_of("ignore", "collapse"),
                "numerals": _FLAG,
                "endings": _FLAG,
                "particles": _FLAG,
                "refusals": _REFUSALS,
            },
        ),
        "numeric": (
            NumericScorer,
            {
                "read": _READ,
                "absolute": _TOLERANCE,
                "relative": _TOLERANCE,
                "refusals": _REFUSALS,
            },
        ),
        "pattern": (
            PatternScorer,
            {
                "pattern": _PATTERN,
                "example": (_is_text, "a right reply of the declared form, with {{key}} in it"),
                "take": _one_of("only", "first", "last"),
                "compare": _one_of("text", "verbatim", "number"),
                "refusals": _REFUSALS,
            },
        ),
        "code": (CodeScorer, {"whole": _FLAG, "refusals": _REFUSALS}),
        "judge": (
            JudgeScorer,
            {
                "judge": _TEXT,
                "criteria": _TEXT,
                "verdict": _one_of("binary", "graded"),
                "refusals": _REFUSALS,
            },
        ),
    }
)
"""Each kind of scorer: what makes it, and its options."""
NEEDED: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"pattern": ("pattern", "example"), "judge": ("judge", "criteria")}
)
"""Options without which a kind cannot be."""


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
    if not isinstance(kind, str) or kind not in KINDS:
        read = "nothing" if "kind" not in said else shown(repr(kind))
        expected = "one of " + ", ".join(KINDS)
        return None, (Mistake(file=file, place="scorer.kind", read=read, expected=expected),)
    make, options = KINDS[kind]
    mistakes = [
        Mistake(file=file, place=f"scorer.{key}", read="nothing", expected=options[key][1])
        for key in NEEDED.get(kind, ())
        if key not in said
    ]
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
    if kind == "pattern" and not mistakes:
        fault = example_fault(given["pattern"], given["example"])
        if fault:
            read = shown(repr(given["example"]))
            mistakes.append(Mistake(file=file, place="scorer.example", read=read, expected=fault))
    return (None, tuple(mistakes)) if mistakes else (make(**given), ())
