"""The reference page names every key, says whether it must be there, and its example loads."""

import re
from pathlib import Path

from dokja.decisions import load_rulebook
from dokja.decisions.rules import KEYS

PAGE = Path(__file__).parents[2] / "docs/reference/rulebook.md"
ROW = re.compile(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.+) \| (.+) \|$", flags=re.MULTILINE)
DEPENDS = {  # needed or refused by another key of the same table; `checking` says which
    "gates.*.authority",
    "stages.*.planned_advance",
    "stages.*.parts",
    "stages.*.vote",
    "stages.*.ties.part",
    "stages.*.vacancy.stage",
    "stages.*.parts[].measure.benchmarks",
    "stages.*.parts[].measure.rule",
    "stages.*.parts[].measure.criteria",
}


def rows():
    return {
        key: {"type": kind, "required": required, "meaning": meaning, "example": example}
        for key, kind, required, meaning, example in ROW.findall(PAGE.read_text())
    }


def test_page_names_every_key_and_no_other():
    assert sorted(rows()) == sorted(KEYS)


def test_page_says_what_must_be_there():
    said = {key: row["required"] for key, row in rows().items() if key not in DEPENDS}

    wrong = [key for key, required in said.items() if (required == "yes") != KEYS[key].required]

    assert wrong == []


def test_keys_that_depend_on_others_say_on_what():
    told = {key: rows()[key]["required"] for key in DEPENDS}

    assert [key for key, words in told.items() if words in {"yes", "no"}] == []


def test_example_of_the_page_is_a_rulebook():
    (example,) = re.findall(
        r"^```toml\n(.*?)^```", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL
    )

    rulebook = load_rulebook(example.encode(), file="example.toml")

    assert (rulebook.version, list(rulebook.stages)) == ("2026-02-01", ["first", "second-call"])
