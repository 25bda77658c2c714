"""`dokja trace` as a user meets it: its exit codes, its one document, and what it leaves alone."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.cli.commands import run
from dokja.evidence.ledger import open_programme

MODELS = Path(__file__).parents[2] / "sample/programme/models"
DASOM, GARAM, HANBIT, MARU, RAON = (
    str(MODELS / f"{name}-1") for name in ("dasom", "garam", "hanbit", "maru", "raon")
)


@pytest.fixture
def narrow(tmp_path):
    """A model of another width, of which nothing fits anything."""
    folder = tmp_path / "narrow"
    folder.mkdir()
    rng = np.random.default_rng(1)
    shapes = {f"model.layers.0.self_attn.{name}_proj.weight": (24, 24) for name in "qkvo"}
    made = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    save_file(made, folder / "model.safetensors")
    return str(folder)


def told(capsys, words):
    code = run(["trace", *words, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_relation_ends_with_3_and_one_document(capsys):
    code, document = told(capsys, [DASOM, "--against", GARAM])

    (finding,) = document["findings"]
    assert (code, document["exit"], document["schema"]) == (3, 3, "dokja.trace/1")
    assert document["suspect"]["name"] == "dasom-1"
    assert document["references"][0]["digest"].startswith("sha256:")
    assert finding["relations"] == ["depth_edited"]
    assert finding["direction"] == "model_from_reference"
    assert finding["layer_map"] == [[0, 0], [1, 1], [2, 2], [3, 1], [4, 2], [5, 3]]
    assert [one["found"] for one in finding["controls"]] == [True, True, False]


def test_nothing_ends_with_0_and_its_power(capsys):
    code, document = told(capsys, [MARU, "--against", GARAM])

    (finding,) = document["findings"]
    assert (code, document["exit"]) == (0, 0)
    assert finding["relations"] == ["no_evidence"]
    assert finding["minimum_detectable"] == {"r": 0.15, "found": 9, "of": 10}


def test_what_cannot_be_tested_ends_with_4(capsys, narrow):
    code, document = told(capsys, [narrow, "--against", GARAM])

    (finding,) = document["findings"]
    assert (code, finding["relations"]) == (4, ["not_testable"])
    assert finding["minimum_detectable"] is None
    assert finding["minimum_detectable_missing"]


def test_one_reused_component_is_told_beside_a_body_without_evidence(capsys):
    code, document = told(capsys, [HANBIT, "--against", RAON])

    assert code == 3
    assert document["component_reuse"] == [["vision-encoder"]]
    assert {one["component"]: one["derivation"] for one in document["findings"]} == {
        "language-body": "no",
        "projector": "no",
        "vision-encoder": "yes",
    }


def test_only_the_component_asked_for_is_looked_at(capsys):
    code, document = told(capsys, [HANBIT, "--against", RAON, "--component", "projector"])

    assert code == 0
    assert [one["component"] for one in document["findings"]] == ["projector"]


def test_same_command_prints_the_same_document(capsys):
    words = [HANBIT, "--against", RAON, "--component", "vision-encoder", "--seed", "7"]

    first, second = told(capsys, words), told(capsys, words)

    assert first == second
    assert first[1]["seed"] == 7


def test_every_bad_input_is_told_at_once_and_nothing_is_written(capsys, tmp_path):
    pickle = tmp_path / "pickled"
    pickle.mkdir()
    (pickle / "model.bin").write_bytes(b"\x80\x04")
    page = tmp_path / "page.html"

    code = run(
        ["trace", "nowhere", "--against", str(pickle), "--against", GARAM, "--html", str(page)]
    )

    said = capsys.readouterr().err
    assert code == 2
    assert "nowhere" in said
    assert "model.bin" in said
    assert "Nothing was compared and nothing was written." in said
    assert not page.exists()


def test_words_that_name_nothing_are_refused_before_anything_is_compared(capsys, tmp_path):
    page = str(tmp_path / "no" / "page.html")

    code = run(["trace", MARU, "--against", GARAM, "--component", "ear", "--html", page])

    said = capsys.readouterr().err
    assert code == 2
    assert "--component: read ear; expected one of language-body" in said
    assert "--html: read" in said


@pytest.mark.parametrize("words", [["--ledger", "x"], ["--model", "x"]])
def test_ledger_and_model_go_together(words):
    assert run(["trace", MARU, "--against", GARAM, *words]) == 2


def test_reference_is_needed():
    assert run(["trace", MARU]) == 2


def test_known_stranger_becomes_a_control(capsys):
    words = [HANBIT, "--against", RAON, "--control", MARU, "--component", "vision-encoder"]

    _, document = told(capsys, words)

    assert len(document["findings"]) == 1


@pytest.mark.parametrize(
    ("lang", "said"), [("en", "statistically consistent"), ("ko", "통계적으로 부합")]
)
def test_people_read_it_in_their_language_and_as_a_page(capsys, tmp_path, lang, said):
    page = tmp_path / "page.html"

    code = run(["trace", DASOM, "--against", GARAM, "--lang", lang, "--html", str(page)])

    printed = capsys.readouterr().out
    assert code == 3
    assert said in " ".join(printed.split())
    assert f"page: {page}" in printed
    assert '<article class="edition ko"' in page.read_text(encoding="utf-8")


def test_findings_are_appended_once(judged_sample, tmp_path, capsys):
    folder = tmp_path / "sample"
    shutil.copytree(judged_sample, folder)
    outside = tmp_path / "garam-of-old"
    shutil.copytree(GARAM, outside)
    words = [str(folder / "models/dasom-1"), "--against", str(outside), "--against"]
    words += [str(folder / "models/garam-1"), "--ledger", str(folder), "--model", "dasom-1"]

    codes = [run(["trace", *words]) for _ in range(2)]

    printed = capsys.readouterr().out
    programme = open_programme(folder)
    findings = [
        entry.body
        for entry in programme.ledger.entries(kind="finding")
        if entry.body["reference"] == "garam-of-old"
    ]
    programme.close()
    assert codes == [3, 3]
    assert [body["relations"] for body in findings] == [["depth_edited"]]
    assert findings[0]["component"] == "language-body"
    assert f"appended to {folder}: 1;" in printed
    assert f"appended to {folder}: 0;" in printed


def test_model_that_the_ledger_does_not_know_is_refused(judged_sample, capsys):
    words = [DASOM, "--against", GARAM, "--ledger", str(judged_sample), "--model", "nobody-1"]

    code = run(["trace", *words])

    assert code == 2
    assert "--model: read nobody-1; expected a model of the ledger" in capsys.readouterr().err
