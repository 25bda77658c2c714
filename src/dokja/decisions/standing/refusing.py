"""Scores that the rules cannot take: strangers, points out of range, one thing scored twice.

Scores under versions of the rulebook that do not count here, and scores of stages that only other
versions know, are no mistakes: they are left alone, and missing where they would have counted.
"""

import math
from collections.abc import Iterable, Sequence

from dokja.decisions.rules import Record, Rulebook, Said, entry_name
from dokja.decisions.standing.sheets import TOTAL
from dokja.decisions.standing.versions import versions_that_count
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import Score

__all__ = ["score_mistakes"]


def score_mistakes(
    rulebook: Rulebook, record: Record, *, stage: str, entrants: Sequence[str]
) -> list[Mistake]:
    """Return every score that the rules cannot take.

    Args:
        rulebook: The version that judges.
        record: What stands in the ledger.
        stage: The stage that is judged.
        entrants: The teams that stand in it.
    """
    mistakes: list[Mistake] = []
    first: dict[tuple[str, str, str, str], int] = {}
    for said in record.every(Score):
        body = said.body
        rules = rulebook.stages.get(body.stage)
        if rules is None:
            if body.rulebook == rulebook.version:
                mistakes.append(_strange(said, "stage", body.stage, rulebook.stages))
        elif body.rulebook in versions_that_count(rulebook, rules):
            known = entrants if body.stage == stage else record.teams()
            if body.team not in known:
                mistakes.append(_strange(said, "team", body.team, known))
            mistakes += _points(rulebook, said)
            thing = (body.stage, body.team, body.part, body.rulebook)
            earlier = first.setdefault(thing, said.seq)
            mistakes += _twice(said, earlier)
    return mistakes


def _points(rulebook: Rulebook, said: Said[Score]) -> list[Mistake]:
    """Return a mistake if the part is not one of the stage's, or holds fewer points."""
    stage, part = said.body.stage, said.body.part
    points = {part.id: part.points for part, _ in rulebook.parts(stage)}
    if points:
        points[TOTAL] = math.fsum(part.points for part in rulebook.stages[stage].parts)
    if part not in points:
        return [_strange(said, "part", part, points)]
    if 0 <= said.body.score.value <= points[part]:
        return []
    return [
        Mistake(
            file=entry_name(said),
            place="score.value",
            read=f"{said.body.score.value:g}",
            expected=f"0 to {points[part]:g}, the points of {part!r}",
        )
    ]


def _twice(said: Said[Score], earlier: int) -> list[Mistake]:
    if earlier == said.seq:
        return []
    body = said.body
    return [
        Mistake(
            file=entry_name(said),
            place="part",
            read=f"a second score of {body.team!r} in {body.part!r} of {body.stage!r}",
            expected=f"one under version {body.rulebook!r}; entry {earlier} has scored it already",
            remedy="If the first is wrong, take this one back and correct that one.",
        )
    ]


def _strange(said: Said[Score], place: str, name: str, known: Iterable[str]) -> Mistake:
    return Mistake(
        file=entry_name(said),
        place=place,
        read=repr(name),
        expected="one of " + (", ".join(known) or "none that is declared"),
    )
