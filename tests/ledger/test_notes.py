"""Signed notes, checkpoints and keys, against the formats of C2SP and one of their vectors."""

import base64
import hashlib
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import KeyFileError, LedgerBrokenError
from dokja.evidence.ledger import KeySort, SigningKey, VerifierKey, read_key, write_key
from dokja.evidence.ledger.keys import refuse_reused
from dokja.evidence.ledger.notes import cosign, open_note, sign_checkpoint
from dokja.values import Digest

# The key pair and the note with which Go's implementation of signed notes shows itself.
KNOWN_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # noqa: S105 (published)
KNOWN_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
KNOWN_TEXT = (
    b"If you think cryptography is the answer to your problem,\n"
    b"then you don't know what your problem is.\n"
)
KNOWN_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
LOG = SigningKey("example.org/log", bytes(32))
WITNESS = SigningKey("witness.example/w1", bytes([1] * 32), KeySort.WITNESS)
ROOT = Digest.of(b"root")
NOTE = sign_checkpoint(LOG.name, 5, ROOT, key=LOG)


def test_published_key_signs_as_published(tmp_path):
    path = tmp_path / "known.key"
    path.write_text(KNOWN_SECRET)
    path.chmod(0o600)

    key = read_key(path)

    assert str(key.verifier) == KNOWN_PUBLIC
    assert VerifierKey.parse(KNOWN_PUBLIC) == key.verifier
    signed = base64.b64encode(key.verifier.key_id + key.sign(KNOWN_TEXT)).decode()
    assert signed == KNOWN_SIGNATURE


def test_checkpoint_has_the_form_that_c2sp_prescribes():
    text, _, signatures = NOTE.partition("\n\n")
    dash, name, signature = signatures.removesuffix("\n").split(" ")
    raw = base64.b64decode(signature)

    Ed25519PublicKey.from_public_bytes(LOG.verifier.public).verify(raw[4:], text.encode() + b"\n")
    key_id = hashlib.sha256(b"example.org/log\n\x01" + LOG.verifier.public).digest()[:4]
    assert text == f"example.org/log\n5\n{base64.b64encode(ROOT.raw).decode()}"
    assert (dash, name, raw[:4], len(raw)) == ("—", "example.org/log", key_id, 68)


def test_co_signature_has_the_form_that_c2sp_prescribes(at):
    note = cosign(NOTE, key=WITNESS, at=at)
    text, _, signatures = note.partition("\n\n")
    raw = base64.b64decode(signatures.splitlines()[1].split(" ")[2])
    seconds = int.from_bytes(raw[4:12], "big")

    signed = f"cosignature/v1\ntime {seconds}\n{text}\n".encode()
    Ed25519PublicKey.from_public_bytes(WITNESS.verifier.public).verify(raw[12:], signed)
    key_id = hashlib.sha256(b"witness.example/w1\n\x04" + WITNESS.verifier.public).digest()[:4]
    assert (raw[:4], len(raw), seconds) == (key_id, 76, int(at.timestamp()))
    assert note.startswith(NOTE)


def test_note_is_opened_with_the_signatures_of_known_keys_only(at):
    note = cosign(NOTE, key=WITNESS, at=at)

    both = open_note(note, keys=[LOG.verifier, WITNESS.verifier], place="here")
    one = open_note(note, keys=[WITNESS.verifier], place="here")
    none = open_note(note, keys=[], place="here")

    assert (both.origin, both.size, both.root) == ("example.org/log", 5, ROOT)
    assert [(held.key, held.time) for held in both.signatures] == [
        (LOG.verifier, None),
        (WITNESS.verifier, at),
    ]
    assert [held.key for held in one.signatures] == [WITNESS.verifier]
    assert none.signatures == ()


def test_later_co_signature_of_one_witness_replaces_the_earlier(at):
    later = at.replace(year=2027)

    note = cosign(cosign(NOTE, key=WITNESS, at=at), key=WITNESS, at=later)

    found = open_note(note, keys=[WITNESS.verifier], place="here")
    assert [held.time for held in found.signatures] == [later]


@given(st.data())
def test_every_edit_of_every_byte_of_a_signed_note_is_found(data):
    keys = [LOG.verifier]
    place = data.draw(st.integers(0, len(NOTE.encode()) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda new: new != NOTE.encode()[place]))
    raw = NOTE.encode()
    edited = (raw[:place] + bytes([value]) + raw[place + 1 :]).decode("utf-8", errors="replace")

    try:
        found = open_note(edited, keys=keys, place="here")
    except LedgerBrokenError:
        return

    assert found.signatures == ()


def test_forged_signature_is_refused():
    forger = SigningKey(LOG.name, bytes([9] * 32))
    text = NOTE.partition("\n\n")[0] + "\n"
    raw = LOG.verifier.key_id + forger.sign(text.encode())
    forged = f"{text}\n— {LOG.name} {base64.b64encode(raw).decode()}\n"

    with pytest.raises(LedgerBrokenError, match="does not hold over this checkpoint of size 5"):
        open_note(forged, keys=[LOG.verifier], place="here")


def test_note_with_one_forged_line_beside_a_good_one_is_refused(at):
    note = cosign(NOTE, key=WITNESS, at=at)
    other = sign_checkpoint(LOG.name, 6, ROOT, key=LOG)
    forged = other + note.splitlines()[-1] + "\n"

    with pytest.raises(LedgerBrokenError, match=r"witness\.example/w1"):
        open_note(forged, keys=[LOG.verifier, WITNESS.verifier], place="here")


@pytest.mark.parametrize(
    "note",
    [
        "",
        "example.org/log\n5\n",
        NOTE.replace("\n\n", "\n"),
        NOTE.replace("\n5\n", "\n05\n"),
        NOTE.replace("\n5\n", "\n-5\n"),
        NOTE.replace("\n5\n", "\n٥\n"),
        NOTE.replace("—", "-"),
        NOTE.replace("=\n", "\n", 1),
        NOTE.replace("\n", "\r\n"),
        NOTE[:-1],
        NOTE + "\n",
        NOTE.partition("\n\n")[0] + "\n\n",
        NOTE + NOTE.splitlines()[-1] * 100,
        NOTE + "x" * (1 << 20),
    ],
)
def test_text_that_is_no_checkpoint_is_refused(note):
    with pytest.raises(LedgerBrokenError, match="this is no signed checkpoint"):
        open_note(note, keys=[LOG.verifier], place="here")


def test_keys_sign_only_what_they_are_for(at):
    with pytest.raises(ValueError, match="witness's key"):
        sign_checkpoint("o", 0, ROOT, key=WITNESS)
    with pytest.raises(ValueError, match="log's key"):
        cosign(NOTE, key=LOG, at=at)
    with pytest.raises(ValueError, match="no time zone"):
        cosign(NOTE, key=WITNESS, at=at.replace(tzinfo=None))


def test_key_file_is_for_its_owner_only_and_reads_back(tmp_path):
    path = tmp_path / "keys" / "log.key"

    write_key(path, WITNESS)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_key(path) == WITNESS
    assert WITNESS.seed.hex() not in repr(WITNESS)


def test_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "log.key"
    write_key(path, LOG)

    with pytest.raises(KeyFileError, match="Nothing was changed"):
        write_key(path, WITNESS)

    assert read_key(path) == LOG


def test_key_file_that_others_may_read_is_refused(tmp_path):
    path = tmp_path / "log.key"
    write_key(path, LOG)
    path.chmod(0o640)

    with pytest.raises(KeyFileError, match=r"chmod 600.*Nothing was signed"):
        read_key(path)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("PRIVATE+KEY+", "", "no secret key"),
        ("+4e93", "+3e93", "the key id reads"),
        ("example.org", "example.net", "the key id reads"),
        ("AA", "A!", "expected name"),
        ("+A", "+C", "expected name"),
        ("AAAA", "", "expected name"),
    ],
)
def test_malformed_key_file_is_refused(tmp_path, old, new, told):
    path = tmp_path / "log.key"
    write_key(path, LOG)
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(KeyFileError, match=told):
        read_key(path)


def test_key_file_that_is_missing_is_told(tmp_path):
    with pytest.raises(KeyFileError, match="no key could be read here"):
        read_key(tmp_path / "log.key")


@pytest.mark.parametrize("name", ["", "my log", "a+b", "a\nb", "a\u3000b"])
def test_key_cannot_be_named_so_that_notes_break(name):
    with pytest.raises(KeyFileError, match="cannot be named"):
        SigningKey(name, bytes(32))


def test_key_of_another_length_is_refused():
    with pytest.raises(KeyFileError, match="32 bytes, not 31"):
        SigningKey("log", bytes(31))


@pytest.mark.parametrize(
    "text",
    ["", "log", "log+00000000+AAAA", str(LOG.verifier).replace("example", "another"), "log+zz+é"],
)
def test_malformed_public_key_is_refused(text):
    with pytest.raises(KeyFileError):
        VerifierKey.parse(text)


SEEDS = [bytes.fromhex(text.zfill(64)) for text in ("8a47", "c628")]


def colliding():
    """Two different keys of one name whose ids agree, found by trying fifty thousand seeds."""
    return [SigningKey("w", seed, KeySort.WITNESS).verifier for seed in SEEDS]


def test_two_keys_with_one_name_and_one_key_id_are_refused():
    one, other = colliding()

    assert (one.key_id, one == other) == (other.key_id, False)
    with pytest.raises(KeyFileError, match="two keys with one name and one key id"):
        refuse_reused([LOG.verifier, one, other])


def test_one_key_in_two_roles_or_two_witnesses_of_one_name_are_refused():
    as_witness = SigningKey("witness.example/w2", LOG.seed, KeySort.WITNESS).verifier
    namesake = SigningKey(WITNESS.name, bytes([7] * 32), KeySort.WITNESS).verifier

    with pytest.raises(KeyFileError, match="one key in two roles"):
        refuse_reused([LOG.verifier, as_witness])
    with pytest.raises(KeyFileError, match="two witnesses of one name"):
        refuse_reused([WITNESS.verifier, namesake])


def test_log_may_change_its_key_and_keep_its_name():
    newer = SigningKey(LOG.name, bytes([8] * 32)).verifier

    assert refuse_reused([LOG.verifier, newer, WITNESS.verifier]) is None
