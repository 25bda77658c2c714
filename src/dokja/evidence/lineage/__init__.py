"""Where weights come from: what each component is statistically consistent with, and how surely.

This first room compares in the same coordinates only: weights that were re-ordered or turned are
not recognised, and no answer here is "unrelated". There is *no evidence*, with the smallest
likeness that would have been seen, or *not testable*, with the reason.
"""

from dokja.evidence.lineage.components import ComponentSpec, Inventory, inventory
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.drafts import finding_drafts
from dokja.evidence.lineage.findings import (
    METHOD,
    ComponentFinding,
    GainReading,
    LayerReading,
    TokenRows,
    TraceReport,
)
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import Derivation, Direction, Relation
from dokja.evidence.lineage.tracing import trace

__all__ = [
    "METHOD",
    "ComponentFinding",
    "ComponentSpec",
    "ControlReading",
    "Derivation",
    "Direction",
    "GainReading",
    "Inventory",
    "LayerReading",
    "Plan",
    "Relation",
    "TokenRows",
    "TraceReport",
    "finding_drafts",
    "inventory",
    "trace",
]
