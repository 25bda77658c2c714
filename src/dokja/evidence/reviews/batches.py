"""A batch of expert sheets: read whole and checked whole.

A batch is a JSON Lines file, one sheet a line: the reviewer, the team, and a number for every
criterion. A criterion that was left out is a mistake and not a zero; a reviewer who has nothing to
say of a team hands in no sheet for it.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import Mistake, SuiteError
from dokja.values import Json, JsonLine, json_lines, shown, text_fault

__all__ = ["Batch", "ReviewSheet", "read_sheets_file"]

_KEYS = ("reviewer", "team", "scores")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSheet:
    """What one reviewer gives one team.

    Attributes:
        reviewer: Who; sealed before it is entered.
        team: The team's id.
        scores: Points by criterion, every criterion.
    """

    reviewer: str
    team: str
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Sheets in the order in which they were handed in.

    Attributes:
        sheets: At least one; at most one per reviewer and team.
    """

    sheets: tuple[ReviewSheet, ...]


def read_sheets_file(path: Path, *, teams: Collection[str], criteria: Mapping[str, float]) -> Batch:
    """Return the sheets of a file.

    Args:
        path: A JSON Lines file in UTF-8; each line an object with exactly the keys `reviewer`
            (text), `team` (text) and `scores` (a number for each criterion).
        teams: Who can be reviewed.
        criteria: By criterion, the most points that it can get; the least is 0.

    Raises:
        SuiteError: It cannot be read, or something is wrong in it; every mistake at once.
    """
    file = str(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        read = error.strerror or "an error"
        raise SuiteError(
            [Mistake(file=file, place="", read=read, expected="a file that may be read")]
        ) from error
    lines, broken = json_lines(data, file=file, keys=_KEYS)
    mistakes = list(broken)
    sheets: list[ReviewSheet] = []
    first: dict[tuple[str, str], str] = {}
    for line in lines:
        found = [
            Mistake(file=file, place=place, read=read, expected=expected)
            for place, read, expected in _faults(line, teams=teams, criteria=criteria)
        ]
        cell = (str(line.said["reviewer"]), str(line.said["team"]))
        if cell in first:
            read = f"a second sheet of one reviewer for {shown(repr(cell[1]))}, after {first[cell]}"
            expected = "one sheet of a reviewer for a team"
            found.append(Mistake(file=file, place=line.place, read=read, expected=expected))
        first.setdefault(cell, line.place)
        mistakes += found
        if not found:
            sheets.append(_sheet(line, criteria=criteria))
    if mistakes:
        raise SuiteError(mistakes)
    return Batch(sheets=tuple(sheets))


def _faults(
    line: JsonLine, *, teams: Collection[str], criteria: Mapping[str, float]
) -> Iterator[tuple[str, str, str]]:
    """Yield the place, what was read and what was expected for everything wrong in a line."""
    said, at = line.said, line.place
    reviewer = text_fault(said["reviewer"], name=False)
    if reviewer:
        yield f"{at}, reviewer", *reviewer
    team = text_fault(said["team"], name=True)
    if team is None and said["team"] not in teams:
        known = ", ".join(sorted(teams)) or "none: no model entered the stage"
        team = shown(repr(said["team"])), f"a team of the stage: {known}"
    if team:
        yield f"{at}, team", *team
    scores = said["scores"]
    if not isinstance(scores, Mapping):
        yield f"{at}, scores", shown(repr(scores)), "an object with a number for each criterion"
        return
    for name in sorted(scores.keys() - criteria.keys()):
        expected = "one of the criteria " + ", ".join(criteria)
        yield f"{at}, scores", f"the criterion {shown(repr(name))}", expected
    for name, most in criteria.items():
        if name not in scores:
            yield f"{at}, scores.{name}", "nothing", "a number: a criterion is never left out"
        elif _number(scores[name], most=most) is None:
            expected = f"a number from 0 to {most:g}"
            yield f"{at}, scores.{name}", shown(repr(scores[name])), expected


def _number(value: Json, *, most: float) -> float | None:
    """Return a number from 0 to the most that can be given; nothing for whatever else stands."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Infinities, and whole numbers too great for a float, are told as too great before that.
    return float(value) if 0 <= value <= most else None


def _sheet(line: JsonLine, *, criteria: Mapping[str, float]) -> ReviewSheet:
    scores = line.said["scores"]
    said = scores if isinstance(scores, Mapping) else {}
    given = {name: _number(said.get(name), most=most) for name, most in criteria.items()}
    return ReviewSheet(
        reviewer=str(line.said["reviewer"]),
        team=str(line.said["team"]),
        scores={name: number for name, number in given.items() if number is not None},
    )
