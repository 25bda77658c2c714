import csv
import gzip
import math
from itertools import permutations
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.statistics import Vote, bradley_terry
from dokja.values import Estimate, Missing

CROWD = Path(__file__).parents[3] / "shared/data/arena-votes/llmfao-crowd-votes.csv.gz"


def cast(strengths, *, voters, each, seed, ties=0.2):
    """Cast votes of voters who differ in how they see the teams."""
    random = Random(seed)  # noqa: S311 - a simulation, no secret
    votes = []
    for voter in range(voters):
        seen = {team: s + random.gauss(0, 0.3) for team, s in strengths.items()}
        for _ in range(each):
            left, right = random.sample(sorted(strengths), 2)
            chance = 1 / (1 + math.exp(seen[right] - seen[left]))
            drawn = random.random()
            choice = "left" if drawn < chance else "right"
            if random.random() < ties:
                choice = "tie"
            votes.append(Vote(voter=f"v{voter}", left=left, right=right, choice=choice))
    return votes


def slow_strengths(votes):
    """Fit by Hunter's minorise-maximise steps in plain Python until nothing moves."""
    teams = sorted({v.left for v in votes} | {v.right for v in votes})
    won = dict.fromkeys(teams, 0.0)
    met = {(a, b): 0 for a in teams for b in teams}
    for vote in votes:
        share = {"left": 1.0, "tie": 0.5, "right": 0.0}[vote.choice]
        won[vote.left] += share
        won[vote.right] += 1 - share
        met[vote.left, vote.right] += 1
        met[vote.right, vote.left] += 1
    skill = dict.fromkeys(teams, 1.0)
    for _ in range(50_000):
        new = {
            a: won[a] / sum(met[a, b] / (skill[a] + skill[b]) for b in teams if b != a)
            for a in teams
        }
        middle = math.exp(sum(map(math.log, new.values())) / len(teams))
        new = {team: value / middle for team, value in new.items()}
        done = all(abs(new[t] - skill[t]) < 1e-13 * new[t] for t in teams)
        skill = new
        if done:
            break
    return {team: math.log(value) for team, value in skill.items()}


def slow_share(strengths, team):
    others = [other for other in strengths if other != team]
    wins = [1 / (1 + math.exp(strengths[other] - strengths[team])) for other in others]
    return sum(wins) / len(wins)


FIVE = {"garam": 0.5, "raon": 0.2, "narae": 0.15, "dasom": 0.1, "maru": -0.9}


def test_strengths_and_shares_equal_their_twin():
    votes = cast(FIVE, voters=60, each=6, seed=1)
    expected = slow_strengths(votes)

    found = bradley_terry(votes, level=0.95, seed=1, replicates=50)

    for each in found.teams:
        assert each.strength.value == pytest.approx(expected[each.team], abs=1e-8)
        assert each.share.value == pytest.approx(slow_share(expected, each.team), abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(2, 5))
def test_random_ballots_equal_their_twin_wherever_it_ends(seed, count):
    random = Random(seed)  # noqa: S311 - a simulation, no secret
    teams = [f"t{i}" for i in range(count)]
    votes = [
        Vote(voter=f"v{i % 5}", left=a, right=b, choice=random.choice(["left", "tie", "right"]))
        for i, (a, b) in enumerate([random.sample(teams, 2) for _ in range(12)])
    ] + [Vote(voter="v0", left=a, right=b, choice="tie") for a, b in permutations(teams, 2)]
    expected = slow_strengths(votes)

    found = bradley_terry(votes, level=0.95, seed=1, replicates=10)

    for each in found.teams:
        assert each.strength.value == pytest.approx(expected[each.team], abs=1e-7)


def slow_errors(votes, *, replicates, seed):
    """Draw voters anew with another generator, and fit every replicate by the slow twin."""
    random = Random(seed)  # noqa: S311 - a simulation, no secret
    voters = sorted({v.voter for v in votes})
    by_voter = {voter: [v for v in votes if v.voter == voter] for voter in voters}
    drawn = []
    for _ in range(replicates):
        chosen = [
            vote for voter in random.choices(voters, k=len(voters)) for vote in by_voter[voter]
        ]
        drawn.append(slow_strengths(chosen))
    errors = {}
    for team in drawn[0]:
        shares = [slow_share(strengths, team) for strengths in drawn]
        middle = sum(shares) / len(shares)
        errors[team] = math.sqrt(sum((s - middle) ** 2 for s in shares) / (len(shares) - 1))
    return errors


def test_errors_equal_those_of_a_slow_bootstrap():
    votes = cast(FIVE, voters=40, each=8, seed=2)
    expected = slow_errors(votes, replicates=150, seed=7)

    found = bradley_terry(votes, level=0.95, seed=1, replicates=2_000)

    for each in found.teams:
        assert each.share.standard_error == pytest.approx(expected[each.team], rel=0.25)


def test_two_teams_share_wins_as_they_were_counted():
    votes = [
        Vote(voter=f"v{i}", left="garam", right="maru", choice=choice)
        for i, choice in enumerate(["left"] * 6 + ["right"] * 3 + ["tie"])
    ]

    found = bradley_terry(votes, level=0.95, seed=1)

    assert found.of("garam").share.value == pytest.approx(0.65)
    assert found.of("maru").share.value == pytest.approx(0.35)
    assert found.of("garam").share_of_best.value == 1.0
    assert found.of("maru").share_of_best.value == pytest.approx(0.35 / 0.65)
    assert found.ties == 0.1


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_shares_average_one_half_and_sides_do_not_matter(seed):
    votes = cast(FIVE, voters=20, each=5, seed=seed)
    other = {"left": "right", "right": "left", "tie": "tie"}
    turned = [
        Vote(voter=v.voter, left=v.right, right=v.left, choice=other[v.choice]) for v in votes
    ]

    first = bradley_terry(votes, level=0.95, seed=3, replicates=20)
    second = bradley_terry(turned, level=0.95, seed=3, replicates=20)

    if all(isinstance(each.share, Estimate) for each in first.teams):
        assert sum(each.share.value for each in first.teams) == pytest.approx(len(FIVE) / 2)
        for one, two in zip(first.teams, second.teams, strict=True):
            assert two.share.value == pytest.approx(one.share.value)
            assert one.share.low < one.share.high


def test_the_same_votes_and_seed_give_the_same_figures_in_any_order():
    votes = cast(FIVE, voters=30, each=5, seed=4)
    shuffled = list(votes)
    Random(9).shuffle(shuffled)  # noqa: S311 - a simulation, no secret

    first = bradley_terry(votes, level=0.95, seed=3)
    second = bradley_terry(shuffled, level=0.95, seed=3)

    assert [t.share for t in first.teams] == [t.share for t in second.teams]


def test_teams_that_no_vote_connects_are_not_compared():
    votes = [
        Vote(voter=f"v{i}", left=left, right=right, choice=choice)
        for i, (left, right) in enumerate([("garam", "maru"), ("narae", "raon")] * 6)
        for choice in ("left", "right")
    ]

    found = bradley_terry(votes, level=0.95, seed=1)

    assert all(isinstance(each.share, Missing) for each in found.teams)
    assert all(isinstance(each.strength, Missing) for each in found.teams)


def test_teams_connected_only_through_one_that_always_lost_are_not_compared():
    votes = [
        Vote(voter=f"v{i}", left=winner, right="maru", choice="left")
        for i, winner in enumerate(["garam", "narae"] * 5)
    ]

    found = bradley_terry(votes, level=0.95, seed=1)

    assert all(isinstance(each.share, Missing) for each in found.teams)


def test_a_team_that_always_won_has_a_share_and_no_strength():
    votes = [
        Vote(voter=f"v{i}", left=left, right=right, choice=choice)
        for i in range(10)
        for left, right, choice in (
            ("garam", "maru", "left"),
            ("garam", "narae", "left"),
            ("narae", "maru", "left" if i % 3 else "right"),
        )
    ]

    found = bradley_terry(votes, level=0.95, seed=1)

    assert isinstance(found.of("garam").strength, Missing)
    assert found.of("garam").share.value == pytest.approx(1.0, abs=1e-6)
    assert found.of("garam").share.low < 0.8
    assert found.of("narae").share.value == pytest.approx((0.6 + 0.0) / 2, abs=1e-6)


def test_one_voter_has_no_interval_and_therefore_no_number():
    votes = [
        Vote(voter="v", left="garam", right="maru", choice=choice) for choice in ("left", "right")
    ]

    assert isinstance(bradley_terry(votes, level=0.95, seed=1).of("garam").share, Missing)


@pytest.mark.parametrize(
    ("votes", "replicates", "words"),
    [
        ([], 10, "no vote"),
        ([Vote(voter="v", left="a", right="a", choice="tie")], 10, "itself"),
        ([Vote(voter="v", left="a", right="b", choice="tie")], 1, "replicates"),
    ],
)
def test_questions_without_an_answer_are_refused(votes, replicates, words):
    with pytest.raises(ValueError, match=words):
        bradley_terry(votes, level=0.95, seed=1, replicates=replicates)


def test_real_crowd_votes_give_the_published_strengths():
    if not CROWD.exists():
        pytest.skip("the crowd votes lie beside the repository and are not here")
    with gzip.open(CROWD, "rt", encoding="utf-8", newline="") as lines:
        votes = [
            Vote(voter=r["worker"], left=r["left"], right=r["right"], choice=r["winner"])
            for r in csv.DictReader(lines)
        ]

    found = bradley_terry(votes, level=0.95, seed=1, replicates=300)

    points = 400 / math.log(10)
    ranked = sorted(found.teams, key=lambda team: -team.strength.value)
    assert [(t.team, round(t.strength.value * points, 1)) for t in (*ranked[:3], ranked[-1])] == [
        ("GPT 4", 172.1),
        ("Platypus-2 Instruct (70B)", 112.4),
        ("command", 110.2),
        ("Dolly v2 (3B)", -154.3),
    ]
    assert found.ties == pytest.approx(3_471 / 8_931)
    # Published: the mean half width of the sandwich interval clustered by voter is 41.5 points.
    halves = [(t.strength.high - t.strength.low) / 2 * points for t in found.teams]
    assert sum(halves) / len(halves) == pytest.approx(41.5, rel=0.1)
