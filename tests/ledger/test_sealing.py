"""Sealed fields: nothing is told before, everything can be checked after, and text can go."""

import json
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import LedgerBrokenError, LedgerError, LedgerWriteError
from dokja.evidence.ledger import Draft, Entry, SealFolder, seal, unseals
from dokja.evidence.ledger.sealing import commitment, unseal_fault
from dokja.values import Digest, canonical_bytes

SALT = bytes(range(32))
values = st.text() | st.integers(-9, 9) | st.lists(st.text(), max_size=3) | st.none()


@given(values, st.binary(min_size=16, max_size=32), st.text())
def test_commitment_is_the_digest_of_what_the_reference_page_says(value, salt, field):
    said = {"seal": "dokja.seal/1", "field": field, "salt": salt.hex(), "value": value}

    try:
        expected = Digest.of(canonical_bytes(said))
    except ValueError:
        return

    assert commitment(value, salt=salt, field=field) == expected


@given(values, values)
def test_only_what_was_committed_to_unseals(value, other):
    sealed = seal(value, salt=SALT, field="reviewer")

    assert unseals(sealed, value=value, salt=SALT, field="reviewer")
    assert value == other or not unseals(sealed, value=other, salt=SALT, field="reviewer")
    assert not unseals(sealed, value=value, salt=SALT, field="stage")
    assert not unseals(sealed, value=value, salt=SALT[:-1], field="reviewer")


def test_field_deep_in_a_body_unseals_at_its_dotted_place():
    sealed = seal("가람", salt=SALT, field="members.1.name")
    body = {"members": [{"name": "나래"}, {"name": sealed}]}
    target = Entry(seq=0, id="e", time="2026-01-15T09:30:00Z", kind="k", actor="o", body=body)
    said = {"entry": "e", "field": "members.1.name", "value": "가람", "salt": SALT.hex()}

    faults = [
        unseal_fault({**said, "field": field}, target=target)
        for field in ("members.1.name", "members.0.name", "members.9.name", "members.x", "a.b")
    ]

    assert [fault and fault[0] for fault in faults] == [None, *["field"] * 4]


def test_salt_that_can_be_guessed_is_refused():
    with pytest.raises(ValueError, match="can be guessed"):
        seal("x", salt=bytes(15), field="reviewer")


def test_what_is_not_sealed_does_not_unseal():
    assert not unseals("reviewer-3", value="reviewer-3", salt=SALT, field="reviewer")
    assert not unseals({"sealed": "x", "y": 1}, value="x", salt=SALT, field="reviewer")


def test_sealed_text_is_nowhere_in_the_folder_but_in_its_own_file(programme, at):
    secret = {"ko": "이의 있음 7391", "en": "we object 7391"}
    sealed = programme.seals.keep(secret, salt=SALT, field="statement")
    body = {"on": "2026-01-15", "stage": "stage-1", "team": "가람", "ground": "procedure"}
    programme.ledger.append(
        [Draft(kind="objection", actor="가람", body={**body, "statement": sealed}, id="ob")], at=at
    )
    programme.close()

    holding = [
        path
        for path in programme.folder.rglob("*")
        if path.is_file() and b"7391" in path.read_bytes()
    ]

    assert holding == [programme.folder / "sealed" / f"{sealed['sealed'][7:]}.json"]
    assert stat.S_IMODE(holding[0].stat().st_mode) == 0o600


def test_kept_seal_is_published_and_an_erased_one_cannot_be(programme, at):
    sealed = programme.seals.keep({"ko": "가", "en": "a"}, salt=SALT, field="statement")
    body = {"on": "2026-01-15", "stage": "stage-1", "team": "가람", "ground": "procedure"}
    programme.ledger.append(
        [Draft(kind="objection", actor="가람", body={**body, "statement": sealed}, id="ob")], at=at
    )

    opening = programme.seals.unsealing(sealed, entry="ob")
    programme.ledger.append([Draft(kind="unseal", actor="office", body=opening)], at=at)
    erased = programme.seals.erase(sealed), programme.seals.erase(sealed)

    assert opening["value"] == {"ko": "가", "en": "a"}
    assert erased == (True, False)
    assert programme.ledger.verify().ok
    with pytest.raises(LedgerError, match="was erased"):
        programme.seals.unsealing(sealed, entry="ob")


@pytest.mark.parametrize(
    "edit", [b"", b"[]", b'{"field":"f"}', b'{"field":"f","salt":"zz","value":1}']
)
def test_kept_seal_that_was_edited_is_told(tmp_path, edit):
    seals = SealFolder(tmp_path)
    sealed = seals.keep("x", salt=SALT, field="f")
    (path,) = tmp_path.iterdir()
    said = json.loads(path.read_bytes())
    path.write_bytes(edit)

    with pytest.raises(LedgerBrokenError, match="no kept seal"):
        seals.unsealing(sealed, entry="e")
    path.write_text(json.dumps({**said, "value": "y"}))
    with pytest.raises(LedgerBrokenError, match="not what was committed to"):
        seals.unsealing(sealed, entry="e")


def test_seal_that_cannot_be_kept_seals_nothing(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerWriteError, match="Nothing was appended"):
        SealFolder(tmp_path / "file").keep("x", salt=SALT, field="f")

    assert [path.name for path in tmp_path.iterdir()] == ["file"]
