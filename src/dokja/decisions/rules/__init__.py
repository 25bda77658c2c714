"""Rules: read from a rulebook, answered with rulings, resting on what stands in the ledger."""

from dokja.decisions.rules.loading import Rulebook, load_rulebook
from dokja.decisions.rules.reasons import REASON_CODES, ReasonCode, because
from dokja.decisions.rules.record import Record, Said, entry_name, read_record, survey
from dokja.decisions.rules.schema import KEYS, Gate, Key, Part, Records, Scheme, Stage
from dokja.decisions.rules.verdicts import (
    Ruling,
    Verdict,
    all_of,
    any_of,
    majority,
    reason_json,
)

__all__ = [
    "KEYS",
    "REASON_CODES",
    "Gate",
    "Key",
    "Part",
    "ReasonCode",
    "Record",
    "Records",
    "Rulebook",
    "Ruling",
    "Said",
    "Scheme",
    "Stage",
    "Verdict",
    "all_of",
    "any_of",
    "because",
    "entry_name",
    "load_rulebook",
    "majority",
    "read_record",
    "reason_json",
    "survey",
]
