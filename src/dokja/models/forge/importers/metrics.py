r"""What every importer gives: one training log as arrays, and where it came from.

The values are those of the log, each by its step; nothing was smoothed, filled in or left out.
What a foreign trainer means by a value (a mean over some steps, a learning rate of the next
step) is said beside it, since whoever checks the arithmetic must know.

`metrics.jsonl`, one object a line, is how they are kept:

    {"at": "2026-01-02T03:04:05.000000Z", "name": "loss", "source": "sha256:…", "step": 1, …}

`at` is null where the log tells no time. NaN and the infinities, which JSON does not know, are
the texts "NaN", "Infinity" and "-Infinity".
"""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.importers.faults import Fault
from dokja.models.forge.importers.whole import write_whole
from dokja.values import Digest, Json

__all__ = ["CANONICAL", "Metrics", "Series", "plain_value"]

CANONICAL = ("loss", "lr", "grad_norm", "tokens")
"""The names that the room knows: nats, the step's rate, the norm before clipping, and the tokens
seen after the step. Every other name is the log's own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Series:
    """One metric over the steps, each step once, steps rising.

    Attributes:
        step: int64, shape `(points,)`; 1 is the first update.
        value: float64, shape `(points,)`; NaN and infinities as they were logged.
        at: `datetime64[us]` in UTC, shape `(points,)`; NaT where the log tells no time.
        averaged: Whether each value is the mean over the steps since the one before it; None
            where the log cannot tell.
        leads: How many steps later the value is used than it was logged: 1 for a learning rate
            that was read after the scheduler had moved on.
    """

    step: NDArray[np.int64]
    value: NDArray[np.float64]
    at: NDArray[np.datetime64]
    averaged: bool | None = None
    leads: int = 0

    def __len__(self) -> int:
        return len(self.step)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metrics:
    """One log, read.

    Attributes:
        kind: What wrote it, such as `tensorboard`.
        files: Every file that was read, and its SHA-256, in the order of reading.
        series: By name; of the room's four names those that the log has.
        faults: Everything that is wrong with it; an empty tuple is a sound log.
        notes: What a reader must know about this kind of log, in sentences.
    """

    kind: str
    files: tuple[tuple[str, Digest], ...]
    series: Mapping[str, Series]
    faults: tuple[Fault, ...] = ()
    notes: tuple[str, ...] = field(default=())

    @property
    def source(self) -> Digest:
        """The SHA-256 of the log; of several files, that of the lines `digest  name`."""
        if len(self.files) == 1:
            return self.files[0][1]
        listed = "".join(f"{digest.hex}  {name}\n" for name, digest in self.files)
        return Digest.of(listed.encode())

    @property
    def missing(self) -> tuple[str, ...]:
        """Which of the room's names the log does not have."""
        return tuple(name for name in CANONICAL if name not in self.series)

    def lines(self) -> Iterator[str]:
        """Yield `metrics.jsonl`, line by line: by step, then by name."""
        source = str(self.source)
        times = {name: written_times(series.at) for name, series in self.series.items()}
        points = sorted(
            (int(step), name, place)
            for name, series in self.series.items()
            for place, step in enumerate(series.step)
        )
        for step, name, place in points:
            series = self.series[name]
            row: Mapping[str, Json] = {
                "at": times[name][place],
                "name": name,
                "source": source,
                "step": step,
                "value": plain_value(float(series.value[place])),
            }
            yield json.dumps(row, ensure_ascii=False, sort_keys=True, allow_nan=False)

    def write_metrics(self, path: Path) -> None:
        r"""Write `metrics.jsonl`, whole or not at all; a file of that name is replaced.

        Raises:
            LogError: It cannot be written; what stood there before still stands.

        Example:
            >>> from tempfile import TemporaryDirectory
            >>> loss = Series(step=np.array([1]), value=np.array([5.5]),
            ...               at=np.array(["2026-01-02T03:04:05"], dtype="datetime64[us]"))
            >>> read = Metrics(kind="jsonl", files=(("log.jsonl", Digest.of(b"")),),
            ...                series={"loss": loss})
            >>> with TemporaryDirectory() as folder:
            ...     read.write_metrics(Path(folder) / "metrics.jsonl")
            ...     print((Path(folder) / "metrics.jsonl").read_text()[:58])
            {"at": "2026-01-02T03:04:05.000000Z", "name": "loss", "sou
        """
        write_whole(path, "".join(f"{line}\n" for line in self.lines()).encode())


def frozen_series(series: Mapping[str, Series]) -> Mapping[str, Series]:
    """Return the series so that nobody can change them, sorted by name."""
    for one in series.values():
        for array in (one.step, one.value, one.at):
            array.flags.writeable = False
    return MappingProxyType(dict(sorted(series.items())))


def plain_value(value: float) -> float | str:
    """Return a value as JSON can hold it.

    Example:
        >>> plain_value(1.5), plain_value(float("nan")), plain_value(float("-inf"))
        (1.5, 'NaN', '-Infinity')
    """
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def written_times(at: NDArray[np.datetime64]) -> list[str | None]:
    """Return times as `metrics.jsonl` holds them; None where there is none."""
    texts = np.datetime_as_string(at, unit="us").tolist()
    return [None if text == "NaT" else f"{text}Z" for text in texts]
