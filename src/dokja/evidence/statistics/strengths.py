"""Fitting paired-comparison strengths to counts of wins, many count tables at once.

This is the arithmetic beneath `pairings`: tables in, log-odds strengths out. It knows no voter, no
interval and no name.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = ["fitted_strengths", "reachable", "win_shares"]

_RIDGE = 1e-9
_STEPS = 200
_LONGEST = 2.0
_CLOSE = 1e-11


def fitted_strengths(wins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the strengths that make the wins likeliest, by Newton's method.

    A ridge of 1e-9 on the squared strengths changes nothing that is finite to eight digits; it
    lets a table in which a team never lost end at a great strength instead of never.

    Args:
        wins: Wins of row over column, shape `(tables, teams, teams)`, at least 0, diagonal 0.

    Returns:
        Log-odds strengths, shape `(tables, teams)`; the mean of each table is 0.

    Example:
        >>> table = np.array([[[0.0, 3.0], [1.0, 0.0]]])
        >>> np.round(fitted_strengths(table) / np.log(3), 6).tolist()
        [[0.5, -0.5]]
    """
    tables, teams, _ = wins.shape
    met = wins + wins.transpose(0, 2, 1)
    won = wins.sum(axis=2)
    strengths = np.zeros((tables, teams))
    diagonal = np.arange(teams)
    for _ in range(_STEPS):
        chance = _chances(strengths)
        slope = won - (met * chance).sum(axis=2) - _RIDGE * strengths
        bend = -met * chance * (1 - chance)
        bend[:, diagonal, diagonal] = -bend.sum(axis=2) + _RIDGE
        # The counts say nothing of a shift of all strengths; the constant holds their mean at 0.
        step = np.linalg.solve(bend + 1 / teams, slope[..., None])[..., 0]
        longest = np.abs(step).max(axis=1, keepdims=True)
        strengths += step * np.minimum(1.0, _LONGEST / np.maximum(longest, _LONGEST))
        strengths -= strengths.mean(axis=1, keepdims=True)
        if float(longest.max()) < _CLOSE:
            break
    return strengths


def win_shares(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each team's expected share of wins against the others, each met equally often.

    Args:
        strengths: Shape `(tables, teams)`, at least two teams.

    Returns:
        Shape `(tables, teams)`, in [0, 1]; the mean of each table is one half.
    """
    teams = strengths.shape[1]
    # A team's chance against itself is one half, and does not count.
    shares: NDArray[np.float64] = (_chances(strengths).sum(axis=2) - 0.5) / (teams - 1)
    return np.clip(shares, 0.0, 1.0)


def reachable(wins: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which team stands above which by some chain of wins.

    Strengths are finite when every team reaches every other; an order without numbers is left
    when each two are connected one way.

    Args:
        wins: Shape `(teams, teams)`.

    Returns:
        Shape `(teams, teams)`; every team reaches itself.
    """
    teams = wins.shape[0]
    reached: NDArray[np.bool_] = (wins > 0) | np.eye(teams, dtype=np.bool_)
    for middle in range(teams):
        reached |= reached[:, [middle]] & reached[[middle], :]
    return reached


def _chances(strengths: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the chance of row against column, without overflow at either end."""
    gap = strengths[:, :, None] - strengths[:, None, :]
    less = np.exp(-np.abs(gap))
    return np.where(gap >= 0, 1 / (1 + less), less / (1 + less))
