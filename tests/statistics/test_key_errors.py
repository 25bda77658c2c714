"""Wrong keys planted and found; right keys left alone; and what real answers say."""

import csv
import gzip
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import gammaln

from dokja.errors import NotComparableError
from dokja.evidence.statistics import suspect_keys
from dokja.evidence.statistics.key_errors import answer_model

ITEMS = Path(__file__).parents[3] / "shared/data/korean-items"


def answered(seed, *, wrong, items=500, systems=20, options=4, even=30.0):
    """Answers under a model of two parameters, with some keys printed wrong.

    Slopes differ by item, which the finder's own model does not know; `even` says how evenly wrong
    answers fall on the other options.
    """
    rng = np.random.default_rng(seed)
    ability, difficulty = rng.normal(1.2, 0.9, systems), rng.normal(0, 0.8, items)
    slope = np.exp(rng.normal(0, 0.2, items))
    chance = 1 / (1 + np.exp(-slope[:, None] * (ability[None] - difficulty[:, None])))
    keys = rng.integers(0, options, items)
    edges = np.cumsum(rng.dirichlet([even] * (options - 1), items), axis=1)
    off = 1 + (rng.random(chance.shape)[:, :, None] > edges[:, None, :-1]).sum(axis=2)
    right = rng.random(chance.shape) < chance
    answers = np.where(right, keys[:, None], (keys[:, None] + off) % options)
    bad = rng.choice(items, wrong, replace=False)
    printed = keys.copy()
    printed[bad] = (keys[bad] + rng.integers(1, options, wrong)) % options
    return answers, printed, keys, set(bad.tolist())


def found_by(seed, answers, printed, **settings):
    rng = np.random.default_rng(seed)
    return suspect_keys(answers, printed, options=4, rng=rng, **settings)


def test_five_wrong_keys_of_five_hundred_are_found_and_few_right_ones_suspected():
    hits = false = 0
    powers = []
    for seed in range(6):
        answers, printed, keys, bad = answered(seed, wrong=5)
        found = found_by(seed, answers, printed)
        hit = [each for each in found.suspects if each.item in bad]
        hits += len(hit)
        false += len(found.suspects) - len(hit)
        powers.append(found.power.value)
        assert len(found.suspects) - len(hit) <= 5
        assert all(each.answer == keys[each.item] for each in hit)
        assert all(each.key == printed[each.item] for each in hit)

    assert hits / 6 >= 4
    assert false / max(hits + false, 1) <= 0.1
    assert np.mean(powers) == pytest.approx(hits / 30, abs=0.15)


def test_right_keys_are_left_alone():
    suspected = 0
    for seed in range(6):
        answers, printed, *_ = answered(seed, wrong=0)
        suspected += len(found_by(seed, answers, printed).suspects)

    assert suspected <= 2


def test_wrong_answers_that_gather_make_the_finder_careful():
    answers, printed, *_ = answered(3, wrong=5, even=0.5)

    even, gathered = (
        found_by(1, *answered(3, wrong=5)[:2]),
        found_by(1, answers, printed),
    )

    assert gathered.gathering < 1 < even.gathering
    assert gathered.power.value < even.power.value


def test_renaming_options_and_reordering_changes_no_suspect():
    answers, printed, *_ = answered(5, wrong=5)
    turn = np.array([2, 0, 3, 1])
    order = np.random.default_rng(1).permutation(len(printed))

    first = found_by(1, answers, printed)
    second = found_by(1, turn[answers][order], turn[printed][order])

    # Other items are drawn to compare with, so that one item on the edge may change sides.
    renamed = {int(order[each.item]) for each in second.suspects}
    assert len(first.suspects) >= 4
    assert len(renamed ^ {each.item for each in first.suspects}) <= 1


def test_answers_that_are_not_there_are_neither_right_nor_wrong():
    answers, printed, _, bad = answered(6, wrong=5)
    holes = np.where(np.random.default_rng(2).random(answers.shape) < 0.1, -1, answers)

    whole, holed = found_by(1, answers, printed), found_by(1, holes, printed)

    assert len({each.item for each in whole.suspects} & bad) >= 4
    assert len({each.item for each in holed.suspects} & bad) >= 3
    assert all(each.stronger <= 10 for each in holed.suspects)


def slow_fit(model, row, key):
    """The likelihood of one row under one key, by a fine sum and the gamma function."""
    difficulties = np.linspace(-6, 6, 2001) * model.spread
    weights = np.exp(-((difficulties / model.spread) ** 2) / 2)
    total = np.zeros(2001)
    for answer, ability in zip(row, model.abilities, strict=True):
        if answer >= 0:
            gap = ability - difficulties
            total -= np.logaddexp(0, -gap if answer == key else gap)
    by_difficulty = math.log(np.sum(np.exp(total) * weights) / weights.sum())
    counts = [int(np.sum(row == k)) for k in range(model.options) if k != key]
    a, others = model.gathering, model.options - 1
    gathered = sum(gammaln(a + c) - gammaln(a) for c in counts)
    return by_difficulty + gathered - gammaln(others * a + sum(counts)) + gammaln(others * a)


def test_likelihoods_equal_their_slow_twin():
    answers, printed, *_ = answered(7, wrong=0, items=60)
    answers[3, 4] = -1
    turned = np.where(answers >= 0, (answers - printed[:, None]) % 4, -1)
    model = answer_model(turned, options=4)

    fits = model.fits(turned)

    for item in (0, 3, 17):
        for key in range(4):
            assert fits[item, key] == pytest.approx(slow_fit(model, turned[item], key), abs=5e-3)


def test_the_model_finds_what_answers_were_drawn_from():
    rng = np.random.default_rng(8)
    abilities = np.linspace(-0.5, 2.5, 15)
    answers = np.full((4000, 15), 0)
    model = answer_model(answers, options=4)
    known = type(model)(abilities=abilities, spread=1.1, options=4, gathering=0.8)

    again = answer_model(known.drawn(answers >= 0, rng=rng), options=4)

    assert again.abilities == pytest.approx(abilities, abs=0.12)
    assert again.spread == pytest.approx(1.1, abs=0.06)
    assert again.gathering == pytest.approx(0.8, abs=0.08)


def test_what_cannot_be_told_is_refused():
    answers, printed, *_ = answered(9, wrong=0, items=40)

    with pytest.raises(NotComparableError, match="5 systems"):
        found_by(1, answers[:, :5], printed)
    with pytest.raises(NotComparableError, match="no item"):
        found_by(1, np.repeat(printed[:, None], 8, axis=1), printed)
    with pytest.raises(ValueError, match="do not fit"):
        found_by(1, answers, printed[:3])
    with pytest.raises(ValueError, match="none of 4 options"):
        found_by(1, answers + 4, printed)
    with pytest.raises(ValueError, match="cannot be"):
        found_by(1, answers, printed, false_discovery=0.0)


@pytest.fixture(scope="module")
def click():
    """Letters that one run per model gave on CLIcK, by id, and the keys; ids that stand once."""
    if not ITEMS.exists():
        pytest.skip("the answers to Korean items lie beside the repository and are not here")
    left = ("chat", "gpt-51-medium", "phi-3-mini", "(medium)", "pro-medium", "sonnet-4-2025", "oss")
    with (ITEMS / "runs.csv").open(encoding="utf-8") as lines:
        runs = {
            row["run_no"]: row["run"]
            for row in csv.DictReader(lines)
            if row["benchmark"] == "CLIcK" and not any(word in row["run"] for word in left)
        }
    given, golds, seen = {}, {}, set()
    with gzip.open(ITEMS / "click_rows.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            if row["run_no"] not in runs:
                continue
            place = (row["id"], row["run_no"])
            golds.setdefault(row["id"], set()).add("twice" if place in seen else row["gold"])
            seen.add(place)
            given[place] = "ABCDE".find(row["pred"]) if len(row["pred"]) == 1 else -1
    names = [name for name, gold in golds.items() if "twice" not in gold]
    answers = np.array([[given.get((name, run), -1) for run in runs] for name in names])
    return names, answers, {name: sorted(golds[name]) for name in names}


def test_the_real_key_that_was_changed_once_is_suspected_and_the_new_one_is_not(click):
    names, answers, golds = click
    assert golds["Kedu_history_23"] == ["A", "B"]

    def suspects(letter):
        keys = np.array(["ABCDE".index(golds[name][0]) for name in names])
        keys[names.index("Kedu_history_23")] = "ABCDE".index(letter)
        found = suspect_keys(answers, keys, options=5, rng=np.random.default_rng(1))
        return {names[each.item]: each for each in found.suspects}

    old, new = suspects("B"), suspects("A")

    assert "ABCDE"[old["Kedu_history_23"].answer] == "A"
    assert "Kedu_history_23" not in new
