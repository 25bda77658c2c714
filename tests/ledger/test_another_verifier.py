"""The verifier that the reference page prints agrees with ours, and finds the same first entry."""

import json
import re
from pathlib import Path

import pytest

from dokja.evidence.ledger import KeySort, SigningKey, WitnessNote, co_sign, verify_export

PAGE = Path(__file__).parents[2] / "docs/reference/ledger.md"
WITNESS = SigningKey("witness.example/w1", bytes([1] * 32), KeySort.WITNESS)


@pytest.fixture(scope="module")
def verify():
    """The function that the page prints, as somebody would copy it."""
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    names = {}
    exec(compile(code, str(PAGE), "exec"), names)  # noqa: S102 (the page's own code is the thing tested)
    return names["verify"]


@pytest.fixture
def exported(ledger, log_key, drafts, at):
    ledger.append(drafts(300), at=at)
    note = ledger.checkpoint(log_key, size=299)
    keys = [log_key.verifier]
    seen = co_sign(note, ledger=ledger, key=WITNESS, log_keys=keys, seen=None, at=at)
    witnesses = [WitnessNote(key=WITNESS.verifier, note=seen)]
    return b"".join(ledger.export(checkpoints=[note], keys=keys, witnesses=witnesses))


def test_both_find_an_export_whole(verify, exported):
    assert (verify(exported), verify_export(exported).ok) == ("", True)


@pytest.mark.parametrize("seq", [0, 7, 299])
def test_both_name_the_entry_that_was_edited(verify, exported, seq):
    edited = exported.replace(f'"en":"words {seq}"'.encode(), f'"en":"wordz {seq}"'.encode())

    assert verify(edited) == f"entry {seq}: its bytes do not have their hash"
    assert verify_export(edited).first_bad == seq


def test_both_find_that_a_signed_entry_was_rewritten_with_all_hashes(
    verify, exported, tmp_path, drafts, at
):
    from dokja.evidence.ledger import Ledger  # noqa: PLC0415 (beside the storage it needs)
    from dokja.evidence.ledger.sqlite import SqliteStorage  # noqa: PLC0415 (likewise)

    other = SqliteStorage.create(tmp_path / "other.db", origin="example.org/log")
    with Ledger(other) as rewritten:
        rewritten.append([*drafts(100), *drafts(200, start=500)], at=at)
        lines = list(rewritten.export())
    forged = b"".join([*lines[:-1], exported.splitlines(keepends=True)[-1]])

    assert verify(forged) == "an entry before 299 is not what was signed"
    assert not verify_export(forged).ok
    assert json.loads(lines[0])["size"] == 300
