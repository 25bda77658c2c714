"""The t-scale: seven grades from a closed service (T0) to an own supply chain (T6).

| grade | weights | structure |
|---|---|---|
| T0 | somebody else's, behind an interface | somebody else's |
| T1 | somebody else's, lightly tuned or used frozen | somebody else's |
| T2 | somebody else's open weights, trained on in full | somebody else's |
| T3 | somebody else's open weights in an extended structure, trained on | extended |
| T4 | initialised and trained by the team | known, or extended from a known one |
| T5 | initialised and trained by the team | the team's own |
| T6 | T5 on own chips, framework, data centre and data | the team's own |

No entry of a ledger shows a supply chain, so T6 is never found; nothing here reads a finding.
"""

from dataclasses import dataclass
from typing import Final, Literal

from dokja.evidence.ledger.kinds import Component

__all__ = [
    "GRADES",
    "HIGHEST_FOUND",
    "OWN_WEIGHTS",
    "GradeName",
    "GradeRange",
    "declared_grade",
    "weakest",
]

GradeName = Literal["T0", "T1", "T2", "T3", "T4", "T5", "T6"]

GRADES: Final[tuple[GradeName, ...]] = ("T0", "T1", "T2", "T3", "T4", "T5", "T6")
"""The grades, weakest first; their names sort alike."""

OWN_WEIGHTS: Final[GradeName] = "T4"
"""The weakest grade of a component whose weights the team initialised itself."""

HIGHEST_FOUND: Final[GradeName] = "T5"
"""The strongest grade that evidence in a ledger can leave standing."""

_BY_ORIGIN: Final[dict[str, GradeName]] = {
    "closed-api": "T0",
    "closed-adapted": "T1",
    "open-adapted": "T1",
    "open-frozen": "T1",
    "open-continued": "T2",
    "open-extended": "T3",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GradeRange:
    """The grades that the evidence leaves open, both ends included.

    Raises:
        ValueError: The low end is above the high end.
    """

    low: GradeName
    high: GradeName

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError(f"no grade lies between {self.low} and {self.high}")

    @property
    def is_settled(self) -> bool:
        """Whether one grade is left."""
        return self.low == self.high

    def to_json(self) -> dict[str, str]:
        """Return it as it stands in a decision."""
        return {"low": self.low, "high": self.high}


def declared_grade(component: Component) -> GradeName | None:
    """Return the grade that a component has by its team's own words; none if it did not say.

    An own initialisation in an extended structure is T4: the weights are the team's, and so is a
    part of the structure only. A structure that was not declared counts as known.

    Example:
        >>> declared_grade(Component(component="body", role="language-body",
        ...                          origin="own-initialisation", structure="own"))
        'T5'
    """
    if component.origin is None:
        return None
    if component.origin == "own-initialisation":
        return "T5" if component.structure == "own" else OWN_WEIGHTS
    return _BY_ORIGIN[component.origin]


def weakest(ranges: list[GradeRange]) -> GradeRange | None:
    """Return the range of the weakest of several components; none of no component.

    Example:
        >>> body, encoder = GradeRange(low="T4", high="T5"), GradeRange(low="T1", high="T1")
        >>> weakest([body, encoder]).high
        'T1'
    """
    if not ranges:
        return None
    return GradeRange(low=min(r.low for r in ranges), high=min(r.high for r in ranges))
