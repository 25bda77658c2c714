"""Small row files made on the spot, and real ones where these lie beside the repository."""

import csv
from pathlib import Path

import numpy as np
import pytest

from dokja.evidence.benchmarks.importers import (
    Pairing,
    align,
    built_in_mapping,
    pairing_of,
    read_claims,
    read_plain,
    replay_claims,
)
from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome, default_charge
from dokja.evidence.benchmarks.quality import flags_of
from dokja.evidence.benchmarks.rows import Column, Rows

ITEMS = Path(__file__).parents[4] / "shared/data/korean-items"


@pytest.fixture(scope="session")
def real():
    """Reads a benchmark's real rows, their flags and the printed figures, each once."""
    if not ITEMS.is_dir():
        pytest.skip("the answers to Korean items lie beside the repository and are not here")
    kept = {}

    def read(benchmark):
        if benchmark not in kept:
            mapping = built_in_mapping(f"hsr87-{benchmark}")
            rows = read_plain(ITEMS / f"{benchmark}_rows.csv.gz", mapping)
            alignment = align(rows, pairing_of(mapping))
            claims = read_claims(ITEMS / "published.csv", suite=benchmark)
            kept[benchmark] = Real(rows, alignment, claims, options=mapping.options)
        return kept[benchmark]

    return read


class Real:
    """A benchmark's real rows with what is told of them."""

    def __init__(self, rows, alignment, claims, *, options):
        self.rows, self.alignment, self.claims = rows, alignment, claims
        self.flags = flags_of(rows, alignment, options=options)

    def named(self, name):
        return [flag for flag in self.flags if flag.name == name]

    def flag(self, name, system):
        (found,) = [flag for flag in self.named(name) if system in flag.systems]
        return found

    def replays(self, claims=None):
        return replay_claims(self.rows, self.claims if claims is None else claims)


@pytest.fixture(scope="session")
def printed():
    """Every printed figure as the file has it, by benchmark."""
    if not ITEMS.is_dir():
        pytest.skip("the answers to Korean items lie beside the repository and are not here")
    with (ITEMS / "published.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture
def rows():
    """Makes rows of (system, item, outcome), with whatever columns are named besides."""

    def made(told, **columns):
        outcomes = [
            outcome if isinstance(outcome, Outcome) else Outcome(outcome) for *_, outcome in told
        ]
        causes = columns.pop("causes", None)
        charges = columns.pop("charges", None) or [default_charge(each).value for each in outcomes]
        texts = {
            name: Column.of(each)
            for name, each in columns.items()
            if name not in ("epochs", "costs", "scores")
        }
        arrays = {
            name: np.array(columns[name], dtype=dtype)
            for name, dtype in (("epochs", np.int32), ("costs", np.float64), ("scores", np.float32))
            if name in columns
        }
        items = Column.of([item for _, item, _ in told])
        return Rows(
            file="made",
            suite="suite",
            systems=Column.of([system for system, _, _ in told]),
            outcomes=np.array([each.code for each in outcomes], dtype=np.uint8),
            charges=np.array([Charge(each).code for each in charges], dtype=np.uint8),
            causes=None
            if causes is None
            else Column.of([None if each is None else Cause(each).value for each in causes]),
            items=items if (items.codes >= 0).all() else None,
            **texts,
            **arrays,
        )

    return made


@pytest.fixture
def flagged():
    """Names the flags of rows, each with its count."""

    def names(rows, *, pairing=None, options=()):
        alignment = align(rows, pairing or Pairing())
        return [(flag.name, flag.count) for flag in flags_of(rows, alignment, options=options)]

    return names
