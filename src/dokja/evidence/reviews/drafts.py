"""What sheets say to the ledger: that they were written, and how many points follow from them.

A sheet is entered under a number that comes from its sealed reviewer, whose salt is random: the
numbers of one reviewer's sheets have nothing to do with each other, with names, or with the order
in which sheets came in. Reviewers differ in strictness, and that is allowed for before the points
are made.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date

from dokja.evidence.ledger import Draft
from dokja.evidence.reviews.batches import Batch, ReviewSheet
from dokja.evidence.statistics import Mark, Scores, ScoreTerms, rater_mean, scores_of
from dokja.values import Estimate, Json, Measured, Missing, MissingReason, canonical_bytes

__all__ = ["score_drafts", "sheet_drafts"]

Seal = Callable[[str], Mapping[str, Json]]
"""Keeps a reviewer's name elsewhere and returns what stands in its place."""


def sheet_drafts(
    batch: Batch,
    *,
    stage: str,
    rulebook: str,
    on: date,
    actor: str,
    invented: bool,
    seal: Seal,
) -> tuple[Draft, ...]:
    """Return one entry per sheet, by team, each reviewer sealed.

    Args:
        batch: The sheets.
        stage: The stage that they were written for.
        rulebook: Version of the rulebook that they were written under.
        on: The day of the entries.
        actor: Who enters them.
        invented: Whether a seeded script made them.
        seal: Called once per sheet; must take a fresh random salt each time, since the entries'
            numbers follow from what it returns.
    """
    drafts: list[Draft] = []
    for team in sorted({sheet.team for sheet in batch.sheets}):
        sealed = [(dict(seal(each.reviewer)), each) for each in batch.sheets if each.team == team]
        sealed.sort(key=lambda pair: canonical_bytes(pair[0]))
        drafts += [
            _draft(
                sheet,
                reviewer=reviewer,
                id=f"sheet/{stage}/{team}/{number}",
                actor=actor,
                about={
                    "on": on.isoformat(),
                    "stage": stage,
                    "rulebook": rulebook,
                    "invented": invented,
                },
            )
            for number, (reviewer, sheet) in enumerate(sealed, start=1)
        ]
    return tuple(drafts)


def score_drafts(
    batch: Batch,
    *,
    terms: ScoreTerms,
    criteria: Collection[str],
    evidence: Mapping[str, Sequence[str]],
    invented: bool = False,
) -> Scores:
    """Return the scores that follow from the sheets, with intervals over reviewers.

    Args:
        batch: The sheets.
        terms: Of the part; its points are the sum of the most that its criteria can get.
        criteria: Those of the part, at least one.
        evidence: By team that is to be scored: ids of the sheets' entries. A team that no sheet
            is about is missing.
        invented: Whether a seeded script made the sheets.
    """
    marks = [
        Mark(
            rater=sheet.reviewer,
            team=sheet.team,
            # Criteria in decimals may sum to a hair above the part's points.
            value=min(math.fsum(sheet.scores[name] for name in criteria), terms.points),
        )
        for sheet in batch.sheets
    ]
    found = dict(rater_mean(marks, level=terms.level, scale=(0.0, terms.points)).teams)
    unread = {
        team: Missing(reason=MissingReason.NOT_MEASURED, what=("sheets", team)) for team in evidence
    }
    shares = {team: _share(found.get(team, unread[team]), of=terms.points) for team in evidence}
    return scores_of(shares, terms=terms, evidence=evidence, invented=invented)


def _draft(
    sheet: ReviewSheet,
    *,
    reviewer: Mapping[str, Json],
    id: str,  # noqa: A002 (the word that entries use)
    actor: str,
    about: Mapping[str, Json],
) -> Draft:
    body = {**about, "team": sheet.team, "reviewer": reviewer, "scores": dict(sheet.scores)}
    return Draft(kind="sheet", actor=actor, id=id, body=body)


def _share(worth: Measured, *, of: float) -> Measured:
    if isinstance(worth, Missing):
        return worth
    error = worth.standard_error
    return Estimate(
        value=worth.value / of,
        low=worth.low / of,
        high=worth.high / of,
        level=worth.level,
        standard_error=None if error is None else error / of,
        rests_on=worth.rests_on,
        method=worth.method,
    )
