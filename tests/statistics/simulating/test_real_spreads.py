"""The spreads assumed of benchmarks, held to real answers where these lie beside the repository."""

import csv
import gzip
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from dokja.evidence.statistics.simulating import Benchmarks, PartDesign
from dokja.evidence.statistics.simulating.moments import moments_of

ITEMS = Path(__file__).parents[4] / "shared/data/korean-items"
COLUMNS = {"item", "id", "occurrence", "category", "supercategory", "gold"}


@pytest.fixture
def pairs():
    """Reads how pairs of like runs differ: by item within subjects, and between subjects."""

    def read(benchmark):
        path = ITEMS / f"{benchmark}_matrix.csv.gz"
        if not path.exists():
            pytest.skip("the answers to Korean items lie beside the repository and are not here")
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        runs = [name for name in rows[0] if name not in COLUMNS]
        right = np.array([[row[run] == "C" for run in runs] for row in rows], dtype=float)
        lost = np.array([[row[run] in "FXMEN" for run in runs] for row in rows]).mean(axis=0)
        share = right.mean(axis=0)
        codes = np.unique([row["category"] for row in rows], return_inverse=True)[1]
        kept = np.flatnonzero((lost < 0.02) & (share > 0.55) & (share < 0.92))
        like = [(a, b) for a, b in combinations(kept, 2) if abs(share[a] - share[b]) < 0.15]
        found = np.array([apart(right[:, a] - right[:, b], codes) for a, b in like])
        return float(share[kept].mean()), found, np.bincount(codes)

    return read


def apart(differences, codes):
    """Variance of one item's difference within subjects, and of the subjects' true means."""
    sizes = np.bincount(codes)
    means = np.bincount(codes, differences) / sizes
    within = np.array([differences[codes == code].var(ddof=1) for code in range(len(sizes))])
    between = means.var(ddof=1) - (within / sizes).mean()
    return np.average(within, weights=sizes), between


@pytest.mark.parametrize("benchmark", ["kmmlu", "click", "haerae"])
def test_assumed_spreads_lie_among_those_of_real_pairs(pairs, benchmark):
    share, found, sizes = pairs(benchmark)
    truth = np.full(2, share)

    def difference(generalise_to):
        seen = Benchmarks(items=len(sizes) * 100, subjects=len(sizes), size_cv=0.0)
        part = PartDesign(part="b", points=1, scale="absolute", seen_by=seen)
        covariance = moments_of(part, truth, generalise_to=generalise_to).covariance
        return 2 * (covariance[0, 0] - covariance[0, 1])

    by_item = difference("blueprint") * len(sizes) * 100
    between = (difference("new-clusters") - difference("blueprint")) * len(sizes)
    (item_low, subject_low), (item_high, subject_high) = np.quantile(found, [0.1, 0.9], axis=0)
    assert item_low <= by_item <= item_high
    assert max(subject_low, 0) <= between <= subject_high
    assert np.std(sizes) / np.mean(sizes) == pytest.approx(Benchmarks().size_cv, abs=0.06)
