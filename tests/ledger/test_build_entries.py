"""Entries about builds: strict, told whole, and a level that follows from the checks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.kinds import check_body, read_body
from dokja.values.keys import SigningKey

SIGNER = str(SigningKey("garam.example/builds", bytes(32)).verifier)
DIGEST = "sha256:" + "1" * 64
ROOT = "dokja-tensors-v1:" + "2" * 64
LEVELS = ("V0", "V1", "V2", "V3")


def build(**changes):
    """The body of a build that nothing is wrong with, with changes."""
    body = {
        "on": "2026-02-05",
        "model": "garam-1",
        "record": DIGEST,
        "record_schema": "dokja.record/1",
        "run": "garam/7",
        "builder": "garam",
        "signer": SIGNER,
        "table": "2026-01",
        "claim": "T4",
        "components": [
            {
                "component": "body",
                "role": "language-body",
                "claim": "T4",
                "root": ROOT,
                "parameters": 98_624,
                "leaves": [{"kind": "S", "name": "llama"}],
                "steps": ["train"],
            }
        ],
        "findings": [
            {"check": "V0.1", "outcome": "pass"},
            {"check": "V2.3", "component": "body", "outcome": "pass", "value": 0.98, "power": 0.1},
        ],
        "level": "V2",
        "place": "examiner",
        "live_share": 1,
        "invented": True,
    }
    return {key: value for key, value in {**body, **changes}.items() if value is not ...}


def chained(**changes):
    body = {"run": "garam/7", "builder": SIGNER, "n": 0, "kind": "commit", "entry": DIGEST}
    return {**body, **changes}


def wrong(kind, body):
    return [(mistake.place, mistake.expected) for mistake in check_body(kind, body, place="line 1")]


def test_build_that_is_whole_is_read():
    said = read_body("build", build())

    assert (said.level, said.level_of("body"), said.part("body").root) == ("V2", "V2", ROOT)
    assert said.part("eyes") is None


@pytest.mark.parametrize(
    "kind",
    ["commit", "init", "stage", "metrics", "probe", "checkpoint", "interruption", "export", "seal"],
)
def test_every_kind_of_chain_entry_can_be_witnessed(kind):
    assert wrong("build-chain", chained(kind=kind, n=7, model="garam-1")) == []


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"kind": "beginning"}, "kind"),
        ({"n": -1}, "n"),
        ({"n": 1.0}, "n"),
        ({"entry": "1" * 64}, "entry"),
        ({"run": "two words"}, "run"),
        ({"run": "x" * 201}, "run"),
        ({"builder": "garam"}, "builder"),
        ({"builder": SIGNER.replace("garam", "narae")}, "builder"),
        ({"at": "2026-02-05"}, "at"),
    ],
)
def test_chain_entry_that_is_written_otherwise_is_refused(changes, place):
    assert [at for at, _ in wrong("build-chain", chained(**changes))] == [place]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"components": []}, "components"),
        ({"claim": "T6"}, "claim"),
        ({"level": "V4"}, "level"),
        ({"place": "office"}, "place"),
        ({"live_share": 1.01}, "live_share"),
        ({"signer": "garam"}, "signer"),
        ({"record": ...}, "record"),
        ({"grade": "T4"}, "grade"),
        ({"findings": [{"check": "V2", "outcome": "pass"}], "level": "none"}, "findings.0.check"),
        ({"findings": [{"check": "V2.1", "outcome": "holds"}], "level": "none"},
         "findings.0.outcome"),
        ({"findings": [{"check": "V0.1", "outcome": "pass", "value": float("nan")}],
          "level": "V0"}, "findings.0.value"),
    ],
)  # fmt: skip
def test_build_that_is_written_otherwise_is_refused(changes, place):
    assert place in [at for at, _ in wrong("build", build(**changes))]


@pytest.mark.parametrize(
    ("component", "place"),
    [
        ({"role": "language-model"}, "role"),
        ({"root": "2" * 64}, "root"),
        ({"claim": "T6"}, "claim"),
        ({"parameters": -1}, "parameters"),
        ({"leaves": [{"kind": "R", "name": "own"}]}, "leaves.0.kind"),
        ({"leaves": [{"kind": "O"}]}, "leaves.0.name"),
        ({"steps": [""]}, "steps.0"),
    ],
)
def test_component_that_is_written_otherwise_is_refused(component, place):
    body = {"component": "body", "role": "language-body", **component}

    assert [at for at, _ in wrong("build", build(components=[body]))] == [f"components.0.{place}"]


def test_everything_that_is_wrong_is_told_at_once():
    part = {"component": "body", "role": "language-body"}
    checks = [
        {"check": "V0.1", "outcome": "pass"},
        {"check": "V2.1", "component": "wings", "outcome": "fail"},
    ]

    told = wrong("build", build(components=[part, part], signer="me", level="V9"))

    assert [place for place, _ in told] == ["signer", "components", "level"]
    assert wrong("build", build(findings=checks, level="V0")) == [
        ("findings", "checks of the record's components (body); read wings")
    ]


def test_level_that_does_not_follow_from_the_checks_is_refused():
    assert wrong("build", build(level="V3")) == [("level", "V2, which follows from the checks")]


def test_level_is_taken_over_a_components_own_checks_and_those_of_the_whole_record():
    parts = [
        {"component": name, "role": role}
        for name, role in (("body", "language-body"), ("eyes", "vision-encoder"))
    ]
    checks = [
        {"check": "V0.1", "outcome": "pass"},
        {"check": "V2.1", "component": "body", "outcome": "pass"},
        {"check": "V2.1", "component": "eyes", "outcome": "fail"},
    ]

    said = read_body("build", build(components=parts, findings=checks, level="V0"))

    assert (said.level_of("body"), said.level_of("eyes")) == ("V2", "V0")


checks = st.lists(
    st.fixed_dictionaries(
        {
            "check": st.builds("V{}.{}".format, st.integers(0, 4), st.integers(1, 12)),
            "outcome": st.sampled_from(["pass", "fail", "undecided", "not-available"]),
        }
    ),
    max_size=6,
)


@given(checks)
def test_exactly_one_level_follows_from_the_checks(findings):
    taken = [
        level
        for level in ("none", *LEVELS)
        if wrong("build", build(findings=findings, level=level)) == []
    ]

    assert taken == [slow_level(findings)]


@given(checks, checks)
def test_a_check_that_fails_never_raises_a_level(before, more):
    failing = [{**one, "outcome": "fail"} for one in more]

    assert rank(slow_level(before + failing)) <= rank(slow_level(before))


def rank(level):
    return ("none", *LEVELS).index(level)


def slow_level(findings):
    """Go up level by level, until a check fails."""
    reached = "none"
    for level in LEVELS:
        own = [one["outcome"] for one in findings if one["check"].split(".")[0] == level]
        if "fail" in own:
            return reached
        if "pass" in own:
            reached = level
    return reached
