"""Reads the samples that lm-evaluation-harness logs with `--log_samples`.

A samples file has one row for every document *and filter*: one filter is chosen, or none is read.
`doc_id` is a position and `doc_hash` the document, so that the hash is the item. A text that the
filter could not read an answer from is `no_answer`, not wrong; an empty text is a fault, since no
tokens are told that would show that the model spoke. What the results file prints is computed
again from the rows, and so is the digest of the task.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.gathering import Answer, Gathering, ReadLog
from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.tables import Flag
from dokja.values import Digest, shown

__all__ = ["read_lm_eval"]

_KNOWN = frozenset(
    {
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "filter",
        "metrics",
        "doc_hash",
        "prompt_hash",
        "target_hash",
    }
)
_USUAL = ("acc", "exact_match")
_INVALID = "[invalid]"
_LONGEST_LINE = 64 * 2**20
_MOST_RESULTS = 256 * 2**20
_NEAR = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One samples file and the results file of the same run."""

    samples: Path
    task: str
    label: str
    results: Mapping[str, Any]
    printed: Path | None


def read_lm_eval(
    path: Path, *, task: str = "", keep: str = "", metric: str = "", category: str = ""
) -> ReadLog:
    """Return the answers in a samples file, or in all of them below a folder.

    Args:
        path: A file `samples_TASK_TIME.jsonl`, or a folder that holds some.
        task: Which task, where there are several.
        keep: Which filter, where there are several.
        metric: Which metric, where there are several that are not `acc` or `exact_match`.
        category: Which key of a document names its category; empty for none.

    Raises:
        TableError: Something is unreadable, unknown to this Dokja, or there are several of what
            only one can be read of; every mistake of a file at once.
    """
    runs = _runs(path, task=task)
    gathering = Gathering(file=str(path), suite=runs[0].task)
    flags: list[Flag] = []
    for run in runs:
        reader = _Reader(run=run, keep=keep, metric=metric, category=category)
        for answer in reader.answers():
            gathering.add(answer)
        flags += reader.flags()
    return ReadLog(rows=gathering.rows(), flags=tuple(flags))


def _runs(path: Path, *, task: str) -> list[_Run]:
    files = [path] if path.is_file() else sorted(path.rglob("samples_*.jsonl"))
    told = [(file, *_name(file)) for file in files]
    tasks = sorted({name for _, name, _ in told})
    if not told:
        expected = "samples_TASK_TIME.jsonl, which lm-eval writes with --log_samples"
        raise TableError([_wrong(path, "", "no such file", expected)])
    if len(tasks) > 1 and task not in tasks:
        expected = "one task"
        remedy = "Choose one with --task: " + ", ".join(tasks)
        read = shown(f"{len(tasks)} tasks")
        raise TableError([_wrong(path, "", read, expected, remedy=remedy)])
    found = []
    for file, name, time in told:
        if task and name != task:
            continue
        printed = file.with_name(f"results_{time}.json")
        results = _results(printed) if printed.is_file() else {}
        label = str(results.get("model_name") or file.parent.name)
        found.append((file, name, time, label, results, printed if results else None))
    if not found:
        expected = "one of " + ", ".join(tasks)
        raise TableError([_wrong(path, "--task", shown(repr(task)), expected)])
    labels = [label for _, _, _, label, _, _ in found]
    return [
        _Run(
            samples=file,
            task=name,
            label=label if labels.count(label) == 1 else f"{label} {time}",
            results=results,
            printed=printed,
        )
        for file, name, time, label, results, printed in found
    ]


def _name(file: Path) -> tuple[str, str]:
    """Return the task and the time that a file's name tells."""
    stem = file.stem.removeprefix("samples_")
    name, _, time = stem.rpartition("_")
    return (name, time) if name else (stem, "")


def _results(file: Path) -> Mapping[str, Any]:
    if file.stat().st_size > _MOST_RESULTS:
        expected = f"at most {_MOST_RESULTS:,} bytes"
        raise TableError([_wrong(file, "", f"{file.stat().st_size:,} bytes", expected)])
    try:
        said = json.loads(file.read_bytes())  # NaN may stand there
    except ValueError as error:
        read = shown(str(error))
        raise TableError([_wrong(file, "", read, "the results of lm-eval")]) from None
    if not isinstance(said, dict):
        raise TableError([_wrong(file, "", "no object", "the results of lm-eval")])
    return said


def _wrong(file: Path, place: str, read: str, expected: str, *, remedy: str = "") -> Mistake:
    return Mistake(file=str(file), place=place, read=read, expected=expected, remedy=remedy)


class _Reader:
    """Reads one samples file; what it learns on the way becomes flags at the end."""

    def __init__(self, *, run: _Run, keep: str, metric: str, category: str) -> None:
        self.run, self.keep, self.metric, self.category = run, keep, metric, category
        self.chosen = bool(keep)
        self.hashes = hashlib.sha256()
        self.values: list[float] = []
        self.unscored = 0
        self.filters: dict[str, int] = {}

    def answers(self) -> Iterator[Answer]:
        lines = enumerate(self._lines(), start=1)
        for number, said in lines:
            self._check(said, number=number)
            name = said["filter"]
            self.filters[name] = self.filters.get(name, 0) + 1
            for part in ("doc_hash", "prompt_hash", "target_hash"):
                self.hashes.update(said[part].encode())
            self.keep = self.keep or name
            if name == self.keep:
                yield self._answer(said, number=number)
        self._one_filter()

    def _lines(self) -> Iterator[dict[str, Any]]:
        file = self.run.samples
        try:
            with file.open("rb") as stream:
                number = 0
                while line := stream.readline(_LONGEST_LINE):
                    number += 1
                    if len(line) == _LONGEST_LINE:
                        expected = f"lines of fewer than {_LONGEST_LINE:,} bytes"
                        raise TableError([_wrong(file, f"line {number}", "more", expected)])
                    yield _object(line, file=file, number=number)
        except OSError as error:
            read = error.strerror or "an error"
            raise TableError([_wrong(file, "", read, "samples of lm-eval")]) from None

    def _check(self, said: Mapping[str, Any], *, number: int) -> None:
        metrics = said.get("metrics", [])
        known = _KNOWN | set(map(str, metrics if isinstance(metrics, list) else []))
        place = f"line {number}"
        mistakes = [
            _wrong(self.run.samples, place, f"no {key}", f"the field {key} of lm-eval 0.4.13")
            for key in sorted(_KNOWN - said.keys())
        ]
        mistakes += [
            _wrong(
                self.run.samples,
                place,
                f"the field {shown(repr(key))}",
                "fields of lm-eval 0.4.13 and the metrics that it names",
                remedy="It was written by a version that this Dokja does not know; see "
                "docs/how-to/import-results.md.",
            )
            for key in sorted(said.keys() - known)
        ]
        if not isinstance(metrics, list) or not metrics:
            read = shown(repr(metrics))
            mistakes.append(_wrong(self.run.samples, f"{place}, metrics", read, "names of metrics"))
        mistakes += [
            _wrong(self.run.samples, f"{place}, {key}", shown(repr(said[key])), "text")
            for key in ("filter", "doc_hash", "prompt_hash", "target_hash")
            if key in said and not isinstance(said[key], str)
        ]
        if mistakes:
            raise TableError(mistakes)

    def _answer(self, said: Mapping[str, Any], *, number: int) -> Answer:
        value = self._value(said, number=number)
        texts = _texts(said["resps"])
        answer = _first(said["filtered_resps"])
        self.unscored += max(0, _repeats(said["resps"]) - 1)
        doc = said["doc"]
        category = None
        if self.category:
            category = str(doc.get(self.category, "")) if isinstance(doc, dict) else ""
        outcome, cause, charge = _outcome(value, texts=texts, answer=answer)
        if value is not None:
            self.values.append(value)
        return Answer(
            system=self.run.label,
            item=said["doc_hash"][:16],
            outcome=outcome,
            cause=cause,
            charge=charge,
            score=value if outcome is Outcome.SCORED else None,
            key=said["target_hash"][:16],
            content=said["prompt_hash"][:16],
            said=None if len(texts) > 1 else answer,
            reply=Digest.of("\0".join(texts).encode(errors="surrogatepass")).hex[:16],
            category=category,
        )

    def _value(self, said: Mapping[str, Any], *, number: int) -> float | None:
        if not self.metric:
            names = [str(each) for each in said["metrics"]]
            usual = [each for each in _USUAL if each in names]
            if len(names) != 1 and not usual:
                remedy = "Choose one with --metric: " + ", ".join(names)
                read = shown(f"metrics {', '.join(names)}")
                place = f"line {number}"
                wrong = _wrong(self.run.samples, place, read, "one metric", remedy=remedy)
                raise TableError([wrong])
            self.metric = usual[0] if usual else names[0]
        value = said.get(self.metric)
        if value is None:
            return None
        if isinstance(value, bool | int | float) and (math.isnan(value) or 0 <= value <= 1):
            return None if math.isnan(value) else float(value)
        place = f"line {number}, {self.metric}"
        expected = "a number in [0, 1], or a metric that has one for every document"
        remedy = "Choose another with --metric."
        raise TableError(
            [_wrong(self.run.samples, place, shown(repr(value)), expected, remedy=remedy)]
        )

    def _one_filter(self) -> None:
        if self.keep in self.filters and (len(self.filters) == 1 or self.chosen):
            return
        names = ", ".join(self.filters)
        remedy = f"Choose one with --filter: {names}"
        read = f"{len(self.filters)} filters, {shown(names)}"
        expected = "one filter, or every item would count several times"
        raise TableError([_wrong(self.run.samples, "filter", read, expected, remedy=remedy)])

    def flags(self) -> list[Flag]:
        """Return what was noticed, once all answers were read."""
        system, task = (self.run.label,), self.run.task
        flags = []
        if self.unscored:
            flags.append(raised("unscored_repeats", self.unscored, systems=system))
        planned = _inside(self.run.results, "n-samples", task, "effective")
        count = self.filters.get(self.keep, 0)
        if isinstance(planned, int) and planned > count:
            flags.append(raised("incomplete_log", planned - count, systems=system, planned=planned))
        printed = _inside(self.run.results, "results", task, f"{self.metric},{self.keep}")
        mean = sum(self.values) / len(self.values) if self.values else None
        if isinstance(printed, int | float) and mean is not None and abs(printed - mean) > _NEAR:
            told = {"printed": str(printed), "computed": str(mean)}
            figure = f"{self.metric},{self.keep}"
            flags.append(raised("claim_does_not_replay", 1, systems=system, figure=figure, **told))
        digest = _inside(self.run.results, "task_hashes", task)
        if isinstance(digest, str) and digest != self.hashes.hexdigest():
            told = {"printed": digest[:12], "computed": self.hashes.hexdigest()[:12]}
            flags.append(
                raised("claim_does_not_replay", 1, systems=system, figure="task_hashes", **told)
            )
        return flags


def _inside(said: Mapping[str, Any], *keys: str) -> object:
    value: Any = said
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _object(line: bytes, *, file: Path, number: int) -> dict[str, Any]:
    try:
        said = json.loads(line)  # NaN may stand there
    except ValueError as error:
        read = shown(str(error))
        raise TableError([_wrong(file, f"line {number}", read, "a JSON object")]) from None
    if not isinstance(said, dict):
        raise TableError([_wrong(file, f"line {number}", "another value", "a JSON object")])
    return said


def _texts(resps: object) -> list[str]:
    """Return the first reply to each request: text, or what was computed of a choice."""
    found = []
    for each in resps if isinstance(resps, list) else [resps]:
        first = each[0] if isinstance(each, list) and each else each
        found.append(first if isinstance(first, str) else json.dumps(first, ensure_ascii=False))
    return found


def _repeats(resps: object) -> int:
    first = resps[0] if isinstance(resps, list) and resps else None
    return len(first) if isinstance(first, list) else 1


def _first(filtered: object) -> str | None:
    value = filtered[0] if isinstance(filtered, list) and filtered else filtered
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else None


def _outcome(
    value: float | None, *, texts: Sequence[str], answer: str | None
) -> tuple[Outcome, Cause | None, Charge | None]:
    """Return what became of a document.

    Whether the filter or the model is to blame for an answer that could not be read out is not
    shown: nobody has audited the filter.
    """
    if value is None:
        return Outcome.MISSING, None, None
    if value == 0 and len(texts) == 1 and not texts[0].strip():
        return Outcome.INFRASTRUCTURE_ERROR, Cause.EMPTY_UNEXPLAINED, Charge.UNKNOWN
    if value == 0 and answer == _INVALID:
        return Outcome.NO_ANSWER, Cause.NOT_EXTRACTED, Charge.UNKNOWN
    return Outcome.SCORED, None, None
