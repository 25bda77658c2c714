"""Single marks and votes, drawn by the same models whose moments `moments` computes."""

from itertools import combinations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.pairings import Vote
from dokja.evidence.statistics.raters import Mark
from dokja.evidence.statistics.simulating.designs import Ballots, Panel

__all__ = ["drawn_marks", "drawn_votes"]

Floats: TypeAlias = NDArray[np.float64]


def drawn_marks(seen: Panel, truth: Floats, rng: np.random.Generator) -> list[Mark]:
    """Return what a panel marks, every rater reading as many teams, every team read as often.

    Marks are cut at the ends of the sheet. Where raters read some teams only, each reads the ones
    that follow the last one's, round and round.

    Args:
        seen: The panel.
        truth: True worth of each team, in [0, 1].
        rng: Draws severities and marks.
    """
    teams = len(truth)
    each = min(seen.teams_each or teams, teams)
    marks = []
    for rater in range(seen.raters):
        severity = rng.normal(0.0, seen.severity_sd)
        read = [(rater + step) % teams for step in range(each)]
        given = truth[read] + severity + rng.normal(0.0, seen.residual_sd, each)
        marks += [
            Mark(rater=f"rater-{rater}", team=f"team-{team}", value=float(min(max(v, 0.0), 1.0)))
            for team, v in zip(read, given, strict=True)
        ]
    return marks


def drawn_votes(seen: Ballots, strengths: Floats, rng: np.random.Generator) -> list[Vote]:
    """Return what voters choose, pairs being dealt round so that each is met as often.

    Args:
        seen: The voters.
        strengths: True strength of each team, in log-odds.
        rng: Draws tastes and choices.
    """
    pairs = list(combinations(range(len(strengths)), 2))
    votes = []
    for voter in range(seen.voters):
        liked = strengths + rng.normal(0.0, seen.taste_sd, len(strengths))
        first = voter * seen.votes_each
        for one, other in (pairs[(first + n) % len(pairs)] for n in range(seen.votes_each)):
            chance = 1 / (1 + np.exp(liked[other] - liked[one]))
            votes.append(
                Vote(
                    voter=f"voter-{voter}",
                    left=f"team-{one}",
                    right=f"team-{other}",
                    choice="left" if rng.random() < chance else "right",
                )
            )
    return votes
