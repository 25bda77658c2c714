"""Private items: promised, picked by a beacon, opened on appeal, counted, retired."""

import json
from collections import Counter
from datetime import date
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import EntryError, SuiteError
from dokja.evidence.benchmarks.forms import (
    TERMS,
    FormCommitment,
    Opening,
    Pulse,
    RetirementRules,
    Showing,
    Why,
    anchors_lacking,
    commitment_of,
    exposure_draft,
    handle_bytes,
    histories,
    opening_of,
    picked,
    read_commitment,
    retired,
    salted,
)
from dokja.evidence.benchmarks.suites import read_suite_folder
from dokja.evidence.ledger import Entry
from dokja.evidence.ledger.kinds import check_body
from dokja.values import Digest, canonical_bytes

DAY = date(2026, 8, 3)
TOML = """format = 1
name = "seasons"
version = "2026.1"
licence = "CC-BY-4.0"
language = "ko"
budget_tokens = 64

[forms]
spring = "moving"
old = "anchor"

[private]
items = "private.jsonl"

[scorer]
kind = "choice"
"""


@pytest.fixture
def suite(tmp_path):
    """Reads a suite of so many private items in two forms, salted by a counter."""

    def made(count=11, *, keys="ABCD", salt=1):
        rows = [
            {
                "id": f"private-{number:03d}",
                "question": f"{number}번째로 비밀에 부친 물음은 무엇인가?",
                "choices": ["입춘", "우수", "경칩", "춘분"],
                "key": keys[number % len(keys)],
                "form": "spring" if number % 3 else "old",
            }
            for number in range(count)
        ]
        (tmp_path / "suite.toml").write_text(TOML)
        (tmp_path / "template.txt").write_text("{{question}}\n{{choices}}")
        (tmp_path / "private.jsonl").write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        )
        salts = [
            {"id": row["id"], "salt": sha256(f"{salt}/{row['id']}".encode()).hexdigest()}
            for row in rows
        ]
        (tmp_path / "salts.jsonl").write_text("".join(json.dumps(each) + "\n" for each in salts))
        return read_suite_folder(tmp_path)

    return made


def root_of(leaves):
    """Return the RFC 6962 root of leaf hashes, by its recursive definition: the slow twin."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    left, right = root_of(leaves[:half]), root_of(leaves[half:])
    return sha256(b"\x01" + left + right).digest()


def test_commitment_is_the_root_over_salted_items_in_the_order_of_their_leaves(suite):
    read = suite()
    promised = commitment_of(read)

    for form in promised.forms:
        leaves = sorted(
            sha256(b"\x00" + item.salt + canonical_bytes(item.whole)).digest()
            for item in read.items
            if item.form == form.form
        )
        assert (form.items, form.root.raw) == (len(leaves), root_of(leaves))
    assert [(form.form, form.role, form.items) for form in promised.forms] == [
        ("old", "anchor", 4),
        ("spring", "moving", 7),
    ]


def test_commitment_holds_nothing_of_the_items(suite):
    read = suite()
    written = json.dumps(commitment_of(read).to_json(), ensure_ascii=False)

    for item in read.items:
        assert item.id not in written
        assert item.question not in written
        assert item.item_digest.hex not in written
        assert item.salt.hex() not in written


def test_other_salts_or_keys_are_other_promises(suite):
    promises = {
        commitment_of(suite(**changes)).forms
        for changes in ({}, {"salt": 2}, {"keys": "BBCD"}, {"count": 12})
    }

    assert len(promises) == 4


def test_commitment_comes_back_from_its_document(suite):
    promised = commitment_of(suite())

    assert read_commitment(promised.to_json(), file="commitment.json") == promised


@pytest.mark.parametrize("said", [{}, {"v": 2}, {"v": 1, "suite": "a"}])
def test_document_that_is_no_commitment_is_refused(said):
    with pytest.raises(SuiteError):
        read_commitment(said, file="commitment.json")


def test_every_item_can_be_opened_and_nothing_else_fits(suite):
    read = suite()
    promised = commitment_of(read)

    for item in read.items:
        opening = Opening.parse(opening_of(read, item).to_json(), file="opening.json")
        said = opening.to_json()
        changed = {
            **said,
            "item": {**said["item"], "keys": ["A"] if item.keys != ("A",) else ["B"]},
        }
        salt = {**said, "salt": "00" * 32}
        place = {**said, "seq": (said["seq"] + 1) % said["size"]}
        form = {**said, "form": "old" if item.form == "spring" else "spring"}

        assert opening.fits(promised)
        for other in (changed, salt, place, form):
            assert not Opening.parse(other, file="opening.json").fits(promised)


def test_opening_tells_nothing_of_the_others(suite):
    read = suite()
    written = json.dumps(opening_of(read, read.items[0]).to_json(), ensure_ascii=False)

    for item in read.items[1:]:
        assert item.id not in written
        assert item.question not in written


def test_salts_are_drawn_once(suite):
    read = suite()
    drawn = iter([b"\x07" * 32])

    salts = salted(
        read.items, {item.id: item.salt for item in read.items[1:]}, lambda _: next(drawn)
    )

    assert salts[read.items[0].id] == b"\x07" * 32
    assert all(salts[item.id] == item.salt for item in read.items[1:])


def test_corrected_key_keeps_the_handle(suite):
    old, new = suite(), suite(keys="BBCD")

    assert [item.handle for item in old.items] == [item.handle for item in new.items]
    assert old.items[0].key_digest != new.items[0].key_digest


def forms(*names):
    return [
        FormCommitment(form=name, role="moving", items=5, root=Digest.of(name.encode()))
        for name in names
    ]


@given(st.binary(min_size=16, max_size=64), st.integers(0, 2**40), st.permutations("abcde"))
def test_pick_does_not_depend_on_the_order(value, number, names):
    pulse = Pulse(beacon="drand/quicknet", round=number, value=value)

    assert picked(forms(*names), pulse) == picked(forms(*"abcde"), pulse)


def test_every_form_is_picked_about_as_often():
    counts = Counter(
        picked(
            forms("a", "b", "c", "d"),
            Pulse(beacon="drand/quicknet", round=n, value=sha256(str(n).encode()).digest()),
        ).form
        for n in range(4000)
    )

    # Four standard deviations of a binomial count with p = 1/4.
    assert all(abs(count - 1000) < 4 * (4000 * 0.25 * 0.75) ** 0.5 for count in counts.values())


@pytest.mark.parametrize("bad", [{"value": b"short"}, {"beacon": ""}, {"round": -1}])
def test_pulse_that_could_be_guessed_is_refused(bad):
    with pytest.raises(ValueError, match="beacon"):
        Pulse(**{"beacon": "drand/quicknet", "round": 1, "value": bytes(32), **bad})


def showing(**changes):
    made = {
        "suite": "seasons",
        "version": "2026.1",
        "form": "spring",
        "system": "garam-2",
        "endpoint": "api.example.org",
        "organisation": "garam",
        "terms": "no-training",
        "on": DAY,
    }
    return Showing(**{**made, **changes})


def ledger(*shown):
    """Return entries of showings, and their blobs."""
    drafts = [
        (exposure_draft(handles, showing(**changes), actor="office"), handle_bytes(handles))
        for handles, changes in shown
    ]
    entries = [
        Entry(
            seq=seq,
            id=draft.id,
            time="2026-08-03T00:00:00Z",
            kind=draft.kind,
            actor=draft.actor,
            body=draft.body,
            blobs=draft.blobs,
        )
        for seq, (draft, _) in enumerate(drafts)
    ]
    blobs = {draft.blobs[0]: data for draft, data in drafts}
    return entries, blobs.__getitem__


def test_exposure_draft_fits_its_kind():
    for changes in ({}, {"form": ""}, *({"terms": terms} for terms in TERMS)):
        draft = exposure_draft(["sealed-1"], showing(**changes), actor="office")

        assert check_body(draft.kind, draft.body, place="draft") == ()


@pytest.mark.parametrize(("handles", "changes"), [([], {}), (["a"], {"terms": "fine"})])
def test_showing_of_nothing_or_under_no_terms_is_refused(handles, changes):
    with pytest.raises(ValueError, match=r"showing of no item|no terms"):
        exposure_draft(handles, showing(**changes), actor="office")


def test_history_tells_item_by_item_who_saw_it():
    found = histories(
        *ledger((["a", "b"], {}), (["b"], {"organisation": "haneul", "terms": "may-train"}))
    )

    assert [(each.organisation, each.terms, each.entry) for each in found["b"]] == [
        ("garam", "no-training", 0),
        ("haneul", "may-train", 1),
    ]
    assert len(found["a"]) == 1


def test_blob_that_does_not_hold_what_its_entry_counts_is_told():
    entries, _ = ledger((["a", "b"], {}))

    with pytest.raises(EntryError, match="1 items"):
        histories(entries, lambda _: b"a\n")


def test_items_are_retired_by_every_declared_reason():
    found = histories(
        *ledger(
            *((["much"], {"organisation": f"lab-{n}"}) for n in range(3)),
            (["trained"], {"terms": "may-train"}),
            (["unknown"], {"terms": "unknown"}),
            (["kept", "easy"], {}),
        )
    )
    items = ["much", "trained", "unknown", "kept", "easy", "odd", "named"]

    told = retired(
        items,
        found,
        RetirementRules(most_organisations=2),
        answered={"easy": [True] * 3, "kept": [True, True, False], "odd": [True, True]},
        drifted=frozenset({"odd", "trained"}),
        suspected=frozenset({"named"}),
    )

    assert {each.item: each.why for each in told} == {
        "much": (Why.COUNT,),
        "trained": (Why.MAY_TRAIN, Why.DRIFTED),
        "unknown": (Why.MAY_TRAIN,),
        "easy": (Why.SATURATED,),
        "odd": (Why.DRIFTED,),
        "named": (Why.SUSPECTED,),
    }
    assert told[0].entries == (0, 1, 2)


@given(st.lists(st.sampled_from(["law", "history"]), max_size=400))
def test_anchors_are_counted_by_domain(strata):
    lacking = anchors_lacking(strata)

    for name in set(strata):
        assert lacking.get(name, 0) == max(0, 150 - sum(each == name for each in strata))
