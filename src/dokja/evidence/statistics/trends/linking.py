"""Putting two forms on one scale by the items that both have: mean shift, drift screened out.

The anchors were given to takers of both forms, and each form placed them on its own scale. If
nothing drifted the places differ by one shift, whose mean over the anchors links the forms. An
anchor that leaked or was reworded moves by itself: it stands out by its robust z, and is left out
by name. What the shifts of the others scatter is the linking error, and it belongs into every
interval that spans two forms.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.contrasts import Basis, Spread, layout_of, spread
from dokja.evidence.statistics.domains import TrendScore
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate

__all__ = ["Link", "link_forms", "linked"]

_SPREAD_OF_QUARTILES = 0.7413  # a normal's standard deviation over its distance of quartiles
_FEWEST = 10  # anchors: quartiles of fewer say little


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """How a newer form is put on the scale of an older one.

    Attributes:
        shift: What is added to a place on the newer form, with its interval; its standard error is
            the linking error.
        kept: Names of the anchors that it rests on.
        drifted: Names of those that were left out, each with its robust z, the farthest first.
        screened_from: The robust z from which an anchor is left out.
    """

    shift: Estimate
    kept: tuple[str, ...]
    drifted: tuple[tuple[str, float], ...]
    screened_from: float

    @property
    def error(self) -> float:
        """The linking error, in the unit of the scale."""
        return self.shift.standard_error or 0.0


def link_forms(
    older: NDArray[np.float64],
    newer: NDArray[np.float64],
    anchors: Sequence[str],
    *,
    clusters: Sequence[str] | None = None,
    screened_from: float = 2.7,
    level: float = 0.95,
) -> Link:
    """Return the shift that puts the newer form on the older form's scale.

    The robust z of an anchor is its difference less the median, over .74 times the distance of the
    quartiles (Huynh and Meyer 2010). From 2.7 on, about one of 150 anchors that did not drift is
    left out. The shift is the mean difference of the others, its error their scatter over the root
    of their number, by clusters where anchors share a passage; both are widened by what the screen
    cuts off normal tails, (2Φ(c) − 1)/(2Φ(c) − 1 − 2cφ(c)) at a screen of c, 1.06 at 2.7.

    Args:
        older: Difficulties of the anchors on the older form, shape `(anchors,)`.
        newer: On the newer form, the same order.
        anchors: Their names, at least ten.
        clusters: What they share, such as the passage.
        screened_from: Of the robust z, above 0.
        level: Of the interval, in (0, 1).

    Raises:
        NotComparableError: Fewer than ten anchors, or fewer than two clusters are left.
        ValueError: Lengths differ, a difficulty is not finite, or a name stands twice.
    """
    check_level(level)
    _check(older, newer, anchors, screened_from=screened_from)
    differences = older - newer
    robust = _robust(differences)
    kept = np.abs(robust) < screened_from
    lasting = None if clusters is None else np.array(clusters)[kept]
    names = np.array(anchors)
    gone = sorted(np.flatnonzero(~kept).tolist(), key=lambda n: (-abs(robust[n]), anchors[n]))
    return Link(
        shift=_mean_shift(differences[kept], lasting, screen=screened_from, level=level),
        kept=tuple(names[kept].tolist()),
        drifted=tuple((anchors[n], float(robust[n])) for n in gone),
        screened_from=screened_from,
    )


def linked(score: TrendScore, link: Link, *, scale: str) -> TrendScore:
    """Return a place on the newer form as one on the older form's scale.

    Its standard error takes the linking error in (squares add). All places of the newer form share
    that error: it is felt between forms and not within one.

    Args:
        score: On the newer form.
        link: Of the forms.
        scale: Names the older form's scale.

    Raises:
        ValueError: The place has no standard error.
    """
    place = score.place
    if place.standard_error is None or not place.standard_error > 0:
        raise ValueError(f"the place of {score.system} has no standard error")
    error = math.hypot(place.standard_error, link.error)
    widened = error / place.standard_error
    value = place.value + link.shift.value
    return replace(
        score,
        scale=scale,
        place=replace(
            place,
            value=value,
            low=value - (place.value - place.low) * widened,
            high=value + (place.high - place.value) * widened,
            standard_error=error,
            method=f"{place.method}, linked",
        ),
    )


def _check(
    older: NDArray[np.float64],
    newer: NDArray[np.float64],
    anchors: Sequence[str],
    *,
    screened_from: float,
) -> None:
    if not (older.shape == newer.shape == (len(anchors),)) or len(set(anchors)) < len(anchors):
        raise ValueError("each anchor needs one name and a difficulty on both forms")
    if not np.isfinite(older - newer).all() or not screened_from > 0:
        raise ValueError("difficulties must be finite, and the screen above 0")
    if len(anchors) < _FEWEST:
        raise NotComparableError(
            f"{len(anchors)} anchors cannot show which of them drifted; at least {_FEWEST} are "
            "needed, and 150 are advised"
        )


def _robust(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each difference lies from the median, in robust standard deviations."""
    low, middle, high = np.quantile(differences, [0.25, 0.5, 0.75])
    away, scale = differences - middle, _SPREAD_OF_QUARTILES * (high - low)
    nowhere = np.where(away == 0, 0.0, np.inf)
    robust: NDArray[np.float64] = np.divide(away, scale, out=nowhere, where=scale > 0)
    return robust


def _mean_shift(
    differences: NDArray[np.float64],
    clusters: NDArray[np.str_] | None,
    *,
    screen: float,
    level: float,
) -> Estimate:
    """Return the mean of the differences that were kept, by clusters where there are any."""
    basis = Basis.ITEMS if clusters is None else Basis.CLUSTERS
    found = spread(differences, layout_of(len(differences), clusters=clusters), basis=basis)
    if not isinstance(found, Spread):
        raise NotComparableError("the anchors that are left lie in one cluster")
    value, error = float(differences.mean()), _widened(found, screen)
    half = student_quantile((1 + level) / 2, df=found.df) * error
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        level=level,
        standard_error=error,
        rests_on=((basis.value, found.units), ("anchors", len(differences))),
        method="mean anchor shift",
    )


def _widened(found: Spread, screen: float) -> float:
    """Return the error of a mean whose normal tails beyond the screen were cut off."""
    normal = NormalDist()
    inside = 2 * normal.cdf(screen) - 1
    return found.standard_error * inside / (inside - 2 * screen * normal.pdf(screen))
