import json
import re
import signal
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecordingBrokenError, RecordingError
from dokja.evidence.benchmarks.exchanges import Fault, Profile, read_recording
from dokja.evidence.ledger import SigningKey
from dokja.values import Digest, canonical_bytes


@pytest.fixture
def store(record, kit, tmp_path):
    """A store of three exchanges, one of them faulty."""
    with record() as recorder:
        kit.fill(
            recorder,
            [
                (kit.request(b'{"n":1}'), kit.answer(b"one")),
                (kit.request(b'{"n":2}'), kit.answer(b"busy", status=503)),
                (kit.request(b'{"n":2}'), kit.answer(b"two", times=b"[[3,900]]")),
            ],
        )
    return tmp_path / "store"


def lines(store):
    return (store / "journal.jsonl").read_bytes().splitlines(keepends=True)


def slow_root(leaves):
    """The root of RFC 6962, 2.1, by its recursive definition."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\1" + slow_root(leaves[:half]) + slow_root(leaves[half:])).digest()


def test_store_gives_back_what_was_recorded(store):
    found = read_recording(store)

    first, faulty, third = found.exchanges
    assert [each.attempt for each in found.exchanges] == [1, 1, 2]
    assert [each.is_faulty for each in found.exchanges] == [False, True, False]
    assert found.bodies.get(first.request, n=1, part="request") == b'{"n":1}'
    assert found.bodies.get(faulty.response, n=2, part="response") == b"busy"
    assert found.bodies.get(third.times, n=3, part="times") == b"[[3,900]]"
    assert (found.lines, found.torn, found.is_signed, found.sessions) == (5, 0, True, (1, 1, 1))
    assert list(found.missing_bodies()) == []


def test_chain_and_root_are_those_of_their_definitions(store):
    before = bytes(32)
    for line in lines(store):
        said = json.loads(line)
        chain = said.pop("chain")
        before = sha256(before + canonical_bytes(said)).digest()
        assert chain == before.hex()

    root = slow_root([line.removesuffix(b"\n") for line in lines(store)])

    assert read_recording(store).root.raw == root


def test_bytes_of_bodies_lie_under_their_digest(store):
    files = [path for path in (store / "blobs").rglob("*") if path.is_file()]

    assert {Digest.of(path.read_bytes()).hex for path in files} == {path.name for path in files}


def test_same_exchanges_give_the_same_bytes(record, kit, tmp_path):
    made = []
    for name in ("a", "b"):
        with record(tmp_path / name) as recorder:
            kit.fill(recorder, [(kit.request(), kit.answer())] * 3)
        made.append(
            [(tmp_path / name / file).read_bytes() for file in ("journal.jsonl", "head.note")]
        )

    assert made[0] == made[1]


@given(st.data())
def test_any_changed_byte_is_found_and_its_line_named(tmp_path_factory, data):
    kept = _kept(tmp_path_factory)
    place = data.draw(st.integers(0, len(kept) - 2))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(kept)
    changed[place] ^= other
    store = tmp_path_factory.mktemp("changed")
    (store / "blobs").mkdir()
    (store / "journal.jsonl").write_bytes(changed)

    with pytest.raises(RecordingError) as caught:
        read_recording(store)

    (mistake,) = caught.value.mistakes
    line = kept[:place].count(b"\n") + 1
    assert mistake.place == f"line {line}"
    assert isinstance(caught.value, RecordingBrokenError)


_cache = {}


def _kept(factory):
    """A journal of three lines, made once for all examples."""
    if "journal" not in _cache:
        head = {
            "kind": "head",
            "v": 1,
            "profile": {"name": "plain", "volatile": [], "masks": []},
            "profile_digest": str(Profile(name="plain").digest),
            "upstream": "http://a",
            "sealed": False,
            "at": "2026-01-02T12:00:00.000Z",
            "signer": str(SigningKey("a", bytes(32)).verifier),
        }
        rows = [head, *({"kind": "session", "number": n, "at": "t"} for n in (1, 2))]
        before, journal = bytes(32), b""
        for row in rows:
            bare = canonical_bytes(row)
            before = sha256(before + bare).digest()
            journal += bare[:-1] + f',"chain":"{before.hex()}"}}\n'.encode()
        _cache["journal"] = journal
    return _cache["journal"]


@pytest.mark.parametrize("taken", [0, 1, 2, 3])
def test_line_that_is_taken_out_is_found(store, taken):
    left = lines(store)
    del left[taken]
    (store / "journal.jsonl").write_bytes(b"".join(left))

    with pytest.raises(RecordingBrokenError) as caught:
        read_recording(store)

    assert caught.value.mistakes[0].place == f"line {taken + 1}"
    assert caught.value.exit_code == 3


def test_last_line_that_is_taken_out_is_found_by_the_signed_head(store):
    (store / "journal.jsonl").write_bytes(b"".join(lines(store)[:-1]))

    with pytest.raises(RecordingBrokenError, match="at least the 5 that were signed"):
        read_recording(store)


def test_head_over_other_lines_is_refused(record, kit, store, tmp_path):
    with record(tmp_path / "other") as recorder:
        kit.fill(recorder, [(kit.request(b"x"), kit.answer())] * 3)
    (store / "head.note").write_bytes((tmp_path / "other/head.note").read_bytes())

    with pytest.raises(RecordingBrokenError, match="root over lines 1 to 5"):
        read_recording(store)


def test_line_of_a_newer_kind_is_not_called_an_edit(store):
    before = lines(store)
    chain = bytes.fromhex(json.loads(before[-1])["chain"])
    bare = canonical_bytes({"kind": "later", "n": 1})
    after = sha256(chain + bare).hexdigest()
    with (store / "journal.jsonl").open("ab") as journal:
        journal.write(bare[:-1] + f',"chain":"{after}"}}\n'.encode())

    with pytest.raises(RecordingError, match="A newer Dokja may know it") as caught:
        read_recording(store)

    assert not isinstance(caught.value, RecordingBrokenError)
    assert caught.value.mistakes[0].place == "line 6"


def test_forged_head_is_refused(store):
    note = (store / "head.note").read_text().replace("\n5\n", "\n4\n")
    (store / "head.note").write_text(note)

    with pytest.raises(RecordingBrokenError, match="does not hold"):
        read_recording(store)


def test_key_that_was_got_elsewhere_must_have_signed(store, kit):
    assert read_recording(store, keys=[kit.KEY.verifier]).is_signed
    with pytest.raises(RecordingError, match="no such signature"):
        read_recording(store, keys=[SigningKey("other", bytes(31) + b"\1").verifier])


def test_edited_body_is_found_when_it_is_read(store):
    found = read_recording(store)
    body = found.exchanges[0].response
    found.bodies.path(body).write_bytes(b"own")

    with pytest.raises(RecordingBrokenError, match="the response of exchange 1"):
        found.bodies.get(body, n=1, part="response")


def test_missing_body_is_named(store):
    found = read_recording(store)
    found.bodies.path(found.exchanges[2].response).unlink()

    assert [(each.n, part) for each, part in found.missing_bodies()] == [(3, "response")]
    with pytest.raises(RecordingError, match="the response of exchange 3"):
        found.bodies.get(found.exchanges[2].response, n=3, part="response")


def test_half_last_line_is_passed_over_in_reading_and_kept_aside_in_recording(store, record, kit):
    whole = (store / "journal.jsonl").read_bytes()
    half = lines(store)[-1][:50]
    (store / "journal.jsonl").write_bytes(whole + half)

    assert read_recording(store).torn == 50
    with record(store) as recorder:
        assert recorder.torn.read_bytes() == half
        kit.fill(recorder, [(kit.request(b"3"), kit.answer(b"three"))])

    found = read_recording(store)
    assert (store / "journal.jsonl").read_bytes().startswith(whole)
    assert (found.torn, found.sessions, found.is_signed) == (0, (1, 1, 1, 2), True)


@pytest.mark.parametrize("kept", [0, 40])
def test_store_whose_first_line_never_ended_is_begun_again(tmp_path, record, kit, kept):
    with record():
        pass
    path = tmp_path / "store/journal.jsonl"
    (tmp_path / "fresh").mkdir()
    (tmp_path / "fresh/journal.jsonl").write_bytes(path.read_bytes()[:kept])

    with record(tmp_path / "fresh") as recorder:
        kit.fill(recorder, [(kit.request(), kit.answer())])

    assert len(read_recording(tmp_path / "fresh").exchanges) == 1


def test_store_without_a_signed_head_says_so(store):
    (store / "head.note").unlink()

    found = read_recording(store)

    assert (found.signed, found.is_signed) == (0, False)


def test_second_recorder_is_refused(record, store):
    with record(store), pytest.raises(RecordingError, match="being recorded"):
        record(store)


def test_store_is_gone_on_with_only_as_it_was_begun(record, store):
    with pytest.raises(RecordingError) as caught:
        record(
            store,
            profile=Profile(name="other"),
            upstream="http://elsewhere",
            sealed=True,
            key=SigningKey("other", bytes(32)),
        )

    places = [mistake.place for mistake in caught.value.mistakes]
    assert places == ["profile", "upstream", "sealed", "signer"]


def test_folder_of_other_things_is_left_alone(tmp_path, record):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("dear")

    with pytest.raises(RecordingError, match="other things"):
        record(tmp_path / "full")

    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letter.txt"]


def test_no_store_is_no_store(tmp_path):
    with pytest.raises(RecordingError, match="the journal of a store"):
        read_recording(tmp_path)


def test_nothing_of_a_sealed_exchange_can_be_found_outside_the_sealed_folder(record, kit, tmp_path):
    asked, said = b'{"question":"what is private?"}', b'{"answer":"this is"}'
    mark = "0123456789abcdef" * 4
    with record(sealed=True) as recorder:
        kit.fill(recorder, [(kit.request(asked, idempotency=mark), kit.answer(said))])
    store = tmp_path / "store"

    published = b"".join(path.read_bytes() for path in store.iterdir() if path.is_file())
    found = read_recording(store)

    plain = [sha256(each).hexdigest() for each in (asked, said)]
    plain.append(kit_key(asked))
    for secret in ("private", "this is", mark, *plain):
        assert secret.encode() not in published
    assert not (store / "blobs").exists()
    assert (store / "sealed").stat().st_mode & 0o077 == 0
    (exchange,) = found.exchanges
    assert found.bodies.get(exchange.request, n=1, part="request") == asked
    salt = found.bodies.salt(1, "response")
    assert exchange.response.digest == Digest.of(salt + said)  # what anyone can check


def kit_key(body):
    said = b"dokja.exchange/1\nPOST\n/chat/completions\njson\n" + body
    return sha256(said).hexdigest()


def test_equal_sealed_bodies_do_not_show_that_they_are_equal(record, kit):
    with record(sealed=True) as recorder:
        one, other = kit.fill(recorder, [(kit.request(), kit.answer())] * 2)

    assert one.key == other.key  # or no replay could find it
    assert one.request.digest != other.request.digest
    assert one.response.digest != other.response.digest


def test_sealed_store_without_its_secret_is_refused(record, tmp_path):
    with record(sealed=True):
        pass
    (tmp_path / "store/sealed/secret").unlink()

    with pytest.raises(RecordingError, match="the secret of this sealed store"):
        read_recording(tmp_path / "store")


def test_tries_of_one_request_are_counted(record, kit):
    request = kit.request()
    with record() as recorder:
        made = kit.fill(
            recorder,
            [
                (request, kit.answer(status=429)),
                (request, kit.answer(None, status=None, fault=Fault.CONNECTION, headers=())),
                (request, kit.answer()),
                (request, kit.answer()),
            ],
        )

    assert [each.attempt for each in made] == [1, 2, 3, 1]


def test_answer_that_nobody_took_is_owed_once_and_survives_a_restart(record, kit, tmp_path):
    request = kit.request()
    with record() as recorder:
        (lost,) = kit.fill(recorder, [(request, kit.answer(taken=False))])

    with record(tmp_path / "store") as recorder:
        owed = recorder.known(request, recorder.key(request))
        again = recorder.known(request, recorder.key(request))
    with record(tmp_path / "store") as recorder:
        later = recorder.known(request, recorder.key(request))

    assert (owed, again, later) == (lost, None, None)


def test_idempotency_key_names_one_answer_for_good(record, kit, tmp_path):
    first, second = kit.request(idempotency="k1"), kit.request(idempotency="k2")
    with record() as recorder:
        kit.fill(recorder, [(first, kit.answer(status=500))])
        assert recorder.known(first, recorder.key(first)) is None  # a fault is asked again
        (given,) = kit.fill(recorder, [(first, kit.answer())])

    with record(tmp_path / "store") as recorder:
        found = [recorder.known(each, recorder.key(each)) for each in (first, first, second)]

    assert found == [given, given, None]


def test_body_that_cannot_be_kept_leaves_no_line(record, kit, tmp_path):
    with record() as recorder:
        before = (tmp_path / "store/journal.jsonl").read_bytes()
        (tmp_path / "store/blobs").rmdir()
        (tmp_path / "store/blobs").write_bytes(b"")  # a file where a folder must be

        with pytest.raises(RecordingError, match="room for a body"):
            kit.fill(recorder, [(kit.request(), kit.answer())])

        assert (tmp_path / "store/journal.jsonl").read_bytes() == before


FULL = """
import resource, sys
from datetime import UTC, datetime
from pathlib import Path
from dokja.errors import RecordingError
from dokja.evidence.benchmarks.exchanges import PLAIN, Answer, Recorder, Request, Terms
from dokja.evidence.ledger import SigningKey
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
now = lambda: datetime.now(UTC)
recorder = Recorder(
    Path(sys.argv[1]), terms=Terms(profile=PLAIN, upstream="http://a", sealed=False),
    signer=SigningKey("a", bytes(32)), secret=bytes(32), clock=now,
)
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
for n in range(10_000):
    request = Request(method="POST", path="/a", body=b'{"n":%d}' % n)
    answer = Answer(asked=now(), took_us=1, status=200, headers=(), body=b"answer %d" % n)
    try:
        recorder.add(request, answer, key=recorder.key(request))
    except RecordingError:
        print("full", flush=True)
        break
    print(n, flush=True)
"""


def test_disk_that_fills_up_leaves_no_half_line(tmp_path):
    store = tmp_path / "store"

    said = subprocess.run(
        [sys.executable, "-c", FULL, str(store), "5000"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()

    found = read_recording(store)
    assert said[-1] == "full"
    assert (len(found.exchanges), found.torn) == (len(said) - 1, 0)


@pytest.mark.parametrize("after", [1, 50, 400])
def test_kill_loses_nothing_that_was_said_to_be_kept(tmp_path, after):
    store = tmp_path / "store"
    with subprocess.Popen(
        [sys.executable, "-c", FULL, str(store)], stdout=subprocess.PIPE, text=True
    ) as writer:
        said = [int(writer.stdout.readline()) for _ in range(after)]

        writer.send_signal(signal.SIGKILL)
        said += [int(line) for line in re.findall(r"(\d+)\n", writer.stdout.read())]

    found = read_recording(store)
    assert len(found.exchanges) >= len(said)
    for n in said:
        exchange = found.exchanges[n]
        assert found.bodies.get(exchange.response, n=n + 1, part="response") == b"answer %d" % n


def test_interrupted_put_leaves_no_blob_under_a_digest(record, kit, tmp_path):
    with record() as recorder:
        kit.fill(recorder, [(kit.request(), kit.answer())])

    left = [path.name for path in Path(tmp_path / "store").rglob(".part-*")]

    assert left == []
