"""A run by the command line: recorded, resumed after kill -9 to the same bytes, refused clearly."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import pytest

from dokja.cli.commands import run as dokja
from dokja.models.forge.plans import read_plan
from dokja.models.forge.records import (
    Checkpoint,
    Init,
    Interruption,
    Metrics,
    Probe,
    SeedOrigin,
    Stage,
    read_chain,
)
from dokja.models.forge.records.attest import read_attestation
from dokja.models.forge.records.register import KeyRegister


def test_chain_says_everything_that_was_done(whole):
    chain = read_chain(whole)

    kinds = [link.entry.kind for link in chain.links]
    steps = [(said.first, said.last) for _, said in chain.of(Metrics)]
    assert (kinds[:3], kinds[-1]) == (["commit", "init", "stage"], "seal")
    assert steps[0][0] == 1
    assert steps[-1][1] == 40
    assert all(b == c + 1 for (_, c), (b, _) in pairwise(steps))
    assert [said.after.step for _, said in chain.of(Probe)] == [10, 20, 30, 40]
    assert [said.do for _, said in chain.of(Stage)] == ["train"]
    assert chain.waiting == ()


def test_states_that_the_chain_names_lie_on_the_disk(whole, root_of):
    chain = read_chain(whole)

    kept = {said.state.step: said for _, said in chain.of(Checkpoint)}

    assert set(kept) == {0, 10, 20, 30, 40}
    for said in kept.values():
        assert root_of(whole / said.folder / "weights") == said.state.weights


def test_seal_names_the_model_that_came_out(whole, root_of):
    seal = read_chain(whole).seal

    assert seal.roots["body"] == root_of(whole / "model")
    assert (whole / "model/tokenizer.json").exists()


def test_record_is_signed_and_says_the_same_as_the_chain(whole, root_of):
    attestation = read_attestation(whole / "record.json", keys=KeyRegister(keys=()))

    record = attestation.record

    assert record.chain.head == read_chain(whole).head
    assert record.component("body").root == root_of(whole / "model")
    assert record.claim["claim"] == "T4"
    assert record.chain.witnessed["body"].live == 40


def test_a_fixed_seed_is_called_one(whole):
    (init,) = [said for _, said in read_chain(whole).of(Init)]

    assert init.origin is SeedOrigin.FIXED


def test_a_drawn_seed_is_another_in_every_run(tmp_path, planned, recipe):
    text = recipe.replace('fixed = "of the tests"\n', "").replace("20_480", "2_048")
    plan = planned(tmp_path, text)

    for name in ("one", "two"):
        assert dokja(["forge", "run", str(plan), "-o", str(tmp_path / name)]) == 0

    inits = [next(said for _, said in read_chain(tmp_path / n).of(Init)) for n in ("one", "two")]
    assert [init.origin for init in inits] == [SeedOrigin.RECEIPT] * 2
    assert inits[0].seed != inits[1].seed


def started(plan, run, *more):
    return subprocess.Popen(
        [sys.executable, "-m", "dokja", "forge", "run", str(plan), "-o", str(run), *more],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def killed_at(plan, run, *, step):
    """Start a run and kill it, its worker too, once it has told of a step."""
    process = started(plan, run)
    events = run / "body/01-train/events.jsonl"
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        said = events.read_text().splitlines() if events.exists() else []
        told = [json.loads(line) for line in said if line.endswith("}")]
        if any(one.get("last", 0) >= step for one in told):
            break
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()


@pytest.mark.parametrize("step", [1, 20, 31])
def test_run_that_was_killed_ends_with_the_same_bytes_and_says_so(tmp_path, whole, step, planned):
    plan = planned(tmp_path)
    killed_at(plan, tmp_path / "run", step=step)

    process = started(plan, tmp_path / "run", "--resume")
    _, said = process.communicate(timeout=120)

    assert process.returncode == 0, said.decode()
    for name in ("model/model.safetensors", "model/config.json", "model/tokenizer.json"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()
    chain = read_chain(tmp_path / "run")
    assert chain.seal.roots == read_chain(whole).seal.roots
    assert [one.resumed_at for _, one in chain.of(Interruption)] != []


def test_a_second_process_is_refused_while_one_works(tmp_path, planned):
    plan = planned(tmp_path)
    first = started(plan, tmp_path / "run")
    until = time.monotonic() + 60
    while not (tmp_path / "run/chain.jsonl").exists() and time.monotonic() < until:
        time.sleep(0.01)

    code = dokja(["forge", "run", str(plan), "-o", str(tmp_path / "run"), "--resume"])

    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    assert code == 2


def test_a_run_is_not_begun_twice_by_mistake(whole, capsys):
    code = dokja(["forge", "run", str(whole.parent / "plan"), "-o", str(whole)])

    assert code == 2
    assert "--resume" in capsys.readouterr().err


def test_a_sealed_run_is_left_as_it_is(whole):
    before = (whole / "chain.jsonl").read_bytes(), (whole / "record.json").read_bytes()

    code = dokja(["forge", "run", str(whole.parent / "plan"), "-o", str(whole), "--resume"])

    assert code == 0
    assert ((whole / "chain.jsonl").read_bytes(), (whole / "record.json").read_bytes()) == before


def test_a_run_of_another_plan_is_refused(tmp_path, whole, capsys, planned, recipe):
    other = planned(tmp_path, recipe.replace("lr = 1e-3", "lr = 2e-3"))

    code = dokja(["forge", "run", str(other), "-o", str(whole), "--resume"])

    assert code == 2
    assert str(read_plan(other).digest) in capsys.readouterr().err


def test_a_worker_that_fails_says_why_and_loses_nothing(tmp_path, capsys, planned, recipe):
    text = recipe.replace('name = "ref"', 'name = "command"\ncommand = ["false"]')
    plan = planned(tmp_path, text)

    code = dokja(["forge", "run", str(plan), "-o", str(tmp_path / "run")])

    assert code == 2
    assert "code 1" in capsys.readouterr().err
    assert [link.entry.kind for link in read_chain(tmp_path / "run").links] == [
        "commit",
        "init",
    ]


def test_plan_is_whole_or_not_there(tmp_path, capsys, recipe):
    (tmp_path / "bad.toml").write_text(recipe.replace("documents = 100", "documents = 1"))

    code = dokja(["forge", "plan", str(tmp_path / "bad.toml"), "-o", str(tmp_path / "plan")])

    assert code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.toml"]
    assert "windows" in capsys.readouterr().err


def test_base_that_is_not_there_is_named(tmp_path, capsys):
    code = dokja(["forge", "plan", "t2", "-o", str(tmp_path / "plan")])

    assert code == 2
    assert "base base: read no folder of this name" in capsys.readouterr().err
    assert list(Path(tmp_path).iterdir()) == []


def test_a_component_that_is_trained_twice_keeps_the_states_of_both(tmp_path, planned, recipe):
    again = (
        '\n[[component.step]]\ndo = "dus"\nmap = [0, 1, 1]\n'
        '\n[[component.step]]\ndo = "train"\ndata = "text"\ntokens = 10_240\n'
        "batch = { sequences = 4, length = 128 }\noptimizer = { lr = 1e-3 }\n"
    )
    plan = planned(tmp_path, recipe.replace("\n[data.text]", again + "\n[data.text]"))

    codes = [
        dokja(["forge", "run", str(plan), "-o", str(tmp_path / "run")]),
        dokja(["forge", "verify", str(tmp_path / "run"), "--level", "V2", "--json"]),
    ]

    chain = read_chain(tmp_path / "run")
    assert [said.do for _, said in chain.of(Stage)] == ["train", "dus", "train"]
    assert [said.after.step for _, said in chain.of(Probe)] == [10, 20, 30, 40, 10, 20]
    assert codes == [0, 4]  # nothing fails; whose keys these are, nobody said
