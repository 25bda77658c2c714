"""Weights made to look like others while the network computes the same.

This is what a copyist can do without training, and what the tests of lineage are run against.
Every kind is held to one law: in float32, logits move by at most 1e-4 and the loss by at most
1e-6, on a network whose gains are far from one. The loss alone would pass a wrong kind.
"""

from dokja.models.forge.laundering.kinds import KINDS, LaunderingKind, kinds_for
from dokja.models.forge.laundering.laundry import (
    Laundered,
    LaunderingRecord,
    launder,
    maps_of,
    unlaunder,
)

__all__ = [
    "KINDS",
    "Laundered",
    "LaunderingKind",
    "LaunderingRecord",
    "kinds_for",
    "launder",
    "maps_of",
    "unlaunder",
]
