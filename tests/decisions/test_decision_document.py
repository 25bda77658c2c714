"""The document: its keys, what it rests on, what is published beside it, what stays sealed."""

import json

import pytest

from dokja.decisions.rulebooks import available, read
from dokja.decisions.rules import REASON_CODES, because, load_rulebook
from dokja.values import Digest, canonical_bytes

RULED = {"gates.independence.rests_on": "rulings", "gates.independence.authority": "ministry"}
KEYS = {
    "": "schema software programme rulebook ledger stage parts gates teams aggregates outcome "
    "published missing sealed reliability entries",
    "software": "name version",
    "programme": "id title invented",
    "rulebook": "id version digest title supersedes in_force",
    "ledger": "origin size root",
    "stage": "id title kind planned_advance cut_among after opens closes decided ties vacancy "
    "sources",
    "parts": "id title points parent scale sources",
    "teams": "team name models scores total rank_set gates grades advances probability "
    "probability_missing",
    "teams.scores": "part points score rulebook entries invented method",
    "teams.rank_set": "best worst level basis",
    "teams.gates": "rule subject verdict reasons parts",
    "teams.gates.reasons": "code params entries",
    "teams.grades": "model declared found difference components uses",
    "teams.grades.components": "component role parameter_share weight_bearing declared origin base "
    "found status reasons findings",
    "teams.grades.uses": "use title minimum verdict",
    "aggregates": "part statistic score teams held_by agrees entries",
    "outcome": "verdict advance out undecided planned vacancies next",
    "outcome.vacancies": "low high",
    "published": "advance eliminated agrees differences entries withheld",
    "published.eliminated": "team ground gate",
    "missing": "team part reason entries settles",
    "sealed": "entry field commitment",
    "reliability": "p_wrong missing settles",
    "entries": "seq id kind digest",
}


@pytest.fixture
def whole(a_programme, told_component):
    """A stage of which everything is told that a decision can hold."""
    programme = a_programme(RULED).teams("garam", "narae")
    programme.model("garam").model("narae", told_component(origin="open-frozen"))
    programme.ruling("garam", "holds").ruling("narae", "fails")
    programme.score("garam", "bench", 50, error=2, rests_on={"items": 300, "clusters": 30})
    programme.score("garam", "expert", 30, error=2, invented=True).score("narae", "bench", 35)
    programme.aggregate("bench", "mean", 42.5, 2).finding("garam-1", "narae-1")
    programme.outcome(["garam"], {"narae": "gate"}, withheld=["scores"])
    body = {"stage": "first", "team": "garam", "rulebook": "2026-02", "scores": {"technique": 9}}
    return programme.enter("sheet", {**body, "reviewer": {"sealed": f"sha256:{'a' * 64}"}})


def at(told, path):
    for step in filter(None, path.split(".")):
        told = told[step]
        while isinstance(told, list):
            told = told[0]
    return told


@pytest.mark.parametrize("path", KEYS)
def test_document_has_these_keys_and_no_others(whole, path):
    told = at(whole.decision().to_json(), path)

    assert sorted(told) == sorted(KEYS[path].split())


def test_document_is_canonical_and_named_by_its_digest(whole):
    decision = whole.decision()

    told = json.loads(decision.canonical_bytes)

    assert canonical_bytes(told) == decision.canonical_bytes
    assert decision.digest == Digest.of(decision.canonical_bytes)
    assert told["schema"] == "dokja.decision/1"


def test_number_travels_with_its_interval_and_what_it_rests_on(whole):
    (bench,) = [
        score["score"]
        for score in whole.decision().to_json()["teams"][0]["scores"]
        if score["part"] == "bench"
    ]

    assert (bench["value"], bench["standard_error"], bench["level"]) == (50, 2, 0.95)
    assert bench["low"] < 50 < bench["high"]
    assert bench["rests_on"] == [["clusters", 30], ["items", 300]]


def test_invented_scores_say_so(whole):
    invented = {
        score["part"]: score["invented"]
        for score in whole.decision().to_json()["teams"][0]["scores"]
    }

    assert invented == {"bench": False, "items": False, "speed": False, "expert": True}


def test_part_without_sources_has_those_of_what_it_is_a_part_of(whole):
    sources = {part["id"]: part["sources"] for part in whole.decision().to_json()["parts"]}

    own = [{"tag": "own", "address": "the office"}]
    assert [tags for tags in sources.values() if tags != own] == []


def test_decision_names_every_entry_that_it_rests_on(whole):
    told = whole.decision().to_json()

    entries = {entry.id: str(entry.digest) for entry in whole.entries}
    named = {entry["id"]: entry["digest"] for entry in told["entries"]}
    assert named == {name: entries[name] for name in named}
    assert {entry["kind"] for entry in told["entries"]} == {
        "programme",
        "team",
        "model",
        "ruling",
        "score",
        "aggregate",
        "finding",
        "outcome",
    }


def test_note_that_no_rule_reads_changes_nothing_but_the_ledger(whole):
    before = whole.decision().to_json()
    whole.enter("note", {"text": {"ko": "말", "en": "a word"}})

    after = whole.decision().to_json()

    assert {key for key in before if before[key] != after[key]} == {"ledger"}


def test_published_outcome_that_says_the_same_agrees(whole):
    published = whole.decision().published

    assert (published.agrees.value, published.differences) == ("holds", ())
    assert published.withheld == ("scores", "reviewers")


@pytest.mark.parametrize(
    ("advance", "out", "code"),
    [
        (["narae"], {"garam": "points"}, "published-otherwise"),
        (["garam"], {}, "computed-but-not-published"),
        (["garam"], {"narae": "points"}, "published-other-ground"),
    ],
)
def test_published_outcome_that_differs_is_shown_and_not_followed(
    points_only, a_programme, told_component, advance, out, code
):
    programme = a_programme({**RULED, "stages.first.planned_advance": 2}).teams("garam", "narae")
    programme.model("garam").model("narae").totals({"garam": 60, "narae": 50})
    programme.ruling("garam", "holds").ruling("narae", "fails").outcome(advance, out)

    decision = programme.decision()

    assert decision.outcome.advance == ("garam",)
    assert decision.published.agrees.value == "fails"
    assert code in {reason.code for reason in decision.published.differences}


def test_sealed_field_stays_sealed_until_it_is_opened(whole):
    sheet = whole.last
    before = whole.decision().to_json()["sealed"]
    whole.enter(
        "unseal", {"entry": sheet.id, "field": "reviewer", "value": "r-1", "salt": "0" * 64}
    )

    assert before == [{"entry": sheet.seq, "field": "reviewer", "commitment": f"sha256:{'a' * 64}"}]
    assert whole.decision().sealed == ()


def test_every_reason_of_a_decision_is_on_the_list(whole):
    known = {code: set(params) for code, params in REASON_CODES}

    found = list(reasons(whole.decision().to_json()))

    assert found
    assert [reason for reason in found if set(reason["params"]) != known[reason["code"]]] == []


def reasons(told):
    if isinstance(told, dict):
        if {"code", "params", "entries"} == set(told):
            yield told
        for inner in told.values():
            yield from reasons(inner)
    if isinstance(told, list):
        for inner in told:
            yield from reasons(inner)


def test_no_code_stands_twice_on_the_list():
    codes = [code for code, _ in REASON_CODES]

    assert len(codes) == len(set(codes))


def test_reason_that_is_not_on_the_list_is_an_error():
    with pytest.raises(ValueError, match="no reason has the code 'because'"):
        because("because")


def test_reason_with_other_parameters_is_an_error():
    with pytest.raises(ValueError, match=r"takes \['count', 'named'\], not \['count'\]"):
        because("entrants-not-named", count=4)


def test_rulebooks_of_the_package_load():
    loaded = {name: load_rulebook(read(name), file=name) for name in available()}

    assert {name: f"{book.id}/{book.version}" for name, book in loaded.items()} == {
        name: name for name in available()
    }
    assert "k-ai-2025/2026-01-15" in available()


@pytest.mark.parametrize(
    "name", ["strange", "k-ai-2025", "k-ai-2025/2099-01-01", "../secrets/2026"]
)
def test_rulebook_that_is_not_in_the_package_cannot_be_read(name):
    with pytest.raises(KeyError, match=name):
        read(name)
