"""A run scored again, by another rule or with corrected keys, from what came over the wire.

Nothing is asked again, and the old records stay where they are. What became of every answer before
stands beside what becomes of it now, so that whoever lost or gained by a rule can see it.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.running import Form, OpenRun, records_of
from dokja.evidence.benchmarks.running.bodies import unwritten
from dokja.evidence.benchmarks.running.folders import write_whole
from dokja.evidence.benchmarks.running.outcome_files import FILE as OUTCOMES
from dokja.evidence.benchmarks.running.outcome_files import OutcomeArrays
from dokja.evidence.benchmarks.running.records import Settled
from dokja.evidence.benchmarks.running.summaries import RECORDS
from dokja.evidence.benchmarks.scorers import Aids
from dokja.values import Digest, shown

__all__ = ["Rescored", "changes_table", "rescore"]

_MOST_MISTAKES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rescored:
    """What scoring again came to.

    Attributes:
        folder: Where the new records are.
        scorer: Digest of the new rules.
        records: Digest of the new records.
        samples: How many were scored.
        changes: How many went from one outcome to another; the old one is `none` where there are
            no records to compare with.
        changed_items: How many items have an answer that fares otherwise.
    """

    folder: Path
    scorer: Digest
    records: Digest
    samples: int
    changes: Mapping[tuple[str, str], int]
    changed_items: int


def rescore(
    run: OpenRun,
    form: Form,
    *,
    aids: Aids,
    engine: str,
    progress: Callable[[int], None] | None = None,
) -> Rescored:
    """Score a run again and keep the records below its folder, named by the scorer's digest.

    Args:
        run: The run, open for reading.
        form: Its items, with the scorer or the keys that are new.
        aids: What the scorer may need.
        engine: Who produces the records.
        progress: Told after every thousand how many were made.

    Raises:
        SuiteError: An item is not the one that was asked; the first of them are named.
        RunError: A body is not what was written.
        RunWriteError: The folder cannot be written.
    """
    _refuse_others(run, form)
    folder = run.path / f"rescored-{form.scorer.digest.short}"
    made = _Made(run, form)
    path, part = folder / RECORDS, folder / f".{RECORDS}.part"
    try:
        folder.mkdir(exist_ok=True)
        with part.open("wb") as file:
            for each in records_of(run, form=form, aids=aids, engine=engine, progress=progress):
                file.write(made.taken(each))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise unwritten(path, error) from error
    write_whole(folder / OUTCOMES, made.arrays.packed)
    return Rescored(
        folder=folder,
        scorer=form.scorer.digest,
        records=Digest(made.seen.hexdigest()),
        samples=run.order.scored,
        changes=dict(sorted(made.changes.items())),
        changed_items=len(made.changed),
    )


class _Made:
    """What follows from new records as they are made: arrays, a digest, and what is otherwise."""

    def __init__(self, run: OpenRun, form: Form) -> None:
        self.arrays = OutcomeArrays(run.order, form)
        self.changes: Counter[tuple[str, str]] = Counter()
        self.changed: set[int] = set()
        self.seen = sha256()
        self._order = run.order
        self._before = _before(run.path / RECORDS)

    def taken(self, each: Settled) -> bytes:
        """Take a record; return its line as it is written."""
        found = each.scoring
        self.arrays.take(each.sample, outcome=found.outcome, charge=found.charge, score=found.score)
        old, new = next(self._before, "none"), found.outcome.value
        if each.sample < self._order.scored and old != new:
            self.changes[old, new] += 1
            self.changed.add(self._order.place(each.sample))
        line = each.line + b"\n"
        self.seen.update(line)
        return line


def _refuse_others(run: OpenRun, form: Form) -> None:
    """Refuse items that are not those that were asked, as far as old records tell."""
    file = str(run.path)
    if len(form.questions) != run.order.items:
        read, expected = f"{len(form.questions)} items", f"the {run.order.items} that were asked"
        raise SuiteError([Mistake(file=file, place="", read=read, expected=expected)])
    mistakes: list[Mistake] = []
    for place, record in enumerate(_records(run.path / RECORDS)):
        if place >= len(form.questions) or len(mistakes) == _MOST_MISTAKES:
            break
        question = form.questions[place]
        if record["item_digest"] != question.item_digest.hex:
            read = f"another question, {question.item_digest.short}…"
            expected = f"the one that was asked, {str(record['item_digest'])[:12]}…"
            where = f"item {shown(question.handle)}"
            mistakes.append(Mistake(file=file, place=where, read=read, expected=expected))
    if mistakes:
        raise SuiteError(mistakes)


def _before(path: Path) -> Iterator[str]:
    return (str(record["outcome"]) for record in _records(path))


def _records(path: Path) -> Iterator[Mapping[str, Any]]:
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            yield json.loads(line)


def changes_table(found: Rescored) -> Sequence[Sequence[str]]:
    """Return the changes as rows: before, now, how many; the most frequent first."""
    ordered = sorted(found.changes.items(), key=lambda each: (-each[1], each[0]))
    return [[old, new, f"{count:,}"] for (old, new), count in ordered]
