"""Witnesses: they co-sign what grew, refuse what did not, and contradict a cut tail."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from dokja.errors import KeyFileError, LedgerBrokenError, LedgerError, LedgerWriteError
from dokja.evidence.ledger import (
    KeySort,
    Ledger,
    SigningKey,
    Witness,
    add_witness,
    co_sign,
    fetch,
    open_note,
    open_programme,
    publish_checkpoint,
    verify_programme,
    witness_notes,
    write_note,
)
from dokja.evidence.ledger.sqlite import SqliteStorage

KEY = SigningKey("witness.example/w1", bytes([1] * 32), KeySort.WITNESS)


@pytest.fixture
def sign(ledger, log_key, at):
    """Co-signs the ledger as it stands."""

    def signed(seen=None, *, note=None, of=None, key=KEY):
        note = ledger.checkpoint(log_key) if note is None else note
        keys = [log_key.verifier]
        return co_sign(note, ledger=of or ledger, key=key, log_keys=keys, seen=seen, at=at)

    return signed


@pytest.fixture
def other(tmp_path, drafts, at):
    """Another ledger of the same name, with another history."""
    storage = SqliteStorage.create(tmp_path / "other.db", origin="example.org/log")
    with Ledger(storage) as opened:
        opened.append(drafts(9, start=50), at=at)
        yield opened


def test_witness_co_signs_a_ledger_that_grew(ledger, sign, drafts, at):
    ledger.append(drafts(3), at=at)
    first = sign()
    ledger.append(drafts(4), at=at)

    second = sign(first)

    found = open_note(second, keys=[KEY.verifier], place="here")
    assert (found.size, found.root, found.signatures[0].time) == (7, ledger.root(), at)


def test_witness_co_signs_an_empty_ledger_and_what_comes_after(ledger, sign, drafts, at):
    first = sign()
    ledger.append(drafts(1), at=at)

    assert open_note(sign(first), keys=[KEY.verifier], place="here").size == 1


def test_witness_refuses_a_smaller_ledger(ledger, sign, drafts, at, log_key):
    ledger.append(drafts(3), at=at)
    small = ledger.checkpoint(log_key, size=2)
    seen = sign()

    with pytest.raises(LedgerBrokenError, match="the tail from entry 2 on was cut"):
        sign(seen, note=small)


def test_witness_refuses_a_ledger_with_another_history(ledger, sign, drafts, at, log_key, other):
    ledger.append(drafts(3), at=at)
    seen = sign()

    with pytest.raises(LedgerBrokenError, match="history before entry 3 was rewritten"):
        sign(seen, note=other.checkpoint(log_key), of=other)


def test_witness_is_not_fooled_by_a_proof_of_another_ledger(
    ledger, sign, drafts, at, log_key, other
):
    ledger.append(drafts(3), at=at)
    seen = sign()
    ledger.append(drafts(6), at=at)

    with pytest.raises(LedgerBrokenError, match="was rewritten"):
        sign(seen, note=other.checkpoint(log_key), of=ledger)


def test_witness_refuses_what_the_log_did_not_sign(ledger, sign, drafts, at):
    ledger.append(drafts(3), at=at)
    stranger = SigningKey("example.org/log", bytes([5] * 32))

    with pytest.raises(LedgerBrokenError, match="is not signed by a key of the log"):
        sign(note=ledger.checkpoint(stranger))


def test_witness_refuses_another_log_and_a_memory_that_is_not_its_own(
    ledger, sign, log_key, at, tmp_path
):
    elsewhere = SqliteStorage.create(tmp_path / "elsewhere.db", origin="example.org/elsewhere")
    with Ledger(elsewhere) as strange:
        note = strange.checkpoint(log_key)
        seen = sign(note=note, of=strange)

    with pytest.raises(LedgerBrokenError, match="not signed by a key of the log"):
        sign(note=note)
    with pytest.raises(LedgerBrokenError, match=r"the witness watches example\.org/elsewhere"):
        sign(seen)
    with pytest.raises(LedgerBrokenError, match="not co-signed by its key"):
        sign(ledger.checkpoint(log_key))


def test_witness_needs_a_key_of_its_own(sign, log_key):
    with pytest.raises(KeyFileError, match="a witness needs its own"):
        sign(key=log_key)
    with pytest.raises(KeyFileError, match="one key in two roles"):
        sign(key=SigningKey("witness.example/w1", log_key.seed, KeySort.WITNESS))


def test_programme_asks_its_witnesses_and_finds_a_cut_tail(programme, log_key, drafts, at):
    state = programme.folder.parent / "w.note"
    programme.ledger.append(drafts(5), at=at)
    note = publish_checkpoint(programme, key=log_key)
    keys = programme.log_keys
    write_note(
        state,
        co_sign(note, ledger=programme.ledger, key=KEY, log_keys=keys, seen=None, at=at),
    )
    watched = add_witness(programme, Witness(key=KEY.verifier, at="../w.note"))
    whole = verify_programme(watched)
    watched.close()
    programme.close()
    (programme.folder / "ledger.db").unlink()
    (programme.folder / "checkpoints" / "5.note").unlink()
    made = SqliteStorage.create(programme.folder / "ledger.db", origin="example.org/log")
    with Ledger(made) as shorter:
        shorter.append(drafts(4), at=at)

    cut = open_programme(programme.folder)
    found = verify_programme(cut)
    cut.close()

    assert (whole.ok, whole.undecided, whole.notes) == (True, (), ())
    assert [note.key for note in witness_notes(watched)[0]] == [KEY.verifier]
    assert (found.first_bad, found.problems[0].code) == (4, "tail")


def test_witness_that_cannot_be_asked_leaves_it_undecided(ledger, tmp_path):
    found = ledger.verify(witnesses=[Witness(key=KEY.verifier, at=str(tmp_path / "gone.note"))])

    assert found.ok
    assert found.undecided[0].startswith("witness witness.example/w1 could not be asked")


def test_witness_whose_file_was_forged_is_found(ledger, sign, log_key, tmp_path):
    path = tmp_path / "outside" / "w.note"
    path.parent.mkdir()
    path.write_text(sign(), encoding="utf-8")
    forged = sign(key=SigningKey("witness.example/w9", bytes([9] * 32), KeySort.WITNESS))
    watched = [Witness(key=KEY.verifier, at=str(path))]
    folder = tmp_path / "programme"
    keys = [log_key.verifier]

    whole = ledger.verify(keys=keys, witnesses=watched, folder=folder)
    path.write_text(forged, encoding="utf-8")
    other_key = ledger.verify(keys=keys, witnesses=watched, folder=folder)
    path.write_bytes(b"\xff\xfe")
    no_text = ledger.verify(keys=keys, witnesses=watched, folder=folder)

    assert [found.ok for found in (whole, other_key, no_text)] == [True, False, False]
    assert "none of the signatures is by" in other_key.problems[0].words


def test_witness_inside_the_programme_folder_vouches_for_nothing(programme, tmp_path):
    inside = programme.folder / "w.note"
    inside.write_text("x")
    link = tmp_path / "link.note"
    link.symlink_to(inside)

    for at in ("w.note", str(inside), str(link), "../programme/w.note"):
        with pytest.raises(LedgerError, match="vouches for nothing"):
            fetch(at, folder=programme.folder)


def test_note_is_written_in_one_step_or_not_at_all(tmp_path):
    path = tmp_path / "w.note"
    write_note(path, "one\n")
    write_note(path, "two\n")

    with pytest.raises(LedgerWriteError, match="the old one stays"):
        write_note(tmp_path / "gone" / "w.note", "three\n")

    assert [one.name for one in tmp_path.iterdir()] == ["w.note"]
    assert path.read_text() == "two\n"


@pytest.fixture
def published(request):
    """An address on the loopback at which somebody answers."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body, headers = self.server.answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.answer = (200, b"", {})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server, f"http://127.0.0.1:{server.server_port}/w.note"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.loopback
def test_witness_is_asked_at_its_address(published, ledger, sign, drafts, at, log_key):
    server, address = published
    ledger.append(drafts(2), at=at)
    server.answer = (200, sign().encode(), {})

    found = ledger.verify(
        keys=[log_key.verifier], witnesses=[Witness(key=KEY.verifier, at=address)]
    )

    assert (found.problems, found.undecided) == ((), ())
    assert found.checked[-1] == "witness witness.example/w1 of size 2"


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, b"", {}), "cannot be reached"),
        ((204, b"", {}), "answered 204"),
        ((302, b"", {"Location": "http://127.0.0.1/elsewhere"}), "cannot be reached"),
        ((200, b"x" * ((1 << 20) + 1), {}), "this is no checkpoint"),
    ],
)
def test_address_that_answers_otherwise_is_refused(published, tmp_path, answer, told):
    server, address = published
    server.answer = answer

    with pytest.raises(LedgerError, match=told):
        fetch(address, folder=tmp_path)


@pytest.mark.parametrize("address", ["http://witness.example/w.note", "http://[/"])
def test_address_without_encryption_is_not_asked(tmp_path, address):
    with pytest.raises(LedgerError, match=r"https only|no address"):
        fetch(address, folder=tmp_path)
