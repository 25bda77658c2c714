"""What `dokja trace` can be asked for besides: how deep, by which calibration, and for maps."""

import csv
import json
import shutil
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from dokja.cli.commands import run
from dokja.evidence.lineage import Plan

MODELS = Path(__file__).parents[2] / "sample/programme/models"
DASOM, GARAM, MARU = (str(MODELS / f"{name}-1") for name in ("dasom", "garam", "maru"))
SHIPPED = resources.files("dokja.evidence.lineage") / "data/calibration-2026-11-26.json"
KEPT = 192


@pytest.fixture
def pruned(tmp_path):
    """Write the sample's garam-1 without a quarter of its neurons, the others in another order."""
    folder = tmp_path / "pruned"
    shutil.copytree(GARAM, folder)
    file = folder / "model.safetensors"
    made = load_file(file)
    kept = np.random.default_rng(3).permutation(256)[:KEPT]
    for name in made:
        if name.endswith(("gate_proj.weight", "up_proj.weight")):
            made[name] = np.ascontiguousarray(made[name][kept])
        elif name.endswith("down_proj.weight"):
            made[name] = np.ascontiguousarray(made[name][:, kept])
    save_file(made, file)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": KEPT}))
    return str(folder), kept


def told(capsys, words):
    code = run(["trace", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_neurons_of_a_pruned_model_are_mapped_into_files_and_counted(pruned, capsys, tmp_path):
    folder, kept = pruned
    maps = tmp_path / "maps"

    _, document = told(capsys, [folder, "--against", GARAM, "--maps", str(maps)])

    (finding,) = document["findings"]
    assert finding["relations"] == ["width_edited"]
    counts = [(one["suspect"], one["reference"], one["of"]) for one in finding["neuron_map"]]
    assert counts == [(layer, layer, KEPT) for layer in range(len(counts))]
    assert min(one["pairs"] for one in finding["neuron_map"]) > 0.95 * KEPT
    (file,) = maps.iterdir()
    with file.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert file.name == "language-body.0.csv"
    assert len(rows) == sum(one["pairs"] for one in finding["neuron_map"])
    right = [int(row["reference_neuron"]) == kept[int(row["neuron"])] for row in rows]
    assert np.mean(right) == 1.0


def test_neurons_are_told_in_both_languages(pruned, capsys, tmp_path):
    folder, _ = pruned
    page = tmp_path / "page.html"

    run(["trace", folder, "--against", GARAM, "--html", str(page)])

    printed = " ".join(capsys.readouterr().out.split())
    assert f"of {KEPT} go together, one by one, among 256" in printed
    assert f"{KEPT}개 중" in page.read_text(encoding="utf-8")


def test_maps_that_cannot_be_written_are_told(pruned, capsys, tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("a file")

    code = run(["trace", pruned[0], "--against", GARAM, "--maps", str(taken)])

    assert code == 2
    assert "give another folder with --maps" in capsys.readouterr().err


@pytest.mark.parametrize("level", ["screen", "forensic", "map"])
def test_levels_find_the_same_relation_and_read_more_each(capsys, level):
    code, document = told(capsys, [DASOM, "--against", GARAM, "--level", level])

    assert code == 3
    assert document["read"]["level"] == level
    assert document["findings"][0]["relations"] == ["depth_edited"]
    shares = {"screen": (0.1, 0.6), "forensic": (0.8, 1.0), "map": (0.8, 1.0)}
    low, high = shares[level]
    assert low < document["read"]["share"] <= high
    ran = set(document["findings"][0]["branches"])
    assert (
        ran
        == {
            "screen": set(),
            "forensic": {"coordinates"},
            "map": {"coordinates", "embeddings", "head", "free"},
        }[level]
    )


def test_level_that_nobody_knows_is_refused():
    assert run(["trace", DASOM, "--against", GARAM, "--level", "deep"]) == 2
    with pytest.raises(KeyError):
        Plan.at("deep")


def test_calibration_is_read_from_a_file(capsys, tmp_path):
    said = json.loads(SHIPPED.read_text(encoding="utf-8")) | {"id": "mine", "widths": [1, 2]}
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(said))

    _, document = told(capsys, [MARU, "--against", GARAM, "--calibration", str(file)])

    assert document["calibration"]["id"] == "mine"
    assert document["calibration"]["inside_range"] is False
    (finding,) = document["findings"]
    assert finding["likelihood_ratio"] is None
    assert "width 96 is outside 1 to 2" in finding["likelihood_ratio_missing"]


@pytest.mark.parametrize("said", ["[1, 2]", "{}", "{", '{"schema": 1}', None])
def test_what_is_no_calibration_is_told(capsys, tmp_path, said):
    file = tmp_path / "wrong.json"
    if said is not None:
        file.write_text(said)

    code = run(["trace", MARU, "--against", GARAM, "--calibration", str(file)])

    assert code == 2
    assert f"{file}: read" in capsys.readouterr().err


def test_licences_beside_the_weights_are_named_and_the_unmapped_share_is_known(capsys, tmp_path):
    suspect = tmp_path / "suspect"
    shutil.copytree(MARU, suspect)
    (suspect / "LICENSE.txt").write_text("use it well")
    (suspect / "NOTICE").symlink_to("/etc/passwd")

    _, document = told(capsys, [str(suspect), "--against", GARAM])

    (files,) = document["not_lineage"]["files"]
    assert set(files) == {"suspect", "reference"}
    assert set(files["suspect"]) == {"LICENSE.txt"}
    assert files["suspect"]["LICENSE.txt"].startswith("sha256:")
    assert document["findings"][0]["unmapped_share"] == 0.0
