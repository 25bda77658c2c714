"""Entries, libraries and scans as JSON documents.

Fields are added and never renamed. What is missing is `null`, and a field of the same name that
ends in `_missing` says why.
"""

from collections.abc import Sequence

from dokja.evidence.lineage.figures import interval, or_missing, rounded
from dokja.evidence.lineage.findings import BranchSummary
from dokja.evidence.lineage.library.results import EntryFinding, LibraryScan
from dokja.evidence.lineage.library.shelves import Entry, Library
from dokja.values import Json

__all__ = [
    "ENTRY_SCHEMA",
    "LIST_SCHEMA",
    "SCAN_SCHEMA",
    "entry_document",
    "list_document",
    "scan_document",
]

ENTRY_SCHEMA = "dokja.library.add/1"
LIST_SCHEMA = "dokja.library.list/1"
SCAN_SCHEMA = "dokja.library.scan/1"


def entry_document(entries: Sequence[Entry]) -> dict[str, Json]:
    """Return entries that were added."""
    return {"schema": ENTRY_SCHEMA, "entries": [_entry(entry) for entry in entries]}


def list_document(library: Library) -> dict[str, Json]:
    """Return what a library holds."""
    return {
        "schema": LIST_SCHEMA,
        "entries": [_entry(entry) for entry in library.entries],
        "damaged": [str(mistake) for mistake in library.damaged],
    }


def _entry(entry: Entry) -> dict[str, Json]:
    facts = entry.facts
    return {
        "name": facts.name,
        "kind": facts.kind,
        "folder": entry.folder.name,
        "bytes": entry.bytes,
        "headers": facts.headers,
        "parameters": facts.parameters,
        "components": [
            {"component": one.component, "role": one.role, "layers": one.depth}
            for one in facts.components
        ],
        **or_missing("licence", facts.licence, why="whoever added it said nothing"),
        **or_missing("origin", facts.origin, why="whoever added it kept it out"),
    }


def scan_document(found: LibraryScan, *, exit_code: int, seed: int) -> dict[str, Json]:
    """Return what a scan found.

    Args:
        found: By `scan`.
        exit_code: What the command line ends with.
        seed: Of the controls.
    """
    return {
        "schema": SCAN_SCHEMA,
        "exit": exit_code,
        "suspect": found.suspect,
        "findings": [_finding(one) for one in found.findings],
        "absent": list(found.absent),
        "not_compared": [
            {"entry": one.entry, "folder": one.folder, "why": one.why} for one in found.not_compared
        ],
        "damaged": [str(mistake) for mistake in found.damaged],
        "entries": found.entries,
        "comparisons": found.comparisons,
        "tests_made": found.tests,
        "error_rate": found.error_rate,
        "read": {"suspect_bytes": found.bytes_read, "library_bytes": found.library_bytes},
        "seed": seed,
    }


def _finding(one: EntryFinding) -> dict[str, Json]:
    return {
        "entry": one.entry,
        "kind": one.kind,
        "folder": one.folder,
        **or_missing("origin", one.origin, why="whoever added the entry kept it out"),
        **or_missing("licence", one.licence, why="whoever added the entry said nothing"),
        "component": one.component,
        "role": one.role,
        "entry_component": one.entry_component,
        "relations": [relation.value for relation in one.relations],
        "derivation": one.derivation.value,
        "effect": {
            "measure": one.measure,
            **or_missing("interval", interval(one.effect), why="nothing could be compared"),
            **or_missing(
                "gain_r",
                None if one.gains is None else rounded(one.gains.value),
                why="no relation in the same coordinates, or no gain varies on both sides",
            ),
        },
        "layer_map": [list(pair) for pair in one.layer_map],
        "token_rows": [
            {
                "role": rows.role,
                "r": rounded(rows.value),
                "standard_error": rounded(rows.standard_error),
                "tokens": rows.tokens,
                "related": rows.related,
            }
            for rows in one.token_rows
        ],
        "controls": [
            {
                "kind": "derived" if control.kind == "derived" else "null",
                "name": control.name,
                "r": rounded(control.value),
                "found": control.found,
            }
            for control in one.controls
        ],
        **or_missing(
            "detectable",
            None if one.detectable is None else rounded(one.detectable),
            why="no layers could be compared",
        ),
        "branches": {branch.branch: _branch(branch) for branch in one.branches},
        "compared_share": rounded(one.compared_share),
        "tests": one.tests,
        **or_missing(
            "would_settle",
            "dokja trace against the weights themselves" if one.related else None,
            why="no relation was found",
        ),
    }


def _branch(branch: BranchSummary) -> dict[str, Json]:
    return {
        "found": branch.found,
        **or_missing(
            "share", None if branch.share is None else rounded(branch.share), why=branch.missing
        ),
        **or_missing(
            "null_share", None if branch.null is None else rounded(branch.null), why=branch.missing
        ),
        **or_missing(
            "basis",
            None if branch.basis is None else rounded(branch.basis),
            why=branch.missing or "needs none",
        ),
        "tests": branch.tests,
    }
