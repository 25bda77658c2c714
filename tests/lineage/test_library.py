"""A library finds what derives from an entry, calls nobody unrelated, and is whole or not there."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from dokja.cli.commands import run
from dokja.errors import LibraryError
from dokja.evidence.lineage import Derivation, Outcome, Plan, Relation
from dokja.evidence.lineage.library import add_entry, make_entry, open_library, scan
from dokja.evidence.lineage.library.codes import coded, coded_directions
from dokja.evidence.lineage.library.draws import sampled_tokens, window
from dokja.evidence.lineage.readings import Values
from dokja.evidence.lineage.screening import chance_errors, judge, role_tables
from dokja.models.comparison import centred_correlation, direction, permutation_null
from dokja.models.comparison.reorderings import reordering_error
from dokja.models.forge.laundering import launder
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import ArrayTensors, items
from dokja.models.weights import open_source


def scanned(suspect, library, **settings):
    return scan(suspect, library, rng=np.random.default_rng(1), **settings)


def tree(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def shelf(toys, tmp_path):
    """A library of three strangers: base, other, third."""
    folder = tmp_path / "library"
    for seed, name in enumerate(("base", "other", "third"), start=1):
        add_entry(folder, make_entry(toys.store(toys.model(seed), name=name), licence="mit"))
    return folder


def test_entries_come_back_as_they_were_added(shelf):
    library = open_library(shelf)

    told = [(one.facts.name, one.facts.kind, one.facts.licence) for one in library.entries]
    assert told == [
        ("base", "screen", "mit"),
        ("other", "screen", "mit"),
        ("third", "screen", "mit"),
    ]
    assert library.damaged == ()
    (component,) = library.entries[0].facts.components
    assert (component.component, component.depth) == ("language-body", 3)
    assert [table.role for table in component.tables] == ["gate", "k", "q", "up", "v"]


@pytest.mark.parametrize("correlation", [0.95, 0.6, 0.3])
def test_what_derives_from_an_entry_stands_out_and_strangers_do_not(toys, shelf, correlation):
    suspect = toys.store(toys.noised(toys.model(1), correlation, seed=9))

    found = scanned(suspect, open_library(shelf))

    assert found.outcome is Outcome.RELATED
    assert [one.entry for one in found.related] == ["base"]
    first = found.findings[0]
    assert first.effect.value == pytest.approx(correlation, abs=0.03)
    assert first.layer_map == ((0, 0), (1, 1), (2, 2))
    assert [control.found for control in first.controls] == [True, True, False]
    assert {one.relations for one in found.findings[1:]} == {(Relation.NO_EVIDENCE,)}


def test_stranger_finds_nothing_and_is_told_what_would_have_been_seen(toys, shelf):
    found = scanned(toys.store(toys.model(50)), open_library(shelf))

    assert found.outcome is Outcome.NOTHING
    assert all(0.1 < one.detectable < 0.4 for one in found.findings)
    assert any(one.controls for one in found.findings)


def test_repeated_layers_are_mapped(toys, shelf):
    suspect = toys.store(toys.with_layers(toys.model(2), (0, 1, 1, 2)))

    first = scanned(suspect, open_library(shelf)).findings[0]

    assert (first.entry, first.layer_map) == ("other", ((0, 0), (1, 1), (2, 1), (3, 2)))
    assert first.relations == (Relation.DEPTH_EDITED,)


def test_copy_leaves_open_what_eight_bits_cannot_tell(toys, shelf):
    first = scanned(toys.store(toys.model(3)), open_library(shelf)).findings[0]

    assert first.entry == "third"
    assert first.relations == (
        Relation.IDENTICAL,
        Relation.REQUANTISED,
        Relation.ADAPTER_MERGED,
        Relation.FINE_TUNED,
    )
    assert first.derivation is Derivation.YES


def test_embedding_alone_is_found_by_its_tokens(toys, shelf):
    suspect = toys.model(60) | {
        "model.embed_tokens.weight": toys.model(2)["model.embed_tokens.weight"]
    }

    found = scanned(toys.store(suspect), open_library(shelf))

    assert [(one.entry, one.measure) for one in found.related] == [("other", "token_rows")]


def test_entries_of_other_shapes_are_named_and_never_called_unrelated(shelf, tmp_path):
    rng = np.random.default_rng(3)
    wide = {
        f"model.layers.{i}.self_attn.{name}.weight": rng.standard_normal((64, 64), dtype=np.float32)
        for i in range(2)
        for name in ("q_proj", "k_proj")
    }
    (tmp_path / "wide").mkdir()
    save_file(wide, tmp_path / "wide/model.safetensors")

    found = scanned(open_source(tmp_path / "wide"), open_library(shelf))

    assert (found.findings, found.outcome) == ((), Outcome.CANNOT_TELL)
    assert [one.entry for one in found.not_compared] == ["base", "other", "third"]
    assert "k is 24×48, not 64×64" in found.not_compared[0].why


def test_suspect_is_read_once_whatever_the_number_of_entries(toys, shelf, tmp_path):
    base = toys.store(toys.model(1))
    one = tmp_path / "one"
    add_entry(one, make_entry(base))
    suspect = toys.model(70)

    read = [
        scanned(toys.store(suspect), open_library(folder)).bytes_read for folder in (one, shelf)
    ]

    assert read[0] == read[1] > 0


def test_order_and_company_of_entries_change_no_reading(toys, shelf, tmp_path):
    suspect = toys.store(toys.noised(toys.model(1), 0.5, seed=9))
    alone = tmp_path / "alone"
    add_entry(alone, make_entry(toys.store(toys.model(1)), name="base"))

    among, single = (scanned(suspect, open_library(folder)) for folder in (shelf, alone))

    assert among.findings[0].effect == single.findings[0].effect
    assert among.comparisons == 3 * single.comparisons


def test_same_weights_give_the_same_bytes(toys, tmp_path):
    source = toys.store(toys.model(1), name="base")
    for folder in ("first", "second", "second"):  # the third one lies there already
        for kind in ("screen", "forensic"):
            add_entry(tmp_path / folder, make_entry(source, kind=kind))

    assert tree(tmp_path / "first") == tree(tmp_path / "second")


def test_other_weights_of_the_same_name_are_refused(toys, shelf):
    before = tree(shelf)

    with pytest.raises(LibraryError, match="another entry called 'base'"):
        add_entry(shelf, make_entry(toys.store(toys.model(8)), name="base"))

    assert tree(shelf) == before


def turn_a_byte(path):
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def reversion(path):
    page = json.loads(path.read_text())
    path.write_text(json.dumps(page | {"schema": "dokja.library.entry/9"}))


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        ("rows.safetensors", turn_a_byte, "as its page says"),
        ("rows.safetensors", lambda path: path.write_bytes(path.read_bytes()[:-9]), "bytes"),
        ("rows.safetensors", Path.unlink, "No such file"),
        ("entry.json", turn_a_byte, "entry.json"),
        ("entry.json", reversion, "the version that this Dokja reads"),
        ("entry.json", lambda path: path.write_text("[" * 100_000), "no sound JSON"),
        ("entry.json", Path.unlink, "No such file"),
    ],
)
def test_damaged_entry_is_one_error_that_names_it_and_others_are_scanned(
    toys, shelf, file, damage, said
):
    (broken,) = shelf.glob("third.*")
    damage(broken / file)
    suspect = toys.noised(toys.model(1), 0.6, seed=9)

    related = scanned(toys.store(suspect), open_library(shelf))
    stranger = scanned(toys.store(toys.model(50)), open_library(shelf))

    (mistake,) = related.damaged
    assert str(broken / file) == mistake.file
    assert said in str(mistake)
    assert [one.entry for one in related.related] == ["base"]
    assert stranger.outcome is Outcome.CANNOT_TELL  # the damaged one might have been the one


KILLED = """
import os, signal, sys
from pathlib import Path
from dokja.evidence.lineage.library import add_entry, make_entry
from dokja.models.weights import open_source

new = make_entry(open_source(Path(sys.argv[1])), kind="forensic")
left, settle = int(sys.argv[3]), os.fsync
def fsync(number):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    settle(number)
os.fsync = fsync
add_entry(Path(sys.argv[2]), new)
"""


@pytest.mark.parametrize("settled", [0, 2])
def test_killed_in_the_middle_of_adding_leaves_nothing_half(toys, tmp_path, settled):
    source, library = toys.store(toys.model(1), name="base"), tmp_path / "library"

    done = subprocess.run(
        [sys.executable, "-c", KILLED, toys.home / "base", library, str(settled)], check=False
    )

    assert done.returncode == -signal.SIGKILL
    held = open_library(library)
    assert (held.entries, held.damaged) == ((), ())
    add_entry(library, make_entry(source, kind="forensic"))
    assert [path.name[:4] for path in library.iterdir()] == ["base"]


LLAMA = Structure(
    family="llama",
    vocabulary=160,
    width=32,
    layers=5,
    heads=4,
    kv_heads=2,
    head_width=8,
    ffn=64,
    positions=64,
)


def llama(seed):
    rng = np.random.default_rng(seed)
    axes = rng.lognormal(0, 0.6, LLAMA.width)
    made = {}
    for name, shape in LLAMA.shapes().items():
        if len(shape) == 1:
            made[name] = rng.lognormal(0, 0.4, shape)
            continue
        values = rng.standard_normal(shape) * rng.lognormal(0, 0.3, (shape[0], 1))
        made[name] = (values * axes if shape[1] == LLAMA.width else values) / np.sqrt(shape[1])
    return {name: values.astype(np.float32) for name, values in made.items()}


def stored(folder, made, structure):
    folder.mkdir()
    save_file({k: np.ascontiguousarray(v) for k, v in made.items()}, folder / "m.safetensors")
    (folder / "config.json").write_text(json.dumps(structure.config()))
    rows = {f"t{row}": row for row in range(structure.vocabulary)}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": rows}}))
    return open_source(folder)


@pytest.mark.parametrize("held_values", [50_000_000, 1000])
def test_forensic_entry_sees_what_was_turned_without_the_weights(tmp_path, held_values):
    plan = Plan(held_values=held_values, sketch_axes=24, sketched_neurons=48)
    library = tmp_path / "library"
    for name, seed in (("base", 1), ("other", 2)):
        source = stored(tmp_path / name, llama(seed), LLAMA)
        for kind in ("screen", "forensic"):
            add_entry(library, make_entry(source, kind=kind, plan=plan))
    turned = launder(ArrayTensors(llama(1)), LLAMA, seed=b"w" * 16)
    suspect = stored(tmp_path / "turned", dict(items(turned.tensors)), turned.structure)

    found = scanned(suspect, open_library(library), plan=plan)

    assert [(one.entry, one.kind) for one in found.related] == [("base", "forensic")]
    (first, *others) = found.findings
    assert first.measure == "agreement"
    assert [one.branch for one in first.branches if one.found] == ["embeddings"]
    assert {one.relations for one in others} == {(Relation.NO_EVIDENCE,)}


def test_screen_of_a_large_model_takes_few_rows(toys, tmp_path):
    entry = add_entry(tmp_path / "library", make_entry(toys.store(toys.model(1, layers=40))))

    (component,) = entry.facts.components
    assert {table.rows for table in component.tables} == {24, 48, 64}
    assert entry.bytes < 1_000_000


@settings(max_examples=30)
@given(
    seed=st.integers(0, 2**32),
    correlation=st.floats(0, 1),
    outlier=st.floats(1, 60),
)
def test_eight_bits_change_no_verdict(seed, correlation, outlier):
    rng = np.random.default_rng(seed)
    parent = [{role: rng.standard_normal((16, 96)) for role in "qkv"} for _ in range(3)]
    beside = np.sqrt(1 - correlation**2)
    child = [
        {
            role: correlation * values + beside * rng.standard_normal(values.shape)
            for role, values in layer.items()
        }
        for layer in parent
    ]
    for layer in (*parent, *child):
        for values in layer.values():
            values[:, :2] *= outlier

    def held(layers, *, kept):
        sides = []
        for layer in layers:
            made = {}
            for role, raw in layer.items():
                found = direction(raw).reshape(raw.shape)
                if kept:
                    found = coded_directions(found[None]).values()[0]
                made[role] = Values(raw=found, direction=found, dtype="F32")
            sides.append(made)
        return sides

    plan, ours = Plan(), held(child, kept=False)
    errors = chance_errors(ours, held(parent, kept=False), plan=plan, rng=rng)
    exact, rounded = (
        judge(role_tables(ours, held(parent, kept=kept)), errors, plan=plan)
        for kept in (False, True)
    )

    moved = float(np.abs(exact.table.values - rounded.table.values).max())
    assert moved < 0.01
    edges = np.array([plan.effect_floor, *(8 * exact.errors.ravel())])
    near = np.abs(exact.table.values[..., None] - edges).min()
    assume(near > 2 * moved)
    assert (exact.found, exact.pairs) == (rounded.found, rounded.pairs)


@given(st.integers(0, 2**32), st.integers(2, 12), st.integers(2, 30))
def test_codes_keep_rows_within_half_a_step(seed, rows, columns):
    values = np.random.default_rng(seed).standard_normal((rows, columns))

    kept = coded(values)

    assert (np.abs(kept.values() - values) <= kept.scales[:, None] * 0.500001).all()


@pytest.mark.parametrize("shape", [(8, 60), (60, 8), (16, 16)])
@pytest.mark.parametrize("correlation", [0.0, 0.6])
def test_chance_of_all_orders_is_what_many_orders_show(shape, correlation):
    rng = np.random.default_rng(5)
    parent = rng.standard_normal(shape) * rng.lognormal(0, 1, (1, shape[1]))
    child = correlation * parent + rng.standard_normal(shape) * rng.lognormal(0, 1, (shape[0], 1))
    sides = [direction(values).reshape(shape) for values in (child, parent)]

    exact = reordering_error(*sides)

    drawn = [
        permutation_null(*pair, draws=20_000, rng=rng).standard_error
        for pair in (sides, [side.T for side in sides])
    ]
    assert exact == pytest.approx(max(drawn), rel=0.03)


@given(st.integers(2, 5000), st.integers(2, 300), st.integers(1, 300))
def test_windows_are_nested_and_inside(rows, columns, kept):
    part = window("q", (rows, columns), columns=kept)
    fewer = window("q", (rows, columns), columns=max(1, kept // 2))

    assert 0 <= part.first <= max(0, rows - 64)
    assert part.first == fewer.first
    if part.columns is not None:
        assert len(set(part.columns.tolist())) == kept
        assert part.columns[: len(fewer.columns)].tolist() == fewer.columns.tolist()


def test_vocabularies_share_as_much_of_samples_as_of_themselves():
    ours = [f"a{i}" for i in range(4000)]
    theirs = ours[:2000] + [f"b{i}" for i in range(2000)]

    samples = [set(sampled_tokens(one, 400)) for one in (ours, [*theirs, "\ud800"])]

    assert 150 < len(samples[0] & samples[1]) < 250


def test_scale_and_levels_of_rows_do_not_move_what_is_kept(toys):
    rows = np.random.default_rng(2).standard_normal((8, 60))
    moved = 3 * rows + np.arange(8)[:, None]

    kept = [coded_directions(direction(one).reshape(1, 8, 60)).values()[0] for one in (rows, moved)]

    assert centred_correlation(*kept) == pytest.approx(1.0, abs=1e-6)


# The command line


def test_library_goes_round_on_the_command_line(toys, tmp_path, capsys):
    toys.store(toys.model(1), name="base")
    toys.store(toys.model(2), name="other")
    toys.store(toys.noised(toys.model(1), 0.6, seed=9), name="suspect")
    toys.store(toys.model(50), name="stranger")
    home, library = toys.home, str(tmp_path / "library")

    codes = [
        run(["library", "add", library, str(home / "base"), str(home / "other")]),
        run(["library", "list", library]),
        run(["library", "scan", str(home / "suspect"), library]),
        run(["library", "scan", str(home / "stranger"), library]),
        run(["library", "scan", str(home / "suspect"), str(tmp_path / "nowhere")]),
    ]

    said = capsys.readouterr()
    assert codes == [0, 0, 3, 0, 2]
    assert "suspect beside 2 of 2 entries: 2 comparisons" in said.out
    assert "No entry stands out." in said.out
    assert "expected a folder of entries" in said.err


def test_scan_prints_one_document(toys, tmp_path, capsys):
    toys.store(toys.model(1), name="base")
    library = str(tmp_path / "library")
    run(["library", "add", library, str(toys.home / "base"), "--name", "a/b", "--json"])
    added = json.loads(capsys.readouterr().out)

    code = run(["library", "scan", str(toys.home / "base"), library, "--json"])

    document = json.loads(capsys.readouterr().out)
    assert (code, document["exit"], document["schema"]) == (3, 3, "dokja.library.scan/1")
    (finding,) = document["findings"]
    assert (finding["entry"], finding["licence"]) == ("a/b", None)
    assert added["entries"][0]["name"] == "a/b"


def test_damaged_entry_is_listed_with_the_others(toys, tmp_path, capsys):
    library = tmp_path / "library"
    for seed, name in ((1, "base"), (2, "other")):
        add_entry(library, make_entry(toys.store(toys.model(seed), name=name)))
    (broken,) = library.glob("base.*")
    turn_a_byte(broken / "entry.json")

    code = run(["library", "list", str(library)])

    said = capsys.readouterr()
    assert code == 2
    assert "other" in said.out
    assert str(broken) in said.err


def test_cut_file_of_an_entry_is_listed_as_damage(toys, tmp_path, capsys):
    library = tmp_path / "library"
    for seed, name in ((1, "base"), (2, "other")):
        add_entry(library, make_entry(toys.store(toys.model(seed), name=name)))
    (rows,) = library.glob("base.*/*.safetensors")
    rows.write_bytes(rows.read_bytes()[:-1])

    code = run(["library", "list", str(library)])

    said = capsys.readouterr()
    assert code == 2
    assert "other" in said.out
    assert "base" not in said.out
    assert f"{rows}: read {rows.stat().st_size} bytes" in said.err


def test_trace_goes_on_to_what_stands_out(toys, tmp_path, capsys):
    for name, model in (("base", toys.model(1)), ("gone", toys.model(1)), ("other", toys.model(2))):
        source = toys.store(model, name=name)
        place = toys.home / name if name != "gone" else tmp_path / "no such place"
        add_entry(tmp_path / "library", make_entry(source, origin=str(place)))
    toys.store(toys.noised(toys.model(1), 0.6, seed=9), name="suspect")
    toys.store(toys.model(50), name="stranger")

    codes = [
        run(["trace", str(toys.home / name), "--library", str(tmp_path / "library"), "--json"])
        for name in ("suspect", "stranger")
    ]

    said = capsys.readouterr()
    assert codes == [3, 0]
    traced, split, rest = said.out.partition('\n}\n{\n  "schema": "dokja.library.scan/1"')
    assert split
    document = json.loads(traced + "\n}")
    assert document["schema"] == "dokja.trace/1"
    assert [one["name"] for one in document["references"]] == ["base"]
    assert "gone: its weights are not at" in said.err
    assert rest


def test_trace_without_anything_to_compare_with_is_a_usage_error(toys, capsys):
    toys.store(toys.model(1), name="base")

    code = run(["trace", str(toys.home / "base")])

    assert code == 2
    assert "--against REF, or --library DIR" in capsys.readouterr().err
