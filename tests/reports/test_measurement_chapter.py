"""The chapter beside the frontier: what was said, and no more."""

import csv
import re

import pytest


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))


def edition(files, lang):
    page = files.html.read_text()
    first, second = page.index('id="ko"'), page.index('id="en"')
    return page[first:second] if lang == "ko" else page[second:]


def test_stage_without_a_frontier_has_no_such_chapter(written):
    assert 'id="measurement-en"' not in written("measured").html.read_text()


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("en", ["Reaches", "Does not reach", "Cannot be told", "the interval holds the line"]),
        ("ko", ["도달", "미달", "가릴 수 없음", "구간이 기준선을 품음"]),
    ],
)
def test_every_team_is_told_with_its_verdict_and_why(written, lang, words):
    told = text_of(edition(written("frontier"), lang))

    assert [word for word in words if word not in told] == []
    assert told.count("0.9454") >= 1
    assert "0.9008–0.9578" in told


def test_team_that_was_not_measured_is_told_as_such(written):
    told = text_of(edition(written("frontier"), "en"))

    assert "has not been measured under this rulebook" in told


def test_no_ratio_stands_without_an_interval(written):
    page = edition(written("frontier"), "en")
    chapter = page[page.index('id="measurement-en"') : page.index('id="gates-en"')]

    rows = re.findall(r"<tr><th scope=\"row\">[^<]+</th><td>(.*?)</td>", chapter)

    with_ratio = [row for row in rows if 'class="number"' in row]
    assert len(with_ratio) == 9
    assert [row for row in with_ratio if 'class="interval"' not in row] == []


def test_measurements_are_in_the_spreadsheets(written):
    files = {path.stem: path for path in written("frontier").csv}

    rows = list(csv.DictReader(files["reaches"].read_text(encoding="utf-8-sig").splitlines()))

    assert [(row["team"], row["verdict"], row["reasons"]) for row in rows] == [
        ("byeol", "does_not_clear", ""),
        ("garam", "clears", ""),
        ("maru", "undecided", "interval faults"),
    ]
    errors = list(
        csv.DictReader(files["reach_errors"].read_text(encoding="utf-8-sig").splitlines())
    )
    assert len(errors) == 9
