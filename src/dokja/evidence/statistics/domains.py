"""Two kinds of score that must not be confused: on a domain, and on a latent scale.

A share of a declared domain has a zero, so that 95 % of it means something: that is a
`DomainScore`, and whatever forms a ratio of scores takes nothing else. A place on a latent scale
(Rasch, Elo, a capability curve) has an origin that somebody chose: shift it, and every percentage
changes while no model does. That is a `TrendScore`: it says how far apart two systems or two years
lie, never how many per cent. The two share no parent, so that a type checker refuses the one where
the other is asked for, and no verdict can be made of a trend; `domain_scores` refuses it where no
type checker has looked.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from dokja.errors import NotComparableError
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = ["DomainScore", "TrendScore", "domain_scores", "ratio_of_scores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainScore:
    """A share of what could be reached on items that were declared.

    Attributes:
        system: Whose.
        domain: Names the items and the form, such as `click`.
        convention: How outcomes became values.
        share: In [0, 1], with its interval.

    Raises:
        ValueError: The share lies outside [0, 1].
    """

    system: str
    domain: str
    convention: str
    share: Estimate

    def __post_init__(self) -> None:
        if not 0 <= self.share.value <= 1:
            raise ValueError(f"{self.share.value} is no share of a domain")


@dataclass(frozen=True, slots=True, kw_only=True)
class TrendScore:
    """A place on a latent scale.

    Attributes:
        system: Whose.
        scale: Names the scale: its model, its ridge or its stage.
        origin: What was put at 0, such as `difficulty of winogrande`.
        place: With its interval; the unit is the scale's own.
    """

    system: str
    scale: str
    origin: str
    place: Estimate

    def ahead_of(self, other: "TrendScore") -> Estimate:
        """Return how far this place lies above another of the same scale, in its unit.

        A difference has no origin, so that it may be formed; a quotient may not. Two places share
        errors that neither of them knows: the interval holds whatever these are (Bonferroni), at
        the level that both intervals leave. Where the model is at hand, its own is shorter.

        Raises:
            NotComparableError: The other lies on another scale, has another origin, or the two
                intervals are of so low a level that none is left.
        """
        if (self.scale, self.origin) != (other.scale, other.origin):
            raise NotComparableError(
                f"{self.system} is placed on {self.scale} from {self.origin}, {other.system} on "
                f"{other.scale} from {other.origin}; no difference of these means anything. "
                "Place both on one scale first"
            )
        return Estimate(
            value=self.place.value - other.place.value,
            low=self.place.low - other.place.high,
            high=self.place.high - other.place.low,
            level=_left(self.place, other.place),
            rests_on=self.place.rests_on,
            method="difference of places, bonferroni",
        )


def ratio_of_scores(candidate: DomainScore, reference: DomainScore) -> Measured:
    """Return the ratio of two shares of one domain, when no more than the shares is at hand.

    The interval holds however the two errors hang together (Bonferroni), at the level that both
    intervals leave. Where the items are at hand, `contrast` and `ratio_interval` say much more.

    Args:
        candidate: Whose share is divided.
        reference: By whose.

    Returns:
        `Missing` (not comparable) where the reference's interval reaches 0.

    Raises:
        NotComparableError: A latent score, another domain or convention, or no level is left.

    Example:
        >>> scores = [
        ...     DomainScore(
        ...         system=system, domain="click", convention="strict",
        ...         share=Estimate(value=share, low=share - 0.02, high=share + 0.02, level=0.975),
        ...     )
        ...     for system, share in (("garam", 0.7), ("haneul", 0.8))
        ... ]
        >>> found = ratio_of_scores(*scores)
        >>> [round(x, 3) for x in (found.value, found.low, found.high, found.level)]
        [0.875, 0.829, 0.923, 0.95]
    """
    one, other = (score.share for score in domain_scores([candidate, reference]))
    if other.low <= 0:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("reference", reference.system))
    return Estimate(
        value=one.value / other.value,
        low=max(one.low, 0.0) / other.high,
        high=one.high / other.low,
        level=_left(one, other),
        rests_on=one.rests_on,
        method="ratio of shares, bonferroni",
    )


def domain_scores(scores: Sequence[object]) -> tuple[DomainScore, ...]:
    """Return the scores if all of them are shares of one domain under one convention.

    Args:
        scores: At least one, of whatever type: this is the door for what no checker has seen.

    Raises:
        NotComparableError: One is a latent score or no score at all, or they rest on different
            items or conventions.
        ValueError: There is none.

    Example:
        >>> place = Estimate(value=2.6, low=2.5, high=2.7, level=0.95)
        >>> latent = TrendScore(system="garam", scale="curves", origin="winogrande", place=place)
        >>> domain_scores([latent])
        Traceback (most recent call last):
        dokja.errors.NotComparableError: garam: a latent score has no zero, so that no ratio...
    """
    if not scores:
        raise ValueError("no score was handed over")
    found: list[DomainScore] = []
    for score in scores:
        if isinstance(score, TrendScore):
            raise NotComparableError(
                f"{score.system}: a latent score has no zero, so that no ratio of it means "
                f"anything ({score.scale}). Compare shares of the same items instead"
            )
        if not isinstance(score, DomainScore):
            raise NotComparableError(f"{score!r} is no share of a domain")
        found.append(score)
    met = {(score.domain, score.convention) for score in found}
    if len(met) > 1:
        named = "; ".join(f"{domain} under {convention}" for domain, convention in sorted(met))
        raise NotComparableError(f"shares of different domains or conventions: {named}")
    return tuple(found)


def _left(one: Estimate, other: Estimate) -> float:
    """Return the level at which both intervals hold at once, whatever they share."""
    level = one.level + other.level - 1
    if level <= 0:
        raise NotComparableError("two intervals of so low a level hold nothing together")
    return level
