"""A reference library: what is kept of many models, so that one can be laid beside all of them.

An entry keeps few rows of every layer (`screen`, about 5 MB), or besides the neurons of a few
layers and rows of many tokens (`forensic`, some hundred MB), in eight bits a value. The suspect
is read once, whatever the number of entries. A scan is a screen: what it finds is traced against
the weights themselves.
"""

from dokja.evidence.lineage.library.documents import (
    ENTRY_SCHEMA,
    LIST_SCHEMA,
    SCAN_SCHEMA,
    entry_document,
    list_document,
    scan_document,
)
from dokja.evidence.lineage.library.entries import EntryFacts
from dokja.evidence.lineage.library.making import NewEntry, make_entry
from dokja.evidence.lineage.library.results import EntryFinding, LibraryScan, NotCompared
from dokja.evidence.lineage.library.scanning import scan
from dokja.evidence.lineage.library.shelves import Entry, Library, add_entry, open_library

__all__ = [
    "ENTRY_SCHEMA",
    "LIST_SCHEMA",
    "SCAN_SCHEMA",
    "Entry",
    "EntryFacts",
    "EntryFinding",
    "Library",
    "LibraryScan",
    "NewEntry",
    "NotCompared",
    "add_entry",
    "entry_document",
    "list_document",
    "make_entry",
    "open_library",
    "scan",
    "scan_document",
]
