"""`dokja forge transform` and `launder`: what they write, say and refuse."""

import json

import numpy as np
import pytest

from dokja.cli.commands import run as dokja
from dokja.models.forge.engines.ref import logits
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import (
    TRANSFORMS,
    AdapterTerms,
    ArrayTensors,
    Model,
    SourceTensors,
    TransformRecord,
    apply,
    items,
    make_adapter,
    write_adapter,
    write_folder,
)
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests


@pytest.fixture
def say(capsys):
    """Types a command; returns its exit code, what it printed and what it complained of."""

    def said(*words):
        code = dokja(["forge", *map(str, words)])
        out, err = capsys.readouterr()
        return code, out, err

    return said


@pytest.fixture(scope="module")
def structure(tiny):
    return Structure(family="llama", **tiny)


@pytest.fixture(scope="module")
def folders(structure, tmp_path_factory):
    """Two models of one structure, the first with a tokenizer."""
    place = tmp_path_factory.mktemp("models")
    for name in ("a", "b"):
        weights = dict(initialise(structure, name.encode()))
        files = {"tokenizer.json": b"{}"} if name == "a" else {}
        write_folder(ArrayTensors(weights), place / name, config=structure.config(), files=files)
    return place / "a", place / "b"


def opened(folder):
    """Return the weights in a folder, and their structure."""
    source = open_source(folder)
    return dict(items(SourceTensors(source))), Structure.from_config(source.config)


def root_of(folder):
    return root_text(root(source_digests(open_source(folder))))


@pytest.mark.parametrize("name", ["transform", "launder"])
def test_every_command_helps_with_an_example(say, name):
    code, out, _ = say(name, "--help")

    assert (code, f"dokja forge {name} " in out.partition("Example")[2]) == (0, True)
    assert "--json" in out


def test_transform_writes_weights_record_and_tokenizer(say, folders, structure, tmp_path):
    out = tmp_path / "longer"

    code, printed, _ = say(
        "transform",
        "dus",
        folders[0],
        "-o",
        out,
        "--set",
        "map.kind=overlap",
        "--set",
        "map.drop=1",
        "--json",
    )

    said = json.loads(printed)
    record = TransformRecord.from_json(json.loads((out / "transform.json").read_text()))
    parent = Model(tensors=SourceTensors(open_source(folders[0])), structure=structure)
    again = apply({"do": record.kind, **record.parameters}, [parent])
    weights, now = opened(out)
    assert (code, said["root"], said["tokenizer"]) == (0, root_of(out), True)
    assert (record.parents, now) == ((root_of(folders[0]),), again.structure)
    assert all(np.array_equal(weights[name], values) for name, values in again)
    assert sorted(path.name for path in out.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "transform.json",
    ]


def test_further_parents_are_read_in_order(say, folders, tmp_path):
    out = tmp_path / "merged"

    code, _, _ = say(
        "transform",
        "merge",
        folders[0],
        "-o",
        out,
        "--with",
        folders[1],
        "--set",
        "method=linear",
        "--set",
        "weights=[0.25, 0.75]",
    )

    record = json.loads((out / "transform.json").read_text())
    ours, theirs = opened(folders[0])[0], opened(folders[1])[0]
    name = "model.layers.0.mlp.up_proj.weight"
    merged = opened(out)[0][name]
    assert (code, record["parents"]) == (0, [root_of(one) for one in folders])
    assert merged == pytest.approx(0.25 * ours[name] + 0.75 * theirs[name], abs=1e-6)


def test_adapters_own_terms_stand_in_for_what_was_not_set(say, folders, structure, tmp_path):
    terms = AdapterTerms(rank=2, alpha=4.0, targets=("q_proj",))
    adapter = {
        name: values + np.float32(0.01)
        for name, values in items(make_adapter(structure, terms, seed=b"a"))
    }
    write_adapter(ArrayTensors(adapter), tmp_path / "adapter", terms=terms, structure=structure)
    out = tmp_path / "merged"

    code, _, err = say(
        "transform", "merge-adapter", folders[0], "-o", out, "--with", tmp_path / "adapter"
    )

    before, after = opened(folders[0])[0], opened(out)[0]
    changed = sorted(name for name in before if not np.array_equal(before[name], after[name]))
    assert (code, err) == (0, "")
    assert changed == [f"model.layers.{layer}.self_attn.q_proj.weight" for layer in range(2)]


def test_changed_ids_get_no_tokenizer(say, folders, tmp_path):
    out = tmp_path / "extended"

    code, printed, _ = say(
        "transform", "vocabulary", folders[0], "-o", out, "--set", "kind=extend", "--set", "add=8"
    )

    assert (code, (out / "tokenizer.json").exists()) == (0, False)
    assert "its ids are others now" in printed


def test_unknown_transform_is_answered_with_the_known_ones(say, folders, tmp_path):
    code, _, err = say("transform", "dos", folders[0], "-o", tmp_path / "m")

    assert (code, all(name in err for name in TRANSFORMS)) == (2, True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("dus",), "map"),
        (("dus", "--set", "map"), "KEY=VALUE"),
        (("dus", "--set", "map="), "KEY=VALUE"),
        (("dus", "--set", "map=[1", "--set", "=3"), "KEY=VALUE"),
        (("noise", "--set", "share=0.1", "--set", "share=0.2"), "each key once"),
        (("noise", "--set", "shear=0.1"), "an unknown key"),
        (("noise", "--set", "share=0.1", "--set", "seed=0g"), "hexadecimal digits"),
        (("noise", "--set", "share=0.1", "--set", "seed=00", "--with", "b"), "an unknown key"),
        (("merge", "--set", "method=linear"), "with"),
        (("merge", "--set", "method=linear", "--with", "nowhere"), "no folder"),
    ],
)
def test_what_does_not_fit_is_told_and_nothing_is_written(say, folders, tmp_path, words, told):
    name, *rest = words

    code, _, err = say("transform", name, folders[0], "-o", tmp_path / "m", *rest)

    assert (code, told in err, list(tmp_path.iterdir())) == (2, True, [])


@pytest.mark.parametrize("words", [("transform", "dus"), ("launder",)])
def test_folder_without_a_model_is_refused(say, tmp_path, words):
    options = ("--seed", "00") if words == ("launder",) else ("--set", "map.drop=1")

    code, _, err = say(*words, tmp_path, "-o", tmp_path / "m", *options)

    assert (code, list(tmp_path.iterdir())) == (2, [])
    assert err != ""


def test_folder_that_is_there_is_not_overwritten(say, folders):
    before = root_of(folders[1])

    code, _, err = say("launder", folders[0], "-o", folders[1], "--seed", "00")

    assert (code, "a folder that exists" in err, root_of(folders[1])) == (2, True, before)


def test_laundered_model_computes_the_same_with_other_weights(say, folders, tmp_path):
    out = tmp_path / "laundered"

    code, printed, _ = say("launder", folders[0], "-o", out, "--seed", "00ff", "--json")

    said = json.loads(printed)
    ids = np.random.default_rng(0).integers(0, 256, (2, 16))
    ours, theirs = (logits(*opened(one), ids) for one in (folders[0], out))
    assert (code, said["record"]["seed"], said["tokenizer"]) == (0, "00ff", True)
    assert said["root"] == root_of(out) != root_of(folders[0])
    assert np.abs(ours - theirs).max() <= 1e-4
    assert len(said["record"]["kinds"]) > 3


def test_kinds_are_applied_in_the_order_given(say, folders, tmp_path):
    code, printed, _ = say(
        "launder",
        folders[0],
        "-o",
        tmp_path / "m",
        "--seed",
        "00",
        "--json",
        "--kinds",
        "swiglu-scale, ffn-permutation",
    )

    assert code == 0
    assert json.loads(printed)["record"]["kinds"] == ["swiglu-scale", "ffn-permutation"]


@pytest.mark.parametrize(
    ("words", "told"), [(("--kinds", "bleach", "--seed", "00"), "bleach"), (("--seed", "0g"), "0g")]
)
def test_unknown_kind_and_seed_are_refused(say, folders, tmp_path, words, told):
    code, _, err = say("launder", folders[0], "-o", tmp_path / "m", *words)

    assert (code, told in err, list(tmp_path.iterdir())) == (2, True, [])
