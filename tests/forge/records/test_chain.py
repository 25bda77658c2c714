"""The live chain: written, killed, resumed, tampered with, witnessed late, and read back."""

import base64
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.errors import EngineError, RecordError
from dokja.models.forge.records import (
    ChainWriter,
    Code,
    Commit,
    Init,
    Interruption,
    KeyRegister,
    KeyRole,
    LocalWitness,
    LogSpan,
    Metrics,
    Probe,
    ProblemKind,
    RegisteredKey,
    Seal,
    SeedOrigin,
    Seen,
    StateDigest,
    check_chain,
    draw_seed,
    issue_receipt,
    keeps_probe,
    kept_probes,
    liveness,
    parse_chain,
    read_chain,
    seen,
)
from dokja.models.forge.records.entries import SIGNED
from dokja.values import Digest, canonical_bytes
from dokja.values.keys import SigningKey

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
BUILDER = SigningKey("team.example", bytes(32))
OTHER = SigningKey("other.example", bytes(31) + b"\x02")
WITNESS = SigningKey("witness.example", bytes(31) + b"\x01")
NONCE = bytes(range(32))
ROOT = "dokja-tensors-v1:" + "ab" * 32
MINUTE = timedelta(minutes=1)


class Clock:
    """Goes on by a minute whenever it is read, until it is set."""

    def __init__(self, at=NOON, step=MINUTE):
        self.at, self.step = at, step

    def __call__(self):
        self.at += self.step
        return self.at


class Unreliable:
    """A witness that can be down."""

    name = "unreliable"

    def __init__(self, clock):
        self.clock, self.down, self.seen = clock, False, {}

    def submit(self, entry):
        if self.down:
            return None
        if entry not in self.seen:
            self.seen[entry] = issue_receipt(entry, WITNESS, seq=len(self.seen), at=self.clock())
        return self.seen[entry]


class Failing:
    name = "failing"

    def submit(self, entry):
        raise EngineError(f"no route for {entry[:4]!r}")


class Confused:
    name = "confused"

    def submit(self, entry):
        return issue_receipt(entry + b" ", WITNESS, seq=0, at=NOON)


def registered(key, role, *, holder=None, **dates):
    return RegisteredKey(
        holder=holder or key.name,
        role=role,
        key=key.verifier,
        valid_from=dates.pop("valid_from", NOON - timedelta(days=1)),
        **dates,
    )


KEYS = KeyRegister(
    keys=(
        registered(BUILDER, KeyRole.BUILDER, holder="team"),
        registered(WITNESS, KeyRole.WITNESS),
    )
)


def commit(**other):
    return Commit(
        **{
            "builder": "team",
            "recipe": Digest.of(b"recipe"),
            "plan": Digest.of(b"plan"),
            "code": Code(commit="0f" * 20),
            "environment": {"python": "3.11", "threads": 1},
            "data": {"ko": Digest.of(b"manifest")},
            "order": "dokja.order/1",
            "tokenizer": None,
            "bases": {"body": ROOT},
            "nonce": Digest.of(NONCE),
            "archive_share": 0.25,
            "dense_until": 100,
            **other,
        }
    )


def init_after(link):
    receipt = link.receipt
    return Init(
        seed=draw_seed(link.entry.body.plan, NONCE, receipt=receipt).hex(),
        origin=SeedOrigin.NONCE if receipt is None else SeedOrigin.RECEIPT,
        nonce=NONCE.hex(),
        receipt=None if receipt is None else Digest.of(receipt.to_bytes()),
        roots={"body": ROOT},
    )


def metrics(first, last, **other):
    log = LogSpan(file="events.jsonl", start=0, stop=9, digest=Digest.of(b"log"))
    words = {"component": "body", "tokens": last * 1024, "loss": 2.5, "log": log, **other}
    return Metrics(first=first, last=last, **words)


def state(step):
    return StateDigest(step=step, tokens=step * 1024, cursor=step * 8, weights=ROOT)


def seal():
    return Seal(roots={"body": ROOT}, files={"body": Digest.of(b"files")})


def write(path, bodies=None, *, signer=BUILDER, witness=None, clock=None):
    """Write a whole small run and return its chain."""
    clock = clock or Clock()
    witness = witness or Unreliable(clock)
    with ChainWriter(path, signer=signer, clock=clock, witness=witness) as writer:
        writer.append(init_after(writer.append(commit())))
        for body in bodies or (metrics(1, 100), metrics(101, 200), seal()):
            writer.append(body)
        return writer.chain


def kinds(chain, keys=KEYS):
    return [problem.kind for problem in check_chain(chain, keys=keys)]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "chain.jsonl"


# Writing and reading


def test_a_whole_run_reads_back_as_it_was_written_and_nothing_is_wrong_with_it(path):
    written = write(path)

    read = read_chain(path)

    assert [replace(link, line=0) for link in read.links] == [
        replace(link, line=0) for link in written.links
    ]
    assert (read.digest, read.head) == (written.digest, written.head)
    assert [link.entry.kind for link in read.links] == [
        "commit",
        "init",
        "metrics",
        "metrics",
        "seal",
    ]
    assert check_chain(read, keys=KEYS) == check_chain(read, keys=KEYS, threads=2) == ()


def test_bytes_of_an_entry_are_golden(path):
    chain = write(path)

    assert chain.links[2].raw.decode() == (
        '{"at":"2026-01-02T12:05:00.000000Z","body":{"component":"body","first":1,'
        '"imported":false,"last":100,"log":{"digest":'
        f'"{Digest.of(b"log")}","file":"events.jsonl","start":0,"stop":9}},"loss":2.5,'
        f'"tokens":102400}},"kind":"metrics","n":2,"prev":"{chain.links[1].digest}"}}'
    )
    assert chain.digest.hex == "b5e4ea28176ef428c719c75ab2bfc737a123809904a8f24ee4c685c73808e43a"


def test_entries_name_the_entry_before_them_by_the_digest_of_its_bytes(path):
    chain = write(path)

    assert [link.entry.prev.hex for link in chain.links] == [
        "0" * 64,
        *(link.digest.hex for link in chain.links[:-1]),
    ]


def test_signature_stands_for_an_entry_and_nothing_else(path):
    link = write(path).links[0]

    assert BUILDER.verifier.verifies(BUILDER.sign(SIGNED + link.raw), SIGNED + link.raw)
    assert not BUILDER.verifier.verifies(BUILDER.sign(link.raw), SIGNED + link.raw)


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ([metrics(1, 2)], "commit, which binds the builder before anything else"),
        ([commit(), commit()], "one commit, at the beginning"),
        ([commit(), seal(), metrics(1, 2)], "nothing after the seal"),
    ],
)
def test_what_does_not_come_in_order_is_not_appended(path, bodies, said):
    with ChainWriter(path, signer=BUILDER, clock=Clock()) as writer:
        for body in bodies[:-1]:
            writer.append(body)
        before = path.read_bytes()

        with pytest.raises(RecordError) as refused:
            writer.append(bodies[-1])

    assert refused.value.mistakes[0].expected == said
    assert path.read_bytes() == before


def test_clock_that_runs_backwards_is_not_appended(path):
    clock = Clock()
    with ChainWriter(path, signer=BUILDER, clock=clock) as writer:
        writer.append(commit())
        clock.at -= timedelta(hours=1)

        with pytest.raises(RecordError, match="a clock that does not run backwards"):
            writer.append(metrics(1, 2))


def test_two_writers_never_hold_one_chain(path):
    with (
        ChainWriter(path, signer=BUILDER, clock=Clock()),
        pytest.raises(RecordError, match="one writer at a time"),
    ):
        ChainWriter(path, signer=BUILDER, clock=Clock())


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (commit, {"archive_share": 1.5}),
        (partial(metrics, 0, 3), {}),
        (partial(metrics, 5, 3), {}),
        (Probe, {"component": "body", "before": state(9), "after": state(9)}),
        (LogSpan, {"file": "a", "start": 3, "stop": 2, "digest": Digest.of(b"")}),
    ],
    ids=["share", "step-0", "steps-backwards", "equal-pair", "bytes-backwards"],
)
def test_bodies_that_mean_nothing_cannot_be_made(kind, words):
    with pytest.raises(ValueError, match=r"share|steps|bytes"):
        kind(**words)


# Witnesses


def test_a_witness_that_is_down_delays_receipts_and_not_the_training(path):
    clock = Clock()
    witness = Unreliable(clock)
    with ChainWriter(path, signer=BUILDER, clock=clock, witness=witness) as writer:
        writer.append(init_after(writer.append(commit())))
        witness.down = True
        alone = [writer.append(metrics(1, 10)).receipt, writer.append(metrics(11, 20)).receipt]
        waited = writer.waiting, writer.trouble
        witness.down = False
        last = writer.append(metrics(21, 30))

        assert (alone, waited) == ([None, None], (2, "unreliable: no answer"))
        assert (writer.waiting, writer.trouble, last.receipt.seq) == (0, "", 4)

    chain = read_chain(path)
    assert [link.receipt.seq for link in chain.links] == [0, 1, 2, 3, 4]
    assert kinds(chain) == [ProblemKind.NO_SEAL]


def test_catching_up_after_hours_makes_entries_late(path):
    clock = Clock()
    witness = Unreliable(clock)
    witness.down = True
    with ChainWriter(path, signer=BUILDER, clock=clock, witness=witness) as writer:
        writer.append(init_after(writer.append(commit())))
        writer.append(metrics(1, 60))
    clock.at += timedelta(hours=3)
    witness.down = False

    with ChainWriter(path, signer=BUILDER, clock=clock, witness=witness) as writer:
        came = writer.catch_up()
        writer.append(metrics(61, 100))

    chain = read_chain(path)
    assert came == 3
    assert [seen(link, keys=KEYS) for link in chain.links] == [Seen.LATE] * 3 + [Seen.LIVE]
    found = liveness(chain, component="body", steps=200, keys=KEYS)
    assert (found.live, found.late, found.unwitnessed, found.untold) == (40, 60, 0, 100)
    assert found.share == 0.2
    assert kinds(chain) == [ProblemKind.SEED_UNWITNESSED, ProblemKind.NO_SEAL]


@pytest.mark.parametrize(
    ("witness", "trouble"),
    [
        (Failing(), "failing: no route for b'{\"at'"),
        (Confused(), "confused: answered with no receipt of entry 0"),
    ],
)
def test_a_witness_that_fails_or_answers_wrongly_stops_nothing(path, witness, trouble):
    with ChainWriter(path, signer=BUILDER, clock=Clock(), witness=witness) as writer:
        writer.append(commit())

        assert (writer.trouble, writer.waiting) == (trouble, 1)


@pytest.mark.parametrize(("minutes", "when"), [(10, Seen.LIVE), (10.01, Seen.LATE)])
def test_entries_are_late_after_ten_minutes(path, minutes, when):
    link = write(path).links[2]
    at = link.entry.at + timedelta(minutes=minutes)

    receipt = issue_receipt(link.raw, WITNESS, seq=0, at=at)

    assert seen(replace(link, receipt=receipt), keys=KEYS) is when


def test_imported_logs_are_late_by_definition(path):
    chain = write(path, (metrics(1, 30, imported=True), metrics(31, 100), seal()))

    found = liveness(chain, component="body", keys=KEYS)

    assert (found.live, found.late, found.share) == (70, 30, 0.7)


def test_receipts_of_unknown_witnesses_make_nothing_live(path):
    chain = write(path)

    found = liveness(chain, component="body", keys=KeyRegister(keys=()))

    assert (found.live, found.unwitnessed, found.share) == (0, 200, 0.0)
    assert liveness(chain, component="body").share == 1.0
    assert liveness(chain, component="encoder").share is None


spans = st.lists(st.tuples(st.integers(1, 40), st.integers(0, 12), st.booleans()), max_size=12)


@given(spans, st.integers(0, 50))
@settings(deadline=None, max_examples=15)
def test_live_share_is_that_of_each_steps_last_telling(tmp_path_factory, told, steps):
    path = tmp_path_factory.mktemp("run") / "chain.jsonl"
    bodies = [metrics(first, first + more, imported=late) for first, more, late in told]
    chain = write(path, [*bodies, seal()])

    last = {}
    for body in bodies:
        last.update(dict.fromkeys(range(body.first, body.last + 1), body.imported))
    inside = [late for step, late in last.items() if step <= steps]

    found = liveness(chain, component="body", steps=steps, keys=KEYS)
    assert (found.live, found.late) == (inside.count(False), inside.count(True))
    assert found.untold == steps - len(inside)


def test_local_witness_counts_remembers_and_gives_the_first_receipt_again(tmp_path):
    journal, clock = tmp_path / "outside" / "journal.jsonl", Clock()
    first = LocalWitness(journal, key=WITNESS, clock=clock)
    receipts = [first.submit(b"a"), first.submit(b"b"), first.submit(b"a")]

    second = LocalWitness(journal, key=WITNESS, clock=clock)

    assert receipts[0] == receipts[2] == second.submit(b"a")
    assert [second.submit(b"c").seq, first.submit(b"d").seq] == [2, 3]
    assert all(receipt.is_signed() for receipt in receipts)


def test_local_witness_cuts_half_a_receipt_and_refuses_a_changed_one(tmp_path):
    journal = tmp_path / "journal.jsonl"
    LocalWitness(journal, key=WITNESS, clock=Clock()).submit(b"a")
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"at":"2026')

    again = LocalWitness(journal, key=WITNESS, clock=Clock()).submit(b"a")

    assert (journal.read_bytes(), again.seq) == (whole, 0)
    journal.write_bytes(whole.replace(b'"seq":0', b'"seq":1'))
    with pytest.raises(RecordError, match="a receipt that was changed"):
        LocalWitness(journal, key=WITNESS, clock=Clock()).submit(b"a")


# Draws


def test_seed_follows_from_plan_nonce_and_receipt_together():
    plan = Digest.of(b"plan")
    receipts = [None, *(issue_receipt(b"x", WITNESS, seq=n, at=NOON) for n in range(2))]
    seeds = {
        draw_seed(plan, nonce, receipt=receipt)
        for plan in (plan, Digest.of(b"other"))
        for nonce in (NONCE, bytes(32))
        for receipt in receipts
    }

    assert len(seeds) == 12
    assert draw_seed(plan, NONCE, receipt=receipts[1]) == draw_seed(
        plan, NONCE, receipt=issue_receipt(b"x", WITNESS, seq=0, at=NOON)
    )
    with pytest.raises(ValueError, match="a nonce has 32 bytes, not 3"):
        draw_seed(plan, b"abc", receipt=None)


def test_probe_draw_keeps_the_share_that_was_committed_to():
    probe = Probe(component="body", before=state(490), after=state(500))
    receipts = [issue_receipt(b"x", WITNESS, seq=n, at=NOON) for n in range(600)]

    kept = {
        share: sum(keeps_probe(probe, one, commit=commit(archive_share=share)) for one in receipts)
        for share in (0.0, 0.25, 1.0)
    }

    assert (kept[0.0], kept[1.0]) == (0, 600)
    assert 108 < kept[0.25] < 192  # four standard deviations


def test_probes_without_receipt_and_those_of_the_dense_start_are_kept(path):
    clock = Clock()
    witness = Unreliable(clock)
    with ChainWriter(path, signer=BUILDER, clock=clock, witness=witness) as writer:
        writer.append(commit(archive_share=0.0))
        for step in (100, 110, 120):
            witness.down = step == 120
            writer.append(Probe(component="body", before=state(step - 10), after=state(step)))

    assert [probe.after.step for _, probe in kept_probes(read_chain(path))] == [100, 120]


def test_nobody_is_bound_to_keep_probes_by_a_chain_without_commit(path):
    data = write(path).links[1].to_line()

    with pytest.raises(ValueError, match="binds nobody"):
        kept_probes(parse_chain(data, file="chain.jsonl"))


# What is wrong with a chain


def forged(chain, place, *, signer=BUILDER, **changes):
    """Return the chain's bytes with one entry made anew, and signed, by this signer."""
    lines = [link.to_line() for link in chain.links]
    said = json.loads(chain.links[place].raw)
    said.update(changes)
    raw = canonical_bytes(said)
    link = replace(
        chain.links[place],
        raw=raw,
        signature=base64.b64encode(signer.sign(SIGNED + raw)).decode(),
        signer=str(signer.verifier),
    )
    lines[place] = link.to_line()
    return parse_chain(b"".join(lines), file="chain.jsonl")


def test_entry_changed_and_signed_anew_breaks_the_next_one_and_its_receipt(path):
    chain = write(path)
    body = {**json.loads(chain.links[2].raw)["body"], "loss": 1.0}

    changed = forged(chain, 2, body=body)

    assert [(one.kind, one.n) for one in check_chain(changed, keys=KEYS)] == [
        (ProblemKind.RECEIPT_ENTRY, 2),
        (ProblemKind.PREDECESSOR, 3),
    ]


def test_signature_by_an_unknown_key_is_said_and_leaves_it_unsettled(path):
    chain = write(path, signer=OTHER)

    problems = check_chain(chain, keys=KEYS)

    assert {problem.kind for problem in problems} == {ProblemKind.UNKNOWN_KEY}
    assert len(problems) == 5
    assert not problems[0].kind.contradicts
    assert str(problems[0]) == (
        f"entry 0 (line 1): read the key {OTHER.verifier}, unknown; expected a builder's key that "
        "the register has and that counts at that time"
    )


def test_key_of_another_builder_is_said(path):
    chain = write(path)
    keys = KeyRegister(keys=(*KEYS.keys, registered(OTHER, KeyRole.BUILDER)))

    changed = forged(chain, 4, signer=OTHER)

    assert kinds(changed, keys) == [ProblemKind.OTHER_BUILDER]


@pytest.mark.parametrize(
    ("dates", "found"),
    [
        ({"valid_from": NOON + timedelta(minutes=4)}, [ProblemKind.KEY_NOT_VALID] * 2),
        ({"valid_to": NOON + timedelta(minutes=8)}, [ProblemKind.KEY_NOT_VALID]),
        ({"revoked": NOON + timedelta(days=1)}, []),
        ({"revoked": NOON + timedelta(minutes=8)}, [ProblemKind.KEY_REVOKED] * 2),
    ],
)
def test_keys_count_while_they_are_valid_and_not_revoked(path, dates, found):
    keys = KeyRegister(
        keys=(registered(BUILDER, KeyRole.BUILDER, holder="team", **dates), KEYS.keys[1])
    )

    assert kinds(write(path), keys) == found


def test_revoked_key_counts_only_for_what_a_witness_saw_before(path):
    chain = write(path)
    bare = replace(chain, links=tuple(replace(link, receipt=None) for link in chain.links))
    revoked = registered(BUILDER, KeyRole.BUILDER, holder="team", revoked=NOON + timedelta(days=1))

    found = kinds(bare, KeyRegister(keys=(revoked, KEYS.keys[1])))

    assert found.count(ProblemKind.KEY_REVOKED) == 5


def test_clock_backwards_is_found(path):
    chain = write(path)

    changed = forged(chain, 3, at="2026-01-02T12:00:30.000000Z")

    assert kinds(changed) == [
        ProblemKind.CLOCK,
        ProblemKind.RECEIPT_ENTRY,
        ProblemKind.PREDECESSOR,
    ]


def test_missing_and_repeated_entries_are_found(path):
    links = write(path).links
    lines = [link.to_line() for link in links]

    without = parse_chain(b"".join(lines[:2] + lines[3:]), file="chain.jsonl")
    twice = parse_chain(b"".join([*lines[:3], *lines[2:]]), file="chain.jsonl")

    assert set(kinds(without)) == {ProblemKind.GAP, ProblemKind.PREDECESSOR}
    assert ProblemKind.GAP in kinds(twice)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"seq": 0}, [ProblemKind.RECEIPT_CLOCK]),
        ({"at": NOON + timedelta(minutes=2)}, [ProblemKind.RECEIPT_CLOCK] * 2),
        ({"key": OTHER}, [ProblemKind.UNKNOWN_WITNESS]),
        ({"entry": b"another"}, [ProblemKind.RECEIPT_ENTRY]),
    ],
)
def test_receipts_that_do_not_fit_are_found(path, change, found):
    chain = write(path)
    link = chain.links[3]
    receipt = issue_receipt(
        change.get("entry", link.raw),
        change.get("key", WITNESS),
        seq=change.get("seq", link.receipt.seq),
        at=change.get("at", link.receipt.at),
    )
    links = (*chain.links[:3], replace(link, receipt=receipt), *chain.links[4:])

    assert kinds(replace(chain, links=links)) == found


def test_receipt_signed_by_nobody_is_found(path):
    chain = write(path)
    receipt = replace(chain.links[3].receipt, proof={"checkpoint": "invented"})
    links = (*chain.links[:3], replace(chain.links[3], receipt=receipt), *chain.links[4:])

    assert kinds(replace(chain, links=links)) == [ProblemKind.RECEIPT_SIGNATURE]


def test_witness_whose_key_has_expired_counts_for_nothing(path):
    expired = registered(WITNESS, KeyRole.WITNESS, valid_to=NOON)

    found = kinds(write(path), KeyRegister(keys=(KEYS.keys[0], expired)))

    assert found == [ProblemKind.WITNESS_NOT_VALID] * 5


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"seed": "00" * 32}, [ProblemKind.SEED]),
        ({"nonce": "00" * 32}, [ProblemKind.NONCE, ProblemKind.SEED]),
        ({"nonce": None}, [ProblemKind.NONCE]),
        ({"receipt": str(Digest.of(b"another"))}, [ProblemKind.SEED]),
        ({"receipt": None}, [ProblemKind.SEED]),
        ({"origin": "nonce"}, [ProblemKind.SEED_UNWITNESSED, ProblemKind.SEED]),
        ({"origin": "fixed"}, [ProblemKind.SEED_UNWITNESSED]),
    ],
)
def test_seed_that_was_not_drawn_is_found(path, change, found):
    chain = write(path)
    body = {**json.loads(chain.links[1].raw)["body"], **change}

    changed = forged(chain, 1, body=body)

    others = {ProblemKind.RECEIPT_ENTRY, ProblemKind.PREDECESSOR}
    assert [kind for kind in kinds(changed) if kind not in others] == found


def test_nonce_may_be_revealed_in_the_seal(path):
    clock = Clock()
    with ChainWriter(path, signer=BUILDER, clock=clock, witness=Unreliable(clock)) as writer:
        init = init_after(writer.append(commit()))
        writer.append(replace(init, nonce=None))
        open_end = kinds(writer.chain)
        writer.append(replace(seal(), nonce=NONCE.hex()))

        assert (open_end, kinds(writer.chain)) == ([ProblemKind.NO_SEAL], [])


def test_order_of_kinds_is_checked(path):
    links = write(path).links
    lines = [link.to_line() for link in links]

    headless = parse_chain(b"".join(lines[1:]), file="chain.jsonl")
    doubled = parse_chain(b"".join([*lines, lines[0], lines[1]]), file="chain.jsonl")

    assert ProblemKind.ORDER in kinds(headless)
    assert kinds(doubled).count(ProblemKind.ORDER) == 3
    assert kinds(parse_chain(b"", file="chain.jsonl")) == [ProblemKind.ORDER, ProblemKind.NO_SEAL]


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("small") / "chain.jsonl"
    write(path, (metrics(1, 100), seal()))
    return path.read_bytes()


def is_accepted(data):
    try:
        chain = parse_chain(data, file="chain.jsonl")
    except RecordError:
        return False
    return not check_chain(chain, keys=KEYS)


@given(st.data())
@settings(deadline=None, max_examples=100)
def test_every_single_byte_edit_is_found(small, data):
    place = data.draw(st.integers(0, len(small) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != small[place]))

    assert is_accepted(small)
    assert not is_accepted(small[:place] + bytes([value]) + small[place + 1 :])


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_every_lost_or_added_byte_is_found(small, data):
    place = data.draw(st.integers(0, len(small) - 1))
    byte = bytes([data.draw(st.integers(0, 255))])

    assert not is_accepted(small[:place] + small[place + 1 :])
    assert not is_accepted(small[:place] + byte + small[place:])


def test_lost_end_leaves_a_chain_without_seal(small):
    lines = small.splitlines(keepends=True)

    assert kinds(parse_chain(b"".join(lines[:-2]), file="chain.jsonl")) == [ProblemKind.NO_SEAL]


# Damage


@pytest.mark.parametrize(
    ("line", "place", "expected"),
    [
        (b"", "line 3", "one JSON object (Expecting value: line 1 column 1 (char 0))"),
        (b"[1]", "line 3", "an entry with its signature"),
        (b'{"n":0,"receipt":null}', "line 3, receipt", None),
        (b'{"entry":{},"receipt":null,"signature":"","signer":""}', "line 3, entry", None),
    ],
)
def test_damage_is_an_error_that_names_the_line(path, line, place, expected):
    chain = write(path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([*lines[:2], line, *lines[2:]]) + b"\n")

    with pytest.raises(RecordError) as damaged:
        read_chain(path)
    with pytest.raises(RecordError):
        ChainWriter(path, signer=BUILDER, clock=Clock())

    mistake = damaged.value.mistakes[0]
    assert mistake.place == place
    assert expected is None or expected.startswith(mistake.expected) or mistake.expected == expected
    assert len(chain.links) == 5


def test_all_damaged_lines_are_named_at_once(path):
    write(path)
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([b"x", *lines, b"y"]) + b"\n")

    with pytest.raises(RecordError) as damaged:
        read_chain(path)

    assert [one.place for one in damaged.value.mistakes] == ["line 1", f"line {len(lines) + 2}"]


def test_every_fault_of_an_entrys_frame_is_named(path):
    line = json.loads(write(path).links[0].to_line())
    line["entry"] |= {"n": -1, "prev": "x", "at": "yesterday"}
    line |= {"signature": "*", "signer": 3}

    with pytest.raises(RecordError) as damaged:
        parse_chain(canonical_bytes(line) + b"\n", file="chain.jsonl")

    assert [one.place.rpartition(" ")[2] for one in damaged.value.mistakes] == [
        "n",
        "prev",
        "at",
        "signature",
        "signer",
    ]


def test_every_fault_of_a_body_is_named(path):
    line = json.loads(write(path).links[2].to_line())
    line["entry"]["body"] |= {"first": "1", "loss": None, "more": 1}

    with pytest.raises(RecordError) as damaged:
        parse_chain(canonical_bytes(line) + b"\n", file="chain.jsonl")

    assert [one.place for one in damaged.value.mistakes] == [
        "line 1, body, first",
        "line 1, body, loss",
        "line 1, body, more",
    ]


def test_chain_that_does_not_hang_together_is_not_written_on(path):
    lines = [link.to_line() for link in write(path).links]
    path.write_bytes(b"".join(lines[:1] + lines[2:]))

    with pytest.raises(RecordError, match="line 2: read entry 2 after"):
        ChainWriter(path, signer=BUILDER, clock=Clock())


def test_chain_that_is_not_there_is_an_error_with_its_name(path):
    with pytest.raises(RecordError, match=r"chain\.jsonl: read nothing: No such file"):
        read_chain(path)


# Killed


@pytest.mark.parametrize("lost", [1, 7, 200])
def test_half_a_line_is_cut_off_kept_beside_and_said(path, lost):
    write(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-lost])
    kept = whole[: whole[:-lost].rfind(b"\n") + 1]

    with pytest.raises(RecordError, match="half a line"):
        read_chain(path)
    torn = read_chain(path, live=True).torn_bytes
    with ChainWriter(path, signer=BUILDER, clock=Clock(NOON + timedelta(hours=1))) as writer:
        cut = writer.cut

    assert (path.read_bytes(), cut.name) == (kept, "chain.jsonl.torn-1")
    assert cut.read_bytes() == whole[len(kept) : -lost]
    assert torn == len(cut.read_bytes())


def test_chain_cut_at_any_byte_is_resumed_with_its_whole_lines(path):
    write(path)
    whole = path.read_bytes()
    later = Clock(NOON + timedelta(hours=1))
    wanted = []
    found = []

    for length in range(0, len(whole), 61):
        path.write_bytes(whole[:length])
        with ChainWriter(path, signer=BUILDER, clock=later) as writer:
            found.append(writer.chain.links)
        wanted.append(parse_chain(whole[: whole[:length].rfind(b"\n") + 1], file=path.name).links)

    assert found == wanted


def test_second_cut_does_not_overwrite_the_first(path):
    write(path)
    for word in (b"first", b"second"):
        with path.open("ab") as file:
            file.write(word)
        ChainWriter(path, signer=BUILDER, clock=Clock()).close()

    torn = sorted(path.parent.glob("chain.jsonl.torn-*"))
    assert [one.read_bytes() for one in torn] == [b"first", b"second"]


BUILD = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from dokja.models.forge.records import *
from dokja.values import Digest
from dokja.values.keys import SigningKey

def clock():
    return datetime.now(UTC)

folder = Path(sys.argv[1])
witness = LocalWitness(
    folder / "outside/journal.jsonl", key=SigningKey("witness.example", bytes(31) + b"\\1"),
    clock=clock,
)
log = LogSpan(file="events.jsonl", start=0, stop=9, digest=Digest.of(b"log"))
signer = SigningKey("team.example", bytes(32))
with ChainWriter(folder / "chain.jsonl", signer=signer, clock=clock, witness=witness) as writer:
    if not writer.chain.links:
        writer.append(Commit(
            builder="team", recipe=Digest.of(b"r"), plan=Digest.of(b"p"), code=Code(commit="c"),
            environment={}, data={}, order="dokja.order/1", tokenizer=None, bases={},
            nonce=Digest.of(bytes(32)), archive_share=0.0, dense_until=0,
        ))
    print("ready", flush=True)
    step = sum(1 for _ in writer.chain.of(Metrics))
    while True:
        step += 1
        writer.append(Metrics(
            component="body", first=step, last=step, tokens=step, loss=1.0, log=log,
        ))
"""


def test_builder_killed_at_any_moment_goes_on_with_one_history(tmp_path):
    pauses = [0.0, 0.002, 0.011, 0.037, 0.1]
    lengths = []
    for pause in pauses:
        with subprocess.Popen(
            [sys.executable, "-c", BUILD, tmp_path], stdout=subprocess.PIPE
        ) as process:
            process.stdout.readline()
            time.sleep(pause)
            os.kill(process.pid, signal.SIGKILL)
        chain = read_chain(tmp_path / "chain.jsonl", live=True)
        lengths.append(len(chain.links))

    with ChainWriter(
        tmp_path / "chain.jsonl",
        signer=BUILDER,
        clock=lambda: datetime.now(UTC),
        witness=LocalWitness(
            tmp_path / "outside/journal.jsonl", key=WITNESS, clock=lambda: datetime.now(UTC)
        ),
    ) as writer:
        writer.catch_up()

    chain = read_chain(tmp_path / "chain.jsonl")
    journal = (tmp_path / "outside/journal.jsonl").read_bytes().splitlines()
    assert lengths == sorted(lengths)
    assert lengths[-1] > len(pauses)
    assert kinds(chain, registered_now()) == [ProblemKind.NO_SEAL]
    assert [json.loads(line)["entry"] for line in journal] == [
        str(link.digest) for link in chain.links
    ]


def registered_now():
    return KeyRegister(
        keys=(
            registered(BUILDER, KeyRole.BUILDER, holder="team"),
            registered(WITNESS, KeyRole.WITNESS),
        )
    )


def test_disk_that_is_full_leaves_the_chain_as_it_was(tmp_path, path):
    write(path, (metrics(1, 100),))
    before = path.read_bytes()
    limited = (
        "import resource, signal, sys; from pathlib import Path;"
        "from datetime import UTC, datetime;"
        "from dokja.models.forge.records import *; from dokja.values.keys import SigningKey;"
        "from dokja.errors import RecordError;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({len(before)} + 50,) * 2);"
        "writer = ChainWriter(Path(sys.argv[1]), signer=SigningKey('team.example', bytes(32)),"
        "    clock=lambda: datetime(2026, 2, 1, tzinfo=UTC))\n"
        "try:\n    writer.append(Interruption(component='body', step=1, reason='preempted'))\n"
        "except RecordError as error:\n    print(error)"
    )

    said = subprocess.run(
        [sys.executable, "-c", limited, path], capture_output=True, text=True, check=True
    ).stdout

    assert said.startswith("chain.jsonl: read an error of the disk: File too large")
    assert path.read_bytes() == before


def test_package_reads_no_clock():
    folder = Path(__file__).parents[3] / "src/dokja/models/forge/records"

    assert [path.name for path in folder.glob("*.py") if ".now(" in path.read_text()] == [
        "register.py"  # the example in a docstring
    ]


def test_unused_kinds_have_a_body(path):
    stop = Interruption(component="body", step=3, reason="preempted", resumed_at=0)

    assert write(path, (stop, seal())).links[2].entry.body == stop
