"""Programme folders are made whole or not at all, and opened whole or not at all."""

import stat

import pytest

from dokja.errors import (
    KeyFileError,
    LedgerBrokenError,
    LedgerError,
    LedgerWriteError,
    ProgrammeError,
)
from dokja.evidence.ledger import (
    KeySort,
    SigningKey,
    Witness,
    add_log_key,
    add_witness,
    create_programme,
    open_programme,
    publish_checkpoint,
    read_key,
    read_public_key,
    signed_note,
    verify_programme,
)
from dokja.values import Digest, Text

TITLE = Text(ko='"견본" \\ 사업', en="A sample\tprogramme")
WITNESS = SigningKey("witness.example/w1", bytes([1] * 32), KeySort.WITNESS).verifier


def made(folder, at, **other):
    given = {"id": "견본-1", "title": TITLE, "at": at, "rulebook": b"version = 1\n"}
    return create_programme(folder, **(given | other))


def mistakes_of(folder):
    with pytest.raises(ProgrammeError) as caught:
        open_programme(folder)
    shown = [(one.file.removeprefix(f"{folder}/"), one.place) for one in caught.value.mistakes]
    assert str(caught.value).endswith("Nothing was changed.")
    return shown


def test_folder_that_was_made_opens_as_it_was_made(tmp_path, at, log_key):
    folder = tmp_path / "새 폴더" / "p"

    programme = made(folder, at, key=log_key)

    assert (programme.id, programme.title, programme.made) == (
        "견본-1",
        TITLE,
        "2026-01-15T09:30:00Z",
    )
    assert (programme.ledger.origin, programme.ledger.size) == ("dokja/견본-1", 0)
    assert programme.rulebook_path.read_bytes() == b"version = 1\n"
    assert programme.log_keys == (log_key.verifier,)
    assert read_key(programme.log_key_path) == log_key
    assert programme.models.is_dir()
    assert [stat.S_IMODE((folder / name).stat().st_mode) for name in ("keys", "sealed")] == [
        0o700
    ] * 2
    assert sorted(path.name for path in folder.parent.iterdir()) == ["p"]
    programme.close()


def test_empty_folder_is_filled_and_one_that_is_not_is_left_alone(tmp_path, at):
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    (full / "mine.txt").write_text("mine")

    made(empty, at).close()
    with pytest.raises(ProgrammeError, match="a new or empty folder"):
        made(full, at)

    assert [path.name for path in full.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"id": "Sample 1"}, "id"),
        ({"id": "\u1103\u1169\u11a8"}, "id"),
        ({"origin": "my log"}, "origin"),
        ({"ledger": "../ledger.db"}, "ledger"),
        ({"ledger": "/srv/ledger.db"}, "ledger"),
        ({"ledger": "postgresql://office:secret@db/programme"}, "ledger"),
        ({"ledger": "postgresql://office@db/programme?password=secret"}, "ledger"),
        ({"title": Text(ko="", en="A")}, "title.ko"),
    ],
)
def test_folder_that_could_not_be_opened_again_is_not_made(tmp_path, at, wrong, place):
    with pytest.raises(ProgrammeError) as caught:
        made(tmp_path / "p", at, **wrong)

    assert [mistake.place for mistake in caught.value.mistakes] == [place]
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_folder_that_cannot_be_filled_leaves_nothing_behind(tmp_path, at):
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerWriteError, match="Nothing was changed"):
        made(tmp_path / "file" / "p", at)
    with pytest.raises(ProgrammeError):
        made(tmp_path / "file", at)

    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_folder_that_is_half_there_is_told_all_that_is_missing(programme):
    programme.close()
    (programme.folder / "rulebook.toml").unlink()
    (programme.folder / "ledger.db").unlink()
    programme.models.rmdir()
    programme.blobs.folder.rmdir()
    programme.blobs.folder.write_text("not a folder")
    settings = programme.folder / "programme.toml"
    settings.write_text(settings.read_text().replace("format = 1", "format = 2\ncolour = 'red'"))

    shown = mistakes_of(programme.folder)

    assert shown == [
        ("programme.toml", "colour"),
        ("programme.toml", "format"),
        ("rulebook.toml", ""),
        ("blobs", ""),
        ("models", ""),
    ]


def test_ledger_that_is_missing_is_told(programme):
    programme.close()
    (programme.folder / "ledger.db").unlink()

    assert mistakes_of(programme.folder) == [("ledger.db", "")]


@pytest.mark.parametrize(
    "data", [b"\xff", b"format = ", b"", b"title = 1\nlog_key = 2\nwitness = [3]"]
)
def test_settings_that_cannot_be_read_are_told(programme, data):
    programme.close()
    (programme.folder / "programme.toml").write_bytes(data)

    shown = mistakes_of(programme.folder)

    assert {file for file, _ in shown} == {"programme.toml"}


def test_folder_that_is_none_is_told(tmp_path):
    (tmp_path / "file").write_text("")

    assert mistakes_of(tmp_path / "nothing") == [(str(tmp_path / "nothing"), "")]
    assert mistakes_of(tmp_path / "file") == [(str(tmp_path / "file"), "")]
    assert mistakes_of(tmp_path) == [
        ("programme.toml", ""),
        ("rulebook.toml", ""),
        ("blobs", ""),
        ("models", ""),
    ]


def test_ledger_of_another_programme_is_told(programme):
    programme.close()
    settings = programme.folder / "programme.toml"
    settings.write_text(settings.read_text().replace('"example.org/log"', '"example.org/other"'))

    assert mistakes_of(programme.folder) == [("programme.toml", "origin")]


def test_keys_and_witnesses_that_are_wrong_are_all_told(programme, log_key):
    programme.close()
    settings = programme.folder / "programme.toml"
    as_witness = SigningKey("w.example/2", log_key.seed, KeySort.WITNESS).verifier
    tables = (
        f'[[log_key]]\nkey = "{WITNESS}"\n'
        '[[log_key]]\nkey = "nonsense"\n'
        f'[[witness]]\nkey = "{WITNESS}"\n'
        f'[[witness]]\nkey = "{as_witness}"\nat = "../w.note"\n'
    )
    settings.write_text(settings.read_text() + tables)

    shown = mistakes_of(programme.folder)

    assert shown == [
        ("programme.toml", "log_key 2, key"),
        ("programme.toml", "log_key 3, key"),
        ("programme.toml", "witness 1, at"),
        ("programme.toml", "keys"),
    ]


def test_key_and_witness_that_are_added_are_there_when_it_is_opened(tmp_path, at, log_key):
    programme = made(tmp_path / "p", at, origin="example.org/log")
    watching = Witness(key=WITNESS, at="https://witness.example/w1.note")

    keyed = add_log_key(programme, log_key)
    watched = add_witness(add_witness(keyed, watching), watching)

    assert (watched.log_keys, watched.witnesses) == ((log_key.verifier,), (watching,))
    with pytest.raises(KeyFileError, match="could not be written"):
        add_log_key(watched, log_key)
    for opened in (programme, keyed, watched):
        opened.close()


def test_checkpoints_are_kept_and_none_contradicts_an_earlier_one(programme, log_key, drafts, at):
    programme.ledger.append(drafts(2), at=at)
    first = publish_checkpoint(programme, key=log_key)
    again = publish_checkpoint(programme, key=log_key)
    programme.ledger.append(drafts(9), at=at)
    second = publish_checkpoint(programme, key=log_key)

    assert first == again
    assert [note for _, note in programme.notes()] == [first, second]
    assert (signed_note(programme, 2), signed_note(programme, 3)) == (first, None)
    assert verify_programme(programme).checked[1:3] == (
        "checkpoint 1 of size 2",
        "checkpoint 2 of size 11",
    )

    (programme.checkpoints / "2.note").write_text(second.replace("\n11\n", "\n2\n"))
    with pytest.raises(LedgerBrokenError, match="does not hold"):
        publish_checkpoint(programme, key=log_key)


def test_nothing_is_signed_over_a_ledger_that_was_signed_otherwise(
    programme, tmp_path, log_key, drafts, at
):
    other = made(tmp_path / "other", at, origin="example.org/log")
    other.ledger.append(drafts(3, start=7), at=at)
    (programme.checkpoints / "3.note").write_text(other.ledger.checkpoint(log_key))
    programme.ledger.append(drafts(5), at=at)

    with pytest.raises(LedgerBrokenError, match="no longer the one that was signed here at 3"):
        publish_checkpoint(programme, key=log_key)

    other.close()


def test_blobs_that_entries_rest_on_are_checked(programme, drafts, at):
    digests = tuple(programme.blobs.put(data) for data in (b"one", b"two", b"three"))
    (draft,) = drafts(1)
    resting = type(draft)(kind=draft.kind, actor=draft.actor, body=draft.body, blobs=digests)
    programme.ledger.append([*drafts(1), resting], at=at)
    whole = verify_programme(programme)
    programme.blobs.path(digests[0]).write_bytes(b"other")
    programme.blobs.path(digests[1]).unlink()

    found = verify_programme(programme)

    assert (whole.ok, whole.checked[-1]) == (True, "3 files by their digests")
    assert [(one.seq, one.code) for one in found.problems] == [(1, "blob")]
    assert found.notes[-1] == "1 files that entries rest on are not kept here"
    with pytest.raises(LedgerBrokenError, match="entry 1"):
        found.refuse_broken("here")


def test_blob_is_kept_once_read_back_checked_and_mended_by_putting_it_again(programme):
    blobs = programme.blobs
    digest = blobs.put(b"data")
    assert (blobs.put(b"data"), digest) == (digest, Digest.of(b"data"))
    assert blobs.get(digest) == b"data"

    blobs.path(digest).write_bytes(b"edited")
    with pytest.raises(LedgerBrokenError, match="was edited"):
        blobs.get(digest)
    blobs.put(b"data")

    assert blobs.get(digest) == b"data"
    with pytest.raises(LedgerError, match="not here"):
        blobs.get(Digest.of(b"other"))


def test_public_key_is_read_from_text_file_or_secret_key(tmp_path, programme, log_key):
    written = tmp_path / "log.pub"
    written.write_text(f"{log_key.verifier}\n")

    read = [
        read_public_key(given, sort=KeySort.LOG)
        for given in (str(log_key.verifier), str(written), str(programme.log_key_path))
    ]

    assert read == [log_key.verifier] * 3
    with pytest.raises(KeyFileError, match="expected a witness's"):
        read_public_key(str(written), sort=KeySort.WITNESS)


@pytest.mark.postgres
def test_programme_keeps_its_ledger_in_postgres(tmp_path, at, postgres_address, drafts):
    programme = made(tmp_path / "p", at, id="가람", ledger=postgres_address)
    programme.ledger.append(drafts(3), at=at)

    again = open_programme(tmp_path / "p")

    assert (again.ledger.size, verify_programme(again).ok) == (3, True)
    assert not (tmp_path / "p" / "ledger.db").exists()
    with pytest.raises(LedgerError, match="is here already"):
        made(tmp_path / "q", at, id="가람", ledger=postgres_address)
    assert [path.name for path in tmp_path.iterdir()] == ["p"]
