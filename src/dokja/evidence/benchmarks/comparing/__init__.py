"""Lays measured outcomes beside each other and answers one registered question about them.

`compare` takes tables of outcomes and a `Question` and returns a `Comparison`: the three-way
verdict of `evidence.statistics`, and beside it the same by other errors and conventions, what
carries it, and what would settle it. `document` writes it as JSON, `reach_draft` as an entry of
the ledger. Nothing here grades a model or sends a team home.
"""

from dokja.evidence.benchmarks.comparing.comparisons import Comparison, Domain, compare
from dokja.evidence.benchmarks.comparing.documents import SCHEMA, document, document_bytes
from dokja.evidence.benchmarks.comparing.drafts import Occasion, reach_draft
from dokja.evidence.benchmarks.comparing.questions import BY_CATEGORY, Question, openable

__all__ = [
    "BY_CATEGORY",
    "SCHEMA",
    "Comparison",
    "Domain",
    "Occasion",
    "Question",
    "compare",
    "document",
    "document_bytes",
    "openable",
    "reach_draft",
]
