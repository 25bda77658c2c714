"""What blind votes between pairs say of all teams: strengths, and expected shares of wins.

The model is Bradley and Terry's, a tie being half a win for each side. A strength has no zero, so
that a percentage of it means nothing; what bears points is the *win share*: how often a team would
win against the others, each met equally often, whatever pairs the votes happened to be about.
Votes of one voter hang together, so that intervals come from drawing voters anew. Teams that no
chain of votes connects cannot be compared, and nothing is said of them.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.intervals import bounded_estimate, check_level
from dokja.evidence.statistics.means import clustered_mean
from dokja.evidence.statistics.streams import uniforms
from dokja.evidence.statistics.strengths import fitted_strengths, reachable, win_shares
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["PairedStrengths", "TeamStrength", "Vote", "bradley_terry"]

_LEFT_SHARE = {"left": 1.0, "tie": 0.5, "right": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One voter's choice between two answers."""

    voter: str
    left: str
    right: str
    choice: Literal["left", "right", "tie"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamStrength:
    """What the votes say of one team.

    Attributes:
        team: The team's id.
        strength: Log-odds scale, the mean over teams being 0; missing when the team, or a group
            with it, won or lost every vote against the rest.
        share: Expected share of wins against the other teams, in [0, 1].
        share_of_best: That share over the greatest of all teams, in [0, 1]; 1 for the best.
        votes: How many votes the team was in.
    """

    team: str
    strength: Measured
    share: Measured
    share_of_best: Measured
    votes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedStrengths:
    """What the votes say of all teams, and how the figures were made.

    Attributes:
        teams: By id.
        left_share: Share of votes for the left side, a tie being half; far from one half, the
            side counts.
        ties: Share of ties, in [0, 1].
        votes: How many votes.
        voters: How many voters.
        replicates: How many times the voters were drawn anew.
        seed: Of these draws.
    """

    teams: tuple[TeamStrength, ...]
    left_share: Measured
    ties: float
    votes: int
    voters: int
    replicates: int
    seed: int

    def of(self, team: str) -> TeamStrength:
        """Return what the votes say of this team.

        Raises:
            KeyError: No vote was about it.
        """
        for strength in self.teams:
            if strength.team == team:
                return strength
        raise KeyError(team)


def bradley_terry(
    votes: Sequence[Vote], *, level: float, seed: int, replicates: int = 1_000
) -> PairedStrengths:
    """Return the teams' strengths and win shares, by maximum likelihood.

    Standard errors are standard deviations over replicates in which as many voters are drawn with
    replacement; intervals are t intervals on voters less one degrees of freedom.

    Args:
        votes: At least one; a team is never compared with itself.
        level: Of the intervals, in (0, 1).
        seed: Of the draws; the same votes and seed give the same figures.
        replicates: How often voters are drawn, at least 2.

    Raises:
        ValueError: No vote, a vote between a team and itself, too few replicates, or a level
            outside (0, 1).

    Example:
        >>> choices = ["left", "left", "left", "right"]
        >>> votes = [
        ...     Vote(voter=f"v{i}", left="garam", right="maru", choice=choices[i % 4])
        ...     for i in range(40)
        ... ]
        >>> round(bradley_terry(votes, level=0.95, seed=1).of("garam").share.value, 6)
        0.75
    """
    check_level(level)
    if not votes:
        raise ValueError("no vote was cast")
    if replicates < 2:  # noqa: PLR2004  # a standard deviation needs a pair
        raise ValueError(f"{replicates} replicates cannot show an error")
    if any(vote.left == vote.right for vote in votes):
        raise ValueError("a team cannot be compared with itself")
    teams = sorted({vote.left for vote in votes} | {vote.right for vote in votes})
    voters = sorted({vote.voter for vote in votes})
    wins = _wins(votes, teams=teams, voters=voters)
    counts = Counter(team for vote in votes for team in (vote.left, vote.right))
    judged = _judged(wins, level=level, seed=seed, replicates=replicates)
    return PairedStrengths(
        teams=tuple(
            TeamStrength(team=team, strength=s, share=w, share_of_best=b, votes=counts[team])
            for team, (s, w, b) in zip(teams, judged, strict=True)
        ),
        left_share=clustered_mean(
            [_LEFT_SHARE[vote.choice] for vote in votes],
            [vote.voter for vote in votes],
            level=level,
        ),
        ties=sum(vote.choice == "tie" for vote in votes) / len(votes),
        votes=len(votes),
        voters=len(voters),
        replicates=replicates,
        seed=seed,
    )


def _wins(
    votes: Sequence[Vote], *, teams: Sequence[str], voters: Sequence[str]
) -> NDArray[np.float64]:
    """Return wins of row over column by voter, shape `(voters, teams, teams)`; a tie is half."""
    place = {team: index for index, team in enumerate(teams)}
    row = {voter: index for index, voter in enumerate(voters)}
    wins = np.zeros((len(voters), len(teams), len(teams)))
    for vote in votes:
        left_share = _LEFT_SHARE[vote.choice]
        left, right = place[vote.left], place[vote.right]
        wins[row[vote.voter], left, right] += left_share
        wins[row[vote.voter], right, left] += 1 - left_share
    return wins


def _judged(
    wins: NDArray[np.float64], *, level: float, seed: int, replicates: int
) -> list[tuple[Measured, Measured, Measured]]:
    voters, teams = wins.shape[:2]
    whole = wins.sum(axis=0)
    reached = reachable(whole)
    if voters < 2 or not (reached | reached.T).all():  # noqa: PLR2004  # an interval over voters
        missing = Missing(reason=MissingReason.NOT_COMPARABLE, what=("ballots",))
        return [(missing, missing, missing)] * teams
    finite = bool(reached.all())
    strengths = fitted_strengths(whole[None])[0]
    shares = win_shares(strengths[None])[0]
    drawn = fitted_strengths(_drawn(wins, seed=seed, replicates=replicates))
    drawn_shares = win_shares(drawn)
    ratios = drawn_shares / drawn_shares.max(axis=1, keepdims=True)
    rests = (("voters", voters), ("votes", round(float(whole.sum()))))
    judged: list[tuple[Measured, Measured, Measured]] = []
    for i in range(teams):
        share = bounded_estimate(
            float(shares[i]),
            _deviation(drawn_shares[:, i]),
            units=voters,
            level=level,
            scale=(0.0, 1.0),
            rests_on=rests,
            method="bradley-terry",
        )
        ratio = _spread(
            min(float(shares[i] / shares.max()), 1.0),
            _deviation(ratios[:, i]),
            level=level,
            rests_on=rests,
            scale=(0.0, 1.0),
        )
        strength: Measured = Missing(reason=MissingReason.NOT_COMPARABLE, what=("strength",))
        if finite:
            deviation = _deviation(drawn[:, i])
            strength = _spread(float(strengths[i]), deviation, level=level, rests_on=rests)
        judged.append((strength, share, ratio))
    return judged


def _drawn(wins: NDArray[np.float64], *, seed: int, replicates: int) -> NDArray[np.float64]:
    """Return wins with the voters drawn anew, shape `(replicates, teams, teams)`."""
    voters, teams = wins.shape[:2]
    draws = uniforms(seed, "voters", count=replicates * voters).reshape(replicates, voters)
    picked = (draws * voters).astype(np.int64)
    offsets = np.arange(replicates)[:, None] * voters
    weights = np.bincount((picked + offsets).ravel(), minlength=replicates * voters)
    # Whole and half counts: these sums are exact, in whatever order they are made.
    summed = weights.reshape(replicates, voters).astype(np.float64) @ wins.reshape(voters, -1)
    return summed.reshape(replicates, teams, teams)


def _deviation(values: NDArray[np.float64]) -> float:
    listed = values.tolist()
    middle = math.fsum(listed) / len(listed)
    return math.sqrt(math.fsum((v - middle) ** 2 for v in listed) / (len(listed) - 1))


def _spread(
    value: float,
    deviation: float,
    *,
    level: float,
    rests_on: tuple[tuple[str, int], ...],
    scale: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    half = student_quantile((1 + level) / 2, df=dict(rests_on)["voters"] - 1) * deviation
    return Estimate(
        value=value,
        low=max(value - half, scale[0]),
        high=min(value + half, scale[1]),
        level=level,
        standard_error=deviation,
        rests_on=rests_on,
        method="bradley-terry",
    )
