"""The decision in as few sentences as it needs, and what follows from it."""

from collections.abc import Callable, Sequence
from itertools import groupby

from dokja.public.reports.document import Decision, Loss
from dokja.public.reports.words import Words

__all__ = ["failed_gates", "sentences"]


def sentences(
    decision: Decision, words: Words, *, say: Callable[..., str] | None = None
) -> Sequence[str]:
    """Return who goes on, who does not and on which ground, what is open, and what follows.

    Args:
        decision: The decision.
        words: The language.
        say: `words.text` for plain text, which is the default, or `words.markup` for HTML.
    """
    say = say or words.text
    said = [_advance(decision, say), *_losses(decision, say)]
    if decision.outcome.undecided:
        said.append(say("headline.undecided", teams=decision.outcome.undecided))
    vacancy = _vacancy(decision, words=words, say=say)
    return [*said, vacancy] if vacancy else said


def failed_gates(decision: Decision, team: str) -> Sequence[str]:
    """Return the gates that the team does not pass."""
    return [
        ruling.rule
        for one in decision.teams
        if one.team == team
        for ruling in one.gates
        if ruling.verdict == "fails"
    ]


def _advance(decision: Decision, say: Callable[..., str]) -> str:
    outcome = decision.outcome
    if outcome.advance:
        return say("headline.advance", teams=outcome.advance)
    if outcome.undecided:
        return say("headline.open")
    return say("headline.nobody")


def _losses(decision: Decision, say: Callable[..., str]) -> Sequence[str]:
    def ground(loss: Loss) -> tuple[str, tuple[str, ...]]:
        failed = failed_gates(decision, loss.team) if loss.ground in {"gate", "both"} else ()
        return loss.ground, tuple(failed)

    said = []
    for (sort, gates), group in groupby(sorted(decision.outcome.out, key=ground), key=ground):
        teams = [loss.team for loss in group]
        key = sort if gates or sort not in {"gate", "both"} else f"{sort}-unnamed"
        said.append(say(f"headline.out-{key}", teams=teams, gates=gates))
    return said


def _vacancy(decision: Decision, *, words: Words, say: Callable[..., str]) -> str | None:
    outcome = decision.outcome
    if outcome.vacancies.high == 0:
        return None
    if outcome.vacancies.low != outcome.vacancies.high:
        return say(
            "headline.vacancies-open", low=outcome.vacancies.low, high=outcome.vacancies.high
        )
    number = outcome.vacancies.low
    if outcome.next is None:
        return say("headline.vacancies", n=number)
    follows = words.label("vacancy", outcome.next.rule)
    return say("headline.vacancies-next", n=number, follows=follows)
