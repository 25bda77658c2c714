"""A thing scored again under a newer version of the rulebook counts once, as the newer one says."""

from itertools import permutations

import pytest

from dokja.decisions.standing.versions import counted_scores
from dokja.errors import EntryError
from dokja.values import Missing

OWN, OLD, OLDER = "2026-02", "2026-01", "2025-12"
ACCEPTS = {"stages.first.accepts": [OLDER, OLD]}


def score(programme, part):
    (team,) = programme.decision().teams
    return next(one for one in team.scores if one.part == part)


def total(programme):
    (team,) = programme.decision().teams
    return team.total


@pytest.fixture
def again(points_only):
    """One team in a stage that accepts scores under two older versions."""
    return lambda: points_only(1, ACCEPTS).entrants("garam")


@pytest.mark.parametrize(
    ("scored", "counts"),
    [
        ({OWN: 30}, 30),
        ({OLD: 20}, 20),
        ({OLD: 20, OWN: 30}, 30),
        ({OLDER: 10, OLD: 20}, 20),
        ({OLDER: 10, OLD: 20, OWN: 30}, 30),
        ({"2025-06": 5, OLDER: 10}, 10),
    ],
)
def test_preferred_version_counts_in_whatever_order_it_was_entered(again, scored, counts):
    for order in permutations(scored.items()):
        programme = again()
        for version, value in order:
            programme.score("garam", "expert", value, rulebook=version)

        counted = score(programme, "expert")

        assert counted.score.value == counts
        assert scored[counted.rulebook] == counts


def test_only_the_entry_that_counts_is_rested_on(again):
    programme = again().score("garam", "expert", 20, rulebook=OLD)
    superseded = programme.last.seq
    programme.score("garam", "expert", 30)

    rests_on = {seq for seq, *_ in programme.decision().entries}

    assert programme.last.seq in rests_on
    assert superseded not in rests_on


@pytest.mark.parametrize("version", [OWN, OLD, OLDER])
def test_two_scores_under_one_version_stay_a_mistake(again, version):
    programme = again().score("garam", "expert", 10, rulebook=OLDER)
    programme.score("garam", "expert", 20, rulebook=OLD).score("garam", "expert", 30)
    programme.score("garam", "expert", 30, rulebook=version)

    with pytest.raises(EntryError, match=f"one under version '{version}'") as refused:
        programme.decision()

    assert [one.file.split()[2] for one in refused.value.mistakes] == [str(programme.last.seq)]


def test_older_figure_of_a_whole_gives_way_to_the_sum_of_newer_parts(again):
    programme = again().score("garam", "total", 90, rulebook=OLD)
    programme.score("garam", "bench", 50).score("garam", "expert", 30, rulebook=OLD)

    assert (total(programme).value, total(programme).method) == (80, "sum-of-parts")


def test_older_figure_of_a_whole_is_out_of_date_when_a_newer_part_is_not_all(again):
    programme = again().score("garam", "total", 90, rulebook=OLD).score("garam", "items", 30)

    found = total(programme)

    assert isinstance(found, Missing)
    assert (found.reason.value, found.what) == ("parts-missing", ("bench", "expert"))


def test_newer_figure_of_a_whole_does_not_have_to_agree_with_older_parts(again):
    programme = again().score("garam", "bench", 20, rulebook=OLD)
    programme.score("garam", "expert", 10, rulebook=OLD).score("garam", "total", 90)

    assert total(programme).value == 90
    assert score(programme, "bench").score.value == 20


def test_figures_of_one_version_have_to_agree(again):
    programme = again()
    for part, value in (("bench", 20), ("expert", 10), ("total", 90)):
        programme.score("garam", part, value, rulebook=OLD)

    with pytest.raises(EntryError, match="what its sub-parts sum to, 30 to 30"):
        programme.decision()


def test_at_most_one_score_of_each_thing_counts(again):
    programme = again()
    for version in (OLDER, OWN, OLD):
        programme.score("garam", "expert", 10, rulebook=version)

    counted = counted_scores(programme.rulebook, programme.record, stage="first")

    assert [said.body.rulebook for said in counted.given.values()] == [OWN]
    assert counted.preference == {OLDER: 0, OLD: 1, OWN: 2}
