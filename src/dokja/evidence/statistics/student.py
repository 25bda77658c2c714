"""Student's t distribution: how wide an interval must be when its error is itself estimated.

The distribution function is the regularised incomplete beta function, by the continued fraction
of Abramowitz and Stegun 26.5.8 in Lentz's form; the quantile is found on it by bisection. Both
are scalar and pure, and take degrees of freedom that need not be whole.
"""

import math
from functools import lru_cache

__all__ = ["beta_share", "student_quantile", "student_share_below"]

_CLOSE = 1e-15
_TINY = 1e-300
_TERMS = 100_000


def student_share_below(t: float, *, df: float) -> float:
    """Return the probability that a t-distributed number lies below `t`.

    Args:
        t: Any number; infinities have their limits.
        df: Degrees of freedom, above 0.

    Raises:
        ValueError: `t` is NaN or `df` is not above 0.

    Example:
        >>> student_share_below(1.0, df=1)
        0.75
    """
    if math.isnan(t) or not df > 0:
        raise ValueError(f"Student's distribution has no share below {t} at {df} df")
    if math.isinf(t):
        return 1.0 if t > 0 else 0.0
    # Both x and 1 - x are formed without a difference, so that a small t keeps its digits.
    inner, outer = df / (df + t * t), t * t / (df + t * t)
    if inner == 0:
        return 1.0 if t > 0 else 0.0
    tail = beta_share(inner, outer, a=df / 2, b=0.5) / 2
    return 1 - tail if t > 0 else tail


@lru_cache(maxsize=512)
def student_quantile(share: float, *, df: float) -> float:
    """Return the number that a t-distributed one lies below with this probability.

    Args:
        share: In (0, 1).
        df: Degrees of freedom, above 0.

    Raises:
        ValueError: The share is not inside (0, 1), or `df` is not above 0.

    Example:
        >>> round(student_quantile(0.975, df=13), 3)
        2.16
    """
    if not 0 < share < 1:
        raise ValueError(f"Student's distribution has no quantile at {share}")
    if share < 0.5:  # noqa: PLR2004  # the middle, by symmetry
        return -student_quantile(1 - share, df=df)
    low, high = 0.0, 1.0
    while student_share_below(high, df=df) < share:
        low, high = high, 2 * high
    while high - low > _CLOSE * high:
        middle = (low + high) / 2
        if middle in {low, high}:
            break
        if student_share_below(middle, df=df) < share:
            low = middle
        else:
            high = middle
    return high


def beta_share(x: float, rest: float, *, a: float, b: float) -> float:
    """Return the regularised incomplete beta function I_x(a, b), with rest = 1 - x.

    Both x and 1 - x are taken, so that neither is formed by a difference.

    Args:
        x: In [0, 1].
        rest: 1 - x.
        a: Above 0.
        b: Above 0.
    """
    if x == 0:
        return 0.0
    if rest == 0:
        return 1.0
    # The fraction converges fast below the mean; above it the other tail is asked for.
    if x > (a + 1) / (a + b + 2):
        return 1 - beta_share(rest, x, a=b, b=a)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    )
    return front / a / _fraction(x, a=a, b=b)


def _fraction(x: float, *, a: float, b: float) -> float:
    value, upper, lower = 1.0, 1.0, 0.0
    for term in range(1, _TERMS):
        numerator = _numerator(term, x=x, a=a, b=b)
        lower = 1 + numerator * lower
        lower = 1 / (lower if lower != 0 else _TINY)
        upper = 1 + numerator / upper
        upper = upper if upper != 0 else _TINY
        value *= upper * lower
        if abs(upper * lower - 1) < _CLOSE:
            break
    return value


def _numerator(term: int, *, x: float, a: float, b: float) -> float:
    m, odd = divmod(term, 2)
    if odd:
        return -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
    return m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
