"""From what was measured to a part's points, in the form in which the ledger keeps it.

A part has so many points, and its scale says what earns all of them: a perfect figure
(`absolute`), or the best figure among those who were measured (`to-best`). Figures are written to
six decimals: what machines round differently lies far beyond, so that the same evidence gives the
same entry everywhere. A team without a figure gets no score; it is named, with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias

from dokja.evidence.ledger import Draft
from dokja.evidence.statistics.scales import to_best
from dokja.values import Estimate, Measured, Missing

__all__ = ["Scale", "ScoreTerms", "Scores", "scores_of"]

Scale: TypeAlias = Literal["absolute", "to-best"]

_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTerms:
    """What a rulebook says of one part of one stage, as values.

    Attributes:
        stage: The stage's id.
        part: The part's id.
        points: The part's points, above 0.
        scale: What earns all of them.
        rulebook: Version of the rulebook under which it is scored.
        level: Of the intervals, in (0, 1).
        draws: How many draws where figures are scaled to the best.
        seed: Of these draws, and of those of voters.
        on: The day of the scores.
        actor: Who enters them.
    """

    stage: str
    part: str
    points: float
    scale: Scale
    rulebook: str
    level: float
    draws: int
    seed: int
    on: date
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """What can be entered, and what cannot.

    Attributes:
        drafts: One `score` per team that has a figure, by team.
        missing: Each team that has none, by id, with the reason.
    """

    drafts: tuple[Draft, ...]
    missing: tuple[tuple[str, Missing], ...]


def scores_of(
    shares: Mapping[str, Measured],
    *,
    terms: ScoreTerms,
    evidence: Mapping[str, Sequence[str]],
    invented: bool = False,
) -> Scores:
    """Return the scores that follow from each team's share of what can be reached.

    Args:
        shares: By team, in [0, 1].
        terms: Of the part.
        evidence: By team: ids of the entries that the share was computed from.
        invented: Whether what it rests on was made by a seeded script.

    Raises:
        ValueError: A share lies outside [0, 1].
    """
    found = {team: share for team, share in shares.items() if isinstance(share, Estimate)}
    missing = {team: share for team, share in shares.items() if isinstance(share, Missing)}
    if not all(0 <= share.value <= 1 for share in found.values()):
        raise ValueError("a share of the points lies outside [0, 1]")
    if terms.scale == "to-best" and found:
        scaled = to_best(found, level=terms.level, draws=terms.draws, seed=terms.seed)
        missing |= {team: share for team, share in scaled.items() if isinstance(share, Missing)}
        found = {team: share for team, share in scaled.items() if isinstance(share, Estimate)}
    drafts = tuple(
        _draft(team, found[team], terms=terms, evidence=evidence[team], invented=invented)
        for team in sorted(found)
    )
    return Scores(drafts=drafts, missing=tuple(sorted(missing.items())))


def _draft(
    team: str, share: Estimate, *, terms: ScoreTerms, evidence: Sequence[str], invented: bool
) -> Draft:
    error = share.standard_error
    return Draft(
        kind="score",
        actor=terms.actor,
        id=f"score/{terms.stage}/{team}/{terms.part}/{terms.rulebook}",
        body={
            "on": terms.on.isoformat(),
            "stage": terms.stage,
            "team": team,
            "part": terms.part,
            "rulebook": terms.rulebook,
            "score": {
                "value": _written(share.value * terms.points),
                "low": _written(max(share.low, 0.0) * terms.points),
                "high": _written(min(share.high, 1.0) * terms.points),
                "level": share.level,
                "kind": share.kind.value,
                "standard_error": None if error is None else _written(error * terms.points),
            },
            "rests_on": dict(share.rests_on),
            "method": share.method,
            "basis": "measured",
            "evidence": list(evidence),
            "invented": invented,
        },
    )


def _written(figure: float) -> float:
    return round(figure, _DECIMALS) + 0.0  # never -0.0
