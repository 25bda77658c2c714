"""Slopes by item (2PL), for those who have the takers: at least three hundred.

logit P(right) = a (θ − b). With 30 takers slopes are recovered with a correlation of .60, with 100
of .76, with 300 of .90 (design/measurement 5.11): below 300 they are noise that looks like
knowledge, and are refused. A programme has a few dozen systems; this is for archives of runs.
Fitted by marginal maximum likelihood (Bock and Aitkin 1981) with a normal prior on log a.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError

__all__ = ["FEWEST_TAKERS", "ItemSlopes", "item_slopes"]

FEWEST_TAKERS = 300
_PRIOR_SPREAD = 0.5  # of log a: nearly all slopes within a factor of three of 1
_ROUNDS = 200
_CLOSE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ItemSlopes:
    """Difficulties and slopes, on a scale on which takers are standard normal.

    Attributes:
        difficulties: b, shape `(items,)`.
        slopes: a, above 0, shape `(items,)`.
        difficulty_errors: Standard errors of b, by the expected bend.
        slope_errors: Of log a.
        takers: How many.
    """

    difficulties: NDArray[np.float64]
    slopes: NDArray[np.float64]
    difficulty_errors: NDArray[np.float64]
    slope_errors: NDArray[np.float64]
    takers: int


def item_slopes(answers: NDArray[np.int8]) -> ItemSlopes:
    """Return difficulties and slopes of the items.

    Args:
        answers: 1 for right, 0 for wrong, -1 for none; shape `(takers, items)`. Runs of one model
            are not takers of their own.

    Raises:
        NotComparableError: Fewer than 300 takers, or an item that all of them get alike.
        ValueError: An answer is none of 1, 0, -1.
    """
    if answers.ndim != 2 or not np.isin(answers, [-1, 0, 1]).all():  # noqa: PLR2004  # takers and items
        raise ValueError("an answer is 1 for right, 0 for wrong, or -1 for none")
    if len(answers) < FEWEST_TAKERS:
        raise NotComparableError(
            f"{len(answers)} takers cannot show how steeply items answer to ability; slopes need "
            f"at least {FEWEST_TAKERS}. Use `rasch`, which takes all items to be equally steep"
        )
    right = (answers == 1).astype(np.float64)
    wrong = (answers == 0).astype(np.float64)
    if not (right.any(axis=0) & wrong.any(axis=0)).all():
        raise NotComparableError("an item that all takers get alike has no slope; leave it out")
    nodes = np.linspace(-4.5, 4.5, 37)
    logs = -nodes * nodes / 2
    start, log_slope = np.zeros(answers.shape[1]), np.zeros(answers.shape[1])
    bend = np.zeros((answers.shape[1], 2, 2))
    for _ in range(_ROUNDS):
        before = np.concatenate([start, log_slope])
        held = _held(right, wrong, nodes=nodes, logs=logs, at=(start, log_slope))
        counts = (right.T @ held, (right + wrong).T @ held)
        for _ in range(3):
            start, log_slope, bend = _moved(counts, nodes=nodes, at=(start, log_slope))
        if float(np.abs(np.concatenate([start, log_slope]) - before).max()) < _CLOSE:
            break
    slopes, inner = np.exp(log_slope), np.linalg.inv(bend)
    # b = −start / a: its error follows from those of start and log a.
    difficulties = -start / slopes
    turn = np.stack([-1 / slopes, -difficulties], axis=1)
    squares = np.einsum("ij,ijk,ik->i", turn, inner, turn)
    return ItemSlopes(
        difficulties=difficulties,
        slopes=slopes,
        difficulty_errors=np.sqrt(squares),
        slope_errors=np.sqrt(inner[:, 1, 1]),
        takers=len(answers),
    )


def _held(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    *,
    nodes: NDArray[np.float64],
    logs: NDArray[np.float64],
    at: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return how probable each ability is for each taker, shape `(takers, nodes)`."""
    start, log_slope = at
    gap = start[:, None] + np.exp(log_slope)[:, None] * nodes[None, :]
    by_node = right @ -np.logaddexp(0, -gap) + wrong @ -np.logaddexp(0, gap) + logs
    masses = np.exp(by_node - by_node.max(axis=1, keepdims=True))
    held: NDArray[np.float64] = masses / masses.sum(axis=1, keepdims=True)
    return held


def _moved(
    counts: tuple[NDArray[np.float64], NDArray[np.float64]],
    *,
    nodes: NDArray[np.float64],
    at: tuple[NDArray[np.float64], NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return starts and log-slopes one Fisher step on, and the expected bend of each item."""
    (right, asked), (start, log_slope) = counts, at
    slope = np.exp(log_slope)[:, None]
    chance = 1 / (1 + np.exp(-(start[:, None] + slope * nodes[None, :])))
    missed, weights = right - asked * chance, asked * chance * (1 - chance)
    steep = slope * nodes[None, :]
    pull = np.stack(
        [missed.sum(axis=1), (missed * steep).sum(axis=1) - log_slope / _PRIOR_SPREAD**2], axis=1
    )
    bend = np.empty((len(start), 2, 2))
    bend[:, 0, 0] = weights.sum(axis=1) + 1e-9
    bend[:, 0, 1] = bend[:, 1, 0] = (weights * steep).sum(axis=1)
    bend[:, 1, 1] = (weights * steep**2).sum(axis=1) + _PRIOR_SPREAD**-2
    step = np.clip(np.linalg.solve(bend, pull[:, :, None])[:, :, 0], -1.0, 1.0)
    return start + step[:, 0], log_slope + step[:, 1], bend
