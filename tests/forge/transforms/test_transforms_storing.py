"""Fewer bits, other vocabularies, the registry, and folders that are whole or not there."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from safetensors import deserialize
from safetensors.numpy import load_file

from dokja.errors import TransformError
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import (
    TRANSFORMS,
    ArrayTensors,
    Derived,
    Model,
    SourceTensors,
    TransformRecord,
    apply,
    check_step,
    items,
    restore,
    write_folder,
    write_tensors,
)
from dokja.models.forge.transforms.quantise import SCHEMES, decode, encode
from dokja.models.forge.transforms.tensors import Plan
from dokja.models.forge.transforms.vocabulary import runs
from dokja.models.weights import open_source
from dokja.values import canonical_bytes

MATRICES = arrays(
    np.float32,
    st.tuples(st.integers(1, 5), st.integers(1, 70)),
    elements=st.floats(-100, 100, width=16),
)


def slow_codes(matrix, scheme):
    """Each value divided by its block's scale, one after the other."""
    wide = scheme.columns or matrix.shape[1]
    found = np.empty(matrix.shape)
    for row, column in np.ndindex(matrix.shape):
        first = column // wide * wide
        down = row // scheme.rows * scheme.rows
        block = matrix[down : down + scheme.rows, first : first + wide]
        largest = np.abs(block).max()
        scale = np.float32(largest / np.float32(scheme.largest)) if largest else np.float32(1)
        code = np.float32(matrix[row, column] / scale)
        if scheme.dtype == ml_dtypes.float8_e4m3fn:
            found[row, column] = np.float32(code.astype(scheme.dtype)) * scale
        else:
            found[row, column] = np.float32(round(float(code))) * scale
    return found.astype(np.float32)


@pytest.mark.parametrize("scheme", SCHEMES)
@given(matrix=MATRICES)
def test_codes_are_the_nearest_of_their_block(scheme, matrix):
    codes = encode(matrix, SCHEMES[scheme])

    found = decode(codes, SCHEMES[scheme])

    assert codes.codes.dtype == SCHEMES[scheme].dtype
    assert np.array_equal(found, slow_codes(matrix, SCHEMES[scheme]))


@pytest.mark.parametrize("scheme", ["int8-row", "int4-group"])
@given(matrix=MATRICES)
def test_whole_codes_are_off_by_half_a_step_at_most(scheme, matrix):
    kind = SCHEMES[scheme]
    codes = encode(matrix, kind)

    wrong = np.abs(decode(codes, kind) - matrix)

    steps = np.repeat(codes.scales, kind.columns or matrix.shape[1], axis=1)[:, : matrix.shape[1]]
    assert (wrong <= 0.500001 * steps).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_stored_form_stands_for_the_fake_one(scheme, networks, tmp_path):
    parent = networks["llama"]
    step = {"do": "quantise", "scheme": scheme}

    fake = dict(apply(step, [parent.model]))
    stored = apply({**step, "form": "stored"}, [parent.model])
    write_folder(stored.tensors, tmp_path / "model", config=stored.config())
    back = restore(stored.tensors, scheme=scheme, shapes=parent.structure.shapes())

    assert all(np.array_equal(one, fake[name]) for name, one in items(back))
    assert stored.config()["quantization_config"]
    assert np.array_equal(fake["lm_head.weight"], parent.weights["lm_head.weight"])
    size = sum(path.stat().st_size for path in (tmp_path / "model").glob("*.safetensors"))
    matrices = sum(parent.weights[name].size for name in stored.record.map["quantised"])
    others = sum(one.nbytes for one in parent.weights.values()) - 4 * matrices
    assert size < others + matrices * {"int4-group": 0.75}.get(scheme, 1.25) + 20_000


@pytest.mark.parametrize("scheme", SCHEMES)
def test_values_that_no_scale_holds_are_refused_or_become_zero(scheme):
    tiny = np.full((2, 4), 1e-45, dtype=np.float32)

    assert decode(encode(tiny, SCHEMES[scheme]), SCHEMES[scheme]).tolist() == [[0.0] * 4] * 2
    for value in (np.nan, np.inf):
        with pytest.raises(TransformError, match="NaN or an infinity"):
            encode(np.array([[1, value]], dtype=np.float32), SCHEMES[scheme])


def test_fewer_bits_cost_more(networks, net, ids):
    parent = networks["llama"]

    costs = {}
    for scheme in SCHEMES:
        done = apply({"do": "quantise", "scheme": scheme}, [parent.model])
        child = net(done.tensors, done.structure)
        costs[scheme] = np.abs(child.logits(ids) - parent.logits(ids)).mean()

    assert costs["int8-row"] < costs["fp8-block"] < costs["int4-group"]


def test_vocabulary_rows_are_kept_added_and_averaged(networks, net, ids):
    parent = networks["llama"]
    step = {"do": "vocabulary", "kind": "extend", "add": 15}

    done = apply(step, [parent.model])

    child = net(done.tensors, done.structure)
    mean = parent.weights["lm_head.weight"].astype(float).mean(axis=0)
    assert done.record.map == {"rows": [[0, 0, 61]], "new": 15, "share_new": 15 / 76}
    assert np.array_equal(child.weights["lm_head.weight"][:61], parent.weights["lm_head.weight"])
    assert np.allclose(child.weights["lm_head.weight"][61:], mean, atol=1e-7)
    assert np.allclose(child.logits(ids)[..., :61], parent.logits(ids), atol=1e-5)


@pytest.mark.parametrize("label", ["llama", "llama, tied", "gpt2", "peri"])
def test_swapped_rows_are_drawn_again_and_no_other(label, networks):
    parent = networks[label]
    step = {"do": "vocabulary", "kind": "swap", "share": 0.2, "new": "seed", "seed": "0b"}

    done = apply(step, [parent.model])

    child = dict(done)
    kept = {
        new + at: old + at for new, old, count in done.record.map["rows"] for at in range(count)
    }
    assert done.record.map["new"] == 12
    assert kept == {row: row for row in kept}
    for name, values in parent.weights.items():
        same = (child[name] == values).reshape(len(values), -1).all(axis=1)
        if values.shape[0] == 61:
            assert set(np.flatnonzero(same)) == set(kept)
        else:
            assert same.all()


def test_a_map_reorders_rows_and_pads(networks):
    parent = networks["llama"]
    rows = [3, 4, -1, 0]

    done = apply({"do": "vocabulary", "kind": "map", "rows": rows, "new": "zero"}, [parent.model])
    padded = apply({"do": "vocabulary", "kind": "pad", "multiple": 32}, [parent.model])

    head = done.tensors.read("lm_head.weight")
    assert head.tolist() == [
        [0.0] * 32 if row < 0 else parent.weights["lm_head.weight"][row].tolist() for row in rows
    ]
    assert done.structure.vocabulary == 4
    assert padded.structure.vocabulary == 64


@given(st.lists(st.integers(-1, 6), min_size=1, max_size=30))
def test_runs_say_the_whole_map(rows):
    found = runs(rows)

    written = [-1] * len(rows)
    for new, old, count in found:
        written[new : new + count] = range(old, old + count)
    assert written == rows
    assert len(found) <= len(rows)


def test_embeddings_are_drawn_again_or_another_models(networks, stranger):
    parent = networks["llama"]
    other = Model(tensors=stranger.tensors, structure=stranger.structure, name="stranger")

    drawn = dict(
        apply({"do": "replace-embeddings", "seed": "01", "parts": ["head"]}, [parent.model])
    )
    taken = dict(apply({"do": "replace-embeddings", "with": "stranger"}, [parent.model, other]))

    embedding, head = "model.embed_tokens.weight", "lm_head.weight"
    assert abs(drawn[head].std() - 0.02) < 0.002
    assert np.array_equal(drawn[embedding], parent.weights[embedding])
    assert np.array_equal(taken[head], stranger.weights[head])
    assert np.array_equal(taken[embedding], stranger.weights[embedding])
    assert np.array_equal(taken["model.norm.weight"], parent.weights["model.norm.weight"])


def test_a_donor_of_another_vocabulary_gives_both_or_none(networks, stranger):
    parent = networks["llama"]
    other = Model(tensors=stranger.tensors, structure=stranger.structure, name="stranger")
    larger = apply({"do": "vocabulary", "kind": "extend", "add": 3}, [other]).model

    both = apply({"do": "replace-embeddings", "with": "x"}, [parent.model, larger])

    assert both.structure.vocabulary == 64
    with pytest.raises(TransformError, match="both embedding and head"):
        apply({"do": "replace-embeddings", "with": "x", "parts": ["head"]}, [parent.model, larger])


STEPS = [
    {"do": "dus", "map": {"kind": "overlap", "drop": 1}},
    {"do": "zero-blocks", "after": [1]},
    {"do": "drop-layers", "layers": [1]},
    {"do": "prune-neurons", "share": 0.5, "criterion": "random", "seed": "02"},
    {"do": "prune-heads", "groups": [1]},
    {"do": "grow", "ffn": 60, "seed": "03"},
    {"do": "merge", "method": "ties", "with": ["other"], "density": 0.2},
    {"do": "merge-adapter", "with": "other", "rank": 2, "alpha": 4.0, "targets": ["q_proj"]},
    {"do": "vocabulary", "kind": "swap", "share": 0.5, "seed": "04"},
    {"do": "replace-embeddings", "seed": "05"},
    {"do": "transplant", "with": "other", "prefix": "model.layers.0."},
    {"do": "upcycle", "experts": 3, "experts_per_token": 2, "seed": "06", "perturb": 0.01},
    {"do": "quantise", "scheme": "int4-group", "form": "stored"},
    {"do": "noise", "share": 0.05, "seed": "07"},
]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step["do"])
def test_a_record_makes_the_same_tensors_again(step, networks, stranger):
    parent = networks["llama"]
    other = Model(tensors=stranger.tensors, structure=stranger.structure, name="other")
    if step["do"] == "merge-adapter":
        halves = {"lora_A": (2, 32), "lora_B": (32, 2)}
        pair = {
            f"base_model.model.model.layers.0.self_attn.q_proj.{half}.weight": np.ones(
                shape, np.float32
            )
            for half, shape in halves.items()
        }
        other = Model(tensors=ArrayTensors(pair), structure=parent.structure, name="other")
    sources = [parent.model, other] if "with" in step else [parent.model]

    done = apply(step, sources)
    said = json.loads(canonical_bytes(done.record.to_json()))
    record = TransformRecord.from_json(said)
    named = {"with": list(record.parents[1:])} if len(record.parents) > 1 else {}
    again = apply({"do": record.kind, **record.parameters, **named}, sources)

    assert again.record.to_json() == done.record.to_json()
    assert again.structure == done.structure
    expected = dict(done)
    assert {name: one.tobytes() for name, one in again} == {
        name: one.tobytes() for name, one in expected.items()
    }


def test_every_transform_is_tried_here():
    assert {step["do"] for step in STEPS} == set(TRANSFORMS)


def test_what_each_transform_does_to_ancestry():
    changing = {name for name, spec in TRANSFORMS.items() if spec.changes_structure}
    adding = {name for name, spec in TRANSFORMS.items() if spec.adds_leaves}

    assert changing == {
        "drop-layers",
        "dus",
        "grow",
        "prune-heads",
        "prune-neurons",
        "upcycle",
        "zero-blocks",
    }
    assert adding == {"merge", "merge-adapter", "replace-embeddings", "transplant"}
    assert all(canonical_bytes(spec.to_json()) for spec in TRANSFORMS.values())


def test_all_mistakes_of_a_step_come_at_once():
    wrong = {"method": "mean", "with": [], "weights": ["a"], "density": 2, "sede": 1, "seed": "xyz"}

    with pytest.raises(TransformError) as caught:
        check_step("merge", wrong)

    assert [one.place for one in caught.value.mistakes] == [
        "sede",
        "method",
        "with",
        "weights",
        "density",
        "seed",
    ]


@pytest.mark.parametrize(
    ("step", "places"),
    [
        ({"do": "merge", "method": "slerp", "with": "a", "weights": [1]}, ["share", "weights"]),
        ({"do": "merge", "method": "dare", "with": "a", "density": 0}, ["seed", "density"]),
        ({"do": "vocabulary", "kind": "swap", "add": 3}, ["add", "share", "seed"]),
        ({"do": "prune-neurons", "keep": 3, "share": 0.5}, ["keep"]),
        ({"do": "replace-embeddings"}, ["seed"]),
        ({"do": "dus", "map": {"kind": "overlap"}}, ["map"]),
        ({"do": "noise", "share": True, "seed": ""}, ["share", "seed"]),
        ({"do": "prune-neurons", "keep": 3, "criterion": "random"}, ["seed"]),
        ({"do": "dus", "map": [True]}, ["map"]),
        ({"do": "dos"}, ["do"]),
        ({"do": ["dus"]}, ["do"]),
        ({}, ["do"]),
    ],
    ids=str,
)
def test_mistakes_between_parameters_are_told(step, places, networks):
    with pytest.raises(TransformError) as caught:
        apply(step, [networks["llama"].model])

    assert [one.place for one in caught.value.mistakes] == places


@pytest.mark.parametrize(
    ("others", "fits"),
    [
        ({"base": "a", "licence": "MIT"}, True),
        ([{"record": "b.json"}, "c"], True),
        ({"licence": "MIT"}, False),
        ([{"base": ""}], False),
        ([], False),
    ],
    ids=str,
)
def test_other_parents_are_names_bases_or_records(others, fits):
    step = {"method": "linear", "with": others}

    if fits:
        assert check_step("merge", step)["with"] == others
    else:
        with pytest.raises(TransformError, match="a table with a base or a record"):
            check_step("merge", step)


def test_parents_that_are_not_there_are_told(networks):
    with pytest.raises(TransformError, match="read 1 models; expected 3"):
        apply({"do": "merge", "method": "linear", "with": ["a", "b"]}, [networks["llama"].model])


def test_a_record_that_states_nothing_is_refused():
    with pytest.raises(TransformError) as caught:
        TransformRecord.from_json({"kind": 3, "parents": []})

    assert [one.place for one in caught.value.mistakes] == [
        "kind",
        "parameters",
        "map",
        "keeps_function",
        "structure_changed",
    ]


def test_a_folder_is_read_back_as_it_was(networks, tmp_path):
    parent = networks["llama"]

    files = write_folder(
        parent.tensors,
        tmp_path / "model",
        config=parent.structure.config(),
        shard_bytes=20_000,
        files={"tokenizer.json": b"{}"},
    )

    source = open_source(tmp_path / "model")
    index = json.loads((tmp_path / "model/model.safetensors.index.json").read_text())
    assert Structure.from_config(dict(source.config)) == parent.structure
    assert dict(items(SourceTensors(source))).keys() == parent.weights.keys()
    assert all(
        np.array_equal(one, parent.weights[name]) for name, one in items(SourceTensors(source))
    )
    assert len([path for path in files if path.suffix == ".safetensors"]) > 3
    assert index["metadata"]["total_size"] == sum(one.nbytes for one in parent.weights.values())
    assert sorted(index["weight_map"]) == sorted(parent.weights)


@pytest.mark.parametrize(("dtype", "kind"), [("BF16", ml_dtypes.bfloat16), ("F16", np.float16)])
def test_floats_are_rounded_to_the_type_that_was_asked(dtype, kind, networks, tmp_path):
    parent = networks["llama"]

    write_tensors(parent.tensors, tmp_path / "model.safetensors", dtype=dtype)

    found = load_file(tmp_path / "model.safetensors")
    assert all(
        np.array_equal(found[name], one.astype(kind)) for name, one in parent.weights.items()
    )


def test_config_tells_the_type_that_was_written(networks, tmp_path):
    parent = networks["llama"]

    write_folder(parent.tensors, tmp_path / "m", config=parent.structure.config(), dtype="BF16")

    said = json.loads((tmp_path / "m/config.json").read_text())
    assert said == {**parent.structure.config(), "dtype": "bfloat16"}


def test_codes_keep_their_type_when_floats_are_rounded(networks, tmp_path):
    stored = apply(
        {"do": "quantise", "scheme": "fp8-block", "form": "stored"}, [networks["llama"].model]
    )

    write_tensors(stored.tensors, tmp_path / "model.safetensors", dtype="BF16")

    found = dict(deserialize((tmp_path / "model.safetensors").read_bytes()))
    name = "model.layers.0.mlp.up_proj.weight"
    assert bytes(found[name]["data"]) == stored.tensors.read(name).tobytes()
    assert (found[name]["dtype"], found["lm_head.weight"]["dtype"]) == ("F8_E4M3", "BF16")


def test_what_cannot_be_written_is_refused(tmp_path):
    wrong = ArrayTensors({"a": np.ones(2, dtype=np.complex64), "b": np.ones(2, dtype=bool)})

    with pytest.raises(TransformError) as caught:
        write_folder(wrong, tmp_path / "model")
    with pytest.raises(TransformError, match="a folder that exists"):
        write_folder(ArrayTensors({}), tmp_path)
    with pytest.raises(TransformError, match="a parent that does not exist"):
        write_folder(ArrayTensors({}), tmp_path / "no/model")
    with pytest.raises(TransformError, match="'F128'"):
        write_folder(ArrayTensors({}), tmp_path / "model", dtype="F128")

    assert [one.place for one in caught.value.mistakes] == ["tensor a", "tensor b"]
    assert list(tmp_path.iterdir()) == []


def test_a_tensor_that_fails_leaves_nothing(tmp_path):
    def fail():
        message = "the disk under the parent went away"
        raise OSError(message)

    float32 = np.dtype(np.float32)
    good = Plan(shape=(2,), dtype=float32, make=lambda: np.ones(2, np.float32))
    broken = Derived({"a": good, "b": Plan(shape=(2,), dtype=float32, make=fail)})

    with pytest.raises(OSError, match="went away"):
        write_folder(broken, tmp_path / "model")
    with pytest.raises(OSError, match="went away"):
        write_tensors(broken, tmp_path / "model.safetensors")

    assert list(tmp_path.iterdir()) == []


def test_a_tensor_made_otherwise_than_planned_is_a_mistake():
    wrong = Derived(
        {"a": Plan(shape=(3,), dtype=np.dtype(np.float32), make=lambda: np.ones(2, np.float32))}
    )

    with pytest.raises(ValueError, match=r"made as float32 \(2,\), but planned"):
        wrong.read("a")


KILLED = """
    import os, signal, sys
    from pathlib import Path
    import numpy as np
    from dokja.models.forge.transforms.tensors import Derived, Plan
    from dokja.models.forge.transforms.writing import write_folder

    def make(name):
        if name == "c":
            os.kill(os.getpid(), signal.SIGKILL)
        return np.ones(1000, np.float32)

    plans = {
        name: Plan(shape=(1000,), dtype=np.dtype(np.float32), make=lambda name=name: make(name))
        for name in "abcd"
    }
    write_folder(Derived(plans), Path(sys.argv[1]), shard_bytes=4000)
"""


def test_a_killed_writer_leaves_no_folder_and_the_next_one_writes_it(tmp_path):
    folder = tmp_path / "model"
    command = [sys.executable, "-c", textwrap.dedent(KILLED), str(folder)]

    killed = subprocess.run(command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})

    assert killed.returncode == -signal.SIGKILL
    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".model.unfinished"]
    write_folder(ArrayTensors({"a": np.ones(3, np.float32)}), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert open_source(folder).names == ("a",)


def test_memory_holds_one_tensor_at_a_time(tmp_path):
    wide = Structure(
        family="llama",
        vocabulary=64,
        width=64,
        layers=24,
        heads=4,
        kv_heads=2,
        head_width=16,
        ffn=1024,
    )
    big = Derived(
        {
            name: Plan(
                shape=shape,
                dtype=np.dtype(np.float32),
                make=lambda shape=shape: np.ones(shape, np.float32),
            )
            for name, shape in wide.shapes().items()
        }
    )
    model = Model(tensors=big, structure=wide)
    deep = apply({"do": "dus", "map": {"kind": "overlap", "drop": 6}}, [model])
    noisy = apply({"do": "noise", "share": 0.1, "seed": "01"}, [deep.model])
    total = 4 * noisy.structure.parameters()

    tracemalloc.start()
    write_folder(noisy.tensors, tmp_path / "model")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert total > 25_000_000
    assert peak < total / 8
