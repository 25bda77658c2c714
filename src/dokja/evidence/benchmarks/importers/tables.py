"""A table and its mapping become tables of outcomes with every flag."""

from pathlib import Path

from dokja.evidence.benchmarks.importers.making import Pairing, align, import_rows
from dokja.evidence.benchmarks.importers.mappings import TableMapping
from dokja.evidence.benchmarks.importers.plain import read_plain
from dokja.evidence.benchmarks.storing import Imported

__all__ = ["import_table", "pairing_of"]


def import_table(path: Path, mapping: TableMapping) -> Imported:
    """Return the outcomes that an item × model table holds.

    Raises:
        TableError: Table and mapping do not fit; every mistake at once.
        ExtraMissingError: The table is Parquet and the package for it is not installed.
    """
    rows = read_plain(path, mapping)
    alignment = align(rows, pairing_of(mapping))
    return import_rows(rows, alignment, duplicates=mapping.duplicates, chance=mapping.chance)


def pairing_of(mapping: TableMapping) -> Pairing:
    """Return the rule by which a mapping pairs rows."""
    return Pairing(
        by=mapping.by,
        reference=mapping.reference,
        batch=mapping.batch,
        duplicates=mapping.duplicates,
    )
