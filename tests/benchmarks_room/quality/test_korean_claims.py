"""The publication replayed from its rows (7.1 of the design note)."""

from collections import Counter
from decimal import Decimal

import pytest

from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.quality.claims import (
    OVERALL,
    candidates,
    counts_of,
    infer_convention,
)
from dokja.evidence.benchmarks.quality.replaying import claim_flags, shift_of

TABLE = [
    ("kmmlu", "gpt-51-medium-2025-11-13-0shot", 35030, 28227, 1320, 2, "80.58", "83.73", "83.74"),
    ("kmmlu", "gpt-5-mini-2025-08-08-0shot", 35030, 26029, 990, 0, "74.30", "76.47", "76.47"),
    ("kmmlu", "gpt-5.1-2025-11-13-0shot", 35030, 22623, 700, 1029, "64.58", "65.90", "67.93"),
    ("kmmlu", "nova-2-lite-2025-12-05", 35030, 23477, 0, 2043, "67.02", "67.02", "71.17"),
    ("click", "gpt-51-medium-2025-11-13", 1876, 1613, 80, 0, "85.98", "89.81", "89.81"),
    ("click", "gpt-5-mini-2025-08-08", 1876, 1525, 20, 0, "81.29", "82.17", "82.17"),
    ("click", "gpt-oss-120b-2025-08-05", 1596, 850, 0, 637, "53.26", "53.26", "88.63"),
    ("haerae", "gpt-51-medium-2025-11-13", 1538, 1358, 40, 0, "88.30", "90.65", "90.65"),
    ("haerae", "gpt-5-mini-2025-08-08", 1538, 1272, 30, 0, "82.70", "84.35", "84.35"),
    ("haerae", "gpt-oss-120b-2025-08-05", 1538, 593, 4, 879, "38.56", "38.66", "90.53"),
]


@pytest.mark.parametrize("line", TABLE, ids=lambda line: f"{line[0]}-{line[1]}")
def test_every_convention_gives_the_figure_of_the_table(real, line):
    benchmark, system, rows, right, failed, none, *figures = line
    counts = counts_of(real(benchmark).rows)
    by_outcome = counts.rows[counts.systems.index(system), 0]

    scores = [
        counts.score(system, (OVERALL, ""), CONVENTIONS[name])
        for name in ("strict", "as_published_hsr87", "valid_only")
    ]

    assert by_outcome.sum() - by_outcome[Outcome.MISSING.code] == rows
    assert by_outcome[Outcome.CORRECT.code] == right
    assert by_outcome[Outcome.INFRASTRUCTURE_ERROR.code] == failed
    assert by_outcome[Outcome.NO_ANSWER.code] + by_outcome[Outcome.FILTERED.code] == none
    assert [f"{Decimal(round(score * 10**4)).scaleb(-2):.2f}" for score in scores] == figures


@pytest.mark.parametrize(("benchmark", "overalls"), [("kmmlu", 20), ("click", 23), ("haerae", 22)])
def test_one_convention_alone_gives_all_printed_overalls(real, benchmark, overalls):
    here = real(benchmark)
    claims = [
        each for each in here.claims if each.level == OVERALL and each.where == "results table"
    ]
    counts = counts_of(here.rows)

    fits, told, best = infer_convention(claims, counts)

    assert told == overalls
    assert [each.name for each in best] == ["as_published_hsr87"]
    assert fits["as_published_hsr87"] == overalls
    assert len(candidates(counts)) in {8, 16}
    assert sorted(fits.values())[-2] < overalls


def test_of_all_cells_1245_agree_26_have_no_rows_and_6_differ(real):
    told = Counter()

    for benchmark in ("kmmlu", "click", "haerae"):
        here = real(benchmark)
        found = here.replays()
        assert found.inferred.name == "as_published_hsr87"
        told.update(each.replays for each in found.each if each.claim.where == "results table")

    assert told == {True: 1245, None: 26, False: 6}


def test_the_six_cells_are_a_column_shifted_by_one_line(real):
    found = real("click").replays()

    shifted = shift_of(found.each)

    assert [(each.claim.name, each.claim.printed) for each in found.differing] == [
        ("Geography", "-"),
        ("History", "20.09"),
        ("Law", "72.62"),
        ("Politics", "80.49"),
        ("Pop Culture", "78.96"),
        ("Society", "57.21"),
    ]
    assert {claim.label for claim in shifted} == {"gpt-oss-120b"}
    assert list(shifted.values()) == [1] * 6
    assert set(shifted) == {each.claim for each in found.differing}


def test_two_news_figures_are_the_applied_science_line_and_the_third_is_nothing(real):
    found = real("kmmlu").replays()

    whole, *rest = claim_flags(found)
    flags = {flag.facts["printed"]: flag for flag in rest}

    assert (whole.name, whole.count) == ("claims_replayed", 777)
    assert whole.facts["convention"] == "as_published_hsr87"
    assert {each.claim.where for each in found.differing} == {"news list"}
    assert list(flags) == ["83.65", "62.14", "78.53"]
    assert flags["83.65"].facts["is"].startswith("supercategory applied science")
    assert flags["62.14"].facts["is"] == "supercategory applied science"
    assert "is" not in flags["78.53"].facts
    assert [flags[each].facts["computed"] for each in flags] == ["83.73", "65.90", "76.47"]
    assert all(flag.blocks == {"quoting"} for flag in flags.values())
    assert all(flag.facts["by_chance"] < 0.03 for flag in flags.values())
