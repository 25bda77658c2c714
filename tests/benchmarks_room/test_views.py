"""One record, many views: what a convention makes of outcomes, cell by cell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.conventions import CONVENTIONS, read_convention
from dokja.evidence.benchmarks.outcomes import CAUSES, Charge, Outcome, default_charge
from dokja.evidence.benchmarks.tables import OutcomeTable, view


def table_of(outcomes, charges=None, scores=None):
    """Return a table of cells given as lists: items, systems, epochs."""
    codes = np.array([[[o.code for o in cell] for cell in row] for row in outcomes], dtype=np.uint8)
    if charges is None:
        charges = [[[default_charge(o) for o in cell] for cell in row] for row in outcomes]
    charged = np.array([[[c.code for c in cell] for cell in row] for row in charges], np.uint8)
    count, systems = codes.shape[:2]
    return OutcomeTable(
        suite="s",
        items=tuple(map(str, range(count))),
        systems=tuple(f"m{n}" for n in range(systems)),
        outcomes=codes,
        charges=charged,
        scores=None if scores is None else np.array(scores, dtype=np.float32),
        strata=("a",) * count,
    )


def slow_cell(outcomes, charges, scores, convention):
    """Return (low, high, counted, opened) of one cell, outcome by outcome."""
    lows, highs, opened = [], [], False
    for outcome, charge, score in zip(outcomes, charges, scores, strict=True):
        worth = score if outcome is Outcome.SCORED else convention.worth[outcome]
        if worth == "by-charge":
            worth = 0.0 if charge is Charge.MODEL else "open"
        if worth == "drop":
            continue
        if worth == "open":
            opened = True
            lows.append(0.0)
            highs.append(1.0)
        else:
            lows.append(worth)
            highs.append(worth)
    if not lows:
        return 0.0, 0.0, False, False
    return sum(lows) / len(lows), sum(highs) / len(highs), True, opened


cells = st.lists(
    st.tuples(
        st.sampled_from(Outcome),
        st.sampled_from(Charge),
        st.floats(0, 1, width=32),
    ),
    min_size=2,
    max_size=2,
)


@given(st.lists(cells, min_size=1, max_size=6), st.sampled_from(sorted(CONVENTIONS)))
def test_view_says_of_every_cell_what_the_slow_reading_says(rows, name):
    table = table_of(
        [[[outcome for outcome, _, _ in cell]] for cell in rows],
        [[[charge for _, charge, _ in cell]] for cell in rows],
        [[[score for _, _, score in cell]] for cell in rows],
    )

    found = view(table, CONVENTIONS[name])

    for place, cell in enumerate(rows):
        low, high, counted, opened = slow_cell(
            *zip(*cell, strict=True), convention=CONVENTIONS[name]
        )
        assert found.low[place, 0] == pytest.approx(low, abs=1e-12)
        assert found.high[place, 0] == pytest.approx(high, abs=1e-12)
        assert bool(found.counted[place, 0]) is counted
        assert bool(found.opened[place, 0]) is opened


def test_fault_is_zero_dropped_or_open_as_the_convention_says():
    table = table_of([[[Outcome.INFRASTRUCTURE_ERROR]], [[Outcome.CORRECT]]])

    strict = view(table, CONVENTIONS["strict"])
    valid = view(table, CONVENTIONS["valid_only"])
    bounds = view(table, CONVENTIONS["bounds"])

    assert (strict.low[0, 0], strict.high[0, 0], bool(strict.counted[0, 0])) == (0.0, 0.0, True)
    assert not valid.counted[0, 0]
    assert (bounds.low[0, 0], bounds.high[0, 0], bool(bounds.opened[0, 0])) == (0.0, 1.0, True)


def test_outcomes_that_a_rulebook_lists_as_open_are_open_whatever_the_convention_says():
    table = table_of([[[Outcome.INFRASTRUCTURE_ERROR]], [[Outcome.VOID]]])
    listed = frozenset({Outcome.INFRASTRUCTURE_ERROR, Outcome.VOID})

    found = view(table, CONVENTIONS["strict"].with_open(listed))

    assert found.opened[:, 0].tolist() == [True, False]
    assert found.counted[:, 0].tolist() == [True, False]


def test_convention_is_read_whole_with_every_mistake_at_once():
    said = {"correct": 1, "wrong": 2, "no_answer": True, "truncated": "drop", "void": 1}

    convention, mistakes = read_convention("ours", said, file="rulebook.toml")

    assert convention is None
    assert [mistake.place for mistake in mistakes] == [
        "convention.ours.void",
        "convention.ours.wrong",
        "convention.ours.no_answer",
        "convention.ours.refused",
        "convention.ours.filtered",
        "convention.ours.infrastructure_error",
        "convention.ours.missing",
    ]


@pytest.mark.parametrize("outcome", Outcome)
def test_only_what_the_record_shows_is_charged_to_the_model(outcome):
    charges = {default_charge(outcome, cause) for cause in [None, *CAUSES[outcome]]}

    expected = {Charge.MODEL} if outcome.value in {"no_answer", "truncated", "refused"} else set()
    assert charges & {Charge.MODEL} == expected


def test_codes_of_outcomes_and_charges_never_change():
    assert [outcome.value for outcome in Outcome] == [
        "correct",
        "wrong",
        "scored",
        "no_answer",
        "truncated",
        "refused",
        "filtered",
        "infrastructure_error",
        "not_run",
        "missing",
        "void",
    ]
    assert [Outcome.of_code(n) for n in range(11)] == list(Outcome)
    assert [charge.value for charge in Charge] == ["nobody", "model", "host", "operator", "unknown"]
