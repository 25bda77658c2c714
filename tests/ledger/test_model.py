"""A ledger drives like a plain list of what was said, whatever is done to it in whatever order."""

import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from dokja.errors import DuplicateEntryError, EntryError, LedgerError
from dokja.evidence.ledger import Draft, Ledger, SigningKey, open_note, verify_export
from dokja.evidence.ledger.sqlite import SqliteStorage
from dokja.values import canonical_bytes
from dokja.values.trees import Frontier, is_consistent, is_included, leaf_hash

AT = datetime(2026, 1, 15, 9, 30, tzinfo=UTC)
KEY = SigningKey("example.org/log", bytes(32))
REASON = {"ko": "오기", "en": "a slip"}
kinds = st.sampled_from(["note", "score", "가람"])
ids = st.none() | st.sampled_from(["a", "b", "c/1", "note/3", "가/나"])
bodies = st.dictionaries(
    st.sampled_from(["ko", "en", "점수"]),
    st.integers(-9, 9) | st.text(max_size=3) | st.just(0.5) | st.none(),
    max_size=2,
)


class LedgerMachine(RuleBasedStateMachine):
    """The ledger beside its model: a list of what each entry must say."""

    @initialize()
    def begin(self):
        self.said = []
        self.fixes = {}
        self.notes = []
        self.ledger = self.make()

    def make(self):
        self.folder = Path(tempfile.mkdtemp())
        storage = SqliteStorage.create(self.folder / "ledger.db", origin="example.org/log")
        return Ledger(storage, check=accepting)

    def again(self):
        return Ledger(SqliteStorage(self.folder / "ledger.db"), check=accepting)

    def teardown(self):
        with suppress(AttributeError):
            self.ledger.close()
            shutil.rmtree(self.folder)

    def model_root(self, size):
        edge = Frontier()
        for said in self.said[:size]:
            list(edge.add([leaf_hash(canonical_bytes(said))]))
        return edge.root

    @rule(batch=st.lists(st.tuples(kinds, ids, bodies), max_size=4))
    def append(self, batch):
        drafts = [
            Draft(kind=kind, actor="office", body=body, id=name) for kind, name, body in batch
        ]
        named = [name or f"{kind}/{len(self.said) + n}" for n, (kind, name, _) in enumerate(batch)]
        taken = {said["id"] for said in self.said}
        if len({*named}) < len(named) or taken & {*named}:
            with pytest.raises(DuplicateEntryError):
                self.ledger.append(drafts, at=AT)
            return
        entries = self.ledger.append(drafts, at=AT)
        assert [entry.id for entry in entries] == named
        for entry, (kind, _, body) in zip(entries, batch, strict=True):
            self.say(entry.id, kind, body)

    def say(self, name, kind, body):
        said = {"v": 1, "seq": len(self.said), "id": name, "time": "2026-01-15T09:30:00Z"}
        self.said.append({**said, "kind": kind, "actor": "office", "body": body, "blobs": []})

    @rule(batch=st.lists(st.tuples(kinds, ids, bodies), max_size=2), body=st.none() | bodies)
    def append_something_wrong(self, batch, body):
        drafts = [
            Draft(kind=kind, actor="office", body=said, id=name) for kind, name, said in batch
        ]
        wrong = Draft(kind="note", actor="office", body={"a": float("inf"), "b": body})
        with pytest.raises(EntryError):
            self.ledger.append([*drafts, wrong], at=AT)

    @precondition(lambda self: any(said["kind"] != "correction" for said in self.said))
    @rule(data=st.data(), body=st.none() | bodies)
    def correct(self, data, body):
        sayable = [said for said in self.said if said["kind"] != "correction"]
        target = data.draw(st.sampled_from(sayable))
        digest = "sha256:" + leaf_hash(canonical_bytes(target)).hex()
        said = {"corrects": target["id"], "digest": digest, "reason": REASON, "body": body}
        (entry,) = self.ledger.append([Draft(kind="correction", actor="office", body=said)], at=AT)
        self.say(entry.id, "correction", said)
        self.fixes[target["id"]] = (entry.seq, body)

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def prove(self, data):
        size = data.draw(st.integers(1, len(self.said)))
        seq = data.draw(st.integers(0, size - 1))
        leaf = leaf_hash(canonical_bytes(self.said[seq]))
        path = self.ledger.inclusion_proof(seq, size)
        assert is_included(leaf, self.model_root(size), seq=seq, size=size, path=path)

    @rule(data=st.data())
    def prove_growth(self, data):
        new = data.draw(st.integers(0, len(self.said)))
        old = data.draw(st.integers(0, new))
        path = self.ledger.consistency_proof(old, new)
        before, after = self.model_root(old), self.model_root(new)
        assert is_consistent(before, after, old=old, new=new, path=path)

    @rule()
    def sign(self):
        note = self.ledger.checkpoint(KEY)
        self.notes.append(note)
        signed = open_note(note, keys=[KEY.verifier], place="here")
        assert (signed.size, signed.root.raw) == (len(self.said), self.model_root(len(self.said)))

    @rule(start=st.integers(0, 9), stop=st.none() | st.integers(0, 9), kind=st.none() | kinds)
    def read(self, start, stop, kind):
        read = [entry.leaf_bytes for entry in self.ledger.entries(start, stop, kind=kind)]
        wanted = [said for said in self.said[start:stop] if kind in {None, said["kind"]}]
        assert read == [canonical_bytes(said) for said in wanted]

    @rule(name=ids)
    def find(self, name):
        found = self.ledger.find(str(name))
        seqs = [said["seq"] for said in self.said if said["id"] == name]
        assert ([] if found is None else [found.seq]) == seqs

    @rule()
    def read_as_it_stands(self):
        found = [(one.seqs, one.body) for one in self.ledger.current()]
        wanted = []
        for said in self.said:
            if said["kind"] != "correction":
                fix = self.fixes.get(said["id"])
                seqs = (said["seq"],) if fix is None else (said["seq"], fix[0])
                wanted.append((seqs, said["body"] if fix is None else fix[1]))
        assert found == wanted

    @rule()
    def ask_for_what_is_not_there(self):
        with pytest.raises(LedgerError):
            self.ledger.entry(len(self.said))

    @rule()
    def open_again(self):
        self.ledger.close()
        self.ledger = self.again()

    @rule()
    def verify(self):
        found = self.ledger.verify(checkpoints=self.notes, keys=[KEY.verifier])
        assert (found.problems, found.size) == ((), len(self.said))

    @rule()
    def export(self):
        data = b"".join(self.ledger.export(checkpoints=self.notes, keys=[KEY.verifier]))
        found = verify_export(data, keys=[KEY.verifier])
        assert (found.problems, found.root) == ((), self.ledger.root())

    @invariant()
    def has_the_root_of_the_model(self):
        if hasattr(self, "ledger"):
            assert self.ledger.root().raw == self.model_root(len(self.said))


def accepting(kind, body, *, place):
    return ()


def test_ledger_in_sqlite_is_the_list_of_what_was_said():
    run_state_machine_as_test(
        LedgerMachine, settings=settings(max_examples=60, stateful_step_count=25, deadline=None)
    )


@pytest.mark.postgres
def test_ledger_in_postgres_is_the_list_of_what_was_said(postgres_address):
    from dokja.evidence.ledger.postgres import PostgresStorage  # noqa: PLC0415 (optional extra)

    class PostgresMachine(LedgerMachine):
        count = 0

        def make(self):
            PostgresMachine.count += 1
            self.folder = Path(tempfile.mkdtemp())
            self.origin = f"example.org/model-{PostgresMachine.count}"
            PostgresStorage.create(postgres_address, origin=self.origin)
            return self.again()

        def again(self):
            return Ledger(PostgresStorage(postgres_address, origin=self.origin), check=accepting)

    run_state_machine_as_test(
        PostgresMachine, settings=settings(max_examples=8, stateful_step_count=15, deadline=None)
    )
