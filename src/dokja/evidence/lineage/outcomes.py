"""What a run comes to, in one of three words that the command line ends with."""

from enum import Enum

from dokja.evidence.lineage.findings import ComponentFinding
from dokja.evidence.lineage.many import Tracing
from dokja.evidence.lineage.relations import Relation

__all__ = ["LEAST_SHARE", "Outcome", "outcome_of"]

LEAST_SHARE = 0.01
"""A component with a smaller share of the parameters leaves no run open by itself."""


class Outcome(Enum):
    """What was found."""

    RELATED = "related"  # in some finding every relation left open is one with the reference
    CANNOT_TELL = "cannot_tell"  # none is, and a component could not be settled
    NOTHING = "nothing"  # every component that has its like was tested, and shows no evidence


def outcome_of(tracing: Tracing) -> Outcome:
    """Return what a run comes to.

    A component for whose role a reference has nothing does not leave the run open: there is
    nothing that it could be compared with.
    """
    findings = [finding for _, finding in tracing.findings]
    if any(finding.related for finding in findings):
        return Outcome.RELATED
    weighty = [finding for finding in findings if finding.parameter_share >= LEAST_SHARE]
    if not weighty or any(_is_open(finding) for finding in weighty):
        return Outcome.CANNOT_TELL
    return Outcome.NOTHING


def _is_open(finding: ComponentFinding) -> bool:
    """Tell whether a finding that shows no relation leaves one open, or had no power to see it."""
    return finding.relations != (Relation.NO_EVIDENCE,) or finding.minimum_detectable is None
