import numpy as np
import pytest
from scipy.optimize import minimize

from dokja.errors import NotComparableError
from dokja.evidence.statistics import Taker, TrendScore, rasch
from dokja.evidence.statistics.trends import FEWEST_TAKERS, item_slopes
from dokja.evidence.statistics.trends.posterior import Answers, Given, posterior


def answered(seed, *, takers=12, items=60, passages=0, spread=0.6, later=1.0):
    """Answers of two stages of takers; the later ones are better."""
    rng = np.random.default_rng(seed)
    stage = np.arange(takers) % 2
    ability = rng.normal(later * stage, 0.7)
    difficulty = rng.normal(0.2, 1.0, items)
    gap = ability[:, None] - difficulty[None, :]
    names = None
    if passages:
        at = np.arange(items) % passages
        gap = gap + rng.normal(0, spread, (takers, passages))[:, at]
        names = [f"p{n}" for n in at]
    answers = (rng.random(gap.shape) < 1 / (1 + np.exp(-gap))).astype(np.int8)
    people = [Taker(system=f"s{n}", stage=str(s)) for n, s in enumerate(stage)]
    return answers, people, ability, difficulty, names


def slow_height(at, data, given, group):
    """The logarithm of the posterior, taker by taker and item by item."""
    takers, items = data.right.shape
    passages = data.members.shape[1]
    free = np.flatnonzero(data.free)
    ability, difficulty = at[:takers], data.known.copy()
    difficulty[free] = at[takers : takers + len(free)]
    extra = at[takers + len(free) :].reshape(takers, passages)
    height = 0.0
    for t in range(takers):
        for i in range(items):
            if data.mask[t, i]:
                logit = ability[t] - difficulty[i] + extra[t] @ data.members[i]
                height -= np.logaddexp(0, -logit if data.right[t, i] else logit)
        height -= (ability[t] - given.means[group[t]]) ** 2 / 2 / given.spreads[group[t]] ** 2
    height -= ((difficulty[free] - given.item_mean) ** 2).sum() / 2 / given.item_spread**2
    return height - (extra**2).sum() / 2 / given.passage_spread**2


def slow_bend(function, at, step=1e-4):
    """Second derivatives by differences."""
    size = len(at)
    found = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            total = 0.0
            for a in (1, -1):
                for b in (1, -1):
                    moved = at.copy()
                    moved[i] += a * step
                    moved[j] += b * step
                    total += a * b * function(moved)
            found[i, j] = total / 4 / step**2
    return found


def test_the_summit_and_its_bend_are_those_of_a_slow_twin():
    answers, _, _, difficulty, names = answered(1, takers=4, items=6, passages=2)
    answers[0, 2] = answers[3, 5] = -1
    known = np.where(np.arange(6) < 2, difficulty, np.nan)
    data = Answers.of(answers, known=known, passages=names)
    given = Given(
        means=np.array([0.1, 0.8]),
        spreads=np.array([0.7, 0.5]),
        item_mean=0.2,
        item_spread=0.9,
        passage_spread=0.4,
        anchored=True,
    )
    group = np.arange(4) % 2

    found = posterior(data, given, group=group)

    def depth(at):
        return -slow_height(at, data, given, group)

    theirs = minimize(depth, np.zeros(4 + 4 + 8), method="BFGS", options={"gtol": 1e-7}).x
    ours = np.concatenate([found.abilities, found.difficulties[2:], found.passages.ravel()])
    assert ours == pytest.approx(theirs, abs=1e-4)
    errors = np.linalg.inv(slow_bend(depth, ours))
    assert found.covariance == pytest.approx(errors[:4, :4], abs=1e-4)
    assert found.difficulty_errors[2:] ** 2 == pytest.approx(np.diag(errors)[4:8], abs=1e-4)
    assert found.difficulty_errors[:2].tolist() == [0.0, 0.0]


def test_places_cover_the_abilities_and_see_the_later_stage_above():
    covered = total = 0
    for seed in range(12):
        answers, people, ability, difficulty, _ = answered(seed, takers=16, items=120)
        fixed = {n: float(difficulty[n]) for n in range(60)}
        found = rasch(answers, people, fixed=fixed)
        covered += sum(
            score.place.low <= true <= score.place.high
            for score, true in zip(found.places, ability, strict=True)
        )
        total += len(people)
        assert found.stages[1].mean > found.stages[0].mean

    assert 0.9 <= covered / total <= 0.99
    assert all(isinstance(score, TrendScore) for score in found.places)
    assert found.places[0].origin == "fixed anchors"


def test_passages_make_places_less_sure():
    answers, people, _, difficulty, names = answered(5, items=120, passages=12, spread=1.0)
    fixed = {n: float(difficulty[n]) for n in range(120)}

    single = rasch(answers, people, fixed=fixed)
    together = rasch(answers, people, fixed=fixed, passages=names)

    assert (single.passage_spread, together.passage_spread > 0.5) == (0.0, True)
    assert together.places[0].place.standard_error > 1.3 * single.places[0].place.standard_error


def test_a_difference_is_surer_than_its_places_where_items_are_not_fixed():
    answers, people, *_ = answered(6, items=30)

    found = rasch(answers, people, fixed={})

    apart = found.apart(people[1], people[0])
    assert apart.value == found.places[1].place.value - found.places[0].place.value
    assert apart.high - apart.low < 2 * (found.places[0].place.high - found.places[0].place.low)
    assert found.places[0].origin == "mean difficulty of the items"
    with pytest.raises(KeyError):
        found.apart(people[0], Taker(system="nobody", stage="0"))


def test_a_taker_that_is_always_right_has_a_place():
    answers, people, *_ = answered(7, items=30)
    answers[0] = 1

    place = rasch(answers, people, fixed={}).places[0].place

    assert np.isfinite([place.low, place.high]).all()
    assert place.standard_error > 0.2


def test_the_order_of_items_changes_nothing():
    answers, people, *_ = answered(8, items=30)
    order = np.random.default_rng(1).permutation(30)

    first, second = rasch(answers, people, fixed={}), rasch(answers[:, order], people, fixed={})

    assert [score.place.value for score in second.places] == pytest.approx(
        [score.place.value for score in first.places], abs=1e-6
    )
    assert second.difficulties == pytest.approx(first.difficulties[order], abs=1e-6)


def test_what_cannot_be_placed_is_refused():
    answers, people, *_ = answered(9, items=30)
    silent = answers.copy()
    silent[2] = -1

    with pytest.raises(NotComparableError, match="answered by s2"):
        rasch(silent, people, fixed={})
    with pytest.raises(NotComparableError, match="at most 4000"):
        rasch(np.ones((12, 4001), dtype=np.int8), people, fixed={})
    with pytest.raises(ValueError, match="stands twice"):
        rasch(answers, [*people[:-1], people[0]], fixed={})
    with pytest.raises(ValueError, match="1 for right"):
        rasch(answers * 2, people, fixed={})
    with pytest.raises(ValueError, match="fixed difficulty"):
        rasch(answers, people, fixed={99: 0.0})
    with pytest.raises(ValueError, match="needs a passage"):
        rasch(answers, people, fixed={}, passages=["p"])
    with pytest.raises(ValueError, match="do not fit"):
        rasch(answers, people[:3], fixed={})


def test_slopes_are_refused_below_three_hundred_takers_and_recovered_above():
    rng = np.random.default_rng(3)
    ability = rng.normal(size=FEWEST_TAKERS)
    difficulty, slope = rng.normal(size=60), np.exp(rng.normal(0, 0.35, 60))
    chance = 1 / (1 + np.exp(-slope * (ability[:, None] - difficulty)))
    answers = (rng.random(chance.shape) < chance).astype(np.int8)

    with pytest.raises(NotComparableError, match="299 takers cannot show"):
        item_slopes(answers[:-1])
    found = item_slopes(answers)

    assert np.corrcoef(found.difficulties, difficulty)[0, 1] > 0.96
    assert np.corrcoef(np.log(found.slopes), np.log(slope))[0, 1] > 0.85
    inside = np.abs(np.log(found.slopes / slope)) < 1.96 * found.slope_errors
    assert inside.mean() > 0.88
    answers[:, 0] = 1
    with pytest.raises(NotComparableError, match="has no slope"):
        item_slopes(answers)
    with pytest.raises(ValueError, match="1 for right"):
        item_slopes(answers * 3)
