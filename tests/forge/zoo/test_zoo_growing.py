"""Growing: whole or not at all, resumable at any moment, the same bytes again."""

import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dokja.errors import EngineError, RecipeError, RecordError
from dokja.models.forge.zoo import (
    TIERS,
    changed,
    find_by_root,
    grow,
    open_model,
    plan_zoo,
    read_zoo,
    write_model,
)
from dokja.models.forge.zoo.making import tensors_root
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests

SOME = (
    "f1-r00",
    "f1-r01",
    "f1-r00.sft-fast",
    "f1-r00.dus-each-trained",
    "f1-r00.laundered",
    "f1-r00.student",
)
GROW_SOME = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, {here!r})
from conftest import tiny_grower, tiny_tier
from dokja.models.forge.zoo import grow, plan_zoo
plan = plan_zoo(tiny_tier(), torch=False)
some = tuple(one for one in plan.blueprints if one.name in {names!r})
grow(replace(plan, blueprints=some), Path({folder!r}), grower=tiny_grower())
"""


@pytest.fixture(scope="module")
def some(make_plan, grower, tmp_path_factory):
    """A few models, grown in one go."""
    return grow(make_plan(*SOME), tmp_path_factory.mktemp("some"), grower=grower)


def test_everything_of_the_plan_is_there(zoo, plan):
    assert zoo.complete
    assert set(zoo.models) == {one.name for one in plan.blueprints}
    assert sorted(path.name for path in (zoo.folder / "models").iterdir()) == sorted(
        one.name for one in plan.blueprints if one.trained
    )


def test_variants_are_made_again_bit_by_bit(zoo):
    assert changed(zoo) == ()


def test_only_trained_models_lie_on_the_disk(zoo):
    stored = {name for name, one in zoo.models.items() if one.record.stored}

    assert {path.parent.name for path in zoo.folder.glob("models/*/model.safetensors")} == stored
    assert not (zoo.folder / ".growing").exists()


def test_written_variant_has_the_root_that_was_labelled(zoo, tmp_path):
    name = "f1-r00.cpt-100.laundered-embeddings"

    write_model(zoo, name, tmp_path / "model")

    source = open_source(tmp_path / "model")
    assert root_text(root(source_digests(source))) == zoo.model(name).record.root
    assert find_by_root(zoo, zoo.model(name).record.root) == (name,)


def test_laundered_models_compute_what_their_parents_do(zoo):
    from dokja.models.forge.engines.ref import mean_loss  # noqa: PLC0415  # beside its use
    from dokja.models.forge.zoo import open_made  # noqa: PLC0415  # likewise

    batch = np.random.default_rng(0).integers(0, 256, (4, 16))
    losses = []
    for name in ("f1-r00.cpt-100", "f1-r00.cpt-100.laundered"):
        made = open_made(zoo, name)
        weights = {one: made.tensors.read(one) for one in made.tensors.names}
        losses.append(mean_loss(weights, made.structure, batch))

    assert losses[0] == pytest.approx(losses[1], abs=1e-5)


def test_growing_again_changes_nothing(zoo, plan, grower):
    before = {path: path.stat().st_mtime_ns for path in zoo.folder.glob("models/*/*")}
    manifest = (zoo.folder / "zoo.json").read_bytes()
    made = []

    again = grow(plan, zoo.folder, grower=replace(grower, progress=lambda *said: made.append(said)))

    assert again == zoo
    assert made == []
    assert (zoo.folder / "zoo.json").read_bytes() == manifest
    assert {path: path.stat().st_mtime_ns for path in zoo.folder.glob("models/*/*")} == before


def test_killed_at_any_moment_it_goes_on_to_the_same_bytes(some, tmp_path):
    script = GROW_SOME.format(
        here=str(Path(__file__).parent), names=SOME, folder=str(tmp_path / "zoo")
    )
    chance = random.Random(5)  # noqa: S311  # moments, not secrets
    kills = 0
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", script])
        limit = time.monotonic() + (chance.uniform(0.5, 2.0) if kills < 2 else 120)
        while process.poll() is None and time.monotonic() < limit:
            time.sleep(0.02)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1

    assert process.returncode == 0
    assert kills > 0
    assert (tmp_path / "zoo/zoo.json").read_bytes() == (some.folder / "zoo.json").read_bytes()
    assert changed(read_zoo(tmp_path / "zoo")) == ()


def test_half_written_model_is_not_one(some, make_plan, grower, tmp_path):
    folder = tmp_path / "zoo"
    (folder / "models/f1-r00").mkdir(parents=True)
    (folder / "models/f1-r00/model.safetensors").write_bytes(b"half")

    grown = grow(make_plan("f1-r00"), folder, grower=grower)

    assert grown.model("f1-r00").record.root == some.model("f1-r00").record.root


def test_changed_folder_is_found_by_its_root(some, make_plan, grower, tmp_path):
    folder = tmp_path / "zoo"
    small = grow(make_plan("f1-r00", "f1-r00.laundered", "f1-r01"), folder, grower=grower)
    weights = folder / "models/f1-r00/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-5] ^= 1
    weights.write_bytes(data)

    assert changed(small) == ("f1-r00", "f1-r00.laundered")
    with pytest.raises(RecordError, match=r"f1-r00\.laundered"):
        write_model(small, "f1-r00.laundered", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_removed_model_is_grown_again_with_what_stands_on_it(make_plan, grower, tmp_path):
    plan = make_plan("f1-r00", "f1-r00.laundered", "f1-r00.cpt-050")
    first = grow(plan, tmp_path, grower=grower)
    (tmp_path / "models/f1-r00/record.json").unlink()
    made = []

    second = grow(
        plan, tmp_path, grower=replace(grower, progress=lambda name, *_: made.append(name))
    )

    assert sorted(made) == ["f1-r00", "f1-r00.cpt-050", "f1-r00.laundered"]
    assert second == first


def test_tier_is_not_grown_over_another(some, plan, grower):
    other = replace(plan, tier=replace(plan.tier, name="other"))

    with pytest.raises(RecipeError, match="read tiny; expected other"):
        grow(other, some.folder, grower=grower)

    assert changed(some) == ()


def test_two_growers_do_not_work_in_one_folder(make_plan, grower, tmp_path):
    from dokja.models.forge.running.processes import RunLock  # noqa: PLC0415  # beside its use

    with RunLock(tmp_path), pytest.raises(EngineError, match="another process"):
        grow(make_plan("f1-r00"), tmp_path, grower=grower)


def test_failed_engine_is_told_with_its_last_words(make_plan, grower, tmp_path):
    broken = replace(
        grower,
        environment={**grower.environment, "PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere"},
    )

    with pytest.raises(EngineError, match="f1-r00"):
        grow(make_plan("f1-r00"), tmp_path, grower=broken)

    assert not read_zoo(tmp_path).complete


def test_missing_model_is_named_with_its_likes(some):
    with pytest.raises(RecordError, match=r"no model f1-r00\.nothing.*f1-r00\.sft-fast"):
        open_model(some, "f1-r00.nothing")


def test_smoke_root_learns_more_than_frequencies(grower, tmp_path):
    plan = plan_zoo(TIERS["smoke"], torch=False)
    one = replace(plan, blueprints=tuple(b for b in plan.blueprints if b.name == "f1-r00"))

    grown = grow(one, tmp_path, grower=grower)

    losses = grown.model("f1-r00").record.losses
    assert losses["first"] == pytest.approx(np.log(256), abs=0.1)
    assert losses["last"] < losses["unigram"] - 2.0
    gains = open_model(grown, "f1-r00").read("model.layers.1.input_layernorm.weight")
    assert gains.std() > 0.02
    assert tensors_root(open_model(grown, "f1-r00")) == grown.model("f1-r00").record.root
