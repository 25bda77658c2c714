"""Scorers are data with a digest; what is wrong in one is told whole."""

import pytest

from dokja.evidence.benchmarks.sanity.probing import labelled_replies
from dokja.evidence.benchmarks.scorers import KINDS, read_scorer
from dokja.values import Digest, canonical_bytes

NEEDED = {
    "pattern": {"pattern": "#(?P<answer>.+)", "example": "#{{key}}"},
    "judge": {"judge": "haneul-judge", "criteria": "Is the answer right?"},
}


def made(kind, **options):
    scorer, mistakes = read_scorer({"kind": kind, **NEEDED.get(kind, {}), **options}, file="s.toml")
    assert mistakes == ()
    return scorer


@pytest.mark.parametrize("kind", KINDS)
def test_digest_is_of_the_declaration(kind):
    scorer = made(kind)

    assert scorer.kind == kind
    assert scorer.declaration["scorer"] == kind
    assert scorer.digest == Digest.of(canonical_bytes(scorer.declaration))


@pytest.mark.parametrize(
    ("kind", "option"),
    [
        ("choice", {"change_of_mind": "several"}),
        ("choice", {"refusals": ["no"]}),
        ("exact", {"read": ["whole"]}),
        ("exact", {"particles": True}),
        ("numeric", {"absolute": "0.1"}),
        ("pattern", {"take": "last"}),
        ("code", {"whole": False}),
        ("judge", {"verdict": "graded"}),
    ],
)
def test_another_option_is_another_digest(kind, option):
    assert made(kind).digest != made(kind, **option).digest


def test_every_mistake_is_told_at_once():
    said = {"kind": "numeric", "absolute": "-1", "relative": 0.1, "read": [], "spacing": "ignore"}

    scorer, mistakes = read_scorer(said, file="suite.toml")

    assert scorer is None
    assert [each.place for each in mistakes] == [
        "scorer.absolute",
        "scorer.relative",
        "scorer.read",
        "scorer.spacing",
    ]


@pytest.mark.parametrize("kind", [None, "magic", 7, ["choice"]])
def test_kind_that_is_not_known_is_told(kind):
    scorer, (mistake,) = read_scorer({"kind": kind}, file="suite.toml")

    assert scorer is None
    assert mistake.expected == "one of choice, exact, numeric, pattern, code, judge"


@pytest.mark.parametrize(
    ("pattern", "example", "place"),
    [
        ("(", "{{key}}", "scorer.pattern"),
        ("#.+", "#{{key}}", "scorer.pattern"),
        (r"#(?P<answer>(?:a+)+)", "#{{key}}", "scorer.pattern"),
        (r"#(?P<answer>(\w*\s*)*)$", "#{{key}}", "scorer.pattern"),
        ("#(?P<answer>.+)", "#", "scorer.example"),
        ("#(?P<answer>.+)", "{{key}}", "scorer.example"),
    ],
)
def test_pattern_that_cannot_be_used_is_refused_before_it_is(pattern, example, place):
    said = {"kind": "pattern", "pattern": pattern, "example": example}

    scorer, (mistake,) = read_scorer(said, file="suite.toml")

    assert scorer is None
    assert mistake.place == place


# What the labelled replies come to under each version of the rules. When this changes, the rules
# have changed: raise the scorer's _VERSION, so that its digest says so, and write the new one here.
PINNED = {
    ("choice", 1): "393835d93a90",
    ("exact", 1): "a84cfb1d9437",
    ("numeric", 1): "053a65ef7b18",
}


def fingerprint(scorer):
    scored = [
        scorer.score(each.task, each.reply)
        for each in labelled_replies(scorer.kind, scorer.declaration)
    ]
    said = [
        [each.outcome.value, each.extracted, each.rule, list(each.span or ())] for each in scored
    ]
    return Digest.of(canonical_bytes(said)).short


@pytest.mark.parametrize("kind", ["choice", "exact", "numeric"])
def test_rules_do_not_change_without_a_new_version(kind):
    scorer = made(kind)

    assert PINNED[kind, scorer.declaration["v"]] == fingerprint(scorer)
