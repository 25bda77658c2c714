"""What is known of references at two stages, and what can be found about it."""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from dokja.values import Measured

__all__ = ["DriftFinding", "DriftKind", "DriftReport", "Newcomer", "Revisit", "Shift"]


class DriftKind(Enum):
    """What moved."""

    FRONTIER_MOVED = "frontier moved"
    RULER_MOVED = "ruler moved"
    ENDPOINT_CHANGED = "endpoint changed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Revisit:
    """A reference on the anchors at two stages.

    Attributes:
        label: Names it.
        earlier: Codes of its answers at the earlier stage, -1 for none; shape `(anchors,)`.
        later: At the later stage.
        again: When it was asked once more within the later run; -1 for anchors that did not recur.
        earlier_scores: In [0, 1], the same shape; not read where there is no answer.
        later_scores: Likewise.
    """

    label: str
    earlier: NDArray[np.int64]
    later: NDArray[np.int64]
    again: NDArray[np.int64]
    earlier_scores: NDArray[np.float64]
    later_scores: NDArray[np.float64]

    @property
    def met(self) -> NDArray[np.bool_]:
        """Which anchors were answered at both stages."""
        return (self.earlier >= 0) & (self.later >= 0)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Newcomer:
    """A system that is new at the later stage: its scores on the anchors, in [0, 1]."""

    label: str
    scores: NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How one reference stands to itself.

    Attributes:
        label: Names it.
        gained: Anchors on which it scores more than before.
        lost: Anchors on which it scores less.
        p_level: Two-sided exact p-value that both are equally likely (McNemar).
        changed_only: Anchors whose answer changed between the stages and not within the run.
        wavered_only: Anchors whose answer changed within the run and not between the stages.
        p_changed: One-sided exact p-value that answers do not change more between stages than
            within a run; None where no anchor recurred.
        anchors: How many it answered at both stages.
        recurring: How many of these also recurred.
    """

    label: str
    gained: int
    lost: int
    p_level: float
    changed_only: int
    wavered_only: int
    p_changed: float | None
    anchors: int
    recurring: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftFinding:
    """One test of the three, and what it says.

    Attributes:
        kind: What would have moved.
        about: Which systems.
        holds: Whether it moved; None where nothing here can tell.
        adjusted: p-value, held over all tests of its kind; None where nothing can tell.
        change: By how much: of the score, with its interval; for an endpoint, of the share of
            answers that changed beyond what a run changes in itself, without one that covers it.
        smallest: The smallest change that would have been seen with power .8, in the same unit;
            None where nothing can tell.
    """

    kind: DriftKind
    about: tuple[str, ...]
    holds: bool | None
    adjusted: float | None
    change: Measured
    smallest: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """All findings, those that hold and those that do not.

    Attributes:
        findings: The ruler, every endpoint, every newcomer.
        shifts: Each reference against itself, by label.
        level: Of each kind of finding.
    """

    findings: tuple[DriftFinding, ...]
    shifts: tuple[Shift, ...]
    level: float

    def holding(self, kind: DriftKind) -> tuple[DriftFinding, ...]:
        """Return the findings of a kind that hold."""
        return tuple(each for each in self.findings if each.kind is kind and each.holds)
