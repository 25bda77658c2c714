"""The reference pages are made from the code, so that nothing can be missing from them."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAKER = runpy.run_path(str(ROOT / "docs/reference/make.py"))


@pytest.mark.parametrize("page", sorted(MAKER["PAGES"]))
def test_page_is_what_the_code_says(page):
    made = MAKER["PAGES"][page]()

    assert (ROOT / "docs/reference" / page).read_text() == made, (
        "write the pages again with: python3 run.py accept"
    )
