"""Reads event streams of millions of lines: their numbers together, piece by piece.

Lines as the forge's engines write them are found by their commas, and what stands between is cut
out and turned into numbers column by column, see `ladder.figures`. Whatever is written otherwise
goes through `engines.lines`, one by one. Here it is only found out whether a log hangs together;
what exactly does not is the exact reader's to say.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.engines.lines import Line, event_lines
from dokja.models.forge.ladder.figures import (
    PAD,
    Places,
    Words,
    is_written,
    moments,
    reals,
    wholes,
    words_of,
)
from dokja.models.forge.ladder.rows import Break, Rows, hangs_together

__all__ = ["read_rows"]

_PREFIX = b'{"kind":"steps","first":'
_KIND = len(b'{"kind":"steps"')
_LISTS = (b'],"loss":[', b'],"lr":[', b'],"grad_norm":[', b'],"instances":[')
_AT = b'],"at":"'
_CLOSED = int.from_bytes(b'Z"}', "little")
_TAIL = len(b',"at":"2026-01-02T12:00:00.000000Z"}')
_COMMAS = 9
"""In a line of one step; each further step has three more."""

_SMALL = 8
_COMMA, _LINE_END = ord(","), ord("\n")


def read_rows(pieces: Iterable[bytes]) -> tuple[Rows, bool]:
    """Return the lines of an event stream, and whether they are sound and hang together.

    Args:
        pieces: The stream, cut anywhere; what follows its last whole line makes it unsound.
    """
    rows = Rows()
    sound, rest = True, b""
    for piece in pieces:
        text = b"".join([PAD, rest, piece, PAD])
        end = text.rfind(b"\n") + 1
        if end:
            sound &= _take_lines(_Piece.of(text, end), rows)
        rest = text[max(end, len(PAD)) : -len(PAD)]
    rows.join()
    return rows, sound and not rest and hangs_together(rows)


class _Piece(NamedTuple):
    """Whole lines, and where in their text each begins and ends and each comma stands."""

    text: bytes
    words: Words
    starts: Places
    stops: Places
    commas: Places

    @classmethod
    def of(cls, text: bytes, end: int) -> "_Piece":
        """Return the lines of a text with `PAD` around it, up to the end of the last."""
        signs = np.frombuffer(text, dtype=np.uint8)[:end]
        stops = np.flatnonzero(signs == _LINE_END)
        starts = np.concatenate([[len(PAD)], stops[:-1] + 1])
        return cls(text, words_of(text), starts, stops, np.flatnonzero(signs == _COMMA))

    def part(self, first: int, last: int) -> "_Piece":
        """Return some of the lines."""
        begin, end = np.searchsorted(self.commas, [self.starts[first], self.stops[last - 1]])
        return self._replace(
            starts=self.starts[first:last],
            stops=self.stops[first:last],
            commas=self.commas[begin:end],
        )

    def lines(self) -> bytes:
        """Return the lines themselves."""
        return self.text[self.starts[0] : self.stops[-1] + 1]


def _take_lines(piece: _Piece, rows: Rows) -> bool:
    """Take lines; return whether every one was understood."""
    told = np.ones(len(piece.starts), dtype=bool)
    for at in (0, 8, 16):
        words = piece.words[piece.starts + at]
        told &= words == int.from_bytes(_PREFIX[at : at + 8], "little")
    edges = [0, *(np.flatnonzero(told[1:] != told[:-1]) + 1).tolist(), len(told)]
    sound = True
    for first, last in pairwise(edges):
        some = piece.part(first, last)
        sound &= _take_steps(some, rows) if told[first] else _take_others(some.lines(), rows)
    return sound


def _take_steps(piece: _Piece, rows: Rows) -> bool:
    """Take lines that begin as lines of steps; return whether every one was understood."""
    count = len(piece.starts)
    if count <= _SMALL:
        return _in_bulk(piece, rows) or _take_others(piece.lines(), rows)
    if _in_bulk(piece, rows):
        return True
    half = count // 2
    first = _take_steps(piece.part(0, half), rows)
    return _take_steps(piece.part(half, count), rows) and first


def _in_bulk(piece: _Piece, rows: Rows) -> bool:
    """Take lines written alike, or none of them.

    Every comma stands before a key or between two numbers: where each key is written out before
    its comma or after it, and nothing but a number between, a line is wholly understood.
    """
    count = len(piece.starts)
    steps, more = divmod(len(piece.commas) // count - _COMMAS + 3, 3)
    if steps < 1 or more or len(piece.commas) % count:
        return False
    commas = np.ascontiguousarray(piece.commas.reshape(count, -1).T)
    if not _in_order(piece, commas, steps):
        return False
    heads = _heads(piece, commas, steps)
    told = _told(piece, commas, steps)
    at = moments(piece.text, piece.words, commas[-1] + len(_AT) - 1)
    if heads is None or told is None or at is None:
        return False
    if (heads[1] - heads[0] != steps - 1).any() or not np.isfinite(told).all():
        return False
    rows.heads.append(heads)
    rows.steps.append(np.full(count, steps))
    rows.told.append(told)
    rows.at.append(at)
    rows.lines += count
    return True


def _in_order(piece: _Piece, commas: Places, steps: int) -> bool:
    """Tell whether every line has its commas, and every key where its comma says."""
    words = piece.words
    return (
        bool((commas[0] == piece.starts + _KIND).all())
        and bool((commas[-1] == piece.stops - _TAIL).all())
        and is_written(words, commas[1], b',"last":')
        and is_written(words, commas[2], b',"tokens":[')
        and all(
            is_written(words, commas[3 + nth * steps] - 1, key) for nth, key in enumerate(_LISTS)
        )
        and is_written(words, commas[-1] - 1, _AT)
        and bool((words[piece.stops - 8] >> np.uint64(40) == _CLOSED).all())
    )


def _heads(piece: _Piece, commas: Places, steps: int) -> NDArray[np.int64] | None:
    instances = 3 + 3 * steps
    found = [
        wholes(piece.words, commas[at] + len(key), commas[at + 1] - closed)
        for at, key, closed in (
            (0, b',"first":', 0),
            (1, b',"last":', 0),
            (2, b',"tokens":[', 1),
            (instances, b',"instances":[', 0),
            (instances + 1, b",", 1),
        )
    ]
    return None if any(one is None for one in found) else np.array(found)


def _told(piece: _Piece, commas: Places, steps: int) -> NDArray[np.float64] | None:
    """Return losses, rates and norms: shape `(3, lines * steps)`."""
    found = []
    for at, key in zip(range(3, 3 + 3 * steps, steps), _LISTS, strict=False):
        starts, stops = commas[at : at + steps] + 1, commas[at + 1 : at + steps + 1].copy()
        starts[0] += len(key) - len("],")
        stops[-1] -= 1
        found.append(reals(piece.text, piece.words, starts.T.ravel(), stops.T.ravel()))
    return None if any(one is None for one in found) else np.array(found)


def _take_others(lines: bytes, rows: Rows) -> bool:
    """Take whole lines one by one."""
    found, mistakes = event_lines(lines, file="")
    for line in found:
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
    lists = (values["loss"], values["lr"], values["grad_norm"])
    told = np.array(list(zip(*lists, strict=False)), dtype=np.float64)
    head = [values["first"], values["last"], values["tokens"][0], *values["instances"]]
    rows.heads.append(np.array(head, dtype=np.int64)[:, np.newaxis])
    rows.steps.append(np.array([len(told)]))
    rows.told.append(told.T)
    at = values["at"].astimezone(UTC).replace(tzinfo=None)
    rows.at.append(np.array([at], dtype="datetime64[us]"))
    rows.lines += 1
