"""A programme's ledger as a run's witness."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dokja.errors import LedgerError
from dokja.evidence.ledger import Draft, Entry, Programme, SigningKey, read_key
from dokja.models.forge.records import Receipt, issue_receipt
from dokja.values import Digest

__all__ = ["LedgerWitness"]


class LedgerWitness:
    """A witness that enters the digest of every chain entry into a programme's ledger.

    That an entry stands in the ledger shows that it existed by then; the ledger's own witnesses
    keep that from being rewritten. An entry that is handed in again gets its first receipt.

    Args:
        programme: The programme, opened.
        builder: The builder's public key.
        actor: Who hands in, as the ledger names it.
        clock: The clock of whoever enters.
    """

    def __init__(
        self,
        programme: Programme,
        *,
        builder: str,
        actor: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.name = programme.ledger.origin
        self._programme, self._builder, self._actor = programme, builder, actor
        self._clock = clock
        self._key = _log_key(programme)
        self._run = ""

    def submit(self, entry: bytes) -> Receipt | None:
        """Enter an entry's digest unless it is there; return the receipt.

        Raises:
            LedgerError: The ledger cannot be written.
        """
        said: Mapping[str, Any] = json.loads(entry)
        digest = Digest.of(entry)
        if not self._run:
            self._run = digest.short if said["n"] == 0 else self._run_of(str(said["prev"]))
        entry_id = f"build-chain/{self._run}/{said['n']}"
        known = self._programme.ledger.find(entry_id)
        if known is None:
            body = {
                "run": self._run,
                "builder": self._builder,
                "n": said["n"],
                "kind": said["kind"],
                "entry": str(digest),
            }
            draft = Draft(kind="build-chain", actor=self._actor, body=body, id=entry_id)
            (known,) = self._programme.ledger.append([draft], at=self._clock())
        if known.body["entry"] != str(digest):
            raise LedgerError(
                f"{self.name}: {entry_id} stands there with another entry. "
                "Two histories of one run cannot both be witnessed. Nothing was entered."
            )
        return self._receipt(entry, known)

    def _receipt(self, entry: bytes, known: Entry) -> Receipt:
        proof = {"origin": self.name, "seq": known.seq, "id": known.id}
        at = datetime.strptime(known.time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return issue_receipt(entry, self._key, seq=known.seq, at=at, proof=proof)

    def _run_of(self, prev: str) -> str:
        """Return the run that an earlier entry belongs to, by its digest."""
        for known in self._programme.ledger.entries(kind="build-chain"):
            if known.body["entry"] == prev:
                return str(known.body["run"])
        raise LedgerError(
            f"{self.name}: no entry of this run stands in the ledger before the one handed in. "
            "A run shows all its entries to one witness, from its commit on. Nothing was entered."
        )


def _log_key(programme: Programme) -> SigningKey:
    path: Path = programme.log_key_path
    if not path.exists():
        raise LedgerError(
            f"{programme.folder}: the ledger has no signing key, so it can give no receipt; "
            "make one with: dokja ledger witness DIR --sign. Nothing was entered."
        )
    return read_key(path)
