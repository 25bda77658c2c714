"""What is wrong with a training log that can still be read.

A fault is a value, not an exception: a log with a gap says something about the run, and the
ladder of verification must be able to show it. Only what cannot be read at all is an error.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

__all__ = ["Fault", "FaultKind", "capped"]

_MOST_OF_A_KIND = 100


class FaultKind(StrEnum):
    """What can be wrong with a log.

    Attributes:
        GAP: Steps are missing between two that were logged, or before the first.
        CLOCK: A record is older than the one before it.
        REPEATED: A step was logged more than once; the last value was kept.
        NOT_FINITE: A value is NaN or infinite; it was kept as it is.
        CUT: The log ends in the middle of a record.
        CHECKSUM: A record's checksum does not match; nothing of it was used.
        UNREADABLE: A line or record that cannot be read; the others were.
        ABSENT: A record lacks a value that its neighbours have.
    """

    GAP = "gap"
    CLOCK = "clock"
    REPEATED = "repeated"
    NOT_FINITE = "not-finite"
    CUT = "cut"
    CHECKSUM = "checksum"
    UNREADABLE = "unreadable"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a log.

    Attributes:
        kind: What sort of thing.
        place: Where in the log, such as `line 4`; empty for what concerns several records.
        name: Of the metric; empty for what concerns the whole record.
        step: The step that it was met at; None where there is none.
        read: What stands there.
        expected: What should stand there.
    """

    kind: FaultKind
    place: str
    name: str = ""
    step: int | None = None
    read: str
    expected: str

    def __str__(self) -> str:
        """Return it as a sentence.

        Example:
            >>> print(Fault(kind=FaultKind.CUT, place="line 4", read="half a line",
            ...             expected="a whole one"))
            cut, line 4: read half a line; expected a whole one.
        """
        where = [
            self.kind.value,
            self.place,
            self.name,
            "" if self.step is None else f"step {self.step}",
        ]
        place = ", ".join(part for part in where if part)
        return f"{place}: read {self.read}; expected {self.expected}."


def capped(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults, of each kind no more than a person would read, and how many more.

    Args:
        faults: In the order in which they should be told.
    """
    kept: list[Fault] = []
    counts: dict[FaultKind, int] = {}
    for fault in faults:
        counts[fault.kind] = counts.get(fault.kind, 0) + 1
        if counts[fault.kind] <= _MOST_OF_A_KIND:
            kept.append(fault)
    for kind, count in counts.items():
        if count > _MOST_OF_A_KIND:
            last = next(fault for fault in reversed(kept) if fault.kind is kind)
            more = count - _MOST_OF_A_KIND
            kept.append(replace(last, place="", name="", step=None, read=f"{more} more like these"))
    return tuple(kept)
