"""Bad input of the forge: one clear error each, and nothing half-written."""

import json
import shutil
from datetime import UTC, datetime

import pytest

from dokja.cli import forge_running
from dokja.cli.commands import run as dokja

BAD_INPUT = 2


@pytest.fixture
def refused(tmp_path, capsys):
    """Plan a recipe that must be refused; return what was said."""

    def plan(text):
        (tmp_path / "bad.toml").write_text(text)
        before = sorted(path.name for path in tmp_path.iterdir())
        code = dokja(["forge", "plan", str(tmp_path / "bad.toml"), "-o", str(tmp_path / "plan")])
        assert code == BAD_INPUT
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        said = capsys.readouterr().err
        assert "Nothing was changed." in said
        return said

    return plan


def packed(plan):
    """Return the corpus that a plan packed."""
    return next((plan / "data").iterdir())


def with_manifest(recipe, corpus):
    old = '{ made = "sentences", seed = "a", documents = 100 }'
    assert old in recipe
    return recipe.replace(old, f'{{ manifest = "{corpus}" }}')


def test_unknown_transform_is_told_with_those_there_are(recipe, refused):
    step = '\n[[component.step]]\ndo = "dos"\n'

    said = refused(recipe.replace("\n[data.text]", step + "\n[data.text]"))

    assert "component body, step 2, do: read the transform 'dos'; expected one of train," in said


def test_base_without_a_licence_is_told(recipe, refused):
    said = refused(recipe.replace('{ scratch = "llama" }', '{ base = "b" }'))

    assert "others' weights without a licence cannot be built on" in said


def test_corpus_of_another_tokenizer_is_told_by_both_digests(recipe, refused, planned, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(packed(planned(tmp_path, name="packed")), corpus)
    said = json.loads((corpus / "manifest.json").read_text())
    said["tokenizer"] = "sha256:" + "1" * 64
    (corpus / "manifest.json").write_text(json.dumps(said))

    told = refused(with_manifest(recipe, corpus))

    assert "sha256:" + "1" * 64 in told
    assert "tokenizer" in told


def test_manifest_that_names_data_that_are_not_there_is_told(recipe, refused, planned, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(packed(planned(tmp_path, name="packed")), corpus)
    (corpus / "tokens-00000.u16").unlink()

    told = refused(with_manifest(recipe, corpus))

    assert "tokens-00000.u16" in told


def test_tokenizer_larger_than_the_body_is_told(recipe, refused):
    part = (
        '\n[[component]]\nid = "tokenizer"\nrole = "tokenizer"\n'
        'from = { train = { kind = "bytes", specials = ["<a>"] } }\n'
    )
    small = recipe.replace("width = 32", "vocabulary = 256, width = 32")

    told = refused(small.replace("\n[data.text]", part + "\n[data.text]"))

    assert "a tokenizer of 257 ids; expected one that matches the body's 256 rows" in told


def test_sizes_that_do_not_fit_are_told_all_at_once(recipe, refused):
    told = refused(recipe.replace("kv_heads = 1", "kv_heads = 3, epsilon = -1.0"))

    assert "epsilon" in told


def test_an_edited_chain_is_not_gone_on_with(whole, tmp_path, capsys):
    run = tmp_path / "run"
    shutil.copytree(whole, run)
    data = (run / "chain.jsonl").read_bytes()
    (run / "chain.jsonl").write_bytes(data.replace(b'"commit"', b'"Commit"', 1))

    code = dokja(["forge", "run", str(whole.parent / "plan"), "-o", str(run), "--resume"])

    assert code == BAD_INPUT
    assert "chain.jsonl, line 1" in capsys.readouterr().err


def test_a_clock_that_runs_backwards_stops_the_run(planned, tmp_path, capsys, monkeypatch):
    plan = planned(tmp_path)
    clock = iter([datetime(2026, 1, 2, tzinfo=UTC), *[datetime(2026, 1, 1, tzinfo=UTC)] * 9])
    monkeypatch.setattr(forge_running, "now", lambda: next(clock))

    code = dokja(["forge", "run", str(plan), "-o", str(tmp_path / "run")])

    assert code == BAD_INPUT
    assert "backwards" in capsys.readouterr().err


def test_a_plan_that_was_edited_is_told(planned, tmp_path, capsys):
    plan = planned(tmp_path)
    said = json.loads((plan / "plan.json").read_text())
    del said["components"]
    (plan / "plan.json").write_text(json.dumps(said))

    code = dokja(["forge", "run", str(plan), "-o", str(tmp_path / "run")])

    assert code == BAD_INPUT
    assert "plan.json" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
