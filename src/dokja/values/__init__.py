"""Immutable values that every room speaks in. No I/O, no arrays, no clock."""

from dokja.values.canonical import Json, canonical_bytes, parse_json
from dokja.values.digests import Digest
from dokja.values.estimates import Estimate, IntervalKind, Measured, Missing, MissingReason
from dokja.values.lines import JsonLine, json_lines, shown, text_fault
from dokja.values.names import is_identifier, normal_form
from dokja.values.texts import Reason, Text

__all__ = [
    "Digest",
    "Estimate",
    "IntervalKind",
    "Json",
    "JsonLine",
    "Measured",
    "Missing",
    "MissingReason",
    "Reason",
    "Text",
    "canonical_bytes",
    "is_identifier",
    "json_lines",
    "normal_form",
    "parse_json",
    "shown",
    "text_fault",
]
