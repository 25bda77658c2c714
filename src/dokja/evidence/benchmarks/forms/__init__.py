"""Items that stay secret: promised, picked by a beacon, counted, opened on appeal, retired."""

from dokja.evidence.benchmarks.forms.commitments import (
    FormCommitment,
    Opening,
    SuiteCommitment,
    commitment_of,
    opening_of,
    read_commitment,
    salted,
)
from dokja.evidence.benchmarks.forms.exposures import (
    TERMS,
    Exposure,
    Showing,
    exposure_draft,
    handle_bytes,
    histories,
)
from dokja.evidence.benchmarks.forms.picking import Pulse, picked
from dokja.evidence.benchmarks.forms.retiring import (
    Retirement,
    RetirementRules,
    Why,
    anchors_lacking,
    retired,
)

__all__ = [
    "TERMS",
    "Exposure",
    "FormCommitment",
    "Opening",
    "Pulse",
    "Retirement",
    "RetirementRules",
    "Showing",
    "SuiteCommitment",
    "Why",
    "anchors_lacking",
    "commitment_of",
    "exposure_draft",
    "handle_bytes",
    "histories",
    "opening_of",
    "picked",
    "read_commitment",
    "retired",
    "salted",
]
