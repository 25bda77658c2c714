"""What was read from logs becomes tables of outcomes with every flag."""

from collections.abc import Sequence
from dataclasses import replace

from dokja.evidence.benchmarks.importers.gathering import ReadLog
from dokja.evidence.benchmarks.importers.making import Pairing, align, import_rows
from dokja.evidence.benchmarks.importers.tables import replay_claims
from dokja.evidence.benchmarks.quality import flags_of
from dokja.evidence.benchmarks.quality.claims import Claim
from dokja.evidence.benchmarks.quality.replaying import claim_flags
from dokja.evidence.benchmarks.storing import Imported

__all__ = ["import_log"]


def import_log(read: ReadLog, *, claims: Sequence[Claim] = ()) -> Imported:
    """Return the outcomes that logs hold, items paired by what identifies them there.

    Args:
        read: What was read.
        claims: Figures that somebody printed; those that do not come out become flags.

    Raises:
        TableError: There is no answer at all, or a claim names what the rows do not know.
    """
    alignment = align(read.rows, Pairing())
    flags = [*flags_of(read.rows, alignment), *read.flags]
    if claims:
        flags += claim_flags(replay_claims(read.rows, claims))
    imported = import_rows(read.rows, alignment, flags=flags)
    if any(flag.name == "no_items" for flag in flags):
        return replace(imported, table=replace(imported.table, paired=False))
    return imported
