"""A build record admits, makes good what nobody compared, or leaves a grade open."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.decisions import Verdict
from dokja.decisions.grades import Difference, GradeRange, Status
from dokja.errors import EntryError

OTHER_ROOT = "dokja-tensors-v1:" + "b" * 64
EARLIER = "sha256:" + "e" * 64
CONTINUED = [{"kind": "S", "name": "llama", "record": EARLIER}]


@pytest.fixture
def pair(a_programme, told_component, reads_records, root_text):
    """Two teams that were not compared, under rules that read build records."""
    return (
        a_programme(reads_records)
        .teams("garam", "narae")
        .model("garam", told_component(root=root_text))
        .model("narae")
    )


def body(programme, model="garam-1"):
    return programme.grade(model).components[0]


def codes(grade):
    return [reason.code for reason in grade.reasons]


def reason(grade, code):
    (found,) = [one for one in grade.reasons if one.code == code]
    return found


def gate(programme, team="garam"):
    (standing,) = [one for one in programme.decision().teams if one.team == team]
    return standing.gates[0].verdict


def settles(programme):
    return [one for one in programme.decision().reliability.settles if one.code.startswith("build")]


def found(low, high=None):
    return GradeRange(low=low, high=high or low)


def test_record_verified_far_enough_makes_good_what_nobody_compared(pair):
    grade = body(pair.build())

    assert (grade.found, grade.status) == (found("T4"), Status.NOT_CONTRADICTED)
    assert (grade.findings, grade.uncompared) == ((pair.last.seq,), ())
    assert codes(grade) == ["declared-origin", "build-makes-good"]
    assert reason(grade, "build-makes-good").params == {
        "component": "body",
        "references": ["narae-1"],
        "level": "V2",
        "live_share": 0.95,
    }
    assert gate(pair) is Verdict.HOLDS


def test_record_makes_good_that_there_is_nothing_to_compare_with(
    a_programme, told_component, reads_records, root_text
):
    programme = a_programme(reads_records).teams("garam")
    programme.model("garam", told_component(root=root_text)).build()

    grade = body(programme)

    assert grade.found == found("T4")
    assert reason(grade, "build-makes-good").params["references"] is None


def test_record_of_what_was_compared_is_said_beside_it(pair):
    grade = body(pair.finding("garam-1", "narae-1").build())

    assert codes(grade) == ["declared-origin", "build-verified", "compared-without-relation"]


@pytest.mark.parametrize(
    ("structure", "claim", "left"),
    [
        ("own", "T5", found("T5")),
        ("own", "T4", found("T4")),  # the record claims less than was declared
        ("known", "T5", found("T4")),  # and never more
        ("known", "T4", found("T4")),
    ],
)
def test_structure_is_what_was_declared_and_claimed(
    a_programme, told_component, reads_records, root_text, structure, claim, left
):
    programme = a_programme(reads_records).teams("garam", "narae").model("narae")
    programme.model("garam", told_component(structure=structure, root=root_text))

    assert body(programme.build(claim=claim)).found == left


@pytest.mark.parametrize("place", ["builder", "examiner"])
@pytest.mark.parametrize("compared", [False, True])
def test_lower_claim_is_an_admission_whoever_verified(pair, place, compared):
    if compared:
        pair.finding("garam-1", "narae-1")
    pair.build(claim="T2", place=place, leaves=[{"kind": "O", "name": "Qwen2.5"}])

    grade = body(pair)

    assert (grade.found.high, grade.status) == ("T2", Status.ADMITTED)
    assert pair.grade("garam-1").difference is Difference.LOWER
    assert reason(grade, "build-admits").params == {
        "component": "body",
        "builder": "garam",
        "claim": "T2",
        "declared": "T4",
    }
    assert gate(pair) is Verdict.FAILS


def test_claim_of_a_record_whose_signature_nobody_checked_admits_nothing(pair):
    pair.build(claim="T2", outcomes=dict.fromkeys(("V0.1", "V0.2", "V1.1"), "not-available")
               | dict.fromkeys(("V2.1", "V2.2", "V2.3"), "undecided"))  # fmt: skip

    assert body(pair).found == found("T1", "T4")


def test_admission_of_an_earlier_record_is_not_taken_back_by_a_later_one(pair):
    pair.build(claim="T2").build(claim="T4")

    assert body(pair).found == found("T1", "T2")


@pytest.mark.parametrize(
    ("lacking", "code"),
    [
        ({"outcomes": {"V2.1": None, "V2.2": None, "V2.3": None}}, "build-below-level"),
        ({"live_share": 0.89}, "build-live-share-low"),
        ({"outcomes": {"V2.3": "undecided"}}, "build-checks-open"),
        ({"outcomes": {"V2.2": "not-available"}}, "build-checks-open"),
        ({"outcomes": {"V2.1": None}}, "build-checks-open"),
        ({"claim": None}, "build-start-not-shown"),
        ({"leaves": []}, "build-start-not-shown"),
        ({"leaves": [{"kind": "S", "name": "a"}, {"kind": "O", "name": "b"}]},
         "build-start-not-shown"),
        ({"leaves": CONTINUED}, "build-start-elsewhere"),
        ({"place": "builder"}, "build-verified-by-builder"),
        ({"root": OTHER_ROOT}, "build-of-other-weights"),
        ({"root": None}, "build-root-missing"),
        ({"builder": "narae"}, "build-of-another-team"),
    ],
)  # fmt: skip
def test_record_that_falls_short_says_in_what_and_leaves_everything_open(pair, lacking, code):
    before = body(pair)

    grade = body(pair.build(**lacking))

    assert (grade.found, grade.status) == (before.found, before.status)
    assert code in codes(grade)
    assert gate(pair) is Verdict.UNDECIDED


@pytest.mark.parametrize(
    "beside",
    [{"root": OTHER_ROOT}, {"root": None}, {"builder": "narae"}],
    ids=str,
)
@pytest.mark.parametrize("said", [{"claim": "T2"}, {"outcomes": {"V2.3": "fail"}}], ids=str)
def test_record_of_something_else_neither_admits_nor_leaves_open(pair, beside, said):
    pair.finding("garam-1", "narae-1").build(**beside, **said)

    assert body(pair).found == found("T4")


def test_weights_without_a_declared_root_are_nobodys_record(
    a_programme, told_component, reads_records
):
    programme = a_programme(reads_records).teams("garam", "narae").model("narae")
    programme.model("garam", told_component()).build()

    grade = body(programme)

    assert grade.found == found("T1", "T4")
    assert "build-root-missing" in codes(grade)


@pytest.mark.parametrize("check", ["V0.2", "V1.1", "V2.3", "V3.1"])
@pytest.mark.parametrize("compared", [False, True])
def test_check_that_did_not_hold_leaves_open_and_lowers_nothing(pair, check, compared):
    if compared:
        pair.finding("garam-1", "narae-1")

    grade = body(pair.build(outcomes={check: "fail"}))

    assert (grade.found, grade.status) == (found("T1", "T4"), Status.UNDECIDED)
    assert reason(grade, "build-check-failed").params["check"] == check
    assert gate(pair) is Verdict.UNDECIDED


def test_failed_check_says_what_it_rests_on(pair):
    checks = [
        {"check": "V0.1", "outcome": "pass"},
        {
            "check": "V2.3",
            "component": "body",
            "outcome": "fail",
            "value": 514.0,
            "threshold": 1.001,
            "power": 0.02,
        },
    ]
    pair.build(findings=checks, level="V0")

    params = reason(body(pair), "build-check-failed").params

    assert (params["value"], params["threshold"], params["power"]) == (514.0, 1.001, 0.02)


def test_failed_check_is_not_outvoted_and_is_made_good_by_a_correction(pair):
    pair.build(outcomes={"V2.3": "fail"})
    failed = pair.last
    pair.build()
    before = body(pair)

    pair.correct(failed, None)

    assert (before.found, body(pair).found) == (found("T1", "T4"), found("T4"))


def test_builder_who_found_a_failing_check_is_shown_and_nothing_more(pair):
    pair.finding("garam-1", "narae-1").build(outcomes={"V2.3": "fail"}, place="builder")

    assert body(pair).found == found("T4")


def test_check_of_one_component_leaves_the_others_where_they_are(
    a_programme, told_component, reads_records, root_text
):
    parts = [
        told_component(root=root_text),
        told_component("eyes", role="vision-encoder", root=OTHER_ROOT),
    ]
    programme = a_programme(reads_records).teams("garam", "narae").model("garam", *parts)
    programme.model("narae", *parts)
    told = [
        {"component": "body", "role": "language-body", "claim": "T4", "root": root_text},
        {"component": "eyes", "role": "vision-encoder", "claim": "T4", "root": OTHER_ROOT},
    ]
    own = {"leaves": [{"kind": "S", "name": "llama"}]}
    checks = [{"check": "V0.1", "outcome": "pass"}]
    checks += [
        {"check": check, "component": name, "outcome": outcome}
        for name, outcome in (("body", "pass"), ("eyes", "fail"))
        for check in ("V2.1", "V2.2", "V2.3")
    ]
    programme.build(components=[{**one, **own} for one in told], findings=checks, level="V0")

    grades = programme.grade("garam-1").components

    assert [grade.found for grade in grades] == [found("T4"), found("T1", "T4")]


def test_failed_check_of_the_whole_record_is_one_of_every_component(pair):
    pair.build(outcomes={"V0.2": "fail"})

    assert body(pair).failed_checks == ("V0.2",)


def test_relation_that_was_found_is_not_taken_away(pair):
    pair.finding("garam-1", "Qwen2.5", "fine_tuned")
    before = body(pair).found.high

    grade = body(pair.build())

    assert (before, grade.found) == ("T2", found("T2"))
    assert grade.status is Status.CONTRADICTED


@pytest.mark.parametrize(
    "weak",
    [
        {"relations": ["fine_tuned"], "derivation": "yes"},  # which way it runs is open
        {"relations": ["fine_tuned"], "derivation": "cannot_tell"},
        {"controls": "none"},
        {"minimum_detectable": 0.9},
    ],
    ids=str,
)
def test_comparison_that_was_made_and_is_open_stays_open(pair, weak):
    grade = body(pair.finding("garam-1", "narae-1", **weak).build())

    assert grade.status is Status.UNDECIDED
    assert grade.uncompared == ("narae-1",)


@pytest.mark.parametrize(
    ("earlier", "left"),
    [
        ({}, found("T4")),
        ({"place": "builder"}, found("T1", "T4")),
        ({"live_share": 0.1}, found("T1", "T4")),
        ({"outcomes": {"V2.1": "undecided"}}, found("T1", "T4")),
        ({"outcomes": {"V3.1": "fail"}}, found("T1", "T4")),
        ({"leaves": [{"kind": "O", "name": "Qwen2.5"}]}, found("T1", "T4")),
        ({"builder": "narae"}, found("T1", "T4")),
        ({"leaves": CONTINUED}, found("T1", "T4")),  # a ring has no beginning
    ],
    ids=str,
)
def test_record_that_goes_on_from_an_earlier_one_needs_that_verified_too(
    pair, told_component, earlier, left
):
    pair.model("garam", told_component(), model="garam-0", stages=[])
    pair.build(model="garam-0", record=EARLIER, root=None, **earlier)

    assert body(pair.build(leaves=CONTINUED)).found == left


def test_rulebook_chooses_level_share_and_checks(a_programme, told_component, root_text):
    strict = {"scheme.records": {"level": "V3", "live_share": 1.0, "checks": ["V3.1"]}}
    programme = a_programme(strict).teams("garam", "narae").model("narae")
    programme.model("garam", told_component(root=root_text)).build()
    before = codes(body(programme))

    programme.build(outcomes={"V3.1": "pass", "V2.3": "undecided"}, live_share=1.0)

    assert before[-3:] == ["build-below-level", "build-live-share-low", "build-checks-open"]
    assert body(programme).found == found("T4")


def test_component_without_a_declaration_is_not_declared_by_a_record(
    a_programme, reads_records, root_text
):
    silent = {"component": "body", "role": "language-body", "root": root_text}
    programme = a_programme(reads_records).teams("garam", "narae").model("narae")
    programme.model("garam", silent).build()

    grade = body(programme)

    assert (grade.declared, grade.found) == (None, found("T0", "T4"))
    assert reason(grade, "build-admits").params["declared"] is None


def test_what_would_settle_it_names_the_record_and_its_level(pair):
    assert [(one.code, one.params["team"], one.params["level"]) for one in settles(pair)] == [
        ("build-would-settle", "garam", "V2"),
        ("build-would-settle", "narae", "V2"),
    ]


def test_what_would_settle_a_failed_check_is_that_check_made_again(pair):
    pair.finding("garam-1", "narae-1").build(outcomes={"V2.3": "fail", "V2.4": "fail"})

    assert [(one.code, one.params["checks"], one.entries) for one in settles(pair)] == [
        ("build-check-would-settle", ["V2.3", "V2.4"], body(pair).findings)
    ]


@pytest.mark.parametrize(
    "otherwise",
    [
        {"declared": {"origin": "open-continued"}},
        {"weak": {"minimum_detectable": 0.9}},
        {"records": False},
    ],
    ids=str,
)
def test_no_record_is_asked_for_where_it_would_not_settle(
    a_programme, told_component, reads_records, otherwise
):
    programme = a_programme(reads_records if otherwise.get("records", True) else {})
    programme.teams("garam", "narae").model("narae", told_component(origin="open-continued"))
    programme.model("garam", told_component(**otherwise.get("declared", {})))
    if "weak" in otherwise:
        programme.finding("garam-1", "narae-1", **otherwise["weak"])

    assert settles(programme) == []


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"model": "nobody-1"}, "model"),
        ({"components": [{"component": "wings", "role": "projector"}]}, "components.0.component"),
        ({"components": [{"component": "body", "role": "projector"}]}, "components.0.role"),
    ],
)
def test_record_of_what_nobody_declared_is_a_mistake(pair, change, place):
    checks = [{"check": "V0.1", "outcome": "pass"}]
    pair.build(findings=checks, level="V0", **change)

    with pytest.raises(EntryError) as refused:
        pair.decision()

    assert [one.place for one in refused.value.mistakes] == [place]


records = st.fixed_dictionaries(
    {
        "claim": st.sampled_from([None, "T0", "T2", "T4", "T5"]),
        "root": st.sampled_from([None, OTHER_ROOT, "dokja-tensors-v1:" + "a" * 64]),
        "leaves": st.sampled_from(
            [[], [{"kind": "S", "name": "a"}], [{"kind": "O", "name": "b"}], CONTINUED]
        ),
        "place": st.sampled_from(["examiner", "builder"]),
        "live_share": st.sampled_from([0.0, 0.9, 1.0]),
        "builder": st.sampled_from(["garam", "narae"]),
        "outcomes": st.dictionaries(
            st.sampled_from(["V0.1", "V1.1", "V2.1", "V2.3", "V3.1"]),
            st.sampled_from(["pass", "fail", "undecided", "not-available", None]),
        ),
    }
)
comparisons = st.tuples(
    st.sampled_from(["narae-1", "outside"]),
    st.sampled_from(["no_evidence", "fine_tuned", "depth_edited"]),
    st.sampled_from([None, "model_from_reference"]),
    st.sampled_from(["well", "none"]),
)


def say(programme, told):
    if isinstance(told, dict):
        return programme.build(**told)
    reference, relation, direction, controls = told
    return programme.finding("garam-1", reference, relation, direction=direction, controls=controls)


@given(told=st.lists(records | comparisons, max_size=5), structure=st.sampled_from(["own", None]))
@settings(max_examples=80)
def test_more_evidence_never_turns_a_failure_into_a_pass(
    a_programme, told_component, reads_records, root_text, told, structure
):
    programme = a_programme(reads_records).teams("garam", "narae").model("narae")
    programme.model("garam", told_component(structure=structure, root=root_text))
    highs = [body(programme).found.high]
    for one in told:
        grade = body(say(programme, one))
        highs.append(grade.found.high)

        assert grade.found.high <= grade.declared
        assert grade.found.low <= grade.found.high

    assert highs == sorted(highs, reverse=True)


@given(told=st.lists(records, min_size=1, max_size=3), more=st.lists(comparisons, max_size=2))
@settings(max_examples=40)
def test_rulebook_that_reads_no_records_decides_as_if_there_were_none(
    a_programme, told_component, root_text, told, more
):
    programme = a_programme().teams("garam", "narae").model("narae")
    programme.model("garam", told_component(root=root_text))
    for one in more:
        say(programme, one)
    without = programme.decision().to_json()
    for one in told:
        say(programme, one)

    decided = programme.decision().to_json()

    assert {**decided, "ledger": None} == {**without, "ledger": None}


@given(told=st.lists(records, max_size=3))
@settings(max_examples=40)
def test_low_end_rises_only_where_every_condition_of_the_rules_is_met(
    a_programme, told_component, reads_records, root_text, told
):
    """The slow twin: every condition written out, over all records at once."""
    programme = a_programme(reads_records).teams("garam", "narae").model("narae")
    programme.model("garam", told_component(root=root_text))
    for one in told:
        programme.build(**one)

    own = [one for one in told if (one["builder"], one["root"]) == ("garam", root_text)]
    examined = [one for one in own if one["place"] == "examiner"]
    outcomes = [{"V0.1": "pass", **one["outcomes"]} for one in examined]
    failed = any("fail" in one.values() for one in outcomes)
    signed = [one for one in own if one["outcomes"].get("V0.1") != "fail"]
    lower = any((one["claim"] or "T9") < "T4" for one in signed)
    shows = any(
        one["claim"] in {"T4", "T5"}
        and one["leaves"] == [{"kind": "S", "name": "a"}]
        and one["live_share"] >= 0.9
        and all(one["outcomes"].get(check, "pass") == "pass" for check in ("V2.1", "V2.3"))
        for one in examined
    )
    grade = body(programme)
    assert (grade.found == found("T4")) == (shows and not failed and not lower)
