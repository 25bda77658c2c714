"""Build records: what was done to make a model, said while it was done, signed and witnessed.

A chain grows entry by entry during the run; a record is made of it in the end and attested; bills
of materials and cards follow from the record alone. Nothing here trains or judges.
"""

from dokja.models.forge.manifests import (
    FileManifest,
    ListedFile,
    file_manifest,
)
from dokja.models.forge.records.appending import (
    ChainWriter,
)
from dokja.models.forge.records.attest import (
    Attestation,
    attest,
    open_attestation,
    read_attestation,
    statement,
)
from dokja.models.forge.records.bodies import (
    Body,
    Checkpoint,
    Code,
    Commit,
    Export,
    Init,
    Interruption,
    LogSpan,
    Metrics,
    NamedLoss,
    Probe,
    Seal,
    SeedOrigin,
    Stage,
    StateDigest,
)
from dokja.models.forge.records.chain import (
    Chain,
    parse_chain,
    read_chain,
)
from dokja.models.forge.records.checking import (
    Problem,
    ProblemKind,
    check_chain,
)
from dokja.models.forge.records.draws import (
    NONCE_BYTES,
    draw_seed,
    keeps_probe,
)
from dokja.models.forge.records.entries import (
    Entry,
    Link,
)
from dokja.models.forge.records.facts import (
    Builder,
    ChainFacts,
    Component,
    Compute,
    DataSource,
    Leaf,
    LeafKind,
    Seed,
    Span,
    Tokenizer,
    WitnessedSteps,
)
from dokja.models.forge.records.liveness import (
    Liveness,
    Seen,
    kept_probes,
    liveness,
    seen,
)
from dokja.models.forge.records.making import (
    PlanFacts,
    make_record,
    with_shares,
)
from dokja.models.forge.records.record import (
    BuildRecord,
    read_record,
    record_of,
)
from dokja.models.forge.records.register import (
    KeyRegister,
    KeyRole,
    KeyStanding,
    RegisteredKey,
    read_keys,
)
from dokja.models.forge.records.witness import (
    LocalWitness,
    Receipt,
    Witness,
    issue_receipt,
)

__all__ = [
    "NONCE_BYTES",
    "Attestation",
    "Body",
    "BuildRecord",
    "Builder",
    "Chain",
    "ChainFacts",
    "ChainWriter",
    "Checkpoint",
    "Code",
    "Commit",
    "Component",
    "Compute",
    "DataSource",
    "Entry",
    "Export",
    "FileManifest",
    "Init",
    "Interruption",
    "KeyRegister",
    "KeyRole",
    "KeyStanding",
    "Leaf",
    "LeafKind",
    "Link",
    "ListedFile",
    "Liveness",
    "LocalWitness",
    "LogSpan",
    "Metrics",
    "NamedLoss",
    "PlanFacts",
    "Probe",
    "Problem",
    "ProblemKind",
    "Receipt",
    "RegisteredKey",
    "Seal",
    "Seed",
    "SeedOrigin",
    "Seen",
    "Span",
    "Stage",
    "StateDigest",
    "Tokenizer",
    "Witness",
    "WitnessedSteps",
    "attest",
    "check_chain",
    "draw_seed",
    "file_manifest",
    "issue_receipt",
    "keeps_probe",
    "kept_probes",
    "liveness",
    "make_record",
    "open_attestation",
    "parse_chain",
    "read_attestation",
    "read_chain",
    "read_keys",
    "read_record",
    "record_of",
    "seen",
    "statement",
    "with_shares",
]
