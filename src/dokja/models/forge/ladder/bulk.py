"""Reads event streams of millions of lines: their numbers together, block by block.

Lines as the forge's engines write them are cut by their keys, and their numbers parsed at once.
Whatever is written otherwise goes through `engines.lines`, one by one. Here it is only found out
whether a log hangs together; what exactly does not is the exact reader's to say.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.lines import Line, event_lines

__all__ = ["Break", "Moments", "Rows", "read_rows"]

Moments = NDArray[np.datetime64]

_PREFIX = b'{"kind":"steps","first":'
_KEYS = (
    (b',"last":', b"A"),
    (b',"tokens":[', b"B"),
    (b'],"loss":[', b"C"),
    (b'],"lr":[', b"D"),
    (b'],"grad_norm":[', b"E"),
    (b'],"instances":[', b"F"),
)
_AT = b'],"at":"'
_AT_BYTES = len("2026-01-02T12:00:00.000000Z")
_TAIL = len(_AT) + _AT_BYTES + len('"}')
_TAIL_FORM = np.frombuffer(_AT + b'0000-00-00T00:00:00.000000Z"}\n', dtype=np.uint8)
"""How a line ends; each 0 stands for a figure."""

_FIGURES = b"0123456789.e+-"
_BLOCK = 2_000  # such a block stays in a core's cache
_SMALL = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where a training's course was broken: `resume` or `interruption`, and after which step."""

    kind: str
    step: int
    at: datetime


@dataclass(slots=True)
class Rows:
    """Lines of steps in the order of the file, gathered block by block."""

    heads: list[NDArray[np.float64]] = field(default_factory=list)
    """First, last, tokens, two instances: shape `(lines, 5)`."""

    values: list[NDArray[np.float64]] = field(default_factory=list)
    """Step, loss, lr, grad_norm: shape `(steps, 4)`."""

    at: list[Moments] = field(default_factory=list)
    breaks: list[Break] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    spans: list[tuple[int, int]] = field(default_factory=list)
    """After how many lines of steps a start or resume stands, and at which step."""

    others: list[tuple[int, str, int, datetime]] = field(default_factory=list)
    """Every other event: after how many lines of steps, its kind, its step, its time."""

    lines: int = 0


def read_rows(pieces: Iterable[bytes]) -> tuple[Rows, bool]:
    """Return the lines of an event stream, and whether they are sound and hang together.

    Args:
        pieces: The stream, cut anywhere; what follows its last whole line makes it unsound.
    """
    rows = Rows()
    sound, rest = True, b""
    block: list[bytes] = []
    for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.startswith(_PREFIX) and len(block) < _BLOCK:
                block.append(line)
                continue
            sound &= _take_steps(block, rows)
            block = []
            if line.startswith(_PREFIX):
                block.append(line)
            else:
                sound &= _take_other(line, rows)
    sound &= _take_steps(block, rows)
    return rows, sound and not rest and _hangs_together(rows)


def _take_steps(block: Sequence[bytes], rows: Rows) -> bool:
    """Take lines that begin as lines of steps; return whether every one was understood."""
    if not block:
        return True
    if _in_bulk(block, rows):
        return True
    if len(block) <= _SMALL:
        lines, mistakes = event_lines(b"\n".join(block) + b"\n", file="")
        for line in lines:
            _take_line(line, rows)
        return not mistakes
    half = len(block) // 2
    first = _take_steps(block[:half], rows)
    return _take_steps(block[half:], rows) and first


def _in_bulk(block: Sequence[bytes], rows: Rows) -> bool:
    """Take lines written alike, or none of them.

    Every key is replaced by a letter. Where figures are left out, the lines must be the same
    letters and commas in the same order: then each number stands where its key says.
    """
    count = len(block)
    text = b"\n".join([line[len(_PREFIX) : -_TAIL] for line in block])
    tails = b"\n".join([line[-_TAIL:] for line in block])
    if len(tails) != count * (_TAIL + 1) - 1:
        return False
    for key, letter in _KEYS:
        text = text.replace(key, letter)
    marks = text.translate(None, _FIGURES)
    one = marks[: marks.find(b"\n")] if count > 1 else marks
    steps = one.count(b",") // 3 + 1
    between = b"," * (steps - 1)
    expected = b"ABC" + between + b"D" + between + b"E" + between + b"F,"
    if one != expected or marks != b"\n".join([expected] * count):
        return False
    numbers = _numbers(text.translate(_TO_COMMAS), count * (3 * steps + 5))
    at = _times(tails)
    if numbers is None or at is None:
        return False
    table = numbers.reshape(count, -1)
    heads = table[:, [0, 1, 2, -2, -1]]
    if not _sound_heads(heads, steps):
        return False
    told = table[:, 3 : 3 + 3 * steps].reshape(count, 3, steps).transpose(0, 2, 1).reshape(-1, 3)
    step = (heads[:, :1] + np.arange(steps)).reshape(-1, 1)
    rows.heads.append(heads)
    rows.values.append(np.concatenate([step, told], axis=1))
    rows.at.append(at)
    rows.lines += count
    return bool(np.isfinite(told).all())


_TO_COMMAS = bytes.maketrans(b"ABCDEF\n", b",,,,,,,")


def _numbers(text: bytes, count: int) -> NDArray[np.float64] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", DeprecationWarning)
        try:
            found = np.fromstring(text.decode("ascii"), dtype=np.float64, sep=",")
        except (DeprecationWarning, ValueError):
            return None
    return found if len(found) == count else None


def _times(tails: bytes) -> Moments | None:
    """Return the times of tails of one length, each on its line."""
    table = np.frombuffer(tails + b"\n", dtype=np.uint8).reshape(-1, _TAIL + 1)
    figures = (table >= ord("0")) & (table <= ord("9"))
    if ((table != _TAIL_FORM) & ~(figures & np.equal(_TAIL_FORM, ord("0")))).any():
        return None
    written = np.ascontiguousarray(table[:, len(_AT) : -4]).view("S26").reshape(-1)
    try:
        return written.astype("datetime64[us]")
    except ValueError:
        return None


def _sound_heads(heads: NDArray[np.float64], steps: int) -> bool:
    whole = bool((heads == np.floor(heads)).all() and (heads >= 0).all())
    return whole and bool((heads[:, 1] - heads[:, 0] == steps - 1).all())


def _take_other(raw: bytes, rows: Rows) -> bool:
    lines, mistakes = event_lines(raw + b"\n", file="")
    for line in lines:
        _take_line(line, rows)
    return not mistakes


def _take_line(line: Line, rows: Rows) -> None:
    values = line.values
    if line.kind != "steps":
        rows.others.append((rows.lines, line.kind, values["step"], values["at"]))
    match line.kind:
        case "steps":
            _take_steps_line(values, rows)
        case "start":
            rows.spans.append((rows.lines, values["step"]))
        case "resume":
            rows.spans.append((rows.lines, values["step"]))
            rows.breaks.append(Break(kind="resume", step=values["step"], at=values["at"]))
        case "interruption":
            rows.breaks.append(Break(kind="interruption", step=values["step"], at=values["at"]))
        case "end":
            rows.seconds.append(float(values["device_seconds"]))
        case _:
            pass


def _take_steps_line(values: Mapping[str, Any], rows: Rows) -> None:
    """Take one line of steps that the bulk reader left; lists of other lengths are cut alike."""
    told = np.array(list(zip(values["loss"], values["lr"], values["grad_norm"], strict=False)))
    first, last = values["first"], values["last"]
    step = first + np.arange(len(told), dtype=np.float64)
    head = [first, last, values["tokens"][0], *values["instances"]]
    rows.heads.append(np.array([head], dtype=np.float64))
    rows.values.append(np.concatenate([step[:, None], told], axis=1))
    at = values["at"].astimezone(UTC).replace(tzinfo=None)
    rows.at.append(np.array([at], dtype="datetime64[us]"))
    rows.lines += 1


def _hangs_together(rows: Rows) -> bool:
    """Tell whether lines follow each other; what exactly does not is the exact reader's to say."""
    if not rows.heads or not rows.spans or rows.spans[0][0] != 0:
        return False
    heads = np.concatenate(rows.heads)
    expected = np.empty(len(heads))
    expected[1:] = heads[:-1, 1] + 1
    for place, step in rows.spans:
        if place < len(heads):
            expected[place] = step + 1
    count = heads[:, 1] - heads[:, 0] + 1
    each = (heads[:, 4] - heads[:, 3]) / count
    return bool(
        (heads[:, 0] == expected).all()
        and (each == each[0]).all()
        and each[0] > 0
        and heads[0, 2] > 0
        and (heads[:, 3] == (heads[:, 0] - 1) * each).all()
        and (heads[:, 2] * heads[0, 1] == heads[0, 2] * heads[:, 1]).all()
        and (heads[:, 2] % heads[:, 1] == 0).all()
        and _others_fit(rows, heads)
        and _clock_runs_on(rows)
    )


def _clock_runs_on(rows: Rows) -> bool:
    at = np.concatenate(rows.at)
    places = [place for place, _, _, _ in rows.others]
    others = [said.replace(tzinfo=None) for _, _, _, said in rows.others]
    whole = np.insert(at, places, np.array(others, dtype="datetime64[us]"))
    return bool((np.diff(whole) >= np.timedelta64(0)).all())


def _others_fit(rows: Rows, heads: NDArray[np.float64]) -> bool:
    """Tell whether starts, resumes, checkpoints and ends stand where the steps have come to."""
    step: int | None = None
    since, furthest, over = 0, 0, False
    for place, kind, said, _ in rows.others:
        if place > since:
            if over or step is None:
                return False
            step = int(heads[place - 1, 1])
            furthest = max(furthest, int(heads[since:place, 1].max()))
            since = place
        wrong = (kind == "start") != (step is None) or (over and kind != "resume")
        if wrong or (kind == "resume" and said > furthest):
            return False
        if kind in {"start", "resume"}:
            step, furthest = said, max(furthest, said)
        elif said != step:
            return False
        over = kind == "end"
    return not (over and len(heads) > since)
