"""The course of an event stream: what its lines must be to each other.

Steps follow each other without a gap, a resume goes back to a step that was told and never
beyond it, the clock does not run backwards, and every step sees equally many instances and
tokens. All of it is arithmetic on the lines; nothing here opens a file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from dokja.errors import Mistake
from dokja.models.forge.engines.lines import Line

__all__ = ["course_mistakes"]


@dataclass(slots=True, kw_only=True)
class _Course:
    """How far the stream has come.

    Attributes:
        step: Last step told since the last start or resume; None before the start.
        furthest: Last step ever told.
        at: Time of the last event.
        batch: Instances a step, once known.
        tokens: Tokens a step, once known.
        over: Whether an end was told and no resume since.
    """

    step: int | None = None
    furthest: int = 0
    at: datetime | None = None
    batch: int | None = None
    tokens: int | None = None
    over: bool = False


def course_mistakes(lines: Sequence[Line], *, file: str) -> Iterator[Mistake]:
    """Find what contradicts what stands before it.

    Args:
        lines: Sound lines, in the order of the file.
        file: What mistakes call it.
    """
    course = _Course()
    for line in lines:
        for place, read, expected, remedy in _faults(line, course):
            where = f"{line.place}, {place}" if place else line.place
            yield Mistake(file=file, place=where, read=read, expected=expected, remedy=remedy)
        _go_on(course, line)


_Fault = tuple[str, str, str, str]


def _faults(line: Line, course: _Course) -> Iterator[_Fault]:
    at: datetime = line.values["at"]
    if course.at is not None and at < course.at:
        yield (
            "at",
            f"{at.isoformat()}, after {course.at.isoformat()}",
            "a clock that does not run backwards",
            "Set the machine's clock by NTP; the line was not believed.",
        )
    if (course.step is None) != (line.kind == "start"):
        yield "", f"the kind {line.kind!r}", "exactly one start, on the first line", ""
        return
    if course.over and line.kind != "resume":
        yield "", f"the kind {line.kind!r}", "nothing but a resume after an end", ""
    match line.kind:
        case "steps":
            yield from _step_faults(line, course)
        case "resume":
            if line.values["step"] > course.furthest:
                yield _gap(line.values["step"], course.furthest)
        case "checkpoint" | "interruption" | "end":
            yield from _state_faults(line, course)


def _state_faults(line: Line, course: _Course) -> Iterator[_Fault]:
    """Find what is told of a step that the log does not know.

    A checkpoint may be written while further steps are told, but never before its own step.
    """
    step, told = line.values["step"], course.step or 0
    late = line.kind == "checkpoint" and step < told
    if step != told and not late:
        yield (
            "step",
            str(step),
            f"{course.step}, the last step told",
            "The steps between are missing; nothing can be said of them.",
        )


def _gap(step: int, furthest: int) -> _Fault:
    return (
        "step",
        f"a resume from {step}",
        f"at most {furthest}, the last step told",
        "The steps between are missing; restore the log that told them.",
    )


def _step_faults(line: Line, course: _Course) -> Iterator[_Fault]:
    values = line.values
    first, last = values["first"], values["last"]
    expected = (course.step or 0) + 1
    if first != expected:
        remedy = "Steps are missing or told twice without a resume; restore the whole log."
        yield "first", str(first), f"{expected}, the step after the last one told", remedy
    if last < first:
        yield "last", str(last), f"at least {first}, the first step", ""
        return
    count = last - first + 1
    for key in ("loss", "lr", "grad_norm"):
        if len(values[key]) != count:
            yield key, f"{len(values[key])} numbers", f"{count}, one for each step", ""
    start, stop = values["instances"]
    yield from _share_faults("instances", stop - start, count, course.batch)
    yield from _share_faults("tokens", values["tokens"][0], last, course.tokens)
    # Step t uses batch t - 1: instances [(t - 1) B, t B).
    each = (stop - start) // count
    if start != (first - 1) * each:
        yield "instances", f"a start at {start}", f"{(first - 1) * each} for step {first}", ""


def _share_faults(key: str, total: int, count: int, each: int | None) -> Iterator[_Fault]:
    if total <= 0 or total % count:
        yield key, f"{total} over {count} steps", "the same whole number for each step", ""
    elif each is not None and total // count != each:
        yield key, f"{total // count} a step", f"{each} a step, as before", ""


def _go_on(course: _Course, line: Line) -> None:
    course.at = line.values["at"]
    course.over = line.kind == "end"
    if line.kind in {"start", "resume"}:
        course.step = line.values["step"]
        course.furthest = max(course.furthest, line.values["step"])
    elif line.kind == "steps":
        course.step = line.values["last"]
        course.furthest = max(course.furthest, line.values["last"])
        count = line.values["last"] - line.values["first"] + 1
        start, stop = line.values["instances"]
        course.batch = course.batch or (stop - start) // max(count, 1)
        course.tokens = course.tokens or line.values["tokens"][0] // max(line.values["last"], 1)
