"""An export can be verified by a stranger, from its bytes alone; every edit of it is found."""

import json

import pytest

from dokja.errors import KeyFileError, LedgerBrokenError, LedgerError, LedgerFormatError
from dokja.evidence.ledger import (
    Draft,
    KeySort,
    SigningKey,
    WitnessNote,
    co_sign,
    consistency_document,
    inclusion_document,
    verify_export,
    verify_proof,
)

WITNESS = SigningKey("witness.example/w1", bytes([1] * 32), KeySort.WITNESS)


@pytest.fixture
def exported(ledger, log_key, drafts, at):
    """A ledger of six entries, one of them a correction, as a file of lines."""
    entries = ledger.append(drafts(5), at=at)
    reason = {"ko": "오기", "en": "a slip"}
    said = {"corrects": "note/1", "digest": str(entries[1].digest), "reason": reason, "body": None}
    ledger.append([Draft(kind="correction", actor="office", body=said)], at=at)
    keys = [log_key.verifier]
    note = ledger.checkpoint(log_key)
    seen = co_sign(note, ledger=ledger, key=WITNESS, log_keys=keys, seen=None, at=at)
    witnesses = [WitnessNote(key=WITNESS.verifier, note=seen)]
    notes = [ledger.checkpoint(log_key, size=3), note]
    return b"".join(ledger.export(checkpoints=notes, keys=keys, witnesses=witnesses))


@pytest.fixture
def keys(log_key):
    return [log_key.verifier, WITNESS.verifier]


def test_export_is_verified_from_its_bytes_alone(exported, keys, ledger):
    found = verify_export(exported, keys=keys)

    assert (found.ok, found.size, found.root) == (True, 6, ledger.root())
    assert (found.undecided, found.notes) == ((), ())
    assert found.checked == (
        "6 entries: number, form, id, hash and place in the tree",
        "checkpoint 1 of size 3",
        "checkpoint 2 of size 6",
        "witness witness.example/w1 of size 6",
    )


def test_export_holds_the_leaves_exactly_as_they_are_hashed(exported, ledger):
    lines = exported.split(b"\n")

    assert lines[1:7] == [entry.leaf_bytes for entry in ledger.entries()]
    assert json.loads(lines[0])["schema"] == "dokja.ledger.export/1"
    assert json.loads(lines[8])["schema"] == "dokja.ledger.export-end/1"
    assert (len(lines), lines[9]) == (10, b"")


def test_export_can_be_read_from_a_file(exported, keys, tmp_path):
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(exported)

    assert verify_export(path, keys=keys) == verify_export(exported, keys=keys)


def test_keys_that_only_the_export_names_are_told_to_vouch_for_nothing(exported, log_key):
    unknown = verify_export(exported)
    known = verify_export(exported, keys=[log_key.verifier])

    assert (unknown.ok, known.ok) == (True, True)
    assert unknown.notes[0].startswith("the keys are those that the export names itself")
    assert known.notes[0].startswith("no witness was asked")


def test_every_edit_of_every_byte_of_an_export_is_found(exported, keys):
    missed = []
    starts = [0]
    for line in exported.split(b"\n"):
        starts.append(starts[-1] + len(line) + 1)

    for place in range(len(exported)):
        edited = bytearray(exported)
        edited[place] ^= (0x01, 0x02, 0x10)[place % 3]
        try:
            found = verify_export(bytes(edited), keys=keys)
        except (LedgerFormatError, KeyFileError):
            continue
        in_entry = starts[1] <= place < starts[7]
        line = next(number for number, start in enumerate(starts[1:]) if place < start)
        if found.ok or (in_entry and found.first_bad != line - 1):
            missed.append((place, found.problems))

    assert missed == []


def lines_of(data):
    return data.splitlines(keepends=True)


def test_dropped_swapped_and_inserted_lines_are_found(exported, keys):
    lines = lines_of(exported)
    variants = {
        "dropped": [*lines[:3], *lines[4:]],
        "swapped": [*lines[:2], lines[4], lines[3], lines[2], *lines[5:]],
        "inserted": [*lines[:4], lines[3], *lines[4:]],
        "cut": lines[:4],
        "footless": lines[:-1],
        "beheaded": [lines[0], *lines[-2:]],
    }

    found = {
        name: verify_export(b"".join(variant), keys=keys).first_bad
        for name, variant in variants.items()
    }

    assert found == {
        "dropped": 2,
        "swapped": 1,
        "inserted": 3,
        "cut": 3,
        "footless": None,
        "beheaded": 0,
    }
    assert not verify_export(b"".join(variants["footless"]), keys=keys).ok


def test_tail_cut_so_that_all_else_agrees_is_found_by_its_witness(exported, keys, ledger, log_key):
    foot = lines_of(exported)[-1]
    lines = list(ledger.export())
    shorter = [*lines[:5]]
    head = json.loads(lines[0]) | {"size": 4, "root": str(ledger.root(4))}
    hashes = json.loads(lines[-2])["hashes"][:4]
    shorter[0] = line(head)
    data = b"".join([*shorter, line({"hashes": hashes}), foot])

    found = verify_export(data, keys=keys)

    assert (found.first_bad, found.problems[0].code) == (4, "tail")


def line(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"


def test_witness_that_is_known_from_elsewhere_is_believed(ledger, exported, keys, log_key):
    bare = b"".join(ledger.export())
    (said,) = json.loads(lines_of(exported)[-1])["witnesses"]
    note = WitnessNote(key=WITNESS.verifier, note=said["note"])

    found = verify_export(bare, keys=[log_key.verifier], witnesses=[note])

    assert (found.ok, found.checked[-1]) == (True, "witness witness.example/w1 of size 6")


def test_correction_of_what_was_not_said_is_found(exported, keys):
    lines = lines_of(exported)
    lines[6] = lines[6].replace(b'"corrects":"note/1"', b'"corrects":"note/9"')

    found = verify_export(b"".join(lines), keys=keys)

    assert found.first_bad == 5


def test_export_longer_than_a_block_is_verified(ledger, log_key, drafts, at):
    ledger.append(drafts(600), at=at)
    walked = []
    data = b"".join(ledger.export(keys=[log_key.verifier]))

    found = verify_export(data, progress=lambda done, total: walked.append((done, total)))

    assert (found.ok, found.size) == (True, 600)
    assert walked == [(256, 600), (512, 600), (600, 600)]


def test_empty_ledger_can_be_exported(ledger, log_key):
    data = b"".join(ledger.export(checkpoints=[ledger.checkpoint(log_key)]))

    found = verify_export(data, keys=[log_key.verifier])

    assert (found.ok, found.size, found.checked[-1]) == (True, 0, "checkpoint 1 of size 0")


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "no exported ledger"),
        (b"\xff", "no exported ledger"),
        (b'{"schema": "dokja.ledger.export/2"}\n', "this Dokja reads dokja.ledger.export/1"),
        (b'{"schema":"dokja.ledger.export/1","size":-1}', "no exported ledger"),
    ],
)
def test_file_that_is_no_export_is_refused(data, told):
    with pytest.raises(LedgerFormatError, match=told):
        verify_export(data)


def test_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(LedgerError, match="cannot be read"):
        verify_export(tmp_path / "gone.jsonl")


def test_proof_of_an_entry_travels_alone(ledger, drafts, at, log_key):
    entries = ledger.append(drafts(9), at=at)
    note = ledger.checkpoint(log_key)

    proof = json.loads(json.dumps(inclusion_document(ledger, 4, checkpoint=note)))

    assert verify_proof(proof, keys=[log_key.verifier]) == entries[4]


def test_proof_of_growth_travels_alone(ledger, drafts, at, log_key):
    ledger.append(drafts(9), at=at)
    note = ledger.checkpoint(log_key)

    proof = consistency_document(ledger, 4, checkpoint=note)

    assert verify_proof(proof, keys=[log_key.verifier]) is None
    assert verify_proof(consistency_document(ledger, 9)) is None
    assert verify_proof(consistency_document(ledger, 0, new=3)) is None


def test_proof_that_was_edited_proves_nothing(ledger, drafts, at, log_key):
    ledger.append(drafts(9), at=at)
    stranger = SigningKey("example.org/log", bytes([3] * 32))
    proof = inclusion_document(ledger, 4, checkpoint=ledger.checkpoint(log_key))
    leaf = str(proof["leaf"])
    edits = [
        {"leaf": leaf.replace("words 4", "words 5")},
        {"leaf": str(inclusion_document(ledger, 3)["leaf"])},
        {"seq": 5},
        {"path": proof["path"][:-1]},
        {"size": 8},
        {"root": str(ledger.root(8))},
        {"checkpoint": None},
        {"checkpoint": ledger.checkpoint(stranger)},
        {"checkpoint": ledger.checkpoint(log_key, size=8)},
        {"origin": "example.org/other"},
    ]

    for edit in edits:
        with pytest.raises(LedgerBrokenError):
            verify_proof({**proof, **edit}, keys=[log_key.verifier])


@pytest.mark.parametrize(
    "proof", [{}, {"schema": "dokja.ledger.prove/2"}, {"schema": "dokja.ledger.prove/1"}]
)
def test_document_that_is_no_proof_is_refused(proof):
    with pytest.raises(LedgerFormatError):
        verify_proof(proof)
