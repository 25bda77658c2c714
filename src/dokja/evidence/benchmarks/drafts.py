"""What a run says to the ledger: that it took place, and how many points follow from it.

Accuracy is a mean over items under a declared convention, with an interval over the clusters that
the items come from. Which benchmarks make up a part, and how many points it has, comes in.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from dokja.evidence.benchmarks.records import RunRecord
from dokja.evidence.benchmarks.scoring import STRICT, Outcome
from dokja.evidence.ledger import Draft
from dokja.evidence.statistics import Scores, ScoreTerms, clustered_mean, scores_of, sum_of
from dokja.values import Estimate, Measured, Missing

__all__ = ["accuracy", "run_draft", "score_drafts"]


def run_draft(run: RunRecord, *, stage: str, model: str, on: date, actor: str) -> Draft:
    """Return the entry that a run took place; `run.records_bytes` is its blob.

    Args:
        run: The run.
        stage: The stage that it was made for.
        model: Id of the model that answered.
        on: The day of the run.
        actor: Who ran it.
    """
    return Draft(
        kind="run",
        actor=actor,
        id=f"run/{stage}/{model}/{run.suite}",
        blobs=(run.records_digest,),
        body={
            "on": on.isoformat(),
            "stage": stage,
            "model": model,
            "benchmark": run.suite,
            "items": len(run.records),
            "outcomes": dict(run.outcomes),
            "items_digest": str(run.items_digest),
            "records": str(run.records_digest),
            "records_root": str(run.root),
            "responder": run.responder,
        },
    )


def accuracy(
    runs: Sequence[RunRecord],
    *,
    level: float,
    convention: Mapping[Outcome, float] = STRICT,
) -> Measured:
    """Return the share of right answers, each benchmark counting alike.

    Args:
        runs: One per benchmark, all of one model.
        level: Of the interval, in (0, 1).
        convention: What each outcome is worth, in [0, 1].

    Returns:
        The mean over benchmarks of the means over items; `Missing` if any of them is.

    Raises:
        ValueError: No run, or two of one benchmark.
    """
    if not runs or len({run.suite for run in runs}) != len(runs):
        raise ValueError("accuracy needs one run for each benchmark, and at least one")
    found: list[Estimate] = []
    for run in runs:
        mean = clustered_mean(
            [convention[record.outcome] for record in run.records],
            [record.cluster for record in run.records],
            level=level,
        )
        if isinstance(mean, Missing):
            return Missing(reason=mean.reason, what=(*mean.what, run.suite))
        found.append(mean)
    if len(found) == 1:
        return found[0]
    return _mean(found, level=level)


def score_drafts(
    runs: Mapping[str, Sequence[RunRecord]],
    *,
    terms: ScoreTerms,
    evidence: Mapping[str, Sequence[str]],
) -> Scores:
    """Return the scores that follow from the runs of every team.

    Args:
        runs: By team: one run per benchmark of the part.
        terms: Of the part.
        evidence: By team: ids of the runs' entries.
    """
    shares = {team: accuracy(made, level=terms.level) for team, made in runs.items()}
    return scores_of(shares, terms=terms, evidence=evidence)


def _mean(estimates: Sequence[Estimate], *, level: float) -> Estimate:
    parts = [
        Estimate(
            value=estimate.value / len(estimates),
            low=estimate.low / len(estimates),
            high=estimate.high / len(estimates),
            level=estimate.level,
            standard_error=(estimate.standard_error or 0.0) / len(estimates),
            rests_on=estimate.rests_on,
        )
        for estimate in estimates
    ]
    whole = sum_of(parts, level=level, scale=(0.0, 1.0))
    return Estimate(
        value=whole.value,
        low=whole.low,
        high=whole.high,
        level=level,
        standard_error=whole.standard_error,
        rests_on=(("benchmarks", len(estimates)), *whole.rests_on),
        method="mean of cluster-means",
    )
