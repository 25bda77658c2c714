"""V3 by the numpy engine: segments of a real run, replayed, and everything that can be wrong."""

import json
import shutil
import sys
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from dokja.cli.commands import run as dokja
from dokja.models.forge.corpora import open_data
from dokja.models.forge.engines import open_checkpoint
from dokja.models.forge.engines.catalogue import worker_engine
from dokja.models.forge.engines.ref import replay
from dokja.models.forge.ladder import Level, Outcome, level_outcome
from dokja.models.forge.ladder.artefacts import open_artefacts
from dokja.models.forge.ladder.challenge import draw_challenge, sealed_at
from dokja.models.forge.ladder.commitments import Beacon, NonceCommitment
from dokja.models.forge.ladder.distances import distance
from dokja.models.forge.ladder.replay import ReplayRequest, WorkerReplayer
from dokja.models.forge.ladder.v3 import Place, ReplaySettings, check
from dokja.models.forge.ladder.v4 import check as describe
from dokja.models.weights import open_source
from dokja.values import Digest

RECIPE = """schema = "dokja.recipe/1"
name = "tiny"

[[component]]
id = "body"
role = "language-body"
from = { scratch = "llama" }

[[component.step]]
do = "train"
data = "text"
tokens = 10_240
batch = { sequences = 4, length = 64 }
optimizer = { lr = 1e-3 }

[[component]]
id = "tokenizer"
role = "tokenizer"
from = { train = { kind = "bytes" } }

[data.text]
sources = [{ made = "sentences", seed = "a", documents = 100 }]

[engine]
name = "ref"

[seed]
fixed = "of the tests"

[size.cpu.component.body]
shape = { width = 32, layers = 2, heads = 2, head_width = 16, kv_heads = 1, ffn = 64 }
"""
FOLDER = "body/01-train"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A plan and a run of 40 steps that nobody tampered with."""
    folder = tmp_path_factory.mktemp("replay")
    (folder / "tiny.toml").write_text(RECIPE)
    assert dokja(["forge", "plan", str(folder / "tiny.toml"), "-o", str(folder / "plan")]) == 0
    assert dokja(["forge", "run", str(folder / "plan"), "-o", str(folder / "run")]) == 0
    return folder


@pytest.fixture
def run(built, tmp_path):
    """A copy of the run, with its plan, to tamper with."""
    for name in ("plan", "run"):
        shutil.copytree(built / name, tmp_path / name)
    return tmp_path / "run"


def checked(run, challenge=None, **settings):
    said = {"scratch": run / "scratch", "environment": {}, "segments": 9, **settings}
    return check(open_artefacts(run), challenge, settings=ReplaySettings(**said))


def outcomes(findings, check):
    return {one.check: one.outcome for one in findings if one.check.startswith(check)}


def examined(run):
    """Return the challenge of an examiner who committed to a nonce a day before the run."""
    chain, nonce = open_artefacts(run).chain, bytes(32)
    begun, after = chain.links[0].entry.at, sealed_at(chain) + timedelta(hours=1)
    return draw_challenge(
        chain,
        segments=9,
        nonce=nonce,
        revealed_at=after,
        beacon=Beacon(name="b", round=1, value="00" * 32, at=after),
        commitment=NonceCommitment(nonce=Digest.of(nonce), at=begun - timedelta(days=1)),
    )


def test_honest_run_holds_at_v3_when_an_examiner_drew(run):
    findings = checked(run, examined(run))

    assert level_outcome(findings, Level.V3) is Outcome.PASS
    assert [one.check for one in findings] == [
        *("V3.1", "V3.4", "V3.2"),
        *(f"V3.3.{step}-{step + 10}" for step in (0, 10, 20, 30)),
    ]
    for one in findings[3:]:
        assert one.value == 0.0
        assert one.why == (
            "bit-equal: 21 of 21 tensors equal, e 0.0e+00, losses differ by at most 0.0e+00 nats, "
            "replayed with ref by the examiner"
        )
        assert one.threshold == findings[2].threshold
        assert "learning rate" in one.power


def test_draw_that_the_builder_could_foresee_leaves_the_level_undecided(run):
    findings = checked(run, place=Place.BUILDER, segments=1)

    assert outcomes(findings, "V3.1") == {"V3.1": Outcome.UNDECIDED}
    assert level_outcome(findings, Level.V3) is Outcome.UNDECIDED
    assert len(outcomes(findings, "V3.3")) == 2
    assert findings[-1].why.endswith("by the builder")


def test_noise_of_too_few_segments_is_undecided(run):
    findings = checked(run, segments=0)

    assert outcomes(findings, "V3.2") == {"V3.2": Outcome.UNDECIDED}


def test_worker_of_its_own_process_replays_to_the_same_bytes(run, tmp_path):
    state = run / FOLDER / "checkpoints/step-00000010"
    request = request_of(run, state=state, steps=10)
    engine = worker_engine("ref", python=sys.executable)

    done = WorkerReplayer(engine, scratch=tmp_path / "s", environment={}).replay(request)

    claimed = open_source(run / FOLDER / "checkpoints/step-00000020/weights")
    assert all(np.array_equal(done.weights(name), claimed.read(name)) for name in claimed.names)
    assert (len(done.losses), done.environment["engine"]) == (10, "ref")


def request_of(run, **changes):
    (training,) = open_artefacts(run).trainings
    said = {"base": run / FOLDER, "state": run / FOLDER, "steps": 1, **changes}
    return ReplayRequest(job=training.job, **said)


@pytest.mark.parametrize("steps", [0, 51])
def test_replays_have_one_to_fifty_steps(run, steps):
    with pytest.raises(ValueError, match="1 to 50"):
        request_of(run, steps=steps)


def claimed_against(run, *, lr=1.0, seed=None, order=None, played=10, lost=False):
    """Return e of ten steps from step 10, something being otherwise."""
    (training,) = open_artefacts(run).trainings
    job = training.job
    job = replace(job, optimizer=replace(job.optimizer, lr=job.optimizer.lr * lr))
    if seed:
        job = replace(job, data={**job.data, "seed": seed})
    folder = run / FOLDER / "checkpoints"
    if lost:
        forget(folder / "step-00000010")
    with open_data(job.data, base=run / FOLDER, length=64) as data:

        def batches(start, stop):
            place = (order or {}).get(start // 4, start // 4)
            return data.batch(4 * place, 4 * place + stop - start)

        done = replay(job, state_folder=folder / "step-00000010", steps=played, batches=batches)
    before, after = (open_source(folder / f"step-000000{n}/weights") for n in (10, 20))
    found = distance(done.weights.__getitem__, after.read, before=before.read, names=after.names)
    return found.total


def forget(checkpoint):
    """Set the moments of a state to zero, as if the optimizer began anew."""
    path = checkpoint / "state/optimizer.safetensors"
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    path.write_bytes(data[:start] + bytes(len(data) - start))
    said = json.loads((checkpoint / "state/state.json").read_text())
    said["optimizer"]["t"] = 0
    (checkpoint / "state/state.json").write_text(json.dumps(said))
    assert not open_checkpoint(checkpoint).moment("exp_avg", "lm_head.weight").any()


@pytest.mark.parametrize(
    ("changes", "least", "most"),
    [
        ({}, 0.0, 0.0),
        ({"lr": 1.001}, 5e-4, 2e-3),
        ({"lr": 1.01}, 5e-3, 2e-2),
        ({"order": {13: 14, 14: 13}}, 1e-2, 0.3),
        ({"played": 9}, 0.05, 0.3),
        ({"seed": "bb"}, 0.1, 1.5),
        ({"lost": True}, 0.2, 3.0),
    ],
)
def test_replays_see_what_the_acceptance_table_says(run, changes, least, most):
    assert least <= claimed_against(run, **changes) <= most


def test_job_file_of_the_builder_is_not_what_is_replayed(run):
    path = run / FOLDER / "job.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps({**said, "optimizer": {**said["optimizer"], "lr": 0.5}}))

    assert set(outcomes(checked(run), "V3.3").values()) == {Outcome.PASS}


def changed_byte(path, *, at=-5):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("file", ["weights/model.safetensors", "state/optimizer.safetensors"])
def test_state_that_was_changed_after_it_was_named_fails(run, file):
    changed_byte(run / FOLDER / "checkpoints/step-00000020" / file)

    findings = checked(run)

    assert outcomes(findings, "V3.3") == {
        "V3.3.0-10": Outcome.PASS,
        "V3.3.10-20": Outcome.FAIL,
        "V3.3.20-30": Outcome.FAIL,
        "V3.3.30-40": Outcome.PASS,
    }
    assert "changed after they were named" in findings[4].why


def test_state_that_is_not_there_leaves_its_segments_undecided(run):
    shutil.rmtree(run / FOLDER / "checkpoints/step-00000040")

    findings = checked(run)

    assert outcomes(findings, "V3.3")["V3.3.30-40"] is Outcome.UNDECIDED
    assert outcomes(findings, "V3.3")["V3.3.20-30"] is Outcome.PASS


def test_other_data_than_were_committed_to_are_not_replayed(run):
    (shard,) = (run.parent / "plan/data/text-0").glob("*.u16")
    changed_byte(shard)

    findings = checked(run)

    assert outcomes(findings, "V3.3") == {"V3.3": Outcome.UNDECIDED}
    assert "data at hand" in findings[-1].why


def test_other_plan_than_was_committed_to_is_not_replayed(run):
    path = run / "plan.json"
    path.write_text(path.read_text().replace('"name": "tiny"', '"name": "other"', 1))

    (finding,) = checked(run)

    assert (finding.check, finding.outcome) == ("V3.1", Outcome.NOT_AVAILABLE)


def test_command_line_replays_and_says_what_it_could_not_decide(run, capsys):
    words = ["forge", "verify", str(run), "--level", "V4", "--segments", "1", "--json"]

    code = dokja(words)

    said = json.loads(capsys.readouterr().out)
    found = {one["check"]: one["outcome"] for one in said["findings"]}
    assert code == 4
    assert (found["V3.1"], found["V3.3.0-10"], found["V4.1"]) == (
        *("undecided", "pass"),
        "not-available",
    )


def test_v4_says_what_a_whole_run_would_cost(run):
    findings = describe(open_artefacts(run))

    assert {one.outcome for one in findings} == {Outcome.NOT_AVAILABLE}
    assert "FLOP" in findings[0].why
