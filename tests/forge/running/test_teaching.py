"""A recipe with a teacher by the command line: planned, run, recorded, verified and cheated on."""

import json
import shutil
import subprocess
import sys

import pytest

from dokja.cli.commands import run as dokja
from dokja.models.forge.engines import write_weights
from dokja.models.forge.engines.catalogue import worker_engine
from dokja.models.forge.initialisation import initialise
from dokja.models.forge.ladder import Outcome
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.v2 import weight_level
from dokja.models.forge.ladder.v3 import ReplaySettings, check
from dokja.models.forge.plans import read_plan
from dokja.models.forge.records.attest import read_attestation
from dokja.models.forge.records.register import KeyRegister
from dokja.models.forge.structures import Structure

TEACHER = 'teacher = { base = "big", licence = "CC-BY-4.0", weight = 0.6, temperature = 2.0 }'
SIZES = {"layers": 2, "heads": 2, "head_width": 16, "kv_heads": 1, "ffn": 64, "width": 32}


@pytest.fixture(scope="module")
def taught(recipe):
    """The tiny recipe of 20 steps, with a teacher."""
    text = recipe.replace("20_480", "5_120").replace("length = 128", "length = 64")
    return text.replace("optimizer = { lr = 1e-3 }", f"optimizer = {{ lr = 1e-3 }}\n{TEACHER}")


def write_teacher(folder, name, *, seed=b"big", **sizes):
    """Write the weights of a llama that has opinions."""
    structure = Structure(family="llama", **{**SIZES, "vocabulary": 256, **sizes})
    loud = {name: 4 * tensor for name, tensor in initialise(structure, seed)}
    write_weights(folder / name, loud, config=structure.config())


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bases")
    write_teacher(folder, "big", width=48)
    return folder


def plan(folder, text, bases, *, name="plan"):
    (folder / f"{name}.toml").write_text(text)
    words = ["forge", "plan", str(folder / f"{name}.toml"), "--bases", str(bases)]
    return dokja([*words, "-o", str(folder / name)])


@pytest.fixture(scope="module")
def built(tmp_path_factory, taught, bases):
    """A plan and a run of it that nobody disturbed."""
    folder = tmp_path_factory.mktemp("taught")
    assert plan(folder, taught, bases) == 0
    words = ["forge", "run", str(folder / "plan"), "-o", str(folder / "run")]
    assert dokja([*words, "--bases", str(bases)]) == 0
    return folder


def replays(run, *bases):
    artefacts = open_artefacts(run, bases=bases)
    settings = ReplaySettings(scratch=run / "scratch", environment={}, segments=2)
    found = check(artefacts, None, settings=settings)
    return {one.check: one for one in found if one.check.startswith("V3.3")}


def test_plan_names_the_teacher_as_an_edge_of_data_and_grades_nothing_by_it(built, taught, bases):
    made = read_plan(built / "plan")
    alone = built / "alone"
    alone.mkdir()

    assert plan(alone, taught.replace(TEACHER, ""), bases) == 0

    (body,) = made.components
    said = body.stages[0]["teacher"]
    (edge,) = body.descent.data_edges
    assert (edge.name, edge.licence, edge.root) == ("big", "CC-BY-4.0", said["root"])
    assert [leaf.name for leaf in body.descent.leaves] == ["llama"]
    plain = read_plan(alone / "plan")
    assert (made.claim["claim"], plain.claim["claim"]) == ("T4", "T4")
    forward = Structure.from_json(said["structure"]).flop_per_token(64) / 3
    budgets = [one.budget["body/1"] for one in (made, plain)]
    assert budgets[0]["flop"] == pytest.approx(budgets[1]["flop"] + 5_120 * forward)
    assert budgets[0]["memory_bytes"] > budgets[1]["memory_bytes"]
    assert plain.components[0].stages[0]["teacher"] is None


def test_plan_is_another_with_another_share_or_another_teacher(built, taught, bases, tmp_path):
    write_teacher(tmp_path, "big", width=48, seed=b"other")

    assert plan(tmp_path, taught.replace("0.6", "0.5"), bases, name="share") == 0
    assert plan(tmp_path, taught, tmp_path, name="other") == 0

    folders = (built / "plan", tmp_path / "share", tmp_path / "other")
    assert len({read_plan(folder).digest for folder in folders}) == 3


def test_every_reason_why_a_teacher_cannot_teach_is_told_and_nothing_is_written(
    taught, tmp_path, whole, capsys
):
    write_teacher(tmp_path, "big", vocabulary=300, positions=32)
    shutil.copyfile(whole / "model/tokenizer.json", tmp_path / "big/tokenizer.json")
    other = json.loads((tmp_path / "big/tokenizer.json").read_text())
    other["model"]["vocab"] = dict(zip(other["model"]["vocab"], [*range(1, 256), 0], strict=True))
    (tmp_path / "big/tokenizer.json").write_text(json.dumps(other))

    code = plan(tmp_path, taught, tmp_path)

    said = capsys.readouterr().err
    assert code == 2
    assert "read a vocabulary of 300; expected 256, as the student has" in said
    assert "read the tokenizer sha256:" in said
    assert "read 32 positions; expected at least the 64 of a window" in said
    assert not (tmp_path / "plan").exists()


@pytest.mark.parametrize("engine", ["titan", "megatron"])
def test_engine_that_follows_no_teacher_is_refused_beside_everything_else(
    taught, bases, tmp_path, capsys, engine
):
    text = taught.replace('name = "ref"', f'name = "{engine}"').replace("tokens = 5_120", "")

    code = plan(tmp_path, text, bases)

    said = capsys.readouterr().err
    assert code == 2
    assert f"read a teacher, and the engine {engine}; expected an engine that follows a " in said
    assert "teacher's probabilities: hf or olmo or ref." in said
    assert "step 1, tokens: read nothing; expected this key." in said


def test_record_and_its_papers_name_the_teacher(built):
    run = built / "run"
    root = read_plan(built / "plan").components[0].stages[0]["teacher"]["root"]

    record = read_attestation(run / "record.json", keys=KeyRegister(keys=())).record

    descent = record.component("body").facts["descent"]
    edge = {"name": "big", "root": root, "licence": "CC-BY-4.0"}
    assert descent["data_edges"] == [edge]
    for name in ("bom.json", "card.en.md", "card.ko.md", "spdx.json", "training-content.json"):
        said = (run / name).read_text()
        assert (root in said, "CC-BY-4.0" in said) == (True, True), name


def test_checks_of_weights_hold_and_the_logged_loss_is_the_datas(built, bases):
    artefacts = open_artefacts(built / "run", bases=[bases])

    found = {one.check: one.outcome for one in weight_level(artefacts, Settings())}

    assert [found[name] for name in ("V2.3", "V2.4")] == [Outcome.PASS, Outcome.PASS]


def test_honest_run_replays_to_the_same_bytes(built, bases):
    found = replays(built / "run", bases)

    assert {one.value for one in found.values()} == {0.0}
    assert {one.outcome for one in found.values()} == {Outcome.PASS}


def test_without_the_teacher_a_replay_is_undecided_and_says_why(built):
    (found,) = replays(built / "run").values()

    assert found.outcome is Outcome.UNDECIDED
    assert "the teacher that was followed is not at hand: " in found.why
    assert "--bases" in found.remedy


def test_with_other_weights_in_its_place_a_replay_is_undecided(built, tmp_path):
    write_teacher(tmp_path, "big", width=48, seed=b"other")

    (found,) = replays(built / "run", tmp_path).values()

    assert found.outcome is Outcome.UNDECIDED
    assert "base big, root" in found.why


@pytest.mark.parametrize("cheat", ["share", "teacher"])
def test_run_that_followed_another_teacher_or_share_than_it_says_fails(
    built, bases, tmp_path, root_of, cheat
):
    words = ["forge", "run", str(built / "plan"), "-o", str(tmp_path / "run")]
    assert dokja([*words, "--bases", str(bases), "--launch"]) == 0
    path = tmp_path / "run/body/01-train/job.json"
    said = json.loads(path.read_text())
    if cheat == "share":
        said["teacher"]["share"] = 0.3
    else:
        write_teacher(tmp_path, "their", width=48, seed=b"other")
        said["teacher"]["weights"] = "../../../their"
        said["teacher"]["root"] = root_of(tmp_path / "their")
    path.write_text(json.dumps(said))
    subprocess.run(worker_engine("ref", python=sys.executable).command(path), check=True)

    attached = dokja(["forge", "attach", str(tmp_path / "run"), "--bases", str(bases)])

    assert attached == 0
    outcomes = {one.outcome for one in replays(tmp_path / "run", bases).values()}
    assert outcomes == {Outcome.FAIL}


def test_model_that_its_own_start_taught_brings_its_teacher_along(built, taught, bases, whole):
    """Pruned weights are taught by what they were: the run holds those itself."""
    text = taught.replace('{ scratch = "llama" }', '{ base = "own", licence = "MIT" }')
    text = text.replace('base = "big"', 'base = "own"').split("[size.cpu")[0] + "[size.cpu]\n"
    prune = (
        '[[component.step]]\ndo = "prune-neurons"\nkeep = 48\n\n[[component.step]]\ndo = "train"'
    )
    folder = built / "own"
    shutil.copytree(whole / "model", folder / "own")
    assert plan(folder, text.replace('[[component.step]]\ndo = "train"', prune), folder) == 0
    words = ["forge", "run", str(folder / "plan"), "-o", str(folder / "run")]
    assert dokja([*words, "--bases", str(folder)]) == 0

    found = replays(folder / "run")

    assert {one.outcome for one in found.values()} == {Outcome.PASS}
    assert read_plan(folder / "plan").claim["claim"] == "T3"
