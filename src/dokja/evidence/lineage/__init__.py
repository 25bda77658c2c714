"""Where weights come from: what each component is statistically consistent with, and how surely.

Weights are compared in the same coordinates, and by how neurons match once re-ordered neurons, a
turned residual stream or replaced embeddings are undone. No answer here is "unrelated": there is
*no evidence*, with the smallest likeness that would have been seen, or *not testable*, with the
reason.
"""

from dokja.evidence.lineage.adapted import Model, bare
from dokja.evidence.lineage.clusters import RayCluster
from dokja.evidence.lineage.components import ComponentSpec, Inventory, inventory
from dokja.evidence.lineage.controls import ControlReading
from dokja.evidence.lineage.documents import SCHEMA, Named, trace_document
from dokja.evidence.lineage.drafts import finding_drafts
from dokja.evidence.lineage.engines import Engine, Processes
from dokja.evidence.lineage.findings import (
    METHOD,
    AdapterReading,
    BranchSummary,
    ComponentFinding,
    ElectedReading,
    GainReading,
    LayerAgreement,
    LayerReading,
    MergeReading,
    NeuronMap,
    TokenRows,
    TraceReport,
)
from dokja.evidence.lineage.many import Chance, Tracing, trace_all
from dokja.evidence.lineage.merging import decompose
from dokja.evidence.lineage.other_facts import OtherFacts, Setting
from dokja.evidence.lineage.outcomes import Outcome, outcome_of
from dokja.evidence.lineage.plans import Plan
from dokja.evidence.lineage.relations import Derivation, Direction, Relation
from dokja.evidence.lineage.tracing import trace

__all__ = [
    "METHOD",
    "SCHEMA",
    "AdapterReading",
    "BranchSummary",
    "Chance",
    "ComponentFinding",
    "ComponentSpec",
    "ControlReading",
    "Derivation",
    "Direction",
    "ElectedReading",
    "Engine",
    "GainReading",
    "Inventory",
    "LayerAgreement",
    "LayerReading",
    "MergeReading",
    "Model",
    "Named",
    "NeuronMap",
    "OtherFacts",
    "Outcome",
    "Plan",
    "Processes",
    "RayCluster",
    "Relation",
    "Setting",
    "TokenRows",
    "TraceReport",
    "Tracing",
    "bare",
    "decompose",
    "finding_drafts",
    "inventory",
    "outcome_of",
    "trace",
    "trace_all",
    "trace_document",
]
