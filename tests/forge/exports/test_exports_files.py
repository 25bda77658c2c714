"""What an export says of itself, how tensors lie in it, and what is refused before it begins."""

import json
import os
import shutil
import sys
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import DokjaError, ExtraMissingError, RecordError, TransformError
from dokja.models.forge.exports import export, open_parent, read_statement
from dokja.models.forge.exports.gguf_layout import gguf_names, permuted, unpermuted
from dokja.models.forge.exports.gguf_vocabulary import gguf_vocabulary, pre_tokenizer
from dokja.models.forge.exports.probing import probe_texts
from dokja.models.forge.exports.statements import ExportStatement, statement_path
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import SPLITS, Tokenizer, byte_tokenizer, probe
from dokja.values import Digest
from dokja.values.keys import SigningKey

KEY = SigningKey("team.example", bytes(32))


@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 3))
def test_rows_of_a_head_are_interleaved_and_come_back(heads, half, columns):
    values = np.arange(heads * 2 * half * columns).reshape(-1, columns)

    moved = permuted(values, heads)

    slow = [
        values[head * 2 * half + part * half + pair].tolist()
        for head, pair, part in product(range(heads), range(half), range(2))
    ]
    assert moved.tolist() == slow
    assert unpermuted(moved, heads).tolist() == values.tolist()


@pytest.mark.parametrize("tied", [False, True])
def test_every_tensor_has_a_name_of_its_own(structure, tied):
    said = Structure.from_json({**structure.to_json(), "tied": tied})

    names = gguf_names(said)

    assert (sorted(names), len(set(names.values()))) == (list(said.shapes()), len(names))


def test_structure_that_llama_cpp_does_not_know_is_refused_with_all_that_differs(
    make_model, peri, exporter, tmp_path
):
    parent = open_parent(make_model(peri))

    with pytest.raises(TransformError) as caught:
        export(parent, tmp_path / "m", form="gguf", probe=probe_texts(), by=exporter)

    assert [mistake.place for mistake in caught.value.mistakes] == ["norm", "qk_norm", "attention"]
    assert list(tmp_path.iterdir()) == []


def test_vocabulary_has_a_token_for_each_row():
    tokenizer = Tokenizer(merges=((97, 98), (256, 99)), pattern=SPLITS["llama3"].pattern)
    tokenizer = replace(tokenizer, specials=("<end>",))

    made = gguf_vocabulary(tokenizer, rows=tokenizer.rows, texts=(), file="t")

    assert len(made.tokens) == len(made.types) == len(set(made.tokens)) == 384
    assert made.tokens[256:260] == ("ab", "abc", "<end>", "[PAD259]")
    assert made.types[255:260] == (1, 1, 1, 3, 5)
    assert (made.merges, made.pre, made.end) == (("a b", "ab c"), "qwen2", 258)
    assert made.notes == ()


def test_bytes_get_a_merge_that_no_text_makes():
    made = gguf_vocabulary(byte_tokenizer(), rows=256, texts=(), file="t")

    assert (made.merges, made.end, len(made.notes)) == (("ÿ þ",), None, 2)


def test_special_that_reads_like_a_token_is_refused():
    with pytest.raises(TransformError, match="a token already"):
        gguf_vocabulary(byte_tokenizer(("a",)), rows=257, texts=(), file="t")


@pytest.mark.parametrize("name", [name for name, one in SPLITS.items() if one.ggml])
def test_split_that_llama_cpp_knows_gets_its_name(name):
    tokenizer = Tokenizer(merges=((97, 98),), pattern=SPLITS[name].pattern)

    assert pre_tokenizer(tokenizer, texts=(), file="t") == (SPLITS[name].ggml, ())


def test_split_without_a_name_needs_equal_ids():
    agrees = Tokenizer(merges=((97, 98),), pattern=SPLITS["korean"].pattern)
    differs = Tokenizer(merges=((46, 32),), pattern=r"[^\s]+\s?|\s+")

    name, notes = pre_tokenizer(agrees, texts=probe().texts, file="t")

    assert (name, notes) == (
        "qwen2",
        ("equal ids under qwen2 on 61 texts, which proves it for no other",),
    )
    for tokenizer, texts in ((agrees, ()), (differs, ("끝. 가는",))):
        with pytest.raises(TransformError, match=r"one that llama\.cpp knows by name"):
            pre_tokenizer(tokenizer, texts=texts, file="t")


@pytest.fixture
def stated(tmp_path):
    """Write a file and its signed statement."""
    file = tmp_path / "model.gguf"
    file.write_bytes(b"tensors")
    said = ExportStatement(
        component="body",
        format="gguf",
        method="f16",
        parent="dokja-tensors-v1:" + "0" * 64,
        file=file.name,
        digest=Digest.of(b"tensors"),
        at="2026-01-02T12:00:00+00:00",
        quality={"delta": 1e-5},
    ).signed(KEY)
    statement_path(file).write_bytes(said.written())
    return file, said


def test_statement_comes_back_and_its_signature_holds(stated):
    file, said = stated

    assert read_statement(file) == said
    assert (said.is_signed(), replace(said, signature=None).is_signed()) == (True, False)


def _other_file(file, said):
    file.write_bytes(b"other tensors")


def _better(file, said):
    said["quality"]["delta"] = 0.0


def _other_key(file, said):
    said["signer"] = str(SigningKey("rival.example", bytes(32)).verifier)


def _no_quality(file, said):
    del said["quality"]


def _no_digest(file, said):
    said["digest"] = "sha256:12"


def _other_schema(file, said):
    said["schema"] = "dokja.export/2"


@pytest.mark.parametrize(
    "tamper", [_other_file, _better, _other_key, _no_quality, _no_digest, _other_schema]
)
def test_statement_that_was_tampered_with_is_refused(stated, tamper):
    file, _ = stated
    path = statement_path(file)
    said = json.loads(path.read_bytes())
    tamper(file, said)
    path.write_text(json.dumps(said))

    with pytest.raises(RecordError):
        read_statement(file)


@pytest.mark.parametrize("content", [None, b"{", b"[]"])
def test_statement_that_cannot_be_read_is_refused(stated, content):
    file, _ = stated
    statement_path(file).unlink()
    if content is not None:
        statement_path(file).write_bytes(content)

    with pytest.raises(RecordError):
        read_statement(file)


def test_every_mistake_in_what_was_asked_is_told_at_once(make_model, exporter, tmp_path):
    gpt2 = Structure(
        family="gpt2",
        vocabulary=256,
        width=32,
        layers=1,
        heads=2,
        kv_heads=2,
        head_width=16,
        ffn=64,
        positions=64,
        tied=True,
    )
    parent = open_parent(make_model(gpt2))
    (tmp_path / "m").write_bytes(b"")

    with pytest.raises(TransformError) as caught:
        export(parent, tmp_path / "m", form="gguf", method="q9", probe=probe_texts(), by=exporter)

    places = [mistake.place for mistake in caught.value.mistakes]
    assert places == ["quant", "family", str(tmp_path / "m")]
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(("form", "place"), [("pte", "format"), ("gguf", "nowhere")])
def test_unknown_format_and_missing_folder_are_refused(model, exporter, tmp_path, form, place):
    file = tmp_path / ("m" if place == "format" else "nowhere/m")

    with pytest.raises(TransformError, match=place):
        export(open_parent(model), file, form=form, probe=probe_texts(), by=exporter)


def _nothing(folder):
    shutil.rmtree(folder)


def _no_config(folder):
    (folder / "config.json").unlink()


def _no_weights(folder):
    (folder / "model.safetensors").unlink()


def _no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def _foreign_tokenizer(folder):
    (folder / "tokenizer.json").write_text('{"model": {"type": "WordPiece"}}')


def _other_size(folder):
    said = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**said, "vocab_size": 512}))


@pytest.mark.parametrize(
    "spoil", [_nothing, _no_config, _no_weights, _no_tokenizer, _foreign_tokenizer, _other_size]
)
def test_folder_that_is_no_model_is_refused(model, tmp_path, spoil):
    folder = tmp_path / "copy"
    shutil.copytree(model, folder)
    spoil(folder)

    with pytest.raises(DokjaError) as caught:
        open_parent(folder)

    assert caught.value.exit_code == 2


def test_component_of_what_is_no_run_is_refused(model):
    with pytest.raises(TransformError, match="which has components"):
        open_parent(model, component="body")


def test_missing_package_is_named_with_its_extra(model, exporter, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "gguf", None)  # as if it were not installed

    with pytest.raises(ExtraMissingError, match=r"dokja\[export\]"):
        export(open_parent(model), tmp_path / "m", form="gguf", probe=probe_texts(), by=exporter)

    assert list(tmp_path.iterdir()) == []


def test_worker_that_lacks_a_package_names_its_extra(model, exporter, tmp_path):
    stub = tmp_path / "without" / "torch.py"
    stub.parent.mkdir()
    stub.write_text("raise ImportError('no torch here')\n")
    paths = os.pathsep.join([str(stub.parent), *sys.path])
    by = replace(exporter, environment={**exporter.environment, "PYTHONPATH": paths})

    with pytest.raises(ExtraMissingError, match=r"^torch is .*dokja\[forge\]"):
        export(open_parent(model), tmp_path / "m", form="onnx", probe=probe_texts(), by=by)

    assert [path.name for path in tmp_path.iterdir()] == ["without"]


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/false"])
def test_worker_that_fails_leaves_nothing(model, exporter, tmp_path, python):
    with pytest.raises(DokjaError, match="Nothing was exported"):
        export(
            open_parent(model),
            tmp_path / "m",
            form="onnx",
            probe=probe_texts(),
            by=replace(exporter, python=python),
        )

    assert list(tmp_path.iterdir()) == []
