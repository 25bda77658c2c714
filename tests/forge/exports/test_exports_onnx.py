"""ONNX: written by a worker with torch, judged by what onnxruntime computes from the file."""

from dataclasses import replace

import numpy as np
import pytest

from dokja.errors import TransformError
from dokja.models.forge.engines.ref import logits
from dokja.models.forge.exports import export, open_parent, read_statement
from dokja.models.forge.exports import onnx as onnx_export
from dokja.models.forge.exports.probing import ProbeTexts, Windows, probe_texts
from dokja.models.forge.structures import Structure

pytestmark = pytest.mark.torch


def session(file):
    import onnxruntime  # noqa: PLC0415  # only where the torch environment is

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def exported(make_model, peri, exporter, tmp_path_factory):
    """Our own block in float32, with a window shorter than the text."""
    parent = open_parent(make_model(peri, gain=4.0))
    file = tmp_path_factory.mktemp("onnx") / "m.onnx"
    return parent, export(parent, file, form="onnx", probe=probe_texts(), by=exporter)


def test_own_block_computes_the_same_at_any_length(exported):
    parent, done = exported
    runs = session(done.file)

    for shape in ((1, 2), (3, 7), (2, 64)):
        ids = np.random.default_rng(1).integers(0, 256, shape)
        (found,) = runs.run(["logits"], {"input_ids": ids})
        ours = logits(
            {name: parent.source.read(name) for name in parent.source.names}, parent.structure, ids
        )
        assert np.abs(found - ours).max() <= 1e-3

    assert (done.kept, done.quality.accepted, done.quality.predictions) == (True, True, 6979)


def test_file_says_whose_it_is_and_not_who_exported(exported):
    import onnx  # noqa: PLC0415  # only where the torch environment is

    parent, done = exported
    model = onnx.load(done.file)
    statement = read_statement(done.file)

    assert {one.key: one.value for one in model.metadata_props} == {
        "dokja.parent_root": parent.root,
        "dokja.method": "fp32",
    }
    assert {one.domain: one.version for one in model.opset_import}[""] == onnx_export.OPSET
    assert b"site-packages" not in done.file.read_bytes()
    assert (statement.parent, statement.made["opset"]) == (parent.root, onnx_export.OPSET)
    assert sorted(path.name for path in done.file.parent.iterdir()) == [
        "m.onnx",
        "m.onnx.export.json",
    ]


def test_int8_of_a_llama_stays_within_its_limit(make_model, exporter, tmp_path):
    small = Structure(
        family="llama",
        vocabulary=256,
        width=32,
        layers=1,
        heads=2,
        kv_heads=1,
        head_width=16,
        ffn=64,
        positions=64,
        tied=True,
    )
    parent = open_parent(make_model(small, gain=2.0))
    text = ProbeTexts(texts=(("a", "독자 여러분, 안녕하십니까?\n" * 20),))

    done = export(
        parent, tmp_path / "m", form="onnx", method="int8", probe=text, by=exporter, keep=True
    )

    ids = Windows.of(text, parent.tokenizer, positions=64).batches[0].inputs
    (found,) = session(done.file).run(["logits"], {"input_ids": ids})
    ours = logits({name: parent.source.read(name) for name in parent.source.names}, small, ids)
    assert done.quality.accepted is True
    assert 0 < done.quality.max_logit_difference == pytest.approx(np.abs(found - ours).max(), 1e-3)
    assert {one.name for one in session(done.file).get_inputs()} == {"input_ids"}


def test_model_too_large_for_one_file_is_refused_before_anything_is_started(
    exported, tmp_path, exporter
):
    parent, _ = exported
    large = Structure.from_json({**parent.structure.to_json(), "width": 16384, "ffn": 65536})

    with pytest.raises(TransformError, match=r"at most 1.9 GB"):
        onnx_export.write_onnx(
            replace(parent, structure=large),
            tmp_path,
            method="fp32",
            windows=Windows.of(probe_texts(), parent.tokenizer, positions=64),
            python=exporter.python,
            environment=exporter.environment,
        )

    assert list(tmp_path.iterdir()) == []
