"""Each flag on rows that have the fault, and none on rows that do not; slow twins of the tests."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.importers import Pairing, align
from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.quality import BLOCKS, FLAGS, flags_of, presence, raised
from dokja.evidence.benchmarks.quality.absences import concentration, difficulty_of
from dokja.evidence.benchmarks.quality.faults import fault_runs
from dokja.evidence.benchmarks.quality.zeros import zero_cells

RIGHT, WRONG, FAULT = Outcome.CORRECT, Outcome.WRONG, Outcome.INFRASTRUCTURE_ERROR


def answers(systems, items, *, seed=0, skill=0.6):
    """Rows of systems that find the same items easy."""
    drawn = np.random.default_rng(seed)
    easy = drawn.random(items)
    return [
        (f"s{system}", f"i{item:03d}", RIGHT if drawn.random() < skill * 2 * easy[item] else WRONG)
        for system in range(systems)
        for item in range(items)
    ]


def test_rows_without_a_fault_have_no_flag(rows, flagged):
    assert flagged(rows(answers(4, 60))) == []


def test_a_collision_is_no_duplicate(rows, flagged):
    told = [("a", item, RIGHT) for item in "xxyyz"]

    found = flagged(rows(told, keys=["A", "B", "A", "A", "A"]))

    assert found == [("id_collision", 1), ("duplicate", 1)]


def test_different_contents_collide_although_the_keys_agree(rows, flagged):
    told = [("a", "x", RIGHT), ("a", "x", WRONG), ("a", "y", RIGHT)]

    found = flagged(rows(told, keys=["A"] * 3, contents=["one", "two", "three"]))

    assert found == [("id_collision", 1)]


def test_epochs_are_no_duplicates(rows, flagged):
    told = [("a", "x", RIGHT), ("a", "x", WRONG), ("a", "y", RIGHT), ("a", "y", RIGHT)]

    assert flagged(rows(told, keys=["A"] * 4, epochs=[0, 1, 0, 1])) == []


def test_a_run_appended_to_itself_is_told(rows, flagged):
    once = [("a", f"i{n}", RIGHT) for n in range(5)]

    assert ("appended_run", 5) in flagged(rows(once + once, keys=["A"] * 10))


def test_a_run_appended_to_itself_is_told_by_its_keys_alone(rows, flagged):
    keys = list("ABCDDCBA" * 10) + list("ABD" * 7)
    told = [("a", None, RIGHT)] * (2 * len(keys))

    found = flagged(rows(told, keys=keys * 2), pairing=Pairing(by="order"))

    assert ("appended_run", len(keys)) in found


def test_changed_keys_and_contents_are_told(rows, flagged):
    told = [("a", "x", RIGHT), ("b", "x", RIGHT), ("a", "y", RIGHT), ("b", "y", RIGHT)]

    found = flagged(rows(told, keys=["A", "B", "C", "C"], contents=["1", "1", "2", "3"]))

    assert found == [("key_changed", 1), ("content_changed", 1)]


def test_two_items_that_ask_the_same_are_told(rows, flagged):
    told = [("a", "x", RIGHT), ("a", "y", RIGHT), ("a", "z", RIGHT)]

    assert flagged(rows(told, contents=["1", "1", "2"])) == [("duplicate_prompt", 2)]


def test_spellings_are_folded_and_told(rows, flagged):
    told = [("a", "x", RIGHT), ("b", "x", RIGHT), ("a", "y", RIGHT), ("b", "y", RIGHT)]
    names = ["가-나", "가_나".encode().decode(), "Law", "Law"]

    assert flagged(rows(told, categories=names)) == [("spelling", 1)]


def missing(rows, *, hard):
    """Four full systems and one that lacks twenty items, those that are hard or any."""
    told = answers(4, 120, seed=3)
    points = {}
    for _, item, outcome in told:
        points[item] = points.get(item, 0) + (outcome is RIGHT)
    order = sorted(points, key=points.get) if hard else sorted(points)
    gone = set(order[:30])
    told += [("short", item, RIGHT) for item in points if item not in gone]
    categories = [f"c{int(item[1:]) % 3}" for _, item, _ in told]
    return rows(told, categories=categories)


@pytest.mark.parametrize(
    ("hard", "names"),
    [(True, ["missing_items", "missing_by_difficulty"]), (False, ["missing_items"])],
)
def test_absent_items_are_told_and_whether_they_are_the_hard_ones(rows, flagged, hard, names):
    assert flagged(missing(rows, hard=hard)) == [(name, 30) for name in names]


def test_absent_items_of_one_stratum_are_told(rows, flagged):
    told = answers(4, 120, seed=3)
    gone = {f"i{n:03d}" for n in range(0, 36, 3)}
    told += [("short", f"i{n:03d}", RIGHT) for n in range(120) if f"i{n:03d}" not in gone]
    categories = [f"c{int(item[1:]) % 3}" for _, item, _ in told]

    assert ("missing_by_stratum", 12) in flagged(rows(told, categories=categories))


def test_difficulty_is_that_of_a_loop_over_items(rows):
    made = missing(rows, hard=True)
    counted = presence(made, align(made, Pairing()))
    absent = counted.absent[:, counted.systems.index("short")]

    found = difficulty_of(absent, counted, peers=counted.complete)

    there, elsewhere, by_stratum = [], [], {}
    for item in range(len(counted.items)):
        mean = Fraction(0)
        for system in counted.complete.tolist():
            mean += Fraction(int(counted.points[item, system]), len(counted.complete))
        (there if absent[item] else elsewhere).append(mean)
        by_stratum.setdefault(counted.strata[item], ([], []))[int(absent[item])].append(mean)
    spread = sum(
        sum((each - sum(part) / len(part)) ** 2 for each in part) / (len(part) - 1) / len(part)
        for part in (there, elsewhere)
    )
    gap = sum(there) / len(there) - sum(elsewhere) / len(elsewhere)
    expected = sum(len(gone) * sum(kept) / len(kept) for kept, gone in by_stratum.values()) / len(
        there
    )
    within = sum(
        len(gone) * (sum(gone) / len(gone) - sum(kept) / len(kept))
        for kept, gone in by_stratum.values()
    ) / len(there)
    assert found.z == pytest.approx(float(gap) / float(spread) ** 0.5)
    assert found.expected == pytest.approx(float(expected))
    assert found.within == pytest.approx(float(within))


@given(st.lists(st.sampled_from("ab"), min_size=3, max_size=8), st.data())
def test_concentration_is_that_of_all_draws(strata, data):
    count = data.draw(st.integers(1, len(strata)))
    gone = set(range(count))
    counted = _Presence(tuple(strata))

    found = concentration(np.array([n in gone for n in range(len(strata))]), counted)

    if len(set(strata)) < 2:
        assert found is None
        return
    slow = []
    for name in dict.fromkeys(strata):
        inside = sum(strata[n] == name for n in gone)
        draws = list(combinations(range(len(strata)), count))
        many = [draw for draw in draws if sum(strata[n] == name for n in draw) >= inside]
        slow.append(min(1.0, len(set(strata)) * len(many) / len(draws)))
    assert found.p == pytest.approx(min(slow))


class _Presence:
    """Only what a concentration asks for."""

    def __init__(self, strata):
        self.strata = strata
        self.strata_codes = np.array([list(dict.fromkeys(strata)).index(name) for name in strata])


@given(st.lists(st.booleans(), max_size=40))
def test_runs_are_those_that_a_loop_counts(failed):
    lengths, run = {}, 0
    for each in [*failed, False]:
        if each:
            run += 1
        elif run:
            lengths[run] = lengths.get(run, 0) + 1
            run = 0

    assert dict(fault_runs(np.array(failed, dtype=np.bool_))) == lengths


def test_failures_in_batches_are_told_and_scattered_ones_are_not(rows, flagged):
    drawn = np.random.default_rng(5)
    batches = {n for start in (0, 40, 75) for n in range(start, start + 5)}
    scattered = set(drawn.choice(200, 15, replace=False).tolist())

    def told(failed):
        return [("a", f"i{n}", FAULT if n in failed else RIGHT) for n in range(200)]

    assert flagged(rows(told(batches))) == [("fault_batch", 15)]
    assert flagged(rows(told(scattered))) == []


def test_empties_labels_and_unknown_charges_are_told(rows, flagged):
    told = [("a", f"i{n}", Outcome.NO_ANSWER if n < 3 else RIGHT) for n in range(100)]
    causes = [Cause.EMPTY, Cause.EMPTY, Cause.ILLEGAL_LABEL] + [None] * 97
    charges = ["unknown"] * 3 + ["nobody"] * 97

    found = flagged(rows(told, causes=causes, charges=charges))

    assert found == [("empty_heavy", 2), ("illegal_label", 1), ("charge_unknown", 3)]


def test_one_in_a_hundred_empties_is_not_many(rows, flagged):
    told = [("a", f"i{n}", Outcome.NO_ANSWER if n < 1 else RIGHT) for n in range(100)]
    charges = ["unknown"] + ["nobody"] * 99

    assert flagged(rows(told, causes=[Cause.EMPTY] + [None] * 99, charges=charges)) == [
        ("charge_unknown", 1)
    ]


def test_a_wrong_answer_that_is_no_option_is_told(rows, flagged):
    told = [("a", "x", WRONG), ("a", "y", WRONG), ("a", "z", RIGHT)]
    made = rows(told, answers=["E", "B", "A"])

    assert flagged(made, options=("A", "B")) == [("illegal_label", 1)]


def test_a_run_below_the_best_constant_answer_is_told(rows, flagged):
    keys = ["A" if n % 5 < 3 else "B" for n in range(200)]
    told = [("a", f"i{n}", RIGHT if n % 5 == 3 else WRONG) for n in range(200)]

    found = flags_of(rows(told, keys=keys), align(rows(told, keys=keys), Pairing()))

    assert [(flag.name, flag.facts["best_constant"]) for flag in found] == [("below_chance", 0.6)]


def test_one_text_for_nearly_every_item_is_told(rows, flagged):
    told = [("a", f"i{n}", RIGHT if n % 3 else WRONG) for n in range(60)]
    said = ["A"] * 56 + ["B"] * 4

    assert flagged(rows(told, answers=said)) == [("constant_output", 56)]
    assert flagged(rows(told, answers=said, replies=[f"r{n}" for n in range(60)])) == []


def test_a_system_whose_answers_have_nothing_to_do_with_the_items_is_told(rows, flagged):
    told = answers(5, 400, seed=1)
    drawn = np.random.default_rng(9)
    told += [("blind", f"i{n:03d}", RIGHT if drawn.random() < 0.5 else WRONG) for n in range(400)]

    found = flags_of(rows(told), align(rows(told), Pairing()))

    assert [(flag.name, flag.systems) for flag in found] == [("item_blind", ("blind",))]


def test_a_stratum_of_zero_beside_peers_is_told(rows, flagged):
    told, categories = [], []
    for system in range(5):
        for item in range(150):
            stratum = item % 5
            zero = system == 2 and stratum == 3
            told.append((f"s{system}", f"i{item}", WRONG if zero or item % 7 == 0 else RIGHT))
            categories.append(f"c{stratum}")

    assert ("zero_cell", 1) in flagged(rows(told, categories=categories))


def test_a_zero_among_low_scores_is_a_score():
    scores = np.full((5, 5), 0.9)
    scores[2, 1], scores[2, 3] = 0.0, 0.1

    assert not zero_cells(scores).any()


def test_a_cost_of_nothing_is_told(rows, flagged):
    told = [("a", "x", RIGHT), ("a", "y", RIGHT)]

    assert flagged(rows(told, costs=[0.0, float("nan")])) == [("zero_cost", 1)]


def test_orders_that_differ_are_not_paired(rows, flagged):
    told = [("a", None, RIGHT)] * 3 + [("b", None, RIGHT)] * 3

    found = flagged(rows(told, keys=list("ABCACB")), pairing=Pairing(by="order"))

    assert found == [("order_only", 1), ("misaligned", 2)]


def test_every_flag_forbids_what_the_list_names():
    assert {block for kind in FLAGS.values() for block in kind.blocks} == set(BLOCKS)
    assert raised("zero_cost", 1, p=1e-9, share=1 / 3).facts == {
        "p": "< 0.000001",
        "share": 0.333333,
    }
    with pytest.raises(KeyError):
        raised("lovely", 1)
