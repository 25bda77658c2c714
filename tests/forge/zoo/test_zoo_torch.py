"""The families that torch trains: adapters, up-cycled networks, experts, and models that see."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from dokja.models.forge.structures import Structure
from dokja.models.forge.zoo import changed, grow, open_made, plan_zoo, truth
from dokja.models.forge.zoo.texts import ALPHABET, encode
from dokja.models.forge.zoo.tiers import FamilyTier, Tier

pytestmark = pytest.mark.torch

DONORS = ("f5-r03",)
BY_PEFT = "f1-r00.lora-by-peft"
NAMES = (
    *("f1-r00", "f1-r00.lora-04", "f1-r00.upcycle-trained", "f1-r00.upcycle-trained.laundered"),
    *("f2-r00", "f2-r00.lora-04", "f2-r00.laundered", "f3-r00", "f3-r00.dus-each-trained"),
    *("f5-r00", *DONORS, "f5-r00.encoder-frozen", "f5-r00.encoder-trained"),
)


def share(structure):
    return FamilyTier(
        structure=structure,
        same=4,
        other=0,
        twins=0,
        derived=4,
        steps=6,
        lr=1e-2,
        sequences=4,
        length=16,
    )


@pytest.fixture(scope="module")
def plan_of_torch(tiny_llama):
    sizes = {
        "vocabulary": 256,
        "width": 16,
        "layers": 4,
        "heads": 4,
        "kv_heads": 4,
        "head_width": 4,
        "ffn": 24,
        "positions": 64,
    }
    latent = {
        "experts": 4,
        "experts_per_token": 2,
        "shared_experts": 1,
        "expert_ffn": 8,
        "dense_layers": 1,
        "latent": 8,
        "rope_width": 4,
        "routed_scale": 1.0,
    }
    structures = {
        "F1": tiny_llama,
        "F2": Structure(family="gpt2", tied=True, **sizes),
        "F3": Structure(family="latent-moe", **sizes, **latent),
        "F5": tiny_llama,
    }
    families = {name: share(structure) for name, structure in structures.items()}
    tier = Tier(name="tiny", corpus_tokens=4_000, families=families)
    plan = plan_zoo(tier, torch=True)
    assert set(NAMES) <= {one.name for one in plan.blueprints}
    chosen = {one.name: one for one in plan.blueprints if one.name in NAMES}
    ours = chosen["f1-r00.lora-04"]
    by_peft = replace(ours, name=BY_PEFT, steps=({**ours.steps[0], "engine": "hf"},))
    return replace(plan, blueprints=(*chosen.values(), by_peft))


@pytest.fixture(scope="module")
def grown(plan_of_torch, grower, tmp_path_factory):
    return grow(plan_of_torch, tmp_path_factory.mktemp("torch"), grower=grower)


def test_every_family_grows_and_is_made_again(grown):
    assert set(grown.models) == {*NAMES, BY_PEFT}
    assert changed(grown) == ()


def test_adapters_and_experts_are_labelled_by_their_records(grown):
    relations = {
        name: grown.model(name).label["relation"]
        for name in NAMES
        if "." in name and name[:2] != "f5"
    }

    assert relations == {
        "f1-r00.lora-04": "adapter_merged",
        "f1-r00.upcycle-trained": "upcycled",
        "f1-r00.upcycle-trained.laundered": "identical",
        "f2-r00.lora-04": "adapter_merged",
        "f2-r00.laundered": "identical",
        "f3-r00.dus-each-trained": "depth_edited",
    }


def test_merged_adapter_changes_by_its_rank(grown):
    before, after = (open_made(grown, name).tensors for name in ("f1-r00", "f1-r00.lora-04"))
    name = "model.layers.0.mlp.up_proj.weight"

    change = np.linalg.svd(after.read(name) - before.read(name), compute_uv=False)

    assert (change > 1e-3 * change[0]).sum() <= 4
    assert np.array_equal(after.read("lm_head.weight"), before.read("lm_head.weight"))


def test_adapter_by_numpy_is_that_of_peft(grown):
    before, ours, theirs = (
        open_made(grown, name).tensors for name in ("f1-r00", "f1-r00.lora-04", BY_PEFT)
    )

    apart = sum(np.square(ours.read(n) - theirs.read(n)).sum() for n in before.names)
    moved = sum(np.square(ours.read(n) - before.read(n)).sum() for n in before.names)
    assert 0 < np.sqrt(apart / moved) < 1e-4


def test_encoder_of_another_model_is_told_part_by_part(grown):
    frozen = grown.model("f5-r00.encoder-frozen")
    donor = frozen.record.parents[1].name

    assert frozen.label["relation"] == "component_reuse"
    to_parent, to_donor = (truth(grown, frozen.name, reference) for reference in ("f5-r00", donor))
    assert to_parent.parts["vision_encoder"] == "no_evidence"
    assert to_parent.parts["language_body"] == "continually_pretrained"
    assert (to_donor.relation, to_donor.parts["vision_encoder"]) == ("component_reuse", "identical")
    assert to_donor.parts["language_body"] == "no_evidence"
    trained = truth(grown, "f5-r00.encoder-trained", donor)
    assert trained.parts["vision_encoder"] == "continually_pretrained"


def test_frozen_encoder_is_the_donors_bit_by_bit(grown):
    model = grown.model("f5-r00.encoder-frozen")
    ours, theirs = (
        open_made(grown, name).tensors for name in (model.name, model.record.parents[1].name)
    )
    tower = [name for name in ours.names if name.startswith("vision_tower.")]

    assert tower
    assert all(np.array_equal(ours.read(name), theirs.read(name)) for name in tower)


def test_interrupted_training_of_a_model_that_sees_goes_on_to_the_same_bytes(
    plan_of_torch, grown, tmp_path
):
    from dokja.models.forge.engines import read_job, write_job  # noqa: PLC0415  # beside its use
    from dokja.models.forge.zoo.corpora import ensure_corpus  # noqa: PLC0415  # likewise
    from dokja.models.forge.zoo.making import first_weights  # noqa: PLC0415  # likewise
    from dokja.models.forge.zoo.training import prepare  # noqa: PLC0415  # likewise
    from dokja.models.weights import open_source  # noqa: PLC0415  # likewise

    root = next(one for one in plan_of_torch.blueprints if one.name == "f5-r00")
    family = plan_of_torch.share("F5")
    path = prepare(
        root,
        first_weights(family.structure, family="F5", seed=root.steps[0]["seed"]),
        folder=tmp_path,
        corpus=ensure_corpus(tmp_path / "corpora", "language-a", tokens=4_000),
        share=family,
    )
    write_job(read_job(path).until(4), path.with_name("first.json"))
    twice = (
        "import sys; from dokja.models.forge.workers.sighted import main; "
        "sys.exit(main(sys.argv[1:2]) or main(sys.argv[2:3]))"
    )
    first = str(path.with_name("first.json"))
    done = subprocess.run([sys.executable, "-c", twice, first, str(path)], check=False)

    assert done.returncode == 0
    assert '"kind":"resume","step":4' in (path.parent / "events.jsonl").read_text()
    resumed = open_source(path.parent / "model")
    whole = open_made(grown, "f5-r00").tensors
    assert all(np.array_equal(resumed.read(name), whole.read(name)) for name in whole.names)


def test_tokenizer_file_encodes_as_the_zoo_does(grown):
    from tokenizers import Tokenizer  # noqa: PLC0415  # an extra

    tokenizer = Tokenizer.from_file(str(grown.folder / "tokenizer.json"))
    text = ALPHABET[7:90] + "?" + ALPHABET[3] + "!"

    assert tokenizer.encode(text).ids == encode(text)
