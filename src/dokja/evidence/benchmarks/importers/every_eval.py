"""Reads and writes instance records of Every Eval Ever (schema 0.2.x), one JSON line an answer.

The schema has no third value beside right and wrong. With `error` set, an answer is therefore a
fault of which nobody knows whose it is. What Dokja knows more goes into `metadata`, as strings
under `dokja.`, so that reading what was written gives the same rows again.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.gathering import Answer, Gathering, ReadLog
from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.rows import Column, Rows
from dokja.values import Digest, Json, canonical_bytes, shown

__all__ = ["every_eval_lines", "read_every_eval"]

_VERSION = re.compile(r"(instance_level_eval_)?0\.2\.\d+")
_WRITTEN = "instance_level_eval_0.2.2"
_NEEDED = (
    "schema_version",
    "evaluation_id",
    "model_id",
    "evaluation_name",
    "sample_id",
    "interaction_type",
    "input",
    "answer_attribution",
    "evaluation",
)
_ALLOWED = (
    *_NEEDED,
    "evaluation_result_id",
    "sample_hash",
    "output",
    "messages",
    "token_usage",
    "performance",
    "error",
    "metadata",
)
_LONGEST_LINE = 64 * 2**20
_MOST_EPOCHS = 10_000
_OURS = "dokja."


def read_every_eval(path: Path, *, task: str = "", category: str = "") -> ReadLog:
    """Return the answers in instance records.

    Args:
        path: A `.jsonl` of instance records, or a folder that holds some.
        task: Which `evaluation_name`, where there are several.
        category: Which key of the metadata names an item's category; empty for none.

    Raises:
        TableError: A line is no instance record of schema 0.2.x, holds a key that the schema does
            not allow, or there are several evaluations of which only one can be read.
    """
    files = [path] if path.is_file() else sorted(path.rglob("*.jsonl"))
    if not files:
        expected = "a .jsonl of instance records"
        raise TableError([_wrong(path, "", "no such file", expected)])
    gathering = Gathering(file=str(path), suite=task)
    tasks: set[str] = set()
    for file in files:
        for number, said in _lines(file):
            tasks.add(said["evaluation_name"])
            if not task or said["evaluation_name"] == task:
                gathering.add(_answer(said, file=file, number=number, category=category))
    if task not in tasks and len(tasks) != 1:
        names = ", ".join(sorted(tasks))
        remedy = f"Choose one with --task: {shown(names)}"
        wrong = _wrong(path, "", f"{len(tasks)} evaluations", "one evaluation", remedy=remedy)
        raise TableError([wrong])
    gathering.suite = task or next(iter(tasks))
    return ReadLog(rows=gathering.rows())


def _wrong(file: Path, place: str, read: str, expected: str, *, remedy: str = "") -> Mistake:
    return Mistake(file=str(file), place=place, read=read, expected=expected, remedy=remedy)


def _lines(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with file.open("rb") as stream:
            number = 0
            while line := stream.readline(_LONGEST_LINE):
                number += 1
                if line.strip():
                    yield number, _record(line, file=file, number=number)
    except OSError as error:
        read = error.strerror or "an error"
        raise TableError([_wrong(file, "", read, "instance records")]) from None


def _record(line: bytes, *, file: Path, number: int) -> dict[str, Any]:
    place = f"line {number}"
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise TableError([_wrong(file, place, shown(str(error)), "a JSON object")]) from None
    if not isinstance(said, dict):
        raise TableError([_wrong(file, place, "no object", "a JSON object")])
    mistakes = [
        _wrong(file, place, f"no {key}", f"the key {key}") for key in _NEEDED if key not in said
    ]
    mistakes += [
        _wrong(file, place, f"the key {shown(repr(key))}", "keys that schema 0.2.x allows")
        for key in sorted(said.keys() - set(_ALLOWED))
    ]
    if not _VERSION.fullmatch(str(said.get("schema_version"))):
        read = shown(repr(said.get("schema_version")))
        remedy = "This Dokja reads instance records of Every Eval Ever 0.2.x."
        mistakes.append(_wrong(file, f"{place}, schema_version", read, "0.2.x", remedy=remedy))
    mistakes += [
        _wrong(file, f"{place}, {key}", shown(repr(said[key])), "text")
        for key in ("model_id", "evaluation_name", "sample_id")
        if key in said and not isinstance(said[key], str)
    ]
    mistakes += [
        _wrong(file, f"{place}, {key}", shown(repr(said[key])), "an object")
        for key in ("input", "evaluation", "metadata", "output", "token_usage")
        if not isinstance(said.get(key, {}), dict) and (said[key] is not None or key in _NEEDED)
    ]
    if mistakes:
        raise TableError(mistakes)
    return said


def _answer(said: Mapping[str, Any], *, file: Path, number: int, category: str) -> Answer:
    metadata = said.get("metadata") or {}
    ours = {
        str(key).removeprefix(_OURS): str(value)
        for key, value in metadata.items()
        if str(key).startswith(_OURS)
    }
    known = {key: ours.get(key) for key in ("key", "said", "content", "reply", "category")}
    if "outcome" in ours:
        try:
            return _ours(said, ours, known=known)
        except (KeyError, TypeError, ValueError) as error:
            place = f"line {number}, metadata"
            expected = "what Dokja writes under dokja."
            raise TableError([_wrong(file, place, shown(str(error)), expected)]) from None
    outcome, cause, charge, score = _outcome(said, file=file, number=number)
    asked, output = said["input"], said.get("output") or {}
    raw = output.get("raw") if isinstance(output, dict) else None
    return Answer(
        system=said["model_id"],
        item=said["sample_id"],
        outcome=outcome,
        cause=cause,
        charge=charge,
        score=score,
        key=_digest(asked.get("reference")),
        content=_digest([asked.get("raw"), asked.get("choices")]),
        said=_extracted(said["answer_attribution"]),
        reply=None if raw is None else _digest(raw),
        category=str(metadata.get(category, "")) if category else None,
    )


def _ours(
    said: Mapping[str, Any], ours: Mapping[str, str], *, known: Mapping[str, str | None]
) -> Answer:
    outcome, epoch = Outcome(ours["outcome"]), int(ours.get("epoch", "0"))
    if not 0 <= epoch < _MOST_EPOCHS:
        raise ValueError(f"epoch {epoch}")
    return Answer(
        system=said["model_id"],
        item=said["sample_id"],
        epoch=epoch,
        outcome=outcome,
        cause=Cause(ours["cause"]) if "cause" in ours else None,
        charge=Charge(ours["charge"]) if "charge" in ours else None,
        score=float(said["evaluation"]["score"]) if outcome is Outcome.SCORED else None,
        **known,
    )


def _outcome(
    said: Mapping[str, Any], *, file: Path, number: int
) -> tuple[Outcome, Cause | None, Charge | None, float | None]:
    if said.get("error"):
        return Outcome.INFRASTRUCTURE_ERROR, None, Charge.UNKNOWN, None
    evaluation = said["evaluation"]
    correct, score = evaluation.get("is_correct"), evaluation.get("score")
    place = f"line {number}, evaluation"
    if not isinstance(correct, bool) or isinstance(score, bool):
        raise TableError([_wrong(file, place, shown(repr(evaluation)), "score and is_correct")])
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        score = float(correct)
    if score in (0, 1) and bool(score) is not correct:
        read = f"score {score} and is_correct {str(correct).lower()}"
        raise TableError([_wrong(file, place, read, "a score and a verdict that agree")])
    output = said.get("output")
    texts = output.get("raw") if isinstance(output, dict) else None
    if not score and isinstance(texts, list) and not "".join(map(str, texts)).strip():
        usage = said.get("token_usage")
        if isinstance(usage, dict) and usage.get("output_tokens"):
            return Outcome.NO_ANSWER, Cause.EMPTY, Charge.UNKNOWN, None
        return Outcome.INFRASTRUCTURE_ERROR, Cause.EMPTY_UNEXPLAINED, Charge.UNKNOWN, None
    return Outcome.SCORED, None, None, float(score)


def _extracted(attributions: object) -> str | None:
    for each in reversed(attributions if isinstance(attributions, list) else []):
        if isinstance(each, dict) and each.get("is_terminal"):
            value = each.get("extracted_value")
            return value if isinstance(value, str) else None
    return None


def _digest(value: object) -> str:
    data = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return Digest.of(data.encode(errors="surrogatepass")).hex[:16]


def every_eval_lines(rows: Rows, *, evaluation: str) -> Iterator[bytes]:
    """Give one instance record for each row, as a JSON line without its end.

    Questions and replies are not among the rows: their places are empty, their digests stand in
    the metadata.

    Args:
        rows: With ids.
        evaluation: The `evaluation_id` of the aggregate that the records belong to.

    Raises:
        ValueError: The rows have no ids.
    """
    if rows.items is None:
        raise ValueError("instance records need ids of items")
    told: dict[str, Column | None] = {
        "cause": rows.causes,
        "key": rows.keys,
        "said": rows.answers,
        "content": rows.contents,
        "reply": rows.replies,
        "category": rows.categories,
    }
    charges = tuple(Charge)
    for row in range(len(rows)):
        outcome = Outcome.of_code(int(rows.outcomes[row]))
        score = float(outcome is Outcome.CORRECT)
        if outcome is Outcome.SCORED and rows.scores is not None:
            score = float(rows.scores[row])
        metadata: dict[str, Json] = {
            f"{_OURS}outcome": outcome.value,
            f"{_OURS}charge": charges[int(rows.charges[row])].value,
        }
        if rows.epochs is not None:
            metadata[f"{_OURS}epoch"] = str(int(rows.epochs[row]))
        for name, column in told.items():
            text = column.text(row) if column is not None else None
            if text is not None:
                metadata[_OURS + name] = text
        extracted = rows.answers.text(row) if rows.answers is not None else None
        key = rows.keys.text(row) if rows.keys is not None else None
        yield canonical_bytes(
            {
                "schema_version": _WRITTEN,
                "evaluation_id": evaluation,
                "model_id": rows.systems.text(row),
                "evaluation_name": rows.suite,
                "sample_id": rows.items.text(row),
                "interaction_type": "single_turn",
                "input": {"raw": "", "reference": [] if key is None else [key]},
                "output": {"raw": []},
                "messages": None,
                "answer_attribution": [] if extracted is None else [_attributed(extracted)],
                "evaluation": {"score": score, "is_correct": score == 1},
                "error": None if outcome.is_settled else outcome.value,
                "metadata": metadata,
            }
        )


def _attributed(value: str) -> dict[str, Json]:
    return {
        "turn_idx": 0,
        "source": "output.raw",
        "extracted_value": value,
        "extraction_method": "custom",
        "is_terminal": True,
    }
