"""`dokja forge zoo`: label and make, the word that may be left out, and wrong words."""

import importlib.util
import json

import pytest

from dokja.cli.commands import run
from dokja.models.forge.zoo import grow, read_zoo


@pytest.fixture(scope="module")
def folder(make_plan, grower, tmp_path_factory):
    """A small zoo that was grown before."""
    path = tmp_path_factory.mktemp("command") / "zoo"
    grow(make_plan("f1-r00", "f1-r00.dus-each", "f1-r00.laundered"), path, grower=grower)
    return path


def test_labelling_again_gives_the_same_manifest(folder, capsys):
    before = (folder / "zoo.json").read_bytes()

    code = run(["forge", "zoo", "label", str(folder), "--json"])

    said = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (said["models"], said["stored"], said["changed"]) == (3, 1, [])
    assert (folder / "zoo.json").read_bytes() == before


def test_make_writes_the_model_that_was_labelled(folder, tmp_path, capsys):
    code = run(["forge", "zoo", "make", str(folder), "f1-r00.dus-each", "-o", str(tmp_path / "m")])

    root = read_zoo(folder).model("f1-r00.dus-each").record.root
    assert code == 0
    assert capsys.readouterr().out == (
        f"f1-r00.dus-each: depth_edited, {root}\nwritten to {tmp_path / 'm'}\n"
    )
    assert json.loads((tmp_path / "m/config.json").read_bytes())["num_hidden_layers"] == 6


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["grow", "--tier", "giant", "-o", "x"], "'giant'"),
        (["--tier", "gpu", "-o", "x"], "dokja forge plan t4 --size gpu1"),
        (["--tier", "smoke", "--families", "F2", "-o", "x"], "'F2'"),
        (["label", "nowhere"], "dokja forge zoo grow --tier smoke -o nowhere"),
        (["make", "nowhere", "f1-r00", "-o", "x"], "nowhere/zoo.json"),
    ],
)
def test_wrong_words_are_told_and_nothing_is_made(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    code = run(["forge", "zoo", *words])

    assert code == 2
    assert told in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is not None, reason="torch is here and nothing is missing"
)
def test_family_that_needs_torch_names_the_extra(tmp_path, capsys):
    code = run(["forge", "zoo", "--tier", "small", "--families", "F2", "-o", str(tmp_path / "x")])

    assert code == 2
    assert "pip install 'dokja[forge]'" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
