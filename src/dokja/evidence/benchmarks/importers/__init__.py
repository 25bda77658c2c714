"""Reads what others recorded, and keeps apart what they folded together.

A table, a log of an engine or an export of results goes in; out come rows, the tables of outcomes
that they make, and flags for everything that a reader of a result must know. Nothing is repaired
on the way, nothing is dropped that is not declared, and what is not understood stops the import.
"""

from dokja.evidence.benchmarks.importers.declaring import (
    BUILT_IN,
    built_in_mapping,
    parse_mapping,
    read_mapping,
)
from dokja.evidence.benchmarks.importers.every_eval import every_eval_lines, read_every_eval
from dokja.evidence.benchmarks.importers.gathering import ReadLog
from dokja.evidence.benchmarks.importers.inspect_logs import read_inspect
from dokja.evidence.benchmarks.importers.livebench import read_livebench
from dokja.evidence.benchmarks.importers.lm_eval import read_lm_eval
from dokja.evidence.benchmarks.importers.logs import import_log
from dokja.evidence.benchmarks.importers.making import Pairing, align, import_rows
from dokja.evidence.benchmarks.importers.mappings import TableMapping
from dokja.evidence.benchmarks.importers.plain import read_plain
from dokja.evidence.benchmarks.importers.printed import read_claims
from dokja.evidence.benchmarks.importers.tables import import_table, pairing_of, replay_claims
from dokja.evidence.benchmarks.storing import (
    Imported,
    Origin,
    read_import,
    read_table,
    write_import,
)

__all__ = [
    "BUILT_IN",
    "Imported",
    "Origin",
    "Pairing",
    "ReadLog",
    "TableMapping",
    "align",
    "built_in_mapping",
    "every_eval_lines",
    "import_log",
    "import_rows",
    "import_table",
    "pairing_of",
    "parse_mapping",
    "read_claims",
    "read_every_eval",
    "read_import",
    "read_inspect",
    "read_livebench",
    "read_lm_eval",
    "read_mapping",
    "read_plain",
    "read_table",
    "replay_claims",
    "write_import",
]
