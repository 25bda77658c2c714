"""Entries, libraries and scans as JSON documents.

Fields are added and never renamed. What is missing is `null`, and a field of the same name that
ends in `_missing` says why.
"""

from collections.abc import Sequence

from dokja.evidence.lineage.findings import BranchSummary
from dokja.evidence.lineage.library.results import EntryFinding, LibraryScan
from dokja.evidence.lineage.library.shelves import Entry, Library
from dokja.values import Estimate, Json

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

_FIGURES = 6
"""Figures after the point: the last bits of a sum differ between machines."""


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
        **_or_missing("licence", facts.licence, why="whoever added it said nothing"),
        **_or_missing("origin", facts.origin, why="whoever added it kept it out"),
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
        **_or_missing("origin", one.origin, why="whoever added the entry kept it out"),
        **_or_missing("licence", one.licence, why="whoever added the entry said nothing"),
        "component": one.component,
        "role": one.role,
        "entry_component": one.entry_component,
        "relations": [relation.value for relation in one.relations],
        "derivation": one.derivation.value,
        "effect": {
            "measure": one.measure,
            **_or_missing("interval", _interval(one.effect), why="nothing could be compared"),
            **_or_missing(
                "gain_r",
                None if one.gains is None else _round(one.gains.value),
                why="no relation in the same coordinates, or no gain varies on both sides",
            ),
        },
        "layer_map": [list(pair) for pair in one.layer_map],
        "token_rows": [
            {
                "role": rows.role,
                "r": _round(rows.value),
                "standard_error": _round(rows.standard_error),
                "tokens": rows.tokens,
                "related": rows.related,
            }
            for rows in one.token_rows
        ],
        "controls": [
            {
                "kind": "derived" if control.kind == "derived" else "null",
                "name": control.name,
                "r": _round(control.value),
                "found": control.found,
            }
            for control in one.controls
        ],
        **_or_missing(
            "detectable",
            None if one.detectable is None else _round(one.detectable),
            why="no layers could be compared",
        ),
        "branches": {branch.branch: _branch(branch) for branch in one.branches},
        "compared_share": _round(one.compared_share),
        "tests": one.tests,
        **_or_missing(
            "would_settle",
            "dokja trace against the weights themselves" if one.related else None,
            why="no relation was found",
        ),
    }


def _branch(branch: BranchSummary) -> dict[str, Json]:
    return {
        "found": branch.found,
        **_or_missing(
            "share", None if branch.share is None else _round(branch.share), why=branch.missing
        ),
        **_or_missing(
            "null_share", None if branch.null is None else _round(branch.null), why=branch.missing
        ),
        **_or_missing(
            "basis",
            None if branch.basis is None else _round(branch.basis),
            why=branch.missing or "needs none",
        ),
        "tests": branch.tests,
    }


def _interval(effect: Estimate | None) -> dict[str, Json] | None:
    if effect is None:
        return None
    return {
        "value": _round(effect.value),
        "low": _round(effect.low),
        "high": _round(effect.high),
        "level": effect.level,
        "rests_on": dict(effect.rests_on),
    }


def _or_missing(key: str, value: Json, *, why: str) -> dict[str, Json]:
    return {key: value} if value is not None else {key: None, f"{key}_missing": why}


def _round(value: float) -> float:
    return round(value, _FIGURES) + 0.0
