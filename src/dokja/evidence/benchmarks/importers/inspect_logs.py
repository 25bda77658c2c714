"""Reads logs of Inspect: `.eval` in either shape of its samples, and `.json`.

"success" says nothing about completeness: the answers that the log plans (its sample ids, times
epochs) are compared with those it holds. A stop for length is `truncated`, a content filter is
`filtered`, a sample's error is a fault, a score that is null or NaN stays missing. Whose doing a
non-answer is, a log of Inspect does not show: neither the budget nor the extraction was audited.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.gathering import Answer, Gathering, ReadLog
from dokja.evidence.benchmarks.importers.inspect_samples import (
    MOST_EPOCHS,
    Reading,
    Unreadable,
    read_sample,
)
from dokja.evidence.benchmarks.importers.zips import ZipEntries, open_zip
from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.tables import Flag
from dokja.values import shown

__all__ = ["read_inspect"]

_VERSION = 2
_MOST_JSON = 256 * 2**20
_MOST_PLANNED = 50_000_000
_ENTRIES = re.compile(
    r"header\.json|summaries\.json|reductions\.json"
    r"|_journal/(start\.json|summaries/\d+\.json|config_updates/\d+\.json)"
    r"|samples/.+_epoch_\d+(\.json|/(sample|metadata|skeleton)\.json"
    r"|/(messages|events|calls|attachments)/\d+\.json|/events/(stats|uuids)\.json)"
)
_SAMPLE = re.compile(r"samples/.+_epoch_\d+(\.json|/sample\.json)")
_READ = re.compile(r"samples/.+_epoch_\d+(\.json|/sample\.json)|_journal/summaries/\d+\.json")
_SUMMARIES = re.compile(r"_journal/summaries/\d+\.json")
_NONE = re.compile(r"(?!)")
_NEAR = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """The head of a log and where its samples are.

    Attributes:
        file: The log.
        head: `eval`, and what else stands before the samples.
        finished: Whether it was closed: an interrupted one has no header.
    """

    file: Path
    head: Mapping[str, Any]
    finished: bool

    @property
    def spec(self) -> Mapping[str, Any]:
        """What was evaluated."""
        spec = self.head.get("eval")
        return spec if isinstance(spec, dict) else {}


def read_inspect(path: Path, *, task: str = "", scorer: str = "", category: str = "") -> ReadLog:
    """Return the answers in a log, or in all logs below a folder.

    Args:
        path: A `.eval` or `.json` log of Inspect, or a folder that holds some.
        task: Which task, where there are several.
        scorer: Whose scores, where a sample has several.
        category: Which key of a sample's metadata names its category; empty for none.

    Raises:
        TableError: Something is unreadable, hostile or unknown to this Dokja, or there are several
            of what only one can be read of.
        ExtraMissingError: The log is compressed with Zstandard and the package for it is missing.
    """
    logs = _chosen(_logs(path), path, task=task)
    gathering = Gathering(file=str(path), suite=str(logs[0].spec.get("task", "")))
    labels = _labels(logs)
    flags: list[Flag] = []
    for log, label in zip(logs, labels, strict=True):
        reader = _Reader(log=log, label=label, scorer=scorer, category=category)
        for answer in reader.answers():
            gathering.add(answer)
        flags += reader.flags()
    unfinished = any(flag.name == "incomplete_log" for flag in flags)
    return ReadLog(rows=gathering.rows(), flags=tuple(flags), unfinished=unfinished)


def _logs(path: Path) -> list[_Log]:
    files = [path] if path.is_file() else sorted([*path.rglob("*.eval"), *path.rglob("*.json")])
    if not files:
        expected = "logs of Inspect: .eval or .json"
        raise TableError([_wrong(path, "", "no such file", expected)])
    return [_head(file) for file in files]


def _wrong(file: Path | str, place: str, read: str, expected: str, *, remedy: str = "") -> Mistake:
    return Mistake(file=str(file), place=place, read=read, expected=expected, remedy=remedy)


def _head(file: Path) -> _Log:
    if file.suffix == ".eval":
        with open_zip(file, known=_ENTRIES, listed=_NONE) as entries:
            name = "header.json" if "header.json" in entries else "_journal/start.json"
            if name not in entries:
                expected = "header.json or _journal/start.json"
                raise TableError([_wrong(file, "", "neither", expected)])
            head = _object(entries.read(name), file=file, place=name)
        finished = name == "header.json"
    else:
        head = _whole(file)
        finished = True
    if head.get("version") != _VERSION or not isinstance(head.get("eval"), dict):
        read = f"version {shown(repr(head.get('version')))}"
        expected = f"a log of Inspect of version {_VERSION}"
        remedy = "Convert it with: inspect log convert"
        raise TableError([_wrong(file, "version", read, expected, remedy=remedy)])
    return _Log(file=file, head=head, finished=finished)


def _whole(file: Path) -> dict[str, Any]:
    try:
        size = file.stat().st_size
        if size > _MOST_JSON:
            remedy = "Convert it with: inspect log convert --to eval"
            read, expected = f"{size:,} bytes", f"at most {_MOST_JSON:,}, which are read at once"
            raise TableError([_wrong(file, "", read, expected, remedy=remedy)])
        return _object(file.read_bytes(), file=file, place="")
    except OSError as error:
        read = error.strerror or "an error"
        raise TableError([_wrong(file, "", read, "a log of Inspect")]) from None


def _object(data: bytes, *, file: Path | str, place: str) -> dict[str, Any]:
    try:
        said = json.loads(data)  # NaN may stand there
    except (ValueError, RecursionError) as error:
        raise TableError([_wrong(file, place, shown(str(error)), "a JSON object")]) from None
    if not isinstance(said, dict):
        raise TableError([_wrong(file, place, "no object", "a JSON object")])
    return said


def _list(data: bytes, *, file: Path, place: str) -> list[Any]:
    try:
        said = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise TableError([_wrong(file, place, shown(str(error)), "a JSON list")]) from None
    if not isinstance(said, list):
        raise TableError([_wrong(file, place, "no list", "a JSON list")])
    return said


def _chosen(logs: list[_Log], path: Path, *, task: str) -> list[_Log]:
    tasks = sorted({str(log.spec.get("task")) for log in logs})
    if task and task not in tasks:
        expected = "one of " + ", ".join(tasks)
        raise TableError([_wrong(path, "--task", shown(repr(task)), expected)])
    if len(tasks) > 1 and not task:
        remedy = "Choose one with --task: " + ", ".join(tasks)
        raise TableError([_wrong(path, "", f"{len(tasks)} tasks", "one task", remedy=remedy)])
    sharded = [log for log in logs if log.spec.get("shards")]
    if sharded:
        expected = "a log that holds its samples itself"
        raise TableError([_wrong(log.file, "eval.shards", "shards", expected) for log in sharded])
    return [log for log in logs if not task or log.spec.get("task") == task]


def _labels(logs: list[_Log]) -> list[str]:
    """Return the model of each log, with the time where it stands in several."""
    models = [str(log.spec.get("model", log.file.stem)) for log in logs]
    labels = [
        model if models.count(model) == 1 else f"{model} {log.spec.get('created', '')}"
        for log, model in zip(logs, models, strict=True)
    ]
    return [
        label if labels.count(label) == 1 else f"{label} {log.spec.get('eval_id', '')}"
        for log, label in zip(logs, labels, strict=True)
    ]


class _Reader:
    """Reads the samples of one log; what it learns on the way becomes flags at the end."""

    def __init__(self, *, log: _Log, label: str, scorer: str, category: str) -> None:
        self.log, self.label, self.scorer, self.category = log, label, scorer, category
        self.planned = 0
        self.absent = 0
        self.unscored = 0
        self.sums: dict[str, list[float]] = {}

    def answers(self) -> Iterator[Answer]:
        seen: dict[str, int] = {}  # the epochs of an item, as bits
        for said, place in self._samples():
            answer = self._answer(said, place=place)
            epochs = seen.get(answer.item, 0)
            if epochs >> answer.epoch & 1:
                continue
            seen[answer.item] = epochs | 1 << answer.epoch
            yield answer
        for item, epoch in self._plan():
            self.planned += 1
            if not seen.get(item, 0) >> epoch & 1:
                self.absent += 1
                yield Answer(
                    system=self.label,
                    item=item,
                    epoch=epoch,
                    outcome=Outcome.NOT_RUN,
                    cause=Cause.STOPPED,
                )

    def _plan(self) -> Iterator[tuple[str, int]]:
        dataset = self.log.spec.get("dataset")
        config = self.log.spec.get("config")
        told = dataset.get("sample_ids") if isinstance(dataset, dict) else None
        ids = list(dict.fromkeys(map(str, told if isinstance(told, list) else ())))
        said = config.get("epochs") if isinstance(config, dict) else None
        epochs = said if isinstance(said, int) else 1
        if epochs > MOST_EPOCHS or len(ids) * epochs > _MOST_PLANNED:
            read = f"{len(ids):,} items in {epochs:,} epochs"
            expected = f"at most {MOST_EPOCHS:,} epochs and {_MOST_PLANNED:,} answers"
            raise TableError([_wrong(self.log.file, "eval", read, expected)])
        for epoch in range(epochs):
            for item in ids:
                yield item, epoch

    def _samples(self) -> Iterator[tuple[Mapping[str, Any], str]]:
        if self.log.file.suffix != ".eval":
            listed = self.log.head.get("samples")
            for number, said in enumerate(listed if isinstance(listed, list) else (), start=1):
                yield said if isinstance(said, dict) else {}, f"sample {number}"
            return
        with open_zip(self.log.file, known=_ENTRIES, listed=_READ) as entries:
            for name in entries.names:
                if _SAMPLE.fullmatch(name):
                    said = _object(entries.read(name), file=self.log.file, place=name)
                    yield self._joined(said, name, entries=entries), name
            if not self.log.finished:
                yield from self._summaries(entries)

    def _joined(self, said: dict[str, Any], name: str, *, entries: ZipEntries) -> dict[str, Any]:
        """Return a sample with what a chunked one keeps in entries beside it."""
        if not name.endswith("/sample.json"):
            return said
        folder = name.removesuffix("/sample.json")
        metadata = f"{folder}/metadata.json"
        if self.category and metadata in entries:
            read = entries.read(metadata)
            said = {**said, "metadata": _object(read, file=self.log.file, place=metadata)}
        if "attachment://" in json.dumps(said.get("input")):
            texts: list[object] = []
            while (chunk := f"{folder}/attachments/{len(texts)}.json") in entries:
                more = _list(entries.read(chunk), file=self.log.file, place=chunk)
                if not more:
                    break
                texts += more
            said = {**said, "attachments": {str(n): text for n, text in enumerate(texts)}}
        return said

    def _summaries(self, entries: ZipEntries) -> Iterator[tuple[Mapping[str, Any], str]]:
        """Give what the journal tells of samples that were not written themselves."""
        for name in entries.names:
            if _SUMMARIES.fullmatch(name):
                for said in _list(entries.read(name), file=self.log.file, place=name):
                    yield said if isinstance(said, dict) else {}, name

    def _answer(self, said: Mapping[str, Any], *, place: str) -> Answer:
        try:
            reading = Reading(label=self.label, scorer=self.scorer, category=self.category)
            answer, value = read_sample(said, reading)
        except RecursionError:
            wrong = _wrong(self.log.file, place, "lists in lists without end", "a sample")
            raise TableError([wrong]) from None
        except Unreadable as error:
            read, expected, remedy = error.told
            wrong = _wrong(self.log.file, place, read, expected, remedy=remedy)
            raise TableError([wrong]) from None
        if answer.outcome is Outcome.MISSING:
            self.unscored += 1
        if value is not None:
            self.sums.setdefault(answer.item, []).append(value)
        return answer

    def flags(self) -> list[Flag]:
        """Return what was noticed, once all answers were read."""
        system = (self.label,)
        flags = []
        lacking = self.absent + self.unscored
        if lacking or not self.log.finished:
            flags.append(
                raised(
                    "incomplete_log",
                    lacking,
                    systems=system,
                    planned=self.planned,
                    not_there=self.absent,
                    not_scored=self.unscored,
                    closed="yes" if self.log.finished else "no",
                    status=str(self.log.head.get("status", "unknown")),
                )
            )
        return [*flags, *self._printed()]

    def _printed(self) -> list[Flag]:
        """Compute again what the log prints, where it is a plain mean over items."""
        config = self.log.spec.get("config")
        reducers = config.get("epochs_reducer") if isinstance(config, dict) else None
        results = self.log.head.get("results")
        scores = results.get("scores") if isinstance(results, dict) else None
        if reducers not in (None, ["mean"]) or not isinstance(scores, list) or not self.sums:
            return []
        means = [sum(values) / len(values) for values in self.sums.values()]
        computed = sum(means) / len(means)
        flags = []
        for each in scores:
            printed = _accuracy(each, scorer=self.scorer)
            if printed is not None and abs(printed - computed) > _NEAR:
                told = {"printed": f"{printed:.6f}", "computed": f"{computed:.6f}"}
                flags.append(
                    raised(
                        "claim_does_not_replay",
                        1,
                        systems=(self.label,),
                        figure=f"{each.get('name')} accuracy",
                        **told,
                    )
                )
        return flags


def _accuracy(said: object, *, scorer: str) -> float | None:
    if not isinstance(said, dict) or (scorer and said.get("name") != scorer):
        return None
    metrics = said.get("metrics")
    accuracy = metrics.get("accuracy") if isinstance(metrics, dict) else None
    value = accuracy.get("value") if isinstance(accuracy, dict) else None
    return float(value) if isinstance(value, int | float) else None
