"""What holds of every decision, whatever is in the ledger."""

import json
import os
import subprocess
import sys
from itertools import product
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.decisions import Verdict
from dokja.evidence.ledger import Entry

TEAMS = ("dasom", "garam", "maru", "narae")
HALVES = st.integers(0, 200).map(lambda half: half / 2)
REPLAY = """
import json, sys
from dokja.decisions import judge, load_rulebook
from dokja.evidence.ledger import Entry
from dokja.values import Digest
told = json.load(sys.stdin)
decision = judge(
    load_rulebook(told["rulebook"].encode(), file="rulebook.toml"),
    [Entry(**entry) for entry in told["entries"]],
    stage="first",
    ledger_head=("ours.example/ledger", len(told["entries"]), Digest.of(b"the root of a tree")),
    software=("dokja", "0"),
)
print(decision.digest)
"""


def as_json(entry):
    return {key: getattr(entry, key) for key in ("seq", "id", "time", "kind", "actor", "body")}


@pytest.fixture
def full(a_programme, told_component):
    """Five teams with everything in it: parts, sums, rounding, a gate, findings, an order."""
    programme = a_programme({"stages.first.planned_advance": 3})
    programme.teams("dasom", "garam", "maru", "narae", "raon")
    for team in ("dasom", "garam", "maru", "narae", "raon"):
        programme.model(team)
    for index, team in enumerate(("dasom", "garam", "maru", "narae", "raon")):
        programme.score(team, "items", 38 - 3 * index, error=1.0)
        programme.score(team, "speed", 18 - 2 * index, error=0.5)
        if team != "raon":
            programme.score(team, "expert", 30 - index, error=2.0)
    programme.finding("garam-1", "dasom-1", "depth_edited", direction="model_from_reference")
    for one, other in [("dasom", "maru"), ("dasom", "narae"), ("maru", "narae")]:
        programme.finding(f"{one}-1", f"{other}-1")
    programme.correct(programme.entries[6], programme.entries[6].body)
    return programme


def test_same_entries_in_another_order_give_the_same_bytes(full):
    backwards = full.decision(entries=list(reversed(full.entries)))

    assert backwards.canonical_bytes == full.decision().canonical_bytes


def test_judging_twice_gives_the_same_bytes(full):
    assert full.decision().canonical_bytes == full.decision().canonical_bytes


def test_another_process_with_another_hash_seed_gives_the_same_bytes(full):
    told = json.dumps(
        {
            "rulebook": full.rulebook_bytes.decode(),
            "entries": [as_json(entry) for entry in full.entries],
        }
    )

    digests = {
        subprocess.run(
            [sys.executable, "-c", REPLAY],
            input=told,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("0", "1", "20260115")
    }

    assert digests == {str(full.decision().digest)}


@given(names=st.permutations(["dasom", "garam", "maru", "narae", "raon"]))
@settings(max_examples=6)
def test_renaming_the_teams_renames_the_decision(a_programme, names):
    before = ["dasom", "garam", "maru", "narae", "raon"]
    programme = a_programme({"stages.first.planned_advance": 2}).teams(*before)
    for index, team in enumerate(before):
        programme.model(team)
        programme.score(team, "total", 80 - 1.5 * index, error=1 + index / 4)
    programme.finding("maru-1", "raon-1", "fine_tuned", direction="model_from_reference")
    renamed = dict(zip(before, names, strict=True))

    after = programme.decision(entries=[with_names(e, renamed) for e in programme.entries])

    assert in_short(after.to_json()) == with_names_inside(
        in_short(programme.decision().to_json()), renamed
    )


def with_names_inside(told, renamed):
    """Exchange the names in JSON, sorted again where the document sorts by name."""
    if isinstance(told, dict):
        return {
            with_names_inside(k, renamed): with_names_inside(v, renamed) for k, v in told.items()
        }
    if isinstance(told, list):
        inside = [with_names_inside(item, renamed) for item in told]
        return sorted(inside) if all(isinstance(item, str) for item in inside) else inside
    if isinstance(told, str):
        for name in renamed:
            if told in {name, f"{name}-1", f"{name}-1/body"}:
                return told.replace(name, renamed[name])
    return told


def with_names(entry, renamed):
    body = with_names_inside(dict(entry.body), renamed)
    return Entry(**{**as_json(entry), "body": body})


def in_short(told):
    """What a decision says of each team, by name; which entries say so does not move."""
    sorted_out = sorted(told["outcome"]["out"], key=str)
    return {
        "advance": sorted(told["outcome"]["advance"]),
        "out": {one["team"]: one["ground"] for one in sorted_out},
        "p_wrong": told["reliability"]["p_wrong"],
        "teams": {
            team["team"]: {
                "total": team["total"],
                "ranks": team["rank_set"],
                "probability": team["probability"],
                "verdict": team["advances"]["verdict"],
                "gates": [gate["verdict"] for gate in team["gates"]],
                "found": [grade["found"] for grade in team["grades"]],
            }
            for team in told["teams"]
        },
    }


findings = st.lists(
    st.tuples(
        st.sampled_from([("garam-1", "narae-1"), ("narae-1", "garam-1"), ("garam-1", "outside")]),
        st.sampled_from(
            [
                ("no_evidence",),
                ("fine_tuned",),
                ("depth_edited", "width_edited"),
                ("shared_initialisation",),
                ("not_testable",),
            ]
        ),
        st.sampled_from([None, "model_from_reference", "reference_from_model"]),
        st.sampled_from(["well", "none", "derived-missed", "independent-found"]),
        st.sampled_from([None, 0.2, 0.9]),
    ),
    max_size=5,
)


def gate_verdicts(programme):
    return {standing.team: standing.gates[0].verdict for standing in programme.decision().teams}


@given(told=findings)
@settings(max_examples=60)
def test_more_findings_never_turn_a_failed_gate_into_a_pass(a_programme, told):
    programme = a_programme().teams("garam", "narae").model("garam").model("narae")
    failed = set()
    for (model, reference), relations, direction, controls, detectable in told:
        programme.finding(
            model,
            reference,
            *relations,
            direction=direction,
            controls=controls,
            minimum_detectable=detectable,
        )
        now = gate_verdicts(programme)

        assert {team: now[team] for team in failed} == dict.fromkeys(failed, Verdict.FAILS)
        failed |= {team for team, verdict in now.items() if verdict is Verdict.FAILS}


@given(
    verdicts=st.lists(st.sampled_from(["holds", "fails"]), max_size=4),
    of=st.lists(st.sampled_from([None, "body", "encoder"]), min_size=4, max_size=4),
)
@settings(max_examples=40)
def test_more_rulings_never_turn_a_failed_gate_into_a_pass(
    a_programme, told_component, verdicts, of
):
    changes = {"gates.independence.rests_on": "rulings", "gates.independence.authority": "ministry"}
    encoder = told_component("encoder", role="vision-encoder")
    programme = a_programme(changes).teams("garam").model("garam", told_component(), encoder)
    failed = False
    for verdict, component in zip(verdicts, of, strict=False):
        programme.ruling("garam", verdict, component=component)
        now = gate_verdicts(programme)["garam"]

        assert not failed or now is Verdict.FAILS
        failed = failed or now is Verdict.FAILS


@given(scores=st.lists(HALVES, min_size=4, max_size=4, unique=True), share=st.integers(1, 7))
@settings(max_examples=20)
def test_points_on_a_smaller_scale_decide_alike(points_only, scores, share):
    scale = share / 8  # a power of two below, so that scaled points are exact

    decisions = [
        points_only(2)
        .entrants(*TEAMS)
        .totals({team: score * by for team, score in zip(TEAMS, scores, strict=True)}, error=4 * by)
        .decision()
        .to_json()
        for by in (1.0, scale)
    ]

    full, scaled = [
        {
            "outcome": decision["outcome"],
            "p_wrong": decision["reliability"]["p_wrong"],
            "teams": [(t["rank_set"], t["probability"]) for t in decision["teams"]],
        }
        for decision in decisions
    ]
    assert scaled == full


@given(
    ends=st.lists(st.tuples(HALVES, HALVES).map(sorted), min_size=2, max_size=4),
    places=st.integers(1, 3),
)
@settings(max_examples=60)
def test_points_decide_what_every_completion_decides(points_only, ends, places):
    teams = TEAMS[: len(ends)]
    programme = points_only(places).entrants(*teams)
    for team, (low, high) in zip(teams, ends, strict=True):
        programme.score(team, "total", (low + high) / 2, rounded=high - low)

    decision = programme.decision()

    said = {standing.team: standing.advances.verdict for standing in decision.teams}
    assert said == {team: by_every_completion(team, dict(zip(teams, ends, strict=True)), places)
                    for team in teams}  # fmt: skip


def by_every_completion(team, ends, places):
    """The slow twin: put every team at either end, and see whether this one is always within."""
    answers = set()
    for world in product(*ends.values()):
        points = dict(zip(ends, world, strict=True))
        above = sum(points[other] > points[team] for other in ends)
        level = sum(points[other] == points[team] for other in ends if other != team)
        answers |= {above < places, above + level < places}  # who is level may stand either way
    if answers == {True}:
        return Verdict.HOLDS
    return Verdict.FAILS if answers == {False} else Verdict.UNDECIDED


@pytest.mark.parametrize(("difference", "error"), [(1.0, 1.0), (3.0, 2.0), (0.5, 4.0)])
def test_probability_of_being_wrong_is_that_of_two_normal_totals(points_only, difference, error):
    programme = points_only(1, {"probability.draws": 20_000}).entrants("garam", "narae")
    programme.totals({"garam": 60 + difference, "narae": 60}, error=error)

    wrong = programme.decision().to_json()["reliability"]["p_wrong"]

    expected = NormalDist().cdf(-difference / (error * 2**0.5))
    assert wrong["low"] == wrong["high"]
    assert wrong["low"] == pytest.approx(expected, abs=4 * (expected / 20_000) ** 0.5)


@given(
    gates=st.lists(st.sampled_from(["holds", "fails", None]), min_size=4, max_size=4),
    places=st.integers(1, 5),
    among=st.sampled_from(["entrants", "gate-passers"]),
)
@settings(max_examples=60)
def test_vacancies_are_those_of_every_completion(a_programme, gates, places, among):
    changes = {
        "gates.independence.rests_on": "rulings",
        "gates.independence.authority": "ministry",
        "stages.first.planned_advance": places,
        "stages.first.cut_among": among,
    }
    programme = a_programme(changes).entrants(*TEAMS)
    programme.totals({team: 90.0 - 10 * place for place, team in enumerate(TEAMS)})
    for team, verdict in zip(TEAMS, gates, strict=True):
        if verdict is not None:
            programme.ruling(team, verdict)

    outcome = programme.decision().to_json()["outcome"]

    counts = [vacancies(world, places, among) for world in product(*map(possible, gates))]
    assert outcome["vacancies"] == {"low": min(counts), "high": max(counts)}


def possible(verdict):
    return ["holds", "fails"] if verdict is None else [verdict]


def vacancies(world, places, among):
    """The slow twin: teams stand in the order of their names, best first."""
    if among == "entrants":
        filled = [gate for gate in world[:places] if gate == "holds"]
    else:
        filled = [gate for gate in world if gate == "holds"][:places]
    return places - len(filled)
