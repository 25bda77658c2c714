"""What must be fixed before the first answer, for a verdict to err only as often as it says."""

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction

from dokja.evidence.statistics.contrasts.contrast import Ratio, ratio_of
from dokja.evidence.statistics.contrasts.spreads import Basis

__all__ = ["Clearance", "Doubt", "GeneraliseTo", "ReachTerms", "ReferenceMode", "reach_terms"]


class Clearance(Enum):
    """The three answers to "does the candidate reach the required share of the frontier?"."""

    CLEARS = "clears"
    DOES_NOT_CLEAR = "does not clear"
    UNDECIDED = "undecided"


class Doubt(Enum):
    """Why a verdict is undecided. The list is closed."""

    INTERVAL = "interval"
    """The margin is too near to 0 for its error."""
    FAULTS = "faults"
    """Outcomes that are not known could change the verdict."""
    FEW_CLUSTERS = "few_clusters"
    """So few clusters that no outcome at all could have been significant."""
    DOMAIN_SHRUNK = "domain_shrunk"
    """More than a hundredth of the domain's weight was dropped."""
    NOT_PAIRED = "not_paired"
    """Not known to be the same items for every system."""
    IDENTITY = "identity"
    """It is not established which system answered."""
    SCORER_UNPROVEN = "scorer_unproven"
    """The scorer has not passed the sanity suite."""
    FRONTIER_INCOMPLETE = "frontier_incomplete"
    """A listed reference was not measured."""
    NO_ITEMS = "no_items"
    """Only means are known, or no item counts for every system."""
    NOT_DECLARED = "not_declared"
    """The rulebook or the suite does not say what the verdict needs, such as clusters."""


class GeneraliseTo(Enum):
    """Which other form the verdict speaks of."""

    BLUEPRINT = "blueprint"
    """Other items of the same strata: the strata are the domain."""
    NEW_CLUSTERS = "new-clusters"
    """Other clusters: those at hand are a sample."""
    BLUEPRINT_NEW_CLUSTERS = "blueprint-new-clusters"
    """Other clusters within the same strata."""
    NEW_BENCHMARKS = "new-benchmarks"
    """Other benchmarks: those at hand are a sample. Only where several are combined."""

    def basis(self, *, crossed: bool = False) -> Basis:
        """Return the basis that decides.

        Args:
            crossed: Whether there is a second clustering across the first.

        Raises:
            ValueError: New benchmarks, which no single contrast can speak of.
        """
        match self:
            case GeneraliseTo.BLUEPRINT:
                return Basis.STRATA
            case GeneraliseTo.NEW_CLUSTERS:
                return Basis.TWO_WAY if crossed else Basis.CLUSTERS
            case GeneraliseTo.BLUEPRINT_NEW_CLUSTERS:
                return Basis.CLUSTERS_IN_STRATA
            case GeneraliseTo.NEW_BENCHMARKS:
                raise ValueError("one benchmark says nothing about new benchmarks; combine several")


class ReferenceMode(Enum):
    """How several references make one frontier."""

    ALL = "all"
    """The candidate must clear each: an intersection-union test, free of selection bias."""
    NAMED = "named"
    """One reference, fixed beforehand; only that one is handed in."""
    CROSSFIT = "crossfit"
    """Each cluster is measured against the reference that is best on all the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReachTerms:
    """What a rulebook registers about a verdict. Made by `reach_terms`.

    Attributes:
        ratio: The share of the frontier that is required, x.
        alpha_clear: How often a candidate that does not reach it may be said to clear.
        alpha_fail: How often one that reaches it may be said not to clear.
        delta_min: The smallest margin that matters; what would settle the question is told for it.
        generalise_to: Which other form the verdict speaks of.
        mode: How several references make one frontier.
        max_t: Whether *does not clear* uses the joint smallest margin instead of J · min p; only
            where clusters are what another form would replace.
        seed: Of every draw.
    """

    ratio: Fraction
    alpha_clear: float
    alpha_fail: float
    delta_min: float
    generalise_to: GeneraliseTo
    mode: ReferenceMode
    max_t: bool
    seed: int


def reach_terms(
    ratio: Ratio,
    *,
    seed: int,
    alpha_clear: float = 0.05,
    alpha_fail: float = 0.05,
    delta_min: float = 0.01,
    generalise_to: GeneraliseTo = GeneraliseTo.NEW_CLUSTERS,
    mode: ReferenceMode = ReferenceMode.ALL,
    max_t: bool = False,
) -> ReachTerms:
    """Return the terms, checked.

    Raises:
        ValueError: A ratio not above 0, an error rate outside (0, .5), or a margin not above 0.

    Example:
        >>> reach_terms(".95", seed=1).ratio
        Fraction(19, 20)
    """
    for alpha in (alpha_clear, alpha_fail):
        if not 0 < alpha < 0.5:  # noqa: PLR2004  # above, both verdicts could be given at once
            raise ValueError(f"an error rate must lie between 0 and .5, not at {alpha}")
    if not delta_min > 0:
        raise ValueError(f"the smallest margin that matters must be above 0, not {delta_min}")
    return ReachTerms(
        ratio=ratio_of(ratio),
        alpha_clear=alpha_clear,
        alpha_fail=alpha_fail,
        delta_min=delta_min,
        generalise_to=generalise_to,
        mode=mode,
        max_t=max_t,
        seed=seed,
    )
