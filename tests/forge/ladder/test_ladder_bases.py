"""V2 on others' weights: the base, the transform applied again, what moved, and the licence."""

import shutil
from dataclasses import replace

import pytest

from dokja.errors import RecordError
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.findings import Level, Outcome
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.ladder.verify import measured_claim, verified_claim, verify
from dokja.models.forge.records import read_keys

RECIPE = """
schema = "dokja.recipe/1"
name = "deepened"

[[component]]
id = "body"
role = "language-body"
from = {{ base = "{base}", licence = "Apache-2.0" }}

[[component.step]]
do = "dus"
map = {{ kind = "overlap", drop = 1 }}

[[component.step]]
do = "train"
data = "text"
tokens = 2_560
batch = {{ sequences = 4, length = 64 }}
trainable = {trainable}
optimizer = {{ lr = 1e-3 }}

[data.text]
sources = [{{ made = "sentences", seed = "a", documents = 60, max_repeats = 4 }}]

[engine]
name = "ref"

[size.cpu.component.body]
base = "{base}"
"""


@pytest.fixture(scope="module")
def deepened(stranger, tmp_path_factory, make_build):
    """A run that deepens a stranger's model and trains it whole."""
    folder = tmp_path_factory.mktemp("deepened")
    base = folder / "base"
    shutil.copytree(stranger, base)
    (base / "LICENSE").write_text("Apache License, Version 2.0")
    return make_build(folder, RECIPE.format(base=base, trainable='"all"'))


def found_of(build, **settings):
    chosen = Settings(keys=read_keys(build.keys), **settings)
    return verify(open_artefacts(build.run), settings=chosen)


def test_a_deepened_base_passes_every_check(deepened):
    found = found_of(deepened)

    assert {one.check: one.why for one in found if one.outcome is not Outcome.PASS} == {}
    titles = [one.title for one in found if one.check == "V2.1"]
    assert titles == [
        "start from the declared base",
        "stages begin where the last ended",
        "transform dus",
    ]
    assert {"V2.5.bases", "V2.5.licence"} <= {one.check for one in found}
    assert "V1.3" not in {one.check for one in found}


def test_the_claim_of_a_deepened_base_is_told(deepened):
    text = verified_claim(open_artefacts(deepened.run), found_of(deepened))

    assert text == "T3 claimed, V0 holds, V1 holds, V2 holds, live share 100 %"


def test_what_did_not_move_lowers_the_claim(deepened):
    artefacts = open_artefacts(deepened.run)
    found = found_of(deepened)
    still = [replace(one, value=0.5) if one.check == "V2.5" else one for one in found]

    assert measured_claim(artefacts, found).claim == "T3"
    assert measured_claim(artefacts, still).claim in {"T1", "T2"}
    assert "follows from what was measured" in verified_claim(artefacts, still)


def test_a_base_that_is_another_is_seen(deepened, tmp_path):
    build = deepened.copy(tmp_path / "copy")
    path = deepened.folder / "base/model.safetensors"
    kept = path.read_bytes()
    try:
        data = bytearray(kept)
        data[-1] ^= 1
        path.write_bytes(bytes(data))
        failing = build.failing()
    finally:
        path.write_bytes(kept)

    assert failing == {"V2.1", "V2.5.bases"}


def test_a_base_that_is_not_at_hand_is_undecided(deepened):
    base = deepened.folder / "base"
    base.rename(deepened.folder / "moved")
    try:
        found = {one.title: one for one in found_of(deepened)}
    finally:
        (deepened.folder / "moved").rename(base)

    start = found["start from the declared base"]
    assert (start.outcome, "--bases" in start.remedy) == (Outcome.UNDECIDED, True)


def test_a_base_without_its_licence_is_told_apart(deepened):
    path = deepened.folder / "base/LICENSE"
    text = path.read_text()
    path.unlink()
    try:
        found = found_of(deepened)
    finally:
        path.write_text(text)

    unsettled = {one.check: one.outcome for one in found if one.outcome is not Outcome.PASS}
    assert unsettled == {"V2.5.licence": Outcome.UNDECIDED}


PROGRAM = """
import json, pathlib, shutil
here = pathlib.Path(__file__).parent
job = json.loads(pathlib.Path("job.json").read_text())
shutil.copy(here / "events.jsonl", job["events"])
shutil.copytree(here / "made", job["final"])
"""


def test_a_program_of_the_builders_own_is_undecided_where_its_states_are_missing(
    honest, stranger, make_build, tmp_path, monkeypatch
):
    shutil.copytree(stranger, tmp_path / "made")
    shutil.copy(honest.events, tmp_path / "events.jsonl")
    (tmp_path / "make.py").write_text(PROGRAM)
    monkeypatch.chdir(tmp_path)
    text = (honest.folder / "tiny.toml").read_text()
    command = 'name = "command"\ncommand = ["python", "make.py"]'

    build = make_build(tmp_path, text.replace('name = "ref"', command))

    found = build.verify()
    unsettled = {one.check: one.outcome for one in found if one.outcome is not Outcome.PASS}
    assert unsettled == dict.fromkeys(
        ["V1.1", *[f"V2.{n}" for n in range(1, 6)]], Outcome.UNDECIDED
    )
    assert {one.outcome for one in found if one.level is Level.V0} == {Outcome.PASS}


def test_neither_chain_nor_record_is_bad_input(tmp_path):
    with pytest.raises(RecordError, match="neither a chain nor a record"):
        open_artefacts(tmp_path)


def test_levels_are_made_up_to_the_one_asked_for(honest):
    assert {one.level for one in honest.verify(Level.V1)} == {Level.V0, Level.V1}
