"""No table that follows from the forge's code is missing from its pages, and no key is unsaid."""

import re
import runpy
from pathlib import Path

REFERENCE = Path(__file__).parents[2] / "docs/reference"
PAGES = runpy.run_path(str(REFERENCE / "forge_pages.py"))


def test_every_table_stands_on_one_page():
    pages = [page.read_text() for page in sorted(REFERENCE.glob("*.md"))]

    found = [name for page in pages for name in re.findall(r"<!-- made: ([a-z-]+) -->", page)]

    assert sorted(found) == sorted(PAGES["PARTS"])


def test_every_table_of_a_recipe_has_a_place():
    schema = PAGES["schema"]
    tables = {
        thing
        for thing in vars(schema).values()
        if isinstance(thing, type)
        and issubclass(thing, schema._Terms)
        and thing is not schema._Terms
    }

    assert set(PAGES["PLACES"]) == tables


def test_no_meaning_is_kept_for_a_key_that_is_gone():
    keys = {
        f"{model.__name__}.{field.alias or key}"
        for model in PAGES["PLACES"]
        for key, field in model.model_fields.items()
    }

    assert set(PAGES["MEANINGS"]) - keys == set()
