"""What became of a sample: a pure function of what the journal holds, the item and the scorer."""

from collections.abc import Mapping
from types import MappingProxyType

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.running.forms import Question
from dokja.evidence.benchmarks.scorers import Aids, Reply, Scorer, Scoring
from dokja.models.serving.endpoints import FaultClass, Said

__all__ = ["given_up", "judged", "never_asked"]

_CAUSES: Mapping[FaultClass, Cause] = MappingProxyType(
    {
        FaultClass.RATE_TOLD: Cause.RATE,
        FaultClass.RATE: Cause.RATE,
        FaultClass.SERVER: Cause.HTTP,
        FaultClass.CONNECTION: Cause.CONNECTION,
        FaultClass.TIMEOUT: Cause.TIMEOUT,
        FaultClass.CUT: Cause.CUT,
        FaultClass.MALFORMED: Cause.MALFORMED,
        FaultClass.EMPTY: Cause.EMPTY_UNEXPLAINED,
        FaultClass.WRONG_MODEL: Cause.WRONG_MODEL,
        FaultClass.CONFIGURATION: Cause.CONFIGURATION,
    }
)


def judged(
    said: Said | None,
    *,
    question: Question,
    scorer: Scorer,
    aids: Aids,
    kind: FaultClass | None = None,
) -> Scoring:
    """Return what became of an answer.

    Args:
        said: The answer; None where the reply was an error about the question itself.
        question: What was asked.
        scorer: Tells what a reply is worth.
        aids: What the scorer may need besides.
        kind: The class that the journal gives the reply; None for a plain answer.
    """
    if kind is FaultClass.FILTER:
        return Scoring(outcome=Outcome.FILTERED, charge=Charge.HOST)
    if kind is FaultClass.OVER_CONTEXT or said is None:
        return Scoring(outcome=Outcome.NO_ANSWER, cause=Cause.OVER_CONTEXT, charge=Charge.MODEL)
    reply = Reply(
        text=said.text,
        finish=said.finish,
        tokens_out=said.usage.tokens_out,
        refusal=said.declines,
        reasoning=said.reasoning,
    )
    return scorer.score(question.task, reply, aids=aids)


def given_up(kind: FaultClass) -> Scoring:
    """Return what became of a sample whose tries were used up.

    Example:
        >>> given_up(FaultClass.RATE).cause.value, given_up(FaultClass.CONFIGURATION).charge.value
        ('rate', 'operator')
    """
    operators = kind is FaultClass.CONFIGURATION
    return Scoring(
        outcome=Outcome.INFRASTRUCTURE_ERROR,
        cause=_CAUSES[kind],
        charge=Charge.OPERATOR if operators else Charge.HOST,
    )


def never_asked(*, budget: bool = False) -> Scoring:
    """Return what became of a sample that was planned and not settled."""
    cause = Cause.BUDGET if budget else Cause.STOPPED
    return Scoring(outcome=Outcome.NOT_RUN, cause=cause, charge=Charge.OPERATOR)
