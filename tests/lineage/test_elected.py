"""Merges with trimmed and elected changes: with their base, without it, rounded, and others."""

import json

import ml_dtypes
import numpy as np
import pytest

from dokja.evidence.lineage import Named, Plan, Relation, decompose, trace_all, trace_document
from dokja.evidence.lineage.electing import elected_reading
from dokja.evidence.lineage.laying import LaidTensor
from dokja.models.comparison import MixtureBlock, choose_parents
from dokja.models.forge.transforms.merge import dare, slerp, ties

QUICK = Plan(null_draws=40, detectable_draws=10)
BODY = "language-body"


@pytest.fixture(scope="module")
def family(shared_toys):
    """A root, three models that were trained on from it, and a stranger."""
    root = shared_toys.model(1)
    tuned = [shared_toys.noised(root, 0.95, seed=seed) for seed in (2, 3, 4)]
    return root, tuned, shared_toys.model(9)


@pytest.fixture(scope="module")
def stored(shared_toys, family):
    root, tuned, stranger = family
    return [shared_toys.store(one) for one in (*tuned, root, stranger)]


def merged(make, *models):
    return {name: make(*(one[name] for one in models)) for name in models[0]}


def elected(root, *tuned, weights=(0.6, 0.4), density=0.5, scale=1.0):
    return merged(
        lambda base, *all_of: ties(base, all_of, weights=weights, density=density, scale=scale),
        root,
        *tuned,
    )


def taken_apart(toys, child, references, **kwargs):
    return decompose(
        toys.store(child), references, component=BODY, rng=np.random.default_rng(1), **kwargs
    )


def found_weights(merge):
    return dict(zip(merge.places, (weight.value for weight in merge.weights), strict=True))


@pytest.mark.parametrize(("density", "scale"), [(0.2, 1.0), (0.5, 0.7), (1.0, 1.0)])
def test_elected_changes_are_taken_apart_among_siblings_and_strangers(
    shared_toys, family, stored, density, scale
):
    root, (first, second, _), _ = family
    child = elected(root, first, second, density=density, scale=scale)

    merge = taken_apart(shared_toys, child, stored)

    assert merge.elected.base == stored[3].name
    assert merge.elected.place == 3
    assert merge.elected.form == "mean"
    assert merge.models == (0, 1, 3)
    assert found_weights(merge) == pytest.approx({0: 0.6, 1: 0.4}, abs=0.001)
    assert merge.elected.densities == pytest.approx([density] * 2, abs=0.02)
    assert merge.elected.scale.value == pytest.approx(scale, abs=0.001)
    assert merge.left < 0.01 * merge.left_by_one
    assert merge.left_by_twin > 0.1 * merge.left_by_one
    assert [layer for layer, _ in merge.layers] == [0, 1, 2]


def test_three_elected_parents_come_back(shared_toys, family, stored):
    root, tuned, _ = family
    child = elected(root, *tuned, weights=(0.5, 0.3, 0.2))

    merge = taken_apart(shared_toys, child, stored)

    assert found_weights(merge) == pytest.approx({0: 0.5, 1: 0.3, 2: 0.2}, abs=0.001)


def test_elected_changes_are_named_in_every_report_that_they_come_from(shared_toys, family, stored):
    root, (first, second, _), _ = family
    child = shared_toys.store(elected(root, first, second))

    tracing = trace_all(child, stored, seed=1, plan=QUICK)

    relations = {number: finding.relations for number, finding in tracing.findings}
    assert [relations[number] for number in (0, 1, 3)] == [(Relation.MERGED,)] * 3
    assert relations[2] != (Relation.MERGED,)
    assert relations[4] == (Relation.NO_EVIDENCE,)


def test_document_holds_base_and_what_was_kept(shared_toys, family, stored):
    root, (first, second, _), _ = family
    child = shared_toys.store(elected(root, first, second))
    tracing = trace_all(child, [*stored[:2], stored[3]], seed=1, plan=QUICK)
    names = [Named(name=one.name, digest="sha256:00") for one in (*stored[:2], stored[3])]

    document = trace_document(tracing, suspect=names[0], references=names, exit_code=1)

    told = json.loads(json.dumps(document))["findings"][0]["merge"]
    assert told["elected"]["base"] == stored[3].name
    assert told["elected"]["densities"] == pytest.approx([0.5, 0.5], abs=0.02)
    assert sum(one["weight"]["value"] for one in told["parents"]) == pytest.approx(1)


def test_without_the_base_nothing_is_elected_and_the_reading_says_so(shared_toys, family, stored):
    root, (first, second, _), _ = family
    child = elected(root, first, second)

    merge = taken_apart(shared_toys, child, [*stored[:3], stored[4]])

    assert merge.elected is None
    assert merge.not_elected == (
        "none of the references is a base on which changes of others explain it"
    )
    assert merge.left > 0.01 * merge.left_by_one


def test_two_references_are_too_few(shared_toys, family, stored):
    root, (first, second, _), _ = family

    merge = taken_apart(shared_toys, elected(root, first, second), stored[:2])

    assert merge.not_elected == "it takes three references: a base, and two that were tuned from it"


def test_missing_parent_is_not_made_up_by_a_sibling(shared_toys, family, stored):
    root, (first, second, _), _ = family

    merge = taken_apart(shared_toys, elected(root, first, second), [stored[0], *stored[2:]])

    assert merge is None or merge.elected is None


def test_other_merges_are_read_as_before(shared_toys, family, stored):
    root, (first, second, _), _ = family
    rng = np.random.default_rng(5)
    children = {
        "slerp": merged(lambda a, b: slerp(a, b, share=0.4), first, second),
        "dare": merged(
            lambda base, a, b: dare(
                base,
                [a, b],
                weights=[0.6, 0.4],
                keeps=rng.random((2, *base.shape)) < 0.5,
                density=0.5,
            ),
            root,
            first,
            second,
        ),
        "linear": merged(lambda a, b: np.float32(0.6) * a + np.float32(0.4) * b, first, second),
    }

    found = {way: taken_apart(shared_toys, child, stored[:4]) for way, child in children.items()}

    assert [merge.elected for merge in found.values()] == [None] * 3
    assert found["linear"].not_elected == "a weighted sum leaves nothing to explain"
    assert found_weights(found["linear"]) == pytest.approx({0: 0.6, 1: 0.4}, abs=0.001)
    assert sum(found_weights(found["slerp"]).values()) == pytest.approx(1)


def test_training_after_a_merge_is_not_explained_by_elections(shared_toys, family, stored):
    root, (first, second, _), _ = family
    child = shared_toys.noised(elected(root, first, second), 0.98, seed=8)

    merge = taken_apart(shared_toys, child, stored)

    assert merge is None or merge.elected is None


def in_bfloat16(model):
    return {name: values.astype(ml_dtypes.bfloat16) for name, values in model.items()}


def test_merge_of_models_in_bfloat16_is_taken_apart(shared_toys, family):
    root, (first, second, third), _ = family
    models = [in_bfloat16(one) for one in (first, second, third, root)]
    plain = [{name: one[name].astype(np.float32) for name in one} for one in models]
    child = in_bfloat16(elected(plain[3], plain[0], plain[1]))

    merge = taken_apart(shared_toys, child, [shared_toys.store(one) for one in models])

    assert merge.models == (0, 1, 3)
    assert found_weights(merge) == pytest.approx({0: 0.6, 1: 0.4}, abs=0.02)
    assert merge.elected.left < 0.01 + 2 * merge.elected.rounding


def test_values_that_are_no_plain_numbers_are_left_out(family):
    root, (first, second, _), _ = family
    child = elected(root, first, second)
    name = next(name for name in root if "q_proj" in name)
    block = MixtureBlock(child=child[name], parents=(first[name], second[name], root[name]))
    choice = choose_parents([block], least_fall=0.3, rng=np.random.default_rng(1))

    found = elected_reading(
        [LaidTensor(layer=0, block=block, bits=None)],
        choice,
        candidates=[None] * 3,
        plan=Plan(),
        rng=np.random.default_rng(1),
    )

    assert found == "a tensor is stored in a coarser way than as floating-point numbers"
