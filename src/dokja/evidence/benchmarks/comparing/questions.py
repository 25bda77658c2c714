"""What is asked of outcomes: who, beside whom, by which convention, and how often it may err."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from dokja.evidence.benchmarks.conventions import CONVENTIONS, Convention
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.statistics.contrasts import Combine, FrontierOf, ReachTerms

__all__ = ["BY_CATEGORY", "Chance", "Question", "Weighting", "openable"]

BY_CATEGORY = "category"
"""Names the clustering of a table's own categories."""

Weighting: TypeAlias = Literal["items", "category-macro"]
Chance: TypeAlias = Literal["none", "item"] | float
"""Whether what guessing gets is taken off: not, item by item as declared, or one share for all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question that a comparison answers.

    Attributes:
        candidate: Label of the system that is asked about.
        references: Labels of those that stand for the frontier.
        terms: The required share, the error rates, and what the verdict speaks of.
        convention: The registered one.
        open: Outcomes that must not be able to change the verdict.
        weights: Whether items count alike, or categories do.
        chance: What is taken off for guessing.
        clusters: The clustering by which the error is told.
        combine: How several benchmarks become one question.
        frontier: What must be reached on several benchmarks.
        benchmark_weights: Of several benchmarks, by name; equal where it names none.
        registered: Whether a rulebook fixed all this beforehand.
        may_lack: Whether a reference that was not measured is left out, instead of leaving a
            clearance undecided.
    """

    candidate: str
    references: tuple[str, ...]
    terms: ReachTerms
    convention: Convention
    open: frozenset[Outcome]
    weights: Weighting = "items"
    chance: Chance = "none"
    clusters: str = BY_CATEGORY
    combine: Combine = Combine.RATIO_OF_MEANS
    frontier: FrontierOf = FrontierOf.ONE_SYSTEM
    benchmark_weights: Mapping[str, float] | None = None
    registered: bool = False
    may_lack: bool = False

    @property
    def beside(self) -> tuple[Convention, ...]:
        """Conventions that are shown beside the registered one; `bounds` has no one ratio."""
        return tuple(
            each
            for name, each in CONVENTIONS.items()
            if name not in {self.convention.name, "bounds"}
        )


def openable(convention: Convention) -> frozenset[Outcome]:
    """Return the outcomes that are open where nobody says: faults and what was not run.

    An outcome that the convention drops cannot be open as well.

    Example:
        >>> sorted(each.value for each in openable(CONVENTIONS["valid_only"]))
        ['not_run']
    """
    wanted = (Outcome.INFRASTRUCTURE_ERROR, Outcome.NOT_RUN)
    return frozenset(each for each in wanted if convention.worth[each] != "drop")
