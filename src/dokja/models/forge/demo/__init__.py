"""The false T4: who claims drawn weights and took another's, and which check says so.

One text, honest builders, and cheats who start from the weights of one of them. Every run is a
real one with a chain, receipts and a signed record; the cheats' only lie in what their engine
leaves on the disk. Every check is the one of the ladder.
"""

from dokja.models.forge.demo.builders import BUILDERS, DemoBuilder
from dokja.models.forge.demo.judging import CHECKS, Judged, Lesson, demo_table, lessons
from dokja.models.forge.demo.staging import DemoWorld, false_t4

__all__ = [
    "BUILDERS",
    "CHECKS",
    "DemoBuilder",
    "DemoWorld",
    "Judged",
    "Lesson",
    "demo_table",
    "false_t4",
    "lessons",
]
