"""Roots and the split: nothing of one root stands on both sides."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dokja.models.forge.zoo import TIERS, plan_zoo
from dokja.models.forge.zoo.roots import SPLITS, derived_roots, roots_of, stranger_to

SMOKE = TIERS["smoke"].families["F1"]
shares = st.builds(
    lambda same, other, twins, derived: replace(
        SMOKE, same=same, other=other, twins=min(twins, same), derived=derived
    ),
    st.integers(1, 12),
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(1, 12),
)


@given(shares)
def test_split_keeps_twins_together_and_sides_balanced(share):
    roots = {root.name: root for root in roots_of("F1", share)}

    for root in roots.values():
        if root.twin_of is not None:
            twin = roots[root.twin_of]
            assert (root.split, root.seed) == (twin.split, twin.seed)
            assert (root.corpus, root.order) != (twin.corpus, twin.order)
    units = [root.split for root in roots.values() if root.twin_of is None]
    assert abs(units.count(SPLITS[0]) - units.count(SPLITS[1])) <= 1


@given(shares)
def test_strangers_share_neither_seed_nor_side_with_nobody(share):
    roots = roots_of("F1", share)

    for root in derived_roots(roots, share):
        stranger = stranger_to(root, roots)
        if stranger is not None:
            assert stranger.split == root.split
            assert stranger.seed != root.seed


def test_hard_negatives_differ_by_their_seeds_alone():
    roots = roots_of("F1", SMOKE)[: SMOKE.same]

    assert len({root.seed for root in roots}) == SMOKE.same
    assert len({(root.corpus, root.order) for root in roots}) == 1


def test_every_model_of_every_tier_rests_on_roots_of_one_side():
    for tier in TIERS.values():
        plan = plan_zoo(tier, torch=True)
        sides = {name: {root.split} for name, root in plan.roots.items()}
        for one in plan.blueprints:
            if one.name not in sides:
                sides[one.name] = set().union(*(sides[need] for need in one.needs))

        assert {len(found) for found in sides.values()} == {1}


def test_every_model_comes_after_what_it_is_made_of():
    for tier in TIERS.values():
        there = set()
        for one in plan_zoo(tier, torch=True).blueprints:
            assert set(one.needs) <= there
            assert one.name not in there
            there.add(one.name)


def test_without_torch_families_are_left_out_by_name():
    plan = plan_zoo(TIERS["small"], torch=False)

    left_out = {one.what for one in plan.left_out}
    assert {"F2", "F3", "F5"} <= left_out
    assert {one.family for one in plan.blueprints} == {"F1"}
    assert {one.engine for one in plan.blueprints} == {"ref", "ref-adapter", None}
