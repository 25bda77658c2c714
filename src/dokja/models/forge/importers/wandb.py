"""Reads what Weights & Biases leaves: offline files, and tables exported as CSV.

An offline file `run-….wandb` is a log in LevelDB's form (github.com/google/leveldb,
doc/log_format.md): blocks of 32 KiB, records with a CRC-32, split where a block ends; before
them stand seven bytes, `:W&B`, a mark and a version. Each record is a `Record` message
(wandb/proto/wandb_internal.proto, wandb 0.31): field 2 is a row of the history, whose items
(field 1) hold a key (1 or 2) and a value in JSON (16), and whose step stands in field 2.

CSV comes in two forms: that of a chart, with a column `Step` and one `RUN - METRIC` a run, and
that of a run's whole history, with `_step`.
"""

import csv
import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any

from dokja.errors import LogError, Mistake
from dokja.models.forge.importers.faults import FaultKind
from dokja.models.forge.importers.files import LogFile
from dokja.models.forge.importers.lines import HISTORY_NOTE, STEP_KEYS, take_row
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.points import Points
from dokja.models.forge.importers.said import loads
from dokja.models.forge.importers.wire import WireError, fields
from dokja.values import shown

__all__ = ["OFFLINE_HEAD", "read_offline", "read_table"]

OFFLINE_HEAD = b":W&B" + struct.pack("<HB", 0xBEE1, 0)
"""How an offline file begins."""

_BLOCK = 32_768
_HEAD = struct.Struct("<IHB")
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4
_MAX_RECORD = 64 << 20
_MAX_COLUMNS = 10_000


def read_offline(file: LogFile) -> Metrics:
    """Return the history of an offline file of W&B.

    Raises:
        LogError: It is of another version of the format.
    """
    if not file.data.startswith(OFFLINE_HEAD):
        remedy = "Export the run's history as JSON Lines or CSV and hand in that: \
`wandb sync` it, then `wandb.Api().run(…).scan_history()`, or the export of its table."
        wrong = Mistake(
            file=str(file.path),
            place="",
            read="an offline file of another version",
            expected="version 0 of W&B's offline files",
            remedy=remedy,
        )
        raise LogError([wrong])
    points = Points(unit="record")
    for number, record in enumerate(_records(file.data, points), start=1):
        try:
            row = _history(record)
        except (WireError, ValueError, RecursionError) as error:
            read, expected = shown(str(error)), "a Record message of W&B"
            points.fault(FaultKind.UNREADABLE, place=number, read=read, expected=expected)
            continue
        if row:
            take_row(row, points, place=number)
    return points.metrics(kind="wandb", files=[file.named], notes=[HISTORY_NOTE])


def read_table(file: LogFile) -> Metrics:
    r"""Return the metrics of a CSV file that W&B exported.

    Raises:
        LogError: It has no column of steps, or shows several runs.

    Example:
        >>> from pathlib import Path
        >>> said = b'"Step","ours - train/loss","ours - train/loss__MIN"\n1,5.5,5.5\n2,5.25,5.25\n'
        >>> read_table(LogFile(path=Path("chart.csv"), data=said)).series["loss"].value.tolist()
        [5.5, 5.25]
    """
    text = file.data.decode("utf-8-sig", errors="replace")
    rows = csv.reader(io.StringIO(text, newline=""))
    try:
        head = next(rows, [])
    except csv.Error as error:
        raise _wrong(file, f"no table ({error})") from error
    columns = _columns(head, file)
    points = Points(unit="line")
    whole = text.endswith("\n")
    while True:
        try:
            cells = next(rows, None)
        except csv.Error as error:
            read, expected = shown(str(error)), "a row of the table"
            points.fault(FaultKind.UNREADABLE, place=rows.line_num, read=read, expected=expected)
            continue
        if cells is None:
            break
        _take_cells(cells, points, columns=columns, width=len(head), place=rows.line_num)
    if not whole and points:
        read = "a last line without an end, whose last value may have lost digits"
        expected = "a whole line; its values were kept"
        points.fault(FaultKind.CUT, place=rows.line_num, read=read, expected=expected)
    return points.metrics(kind="wandb-table", files=[file.named], notes=[HISTORY_NOTE])


def _take_cells(
    cells: list[str], points: Points, *, columns: dict[int, str], width: int, place: int
) -> None:
    if not cells:
        return
    if len(cells) != width:
        read, expected = f"{len(cells)} cells", f"{width}, as in the first line"
        points.fault(FaultKind.UNREADABLE, place=place, read=read, expected=expected)
        return
    row: dict[str, Any] = {}
    for column, name in columns.items():
        cell = cells[column].strip()
        if cell:
            try:
                row[name] = float(cell)
            except ValueError:
                row[name] = cell
    take_row(row, points, place=place)


def _columns(head: list[str], file: LogFile) -> dict[int, str]:
    """Return which columns are read, and what their metrics are called."""
    if len(head) > _MAX_COLUMNS:
        raise _wrong(file, f"{len(head)} columns")
    columns: dict[int, str] = {}
    runs: set[str] = set()
    for number, title in enumerate(head):
        run, dash, name = title.rpartition(" - ")
        if title in {"Step", *STEP_KEYS}:
            columns[number] = "_step" if title == "Step" else title
        elif not title.endswith(("__MIN", "__MAX")):
            columns[number] = name
            runs |= {run} if dash else set()
    if not set(columns.values()) & set(STEP_KEYS):
        raise _wrong(file, "no column of steps")
    if len(runs) > 1:
        raise _wrong(file, f"{len(runs)} runs: {', '.join(shown(run) for run in sorted(runs)[:9])}")
    return columns


def _wrong(file: LogFile, read: str) -> LogError:
    expected = "a table of one run, with a column `Step` or `_step`"
    remedy = "Export the history of one run: wandb.Api().run(…).history().to_csv(…)."
    wrong = Mistake(
        file=str(file.path), place="line 1", read=read, expected=expected, remedy=remedy
    )
    return LogError([wrong])


def _records(data: bytes, points: Points) -> Iterator[bytes]:
    """Yield the records whose checksums match."""
    at, parts, number = len(OFFLINE_HEAD), bytearray(), 0
    while at < len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEAD.size:  # the rest of a block is filled with zeros
            at += left
            continue
        number += 1
        if len(data) - at < _HEAD.size:
            _cut(points, number)
            return
        checksum, length, kind = _HEAD.unpack_from(data, at)
        start = at + _HEAD.size
        at = start + length
        if at > len(data):
            _cut(points, number)
            return
        if zlib.crc32(data[start:at], zlib.crc32(bytes([kind]))) != checksum:
            expected = "equal checksums; nothing of this record was used"
            points.fault(
                FaultKind.CHECKSUM, place=number, read="a wrong checksum", expected=expected
            )
            parts.clear()
            continue
        if kind in {_FULL, _FIRST}:
            parts.clear()
        if len(parts) + length > _MAX_RECORD:
            read, expected = "a record without an end", f"at most {_MAX_RECORD} bytes"
            points.fault(FaultKind.UNREADABLE, place=number, read=read, expected=expected)
            return
        parts += data[start:at]
        if kind in {_FULL, _LAST}:
            yield bytes(parts)
            parts.clear()
    if parts:
        _cut(points, number)


def _cut(points: Points, number: int) -> None:
    read, expected = "a record without its end", "a whole record"
    points.fault(FaultKind.CUT, place=number, read=read, expected=expected)


def _history(record: bytes) -> dict[str, Any]:
    """Return the row of a record of the history; an empty one for any other record.

    Raises:
        ValueError: It is no such message, or a value is no JSON.
    """
    row: dict[str, Any] = {}
    for number, _, history in fields(record):
        if number != 2 or not isinstance(history, bytes):  # noqa: PLR2004  # history
            continue
        for inner, _, part in fields(history):
            if not isinstance(part, bytes):
                continue
            if inner == 1:
                key, value = _item(part)
                row[key] = value
            elif inner == 2:  # noqa: PLR2004  # step
                row.update(("_step", num) for field, _, num in fields(part) if field == 1)
    return row


def _item(message: bytes) -> tuple[str, Any]:
    keys: list[str] = []
    value: Any = None
    for number, _, part in fields(message):
        if number in {1, 2} and isinstance(part, bytes):
            keys.append(part.decode("utf-8", errors="replace"))
        elif number == 16 and isinstance(part, bytes):  # noqa: PLR2004  # value_json
            value = loads(part)
    return "/".join(keys), value
