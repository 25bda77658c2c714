"""Exact tests and intervals for counts: how often something of two kinds happened.

Nothing is approximated by a normal distribution, so that three flips of three are told apart from
thirty of thirty.
"""

import math

from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.student import beta_share
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["binomial_at_least", "mcnemar", "mcnemar_more", "share_of"]

_HALVINGS = 60


def binomial_at_least(successes: int, *, trials: int, chance: float) -> float:
    """Return the probability of at least so many successes.

    Args:
        successes: At most `trials`; 0 or fewer are certain.
        trials: At least 0.
        chance: Of each, in [0, 1].

    Raises:
        ValueError: More successes than trials, or the chance lies outside [0, 1].

    Example:
        >>> round(binomial_at_least(3, trials=3, chance=0.5), 9)
        0.125
    """
    if successes > trials or not 0 <= chance <= 1:
        raise ValueError(f"{successes} of {trials} at a chance of {chance} cannot be")
    if successes <= 0:
        return 1.0
    # The sum of the tail is an incomplete beta function (Abramowitz and Stegun 26.5.24).
    return beta_share(chance, 1 - chance, a=successes, b=trials - successes + 1)


def mcnemar(gained: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test: gains and losses are equally likely.

    Args:
        gained: Pairs that went one way, at least 0.
        lost: Pairs that went the other way, at least 0.

    Example:
        >>> round(mcnemar(0, 5), 9), mcnemar(0, 0)
        (0.0625, 1.0)
    """
    return min(1.0, 2 * mcnemar_more(max(gained, lost), min(gained, lost)))


def mcnemar_more(gained: int, lost: int) -> float:
    """Return the one-sided exact p-value of McNemar's test: gains are not the likelier ones.

    Raises:
        ValueError: A count is below 0.
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"{gained} and {lost} are no counts")
    return binomial_at_least(gained, trials=gained + lost, chance=0.5)


def share_of(successes: int, trials: int, *, level: float, what: str) -> Measured:
    """Return a share with its exact interval (Clopper and Pearson 1934).

    Args:
        successes: From 0 to `trials`.
        trials: How many; none is `Missing`, never 0.
        level: Of the interval, in (0, 1). It covers at least so often.
        what: Names the trials in what the share rests on.

    Raises:
        ValueError: More successes than trials, fewer than none, or the level is outside (0, 1).

    Example:
        >>> found = share_of(0, 10, level=0.95, what="items")
        >>> found.value, round(found.high, 4)
        (0.0, 0.3085)
    """
    check_level(level)
    if not 0 <= successes <= trials:
        raise ValueError(f"{successes} of {trials} cannot be")
    if trials == 0:
        return Missing(reason=MissingReason.NOT_MEASURED, what=(what,))
    tail, value = (1 - level) / 2, successes / trials
    low = _least(successes, trials=trials, tail=tail)
    high = 1 - _least(trials - successes, trials=trials, tail=tail)
    return Estimate(
        value=value,
        low=min(low, value),
        high=max(high, value),
        level=level,
        standard_error=math.sqrt(value * (1 - value) / trials),
        rests_on=((what, trials),),
        method="share, exact",
    )


def _least(successes: int, *, trials: int, tail: float) -> float:
    """Return the smallest chance at which so many successes are not rarer than the tail."""
    if successes == 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if binomial_at_least(successes, trials=trials, chance=middle) < tail:
            low = middle
        else:
            high = middle
    return low
