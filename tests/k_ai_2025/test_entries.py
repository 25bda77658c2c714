"""The figures of the public record, told a second time from the reports and not from the data."""

from collections import Counter
from decimal import Decimal

import pytest

from dokja.decisions.rulebooks import available
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest, canonical_bytes, normal_form, parse_json


def decimal(number):
    return Decimal(str(number))


def score(bodies, entry):
    return decimal(bodies[entry]["score"]["value"])


def interval(bodies, entry):
    written = bodies[entry]["score"]
    return tuple(decimal(written[end]) for end in ("low", "value", "high"))


def figures(bodies, entry):
    return {figure["name"]: figure["value"] for figure in bodies[entry]["figures"]}


def test_every_body_fits_its_kind(drafts):
    mistakes = [
        str(mistake)
        for number, draft in enumerate(drafts, 1)
        for mistake in check_body(draft["kind"], draft["body"], place=f"line {number}")
    ]

    assert mistakes == []


def test_every_line_has_one_reading_and_composed_hangul(lines):
    for line in lines:
        assert canonical_bytes(parse_json(line))
        assert normal_form(line) == line


def test_lines_hold_what_a_draft_holds(drafts):
    assert {tuple(draft) for draft in drafts} == {("kind", "actor", "id", "body")}
    assert {draft["actor"] for draft in drafts} == {"public-record"}


def test_no_id_stands_twice(drafts):
    twice = [name for name, count in Counter(draft["id"] for draft in drafts).items() if count > 1]

    assert twice == []


def test_lines_stand_in_the_order_of_their_days(drafts):
    days = [draft["body"].get("on") or draft["body"]["in_force"] for draft in drafts]

    assert days == sorted(days)
    assert days[0] == "2025-06-20"
    assert days[-1] == "2026-07-03"


def test_every_kind_of_fact_is_there(drafts):
    counted = Counter(draft["kind"] for draft in drafts)

    assert {kind: counted[kind] for kind in counted if kind not in {"note", "award"}} == {
        "rulebook": 3,
        "team": 7,
        "model": 6,
        "applications": 3,
        "score": 9,
        "aggregate": 7,
        "published-order": 1,
        "claim": 1,
        "ruling": 4,
        "dispute": 13,
        "finding": 2,
        "review-vote": 4,
        "outcome": 4,
    }


def test_every_adopted_rulebook_is_the_packaged_one(bodies, rulebook_bytes):
    adopted = {
        body["version"]: body["digest"]
        for entry, body in bodies.items()
        if entry.startswith("rulebook/")
    }

    # `dokja new` adopts 2026-01-15 itself, from programme.toml.
    assert adopted == {
        version: str(Digest.of(data))
        for version, data in rulebook_bytes.items()
        if version != "2026-01-15"
    }
    assert {name for name in available() if name.startswith("k-ai-2025/")} == {
        f"k-ai-2025/{version}" for version in rulebook_bytes
    }


def test_scores_are_those_that_were_published_and_no_others(bodies):
    published = {
        ("lg", "benchmark-nia"): "9.2",
        ("lg", "benchmark-global"): "14.4",
        ("lg", "benchmark-individual"): "10.0",
        ("lg", "benchmark"): "33.6",
        ("lg", "expert"): "31.6",
        ("lg", "user"): "25.0",
        ("lg", "total"): "90.2",
        ("skt", "benchmark-nia"): "9.2",
        ("upstage", "benchmark-individual"): "10.0",
    }

    written = {
        (body["team"], body["part"]): score(bodies, entry)
        for entry, body in bodies.items()
        if entry.startswith("score/")
    }

    assert written == {key: Decimal(value) for key, value in published.items()}


def test_lg_scores_add_up_to_the_published_total(bodies):
    nia, common, own = (
        score(bodies, f"score/lg/benchmark-{part}") for part in ("nia", "global", "individual")
    )
    benchmark, expert, user = (
        score(bodies, f"score/lg/{part}") for part in ("benchmark", "expert", "user")
    )

    assert nia + common + own == benchmark == Decimal("33.6")
    assert benchmark + expert + user == score(bodies, "score/lg/total") == Decimal("90.2")


def test_means_add_up_to_the_published_mean_total(bodies):
    means = [score(bodies, f"aggregate/{part}/mean") for part in ("benchmark", "expert", "user")]
    low, value, high = interval(bodies, "aggregate/total/mean")

    assert means == [Decimal("30.4"), Decimal("28.56"), Decimal("20.76")]
    assert sum(means) == Decimal("79.72")
    assert value == Decimal("79.7")
    assert low <= sum(means) <= high


@pytest.mark.parametrize(
    ("entry", "ends"),
    [
        ("score/lg/benchmark", ("33.55", "33.6", "33.65")),
        ("score/lg/benchmark-nia", ("9.15", "9.2", "9.25")),
        ("score/lg/benchmark-global", ("14.35", "14.4", "14.45")),
        ("score/lg/expert", ("31.55", "31.6", "31.65")),
        ("score/lg/user", ("24.95", "25.0", "25.0")),  # no score lies above its part's points
        ("score/upstage/benchmark-individual", ("9.95", "10.0", "10.0")),
        ("aggregate/expert/mean", ("28.555", "28.56", "28.565")),
        ("aggregate/benchmark/mean", ("30.35", "30.4", "30.45")),
    ],
)
def test_interval_is_that_of_the_rounding(bodies, entry, ends):
    assert interval(bodies, entry) == tuple(Decimal(end) for end in ends)
    assert bodies[entry]["score"]["level"] == 1
    assert bodies[entry]["score"]["kind"] == "rounding"


def test_parts_rest_on_what_was_published(bodies):
    rests = {
        part: bodies[f"score/lg/{part}"]["rests_on"]
        for part in ("benchmark-global", "expert", "user", "benchmark-individual")
    }

    assert rests == {
        "benchmark-global": {"benchmarks": 13},
        "expert": {"experts": 10},
        "user": {"users": 49},
        "benchmark-individual": {},  # five, or two a team: the reports differ
    }


def test_best_scores_name_their_holders(bodies):
    best = {
        entry: (score(bodies, entry), body["held_by"])
        for entry, body in bodies.items()
        if entry.startswith("aggregate/") and body["statistic"] == "best"
    }

    assert best == {
        "aggregate/benchmark-nia/best": (Decimal("9.2"), ["lg", "skt"]),
        "aggregate/benchmark-global/best": (Decimal("14.4"), ["lg"]),
        "aggregate/benchmark-individual/best": (Decimal("10.0"), ["lg", "upstage"]),
    }


def test_published_order_has_four_above_one(bodies):
    assert bodies["published-order/stage-1"]["groups"] == [
        ["lg", "naver", "skt", "upstage"],
        ["nc-ai"],
    ]


def test_own_claim_of_a_team_is_no_score(bodies):
    claim = bodies["claim/lg/mean-of-13"]
    ratio = decimal(claim["value"]) / decimal(claim["reference_value"])

    assert (claim["value"], claim["reference"], claim["reference_value"]) == (
        72.03,
        "Qwen3-235B",
        69.37,
    )
    assert round(ratio, 4) == Decimal("1.0383")


def test_outcomes_are_the_published_ones(bodies):
    outcomes = {
        entry: (body["from_count"], body["to_count"], body["planned"], body["advance"])
        for entry, body in bodies.items()
        if entry.startswith("outcome/")
    }

    five = ["lg", "naver", "skt", "upstage", "nc-ai"]
    assert outcomes == {
        "outcome/selection-10": (15, 10, 10, five),  # the five of the ten that the record knows
        "outcome/selection-5": (10, 5, 5, five),
        "outcome/stage-1": (5, 3, 4, ["lg", "skt", "upstage"]),
        "outcome/re-entry": (2, 1, 1, ["motif"]),
    }
    assert bodies["outcome/stage-1"]["eliminated"] == [
        {"team": "naver", "ground": "gate", "gate": "independence"},
        {"team": "nc-ai", "ground": "points"},
    ]
    assert bodies["outcome/selection-5"]["withheld"] == ["ranks", "scores", "reviewers"]


def test_rulings_are_four_and_none_is_made_up_for_the_fifth_team(bodies):
    rulings = {
        (body["team"], body.get("component")): body["verdict"]
        for entry, body in bodies.items()
        if entry.startswith("ruling/")
    }

    assert rulings == {
        ("lg", None): "holds",
        ("skt", None): "holds",
        ("upstage", None): "holds",
        ("naver", "vision-encoder"): "fails",
    }


def test_votes_of_the_re_entry_hold_no_numbers(bodies):
    votes = {entry: body for entry, body in bodies.items() if entry.startswith("review-vote/")}

    assert set(votes) == {
        f"review-vote/{team}/{question}"
        for team in ("motif", "trillion")
        for question in ("competes", "contributes")
    }
    assert [body for body in votes.values() if {"reviewers", "in_favour"} & set(body)] == []


def test_findings_are_those_whose_weights_were_compared_with_centring(bodies):
    solar = bodies["finding/solar-open-100b/language-body/glm-4.5-air"]
    naver = bodies["finding/hyperclova-x-seed-32b-think/vision-encoder/qwen2.5-vl"]

    assert solar["effect"]["value"] == 0.0130
    assert solar["facts"]["centred_r_unmatched_layers"] == 0.0108
    assert solar["layers_compared"] == 47
    assert (solar["relations"], solar["derivation"]) == (["no_evidence"], "no")
    assert "minimum_detectable" not in solar
    assert [(c["kind"], c["value"], c["found"]) for c in solar["controls"]] == [
        ("derived", 1.0, True),
        ("independent", 0.02, False),
    ]
    assert naver["effect"]["value"] == 0.9898
    assert naver["facts"] == {"cosine": 0.9951}
    assert naver["derivation"] == "yes"
    assert "direction" not in naver
    assert "controls" not in naver


def test_relations_of_the_encoder_stay_open_between_use_as_it_is_and_more_training(bodies):
    finding = bodies["finding/hyperclova-x-seed-32b-think/vision-encoder/qwen2.5-vl"]

    assert finding["relations"] == [
        "identical",
        "requantised",
        "adapter_merged",
        "fine_tuned",
        "continually_pretrained",
    ]


def test_disputes_keep_the_published_numbers(bodies):
    solar = "dispute/solar-and-glm"

    assert figures(bodies, f"{solar}/raised") == {
        "layernorm_same": 96.8,
        "layernorm_cosine": 0.989,
        "layernorm_cosine_distance": 182,
    }
    assert figures(bodies, f"{solar}/withdrawn") == {
        "cosine_matched": 0.9497,
        "cosine_unmatched": 0.9399,
        "pearson_matched": 0.0130,
        "pearson_unmatched": 0.0108,
    }
    assert figures(bodies, f"{solar}/answered-analysis-1") == {
        "mean_absolute_difference_solar_glm": 0.2615,
        "mean_absolute_difference_glm_phi": 0.1783,
    }
    assert figures(bodies, "dispute/hyperclova-and-qwen/raised") == {
        "cosine": 99.51,
        "pearson": 98.98,
    }


def test_models_declare_only_what_was_public(bodies):
    origins = {
        (body["model"], component["component"]): component.get("origin")
        for entry, body in bodies.items()
        if entry.startswith("model/")
        for component in body.get("components", [])
    }

    assert origins == {
        ("k-exaone", "language-body"): None,
        ("ax-k1", "language-body"): "own-initialisation",
        ("solar-open-100b", "language-body"): "own-initialisation",
        ("hyperclova-x-seed-32b-think", "language-body"): None,
        ("hyperclova-x-seed-32b-think", "vision-encoder"): "open-frozen",
        ("hyperclova-x-seed-32b-think", "audio-encoder"): None,
    }
    assert [entry for entry, body in bodies.items() if "declared_grade" in body] == []
    assert [
        component
        for body in bodies.values()
        for component in body.get("components", [])
        if "base" in component  # no team was read naming one
    ] == []


def test_open_allocation_adds_up(bodies):
    groups = {
        name: bodies[f"award/open-allocation/{name}"]["amount"]
        for name in ("universities", "industry", "institutes")
    }

    assert groups == {"universities": 2624, "industry": 1288, "institutes": 312}
    assert sum(groups.values()) == 4224 == 528 * 8


def test_uncertain_awards_say_so(bodies):
    uncertain = [
        entry
        for entry, body in bodies.items()
        if entry.startswith("award/later/") and "uncertain" in body["note"]["en"]
    ]

    assert uncertain == [
        "award/later/b200-2025-h2",
        "award/later/b200-2026-h1",
        "award/later/h100-2026-h1",
    ]


def test_grades_are_said_to_be_no_rule_of_the_ministry(bodies):
    assert "never adopted" in bodies["note/t-scale"]["text"]["en"]
    assert "채택한 적이 없다" in bodies["note/t-scale"]["text"]["ko"]
