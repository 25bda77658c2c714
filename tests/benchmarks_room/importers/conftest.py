"""Real rows where these lie beside the repository, and small tables written on the spot."""

from pathlib import Path

import pytest

from dokja.evidence.benchmarks.importers import built_in_mapping, read_plain

ITEMS = Path(__file__).parents[4] / "shared/data/korean-items"
_READ = {}


@pytest.fixture
def korean_items():
    """The folder of real rows; where it is absent, the test is skipped."""
    if not ITEMS.is_dir():
        pytest.skip("the answers to Korean items lie beside the repository and are not here")
    return ITEMS


@pytest.fixture
def korean_rows(korean_items):
    """Reads the real rows of a benchmark, each once for all tests."""

    def read(benchmark):
        if benchmark not in _READ:
            mapping = built_in_mapping(f"hsr87-{benchmark}")
            _READ[benchmark] = read_plain(korean_items / f"{benchmark}_rows.csv.gz", mapping)
        return _READ[benchmark]

    return read
