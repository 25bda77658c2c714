"""A model in another format, with the proof of how far it still is the model.

Where the next format goes: a module here that writes the file and gives its logits back, and one
entry in `exporting`. Whatever the format, what leaves here carries the root of its parent, the
method, its own digest, and how it differs from its parent on a pinned text.
"""

from dokja.models.forge.exports.exporting import FORMATS, Exported, Exporter, export
from dokja.models.forge.exports.parents import Parent, open_parent
from dokja.models.forge.exports.quality import LIMITS, QualityDelta
from dokja.models.forge.exports.statements import ExportStatement, read_statement

__all__ = [
    "FORMATS",
    "LIMITS",
    "ExportStatement",
    "Exported",
    "Exporter",
    "Parent",
    "QualityDelta",
    "export",
    "open_parent",
    "read_statement",
]
