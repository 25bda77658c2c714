"""Runs that train elsewhere: launched and followed, or handed in after the fact."""

import json
import os
import shutil
import subprocess
import sys
from contextlib import closing
from datetime import timedelta

import pytest

from dokja.cli import forge_running
from dokja.cli.commands import run as dokja
from dokja.evidence.ledger import open_programme
from dokja.models.forge.records import Checkpoint, Init, Metrics, read_attestation, read_chain
from dokja.models.forge.records.register import KeyRegister


@pytest.fixture(scope="module")
def launched(tmp_path_factory, planned):
    """A run that was committed here and trained by the job that was written for elsewhere."""
    folder = tmp_path_factory.mktemp("launched")
    plan = planned(folder)
    assert dokja(["forge", "run", str(plan), "-o", str(folder / "run"), "--launch"]) == 0
    stage = folder / "run/body/01-train"
    subprocess.run(
        [sys.executable, "-m", "dokja.models.forge.engines.ref", "job.json"],
        cwd=stage,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    return folder / "run"


@pytest.fixture
def log(launched, tmp_path):
    """The steps of that training as another tool would have logged them."""
    path = tmp_path / "log.jsonl"
    lines = []
    for line in (launched / "body/01-train/events.jsonl").read_text().splitlines():
        said = json.loads(line)
        if said["kind"] == "steps":
            steps = range(said["first"], said["last"] + 1)
            rows = zip(steps, said["loss"], said["lr"], strict=True)
            lines += [json.dumps({"step": s, "loss": x, "lr": y}) for s, x, y in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_launched_run_lies_committed_with_its_files(launched):
    names = {path.name for path in (launched / "body/01-train").iterdir()}

    assert {"job.json", "run.sh", "torchrun.sh", "job.sbatch", "ray_job.py"} <= names


def test_followed_run_is_sealed_with_the_bytes_of_a_run_made_here(launched, whole):
    code = dokja(["forge", "attach", str(launched), "--follow", "--every", "0.1"])

    assert code == 0
    for name in ("model/model.safetensors", "model/tokenizer.json"):
        assert (launched / name).read_bytes() == (whole / name).read_bytes()
    assert read_chain(launched).seal.roots == read_chain(whole).seal.roots


def test_run_handed_in_afterwards_is_late_and_says_what_it_is(launched, log, tmp_path, planned):
    plan = planned(tmp_path)
    start = launched / "body/00-start/weights"
    last = launched / "body/01-train/checkpoints/step-00000040/weights"

    code = dokja(
        [
            *("forge", "attach", str(tmp_path / "run"), "--plan", str(plan), "--log", str(log)),
            *("--checkpoint", f"0={start}", "--checkpoint", f"40={last}"),
        ]
    )

    chain = read_chain(tmp_path / "run")
    assert code == 0
    assert [(m.first, m.last, m.imported) for _, m in chain.of(Metrics)] == [(1, 40, True)]
    assert [c.state.step for _, c in chain.of(Checkpoint)] == [0, 40]
    record = read_attestation(tmp_path / "run/record.json", keys=KeyRegister(keys=())).record
    witnessed = record.chain.witnessed["body"]
    assert (witnessed.live, witnessed.late) == (0, 40)
    assert record.environment["made"] == "elsewhere, and handed in after the fact"


def test_start_of_a_run_made_elsewhere_is_what_was_handed_in(
    launched, log, tmp_path, planned, root_of
):
    plan = planned(tmp_path)
    start = launched / "body/01-train/checkpoints/step-00000010/weights"

    dokja(
        [
            *("forge", "attach", str(tmp_path / "run"), "--plan", str(plan), "--log", str(log)),
            *("--checkpoint", f"0={start}", "--checkpoint", f"40={start}"),
        ]
    )

    (init,) = [said for _, said in read_chain(tmp_path / "run").of(Init)]
    assert init.roots == {"body": root_of(start)}


def test_run_without_its_last_weights_stays_open(log, tmp_path, planned):
    plan = planned(tmp_path)

    code = dokja(["forge", "attach", str(tmp_path / "run"), "--plan", str(plan), "--log", str(log)])

    assert code == 0
    assert read_chain(tmp_path / "run").seal is None


def test_checkpoint_that_lacks_a_shard_is_refused_whole(launched, log, tmp_path, planned, capsys):
    plan = planned(tmp_path)
    broken = tmp_path / "broken"
    broken.mkdir()
    source = launched / "body/00-start/weights/model.safetensors"
    shutil.copy(source, broken / "model-00001-of-00002.safetensors")

    code = dokja(
        [
            *("forge", "attach", str(tmp_path / "run"), "--plan", str(plan), "--log", str(log)),
            *("--checkpoint", f"40={broken}"),
        ]
    )

    assert code == 2
    assert "1 of the 2 shards" in capsys.readouterr().err
    assert not (tmp_path / "run/body/01-train/checkpoints").exists()


@pytest.mark.parametrize("given", ["40", "x=y", "=z"])
def test_checkpoint_that_names_no_step_is_a_usage_error(tmp_path, planned, given):
    plan = planned(tmp_path)

    code = dokja(
        ["forge", "attach", str(tmp_path / "r"), "--plan", str(plan), "--checkpoint", given]
    )

    assert code == 2


def test_ledger_of_a_programme_witnesses_every_entry(tmp_path, planned):
    plan = planned(tmp_path)
    programme = str(tmp_path / "programme")
    assert dokja(["new", programme, "--from", "sample/programme"]) == 0
    sign = ["--sign", "--name", "w.local", "--key", str(tmp_path / "w.key")]
    assert dokja(["ledger", "witness", programme, *sign, "--state", str(tmp_path / "w.note")]) == 0

    code = dokja(
        [
            *("forge", "run", str(plan), "-o", str(tmp_path / "run")),
            *("--ledger", programme, "--actor", "garam"),
        ]
    )

    chain = read_chain(tmp_path / "run")
    assert code == 0
    assert chain.waiting == ()
    assert all(link.receipt.is_signed() for link in chain.links)
    origins = {link.receipt.proof["origin"] for link in chain.links}
    assert len(origins) == 1
    assert dokja(["ledger", "verify", programme]) == 0


def test_verified_record_becomes_an_entry_check_by_check(tmp_path, whole):
    programme = tmp_path / "programme"
    assert dokja(["new", str(programme), "--from", "sample/programme"]) == 0

    code = dokja(
        [
            *("forge", "enter", str(whole), "--programme", str(programme)),
            *("--model", "garam-1", "--team", "garam", "--as", "body=language-body"),
        ]
    )

    assert code == 0
    with closing(open_programme(programme)) as opened:
        (entry,) = opened.ledger.entries(kind="build")
        record = opened.blobs.get(entry.blobs[0])
    outcomes = {one["check"]: one["outcome"] for one in entry.body["findings"]}
    assert record == (whole / "record.json").read_bytes()
    assert entry.body["components"][0]["component"] == "language-body"
    assert (entry.body["claim"], entry.body["place"]) == ("T4", "builder")
    assert outcomes["V0.1"] == "undecided"  # nobody said whose key it is
    assert outcomes["V1.0"] == "undecided"  # the builder chose the seed
    assert {outcomes[f"V2.{number}"] for number in (1, 2, 3, 4)} == {"pass"}
    assert dokja(["ledger", "verify", str(programme)]) == 0


def test_a_run_that_is_attached_long_after_it_ended_is_late(tmp_path, planned, monkeypatch):
    plan = planned(tmp_path)
    run = tmp_path / "run"
    assert dokja(["forge", "run", str(plan), "-o", str(run), "--launch"]) == 0
    subprocess.run(
        [sys.executable, "-m", "dokja.models.forge.engines.ref", "job.json"],
        cwd=run / "body/01-train",
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
    )
    later = forge_running.now() + timedelta(hours=1)
    monkeypatch.setattr(forge_running, "now", lambda: later)

    code = dokja(["forge", "attach", str(run)])

    record = read_attestation(run / "record.json", keys=KeyRegister(keys=())).record
    assert code == 0
    assert (record.chain.witnessed["body"].live, record.chain.witnessed["body"].late) == (0, 40)


def test_record_of_components_that_nobody_declared_is_not_entered(tmp_path, whole, capsys):
    programme = tmp_path / "programme"
    assert dokja(["new", str(programme), "--from", "sample/programme"]) == 0

    code = dokja(
        [
            *("forge", "enter", str(whole), "--programme", str(programme)),
            *("--model", "garam-1", "--team", "garam"),
        ]
    )

    assert code == 2
    assert "the component body" in capsys.readouterr().err
    with closing(open_programme(programme)) as opened:
        assert list(opened.ledger.entries(kind="build")) == []
