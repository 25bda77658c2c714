"""Real answers of language models to Korean items, where these lie beside the repository.

The expected figures were worked out from the same rows by another program (5.1 and 7.3 of the
design note on measurement): the candidate's outcome less .95 of the reference's, item by item.
"""

import csv
import gzip
from pathlib import Path

import pytest

from dokja.evidence.statistics import clustered_mean, student_share_below

ITEMS = Path(__file__).parents[3] / "shared/data/korean-items"
CANDIDATE, REFERENCE = "gpt-5-mini-2025-08-08", "gpt-51-medium-2025-11-13"
RATIO = 0.95


@pytest.fixture
def contrast():
    """Reads the differences of candidate and reference, and the category of each item."""

    def read(benchmark, shots):
        path = ITEMS / f"{benchmark}_matrix.csv.gz"
        if not path.exists():
            pytest.skip("the answers to Korean items lie beside the repository and are not here")
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            rows = list(csv.DictReader(lines))
        differences = [
            (row[CANDIDATE + shots] == "C") - RATIO * (row[REFERENCE + shots] == "C")
            for row in rows
        ]
        return differences, [row["category"] for row in rows]

    return read


@pytest.mark.parametrize(
    ("benchmark", "shots", "mean", "items", "clusters", "count", "chance"),
    [
        ("kmmlu", "-0shot", -0.022456, 0.002173, 0.007130, 45, 0.0015),
        ("haerae", "", -0.011769, 0.008711, 0.019670, 6, 0.288),
    ],
)
def test_real_items_give_the_errors_that_were_worked_out_elsewhere(
    contrast, benchmark, shots, mean, items, clusters, count, chance
):
    differences, categories = contrast(benchmark, shots)
    scale = (-RATIO, 1.0)

    by_item = clustered_mean(differences, range(len(differences)), level=0.95, scale=scale)
    by_category = clustered_mean(differences, categories, level=0.95, scale=scale)

    assert by_item.value == by_category.value == pytest.approx(mean, abs=5e-7)
    assert by_item.standard_error == pytest.approx(items, abs=5e-7)
    assert by_category.standard_error == pytest.approx(clusters, abs=5e-6)
    assert by_category.rests_on == (("clusters", count), ("items", len(differences)))
    t = by_category.value / by_category.standard_error
    assert student_share_below(t, df=count - 1) == pytest.approx(chance, rel=0.03)
