"""What a component is by declaration, and what findings leave of it."""

import pytest

from dokja.decisions.grades import Difference, GradeRange, Status
from dokja.evidence.ledger.kinds import Component

ORIGINS = {
    "closed-api": "T0",
    "closed-adapted": "T1",
    "open-adapted": "T1",
    "open-frozen": "T1",
    "open-continued": "T2",
    "open-extended": "T3",
}


@pytest.fixture
def pair(a_programme):
    """Two teams with one body each, and a rulebook that asks for comparisons of all with all."""
    return a_programme().teams("garam", "narae").model("garam").model("narae")


def body(programme, model="garam-1"):
    return programme.grade(model).components[0]


def found(low, high=None):
    return GradeRange(low=low, high=high or low)


@pytest.mark.parametrize(("origin", "grade"), ORIGINS.items())
@pytest.mark.parametrize("structure", [None, "own", "known", "extended"])
def test_weights_of_others_are_graded_by_their_origin(a_programme, origin, grade, structure):
    part = {"component": "body", "role": "language-body", "origin": origin, "structure": structure}
    programme = a_programme().teams("garam").model("garam", part)

    assert body(programme).declared == grade


@pytest.mark.parametrize(
    ("structure", "grade"), [(None, "T4"), ("known", "T4"), ("extended", "T4"), ("own", "T5")]
)
def test_own_weights_are_graded_by_their_structure(a_programme, told_component, structure, grade):
    programme = a_programme().teams("garam").model("garam", told_component(structure=structure))

    assert body(programme).declared == grade


def test_own_structure_stands_as_declared_when_nothing_is_found(pair, told_component):
    pair.entries.pop()
    pair.model("narae", told_component(structure="own")).finding("garam-1", "narae-1")

    assert body(pair, "narae-1").found == found("T5")


def test_nothing_compared_leaves_everything_open(pair):
    grade = body(pair)

    assert (grade.found, grade.status) == (found("T1", "T4"), Status.UNDECIDED)
    assert grade.uncompared == ("narae-1",)


def test_component_that_was_not_declared_is_open_to_the_bottom(a_programme):
    part = {"component": "body", "role": "language-body"}
    programme = a_programme().teams("garam").model("garam", part)

    assert body(programme).found == found("T0", "T5")


def test_comparison_without_relation_settles_both_sides(pair):
    pair.finding("garam-1", "narae-1")

    assert [body(pair, model).found for model in ("garam-1", "narae-1")] == [found("T4")] * 2
    assert body(pair, "narae-1").findings == (pair.last.seq,)


@pytest.mark.parametrize(
    ("relations", "left"),
    [
        (("identical",), found("T1")),
        (("fine_tuned",), found("T2")),
        (("depth_edited",), found("T3")),
        (("fine_tuned", "depth_edited"), found("T2", "T3")),
        (("depth_edited", "shared_initialisation"), found("T3")),
    ],
)
def test_relation_leaves_what_the_rulebook_says(pair, relations, left):
    pair.finding(
        "garam-1", "narae-1", *relations, derivation="yes", direction="model_from_reference"
    )

    assert (body(pair).found, body(pair).status) == (left, Status.CONTRADICTED)
    assert pair.grade("garam-1").difference is Difference.LOWER


@pytest.mark.parametrize(
    ("relation", "alone", "beside"),
    [
        ("fine_tuned", "yes", "yes"),
        ("continually_pretrained", "yes", "yes"),
        ("depth_edited", "yes", "yes"),
        ("identical", "yes", "yes"),
        ("shared_initialisation", "no", "cannot_tell"),
        ("no_evidence", "no", "cannot_tell"),
    ],
)
def test_mixture_that_is_left_open_neither_clears_nor_accuses(a_programme, relation, alone, beside):
    """With an unknown model besides, a component is left with as many grades, or more."""

    def graded(*relations, derivation):
        pair = a_programme().teams("garam", "narae").model("garam").model("narae")
        pair.finding(
            "garam-1",
            "narae-1",
            *relations,
            derivation=derivation,
            direction="model_from_reference",
        )
        return body(pair)

    without = graded(relation, derivation=alone)
    left_open = graded(relation, "merged", derivation=beside)

    assert left_open.found.low <= without.found.low
    assert left_open.found.high >= without.found.high
    if without.status is not Status.CONTRADICTED:
        assert left_open.status is Status.UNDECIDED


def test_source_of_a_derived_model_keeps_its_grade(pair):
    pair.finding("garam-1", "narae-1", "depth_edited", direction="model_from_reference")

    assert body(pair, "narae-1").found == found("T4")


def test_direction_can_point_from_the_model_to_the_reference(pair):
    pair.finding("garam-1", "narae-1", "depth_edited", direction="reference_from_model")

    assert [body(pair, model).found.high for model in ("garam-1", "narae-1")] == ["T4", "T3"]


def test_relation_without_direction_between_candidates_is_open_for_both(pair):
    pair.finding("garam-1", "narae-1", "fine_tuned")

    both = [body(pair, model) for model in ("garam-1", "narae-1")]

    assert [grade.found for grade in both] == [found("T2", "T4")] * 2
    assert {grade.status for grade in both} == {Status.UNDECIDED}


def test_relation_without_direction_is_made_good_by_nothing_else(pair):
    pair.finding("garam-1", "narae-1", "fine_tuned").finding("garam-1", "narae-1")

    assert body(pair).status is Status.UNDECIDED


def test_declared_base_gives_the_direction(pair, told_component):
    pair.entries.pop()
    pair.model("narae", told_component(base="garam-1"))
    pair.finding("garam-1", "narae-1", "fine_tuned")

    assert [body(pair, model).found.high for model in ("garam-1", "narae-1")] == ["T4", "T2"]


@pytest.mark.parametrize("swapped", [False, True])
def test_reference_is_the_origin_whichever_way_the_finding_is_written(pair, swapped):
    pair.model("outside", role="reference", stages=[])
    ends = ("outside-1", "garam-1") if swapped else ("garam-1", "outside-1")
    pair.finding(*ends, "fine_tuned")

    assert body(pair).found.high == "T2"


def test_model_that_nobody_declared_is_an_origin_too(pair):
    pair.finding("garam-1", "Qwen2.5", "fine_tuned")

    assert body(pair).found.high == "T2"


def test_own_earlier_model_lowers_nobody(a_programme):
    programme = a_programme().teams("garam").model("garam").model("garam", model="garam-0")
    programme.finding("garam-1", "garam-0", "fine_tuned", direction="model_from_reference")

    assert body(programme).found.high == "T4"


def test_shared_initialisation_is_no_derivation(pair):
    pair.finding("garam-1", "narae-1", "shared_initialisation")

    assert body(pair).found == found("T4")


@pytest.mark.parametrize(
    "weak",
    [
        {"controls": "none"},
        {"controls": "derived-missed"},
        {"controls": "independent-found"},
        {"controls": "only-independent"},
        {"controls": "one-derived-missed"},
        {"minimum_detectable": 0.51},
        {"minimum_detectable": None},
        {"derivation": "cannot_tell"},
    ],
    ids=str,
)
def test_comparison_that_could_not_have_seen_it_clears_nobody(pair, weak):
    pair.finding("garam-1", "narae-1", **weak)

    assert body(pair).status is Status.UNDECIDED


@pytest.mark.parametrize(
    ("relation", "weak"),
    [
        ("no_evidence", {"controls": "none"}),
        ("fine_tuned", {"controls": "none"}),
        ("fine_tuned", {"derivation": "cannot_tell"}),
    ],
)
def test_better_comparison_makes_a_weak_one_good(pair, relation, weak):
    pair.finding("garam-1", "narae-1", relation, **weak).finding("garam-1", "narae-1")

    assert body(pair).found == found("T4")


@pytest.mark.parametrize("controls", ["none", "independent-found"])
def test_relation_beside_no_unrelated_pair_lowers_nobody(pair, controls):
    """A cosine of 0.99 was once shared by models that had nothing to do with each other."""
    pair.finding(
        "garam-1", "outside", "identical", direction="model_from_reference", controls=controls
    )

    grade = body(pair)

    assert (grade.found.high, grade.status) == ("T4", Status.UNDECIDED)
    assert "controls-missing" in {reason.code for reason in grade.reasons}


def test_rulebook_may_only_show_controls(a_programme):
    programme = a_programme({"gates.independence.controls": "shown"})
    programme.teams("garam").model("garam")
    programme.finding("garam-1", "outside", "identical", controls="none")

    assert body(programme).found == found("T1")


def test_as_published_asks_for_one_comparison(a_programme):
    programme = a_programme({"gates.independence.against": "as-published"})
    programme.teams("garam", "narae").model("garam").model("narae")
    before = body(programme).found
    programme.finding("garam-1", "outside")

    assert (before, body(programme).found) == (found("T1", "T4"), found("T4"))


def test_admitted_origin_is_admitted_and_not_contradicted(a_programme, told_component):
    encoder = told_component("encoder", role="vision-encoder", origin="open-frozen", base="Qwen")
    programme = a_programme().teams("garam").model("garam", encoder)

    grade = body(programme)

    assert (grade.found, grade.status, grade.base) == (found("T1"), Status.ADMITTED, "Qwen")


def test_less_than_admitted_is_contradicted(a_programme, told_component):
    programme = a_programme().teams("garam").model("garam", told_component(origin="open-extended"))
    programme.finding("garam-1", "outside", "identical")

    assert body(programme).status is Status.CONTRADICTED


def test_supply_chain_is_never_found(pair):
    pair.entries.pop()
    pair.model("narae", declared_grade="T6").finding("garam-1", "narae-1")

    grade = pair.grade("narae-1")

    assert (grade.declared, grade.found.high) == ("T6", "T4")
    assert grade.difference is Difference.LOWER


def test_weakest_component_that_bears_weights_decides(a_programme, told_component):
    programme = a_programme().teams("garam")
    programme.model(
        "garam",
        told_component(structure="own"),
        told_component("encoder", role="vision-encoder", origin="open-frozen"),
        told_component("words", role="tokenizer", origin="closed-api"),
    )

    grade = programme.grade("garam-1")

    assert (grade.declared, grade.found) == ("T1", found("T1"))
    assert [component.weight_bearing for component in grade.components] == [True, True, False]


def test_model_without_weight_bearing_components_has_no_grade(a_programme, told_component):
    programme = a_programme().teams("garam")
    programme.model("garam", told_component("words", role="tokenizer"))

    grade = programme.grade("garam-1")

    assert (grade.declared, grade.found, grade.difference) == (None, None, Difference.UNDECIDED)


@pytest.mark.parametrize(
    ("relations", "office"), [((), "undecided"), (("fine_tuned",), "fails"), (None, "holds")]
)
def test_use_floor_is_read_off_the_found_range(pair, relations, office):
    if relations is None:
        pair.finding("garam-1", "narae-1")
    elif relations:
        pair.finding("garam-1", "outside", *relations)

    uses = {use.use: use.verdict.value for use in pair.grade("garam-1").uses}

    assert uses == {"office": office, "private": "holds"}


@pytest.mark.parametrize(
    ("told", "share"),
    [
        ({"parameter_share": 0.12}, 0.12),
        ({"parameters": 30}, 0.3),
        ({}, None),
    ],
)
def test_parameter_share_is_told_or_counted(a_programme, told_component, told, share):
    programme = a_programme().teams("garam")
    programme.model("garam", told_component(**told), parameters=100)

    assert body(programme).parameter_share == share


def test_share_of_a_finding_is_used_where_none_is_declared(pair):
    pair.finding("garam-1", "narae-1", parameter_share=0.4)

    assert body(pair).parameter_share == 0.4


def test_unknown_model_cannot_be_graded(pair):
    with pytest.raises(KeyError, match="nobody-1"):
        pair.grade("nobody-1")


def test_every_origin_of_the_ledger_has_a_grade():
    known = Component.model_json_schema()["properties"]["origin"]["anyOf"][0]["enum"]

    assert set(known) == {*ORIGINS, "own-initialisation"}


def test_range_the_wrong_way_round_is_an_error():
    with pytest.raises(ValueError, match="no grade lies between T4 and T1"):
        GradeRange(low="T4", high="T1")
