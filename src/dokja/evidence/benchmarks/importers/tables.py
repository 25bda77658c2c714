"""A table and its mapping become tables of outcomes with every flag."""

from collections.abc import Sequence
from pathlib import Path

from dokja.errors import Mistake, TableError
from dokja.evidence.benchmarks.importers.making import Pairing, align, import_rows
from dokja.evidence.benchmarks.importers.mappings import TableMapping
from dokja.evidence.benchmarks.importers.plain import read_plain
from dokja.evidence.benchmarks.quality import flags_of
from dokja.evidence.benchmarks.quality.claims import Claim, counts_of
from dokja.evidence.benchmarks.quality.replaying import Replays, claim_flags, replay_all
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.storing import Imported

__all__ = ["import_table", "pairing_of", "replay_claims"]


def import_table(path: Path, mapping: TableMapping, *, claims: Sequence[Claim] = ()) -> Imported:
    """Return the outcomes that an item × model table holds.

    Args:
        path: The table.
        mapping: What its columns mean.
        claims: Figures that somebody printed; those that do not come out become flags.

    Raises:
        TableError: Table and mapping do not fit; every mistake at once.
        ExtraMissingError: The table is Parquet and the package for it is not installed.
    """
    rows = read_plain(path, mapping)
    alignment = align(rows, pairing_of(mapping))
    flags = list(flags_of(rows, alignment, options=mapping.options))
    if claims:
        flags += claim_flags(replay_claims(rows, claims))
    return import_rows(
        rows, alignment, duplicates=mapping.duplicates, chance=mapping.chance, flags=flags
    )


def replay_claims(rows: Rows, claims: Sequence[Claim]) -> Replays:
    """Return what becomes of every claim.

    Raises:
        TableError: A claim names a category or cluster that the rows do not know.
    """
    counts = counts_of(rows)
    unknown = [
        claim
        for claim in claims
        if claim.system in counts.systems and claim.subset not in counts.subsets
    ]
    if unknown:
        levels = ", ".join(dict.fromkeys(level for level, _ in counts.subsets))
        raise TableError(
            [
                Mistake(
                    file=claim.where or "claims",
                    place=claim.label or claim.system,
                    read=f"{claim.level} {claim.name!r}",
                    expected=f"a name that the rows have at one of the levels {levels}",
                )
                for claim in unknown
            ]
        )
    return replay_all(claims, counts)


def pairing_of(mapping: TableMapping) -> Pairing:
    """Return the rule by which a mapping pairs rows."""
    return Pairing(
        by=mapping.by,
        reference=mapping.reference,
        batch=mapping.batch,
        duplicates=mapping.duplicates,
    )
