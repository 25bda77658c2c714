"""Reads the text logs of torchtitan and Megatron, as they stand in a job's output.

torchtitan 0.3.0 (torchtitan/components/metrics.py, `MetricsProcessor.log`), colours taken out:

    [titan] 2026-01-02 03:04:05,678 - root - INFO - step:  1  loss:  8.13250  grad_norm:  1.5211
    memory:  1.50GiB(1.90%)  tps: 7,213  tflops: 3.21  mfu: 1.03%

Megatron-LM 0.16 and Megatron-Bridge 0.3.1 (`training_log`), on one line:

     [2026-01-02 03:04:05.123456] iteration       10/     500 | consumed samples:         2560 |
    elapsed time per iteration (ms): 812.3 | learning rate: 1.500000E-05 | global batch size:
      256 | lm loss: 1.085731E+01 | loss scale: 1.0 | grad norm: 5.123 | number of skipped
    iterations:   0 | number of nan iterations:   0 |

Both print local time without a zone, so that whoever reads the log must say which.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dokja.models.forge.importers.faults import FaultKind
from dokja.models.forge.importers.files import LogFile
from dokja.models.forge.importers.lines import numbered_lines
from dokja.models.forge.importers.metrics import Metrics
from dokja.models.forge.importers.points import Points
from dokja.values import shown

__all__ = ["MEGATRON_LINE", "TITAN_LINE", "read_megatron", "read_titan"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:[.,]\d{1,6})?)")
_NUMBER = r"[-+]?(?:\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?|nan|inf)"
_LONGEST_LINE = 16_384

TITAN_LINE = re.compile(rf"(?<!validate )\bstep:\s*(\d+)\s+loss:\s*({_NUMBER})\b")
"""What a line of torchtitan's training log has in it."""

MEGATRON_LINE = re.compile(r"\biteration\s+(\d+)/\s*\d+ \|")
"""What a line of Megatron's training log has in it."""

_TITAN_PAIR = re.compile(rf"\b(loss|grad_norm|tps|tflops|mfu):\s*({_NUMBER})")
_MEGATRON_PAIR = re.compile(rf"^\s*(?:\[[^\]]*\]\s*)?([^:|]+?):\s+({_NUMBER})\s*$")
_ZONE_NOTE = (
    "It prints local time without a zone; times were taken to be {minutes:+d} min from UTC."
)
_TITAN_NOTES = (
    "loss and grad_norm are those of the step itself, rounded to five and four places.",
    "The learning rate and the tokens stand only in its TensorBoard files.",
)
_MEGATRON_NOTES = (
    "lm loss is the mean over the iterations since the line before (`--log-interval`).",
    "learning rate was read after the scheduler had moved on: it is that of the next iteration.",
    "A loss that is NaN is left out of the line, and not printed as NaN.",
)
_MEGATRON_TOTALS = frozenset({"number of nan iterations", "number of skipped iterations"})


def read_titan(file: LogFile, *, utc_offset_minutes: int = 0) -> Metrics:
    """Return the metrics of a job's output in which torchtitan logged.

    Args:
        file: The output.
        utc_offset_minutes: How far the clock that it prints is ahead of UTC: 540 for Korea.

    Example:
        >>> from pathlib import Path
        >>> said = b"[titan] 2026-01-02 03:04:05,678 - root - INFO - step:  1  loss:  8.13250  \
grad_norm:  1.5211  memory:  1.50GiB(1.90%)  tps: 7,213  tflops: 3.21  mfu: 1.03%"
        >>> read = read_titan(LogFile(path=Path("job.out"), data=said), utc_offset_minutes=540)
        >>> {name: series.value.tolist() for name, series in read.series.items()}["tps"]
        [7213.0]
        >>> str(read.series["loss"].at[0])
        '2026-01-01T18:04:05.678000'
    """
    points = Points(unit="line")
    for number, line in _texts(file.data):
        found = TITAN_LINE.search(line)
        if found is None:
            continue
        if "mfu:" not in line:  # its last number may have lost digits
            _cut(points, number, line)
            continue
        seconds = _seconds(line, utc_offset_minutes)
        for name, value in _TITAN_PAIR.findall(line):
            points.add(name, _float(value), step=int(found[1]), seconds=seconds, place=number)
    notes = (*_TITAN_NOTES, _ZONE_NOTE.format(minutes=utc_offset_minutes))
    averaged = {"loss": False, "grad_norm": False}
    return points.metrics(kind="torchtitan", files=[file.named], averaged=averaged, notes=notes)


def read_megatron(file: LogFile, *, utc_offset_minutes: int = 0) -> Metrics:
    """Return the metrics of a job's output in which Megatron logged.

    Args:
        file: The output.
        utc_offset_minutes: How far the clock that it prints is ahead of UTC: 540 for Korea.
    """
    points = Points(unit="line")
    for number, line in _texts(file.data):
        found = MEGATRON_LINE.search(line)
        if found is None:
            continue
        step, seconds = int(found[1]), _seconds(line[: found.end()], utc_offset_minutes)
        pairs = dict(_pairs(line[found.end() :]))
        for name, value in pairs.items():
            points.add(name, value, step=step, seconds=seconds, place=number)
        if not line.rstrip().endswith("|"):
            _cut(points, number, line)
        elif not any(name.endswith("loss") for name in pairs):
            _without_loss(points, number, step, pairs)
    notes = (*_MEGATRON_NOTES, _ZONE_NOTE.format(minutes=utc_offset_minutes))
    return points.metrics(
        kind="megatron",
        files=[file.named],
        averaged={"loss": True, "grad_norm": False},
        leads={"lr": 1},
        notes=notes,
    )


def _texts(data: bytes) -> Iterator[tuple[int, str]]:
    for number, line in numbered_lines(data):
        # Progress bars and dumps make lines of megabytes, in which no regular expression may walk.
        if len(line) <= _LONGEST_LINE:
            yield number, _COLOUR.sub("", line.decode("utf-8", errors="replace"))


def _pairs(line: str) -> Iterator[tuple[str, float]]:
    for part in line.split("|")[:-1]:  # what no bar ends may have lost digits
        found = _MEGATRON_PAIR.match(part)
        if found is not None:
            yield found[1].strip(), _float(found[2])


def _float(text: str) -> float:
    return float(text.replace(",", ""))


def _seconds(line: str, utc_offset_minutes: int) -> float | None:
    found = _TIME.search(line)
    if found is None:
        return None
    try:
        at = datetime.fromisoformat(found[1].replace(",", ".")).replace(tzinfo=UTC)
        return (at - timedelta(minutes=utc_offset_minutes)).timestamp()
    except (ValueError, OverflowError):  # the 31st of February, or the first year of all
        return None


def _cut(points: Points, number: int, line: str) -> None:
    read, expected = f"a line that ends in {shown(line[-30:])}", "a whole line"
    points.fault(FaultKind.CUT, place=number, read=read, expected=expected)


def _without_loss(points: Points, number: int, step: int, pairs: dict[str, float]) -> None:
    totals = ", ".join(f"{name} {pairs[name]:g}" for name in sorted(_MEGATRON_TOTALS & set(pairs)))
    points.fault(
        FaultKind.ABSENT,
        place=number,
        step=step,
        read=f"no loss ({totals})",
        expected="a loss; Megatron leaves out one that is NaN",
    )
