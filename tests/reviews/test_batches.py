import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import SuiteError
from dokja.evidence.reviews import ReviewSheet, read_sheets_file

TEAMS = ("garam", "maru", "raon")
CRITERIA = {"technique": 35, "effect": 25}


def mistakes_of(path, teams=TEAMS):
    with pytest.raises(SuiteError) as caught:
        read_sheets_file(path, teams=teams, criteria=CRITERIA)
    return [(each.place, each.read, each.expected) for each in caught.value.mistakes]


def test_sheets_are_read_in_their_order(batch_file, sheets):
    batch = read_sheets_file(batch_file(sheets(12)), teams=TEAMS, criteria=CRITERIA)

    assert len(batch.sheets) == 12
    assert batch.sheets[5] == ReviewSheet(
        reviewer="평가위원 1", team="maru", scores={"technique": 20.0, "effect": 14.5}
    )


@pytest.mark.parametrize(
    ("scores", "told"),
    [
        (
            {"technique": 35.5, "effect": 12},
            [("line 1, scores.technique", "35.5", "a number from 0 to 35")],
        ),
        (
            {"technique": -1, "effect": 1e400},
            [
                ("line 1, scores.technique", "-1", "a number from 0 to 35"),
                ("line 1, scores.effect", "inf", "a number from 0 to 25"),
            ],
        ),
        (
            {"technique": True, "effect": "12"},
            [
                ("line 1, scores.technique", "True", "a number from 0 to 35"),
                ("line 1, scores.effect", "'12'", "a number from 0 to 25"),
            ],
        ),
        (
            {"technique": None, "style": 3},
            [
                (
                    "line 1, scores",
                    "the criterion 'style'",
                    "one of the criteria technique, effect",
                ),
                ("line 1, scores.technique", "None", "a number from 0 to 35"),
                (
                    "line 1, scores.effect",
                    "nothing",
                    "a number: a criterion is never left out",
                ),
            ],
        ),
        ([20, 12], [("line 1, scores", "[20, 12]", "an object with a number for each criterion")]),
    ],
)
def test_scores_that_cannot_stand_are_told(batch_file, sheets, scores, told):
    line = json.dumps(sheets(1, scores=scores)[0]).replace("Infinity", "1e400").encode()

    assert mistakes_of(batch_file([line])) == told


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_number_that_cannot_be_judged_is_told(batch_file, word):
    line = f'{{"reviewer": "a", "team": "maru", "scores": {{"technique": {word}}}}}'

    ((place, _, expected),) = mistakes_of(batch_file([line.encode()]))

    assert place == "line 1"
    assert expected == f"one JSON object ({word} is not a number that can be judged)"


def test_whole_number_beyond_all_floats_is_told(batch_file, sheets):
    line = json.dumps(sheets(1)[0]).replace('"technique": 20', '"technique": 1' + "0" * 400)

    ((place, _, expected),) = mistakes_of(batch_file([line.encode()]))

    assert (place, expected) == ("line 1, scores.technique", "a number from 0 to 35")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"team": "hanbit"},
            ("line 1, team", "'hanbit'", "a team of the stage: garam, maru, raon"),
        ),
        ({"team": ["maru"]}, ("line 1, team", "['maru']", "text")),
        ({"reviewer": " "}, ("line 1, reviewer", "empty text", "text that is not empty")),
        ({"reviewer": 3}, ("line 1, reviewer", "3", "text")),
        (
            {"reviewer": unicodedata.normalize("NFD", "가")},
            (
                "line 1, reviewer",
                repr(unicodedata.normalize("NFD", "가")),
                "the same in NFC (composed Hangul): '가'",
            ),
        ),
        (
            {"remark": "good"},
            ("line 1", "the key 'remark'", "only the keys reviewer, team, scores"),
        ),
    ],
)
def test_sheet_that_cannot_stand_is_told(batch_file, sheets, changes, told):
    assert mistakes_of(batch_file(sheets(1, **changes))) == [told]


def test_second_sheet_of_a_reviewer_is_told_without_the_name(batch_file, sheets):
    told = mistakes_of(batch_file([*sheets(4), sheets(4)[2]]))

    assert told == [
        (
            "line 5",
            "a second sheet of one reviewer for 'garam', after line 3",
            "one sheet of a reviewer for a team",
        )
    ]


def test_all_mistakes_of_a_file_are_told_at_once(batch_file, sheets):
    good = sheets(4)
    lines = [b"\xff", {**good[0], "team": "x y"}, good[1], {**good[2], "scores": {}}, good[1]]

    places = [place for place, _, _ in mistakes_of(batch_file(lines))]

    assert places == [
        "line 1",
        "line 2, team",
        "line 4, scores.technique",
        "line 4, scores.effect",
        "line 5",
    ]


def test_file_that_is_empty_or_absent_is_told(batch_file, tmp_path):
    assert mistakes_of(batch_file([])) == [("", "no line", "one object a line")]
    assert mistakes_of(tmp_path / "none.jsonl") == [
        ("", "No such file or directory", "a file that may be read")
    ]


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)


@given(
    st.fixed_dictionaries(
        {
            "reviewer": json_values,
            "team": json_values | st.just("maru"),
            "scores": st.fixed_dictionaries(
                {"technique": json_values | st.floats(-1, 40), "effect": st.floats(-1, 30)}
            )
            | json_values,
        }
    )
)
def test_only_sheets_within_their_points_are_read(tmp_path_factory, said):
    path = tmp_path_factory.mktemp("any") / "sheets.jsonl"
    path.write_text(json.dumps(said) + "\n", encoding="utf-8")

    try:
        (sheet,) = read_sheets_file(path, teams=TEAMS, criteria=CRITERIA).sheets
    except SuiteError as error:
        assert all(str(mistake).isprintable() for mistake in error.mistakes)  # noqa: PT017 - either
        return
    assert sheet.team == "maru"
    assert all(math.isfinite(v) and 0 <= v <= CRITERIA[k] for k, v in sheet.scores.items())
