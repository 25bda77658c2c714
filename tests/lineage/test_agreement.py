"""Relations that only show once symmetries are undone, and strangers that must not show any.

Networks here have random weights with what trained ones have: neurons of many lengths, uneven
axes, gains far from one. They are laundered by the forge, whose own tests hold that the network
computes the same.
"""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.evidence.lineage import ControlReading, Derivation, Relation, trace
from dokja.evidence.lineage.agreements import interior
from dokja.evidence.lineage.branches import agree_freely, near_duplicates
from dokja.evidence.lineage.folding import fold
from dokja.evidence.lineage.mapping import map_bodies
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.third_parties import held_to
from dokja.models.forge.laundering import KINDS, kinds_for, launder
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import ArrayTensors, items
from dokja.models.weights import open_source

SIZES = {
    "vocabulary": 160,
    "width": 32,
    "layers": 5,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 64,
    "positions": 64,
}
STRUCTURES = {
    "llama": Structure(family="llama", **SIZES),
    "peri": Structure(family="peri", **SIZES, window=6),
    "mixtral": Structure(family="mixtral", **SIZES, experts=3, experts_per_token=2),
    "gpt2": Structure(family="gpt2", **{**SIZES, "kv_heads": 4}),
}
WASHINGS = [
    (name, kind)
    for name, structure in STRUCTURES.items()
    for kind in (*kinds_for(structure), "all of them")
]


def weights(structure, seed):
    """Return weights with uneven axes, neurons of many lengths, and gains far from one."""
    rng = np.random.default_rng(seed)
    axes = rng.lognormal(0, 0.6, structure.width)
    made = {}
    for name, shape in structure.shapes().items():
        if len(shape) == 1:
            made[name] = rng.lognormal(0, 0.4, shape)
            continue
        values = rng.standard_normal(shape) * rng.lognormal(0, 0.3, (shape[0], 1))
        if shape[1] == structure.width:
            values = values * axes
        made[name] = values / np.sqrt(shape[1])
    return {name: values.astype(np.float32) for name, values in made.items()}


def washed(made, structure, kind):
    kinds = None if kind == "all of them" else [kind]
    found = launder(ArrayTensors(made), structure, seed=b"w" * 16, kinds=kinds)
    return dict(items(found.tensors)), found.structure


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Stores weights and opens them."""
    home = tmp_path_factory.mktemp("models")

    def store(made, structure):
        folder = home / f"model-{len(list(home.iterdir()))}"
        folder.mkdir()
        save_file({k: np.ascontiguousarray(v) for k, v in made.items()}, folder / "m.safetensors")
        (folder / "config.json").write_text(json.dumps(structure.config()))
        rows = {f"t{row}": row for row in range(structure.vocabulary)}
        (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": rows}}))
        return open_source(folder)

    return store


def only(suspect, reference, **plan):
    report = trace(suspect, reference, rng=np.random.default_rng(1), plan=Plan(**plan))
    (finding,) = report.findings
    return finding


@pytest.mark.parametrize(("name", "kind"), WASHINGS)
def test_laundered_copy_is_found_whatever_was_done(shelf, name, kind):
    structure = STRUCTURES[name]
    made = weights(structure, 1)
    copy, its = washed(made, structure, kind)

    finding = only(shelf(copy, its), shelf(made, structure))

    assert finding.derivation is Derivation.YES
    assert Relation.NO_EVIDENCE not in finding.relations


@pytest.mark.parametrize("name", STRUCTURES)
def test_stranger_is_not_found_by_any_branch(shelf, name):
    structure = STRUCTURES[name]
    ours, theirs = (shelf(weights(structure, seed), structure) for seed in (1, 2))

    finding = only(ours, theirs, thorough=True)

    assert finding.relations == (Relation.NO_EVIDENCE,)
    assert [one.branch for one in finding.branches if not one.missing] == [
        "coordinates",
        "embeddings",
        "head",
        "free",
    ]
    assert max(one.share for one in finding.branches) <= 0.1
    assert finding.minimum_detectable is not None


def test_laundering_with_new_embeddings_leaves_only_the_free_branch(shelf):
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    copy, its = washed(made, structure, "all of them")
    other, _ = washed(weights(structure, 3), structure, "all of them")
    copy |= {name: other[name] for name in ("model.embed_tokens.weight", "lm_head.weight")}

    finding = only(shelf(copy, its), shelf(made, structure))

    assert [one.branch for one in finding.branches if one.found] == ["free"]
    assert finding.measure == "agreement"
    assert finding.effect.value > 0.9
    assert finding.layer_map == tuple((i, i) for i in range(5))
    assert {"residual_rotation", "ffn_permutation"} <= set(finding.re_expressed)
    kinds = {(control.kind, control.found) for control in finding.controls}
    assert kinds == {("derived", True), ("independent", False)}


def test_repeated_layers_of_a_laundered_model_are_mapped(shelf):
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    order = (0, 1, 2, 1, 2, 3, 4)
    deep = {name: values for name, values in made.items() if ".layers." not in name}
    for new, old in enumerate(order):
        place = f"model.layers.{old}."
        deep |= {
            name.replace(place, f"model.layers.{new}."): values
            for name, values in made.items()
            if name.startswith(place)
        }
    deeper = Structure(family="llama", **{**SIZES, "layers": len(order)})
    copy, its = washed(deep, deeper, "all of them")

    finding = only(shelf(copy, its), shelf(made, structure))

    assert finding.relations == (Relation.DEPTH_EDITED,)
    assert finding.layer_map == tuple(enumerate(order))


def test_twin_layers_of_a_stranger_do_not_leak_into_each_other(shelf):
    """A layer is held out with its near-duplicates, also where neurons were re-ordered apart."""
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    place, twin = "model.layers.1.", "model.layers.3."
    order = np.random.default_rng(1).permutation(structure.ffn)
    for name in [name for name in made if name.startswith(place)]:
        values = made[name]
        if "gate_proj" in name or "up_proj" in name:
            values = values[order]
        made[name.replace(place, twin)] = values[:, order] if "down_proj" in name else values
    sources = [shelf(made, structure), shelf(weights(structure, 2), structure)]
    ours, theirs = (fold(source, map_bodies(source)[0]) for source in sources)

    groups = near_duplicates(ours)
    table = agree_freely(ours, theirs)

    assert sorted(groups) == [(0,), (1, 3), (2,), (4,)]
    assert np.nanmax(table.shares) <= 0.1


def test_pruned_neurons_are_a_width_edit(shelf):
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    kept = np.sort(np.random.default_rng(1).permutation(structure.ffn)[:40])
    pruned = {
        name: values[kept]
        if "gate_proj" in name or "up_proj" in name
        else values[:, kept]
        if "down_proj" in name
        else values
        for name, values in made.items()
    }
    narrow = Structure(family="llama", **{**SIZES, "ffn": 40})
    copy, its = washed(pruned, narrow, "all of them")

    finding = only(shelf(copy, its), shelf(made, structure))

    assert finding.relations == (Relation.WIDTH_EDITED,)


def test_re_ordered_heads_are_mapped_one_by_one(shelf):
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    copy, its = washed(made, structure, "head-permutation")

    finding = only(shelf(copy, its), shelf(made, structure))

    wanted = []
    for layer in range(structure.layers):
        name = f"model.layers.{layer}.self_attn.q_proj.weight"
        ours, theirs = (values[name].reshape(structure.heads, -1) for values in (copy, made))
        wanted += [
            (layer, i, layer, j)
            for i, one in enumerate(ours)
            for j, other in enumerate(theirs)
            if np.array_equal(one, other)
        ]
    assert sorted(finding.head_map) == sorted(wanted)
    assert len(wanted) == structure.layers * structure.heads
    assert any(ours != theirs for _, ours, _, theirs in wanted)


@pytest.mark.parametrize("name", ["llama", "gpt2"])
def test_every_head_of_a_laundered_copy_finds_its_like(shelf, name):
    structure = STRUCTURES[name]
    made = weights(structure, 1)
    copy, its = washed(made, structure, "all of them")

    finding = only(shelf(copy, its), shelf(made, structure))

    heads = [(layer, head) for layer in range(structure.layers) for head in range(structure.heads)]
    assert sorted((layer, head) for layer, head, _, _ in finding.head_map) == heads
    assert sorted((layer, head) for _, _, layer, head in finding.head_map) == heads


def test_experts_made_of_one_block_are_told(shelf):
    dense, routed = STRUCTURES["llama"], STRUCTURES["mixtral"]
    made, model = weights(routed, 3), weights(dense, 1)
    rng = np.random.default_rng(2)
    parts = {"w1": "gate_proj", "w3": "up_proj", "w2": "down_proj"}
    for name in made:
        if ".experts." in name:
            layer = name.split(".block_sparse_moe.", maxsplit=1)[0].split(".mlp.", maxsplit=1)[0]
            last = name.split(".")[-2]
            values = model[f"{layer}.mlp.{parts.get(last, last)}.weight"]
            made[name] = values + 0.2 * values.std() * rng.standard_normal(values.shape)
        elif name in model:
            made[name] = model[name]
    made = {name: values.astype(np.float32) for name, values in made.items()}

    finding = only(shelf(made, routed), shelf(model, dense))

    assert finding.relations == (Relation.UPCYCLED,)
    assert {theirs for _, _, _, theirs in finding.expert_map} == {"dense"}


def test_model_of_two_layers_has_no_interior_and_says_so(shelf):
    structure = Structure(family="llama", **{**SIZES, "layers": 2})
    ours, theirs = (shelf(weights(structure, seed), structure) for seed in (1, 2))

    finding = only(ours, theirs)

    assert all("no interior" in one.missing for one in finding.branches)
    assert len(interior(2)) == 0


def test_more_ways_of_looking_never_take_a_relation_back(shelf):
    structure = STRUCTURES["llama"]
    made = weights(structure, 1)
    suspect, reference = shelf(*washed(made, structure, "all of them")), shelf(made, structure)

    quick, thorough = (only(suspect, reference, thorough=way) for way in (False, True))

    assert quick.derivation is thorough.derivation is Derivation.YES
    assert len(thorough.branches) == 4


def traced(suspect, reference, *, controls):
    report = trace(
        suspect,
        reference,
        rng=np.random.default_rng(7),
        plan=Plan(null_draws=40, detectable_draws=10),
        controls=controls,
    )
    return report.findings[0]


def test_third_models_are_laid_beside_by_agreement_too(shelf):
    structure = STRUCTURES["llama"]
    root, third = (shelf(weights(structure, seed), structure) for seed in (11, 12))
    suspect = shelf(*washed(weights(structure, 11), structure, "all of them"))

    alone = traced(suspect, root, controls=[])
    beside = traced(suspect, root, controls=[third])

    assert (alone.measure, beside.measure) == ("agreement", "agreement")
    assert beside.relations == alone.relations
    (control,) = [one for one in beside.controls if one.name == third.name]
    assert (control.kind, control.measure, control.found) == ("independent", "agreement", False)
    assert control.value < 0.1


def test_third_model_that_is_found_by_agreement_leaves_nothing_to_tell(shelf):
    structure = STRUCTURES["llama"]
    root = shelf(weights(structure, 11), structure)
    suspect = shelf(*washed(weights(structure, 11), structure, "all of them"))
    called_a_stranger = shelf(weights(structure, 11), structure)

    finding = traced(suspect, root, controls=[called_a_stranger])

    assert finding.relations == (Relation.NOT_TESTABLE,)
    assert finding.reasons[-1].code == "lineage-control-failed"


def test_third_model_that_comes_near_leaves_no_evidence_open(shelf):
    structure = STRUCTURES["llama"]
    root, third = (shelf(weights(structure, seed), structure) for seed in (11, 12))
    suspect = shelf(*washed(weights(structure, 11), structure, "all of them"))
    finding = traced(suspect, root, controls=[])
    near = ControlReading(
        kind="independent", name=third.name, value=0.2, found=False, measure="agreement"
    )

    held = held_to(finding, [near], plan=Plan())

    assert held.relations == (*finding.relations, Relation.NO_EVIDENCE)
    assert held.derivation is Derivation.CANNOT_TELL
    assert held.reasons[-1].code == "lineage-strangers-too-near"


def test_no_evidence_says_what_either_way_of_looking_would_have_seen(shelf):
    structure = STRUCTURES["llama"]
    suspect, stranger = (shelf(weights(structure, seed), structure) for seed in (11, 12))

    finding = traced(suspect, stranger, controls=[])

    assert finding.relations == (Relation.NO_EVIDENCE,)
    power = dict(finding.detectable)
    assert set(power) == {"coordinates", "agreement"}
    assert power["coordinates"] == finding.minimum_detectable < power["agreement"] < 1


def test_every_kind_of_laundering_is_tried_here():
    assert {kind for _, kind in WASHINGS} == {*KINDS, "all of them"}
