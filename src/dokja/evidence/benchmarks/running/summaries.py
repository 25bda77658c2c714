"""What a run came to, in figures, and the one entry that the ledger gets of it.

Making a summary makes `records.jsonl` and `outcomes.npz` too; all three follow from the rest of
the folder, and making them again gives the same bytes.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.running.bodies import unwritten
from dokja.evidence.benchmarks.running.folders import write_whole
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.opened import OpenRun
from dokja.evidence.benchmarks.running.order import ROUNDS
from dokja.evidence.benchmarks.running.outcome_files import FILE as OUTCOMES
from dokja.evidence.benchmarks.running.outcome_files import OutcomeArrays
from dokja.evidence.benchmarks.running.records import Settled, records_of
from dokja.evidence.benchmarks.scorers import Aids, Scoring
from dokja.values import Digest, Json, canonical_bytes
from dokja.values.trees import Frontier, leaf_hash

if TYPE_CHECKING:
    from dokja.evidence.ledger import Draft

__all__ = ["RECORDS", "SUMMARY", "Summary", "conclude", "measured_draft", "run_id"]

RECORDS, SUMMARY = "records.jsonl", "summary.json"
_AT_ONCE = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What a run came to.

    Attributes:
        said: The figures as canonical JSON has them.
        outcomes: How many samples of each outcome, repeats left out.
        faults: How many tries of each fault class.
        twice: Samples that may have been paid for twice.
        open: Samples that have no answer, and that are not the model's doing.
        root: RFC 6962 root over the record lines.
        records: Digest of the record file.
    """

    said: Mapping[str, Json]
    outcomes: Mapping[str, int]
    faults: Mapping[str, int]
    twice: int
    open: int
    root: Digest
    records: Digest


def conclude(
    run: OpenRun,
    *,
    form: Form,
    aids: Aids,
    engine: str,
    progress: Callable[[int], None] | None = None,
) -> Summary:
    """Write records, outcomes and summary of a run, and return the summary.

    Args:
        run: The run, open for reading.
        form: What was asked.
        aids: What the scorer may need.
        engine: Who produces the records.
        progress: Told how many records were made.

    Raises:
        RunError: A body is not what was written.
        RunWriteError: The folder cannot be written.
    """
    made = _Made(run, form)
    path = run.path / RECORDS
    part = path.with_name(f".{RECORDS}.part")
    try:
        with part.open("wb") as file:
            for each in records_of(run, form=form, aids=aids, engine=engine, progress=progress):
                file.write(made.taken(each))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritten(path, error) from error
    write_whole(run.path / OUTCOMES, made.arrays.packed)
    counts = made.counts
    said = _said(run, counts, root=made.root, records=made.digest)
    write_whole(run.path / SUMMARY, canonical_bytes(said) + b"\n")
    sums = run.states.sums
    return Summary(
        said=said,
        outcomes=_in_order(counts.outcomes, Outcome),
        faults=dict(sorted(sums.faults.items())),
        twice=sums.twice,
        open=counts.open,
        root=made.root,
        records=made.digest,
    )


def run_id(stage: str, model: str, suite: str) -> str:
    """Return the id under which a ledger has a run: one for each stage, model and suite.

    Example:
        >>> run_id("final", "dasom-1", "sums")
        'run/final/dasom-1/sums'
    """
    return f"run/{stage}/{model}/{suite}"


def measured_draft(
    summary: Summary, run: OpenRun, *, stage: str, model: str, on: date, actor: str
) -> "Draft":
    """Return the entry that a run took place; `records.jsonl` is its blob.

    Args:
        summary: Of the run.
        run: The run.
        stage: The stage that it was made for.
        model: Id of the model that answered.
        on: The day of the run.
        actor: Who ran it.
    """
    # Loaded here: asking a model needs no ledger, and should not wait for one.
    from dokja.evidence.ledger import Draft  # noqa: PLC0415  # see above

    asked = run.plan.asked
    return Draft(
        kind="run",
        actor=actor,
        id=run_id(stage, model, asked.suite),
        blobs=(summary.records,),
        body={
            "on": on.isoformat(),
            "stage": stage,
            "model": model,
            "benchmark": asked.suite,
            "items": asked.items,
            "outcomes": dict(summary.outcomes),
            "items_digest": asked.items_digest,
            "records": str(summary.records),
            "records_root": str(summary.root),
            "responder": run.plan.system.endpoint or run.plan.system.family,
            "plan": str(run.plan.digest),
            "journal_head": str(Digest(run.head.hex())),
            "charges": summary.said["charges"],
            "epochs": run.plan.epochs,
        },
    )


class _Made:
    """What is made of records as they pass: digest, root, arrays and counts."""

    def __init__(self, run: OpenRun, form: Form) -> None:
        self.arrays = OutcomeArrays(run.order, form)
        self.counts = _Counts()
        self._order = run.order
        self._hash = sha256()
        self._edge = Frontier()
        self._leaves: list[bytes] = []

    def taken(self, each: Settled) -> bytes:
        """Take a record and return its line with the line end."""
        found = each.scoring
        if each.sample < self._order.scored:
            self.counts.take(found.outcome, found.charge, found.cause)
        else:
            self.counts.take_repeat(self._order.place(each.sample), found)
        self.arrays.take(each.sample, outcome=found.outcome, charge=found.charge, score=found.score)
        self._leaves.append(leaf_hash(each.line))
        if len(self._leaves) == _AT_ONCE:
            self._grow()
        line = each.line + b"\n"
        self._hash.update(line)
        return line

    @property
    def root(self) -> Digest:
        """RFC 6962 root over the lines so far."""
        self._grow()
        return Digest(self._edge.root.hex())

    @property
    def digest(self) -> Digest:
        """Digest of the file so far."""
        return Digest(self._hash.hexdigest())

    def _grow(self) -> None:
        for _ in self._edge.add(self._leaves):
            pass
        self._leaves.clear()


class _Counts:
    """Counts outcomes, charges and causes of the samples that count."""

    def __init__(self) -> None:
        self.outcomes: Counter[Outcome] = Counter()
        self.charges: Counter[Charge] = Counter()
        self.causes: Counter[Cause] = Counter()
        self.repeats: dict[int, list[Scoring]] = {}
        self.open = 0

    def take(self, outcome: Outcome, charge: Charge, cause: Cause | None) -> None:
        self.outcomes[outcome] += 1
        self.charges[charge] += 1
        if cause is not None:
            self.causes[cause] += 1
        self.open += charge not in {Charge.NOBODY, Charge.MODEL}

    def take_repeat(self, place: int, scoring: Scoring) -> None:
        if scoring.charge in {Charge.NOBODY, Charge.MODEL}:
            self.repeats.setdefault(place, []).append(scoring)

    @property
    def sentinels(self) -> dict[str, Json]:
        """How many repeated items were answered in every round, and how many of them alike."""
        whole = [found for found in self.repeats.values() if len(found) == len(ROUNDS)]
        alike = sum(
            1 for found in whole if len({(each.outcome, each.extracted) for each in found}) == 1
        )
        return {"answered_in_every_round": len(whole), "answered_alike": alike}


def _said(run: OpenRun, counts: _Counts, *, root: Digest, records: Digest) -> dict[str, Json]:
    sums = run.states.sums
    said: dict[str, Any] = {
        "v": 1,
        "kind": "dokja.run",
        "plan": str(run.plan.digest),
        "system": run.plan.system.label,
        "suite": run.plan.asked.suite,
        "items": run.plan.asked.items,
        "epochs": run.plan.epochs,
        "journal": {"head": str(Digest(run.head.hex())), "lines": run.lines},
        "records": str(records),
        "records_root": str(root),
        "outcomes": _in_order(counts.outcomes, Outcome),
        "charges": _in_order(counts.charges, Charge),
        "causes": _in_order(counts.causes, Cause),
        "open": counts.open,
        "asked": sums.asked,
        "faults": dict(sorted(sums.faults.items())),
        "possibly_paid_twice": sums.twice,
        "lost": sums.lost,
        "looks": run.looks,
        "ended": run.why or "cut_off",
    }
    if sums.tokens_in or sums.tokens_out:
        said |= {"tokens_in": sums.tokens_in, "tokens_out": sums.tokens_out}
    if run.order.sentinels:
        said["sentinels"] = {"items": len(run.order.sentinels), **counts.sentinels}
    if sums.untold:
        said["answers_without_tokens"] = sums.untold
    if run.plan.table is not None:
        said["cost"] = {
            "currency": run.plan.table.currency,
            "micro": sums.cost_micro,
            "at_most_micro": sums.at_most_micro,
        }
    for name, when in (("began", run.opened), ("ended_at", run.closed)):
        if when is not None:
            said[name] = datetime.fromtimestamp(when / 1000, UTC).isoformat(timespec="seconds")
    return said


def _in_order(counts: Mapping[Any, int], kind: type[Outcome | Charge | Cause]) -> dict[str, int]:
    return {each.value: counts[each] for each in kind if counts[each]}
