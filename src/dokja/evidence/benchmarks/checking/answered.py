"""What a run's records say its system answered: an answer an item, and its repeats.

A reply in which no legal answer stands is an answer too, where the record charges it to the model:
falling silent is a change. What was open, or somebody else's doing, is no answer. Of a private item
only right or wrong is known, so that two different wrong answers to it count as alike.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.outcomes import Charge
from dokja.evidence.benchmarks.running import Plan, read_plan
from dokja.evidence.benchmarks.running.order import ROUNDS
from dokja.evidence.benchmarks.running.summaries import RECORDS, SUMMARY
from dokja.values import Digest, shown

__all__ = ["AnsweredItem", "AnsweredRun", "read_answers"]

_FIRST = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredItem:
    """What a system answered to an item.

    Attributes:
        item: What records call it.
        prompt: Digest of the messages; None for a private item.
        answer: The first answer that counts; None where there is none.
        score: Its score in [0, 1]; None where there is no answer.
        tokens_in: Tokens of the prompt; None where the server told none.
        repeats: Other answers by epoch: `2`, …, `start`, `middle`, `end`; those that are there.
        clusters: The item's cluster by the name of the clustering.
    """

    item: str
    prompt: str | None
    answer: str | None
    score: float | None
    tokens_in: int | None
    repeats: Mapping[str, str]
    clusters: Mapping[str, str]

    @property
    def again(self) -> str | None:
        """The answer to the same question asked once more; None where it was not."""
        told = (self.repeats.get(name) for name in ("middle", "end", "start", "2"))
        return next((answer for answer in told if answer is not None), None)

    @property
    def rounds(self) -> tuple[str | None, ...]:
        """The answers at the start, in the middle and at the end."""
        return tuple(self.repeats.get(name) for name in ROUNDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredRun:
    """What a run's system answered.

    Attributes:
        folder: Where it was read.
        plan: The run's plan.
        items: By the digest of the item without its key, in the order of the suite.
        names: How often the server gave which name of its model.
        records: Digest of the records.
        overlapping: How many questions of a round were asked when the next round had begun.
    """

    folder: Path
    plan: Plan
    items: Mapping[str, AnsweredItem]
    names: Mapping[str, int]
    records: Digest
    overlapping: int = 0

    @property
    def label(self) -> str:
        """What the system is called."""
        return self.plan.system.label


def read_answers(folder: Path) -> AnsweredRun:
    """Return what a run's records say was answered.

    Raises:
        RunError: There are no records, or they are not those of its summary.
    """
    plan = read_plan(folder)
    data = _records(folder)
    firsts: dict[str, Mapping[str, Any]] = {}
    repeats: dict[str, dict[str, str]] = {}
    names: Counter[str] = Counter()
    asked: dict[str, list[str]] = {name: [] for name in ROUNDS}
    for record in _lines(data, file=str(folder / RECORDS)):
        item = record["item_digest"]
        if record["epoch"] == _FIRST:
            firsts[item] = record
        elif (answer := _answer(record)) is not None:
            repeats.setdefault(item, {})[record["epoch"]] = answer
        if "reported_model" in record:
            names[record["reported_model"]] += 1
        if record["epoch"] in asked and "started" in record:
            asked[record["epoch"]].append(record["started"])
    return AnsweredRun(
        folder=folder,
        plan=plan,
        items={item: _item(record, repeats.get(item, {})) for item, record in firsts.items()},
        names=dict(sorted(names.items())),
        records=Digest.of(data),
        overlapping=_overlapping([asked[name] for name in ROUNDS]),
    )


def _overlapping(rounds: Sequence[Sequence[str]]) -> int:
    """Return how many questions of a round were asked when the next had begun; times as ISO."""
    return sum(
        sum(time > min(later) for time in earlier)
        for earlier, later in pairwise(rounds)
        if earlier and later
    )


def _item(record: Mapping[str, Any], repeats: Mapping[str, str]) -> AnsweredItem:
    answer = _answer(record)
    return AnsweredItem(
        item=record["item"],
        prompt=record.get("prompt_digest"),
        answer=answer,
        score=None if answer is None else float(record.get("score", 0.0)),
        tokens_in=record.get("tokens_in"),
        repeats=repeats,
        clusters=record["clusters"],
    )


def _answer(record: Mapping[str, Any]) -> str | None:
    """Return what was answered, in words that are equal for equal answers."""
    match Charge(record["charge"]):
        case Charge.NOBODY:
            told = record.get("extracted")
            return f"score {record['score']}" if told is None else f"answer {told}"
        case Charge.MODEL:
            return f"outcome {record['outcome']}"
        case _:
            return None


def _records(folder: Path) -> bytes:
    """Return the records of a run, which are those that its summary names."""
    remedy = f"Make them again: dokja measure --resume {folder}"
    try:
        data = (folder / RECORDS).read_bytes()
        said = json.loads((folder / SUMMARY).read_bytes()).get("records")
    except (OSError, ValueError, AttributeError) as error:
        read, expected = f"no records ({error})", "the records and the summary of a run"
        wrong = Mistake(file=str(folder), place="", read=read, expected=expected, remedy=remedy)
        raise RunError([wrong]) from error
    if said != str(Digest.of(data)):
        read, expected = (
            f"records {Digest.of(data).short}…",
            f"{shown(repr(said))}, as in {SUMMARY}",
        )
        file = str(folder / RECORDS)
        wrong = Mistake(file=file, place="", read=read, expected=expected, remedy=remedy)
        raise RunError([wrong])
    return data


def _lines(data: bytes, *, file: str) -> Iterator[Mapping[str, Any]]:
    for number, line in enumerate(data.splitlines(), start=1):
        try:
            record = json.loads(line)
        except ValueError as error:
            place, read = f"line {number}", shown(repr(line))
            wrong = Mistake(file=file, place=place, read=read, expected="a record as JSON")
            raise RunError([wrong]) from error
        yield record
