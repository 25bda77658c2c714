"""Which relations are left open, and what a set of them says about descent."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.ledger.kinds import Finding
from dokja.evidence.lineage import Derivation, Direction, Relation
from dokja.evidence.lineage.relations import (
    Kinship,
    derivation_of,
    direction_of,
    is_depth_edit,
    relations_of,
)
from dokja.models.comparison import LayerTable

KINSHIPS = st.builds(
    Kinship,
    correlation=st.floats(0.1, 1),
    equal=st.booleans(),
    depth_edit=st.booleans(),
    gains_agree=st.none() | st.booleans(),
    low_rank=st.booleans(),
)
SETS = st.lists(st.sampled_from(Relation), min_size=1, unique=True)


def table_of(pairs, *, layers, likeness):
    values = np.zeros(layers)
    for pair, value in zip(pairs, likeness, strict=True):
        values[pair] = value
    filled = np.ones(layers, dtype=np.bool_)
    return LayerTable(values=values, filled=filled, roles=filled.astype(np.int64))


@given(KINSHIPS)
def test_related_pair_leaves_relations_open_that_the_ledger_knows(kinship):
    relations = relations_of(kinship)

    named = Finding.model_fields["relations"].annotation.__args__[0].__args__
    assert {relation.value for relation in relations} <= set(named)
    assert not {Relation.NO_EVIDENCE, Relation.NOT_TESTABLE} & set(relations)
    assert len(set(relations)) == len(relations)


@given(KINSHIPS)
def test_only_a_weak_likeness_may_be_a_shared_start(kinship):
    open_to_shared_start = Relation.SHARED_INITIALISATION in relations_of(kinship)

    if open_to_shared_start:
        assert kinship.correlation < 0.5
        assert not kinship.gains_agree


@given(SETS, SETS)
def test_more_relations_never_make_an_answer_more_certain(first, more):
    alone, together = derivation_of(first), derivation_of([*first, *more])

    assert together in {alone, Derivation.CANNOT_TELL}


@pytest.mark.parametrize("relation", Relation)
def test_relation_by_itself_has_one_answer(relation):
    answer = derivation_of([relation])

    if relation is Relation.NOT_TESTABLE:
        assert answer is Derivation.CANNOT_TELL
    else:
        assert answer is (Derivation.YES if relation.descends else Derivation.NO)


@pytest.mark.parametrize(
    ("pairs", "layers", "edited"),
    [
        (((0, 0), (1, 1)), (2, 2), False),
        (((1, 1),), (2, 2), False),
        (((0, 1), (1, 0)), (2, 2), True),
        (((0, 0), (1, 1)), (2, 3), True),
        (((0, 0), (1, 0)), (2, 2), True),
    ],
)
def test_depth_edit_is_any_map_but_one_to_one(pairs, layers, edited):
    assert is_depth_edit(pairs, layers=layers) is edited


@pytest.mark.parametrize(
    ("likeness", "direction"),
    [
        ((0.9, 0.9, 0.9), Direction.MODEL_FROM_REFERENCE),
        ((0.9, 0.95, 0.91), Direction.MODEL_FROM_REFERENCE),
        ((0.9, 0.99, 0.9), None),
        ((1.0, 1.0, 1.0), Direction.MODEL_FROM_REFERENCE),
        ((1.0, 1.0, 0.9), None),
    ],
)
def test_repetition_shows_a_direction_only_when_both_are_about_as_near(likeness, direction):
    pairs = ((0, 0), (1, 1), (2, 1))
    turned = ((0, 0), (1, 1))
    table = table_of(pairs, layers=(3, 2), likeness=likeness)

    assert direction_of(pairs, turned, table=table) is direction


def test_repetition_on_both_sides_shows_no_direction():
    pairs, turned = ((0, 0), (1, 0)), ((0, 0), (1, 0))
    table = LayerTable(
        values=np.full((2, 2), 0.9),
        filled=np.ones((2, 2), dtype=np.bool_),
        roles=np.ones((2, 2), dtype=np.int64),
    )

    assert direction_of(pairs, turned, table=table) is None
