"""Reads the logs that foreign trainers leave, and makes one kind of metrics of them.

Each importer reads one kind of log with nothing but numpy; what a log is, is found out by its
content. What is wrong with a log that can be read is a value, since the ladder of verification
turns it into findings; only what cannot be read at all is an error.
"""

from dokja.models.forge.importers.faults import Fault, FaultKind
from dokja.models.forge.importers.finding import LogKind, find_logs, kind_of, read_log
from dokja.models.forge.importers.metrics import CANONICAL, Metrics, Series

__all__ = [
    "CANONICAL",
    "Fault",
    "FaultKind",
    "LogKind",
    "Metrics",
    "Series",
    "find_logs",
    "kind_of",
    "read_log",
]
