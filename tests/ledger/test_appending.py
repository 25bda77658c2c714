"""Appending: numbers, ids, times; all or nothing; corrections and unsealings of what is there."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dokja.errors import DuplicateEntryError, EntryError, LedgerError
from dokja.evidence.ledger import Draft, current, seal
from dokja.values import Digest, parse_json

REASON = {"ko": "오기", "en": "a slip"}


def correcting(entry, body):
    said = {"corrects": entry.id, "digest": str(entry.digest), "reason": REASON, "body": body}
    return Draft(kind="correction", actor="office", body=said)


def test_entries_are_numbered_named_and_timed_as_they_come(ledger, drafts, at):
    first = ledger.append(drafts(2, ids=["가람/1"]), at=at)
    then = ledger.append(drafts(1, start=2), at=at + timedelta(seconds=1.9))

    assert [(e.seq, e.id, e.time) for e in [*first, *then]] == [
        (0, "가람/1", "2026-01-15T09:30:00Z"),
        (1, "note/1", "2026-01-15T09:30:00Z"),
        (2, "note/2", "2026-01-15T09:30:01Z"),
    ]
    assert tuple(ledger.entries()) == (*first, *then)
    assert (ledger.size, ledger.entry(1), ledger.find("가람/1")) == (3, first[1], first[0])


def test_leaf_of_an_entry_is_what_is_hashed(ledger, drafts, at):
    (entry,) = ledger.append(drafts(1), at=at)

    said = parse_json(entry.leaf_bytes)

    assert said["body"] == entry.body
    assert entry.digest == Digest.of(b"\x00" + entry.leaf_bytes)
    assert ledger.root() == entry.digest


def test_time_is_written_in_utc_whatever_the_zone(ledger, drafts):
    seoul = datetime(2026, 1, 15, 18, 30, tzinfo=timezone(timedelta(hours=9)))

    (entry,) = ledger.append(drafts(1), at=seoul)

    assert (entry.time, entry.moment) == ("2026-01-15T09:30:00Z", seoul)


def test_time_without_a_zone_is_refused(ledger, drafts):
    with pytest.raises(ValueError, match="names no time zone"):
        ledger.append(drafts(1), at=datetime(2026, 1, 15))  # noqa: DTZ001 (that is the point)

    assert ledger.size == 0


def test_entry_does_not_change_when_the_draft_does(ledger, drafts, at):
    (draft,) = drafts(1)

    (entry,) = ledger.append([draft], at=at)
    draft.body["text"]["en"] = "other words"

    assert entry.body["text"]["en"] == "words 0"


def test_nothing_to_append_appends_nothing(ledger, at):
    assert ledger.append([], at=at) == ()
    assert ledger.size == 0


def test_every_mistake_of_every_draft_is_told_and_nothing_is_appended(ledger, drafts, at):
    digest = Digest.of(b"")
    bad = [
        *drafts(1),
        Draft(kind="No Kind", actor="office", body={}),
        Draft(kind="note", actor=" ", body={"on": "soon"}, id="ID 1"),
        Draft(kind="note", actor="x" * 201, body={"a": float("nan")}, blobs=(digest, digest)),
    ]

    with pytest.raises(EntryError) as caught:
        ledger.append(bad, at=at)

    places = [mistake.place for mistake in caught.value.mistakes]
    assert [place for place in places if place.startswith("draft")] == [
        "draft 2 (No Kind), kind",
        "draft 3 (ID 1), id",
        "draft 3 (ID 1), actor",
        "draft 4 (note), actor",
        "draft 4 (note), blobs",
        "draft 4 (note), body",
    ]
    assert {"kind", "on", "text"} <= set(places)
    assert str(caught.value).endswith("Nothing was appended.")
    assert ledger.size == 0


def test_body_that_does_not_fit_its_kind_is_refused_with_its_place(ledger, drafts, at):
    wrong = Draft(kind="note", actor="office", body={"on": "2026-01-15", "text": "95"})

    with pytest.raises(EntryError) as caught:
        ledger.append([*drafts(1), wrong], at=at)

    (mistake,) = caught.value.mistakes
    assert (mistake.place, mistake.read) == ("text", "'95'")
    assert "draft 2 (note)" in mistake.file


@pytest.mark.parametrize("key", ["id", "actor"])
def test_decomposed_hangul_is_refused_and_the_composed_form_named(ledger, drafts, at, key):
    decomposed = "\u1103\u1169\u11a8\u110c\u1161"
    names = {"id": "note/1", "actor": "office", key: decomposed}
    draft = Draft(kind="note", body=drafts(1)[0].body, **names)

    with pytest.raises(EntryError) as caught:
        ledger.append([draft], at=at)

    (mistake,) = caught.value.mistakes
    assert mistake.expected == "the same in NFC (composed Hangul): '독자'"


def test_id_that_is_taken_is_refused_and_nothing_is_appended(ledger, drafts, at):
    ledger.append(drafts(2, ids=["a"]), at=at)

    with pytest.raises(
        DuplicateEntryError, match=r"'a' \(entry 0\), 'b' \(twice among the drafts\)"
    ):
        ledger.append(drafts(4, ids=["new", "a", "b", "b"]), at=at)

    assert (ledger.size, ledger.find("new")) == (2, None)


def test_default_id_that_somebody_took_is_refused(ledger, drafts, at):
    ledger.append(drafts(1, ids=["note/1"]), at=at)

    with pytest.raises(DuplicateEntryError, match=r"'note/1' \(entry 0\)"):
        ledger.append(drafts(1), at=at)


def test_entries_of_a_kind_and_of_a_range_are_found(ledger, drafts, at):
    entries = ledger.append(drafts(3), at=at)
    fix = ledger.append([correcting(entries[0], None)], at=at)

    assert tuple(ledger.entries(1, 3)) == entries[1:]
    assert tuple(ledger.entries(kind="correction")) == fix
    assert tuple(ledger.entries(2, 1)) == ()


def test_entries_come_page_by_page_in_order(ledger, drafts, at):
    ledger.append(drafts(2500), at=at)

    assert [entry.seq for entry in ledger.entries()] == list(range(2500))
    assert [entry.seq for entry in ledger.entries(999, 2001, kind="note")] == list(range(999, 2001))


def test_entry_that_is_not_there_is_told(ledger, drafts, at):
    ledger.append(drafts(1), at=at)

    with pytest.raises(LedgerError, match="there is no entry 1; the ledger has 1"):
        ledger.entry(1)
    with pytest.raises(LedgerError, match="asked for 2 entries; the ledger has 1"):
        ledger.root(2)
    with pytest.raises(LedgerError, match="there is no entry 1 among the first 1"):
        ledger.inclusion_proof(1)
    with pytest.raises(LedgerError, match="did not grow out of one of 2"):
        ledger.consistency_proof(2)


def test_correction_replaces_and_a_later_one_withdraws(ledger, drafts, at):
    first, second = ledger.append(drafts(2), at=at)
    other = drafts(1, start=9)[0].body
    (fix,) = ledger.append([correcting(first, other)], at=at)

    replaced = tuple(ledger.current())
    (withdrawal,) = ledger.append([correcting(first, None)], at=at)
    withdrawn = tuple(ledger.current(kind="note"))

    assert [(one.body, one.seqs) for one in replaced] == [(other, (0, 2)), (second.body, (1,))]
    assert [(one.is_withdrawn, one.seqs) for one in withdrawn] == [(True, (0, 3)), (False, (1,))]
    assert tuple(ledger.current(size=3)) == replaced
    assert current(ledger.entries()) == withdrawn
    assert ledger.entry(0) == first
    assert withdrawn[0].correction == withdrawal
    assert withdrawn[0].entry == first
    assert fix.kind == "correction"


def test_correction_of_what_is_not_there_or_is_otherwise_is_refused(ledger, drafts, at):
    first, _ = ledger.append(drafts(2), at=at)
    (fix,) = ledger.append([correcting(first, None)], at=at)
    absent = correcting(first, None)
    absent.body["corrects"] = "nobody"
    wrong = correcting(first, None)
    wrong.body["digest"] = str(Digest.of(b""))
    misfit = correcting(first, {"on": "2026-01-15"})

    with pytest.raises(EntryError) as caught:
        ledger.append([absent, wrong, correcting(fix, None), misfit], at=at)

    found = [(mistake.place, mistake.expected) for mistake in caught.value.mistakes]
    assert found == [
        ("draft 1 (correction), corrects", "the id of an entry that stands in the ledger already"),
        ("draft 2 (correction), digest", f"{first.digest}, the leaf hash of entry 0"),
        (
            "draft 3 (correction), corrects",
            "no correction; correct the entry that it corrects, 'note/0', once more",
        ),
        ("text", "this key"),
    ]
    assert ledger.size == 3


def test_correction_of_an_entry_of_the_same_batch_is_refused(ledger, drafts, at):
    (entry,) = ledger.append(drafts(1), at=at)
    correction = correcting(entry, None)
    correction.body["corrects"] = "later"

    with pytest.raises(EntryError, match="stands in the ledger already"):
        ledger.append([*drafts(1, ids=["later"]), correction], at=at)


def objection(statement):
    body = {"on": "2026-01-15", "stage": "stage-1", "team": "가람", "ground": "procedure"}
    return Draft(kind="objection", actor="가람", body={**body, "statement": statement}, id="ob")


def test_unsealing_is_let_in_only_with_what_was_committed_to(ledger, at):
    salt, words = bytes(range(32)), {"ko": "이의", "en": "objection"}
    ledger.append([objection(seal(words, salt=salt, field="statement"))], at=at)
    said = {"entry": "ob", "field": "statement", "value": words, "salt": salt.hex()}

    def unsealing(**other):
        return Draft(kind="unseal", actor="office", body={**said, **other})

    with pytest.raises(EntryError) as caught:
        ledger.append(
            [
                unsealing(entry="nobody"),
                unsealing(field="team"),
                unsealing(value="other"),
                unsealing(salt="00" * 32),
            ],
            at=at,
        )
    ledger.append([unsealing()], at=at)

    keys = [mistake.place.rpartition(", ")[2] for mistake in caught.value.mistakes]
    assert keys == ["entry", "field", "value", "value"]
    assert (ledger.size, ledger.verify().ok) == (2, True)


def test_times_may_run_behind_and_that_is_noted(ledger, drafts, at):
    ledger.append(drafts(1), at=at)
    ledger.append(drafts(1), at=at - timedelta(days=1))

    found = ledger.verify()

    assert found.ok
    assert found.notes[0].startswith("the time of entry 1 lies before")


def test_far_years_are_written_as_times(ledger, drafts):
    (entry,) = ledger.append(drafts(1), at=datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC))

    assert entry.time == "9999-12-31T23:59:59Z"
    assert ledger.verify().ok
