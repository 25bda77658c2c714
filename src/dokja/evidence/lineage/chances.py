"""How small the chance of a finding is, so that many findings of one run can be held together.

A component is looked at in several ways: layer pairs in the same coordinates, rows of shared
tokens, and each branch of agreement. The smallest p-value counts, times the number of ways
(Bonferroni). All of them are approximate: they decide nothing without the controls beside them,
and serve here to ask more of a relation the more references it was sought in.
"""

import math

from dokja.evidence.lineage.findings import ComponentFinding

__all__ = ["SMALLEST_LOG10", "log10_chance_of"]

SMALLEST_LOG10 = -300.0
"""Smaller ones are not told apart: so far out no approximation means anything."""

_FARTHEST = 36.0
"""Standard errors beyond which the normal tail is too small for a floating-point number."""


def log10_chance_of(finding: ComponentFinding) -> float | None:
    """Return log₁₀ of the chance of what was seen; none where nothing could be looked at."""
    ways = [one.log10_p for one in finding.branches if one.log10_p is not None]
    if finding.layers:
        scores = [_score(one.value, one.standard_error) for one in finding.layers]
        ways.append(log10_tail(max(scores)) + math.log10(max(finding.tests, 1)))
    ways += [log10_tail(_score(one.value, one.standard_error)) for one in finding.token_rows]
    if not ways:
        return None
    return max(SMALLEST_LOG10, min(0.0, min(ways) + math.log10(len(ways))))


def _score(value: float, standard_error: float) -> float:
    return value / standard_error if standard_error else 0.0


def log10_tail(score: float) -> float:
    """Return log₁₀ of the chance that a normal score is larger.

    Example:
        >>> round(log10_tail(1.96), 3), round(log10_tail(100.0), 3)
        (-1.602, -2173.871)
    """
    if score > _FARTHEST:  # Mills' ratio; the chance itself is no number that a computer has
        return -(score**2 / 2 / math.log(10) + math.log10(score * math.sqrt(2 * math.pi)))
    return math.log10(math.erfc(score / math.sqrt(2)) / 2)
