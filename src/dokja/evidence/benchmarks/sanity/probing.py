"""The sanity suite's own items and labelled replies, written for it: Korean and English."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.outcomes import Cause, Outcome
from dokja.evidence.benchmarks.scorers import Choice, CodeTest, Reply, Task
from dokja.values import Json, parse_json, shown

__all__ = ["Labelled", "labelled_replies", "probe_tasks", "read_labelled", "solutions"]

_LABELS = "ABCDEFGHIJ"
_TURNS = 5  # items on which each shape of a reply is tried
_KIND_OF = {"exact-text/1": "exact", "judge": "exact", "pattern": "exact"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A reply and what a person reads in it.

    Attributes:
        task: The item.
        reply: The reply.
        says: The answer that stands in it; None if there is none.
        outcome: What must become of it, where it says nothing.
        cause: Why, where that is known.
    """

    task: Task
    reply: Reply
    says: str | None
    outcome: Outcome | None = None
    cause: Cause | None = None


def probe_tasks(kind: str) -> tuple[Task, ...]:
    """Return the built-in items for a kind of scorer."""
    rows = _rows(f"{_KIND_OF.get(kind, kind)}.jsonl")
    return tuple(_task(row) for row in rows)


def solutions() -> Mapping[str, str]:
    """Return a right program for each built-in programming item, by its id."""
    return {str(row["id"]): str(row["solution"]) for row in _rows("code.jsonl")}


def labelled_replies(kind: str, declared: Mapping[str, Json]) -> tuple[Labelled, ...]:
    """Return the built-in labelled replies for a kind of scorer; empty if there are none.

    Args:
        kind: Of the scorer.
        declared: Its declaration; where two answers are two answers whatever stands between them,
            replies that take one back say nothing.
    """
    tasks = {task.id: task for task in probe_tasks(kind)} if kind != "pattern" else {}
    if kind == "choice":
        options = declared.get("options")
        strict = isinstance(options, Mapping) and options.get("change_of_mind") == "several"
        rows = [row for row in _rows("choice-replies.jsonl") if not (strict and "turns" in row)]
        return tuple(_labelled(row, tasks) for row in rows)
    if kind not in {"exact", "numeric"}:
        return ()
    ordered = [*tasks.values()]
    shapes = [str(row["shape"]) for row in _rows("shapes.jsonl") if row["kind"] == kind]
    found = []
    for place, shape in enumerate(shapes):
        for turn in range(_TURNS):
            task = ordered[(place * _TURNS + turn) % len(ordered)]
            text = shape.replace("{key}", task.keys[0]).replace("{{", "{").replace("}}", "}")
            found.append(Labelled(task=task, reply=Reply(text=text), says=task.keys[0]))
    return tuple(found)


def read_labelled(path: Path, tasks: Sequence[Task]) -> tuple[Labelled, ...]:
    """Return the labelled replies of a suite: JSON Lines with `item`, `reply`, and what it says.

    Args:
        path: The file.
        tasks: The suite's items.

    Raises:
        SuiteError: A line cannot be used; every mistake at once.
    """
    known = {task.id: task for task in tasks}
    found: list[Labelled] = []
    mistakes: list[Mistake] = []
    for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not line.strip():
            continue
        expected = "an object with item, reply, and says or outcome"
        place = f"line {number}"
        try:
            row = parse_json(line)
            found.append(_labelled(row, known))
        except (ValueError, KeyError, TypeError) as error:
            read = shown(str(error))
            mistakes.append(Mistake(file=str(path), place=place, read=read, expected=expected))
    if mistakes:
        raise SuiteError(mistakes)
    return tuple(found)


def _labelled(row: Mapping[str, Any], tasks: Mapping[str, Task]) -> Labelled:
    reply = Reply(
        text=str(row["reply"]),
        finish=row.get("finish", "stop"),
        tokens_out=row.get("tokens"),
    )
    says = row.get("says")
    return Labelled(
        task=tasks[row["item"]],
        reply=reply,
        says=None if says is None else str(says),
        outcome=None if says is not None else Outcome(row["outcome"]),
        cause=Cause(row["cause"]) if "cause" in row else None,
    )


def _task(row: Mapping[str, Any]) -> Task:
    choices = tuple(
        Choice(label=label, text=text)
        for label, text in zip(_LABELS, row.get("choices", ()), strict=False)
    )
    tests = tuple(
        CodeTest(stdin=test["stdin"], stdout=test["stdout"]) for test in row.get("tests", ())
    )
    return Task(
        id=row["id"],
        keys=tuple(row["keys"]),
        choices=choices,
        prompt=row["prompt"],
        language=row["language"],
        tests=tests,
    )


@cache
def _rows(name: str) -> tuple[Mapping[str, Any], ...]:
    text = files(__package__).joinpath("probes", name).read_text(encoding="utf-8")
    return tuple(parse_json(line) for line in text.split("\n") if line)
