"""Stages that reviewers decide by vote: a majority for every question, and not more than fit.

Numbers of votes that were not published leave the stage undecided, whatever was published of its
outcome.
"""

from collections.abc import Sequence

from dokja.decisions.rules import (
    Record,
    Ruling,
    Said,
    Stage,
    Verdict,
    all_of,
    because,
    entry_name,
)
from dokja.decisions.rules.schema import Vote
from dokja.decisions.standing.entrants import outcome_of
from dokja.errors import Mistake
from dokja.evidence.ledger.kinds import ReviewVote
from dokja.values import Reason

__all__ = ["RULE", "vote_mistakes", "vote_rulings"]

RULE = "vote"


def vote_rulings(
    rules: Stage, record: Record, *, stage: str, teams: Sequence[str], unnamed: int = 0
) -> dict[str, Ruling]:
    """Return for every applicant whether the reviewers chose it.

    An applicant is chosen when more than the asked share is in favour on every question. When
    more are chosen than there are places, the rules do not say which of them enter.

    Args:
        rules: The stage; it has a vote.
        record: What stands in the ledger.
        stage: Its id.
        teams: The applicants.
        unnamed: How many more there are, any of whom may have been chosen.

    Raises:
        ValueError: The stage is not decided by vote.
    """
    vote = rules.vote
    if vote is None:
        raise ValueError(f"stage {stage!r} is not decided by vote")
    rulings = {
        team: all_of(
            [
                _question(vote, record, stage=stage, team=team, question=question)
                for question in vote.questions
            ],
            rule=RULE,
            subject=team,
        )
        for team in teams
    }
    return _placed(vote, rulings, unnamed=unnamed)


def _question(vote: Vote, record: Record, *, stage: str, team: str, question: str) -> Ruling:
    asked = f"{RULE}/{question}"
    said = _counted(record, stage=stage, team=team, question=question)
    if said is None or said.body.reviewers is None or said.body.in_favour is None:
        held = said is not None or outcome_of(record, stage) is not None
        reason = because(
            "vote-not-published" if held else "vote-not-held",
            question=question,
            entries=said.seqs if said is not None else (),
        )
        return Ruling(rule=asked, subject=team, verdict=Verdict.UNDECIDED, reasons=(reason,))
    holds = said.body.in_favour > vote.more_than * said.body.reviewers
    reason = because(
        "vote-in-favour" if holds else "vote-against",
        question=question,
        in_favour=said.body.in_favour,
        reviewers=said.body.reviewers,
        more_than=vote.more_than,
        entries=said.seqs,
    )
    verdict = Verdict.HOLDS if holds else Verdict.FAILS
    return Ruling(rule=asked, subject=team, verdict=verdict, reasons=(reason,))


def _counted(record: Record, *, stage: str, team: str, question: str) -> Said[ReviewVote] | None:
    found = [
        said
        for said in record.every(ReviewVote)
        if (said.body.stage, said.body.team, said.body.question) == (stage, team, question)
    ]
    return found[-1] if found else None


def _placed(vote: Vote, rulings: dict[str, Ruling], *, unnamed: int) -> dict[str, Ruling]:
    """Return the rulings with those left open that the number of places leaves open."""
    chosen = sorted(t for t, ruling in rulings.items() if ruling.verdict is Verdict.HOLDS)
    open_too = sorted(t for t, ruling in rulings.items() if ruling.verdict is Verdict.UNDECIDED)
    reason = _contested(vote, [*chosen, *open_too], named=len(rulings), unnamed=unnamed)
    if chosen and reason is not None:
        for team in chosen:
            rulings[team] = _left_open(rulings[team], reason)
    if not vote.may_choose_none and not (chosen or open_too or unnamed) and rulings:
        reason = because("none-chosen", places=vote.places)
        return {team: _left_open(ruling, reason) for team, ruling in rulings.items()}
    return rulings


def _contested(vote: Vote, teams: list[str], *, named: int, unnamed: int) -> Reason | None:
    """Return why those who may have been chosen may be more than there are places, if they may."""
    if len(teams) > vote.places:
        return because("more-chosen-than-places", teams=[*teams], places=vote.places)
    if len(teams) + unnamed > vote.places:
        return because("entrants-not-named", count=named + unnamed, named=named)
    return None


def _left_open(ruling: Ruling, reason: Reason) -> Ruling:
    return Ruling(
        rule=ruling.rule,
        subject=ruling.subject,
        verdict=Verdict.UNDECIDED,
        reasons=(reason,),
        parts=ruling.parts,
    )


def vote_mistakes(
    rules: Stage, record: Record, *, stage: str, teams: Sequence[str]
) -> list[Mistake]:
    """Return every vote of a stage that cannot have been cast as it is written.

    Votes of a stage that this version of the rules does not decide by vote are left alone.

    Args:
        rules: The stage.
        record: What stands in the ledger.
        stage: Its id.
        teams: The applicants.
    """
    mistakes: list[Mistake] = []
    seen: dict[tuple[str, str], int] = {}
    if rules.vote is None:
        return mistakes
    questions = rules.vote.questions
    for said in record.every(ReviewVote):
        body = said.body
        if body.stage != stage:
            continue

        def wrong(place: str, read: str, expected: str, *, at: Said[ReviewVote] = said) -> None:
            mistakes.append(Mistake(file=entry_name(at), place=place, read=read, expected=expected))

        if body.team not in teams:
            known = ", ".join(teams) or "there is none"
            wrong("team", repr(body.team), f"one of the applicants: {known}")
        if body.question not in questions:
            wrong("question", repr(body.question), f"one of: {', '.join(questions)}")
        if body.in_favour is not None and body.in_favour > (body.reviewers or body.in_favour):
            wrong("in_favour", str(body.in_favour), f"at most {body.reviewers} reviewers")
        first = seen.setdefault((body.team, body.question), said.seq)
        if first != said.seq:
            wrong(
                "question",
                f"a second vote on {body.team!r} about {body.question!r}",
                f"one; entry {first} holds it already. Correct that entry instead",
            )
    return mistakes
