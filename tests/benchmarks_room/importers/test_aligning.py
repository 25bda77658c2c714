"""Which rows are the same item: ids, collisions, orders with gaps, and a slow twin for the gaps."""

from itertools import combinations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.benchmarks.aligning import align_by_id, align_by_order
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.rows import Column, Rows


def rows(told, **columns):
    count = len(told)
    return Rows(
        file="made",
        suite="s",
        systems=Column.of([system for system, *_ in told]),
        outcomes=np.full(count, Outcome.CORRECT.code, dtype=np.uint8),
        charges=np.zeros(count, dtype=np.uint8),
        **{name: Column.of(each) for name, each in columns.items()},
    )


def test_an_id_twice_with_two_keys_is_two_items_whoever_has_it_once():
    told = [("a", "x", "B"), ("a", "x", "D"), ("b", "x", "D"), ("c", "x", "B"), ("c", "y", "A")]
    made = rows(told, items=[i for _, i, _ in told], keys=[k for *_, k in told])

    alignment = align_by_id(made, reference=0)

    assert alignment.items == ("x#1", "x#2", "y")
    assert alignment.places.tolist() == [0, 1, 1, 0, 2]


def test_an_id_twice_with_one_key_is_one_item_with_two_occurrences():
    made = rows([("a",), ("a",), ("b",)], items=["x", "x", "x"], keys=["B", "B", "B"])

    alignment = align_by_id(made, reference=0)

    assert alignment.items == ("x",)
    assert alignment.occurrences.tolist() == [0, 1, 0]


def test_a_key_that_differs_between_systems_alone_makes_no_second_item():
    made = rows([("a",), ("b",)], items=["x", "x"], keys=["A", "B"])

    assert align_by_id(made, reference=0).items == ("x",)


def test_categories_in_another_order_are_paired_after_sorting():
    told = [("a", "P 1", "A"), ("a", "Q", "B"), ("a", "P 1", "C")]
    told += [("b", "q", "B"), ("b", "p_1", "A"), ("b", "p_1", "C")]
    made = rows(told, categories=[c for _, c, _ in told], keys=[k for *_, k in told])

    alignment = align_by_order(made, reference=0, batch=0)

    assert alignment.how == ("raw", "sorted")
    assert alignment.items == ("P 1:0000", "Q:0000", "P 1:0001")
    assert alignment.places.tolist() == [0, 1, 2, 1, 0, 2]


def ways_slowly(keys, whole, *, batch):
    """Every choice of batches that leaves these keys."""
    blocks = [whole[start : start + batch] for start in range(0, len(whole), batch)]
    found = []
    for count in range(len(blocks) + 1):
        found += [
            kept
            for kept in combinations(range(len(blocks)), count)
            if [key for place in kept for key in blocks[place]] == keys
        ]
    return found


@given(
    whole=st.lists(st.sampled_from("AB"), min_size=2, max_size=12),
    batch=st.integers(1, 4),
    dropped=st.sets(st.integers(0, 5), min_size=1),
)
def test_gaps_are_found_exactly_where_one_choice_of_batches_fits(whole, batch, dropped):
    blocks = [whole[start : start + batch] for start in range(0, len(whole), batch)]
    keys = [key for place, block in enumerate(blocks) if place not in dropped for key in block]
    made = rows([("a",)] * len(whole) + [("b",)] * len(keys), keys=whole + keys)

    alignment = align_by_order(made, reference=0, batch=batch)

    slow = ways_slowly(keys, whole, batch=batch)
    if not keys:
        return
    if keys == whole:
        assert alignment.how[1] == "raw"
    elif len(slow) == 1:
        positions = [n for n in range(len(whole)) if n // batch in slow[0]]
        assert alignment.how[1] == "gaps"
        assert alignment.places[len(whole) :].tolist() == positions
    else:
        assert alignment.how[1] == "none"
        assert (alignment.places[len(whole) :] == -1).all()


def test_an_order_that_differs_is_told_with_its_positions():
    made = rows([("a",)] * 4 + [("b",)] * 5, keys=list("ABCD") + list("ABDCA"))

    alignment = align_by_order(made, reference=0, batch=2)

    assert alignment.how == ("raw", "none")
    assert alignment.differing == {1: (2, 1)}
