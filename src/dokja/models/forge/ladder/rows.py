"""What an event stream says as arrays, and whether it hangs together.

Only whether: what exactly does not is told by `engines.courses`, which looks at every line.
"""

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

__all__ = ["Break", "Moments", "Rows", "hangs_together"]

Moments = NDArray[np.datetime64]

_MOST = 2**62


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a training's course was broken: `resume` or `interruption`, and after which step."""

    kind: str
    step: int
    at: datetime


@dataclass(slots=True)
class Rows:
    """Lines of steps in the order of the file, gathered block by block."""

    heads: list[NDArray[np.int64]] = field(default_factory=list)
    """First, last, tokens, two instances: shape `(5, lines)`."""

    steps: list[NDArray[np.int64]] = field(default_factory=list)
    """Of how many steps each line tells."""

    told: list[NDArray[np.float64]] = field(default_factory=list)
    """Loss, lr, grad_norm: shape `(3, steps)`."""

    at: list[Moments] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """After how many lines of steps a start or resume stands, and at which step."""

    others: list[tuple[int, str, int, datetime]] = field(default_factory=list)
    """Every other event: after how many lines of steps, its kind, its step, its time."""

    lines: int = 0

    def join(self) -> None:
        """Make one array of each list of arrays; lists without any stay so."""
        for name, axis in (("heads", 1), ("steps", 0), ("told", 1), ("at", 0)):
            some = getattr(self, name)
            some[:] = [np.concatenate(some, axis=axis)] if some else []


def hangs_together(rows: Rows) -> bool:
    """Tell whether lines follow each other; what exactly does not is the exact reader's to say."""
    if not rows.heads or not rows.spans or rows.spans[0][0] != 0:
        return False
    (heads,) = rows.heads
    first, last, tokens, begin, end = heads
    count = last - first + 1
    tokens_each, batch = int(tokens[0] // last[0]) if last[0] else 0, int((end - begin)[0])
    batch //= max(int(count[0]), 1)
    if max(tokens_each, batch) * int(last.max()) >= _MOST:
        return False  # such products the exact reader has to make
    due = np.empty_like(first)
    due[1:] = last[:-1] + 1
    for place, step in rows.spans:
        if place < len(due):
            due[place] = step + 1
    return bool(
        min(tokens_each, batch) > 0
        and (first == due).all()
        and (count > 0).all()
        and (end - begin == count * batch).all()
        and (begin == (first - 1) * batch).all()
        and (tokens == last * tokens_each).all()
        and _others_fit(rows, last)
        and _clock_runs_on(rows)
    )


def _clock_runs_on(rows: Rows) -> bool:
    (at,) = rows.at
    places = [place for place, _, _, _ in rows.others]
    others = [said.replace(tzinfo=None) for _, _, _, said in rows.others]
    whole = np.insert(at, places, np.array(others, dtype="datetime64[us]"))
    return bool((np.diff(whole) >= np.timedelta64(0)).all())


def _others_fit(rows: Rows, last: NDArray[np.int64]) -> bool:
    """Tell whether starts, resumes, checkpoints and ends stand where the steps have come to."""
    step: int | None = None
    since, furthest, over = 0, 0, False
    for place, kind, said, _ in rows.others:
        if place > since:
            if over or step is None:
                return False
            step = int(last[place - 1])
            furthest = max(furthest, int(last[since:place].max()))
            since = place
        wrong = (kind == "start") != (step is None) or (over and kind != "resume")
        if wrong or (kind == "resume" and said > furthest):
            return False
        if kind in {"start", "resume"}:
            step, furthest = said, max(furthest, said)
        elif said != step and not (kind == "checkpoint" and said < (step or 0)):
            return False
        over = kind == "end"
    return not (over and len(last) > since)
