"""Answers of real systems to Korean items, by letter, where they lie beside the repository."""

import csv
import gzip
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from dokja.evidence.statistics.contrasts import Values, cells_of, layout_of

ITEMS = Path(__file__).parents[4] / "shared/data/korean-items"
SHORT = {
    "gpt-51-medium": ("gpt-51-medium-2025-11-13-0shot", "gpt-51-medium-2025-11-13"),
    "gpt-5-mini": ("gpt-5-mini-2025-08-08-0shot", "gpt-5-mini-2025-08-08"),
    "gpt-5-nano": ("gpt-5-nano-2025-08-08-0shot",),
    "gpt-5-chat": ("gpt-5-chat-2025-08-08-0shot",),
    "gpt-5.1": ("gpt-5.1-2025-11-13-0shot",),
    "gpt-5.1-chat": ("gpt-5.1-chat-2025-11-13-0shot",),
    "gpt-4.1": ("gpt-4.1-2025-04-14",),
    "gpt-4o-5shot": ("gpt-4o-240513-5shot",),
    "nova-2-lite": ("nova-2-lite-2025-12-05",),
    "claude-haiku-4-5": ("claude-haiku-4-5-2025-12-05",),
}


@dataclass(frozen=True)
class Letters:
    """Outcome letters of some systems on the items that all of them have a row for."""

    systems: dict[str, np.ndarray]
    category: np.ndarray
    source: np.ndarray

    @property
    def items(self):
        return len(self.category)

    def right(self, system):
        return (self.systems[system] == "C").astype(float)

    def is_any(self, system, letters):
        return np.isin(self.systems[system], list(letters))

    def layout(self, clusters="category"):
        return layout_of(
            self.items, strata=self.category, clusters=getattr(self, clusters), weights=None
        )

    def values(self, candidate, *references):
        columns = np.column_stack([self.right(each) for each in references])
        return Values(candidate=self.right(candidate), references=columns)

    def cells(self, candidate, *references, opened=""):
        """Strict values, the letters in `opened` being open."""
        low = self.values(candidate, *references)
        high = Values(
            candidate=low.candidate + self.is_any(candidate, opened),
            references=low.references
            + np.column_stack([self.is_any(each, opened) for each in references]),
        )
        return cells_of(low.candidate, low.references, names=references, low=low, high=high)


@cache
def _rows(benchmark):
    path = ITEMS / f"{benchmark}_matrix.csv.gz"
    if not path.exists():
        return None
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        reader = csv.reader(lines)
        header = next(reader)
        return header, list(zip(*reader, strict=True))


@pytest.fixture(scope="session")
def letters():
    """Reads the letters of the systems named, on the items that all of them have a row for."""

    def read(benchmark, *systems):
        found = _rows(benchmark)
        if found is None:
            pytest.skip("the answers to Korean items lie beside the repository and are not here")
        header, columns = found

        def column(*names):
            return np.array(next(columns[header.index(name)] for name in names if name in header))

        chosen = {system: column(*SHORT[system]) for system in systems}
        present = np.all([each != "M" for each in chosen.values()], axis=0)
        sources = [re.sub(r"_\d+$", "", name) for name in column("id", "item")]
        return Letters(
            systems={system: each[present] for system, each in chosen.items()},
            category=column("category")[present],
            source=np.array(sources)[present],
        )

    return read
