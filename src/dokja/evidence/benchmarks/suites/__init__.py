"""Benchmarks' items: a single file of questions, or a folder with all that a run depends on.

Both are read whole, checked whole, and named by their digest.
"""

from dokja.evidence.benchmarks.suites.declared import Declared
from dokja.evidence.benchmarks.suites.folders import SuiteFolder, read_suite_folder
from dokja.evidence.benchmarks.suites.items import SuiteItem
from dokja.evidence.benchmarks.suites.leaks import Leak, leaks
from dokja.evidence.benchmarks.suites.single import Item, Suite, read_suite
from dokja.evidence.benchmarks.suites.templates import Message, Template

__all__ = [
    "Declared",
    "Item",
    "Leak",
    "Message",
    "Suite",
    "SuiteFolder",
    "SuiteItem",
    "Template",
    "leaks",
    "read_suite",
    "read_suite_folder",
]
