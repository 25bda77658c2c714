"""The sample's models: small enough, really trained, and related as `truth.json` says."""

import json

import numpy as np
import pytest

from dokja.models.forge.recipes import read_recipe
from dokja.models.serving import open_model
from dokja.models.weights import open_source

MOST_BYTES = 8_000_000


def correlation(one, other):
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


@pytest.fixture(scope="module")
def truth(sample):
    return json.loads((sample / "make" / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sources(sample, truth):
    models = sample / "programme" / "models"
    return {name: open_source(models / name) for name in truth["models"]}


def test_all_weights_together_are_small(sample):
    files = list((sample / "programme" / "models").glob("*/model.safetensors"))

    assert len(files) == 6
    assert sum(file.stat().st_size for file in files) <= MOST_BYTES


def test_components_are_those_that_truth_names(truth, sources):
    for name, source in sources.items():
        prefixes = {truth["components"][component] for component in truth["models"][name]}

        found = {tensor.split(".")[0] + "." for tensor in source.names}

        assert found == prefixes, name


def parts_of(path):
    """Return what a recipe says of each of its components that bears weights."""
    recipe = read_recipe(path)
    found = {}
    for component in recipe.at("cpu").component:
        if component.role != "tokenizer":
            maps = [step.parameters["map"] for step in component.step if step.do == "dus"]
            base = component.origin.base or "scratch"
            found[component.id] = (base, [*maps[0]] if maps else None)
    return recipe.name, found


def test_truth_agrees_with_the_recipes(sample, truth):
    recipes = dict(parts_of(path) for path in sorted((sample / "make/recipes").glob("*.toml")))

    assert recipes == {
        name: {part: (said["from"], said.get("layer_map")) for part, said in parts.items()}
        for name, parts in truth["models"].items()
    }


def test_each_derived_layer_is_most_like_the_one_it_was_made_from(truth, sources):
    child, parent = sources["dasom-1"], sources["garam-1"]
    layer_map = truth["models"]["dasom-1"]["language-body"]["layer_map"]
    gate = "model.layers.{}.mlp.gate_proj.weight"
    parents = [parent.read(gate.format(layer)) for layer in range(4)]

    for layer, made_from in enumerate(layer_map):
        likenesses = [correlation(child.read(gate.format(layer)), other) for other in parents]

        assert int(np.argmax(likenesses)) == made_from
        assert 0.5 < likenesses[made_from] < 0.995  # moved, and still known again
        assert max(abs(r) for at, r in enumerate(likenesses) if at != made_from) < 0.1


def test_the_foreign_encoder_is_hardly_moved_and_the_projector_is_its_own(sources):
    ours, theirs = sources["raon-1"], sources["hanbit-1"]
    encoder = [name for name in ours.names if name.startswith("vision_tower.")]
    projector = [name for name in ours.names if name.startswith("multi_modal_projector.")]

    kept = {name: correlation(ours.read(name), theirs.read(name)) for name in encoder}
    own = {name: correlation(ours.read(name), theirs.read(name)) for name in projector}

    assert min(kept.values()) >= 0.98
    assert max(map(abs, own.values())) < 0.1


@pytest.mark.parametrize(
    ("one", "other"),
    [("garam-1", "narae-1"), ("garam-1", "raon-1"), ("raon-1", "hanbit-1"), ("maru-1", "garam-1")],
)
def test_honest_bodies_are_strangers(sources, one, other):
    names = [
        name
        for name in sources["maru-1"].names
        if name.startswith("model.layers.") and name.endswith("proj.weight")
    ]

    likenesses = [correlation(sources[one].read(n), sources[other].read(n)) for n in names]

    assert max(map(abs, likenesses)) < 0.1


def test_models_have_really_learnt(sample, items, truth):
    right = {}
    for name in truth["models"]:
        model = open_model(sample / "programme" / "models" / name)
        for benchmark, suite in items.items():
            answers = model.answer([item["prompt"] for item in suite], max_new_tokens=24)
            hits = [a.text == item["answer"] for a, item in zip(answers, suite, strict=True)]
            right[name, benchmark] = np.mean(hits)
    points = {
        name: float(np.mean([right[name, benchmark] for benchmark in items]))
        for name in truth["models"]
    }

    ranks = sorted(points, key=points.__getitem__)

    assert ranks[0] == "maru-1"
    assert ranks[-1] == "hanbit-1"
    assert 0.5 < points["maru-1"] < 0.8
    assert all(points[name] > 0.8 for name in ranks[1:])


def test_every_model_opens_with_the_right_size(model_folder, sample):
    record = json.loads((sample / "make" / "record.json").read_text(encoding="utf-8"))
    source = open_source(model_folder)

    counted = record[model_folder.name]["parameters"]

    assert source.parameters == sum(counted.values())
    assert record[model_folder.name]["bytes"] == (model_folder / "model.safetensors").stat().st_size
