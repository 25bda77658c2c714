"""What a batch of votes says to the ledger: that it was cast, and how many points follow from it.

Points come from win shares: a team's expected share of wins against the others, each met equally
often. On the scale `to-best` the share is taken over the greatest in every draw of voters, since
shares of one batch go up and down together and must not be scaled as if they did not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from dokja.evidence.ballots.batches import Batch
from dokja.evidence.ledger import Draft
from dokja.evidence.statistics import Scores, ScoreTerms, bradley_terry, scores_of
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["ballots_draft", "score_drafts"]


def ballots_draft(
    batch: Batch, *, stage: str, on: date, actor: str, invented: bool, maker: str | None
) -> Draft:
    """Return the entry that votes were cast; `batch.records_bytes` is its blob.

    Args:
        batch: The votes.
        stage: The stage that they were cast for.
        on: The day of the entry.
        actor: Who enters them.
        invented: Whether a seeded script made them.
        maker: That script and its seed.
    """
    return Draft(
        kind="ballots",
        actor=actor,
        id=f"ballots/{stage}",
        blobs=(batch.digest,),
        body={
            "on": on.isoformat(),
            "stage": stage,
            "count": len(batch.ballots),
            "voters": batch.voters,
            "records": str(batch.digest),
            "invented": invented,
            "maker": maker,
        },
    )


def score_drafts(
    batch: Batch,
    *,
    terms: ScoreTerms,
    evidence: Mapping[str, Sequence[str]],
    invented: bool = False,
) -> Scores:
    """Return the scores that follow from the votes, with intervals over voters.

    Args:
        batch: The votes.
        terms: Of the part.
        evidence: By team that is to be scored: ids of the votes' entries. A team that no vote
            was about is missing.
        invented: Whether a seeded script made the votes.
    """
    found = bradley_terry(batch.votes, level=terms.level, seed=terms.seed)
    strengths = {strength.team: strength for strength in found.teams}
    to_best = terms.scale == "to-best"
    shares: dict[str, Measured] = {}
    for team in evidence:
        if team not in strengths:
            shares[team] = Missing(reason=MissingReason.NOT_MEASURED, what=("ballots", team))
            continue
        share = strengths[team].share_of_best if to_best else strengths[team].share
        if to_best and isinstance(share, Estimate):
            share = replace(share, method=f"{share.method}, to the best")
        shares[team] = share
    terms = replace(terms, scale="absolute")  # the shares are those of the best already
    return scores_of(shares, terms=terms, evidence=evidence, invented=invented)
