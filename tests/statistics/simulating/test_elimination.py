"""Elimination under the sheet: closed forms, the slow twin, bounds, branches and flips."""

from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.statistics.simulating import (
    PartDraws,
    SheetRules,
    elimination,
    rule_flips,
    scored,
)
from dokja.evidence.statistics.streams import normals

DRAWS = 62_500
WITHIN = 5


def part(estimate, *, sd=0.0, name="all", points=100.0, scale="absolute", draws=DRAWS, **more):
    estimate = np.asarray(estimate, dtype=np.float64)
    noise = [normals(5, f"{name}/{team}", count=draws) for team in range(len(estimate))]
    references = np.asarray(more.pop("references", []), dtype=np.float64)
    return PartDraws(
        part=name,
        points=points,
        scale=scale,
        estimate=estimate,
        drawn=estimate + sd * np.stack(noise, axis=1),
        references=references,
        references_drawn=np.tile(references, (draws, 1)),
        **more,
    )


@pytest.mark.parametrize("teams", [2, 3, 5, 8])
def test_exchangeable_teams_share_every_place_evenly(teams):
    names = [f"team-{number}" for number in range(teams)]

    found = elimination(names, [part([0.5] * teams, sd=0.02)], rules=SheetRules(places=1))

    assert found.monte_carlo_error <= 0.002
    for team in found.branches[0].teams:
        assert team.last.low == team.last.high
        assert team.last.low == pytest.approx(1 / teams, abs=WITHIN * 0.002)
        assert team.on.low == pytest.approx(1 / teams, abs=WITHIN * 0.002)


@pytest.mark.parametrize("gap", [0.0, 0.01, 0.04])
def test_two_teams_change_places_with_the_normal_probability(gap):
    drawn = [part([0.6 + gap, 0.6], sd=0.02)]

    better, worse = elimination(["b", "w"], drawn, rules=SheetRules(places=1)).branches[0].teams

    sigma = 0.02 * 2**0.5
    expected = NormalDist().cdf(gap / sigma)
    assert better.on.low == pytest.approx(expected, abs=WITHIN * 0.002)
    assert worse.last.low == pytest.approx(expected, abs=WITHIN * 0.002)
    if gap:
        # E max(0, Z) of Z ~ N(-gap, σ²): what the team sent home may truly be above.
        normal = NormalDist()
        regret = sigma * normal.pdf(gap / sigma) - gap * normal.cdf(-gap / sigma)
        assert worse.regret.low == pytest.approx(100 * regret, abs=0.03)
        assert better.regret.high == 0


def slow(parts, places):
    """Rank draw by draw, team by team; totals are all different."""
    draws, teams = parts[0].drawn.shape
    last, on = np.zeros(teams), np.zeros(teams)
    for draw in range(draws):
        totals = [0.0] * teams
        for one in parts:
            shares = [min(max(s, 0.0), 1.0) for s in one.drawn[draw]]
            top = {"absolute": 1.0, "to-best": max(shares)}.get(one.scale)
            if top is None:
                top = max(one.references_drawn[draw])
            for team in range(teams):
                totals[team] += one.points * min(shares[team] / top, 1.0)
        ranked = sorted(range(teams), key=lambda team: -totals[team])
        last[ranked[-1]] += 1
        for team in ranked[:places]:
            on[team] += 1
    return last / draws, on / draws


def test_sheet_equals_its_slow_twin():
    parts = [
        part(
            [0.7, 0.65, 0.6, 0.62],
            sd=0.04,
            name="b",
            points=40,
            scale="to-target",
            references=[0.9, 0.8],
            draws=700,
        ),
        part([0.5, 0.6, 0.55, 0.52], sd=0.05, name="e", points=35, draws=700),
        part([0.4, 0.3, 0.5, 0.45], sd=0.05, name="u", points=25, scale="to-best", draws=700),
    ]

    found = elimination(list("abcd"), parts, rules=SheetRules(places=2)).branches[0].teams

    last, on = slow(parts, 2)
    assert [team.last.low for team in found] == pytest.approx(last)
    assert [team.on.low for team in found] == pytest.approx(on)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_bounds_hold_every_completion(values):
    known = part([0.7, 0.6, 0.5], sd=0.05, name="e", points=60, draws=300)
    missing = part([0.5, np.nan, np.nan], name="b", points=40, draws=300)
    missing.drawn[:, 1:] = np.nan
    filled = part([0.5, *values], name="b", points=40, draws=300)

    rules = SheetRules(places=2, ties="all-advance")
    bounds = elimination(list("abc"), [known, missing], rules=rules).branches[0]
    real = elimination(list("abc"), [known, filled], rules=rules).branches[0]

    for team in "abc":
        assert bounds.of(team).on.low <= real.of(team).on.low <= bounds.of(team).on.high
        assert bounds.of(team).last.low - 1e-12 <= real.of(team).last.low
        assert real.of(team).last.high <= bounds.of(team).last.high + 1e-12


def test_missing_part_gives_an_interval_and_never_a_zero():
    missing = part([0.5, np.nan], name="b", points=40, draws=1_000)
    missing.drawn[:, 1] = np.nan
    known = part([0.5, 0.5], sd=0.01, name="e", points=60, draws=1_000)

    found = elimination(["a", "b"], [known, missing], rules=SheetRules(places=1)).branches[0]

    assert (found.of("b").on.low, found.of("b").on.high) == (0.0, 1.0)
    with pytest.raises(ValueError, match="missing"):
        scored([known, missing], rules=SheetRules(places=1))


def test_undecided_gate_has_two_branches_and_a_failed_one_has_none():
    drawn = [part([0.9, 0.8, 0.7, 0.6], sd=0.01, draws=1_000)]
    gates = {"a": "undecided", "b": "fails"}

    beside, among = (
        elimination(
            list("abcd"), drawn, rules=SheetRules(places=2, cut_among=cut_among), gates=gates
        )
        for cut_among in ("entrants", "gate-passers")
    )

    assert [branch.passing for branch in beside.branches] == [frozenset("a"), frozenset()]
    on = [
        [[team.on.low for team in branch.teams] for branch in found.branches]
        for found in (beside, among)
    ]
    assert on == [[[1, 0, 0, 0], [0, 0, 0, 0]], [[1, 0, 1, 0], [0, 0, 1, 1]]]


def test_no_branch_and_no_end_is_left_out_silently():
    many = [f"team-{number}" for number in range(8)]
    drawn = part([0.5] * 8, draws=10)
    missing = part([np.nan] * 8, draws=10)

    with pytest.raises(ValueError, match="not every branch"):
        elimination(
            many, [drawn], rules=SheetRules(places=1), gates=dict.fromkeys(many, "undecided")
        )
    with pytest.raises(ValueError, match="not every end"):
        elimination(many, [missing], rules=SheetRules(places=1))
    with pytest.raises(ValueError, match="do not fit"):
        elimination(["a"], [drawn], rules=SheetRules(places=1))


def sheet():
    """Two teams: the first leads by 4 of 50 points on benchmarks, lags by 3 of 50 by people."""
    return [
        part(
            [0.70, 0.62],
            name="b",
            points=50,
            draws=2,
            forms=("x", "y"),
            by_form=np.array([[0.9, 0.5], [0.5, 0.74]]),
        ),
        part([0.50, 0.56], name="e", points=50, draws=2),
    ]


def test_weight_that_flips_is_where_the_lines_cross():
    flips = {
        flip.part: flip
        for flip in rule_flips(sheet(), rules=SheetRules(places=1))
        if flip.kind == "weight"
    }

    # .08 w = .06 (100 - w) at w = 300/7 for benchmarks, and 100 less that for people.
    assert flips["b"].to == pytest.approx(300 / 7, abs=1e-6)
    assert flips["e"].to == pytest.approx(400 / 7, abs=1e-6)


def test_every_single_change_that_flips_is_named_and_no_other():
    flips = rule_flips(sheet(), rules=SheetRules(places=1))

    told = {(flip.kind, flip.part, flip.to): flip.fates for flip in flips if flip.kind != "weight"}
    # People to the best: 50 (1 - .50/.56) = 5.4 against the 4 that benchmarks are worth; benchmarks
    # to the best too would be worth 5.7, so that their scale alone flips nothing.
    assert told == {
        ("benchmark-out", "b", "x"): (-1, 1),
        ("scale", "e", "to-best"): (-1, 1),
    }


def test_another_choice_is_told_by_its_name():
    other = [part([0.6, 0.62], name="b", points=50, draws=2), sheet()[1]]

    flips = rule_flips(
        sheet(), rules=SheetRules(places=1), others={"valid only": other, "same": sheet()}
    )

    assert [flip.to for flip in flips if flip.kind == "other"] == ["valid only"]


def test_tie_rule_flips_a_tie_and_nothing_else():
    level = [part([0.5, 0.5], name="b", draws=2), part([0.5, 0.5], name="e", draws=2)]
    level[0] = part([0.6, 0.4], name="b", points=50, draws=2)
    level[1] = part([0.4, 0.6], name="e", points=50, draws=2)

    flips = rule_flips(level, rules=SheetRules(places=1))

    ties = {(flip.part, flip.to): flip.fates for flip in flips if flip.kind == "ties"}
    assert ties == {
        (None, "all-advance"): (1, 1),
        ("b", "part"): (1, -1),
        ("e", "part"): (-1, 1),
    }
    assert rule_flips(sheet(), rules=SheetRules(places=1, ties="all-advance"))[0].kind == "weight"


@pytest.mark.parametrize("ends", list(product((0.0, 1.0), repeat=2)))
def test_ends_of_a_part_scaled_to_the_best_are_both_tried(ends):
    known = part([0.5, 0.5], name="e", points=60, draws=20)
    missing = part([np.nan, np.nan], name="u", points=40, scale="to-best", draws=20)
    filled = part(list(ends), name="u", points=40, scale="to-best", draws=20)

    bounds = elimination(["a", "b"], [known, missing], rules=SheetRules(places=1)).branches[0]
    real = elimination(["a", "b"], [known, filled], rules=SheetRules(places=1)).branches[0]

    assert bounds.of("a").on.low <= real.of("a").on.low <= bounds.of("a").on.high
