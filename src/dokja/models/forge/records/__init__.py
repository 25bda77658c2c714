"""Build records: what was done to make a model, said while it was done, signed and witnessed.

A chain grows entry by entry during the run; a record is made of it in the end and attested; bills
of materials and cards follow from the record alone. Nothing here trains or judges.
"""

from dokja.models.forge.records.appending import ChainWriter
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
from dokja.models.forge.records.chain import Chain, parse_chain, read_chain
from dokja.models.forge.records.checking import Problem, ProblemKind, check_chain
from dokja.models.forge.records.draws import NONCE_BYTES, draw_seed, keeps_probe
from dokja.models.forge.records.entries import Entry, Link
from dokja.models.forge.records.liveness import Liveness, Seen, kept_probes, liveness, seen
from dokja.models.forge.records.register import (
    KeyRegister,
    KeyRole,
    KeyStanding,
    RegisteredKey,
    read_keys,
)
from dokja.models.forge.records.witness import LocalWitness, Receipt, Witness, issue_receipt

__all__ = [
    "NONCE_BYTES",
    "Body",
    "Chain",
    "ChainWriter",
    "Checkpoint",
    "Code",
    "Commit",
    "Entry",
    "Export",
    "Init",
    "Interruption",
    "KeyRegister",
    "KeyRole",
    "KeyStanding",
    "Link",
    "Liveness",
    "LocalWitness",
    "LogSpan",
    "Metrics",
    "NamedLoss",
    "Probe",
    "Problem",
    "ProblemKind",
    "Receipt",
    "RegisteredKey",
    "Seal",
    "SeedOrigin",
    "Seen",
    "Stage",
    "StateDigest",
    "Witness",
    "check_chain",
    "draw_seed",
    "issue_receipt",
    "keeps_probe",
    "kept_probes",
    "liveness",
    "parse_chain",
    "read_chain",
    "read_keys",
    "seen",
]
