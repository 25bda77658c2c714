"""Whether a scorer reads replies as people do: only then may what it cannot read be the model's."""

from collections.abc import Sequence
from dataclasses import replace

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.sanity.probing import Labelled, labelled_replies
from dokja.evidence.benchmarks.sanity.reports import Recall
from dokja.evidence.benchmarks.scorers import Aids, Scorer

__all__ = ["extraction_recall"]


def extraction_recall(
    scorer: Scorer, *, labelled: Sequence[Labelled] = (), aids: Aids
) -> Recall | None:
    """Return how many labelled replies a scorer reads as people do; None where none are known.

    Args:
        scorer: What is audited.
        labelled: Replies of the suite's own, beside the built-in ones.
        aids: What the scorer may need.
    """
    replies = [*labelled_replies(scorer.kind, scorer.declaration), *labelled]
    if not replies:
        return None
    found = of = misread = 0
    for each in replies:
        scoring = scorer.score(each.task, each.reply, aids=aids)
        if each.says is None:
            misread += scoring.extracted is not None
            continue
        of += 1
        keyed = replace(each.task, keys=(each.says,))
        fits = scorer.score(keyed, each.reply, aids=aids).outcome is Outcome.CORRECT
        found += fits
        misread += scoring.extracted is not None and not fits
    return Recall(found=found, of=of, misread=misread)
