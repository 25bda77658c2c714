"""How small a change of an endpoint's answers would have been seen, against its own wavering."""

from dokja.evidence.statistics.counts import binomial_at_least, mcnemar_more

__all__ = ["smallest_change"]

_POWER = 0.8


def smallest_change(items: int, *, wavered: int, level: float) -> float | None:
    """Return the smallest further share of changed answers that is seen with power .8.

    Taken as if as many answers wavered without a change as did here.

    Args:
        items: How many items were asked as often as the test needs, at least `wavered`.
        wavered: On how many the answer wavered and came back, at least 0.
        level: Of the one-sided exact test, in (0, 1).

    Example:
        >>> smallest_change(50, wavered=2, level=0.05)
        0.18
    """
    for extra in range(1, items - wavered + 1):
        trials = 2 * wavered + extra
        needed = next((k for k in range(trials + 1) if mcnemar_more(k, trials - k) <= level), None)
        if needed is None:
            continue
        if binomial_at_least(needed, trials=trials, chance=(wavered + extra) / trials) >= _POWER:
            return extra / items
    return None
