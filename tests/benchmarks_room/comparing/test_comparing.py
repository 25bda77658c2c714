"""One registered question, asked of outcomes: what counts, what is open, and what is said."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import InputError
from dokja.evidence.benchmarks.comparing import compare, openable
from dokja.evidence.benchmarks.comparing.sheets import sheet_of
from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.tables import Flag
from dokja.evidence.statistics.contrasts import Clearance, Combine, Doubt

FAULTS = frozenset({Outcome.INFRASTRUCTURE_ERROR})
GROUPS = [f"g{n % 30}" for n in range(600)]


def told(comparison):
    return comparison.verdict.value, [doubt.value for doubt in comparison.doubts]


def right(share, *, of=600, seed=1):
    """A string of outcomes with so many right answers, spread over all groups."""
    drawn = np.random.default_rng(seed).permutation(of) < round(share * of)
    return "".join("C" if each else "W" for each in drawn)


def test_model_that_is_as_good_clears_and_one_that_is_far_below_does_not(table, question):
    made = table({"best": right(0.8), "own": right(0.8, seed=2), "far": right(0.4)}, strata=GROUPS)

    assert told(compare([made], question(ratio="0.8"))) == ("clears", [])
    assert told(compare([made], question("far"))) == ("does not clear", [])


def test_items_that_nobody_was_asked_are_not_in_the_domain(table, question):
    made = table({"best": "CCWMM", "own": "CWWMM"})

    (domain,) = compare([made], question()).domains

    assert (domain.sheet.items, domain.sheet.not_asked, domain.sheet.dropped_weight) == (3, 2, 0.0)


def test_item_that_one_lacks_is_dropped_for_all_and_its_weight_stays_in_its_category(
    table, question
):
    made = table({"best": "CCCC", "own": "MCCW"}, strata=["a", "a", "b", "b"])

    sheet = sheet_of(made, question())

    assert sheet.items == 3
    assert sheet.dropped_weight == pytest.approx(0.25)
    assert sheet.layout.weights.tolist() == pytest.approx([0.5, 0.25, 0.25])


def test_domain_that_lost_more_than_a_hundredth_is_another_domain(table, question):
    own = "M" * 20 + right(0.8, of=580)
    made = table({"best": right(0.8), "own": own}, strata=GROUPS)

    assert Doubt.DOMAIN_SHRUNK in compare([made], question(ratio="0.5")).doubts


def test_faults_that_could_turn_the_verdict_leave_it_undecided_with_both_ends(table, question):
    best = "C" * 500 + "W" * 100
    own = "C" * 440 + "F" * 100 + "W" * 60
    made = table({"best": best, "own": own}, strata=GROUPS)

    strict = compare([made], question(ratio="0.95"))
    opened = compare([made], question(ratio="0.95", open=FAULTS))

    assert told(strict) == ("does not clear", [])
    assert Doubt.FAULTS in opened.doubts
    worst, best_end = opened.domains[0].reach.bounds
    assert (worst, best_end) == (pytest.approx(440 / 500), pytest.approx(540 / 500))
    assert opened.domains[0].reask.open == 100


@settings(max_examples=40)
@given(data=st.data())
def test_bounds_contain_every_completion(data, table, question):
    letters = st.text(alphabet="CWF", min_size=24, max_size=24)
    best, own = data.draw(letters), data.draw(letters)
    groups = [f"g{n % 6}" for n in range(24)]
    if "C" not in best:
        best = "C" + best[1:]
    asked = question(open=FAULTS)
    made = table({"best": best, "own": own}, strata=groups)
    bounds = compare([made], asked).domains[0].reach.bounds
    filled = {
        name: "".join(data.draw(st.sampled_from("CW")) if each == "F" else each for each in text)
        for name, text in (("best", best), ("own", own))
    }
    if "C" not in filled["best"]:
        return

    ratio = compare([table(filled, strata=groups)], asked).ratio

    if bounds is None:
        assert ratio == pytest.approx(own.count("C") / best.count("C"))
    else:
        assert bounds[0] - 1e-9 <= ratio <= bounds[1] + 1e-9


def test_many_unexplained_empty_replies_are_open_whatever_is_registered(table, question):
    own = "N" * 300 + "C" * 290 + "W" * 10
    flag = Flag(name="empty_heavy", count=300, systems=("own",), blocks=frozenset({"verdict"}))
    plain = table({"best": right(0.8), "own": own}, strata=GROUPS, unknown=("own",))
    flagged = replace(plain, flags=(flag,))

    assert compare([plain], question()).verdict is Clearance.DOES_NOT_CLEAR
    assert Doubt.FAULTS in compare([flagged], question()).doubts


@pytest.mark.parametrize(
    ("blocks", "doubt"),
    [("pairing", Doubt.NOT_PAIRED), ("run", Doubt.IDENTITY), ("items", Doubt.NO_ITEMS)],
)
def test_flag_that_forbids_something_makes_the_verdict_undecided(table, question, blocks, doubt):
    flag = Flag(name="any", count=1, systems=("own",), blocks=frozenset({blocks}))
    made = table({"best": right(0.8), "own": right(0.8), "other": right(0.8)}, strata=GROUPS)
    flagged = replace(made, flags=(flag,))

    assert doubt in compare([flagged], question(ratio="0.5")).doubts
    assert compare([flagged], question("other", ratio="0.5")).verdict is Clearance.CLEARS


def test_systems_that_took_different_items_are_not_paired(table, question):
    made = table({"best": right(0.8), "own": right(0.8)}, strata=GROUPS, paired=False)

    assert Doubt.NOT_PAIRED in compare([made], question(ratio="0.5")).doubts


def test_reference_that_was_not_measured_takes_only_a_clearance_away(table, question):
    made = table({"best": right(0.8), "own": right(0.8), "far": right(0.3)}, strata=GROUPS)
    lost = {"references": ("best", "gone"), "registered": True}

    clears = question(ratio="0.8", **lost)

    assert told(compare([made], clears)) == ("undecided", ["frontier_incomplete"])
    assert told(compare([made], replace(clears, may_lack=True))) == ("clears", [])
    assert told(compare([made], question("far", **lost))) == ("does not clear", [])
    assert compare([made], clears).references == ("best",)


def test_every_mistake_of_a_question_is_told_at_once(table, question):
    made = table({"best": "CW", "own": "CW"})
    asked = question("nobody", ("best", "none"), clusters="source", chance="item")

    with pytest.raises(InputError) as caught:
        compare([made], asked)

    assert [mistake.read for mistake in caught.value.mistakes] == [
        "no system 'nobody'",
        "no system 'none'",
        "no clustering 'source'",
        "nothing",
    ]


def test_only_means_are_undecided_for_want_of_items(table, question):
    made = table({"best": "MMMM", "own": "MMMM"})

    assert told(compare([made], question())) == ("undecided", ["no_items"])


def test_guessing_is_taken_off_item_by_item_and_not_cut_at_nothing(table, question):
    made = table({"best": "CCCW", "own": "CWWW"}, chance=np.full(4, 0.25))

    plain = compare([made], question())
    corrected = compare([made], question(chance="item"))

    assert plain.ratio == pytest.approx(1 / 3)
    assert corrected.ratio == pytest.approx(((1 - 3 / 3) / 4) / ((3 - 1 / 3) / 4))


def test_epochs_are_averaged_before_systems_are_compared(table, question):
    made = table({"best": "CC|CC", "own": "CW|CC"})

    assert compare([made], question()).ratio == pytest.approx(0.75)


def test_answer_does_not_change_with_the_order_of_systems_or_other_systems(table, question):
    columns = {"best": right(0.8), "own": right(0.7, seed=3), "third": right(0.2)}
    first = compare([table(columns, strata=GROUPS)], question())
    turned = dict(reversed(columns.items()))
    second = compare([table(turned, strata=GROUPS)], question())

    assert (first.verdict, first.ratio) == (second.verdict, second.ratio)
    assert first.domains[0].hardest == second.domains[0].hardest


def test_grid_marks_the_registered_reading_and_counts_all(table, question):
    own = right(0.7, of=590) + "F" * 10
    made = table({"best": right(0.8), "own": own}, strata=GROUPS)

    grid = compare([made], question()).domains[0].grid

    assert [cell.convention for cell in grid.cells if cell.registered] == ["strict"]
    assert len(grid.cells) == 3 * 2 * 2
    assert sum(share.cells for share in grid.shares) == len(grid.cells)


def test_several_benchmarks_answer_one_question(table, question):
    first = table({"best": right(0.8), "own": right(0.8, seed=4)}, strata=GROUPS, suite="p")
    second = table({"best": right(0.9), "own": right(0.3)}, strata=GROUPS, suite="q")

    together = compare([first, second], question())
    each = compare([first, second], question(combine=Combine.EACH))

    assert together.verdict is Clearance.DOES_NOT_CLEAR
    assert each.verdict is Clearance.DOES_NOT_CLEAR
    assert together.ratio == pytest.approx((0.8 + 0.3) / (0.8 + 0.9))
    assert [name for name, _ in together.without] == ["p", "q"]
    assert dict(together.without)["q"] is not Clearance.DOES_NOT_CLEAR


def test_benchmark_without_items_leaves_all_of_them_undecided(table, question):
    first = table({"best": right(0.8), "own": right(0.8)}, strata=GROUPS, suite="p")
    second = table({"best": "MM", "own": "MM"}, suite="q")

    assert told(compare([first, second], question(ratio="0.5"))) == ("undecided", ["no_items"])


def test_what_a_convention_drops_is_not_open_besides():
    assert openable(CONVENTIONS["strict"]) == {Outcome.INFRASTRUCTURE_ERROR, Outcome.NOT_RUN}
    assert openable(CONVENTIONS["as_published_hsr87"]) == {Outcome.NOT_RUN}
