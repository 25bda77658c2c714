"""Challenges: drawn after the seal, by nobody's choice, with what was not archived said by name."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecordError
from dokja.models.forge.ladder.challenge import Why, draw_challenge, sealed_at, self_challenge
from dokja.models.forge.ladder.challenge_files import (
    challenge_json,
    read_challenge,
    read_commitment,
    write_challenge,
    write_commitment,
)
from dokja.models.forge.ladder.chances import chance_to_meet, segments_needed
from dokja.models.forge.ladder.commitments import Beacon, NonceCommitment, commitment_bytes
from dokja.models.forge.ladder.drawing_checks import draw_finding, missed_findings
from dokja.models.forge.ladder.findings import Outcome
from dokja.models.forge.ladder.segments import archive_of
from dokja.models.forge.records import (
    ChainWriter,
    Checkpoint,
    Code,
    Commit,
    Init,
    Interruption,
    Probe,
    Seal,
    SeedOrigin,
    Stage,
    StateDigest,
    issue_receipt,
    read_chain,
)
from dokja.values import Digest
from dokja.values.keys import SigningKey

START = datetime(2026, 2, 1, tzinfo=UTC)
ROOT = "dokja-tensors-v1:" + "0" * 64
NONCE = bytes(range(32))
KEY = SigningKey("examiner.example", bytes(32))


def state(step):
    root = "dokja-tensors-v1:" + Digest.of(b"%d" % step).hex
    return StateDigest(step=step, tokens=8 * step, cursor=step, weights=root, optimizer=root)


def checkpoint(step, *, folder="body/01-train"):
    path = f"{folder}/checkpoints/step-{step:08d}"
    return Checkpoint(component="body", state=state(step), folder=path, archived=True)


def stage(index=0, do="train"):
    return Stage(component="body", index=index, do=do, step=0, terms={}, before=ROOT)


def probe(before):
    return Probe(component="body", before=state(before), after=state(before + 10))


def chain_of(folder, *bodies, examiner=None, sealed=True):
    """Return the chain of a run that said these things, one a minute."""
    minutes = count()
    commit = Commit(
        builder="builder.example",
        recipe=Digest.of(b"recipe"),
        plan=Digest.of(b"plan"),
        code=Code(commit="abc"),
        environment={},
        data={},
        order="dokja.order/1",
        tokenizer=None,
        bases={},
        nonce=Digest.of(b"nonce"),
        archive_share=1.0,
        dense_until=0,
        examiner=examiner,
    )
    init = Init(seed="0" * 64, origin=SeedOrigin.FIXED, nonce=None, receipt=None, roots={})
    said = [commit, init, *bodies]
    if sealed:
        said.append(Seal(roots={}, files={}))
    folder.mkdir()
    clock = lambda: START + timedelta(minutes=next(minutes))  # noqa: E731  # one line of a clock
    with ChainWriter(
        folder, signer=SigningKey("b", bytes(32)), clock=clock, witness=None
    ) as writer:
        for body in said:
            writer.append(body)
    return read_chain(folder)


def course(*steps):
    """Return what a training says that keeps a pair every ten steps."""
    states = [checkpoint(0)]
    for step in steps:
        states += [checkpoint(step + 10), probe(step)]
    return [stage(), *states]


@pytest.fixture
def run(tmp_path):
    """A run of 200 steps; the examiner's nonce stands in its commit entry."""
    return chain_of(tmp_path / "run", *course(*range(0, 200, 10)), examiner=Digest.of(NONCE))


def drawn(chain, *, segments=4, nonce=NONCE, value="11" * 32, **changes):
    after = sealed_at(chain) + timedelta(hours=1)
    said = {
        "revealed_at": after,
        "beacon": Beacon(name="beacon.example", round=7, value=value, at=after),
    }
    return draw_challenge(chain, segments=segments, nonce=nonce, **{**said, **changes})


def steps(challenge, why=None):
    return [one.before for one in challenge.chosen if why is None or why in one.why]


def slow_needed(share, chance):
    """Return the least number of draws, by trying one after the other."""
    return next(n for n in count() if 1 - (1 - share) ** n >= chance)


@pytest.mark.parametrize(("share", "needed"), [(0.3, 9), (0.1, 29), (0.05, 59), (0.01, 299)])
def test_needed_segments_are_those_of_the_design_note(share, needed):
    assert segments_needed(share) == needed


@given(st.floats(0.005, 1.0), st.floats(0.0, 0.999))
def test_needed_segments_are_what_trying_finds(share, chance):
    assert segments_needed(share, chance=chance) == slow_needed(share, chance)


@given(st.floats(0.001, 0.999), st.integers(0, 300))
def test_chance_is_one_less_the_chance_to_miss_every_time(share, segments):
    missed = 1.0
    for _ in range(segments):
        missed *= 1 - share

    assert chance_to_meet(share, segments) == pytest.approx(1 - missed, abs=1e-12)


@pytest.mark.parametrize(("share", "chance"), [(0.0, 0.9), (1.1, 0.9), (0.1, 1.0), (0.1, -0.1)])
def test_senseless_shares_and_chances_are_refused(share, chance):
    with pytest.raises(ValueError, match="lies"):
        segments_needed(share, chance=chance)


def test_first_segment_is_in_every_challenge_and_the_rest_is_drawn(run):
    challenge = drawn(run)

    assert steps(challenge, Why.FIRST) == [0]
    assert len(steps(challenge, Why.DRAWN)) == challenge.drawn == 4
    assert len(set(steps(challenge))) == 5
    assert challenge.missed == ()


def test_draw_changes_with_nonce_beacon_and_seal_and_with_nothing_else(run, tmp_path):
    other = chain_of(
        tmp_path / "other",
        *course(*range(0, 200, 10)),
        stage(1, "merge"),
        examiner=Digest.of(NONCE),
    )
    commitment = NonceCommitment(nonce=Digest.of(bytes(32)), at=START - timedelta(days=1))
    alone = chain_of(tmp_path / "alone", *course(*range(0, 200, 10)))

    seeds = {
        drawn(run).seed,
        drawn(run, value="22" * 32).seed,
        drawn(other).seed,
        drawn(alone, nonce=bytes(32), commitment=commitment).seed,
    }

    assert drawn(run) == drawn(run)
    assert len(seeds) == 4


def test_every_probe_is_as_likely_as_any_other(run):
    """Each of 19 segments should come up 200 * 4 / 19 = 42 times; 5 standard deviations are 29."""
    found = [steps(drawn(run, value=f"{n:064x}"), Why.DRAWN) for n in range(200)]

    counts = [sum(step in one for one in found) for step in range(10, 200, 10)]

    assert sum(counts) == 800
    assert 13 <= min(counts) <= max(counts) <= 71


def test_more_segments_than_there_are_take_all_of_them(run):
    challenge = drawn(run, segments=500)

    assert steps(challenge) == list(range(0, 200, 10))
    assert (challenge.asked, challenge.drawn) == (500, 19)


def test_segments_at_interruptions_and_stages_are_always_there(tmp_path):
    broken = Interruption(component="body", step=34, reason="preempted", resumed_at=30)
    second = [checkpoint(0, folder="body/03-train"), checkpoint(20, folder="body/03-train")]
    chain = chain_of(
        tmp_path / "run", *course(*range(0, 60, 10)), broken, stage(1, "dus"), stage(2), *second
    )

    challenge = self_challenge(chain, segments=0)

    assert [(one.stage, one.before, one.after, one.why) for one in challenge.chosen] == [
        ("body/01-train", 0, 10, (Why.FIRST,)),
        ("body/01-train", 30, 40, (Why.INTERRUPTION,)),
        ("body/03-train", 0, 20, (Why.STAGE,)),
    ]


def test_what_was_not_archived_is_listed_and_cannot_be_drawn(tmp_path):
    """The pair 40-50 had to be kept and was not; an interruption lies in it, and no first pair."""
    states = [checkpoint(step) for step in (0, 60, 70)]
    broken = Interruption(component="body", step=45, reason="preempted", resumed_at=45)
    chain = chain_of(tmp_path / "run", stage(), *states, probe(40), probe(60), broken)

    challenge = self_challenge(chain, segments=9)

    assert steps(challenge) == [60]
    assert [(one.step, one.why.split(",")[0]) for one in challenge.missed] == [
        (40, "the draw kept the probe of entry 6"),
        (0, "no two archived states at most 50 steps apart begin body/01-train"),
        (45, "entry 8 tells of an interruption after step 45"),
    ]
    outcomes = [finding.outcome for finding in missed_findings(challenge)]
    assert outcomes == [Outcome.UNDECIDED] * 3


def test_states_of_other_digests_are_not_those_of_a_probe(tmp_path):
    forged = replace(checkpoint(20), state=replace(state(20), weights=ROOT))
    chain = chain_of(tmp_path / "run", stage(), checkpoint(0), checkpoint(10), forged, probe(10))

    archive = archive_of(chain)

    assert archive.drawn_from == ()
    assert [one.step for one in archive.absent] == [10]


@pytest.mark.parametrize("hours", [0, -1])
def test_beacon_and_nonce_from_before_the_seal_are_refused_together(run, hours):
    at = sealed_at(run) + timedelta(hours=hours)

    with pytest.raises(RecordError) as caught:
        drawn(run, revealed_at=at, beacon=Beacon(name="b", round=1, value="11" * 32, at=at))

    assert [one.place for one in caught.value.mistakes] == ["examiner.revealed_at", "beacon.at"]


def test_another_nonce_than_the_promised_one_is_refused(run):
    with pytest.raises(RecordError) as caught:
        drawn(run, nonce=bytes(32))

    assert [one.place for one in caught.value.mistakes] == ["examiner.nonce"]


def test_nonce_that_nobody_was_bound_to_is_refused(tmp_path):
    chain = chain_of(tmp_path / "run", *course(0))

    with pytest.raises(RecordError, match="nobody was bound to"):
        drawn(chain)


def test_commitment_after_the_seal_is_refused(tmp_path):
    chain = chain_of(tmp_path / "run", *course(0))
    late = NonceCommitment(nonce=Digest.of(NONCE), at=sealed_at(chain))

    with pytest.raises(RecordError, match="one before the seal"):
        drawn(chain, commitment=late)


def test_run_that_is_not_sealed_is_not_challenged(tmp_path):
    chain = chain_of(tmp_path / "run", *course(0), sealed=False)

    with pytest.raises(RecordError, match="sealed"):
        self_challenge(chain, segments=1)


def test_written_challenge_is_drawn_again_when_it_is_read(run, tmp_path):
    path = tmp_path / "challenge.json"
    write_challenge(drawn(run), path)

    assert read_challenge(path, chain=run) == drawn(run)


def write_json(path: Path, said):

    path.write_text(json.dumps(said))
    return path


def test_challenge_that_chooses_for_itself_is_refused(run, tmp_path):
    said = challenge_json(drawn(run))
    kind = {**said, "chosen": said["chosen"][:1]}

    with pytest.raises(RecordError) as caught:
        read_challenge(write_json(tmp_path / "c.json", kind), chain=run)

    assert [one.place for one in caught.value.mistakes] == ["chosen"]


def test_challenge_with_an_unknown_key_or_of_another_run_is_refused(run, tmp_path):
    said = challenge_json(drawn(run))
    other = chain_of(tmp_path / "other", *course(0))

    with pytest.raises(RecordError, match="only the keys"):
        read_challenge(write_json(tmp_path / "c.json", {**said, "more": 1}), chain=run)
    with pytest.raises(RecordError, match="the run's own"):
        read_challenge(write_json(tmp_path / "c.json", said), chain=other)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "dokja.challenge/2"}', "\xff"])
def test_file_that_is_no_challenge_is_refused(run, tmp_path, text):
    (tmp_path / "c.json").write_text(text, encoding="latin-1")

    with pytest.raises(RecordError, match=r"c\.json"):
        read_challenge(tmp_path / "c.json", chain=run)


def test_commitment_with_a_receipt_is_read_back_and_another_receipt_refused(tmp_path):
    nonce = Digest.of(NONCE)
    seen = issue_receipt(commitment_bytes(nonce, at=START), KEY, seq=0, at=START)
    other = issue_receipt(b"something else", KEY, seq=1, at=START)
    sound = NonceCommitment(nonce=nonce, at=START, receipt=seen)

    write_commitment(sound, tmp_path / "sound.json")
    write_commitment(replace(sound, receipt=other), tmp_path / "other.json")

    assert read_commitment(tmp_path / "sound.json") == sound
    with pytest.raises(RecordError, match="a receipt of something else"):
        read_commitment(tmp_path / "other.json")


def test_draw_says_its_power_and_a_foreseeable_one_is_never_passed(run):
    by_examiner = draw_finding(drawn(run, segments=10))
    by_builder = draw_finding(self_challenge(run, segments=10))

    assert (by_examiner.outcome, by_examiner.value) == (Outcome.PASS, 10)
    assert by_examiner.power == (
        "a forged share of all segments of 5% with a chance of 40% and 10% with a chance of 65%"
    )
    assert by_builder.outcome is Outcome.UNDECIDED
