"""The dossiers of real decisions: the sample's, and those of the real programme's record."""

import json
import re

import pytest

NAMES = ["sample", "stage-1", "selection-5", "re-entry"]


def read(judged, name):
    return judged[name].read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_reason_is_worded(judged, name):
    page = read(judged, name)

    assert re.findall(r"no words: .{80}|표현이 없는 이유.{80}", page) == []


@pytest.mark.parametrize("name", NAMES)
def test_names_of_elements_are_used_once_and_links_lead_somewhere(judged, name):
    page = read(judged, name)
    ids = re.findall(r'\sid="([^"]+)"', page)

    assert sorted({one for one in ids if ids.count(one) > 1}) == []
    assert set(re.findall(r'href="#([^"]+)"', page)) - set(ids) == set()


@pytest.mark.parametrize("name", NAMES)
def test_no_null_reaches_a_reader(judged, name):
    page = read(judged, name)

    assert re.findall(r">\s*(?:None|null|nan|Undefined|\[\]|\{\})\s*<", page) == []


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_words_and_not_codes(judged, name):
    """A value of a closed set that has no words would stand there as its code."""
    said = re.sub(
        r"<(style|script|code|bdi)\b.*?</\1>|<[^>]+>", " ", read(judged, name), flags=re.DOTALL
    )

    assert sorted(set(re.findall(r"(?<![\w/.-])[a-z]+(?:_[a-z]+)+(?![\w/.-])", said))) == []


def test_missing_scores_of_the_real_stage_are_all_named(judged):
    decision = json.loads(judged["stage-1"].with_name("decision.json").read_bytes())
    missing = [
        (team["team"], line["part"])
        for team in decision["teams"]
        for line in team["scores"]
        if line["score"].get("missing", "parts-missing") != "parts-missing"  # its parts are named
    ]

    told = {(gap["team"], gap["part"]) for gap in decision["missing"]}

    assert set(missing) == told
    assert "22 of 30" in re.sub(r"</?bdi>", "", read(judged, "stage-1"))


def test_stage_that_is_voted_on_shows_no_points(judged):
    page = read(judged, "re-entry")

    assert "This stage is decided by the reviewers’ vote and has no points." in page
    assert 'id="sheet-table-en"' not in page
