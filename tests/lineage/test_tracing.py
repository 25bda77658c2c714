"""Known derivations are found for what they are, and nothing is claimed that was not seen."""

import ml_dtypes
import numpy as np
import pytest

from dokja.evidence.lineage import ComponentSpec, Derivation, Direction, Plan, Relation

FINE, CONTINUED, MERGED = (
    Relation.FINE_TUNED,
    Relation.CONTINUALLY_PRETRAINED,
    Relation.MERGED,
)


def test_copy_is_identical(toys):
    model = toys.model(1)

    finding = toys.only(model, dict(model))

    assert finding.relations == (Relation.IDENTICAL,)
    assert finding.derivation is Derivation.YES
    assert finding.layer_map == ((0, 0), (1, 1), (2, 2))
    assert finding.effect.value == pytest.approx(1, abs=1e-6)
    assert finding.direction is None


def test_copy_that_was_rounded_to_a_coarser_type_is_identical(toys):
    model = toys.model(1)
    rounded = {name: values.astype(ml_dtypes.bfloat16) for name, values in model.items()}

    assert toys.only(rounded, model).relations == (Relation.IDENTICAL,)
    assert toys.only(model, rounded).relations == (Relation.IDENTICAL,)


def test_copy_with_other_scales_and_levels_is_still_found(toys):
    model = toys.model(1)
    changed = {name: 3 * values + 0.5 for name, values in model.items()}

    finding = toys.only(changed, model)

    assert finding.derivation is Derivation.YES
    assert finding.effect.value == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("correlation", "relations"),
    [
        (0.997, (FINE,)),
        (0.95, (FINE, CONTINUED, MERGED)),
        (0.7, (CONTINUED, MERGED)),
        (0.3, (CONTINUED, MERGED)),
        (0.2, (CONTINUED, MERGED)),
    ],
)
def test_model_that_moved_leaves_these_relations_open(toys, correlation, relations):
    model = toys.model(1)

    finding = toys.only(toys.noised(model, correlation, seed=2), model)

    assert finding.relations == relations
    assert finding.derivation is Derivation.YES
    assert finding.effect.value == pytest.approx(correlation, abs=0.02)
    assert finding.effect.low <= correlation <= finding.effect.high


def test_weak_likeness_without_shared_training_of_gains_may_be_a_shared_start(toys):
    model = toys.model(1)
    other = toys.noised(model, 0.25, seed=2, gains=False)
    other |= {k: v for k, v in toys.model(3).items() if "norm" in k}

    finding = toys.only(other, model)

    assert finding.relations == (CONTINUED, MERGED, Relation.SHARED_INITIALISATION)
    assert finding.derivation is Derivation.CANNOT_TELL


def test_low_rank_change_may_be_a_merged_adapter(toys):
    model, rng = toys.model(1), np.random.default_rng(5)
    adapted = dict(model)
    for name in (n for n in model if "q_proj" in n or "v_proj" in n):
        rows, columns = model[name].shape
        factors = rng.standard_normal((rows, 2)) @ rng.standard_normal((2, columns))
        adapted[name] = (model[name] + 0.05 * factors).astype(np.float32)

    finding = toys.only(adapted, model)

    assert finding.relations == (Relation.ADAPTER_MERGED, FINE)


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 1, 2, 3), (0, 0, 1, 1, 2, 2, 3, 3), (0, 1, 2, 3, 0, 1, 2, 3)]
)
def test_repeated_layers_are_mapped_and_show_the_direction(toys, order):
    model = toys.model(1, layers=4)
    scaled = toys.noised(toys.with_layers(model, order), 0.9, seed=2)

    forth, back = toys.only(scaled, model), toys.only(model, scaled)

    assert forth.relations == back.relations == (Relation.DEPTH_EDITED,)
    assert forth.layer_map == tuple(enumerate(order))
    assert forth.direction is Direction.MODEL_FROM_REFERENCE
    assert back.direction is Direction.REFERENCE_FROM_MODEL
    assert forth.map_chance == 1 / 201
    assert {theirs for _, theirs in back.layer_map} <= set(range(len(order)))
    assert all(order[theirs] == ours for ours, theirs in back.layer_map)


def test_dropped_layers_are_mapped_and_show_no_direction(toys):
    model = toys.model(1, layers=5)

    finding = toys.only(toys.noised(toys.with_layers(model, (0, 2, 4)), 0.9, seed=2), model)

    assert finding.relations == (Relation.DEPTH_EDITED,)
    assert finding.layer_map == ((0, 0), (1, 2), (2, 4))
    assert finding.direction is None


def test_model_cut_down_from_one_with_repeated_layers_shows_no_direction(toys):
    root = toys.model(1, layers=4)
    scaled = toys.noised(toys.with_layers(root, (0, 1, 2, 1, 2, 3)), 0.9, seed=2)
    cut = toys.noised(toys.with_layers(scaled, (0, 1, 2, 5)), 0.98, seed=3)

    finding = toys.only(cut, scaled)

    assert finding.relations == (Relation.DEPTH_EDITED,)
    assert finding.layer_map == ((0, 0), (1, 1), (2, 2), (3, 5))
    assert finding.direction is None


def test_fresh_layers_between_old_ones_go_with_none(toys):
    model, fresh = toys.model(1), toys.model(9)

    finding = toys.only(toys.with_layers(model, (0, None, 1, 2), fresh=fresh), model)

    assert finding.relations == (Relation.DEPTH_EDITED,)
    assert finding.layer_map == ((0, 0), (2, 1), (3, 2))


def test_reused_encoder_is_found_and_the_body_is_clear(toys):
    ours = toys.model(1) | toys.noised(toys.encoder(50), 0.995, seed=2)
    theirs = toys.model(2) | toys.encoder(50)

    report = toys.compare(ours, theirs)

    found = {finding.component: finding for finding in report.findings}
    assert found["vision-encoder"].relations == (FINE,)
    assert found["vision-encoder"].effect.value == pytest.approx(0.995, abs=0.002)
    assert found["language-body"].relations == (Relation.NO_EVIDENCE,)
    assert sum(finding.parameter_share for finding in report.findings) == pytest.approx(1)


def test_encoder_that_is_declared_as_something_else_is_found_all_the_same(toys):
    declared = {
        "body": ComponentSpec(role="language-body", tensors=("model.",)),
        "ears": ComponentSpec(role="audio-encoder", tensors=("vision_tower.",)),
    }
    ours, theirs = toys.model(1) | toys.encoder(50), toys.model(2) | toys.encoder(50)

    report = toys.compare(ours, theirs, components=declared)

    found = {finding.component: finding for finding in report.findings}
    assert found["ears"].relations == (Relation.IDENTICAL,)
    assert found["ears"].reference_component == "vision-encoder"


def test_tensors_that_nobody_declared_are_named(toys):
    declared = {"body": ComponentSpec(role="language-body", tensors=("model.",))}

    report = toys.compare(toys.model(1) | toys.encoder(2), toys.model(3), components=declared)

    assert len(report.unclaimed) == 18
    assert all(name.startswith("vision_tower.") for name in report.unclaimed)


def test_component_without_its_like_in_the_reference_has_no_finding(toys):
    report = toys.compare(toys.model(1) | toys.encoder(2), toys.model(3))

    assert report.absent == ("vision-encoder",)
    assert [finding.component for finding in report.findings] == ["language-body"]


def test_strangers_leave_no_evidence_with_its_power(toys):
    finding = toys.only(toys.model(1), toys.model(2))

    assert finding.relations == (Relation.NO_EVIDENCE,)
    assert finding.derivation is Derivation.NO
    assert finding.layer_map is None
    assert finding.minimum_detectable <= 0.2
    assert abs(finding.effect.value) < 0.05
    assert all(control.behaves for control in finding.controls)
    assert {control.kind for control in finding.controls} == {"derived", "independent"}


def test_component_of_another_width_is_not_testable_and_never_cleared(toys):
    narrow = {
        name: values[..., :40] if values.shape[-1] == 48 else values[..., :80]
        for name, values in toys.model(1).items()
    }
    narrow = {name: np.ascontiguousarray(values) for name, values in narrow.items()}

    finding = toys.only(narrow, toys.model(1))

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert finding.derivation is Derivation.CANNOT_TELL
    assert finding.effect is None
    assert [reason.code for reason in finding.reasons] == ["lineage-shapes-differ"]


def with_wider_blocks(model):
    """Return a model with every neuron twice: most of its values have another shape then."""
    return {
        name: np.concatenate([values, values], axis=-1 if "down" in name else 0)
        if "mlp" in name
        else values
        for name, values in model.items()
    }


def test_component_that_mostly_has_another_shape_is_not_cleared_by_the_rest(toys):
    """Two layers have no interior, so that neurons cannot be matched either."""
    wide = with_wider_blocks(toys.model(1, layers=2))

    finding = toys.only(wide, toys.model(2, layers=2))

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert [reason.code for reason in finding.reasons] == ["lineage-shapes-differ-mostly"]


def test_neurons_tell_where_shapes_cannot(toys):
    wide = with_wider_blocks(toys.model(1))

    stranger, child = toys.only(wide, toys.model(2)), toys.only(wide, toys.model(1))

    assert (stranger.relations, stranger.measure) == ((Relation.NO_EVIDENCE,), "agreement")
    assert stranger.minimum_detectable is not None
    assert child.relations == (Relation.WIDTH_EDITED,)


def test_component_with_more_layers_than_any_model_is_not_testable(toys):
    name = "model.layers.{}.self_attn.q_proj.weight"
    deep = {name.format(layer): np.ones((1, 1), dtype=np.float32) for layer in range(1025)}
    deep[name.format(0)] = toys.model(1)[name.format(0)]

    finding = toys.only(deep, toys.model(1))

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert [reason.code for reason in finding.reasons] == ["lineage-too-many-layers"]


def test_relation_is_seen_in_the_shapes_that_fit_when_others_do_not(toys):
    model = toys.model(1)
    wide = {
        name: np.concatenate([values, values], axis=-1 if "down" in name else 0)
        if "mlp" in name
        else values
        for name, values in model.items()
    }

    finding = toys.only(wide, model)

    assert finding.derivation is Derivation.YES


def test_embedding_alone_is_told_by_the_tokens_text(toys):
    model, other = toys.model(1), toys.model(2)
    other["model.embed_tokens.weight"] = model["model.embed_tokens.weight"]

    finding = toys.only(other, model)

    assert finding.derivation is Derivation.YES
    assert [reason.code for reason in finding.reasons] == ["lineage-token-rows-only"]
    assert finding.effect.rests_on == (("tokens", 160),)
    assert finding.layer_map is None


def test_embedding_is_never_paired_by_row_number(toys):
    model, other = toys.model(1), toys.model(2)
    other["model.embed_tokens.weight"] = model["model.embed_tokens.weight"]

    finding = toys.only(toys.store(other, tokenizer=False), model)

    assert finding.token_rows == ()
    assert finding.relations == (Relation.NO_EVIDENCE,)


def test_reordered_neurons_are_beyond_this_method(toys):
    """What this room cannot see yet: it must say no evidence, and claim no more than that."""
    model, rng = toys.model(1), np.random.default_rng(3)
    shuffled = {
        name: values[rng.permutation(values.shape[0])] if values.ndim == 2 else values
        for name, values in model.items()
        if "embed" not in name
    }

    finding = toys.only(shuffled, model)

    assert finding.relations == (Relation.NO_EVIDENCE,)


def test_comparison_is_symmetric_in_its_effect(toys):
    model = toys.model(1)
    ours, theirs = toys.store(toys.noised(model, 0.6, seed=2)), toys.store(model)

    forth, back = toys.only(ours, theirs), toys.only(theirs, ours)

    assert forth.effect.value == pytest.approx(back.effect.value, abs=1e-6)
    assert forth.relations == back.relations


def test_same_generator_gives_the_same_report(toys):
    ours, theirs = toys.store(toys.model(1)), toys.store(toys.model(2))

    assert toys.compare(ours, theirs, seed=5) == toys.compare(ours, theirs, seed=5)


def test_large_tensors_are_read_in_part_and_the_relation_is_still_found(toys):
    model = toys.model(1)
    plan = Plan(values_per_tensor=1500, agreement=False)

    finding = toys.only(toys.noised(model, 0.6, seed=2), model, plan=plan)

    assert finding.derivation is Derivation.YES
    assert 0.2 < finding.read_share < 0.8
    assert 0 < finding.bytes_read < 2 * 4 * sum(values.size for values in model.values())


def test_tensor_with_values_that_are_no_numbers_is_left_out_and_named(toys):
    model = toys.model(1)
    broken = dict(model)
    name = "model.layers.1.mlp.up_proj.weight"
    broken[name] = np.full_like(model[name], np.nan)

    finding = toys.only(broken, model)

    assert finding.derivation is Derivation.YES
    assert [reason.params for reason in finding.reasons] == [
        {"tensor": name, "why": "a value is not finite"}
    ]


def test_component_of_nothing_but_zeros_is_not_testable(toys):
    zeros = {name: np.zeros_like(values) for name, values in toys.model(1).items()}

    finding = toys.only(zeros, toys.model(1))

    assert finding.relations == (Relation.NOT_TESTABLE,)


def test_rule_that_misses_its_own_control_carries_no_verdict(toys):
    finding = toys.only(toys.model(1), toys.model(2), plan=Plan(effect_floor=0.45))

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert [reason.params for reason in finding.reasons] == [
        {"controls": ["reference-with-noise-0.3"]}
    ]


def test_third_party_that_is_no_stranger_spoils_the_comparison(toys):
    model = toys.model(1)
    stranger = toys.store(toys.model(7), name="stranger")
    relative = toys.store(toys.noised(model, 0.9, seed=7), name="relative")

    clean = toys.only(toys.noised(model, 0.5, seed=2), model, controls=[stranger])
    spoilt = toys.only(toys.noised(model, 0.5, seed=2), model, controls=[relative])

    assert clean.derivation is Derivation.YES
    assert [control.name for control in clean.controls][-1] == "stranger"
    assert spoilt.relations == (Relation.NOT_TESTABLE,)


def test_progress_names_each_component(toys):
    told = []

    toys.compare(toys.model(1) | toys.encoder(2), toys.model(3), progress=told.append)

    assert told == ["language-body", "vision-encoder"]


def test_relation_that_a_stranger_comes_near_to_cannot_be_told(toys):
    model = toys.model(1)
    suspect = toys.noised(model, 0.2, seed=2)
    stranger = toys.store(toys.noised(suspect, 0.05, seed=8), name="stranger")

    finding = toys.only(suspect, model, controls=[stranger])

    assert [reason.code for reason in finding.reasons] == ["lineage-strangers-too-near"]
    assert finding.derivation is Derivation.CANNOT_TELL
    assert Relation.NO_EVIDENCE in finding.relations


def test_gains_that_never_moved_are_missing_and_not_zero(toys):
    model = toys.model(1)
    fixed = {k: np.ones_like(v) if "norm" in k else v for k, v in model.items()}

    finding = toys.only(toys.noised(fixed, 0.7, seed=2), fixed)

    assert finding.gains is None
    assert finding.derivation is Derivation.YES


def test_rows_of_many_tokens_are_drawn_and_still_paired_by_text(toys):
    model, other = toys.model(1), toys.model(2)
    other["model.embed_tokens.weight"] = model["model.embed_tokens.weight"]

    finding = toys.only(other, model, plan=Plan(tokens=100))

    assert [(rows.tokens, rows.related) for rows in finding.token_rows] == [(100, True)]
    assert finding.effect.value == pytest.approx(1, abs=1e-6)


def with_blocks_of(model, other):
    return {name: other[name] if ".mlp." in name else values for name, values in model.items()}


def test_shared_start_beside_blocks_of_another_width_is_no_edit_of_the_width(toys):
    """Attention that began alike says nothing about blocks that have nothing to do with it."""
    model, stranger = toys.model(1), with_wider_blocks(toys.model(5))
    twin = with_blocks_of(toys.noised(model, 0.3, seed=2), stranger)
    twin |= {name: values for name, values in stranger.items() if values.ndim == 1}

    finding = toys.only(twin, model)

    assert Relation.SHARED_INITIALISATION in finding.relations
    assert Relation.WIDTH_EDITED not in finding.relations
    assert finding.derivation is Derivation.CANNOT_TELL


def test_taken_over_embedding_beside_blocks_of_another_width_is_no_edit_of_the_width(toys):
    model = toys.model(1)
    name = "model.embed_tokens.weight"

    finding = toys.only(with_wider_blocks(toys.model(5)) | {name: model[name]}, model)

    assert [reason.code for reason in finding.reasons] == ["lineage-token-rows-only"]
    assert Relation.WIDTH_EDITED not in finding.relations


@pytest.mark.parametrize("budget", [40_000, 150_000])
def test_budget_is_kept_and_what_it_cost_is_said(toys, budget):
    model = toys.model(1)
    suspect, reference = toys.store(toys.noised(model, 0.7, seed=2)), toys.store(model)

    (finding,) = toys.compare(suspect, reference, plan=Plan(budget_bytes=budget)).findings

    assert finding.derivation is Derivation.YES
    assert suspect.bytes_read <= budget
    assert "lineage-budget" in [reason.code for reason in finding.reasons]
    assert finding.branches == ()


def test_component_too_large_to_be_held_is_sketched_to_the_same_answer(toys):
    model = toys.model(1, layers=6)
    suspects = [toys.noised(model, 0.8, seed=2), toys.model(3, layers=6)]

    for suspect in suspects:
        held = toys.only(suspect, model)
        sketched = toys.only(suspect, model, plan=Plan(held_values=1000, sketch_axes=40))

        assert sketched.relations == held.relations
        assert [one.branch for one in sketched.branches if one.found] == [
            one.branch for one in held.branches if one.found
        ]
