"""GGUF: what is written is read back by us, by the gguf package and by transformers."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from dokja.cli.commands import run as dokja
from dokja.errors import RecordError, TransformError
from dokja.models.forge.engines.ref import logits
from dokja.models.forge.exports import open_parent, read_statement
from dokja.models.forge.exports.gguf import METHODS, cast_root, read_gguf, write_gguf
from dokja.models.forge.exports.gguf_layout import gguf_names, rotated_heads
from dokja.models.forge.exports.statements import statement_path
from dokja.models.forge.records import Export, read_chain
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import SPLITS, Tokenizer
from dokja.models.forge.transforms import SourceTensors
from dokja.models.weights import open_source

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def parent(model):
    return open_parent(model)


@pytest.fixture(scope="module")
def written(parent, tmp_path_factory):
    """One file for each method."""
    folder = tmp_path_factory.mktemp("gguf")
    for method in METHODS:
        write_gguf(parent, folder / f"{method}.gguf", method=method, texts=())
    return folder


def test_f16_read_back_has_the_root_of_the_parents_cast(parent, written):
    found = read_gguf(written / "f16.gguf", parent.structure)

    assert cast_root(found.weights, tuple(found.weights)) == cast_root(
        SourceTensors(parent.source), parent.source.names
    )


@pytest.mark.parametrize("method", METHODS)
def test_file_opens_as_weights_with_the_names_and_values_of_its_parent(parent, written, method):
    source = open_source(written / f"{method}.gguf")

    expected = read_gguf(written / f"{method}.gguf", parent.structure).weights
    assert source.names == tuple(sorted(expected))
    for name in source.names:
        assert np.array_equal(source.read(name), expected[name])
        assert np.array_equal(source.read_rows(name, 3, 7), expected[name][3:7])
    assert source.config["num_hidden_layers"] == parent.structure.layers
    assert len(source.tokenizer_vocabulary()) == parent.structure.vocabulary


def test_rows_as_they_lie_in_the_file_have_another_root(parent, written):
    import gguf  # noqa: PLC0415  # only where the torch environment is

    stored = {one.name: one for one in gguf.GGUFReader(written / "f16.gguf").tensors}
    shapes = parent.structure.shapes()
    names = gguf_names(parent.structure)
    moved = {
        ours: np.asarray(stored[theirs].data).reshape(shapes[ours])
        for ours, theirs in names.items()
    }

    plain = read_gguf(written / "f16.gguf", parent.structure).weights
    differ = sorted(
        name for name in names if not np.array_equal(moved[name], plain[name].astype(np.float16))
    )

    assert differ == sorted(n for n in names if rotated_heads(parent.structure, n) is not None)


@pytest.mark.parametrize("method", METHODS)
def test_transformers_computes_the_same_from_the_file(parent, written, method):
    import torch  # noqa: PLC0415  # only where the torch environment is
    import transformers  # noqa: PLC0415  # likewise

    transformers.utils.logging.disable_progress_bar()
    ids = np.random.default_rng(0).integers(0, 256, (2, 60))
    ours = logits(
        read_gguf(written / f"{method}.gguf", parent.structure).weights, parent.structure, ids
    )

    network = transformers.AutoModelForCausalLM.from_pretrained(
        written, gguf_file=f"{method}.gguf", local_files_only=True
    )
    with torch.no_grad():
        theirs = network.eval()(torch.from_numpy(ids)).logits.numpy()

    assert np.abs(ours - theirs).max() <= 1e-4 * max(1.0, np.abs(theirs).max())


def slow_blocks(row, method):
    """Quantise and restore a row of 32 values by the formats' definitions, one by one."""
    largest = max(row, key=abs)
    scale = abs(largest) / np.float32(127) if method == "q8_0" else largest / np.float32(-8)
    inverse = np.float32(1) / scale
    stored = np.float32(np.float16(scale))
    restored = []
    for value in row:
        share = value * inverse
        if method == "q8_0":
            code = np.sign(share) * np.floor(np.abs(share) + np.float32(0.5))
        else:
            code = min(15, int(share + np.float32(8.5))) - 8
        restored.append(np.float32(code) * stored)
    return restored


@pytest.mark.parametrize("method", ["q8_0", "q4_0"])
def test_blocks_are_those_of_the_format(parent, written, method):
    name = "model.layers.1.mlp.down_proj.weight"
    values = parent.source.read(name)

    found = read_gguf(written / f"{method}.gguf", parent.structure)

    slow = [slow_blocks(block, method) for block in values.reshape(-1, 32)]
    assert found.types[name] == METHODS[method]
    assert found.types["model.norm.weight"] == "F32"
    assert np.array_equal(found.weights[name], np.array(slow, np.float32).reshape(values.shape))


def test_same_parent_gives_the_same_bytes(parent, written, tmp_path):
    write_gguf(parent, tmp_path / "again", method="q4_0", texts=())

    assert (tmp_path / "again").read_bytes() == (written / "q4_0.gguf").read_bytes()


def test_file_says_what_a_reader_needs(make_model, tmp_path):
    import gguf  # noqa: PLC0415  # only where the torch environment is

    tokenizer = Tokenizer(
        merges=((97, 98), (256, 99)), pattern=SPLITS["llama3"].pattern, specials=("<end>",)
    )
    structure = Structure(
        family="llama",
        vocabulary=384,
        width=48,
        layers=1,
        heads=3,
        kv_heads=1,
        head_width=16,
        ffn=64,
        tied=True,
        rope_theta=500000.0,
    )
    parent = open_parent(make_model(structure, tokenizer=tokenizer))

    notes = write_gguf(parent, tmp_path / "m", method="q8_0", texts=())

    fields = gguf.GGUFReader(tmp_path / "m").fields
    said = {key: one.contents() for key, one in fields.items()}
    assert said["tokenizer.ggml.pre"] == "qwen2"
    assert said["tokenizer.ggml.merges"] == ["a b", "ab c"]
    assert len(said["tokenizer.ggml.tokens"]) == said["llama.vocab_size"] == 384
    assert said["tokenizer.ggml.eos_token_id"] == 258
    assert said["llama.rope.freq_base"] == 500000.0
    assert said["llama.attention.head_count_kv"] == 1
    assert said["dokja.parent_root"] == parent.root
    assert notes == ["7 matrices stayed F16: their rows are no whole blocks of 32"]
    found = read_gguf(tmp_path / "m", structure)
    assert found.types["model.layers.0.mlp.down_proj.weight"] == "Q8_0"
    assert found.types["model.layers.0.mlp.up_proj.weight"] == "F16"


def test_value_beyond_float16_is_refused(make_model, structure, tmp_path):
    def edit(weights):
        weights["lm_head.weight"][3, 3] = 1e5

    with pytest.raises(TransformError, match=r"lm_head.*float16"):
        write_gguf(
            open_parent(make_model(structure, edit=edit)), tmp_path / "m", method="f16", texts=()
        )


def test_other_structure_or_file_is_not_read(written, parent, tmp_path):
    (tmp_path / "m").write_bytes(b"GGUF or not")
    tied = Structure.from_json({**parent.structure.to_json(), "tied": True})

    for file, structure in ((tmp_path / "m", parent.structure), (written / "f16.gguf", tied)):
        with pytest.raises(TransformError):
            read_gguf(file, structure)


@pytest.fixture(scope="module")
def spoiled(make_model, structure):
    """A model with one huge value in each block: four bits have nothing left for the others."""

    def edit(weights):
        weights["lm_head.weight"][:, 0] = 40.0

    return make_model(structure, edit=edit)


def test_export_beyond_its_limit_is_not_kept_unless_asked(spoiled, tmp_path, capsys):
    words = ["forge", "export", str(spoiled), "gguf", "--quant", "q4_0", "-o", str(tmp_path / "m")]

    refused = dokja([*words, "--json"])
    said = json.loads(capsys.readouterr().out)
    left = [path.name for path in tmp_path.iterdir()]
    kept = dokja([*words, "--keep"])

    quality = read_statement(tmp_path / "m").quality
    assert (refused, said["outcome"], said["file"], left) == (3, "fails", None, [])
    assert (kept, quality["accepted"]) == (3, False)
    assert abs(quality["delta"]) > quality["limit"] == 0.05


def test_command_keeps_a_good_export_with_its_statement(model, parent, tmp_path, capsys):
    (tmp_path / "text").write_text("독자 여러분, 안녕하십니까?\n")
    words = ["forge", "export", str(model), "gguf", "-o", str(tmp_path / "m.gguf")]
    words += ["--probe", str(tmp_path / "text"), "--json"]

    code = dokja(words)

    said = json.loads(capsys.readouterr().out)
    statement = read_statement(tmp_path / "m.gguf")
    assert (code, said["outcome"], said["entry"]) == (0, "holds", None)
    assert said["statement"] == statement.to_json()
    assert (statement.parent, statement.method, statement.signer) == (parent.root, "f16", None)
    assert (
        statement.quality["predictions"] == 6979 + len("독자 여러분, 안녕하십니까?\n".encode()) - 1
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "m.gguf",
        "m.gguf.export.json",
        "text",
    ]
    (tmp_path / "m.gguf").write_bytes(b"another file")
    with pytest.raises(RecordError, match="digest"):
        read_statement(tmp_path / "m.gguf")


def test_export_that_was_killed_leaves_no_file(model, tmp_path):
    file = tmp_path / "m.gguf"
    words = [sys.executable, "-m", "dokja", "forge", "export", str(model), "gguf", "-o", str(file)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    running = subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL)
    half = tmp_path / ".m.gguf.unfinished"
    while running.poll() is None and not half.exists():
        time.sleep(0.002)
    running.send_signal(signal.SIGKILL)
    running.wait()
    killed = [path.name for path in tmp_path.iterdir()]
    statement_path(file).write_bytes(b"of a file that never came")

    again = dokja(["forge", "export", str(model), "gguf", "-o", str(file)])

    assert killed == [half.name]
    assert (again, half.exists(), read_statement(file).is_signed()) == (0, False, False)


RECIPE = """
schema = "dokja.recipe/1"
name = "tiny"

[[component]]
id = "body"
role = "language-body"
from = { scratch = "llama" }

[[component.step]]
do = "train"
data = "text"
tokens = 2_560
batch = { sequences = 4, length = 128 }
optimizer = { lr = 1e-3 }

[data.text]
sources = [{ made = "sentences", seed = "a", documents = 50 }]

[engine]
name = "ref"

[seed]
fixed = "of the tests"

[size.cpu.component.body]
shape = { width = 32, layers = 1, heads = 2, head_width = 16, kv_heads = 1, ffn = 64 }
"""


@pytest.fixture(scope="module")
def sealed(tmp_path_factory):
    """A run that came to its end."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "tiny.toml").write_text(RECIPE)
    assert dokja(["forge", "plan", str(folder / "tiny.toml"), "-o", str(folder / "plan")]) == 0
    assert dokja(["forge", "run", str(folder / "plan"), "-o", str(folder / "run")]) == 0
    return folder / "run"


@pytest.fixture
def unsealed(sealed, tmp_path):
    """The same run, killed when its model was there and its seal not yet."""
    shutil.copytree(sealed.parent, tmp_path / "runs")
    chain = tmp_path / "runs/run/chain.jsonl"
    lines = chain.read_bytes().splitlines(keepends=True)
    seal = next(place for place, line in enumerate(lines) if b'"kind":"seal"' in line)
    chain.write_bytes(b"".join(lines[:seal]))
    return tmp_path / "runs/run"


def test_sealed_run_says_it_in_the_statement_alone(sealed, tmp_path):
    before = (sealed / "chain.jsonl").read_bytes()

    code = dokja(["forge", "export", str(sealed), "gguf", "-o", str(tmp_path / "m.gguf")])

    statement = read_statement(tmp_path / "m.gguf")
    assert (code, statement.is_signed(), statement.component) == (0, True, "body")
    assert statement.parent == read_chain(sealed).seal.roots["body"]
    assert (sealed / "chain.jsonl").read_bytes() == before


def test_run_that_is_not_sealed_says_it_in_its_chain(unsealed):
    file = unsealed / "model.gguf"

    code = dokja(["forge", "export", str(unsealed), "gguf", "--quant", "q8_0", "-o", str(file)])

    ((_, entry),) = read_chain(unsealed).of(Export)
    statement = read_statement(file)
    assert (code, entry.file, entry.digest) == (0, "model.gguf", statement.digest)
    assert (entry.method, entry.parent) == ("q8_0", statement.parent)
    assert entry.quality == statement.quality


def test_strangers_key_cannot_write_into_a_runs_chain(unsealed, sealed, tmp_path, capsys):
    key = tmp_path / "rival.key"
    shutil.copy(sealed.with_name("run.witness.key"), key)
    file = tmp_path / "m.gguf"

    code = dokja(["forge", "export", str(unsealed), "gguf", "-o", str(file), "--key", str(key)])

    assert (code, file.exists(), statement_path(file).exists()) == (2, False, False)
    assert "whose chain it is" in capsys.readouterr().err
    assert list(read_chain(unsealed).of(Export)) == []


def test_model_that_was_changed_after_the_seal_is_refused(sealed, tmp_path, capsys):
    shutil.copytree(sealed.parent, tmp_path / "runs")
    run = tmp_path / "runs/run"
    weights = run / "model/model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)

    code = dokja(["forge", "export", str(run), "gguf", "-o", str(tmp_path / "m.gguf")])

    assert (code, (tmp_path / "m.gguf").exists()) == (2, False)
    assert "which the run sealed" in capsys.readouterr().err
