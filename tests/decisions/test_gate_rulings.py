"""A gate looks at each component; what it rests on is the rulebook's choice."""

import pytest

RULED = {"gates.independence.rests_on": "rulings", "gates.independence.authority": "ministry"}
EITHER = {**RULED, "gates.independence.rests_on": "rulings-then-findings"}


def gate(programme, team="garam"):
    (standing,) = [one for one in programme.decision().teams if one.team == team]
    (ruling,) = standing.gates
    return ruling


def parts(ruling):
    return {part.subject: part.verdict.value for part in ruling.parts}


def codes(ruling):
    return [reason.code for reason in ruling.reasons]


@pytest.fixture
def two_parts(told_component):
    """A body of one's own and an encoder of somebody else's."""
    encoder = told_component("encoder", role="vision-encoder", origin="open-frozen", base="Qwen")
    return told_component(), encoder


def test_gate_on_findings_rules_on_every_component(a_programme, two_parts):
    programme = a_programme().teams("garam").model("garam", *two_parts)
    programme.finding("garam-1", "outside")

    ruling = gate(programme)

    assert (ruling.rule, ruling.subject, ruling.verdict.value) == ("independence", "garam", "fails")
    assert parts(ruling) == {"garam-1/body": "holds", "garam-1/encoder": "fails"}
    assert codes(ruling)[:2] == ["grade-below-minimum", "declared-origin"]


def test_component_of_another_role_is_not_looked_at(a_programme, told_component):
    words = told_component("words", role="tokenizer", origin="closed-api")
    programme = a_programme().teams("garam").model("garam", told_component(), words)
    programme.finding("garam-1", "outside")

    assert parts(gate(programme)) == {"garam-1/body": "holds"}


@pytest.mark.parametrize(
    ("submit", "code"), [(False, "model-not-declared"), (True, "components-not-declared")]
)
def test_gate_without_anything_to_look_at_is_undecided(a_programme, told_component, submit, code):
    programme = a_programme().entrants("garam")
    if submit:
        programme.model("garam", told_component("words", role="tokenizer"))

    ruling = gate(programme)

    assert (ruling.verdict.value, codes(ruling)) == ("undecided", [code])


def test_every_model_of_the_team_is_looked_at(a_programme, told_component):
    programme = a_programme().teams("garam").model("garam")
    programme.model("garam", told_component(origin="open-continued"), model="garam-omni")
    programme.finding("garam-1", "outside")

    assert parts(gate(programme)) == {"garam-1/body": "holds", "garam-omni/body": "fails"}


def test_model_without_declared_components_is_not_passed_by_another(a_programme):
    programme = a_programme().teams("garam").model("garam").finding("garam-1", "outside")
    programme.model("garam", model="garam-omni", components=[])

    ruling = gate(programme)

    assert (ruling.verdict.value, codes(ruling)) == ("undecided", ["components-not-declared"])
    assert parts(ruling) == {"garam-1/body": "holds", "garam-omni": "undecided"}


REQUIRED = {
    "gates.independence.roles": ["language-body", "vision-encoder"],
    "gates.independence.requires": ["language-body"],
}


def test_model_that_leaves_out_a_required_component_does_not_pass(a_programme, told_component):
    eyes = told_component("eyes", role="vision-encoder")
    programme = a_programme(REQUIRED).teams("garam").model("garam", eyes)
    programme.finding("garam-1", "outside", component="eyes")

    ruling = gate(programme)

    assert (ruling.verdict.value, codes(ruling)) == ("undecided", ["components-not-declared"])
    assert ruling.reasons[0].params == {"subject": "garam-1", "roles": ["language-body"]}


def test_a_component_that_fails_is_not_excused_by_one_that_was_left_out(
    a_programme, told_component
):
    eyes = told_component("eyes", role="vision-encoder", origin="open-frozen", base="Qwen")
    programme = a_programme(REQUIRED).teams("garam").model("garam", eyes)

    assert gate(programme).verdict.value == "fails"


@pytest.mark.parametrize(
    ("of", "verdict"),
    [({}, "holds"), ({"model": "garam-omni"}, "undecided"), ({"component": "body"}, "undecided")],
)
def test_ruling_covers_the_models_that_it_is_about(a_programme, of, verdict):
    programme = a_programme(RULED).teams("garam").model("garam")
    programme.model("garam", model="garam-omni", components=[]).ruling("garam", "holds", **of)

    assert gate(programme).verdict.value == verdict


@pytest.mark.parametrize(
    ("rulings", "verdict"),
    [
        ([], "undecided"),
        ([("holds", None)], "holds"),
        ([("fails", None)], "fails"),
        ([("holds", "body")], "undecided"),
        ([("holds", "body"), ("holds", "encoder")], "holds"),
        ([("fails", "encoder")], "fails"),
        ([("holds", None), ("fails", "encoder")], "fails"),
        ([("fails", "wings")], "fails"),  # a component that was not declared
    ],
)
def test_gate_on_rulings_follows_the_authority(a_programme, two_parts, rulings, verdict):
    programme = a_programme(RULED).teams("garam").model("garam", *two_parts)
    for said, component in rulings:
        programme.ruling("garam", said, component=component)

    assert gate(programme).verdict.value == verdict


def test_gate_on_rulings_does_not_ask_the_findings(a_programme):
    programme = a_programme(RULED).teams("garam").model("garam")
    programme.finding("garam-1", "outside", "identical").ruling("garam", "holds")

    ruling = gate(programme)

    assert ruling.verdict.value == "holds"
    assert codes(ruling) == ["authority-ruled", "findings-differ-from-ruling"]


def test_ruling_on_a_component_goes_before_one_on_the_team(a_programme, two_parts):
    programme = a_programme(RULED).teams("garam").model("garam", *two_parts)
    programme.ruling("garam", "holds").ruling("garam", "fails", component="encoder")

    assert parts(gate(programme)) == {
        "garam-1/body": "holds",
        "garam-1/encoder": "fails",
        "garam": "holds",
    }


def test_ruling_of_another_authority_is_named_and_not_followed(a_programme):
    programme = a_programme(RULED).teams("garam").model("garam")
    programme.ruling("garam", "holds", authority="newspaper")

    ruling = gate(programme)

    assert ruling.verdict.value == "undecided"
    assert codes(ruling) == ["not-ruled", "ruling-of-other-authority"]


def test_ruling_in_another_stage_is_not_followed(a_programme):
    programme = a_programme(RULED).teams("garam").model("garam")
    programme.ruling("garam", "holds", stage="later")

    assert gate(programme).verdict.value == "undecided"


def test_rulings_come_first_and_findings_after(a_programme, two_parts):
    programme = a_programme(EITHER).teams("garam").model("garam", *two_parts)
    programme.finding("garam-1", "outside").ruling("garam", "holds", component="encoder")

    ruling = gate(programme)

    assert parts(ruling) == {"garam-1/body": "holds", "garam-1/encoder": "holds"}
    assert ruling.verdict.value == "holds"


def test_ruling_that_was_taken_back_is_not_followed(a_programme):
    programme = a_programme(RULED).teams("garam").model("garam").ruling("garam", "fails")
    programme.correct(programme.last, None)

    assert gate(programme).verdict.value == "undecided"


def test_grade_within_the_range_of_the_minimum_is_undecided(a_programme):
    programme = a_programme().teams("garam", "narae").model("garam").model("narae")

    ruling = gate(programme)

    assert codes(ruling) == ["grade-spans-minimum", "declared-origin", "not-compared"]


@pytest.mark.parametrize(("minimum", "verdict"), [("T3", "holds"), ("T4", "fails")])
def test_rulebook_chooses_whether_extending_a_structure_is_enough(a_programme, minimum, verdict):
    programme = a_programme({"gates.independence.minimum_grade": minimum})
    programme.teams("garam").model("garam").finding("garam-1", "outside", "depth_edited")

    assert gate(programme).verdict.value == verdict


def test_undecided_gate_says_what_would_settle_it(a_programme):
    programme = a_programme().teams("garam", "narae").model("garam").model("narae")

    settles = programme.decision().reliability.settles

    assert [
        (reason.params["team"], reason.params["component"], reason.params["references"])
        for reason in settles
        if reason.code == "comparison-would-settle"
    ] == [("garam", "body", ["narae-1"]), ("narae", "body", ["garam-1"])]


def test_undecided_ruling_says_whose_ruling_would_settle_it(a_programme):
    programme = a_programme(RULED).teams("garam").model("garam").score("garam", "total", 50)

    (settles,) = [one for one in programme.decision().reliability.settles if "gate" in one.params]

    assert (settles.code, settles.params["authority"]) == ("ruling-would-settle", "ministry")
