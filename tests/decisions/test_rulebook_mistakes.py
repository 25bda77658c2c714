"""A rulebook loads, or everything that is wrong with it is told at once, and where."""

import copy
import datetime as dt
import math
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dokja.decisions import Rulebook, load_rulebook
from dokja.errors import RulebookError

FILE = "rules.toml"


def mistakes(data):
    with pytest.raises(RulebookError) as caught:
        load_rulebook(data, file=FILE)
    assert {mistake.file for mistake in caught.value.mistakes} == {FILE}
    assert str(caught.value).endswith("Nothing was changed.")
    return caught.value.mistakes


def told(data):
    return [(mistake.place, mistake.read, mistake.expected) for mistake in mistakes(data)]


def test_small_rulebook_loads(rules_with):
    book = load_rulebook(rules_with(), file=FILE)

    assert (book.id, book.version, book.supersedes) == ("our-programme", "2026-02", "2026-01")
    assert [(part.id, parent) for part, parent in book.parts("first")] == [
        ("bench", None),
        ("items", "bench"),
        ("speed", "bench"),
        ("expert", None),
    ]


def test_changed_comment_is_another_file(rules_with):
    data = rules_with()

    digests = {load_rulebook(bytes_, file=FILE).digest for bytes_ in (data, data + b"# same\n")}

    assert len(digests) == 2


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# only a comment\n"])
def test_empty_rulebook_is_told(data):
    (mistake,) = mistakes(data)

    assert (mistake.place, mistake.read) == ("", "nothing")
    assert mistake.remedy == "`dokja new DIR` writes one to begin with."


def test_bytes_that_are_not_utf_8_are_told_with_their_line(rules_with):
    data = b"# one\n# two\n" + "# 규칙\n".encode("euc-kr") + rules_with()

    (mistake,) = mistakes(data)

    assert mistake.place == "line 3, byte 14"
    assert mistake.read == "the byte 0xb1, which is not UTF-8 there"
    assert mistake.remedy == "Save the file as UTF-8 and load it again."


def test_toml_syntax_is_told_with_its_line():
    (mistake,) = mistakes(b'format = 1\nid = "ours"\nversion = = 2\n')

    assert mistake.place == "line 3, column 11"
    assert (mistake.read, mistake.expected) == ("Invalid value", "TOML 1.0")


def test_key_that_stands_twice_is_told():
    (mistake,) = mistakes(b"format = 1\nformat = 1\n")

    assert mistake.place == "line 2, column 11"
    assert mistake.read == "Cannot overwrite a value"


@pytest.mark.parametrize("depth", [60, 200, 240, 300, 450, 5000])
@pytest.mark.parametrize("kind", ["list", "table"])
def test_values_that_nest_too_deep_are_told(depth, kind):
    opened, closed = ("[", "]") if kind == "list" else ("{a = ", "}")
    inner = "1" if kind == "table" else ""

    found = mistakes(f"format = {opened * depth}{inner}{closed * depth}".encode())

    assert found


@pytest.mark.parametrize("newer", [0, 2, "1", True, 1.0])
def test_other_format_is_told(rules_with, newer):
    assert told(rules_with({"format": newer})) == [("format", repr(newer), "1")]


@pytest.mark.parametrize(
    ("changes", "place", "read", "expected"),
    [
        pytest.param(
            {"stages.first.planed_advance": 4},
            "stages.first.planed_advance",
            "the key 'planed_advance'",
            "no such key",
            id="unknown key",
        ),
        pytest.param({"version": ...}, "version", "nothing", "this key", id="key missing"),
        pytest.param(
            {"scheme.records": {"live_share": 0.9}},
            "scheme.records.level",
            "nothing",
            "this key",
            id="records without a level",
        ),
        pytest.param(
            {"scheme.records": {"level": "V1", "live_share": 0.9}},
            "scheme.records.level",
            "'V1'",
            "'V2' or 'V3'",
            id="records of which only the log was verified",
        ),
        pytest.param(
            {"scheme.records": {"level": "V2", "live_share": 90}},
            "scheme.records.live_share",
            "90",
            "less than or equal to 1",
            id="share in percent",
        ),
        pytest.param(
            {"scheme.records": {"level": "V2", "live_share": 1, "checks": ["V2.1", "V2.1"]}},
            "scheme.records.checks",
            "the check 'V2.1' 2 times",
            "each check once",
            id="check twice",
        ),
        pytest.param(
            {"scheme.records": {"level": "V2", "live_share": 1, "sources": ["nowhere"]}},
            "scheme.records.sources",
            "the source 'nowhere'",
            "a source that [sources] declares",
            id="records from nowhere",
        ),
        pytest.param(
            {"stages.first.parts.1.points": 39},
            "stages.first.parts",
            "points that sum to 99 (60 + 39)",
            "points that sum to 100",
            id="weights of a stage",
        ),
        pytest.param(
            {"stages.first.parts.0.parts.1.points": 20.5},
            "stages.first.parts[0].parts",
            "points that sum to 60.5 (40 + 20.5)",
            "points that sum to 60",
            id="weights of sub-parts",
        ),
        pytest.param(
            {"stages.first.parts.1.measure": {"by": "sheets", "criteria": {"a": 20, "b": 15}}},
            "stages.first.parts[1].measure.criteria",
            "points that sum to 35 (20 + 15)",
            "points that sum to 40",
            id="weights of criteria",
        ),
        pytest.param(
            {"stages.first.closes": dt.date(2026, 2, 1)},
            "stages.first.closes",
            "2026-02-01",
            "a day not before opens, 2026-02-02",
            id="closes before it opens",
        ),
        pytest.param(
            {"stages.first.decided": dt.date(2026, 2, 2)},
            "stages.first.decided",
            "2026-02-02",
            "a day not before closes, 2026-02-03",
            id="decided before it closes",
        ),
        pytest.param(
            {"stages.first.gates": ["independence", "honesty"]},
            "stages.first.gates",
            "'honesty'",
            "one of the gates: independence",
            id="unknown gate",
        ),
        pytest.param(
            {"stages.first.gates": ["independence", "independence"]},
            "stages.first.gates",
            "the gate 'independence' 2 times",
            "each gate once",
            id="gate twice",
        ),
        pytest.param(
            {"stages.first.after": "zeroth"},
            "stages.first.after",
            "'zeroth'",
            "one of the stages first",
            id="unknown stage",
        ),
        pytest.param(
            {"stages.first.ties": {"rule": "part", "part": "charm"}},
            "stages.first.ties.part",
            "'charm'",
            "one of the parts bench, items, speed, expert",
            id="unknown part",
        ),
        pytest.param(
            {"stages.first.ties": {"rule": "part"}},
            "stages.first.ties.part",
            "None",
            "one of the parts bench, items, speed, expert",
            id="ties by no part",
        ),
        pytest.param(
            {"stages.first.ties": {"rule": "undecided", "part": "expert"}},
            "stages.first.ties.part",
            "'expert'",
            "no part, because the rule is another",
            id="tie part without its rule",
        ),
        pytest.param(
            {"stages.first.sources": ["own", "press"]},
            "stages.first.sources",
            "the source 'press'",
            "a source that [sources] declares",
            id="undeclared source",
        ),
        pytest.param(
            {"sources.press": {"address": "a paper"}},
            "sources.press",
            "a source that nothing names",
            "every declared source to be named by the rule or figure that it supports",
            id="unused source",
        ),
        pytest.param(
            {"gates.independence.sources": []},
            "gates.independence.sources",
            "an empty list",
            "at least one source",
            id="rule without a source",
        ),
        pytest.param(
            {"stages.first.parts.1.points": math.nan},
            "stages.first.parts[1].points",
            "nan",
            "a finite number",
            id="NaN",
        ),
        pytest.param(
            {"probability.level": math.inf},
            "probability.level",
            "inf",
            "a finite number",
            id="infinity",
        ),
        pytest.param(
            {"probability.level": 1}, "probability.level", "1", "less than 1", id="certain level"
        ),
        pytest.param(
            {"probability.draws": 10},
            "probability.draws",
            "10",
            "greater than or equal to 1000",
            id="too few draws",
        ),
        pytest.param(
            {"stages.first.parts.1.id": "speed"},
            "stages.first.parts",
            "the part 'speed' 2 times",
            "each part once",
            id="part id twice, at two depths",
        ),
        pytest.param(
            {"stages.first.parts.1.id": "total"},
            "stages.first.parts[1].id",
            "'total'",
            "another id: this one names the sum of the parts",
            id="part named total",
        ),
        pytest.param(
            {"stages.first.vacancy": {"rule": "re-entry"}},
            "stages.first.vacancy.stage",
            "nothing",
            "the stage that fills the place, one of: there is none",
            id="re-entry without a stage",
        ),
        pytest.param(
            {"stages.first.vacancy": {"rule": "re-entry", "stage": "first"}},
            "stages.first.vacancy.stage",
            "'first'",
            "the stage that fills the place, one of: there is none",
            id="re-entry into itself",
        ),
        pytest.param(
            {"stages.first.vacancy": {"rule": "leave-open", "stage": "first"}},
            "stages.first.vacancy.stage",
            "'first'",
            "no stage, because the rule is not 're-entry'",
            id="a stage for a place left open",
        ),
        pytest.param(
            {"gates.independence.rests_on": "rulings"},
            "gates.independence.authority",
            "nothing",
            "whose rulings count, because rests_on is 'rulings'",
            id="rulings without an authority",
        ),
        pytest.param(
            {"gates.independence.rests_on": "rulings-then-findings"},
            "gates.independence.authority",
            "nothing",
            "whose rulings count, because rests_on is 'rulings-then-findings'",
            id="rulings first without an authority",
        ),
        pytest.param(
            {"gates.independence.minimum_grade": "T7"},
            "gates.independence.minimum_grade",
            "'T7'",
            "'T0', 'T1', 'T2', 'T3', 'T4', 'T5' or 'T6'",
            id="no such grade",
        ),
        pytest.param(
            {"stages.first.gates": [], "stages.first.cut_among": "gate-passers"},
            "stages.first.cut_among",
            "'gate-passers'",
            "a gate that could be passed",
            id="cut among passers of no gate",
        ),
        pytest.param(
            {"stages.first.accepts": ["2026-02"]},
            "stages.first.accepts",
            "this version itself",
            "older versions only",
            id="accepts itself",
        ),
        pytest.param(
            {"supersedes": "2026-02"},
            "supersedes",
            "'2026-02'",
            "another version than this",
            id="supersedes itself",
        ),
        pytest.param(
            {"stages.first.planned_advance": ...},
            "stages.first.planned_advance",
            "nothing",
            "this key, because kind is 'points'",
            id="points for no places",
        ),
        pytest.param(
            {"stages.first.parts": []},
            "stages.first.parts",
            "nothing",
            "this key, because kind is 'points'",
            id="points in no part",
        ),
        pytest.param(
            {"stages.first.vote": {"questions": ["a"], "more_than": 0.5, "places": 1}},
            "stages.first.vote.may_choose_none",
            "nothing",
            "this key",
            id="half a vote",
        ),
        pytest.param(
            {"scheme.floors.0.better": "T3"},
            "scheme.floors[0].better",
            "'T3'",
            "a grade at or above the minimum 'T4'",
            id="better is worse",
        ),
        pytest.param(
            {"scheme.floors.1.use": "office"},
            "scheme.floors",
            "the use 'office' 2 times",
            "each use once",
            id="use twice",
        ),
        pytest.param(
            {"scheme.derived.merged": ...},
            "scheme.derived.merged",
            "nothing",
            "this key",
            id="relation without a grade",
        ),
        pytest.param(
            {"stages.first.parts.1.measure": {"by": "runs", "rule": "accuracy"}},
            "stages.first.parts[1].measure.benchmarks",
            "nothing",
            "this key, because by is 'runs'",
            id="runs of nothing",
        ),
        pytest.param(
            {"stages.first.parts.1.measure": {"by": "ballots", "benchmarks": ["a"]}},
            "stages.first.parts[1].measure.benchmarks",
            "this key",
            "no such key, because by is 'ballots'",
            id="ballots on benchmarks",
        ),
        pytest.param(
            {"stages.first.title.en": " "},
            "stages.first.title.en",
            "' '",
            "one line of text that is not empty",
            id="blank title",
        ),
        pytest.param(
            {"in_force": "2026-02-01"}, "in_force", "'2026-02-01'", "a valid date", id="day as text"
        ),
        pytest.param({"stages": {}}, "stages", "{}", None, id="no stage"),
        pytest.param(
            {"gates.independence.requires": ["adapter"]},
            "gates.independence.requires",
            "'adapter'",
            None,
            id="required role that is not looked at",
        ),
    ],
)
def test_mistake_is_told_with_its_place(rules_with, changes, place, read, expected):
    found = told(rules_with(changes))

    at = [(r, e) for p, r, e in found if p == place]
    assert [r for r, _ in at] == [read]
    assert expected is None or at == [(read, expected)]


def test_stage_without_a_scheme_cannot_have_gates(rules_with):
    assert told(rules_with({"scheme": ...})) == [
        (
            "gates.independence.minimum_grade",
            "'T4'",
            "a [scheme] that says how components are graded",
        )
    ]


def test_vote_has_neither_points_nor_ties(rules_with, a_vote_stage):
    stage = {**a_vote_stage(), "planned_advance": 1, "ties": {"rule": "undecided"}}

    assert told(rules_with({"stages.re-entry": stage})) == [
        ("stages.re-entry.planned_advance", "this key", "no such key, because kind is 'vote'"),
        ("stages.re-entry.ties", "this key", "no such key, because a vote has no points"),
    ]


def test_more_places_than_the_stage_before_lets_in_are_told(rules_with, small_rules):
    second = {**small_rules()["stages"]["first"], "after": "first", "planned_advance": 2}
    dates = {key: dt.date(2026, 3, 1) for key in ("opens", "closes", "decided")}

    found = told(rules_with({"stages.second": {**second, **dates}}))

    assert found == [
        ("stages.second.planned_advance", "2 places", "at most 1: no more enter from 'first'")
    ]


def test_stage_that_opens_before_the_one_it_waits_for_is_told(rules_with, small_rules):
    second = {**small_rules()["stages"]["first"], "after": "first"}

    found = told(rules_with({"stages.second": second}))

    assert found == [
        ("stages.second.opens", "2026-02-02", "a day not before 2026-02-09, when 'first' ended")
    ]


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_ring_of_stages_is_told_once(rules_with, small_rules, length):
    stage = small_rules()["stages"]["first"]
    undated = {k: v for k, v in stage.items() if k not in {"opens", "closes", "decided"}}
    names = [f"s{number}" for number in range(length)]
    ring = {
        name: {**undated, "after": names[(number + 1) % length]}
        for number, name in enumerate(names)
    }

    found = told(rules_with({"stages": {**ring, "outside": {**undated, "after": "s0"}}}))

    read = "a stage that waits for itself: " + " after ".join([*names, names[0]])
    assert found == [("stages.s0.after", read, "stages in an order that has a beginning")]


def test_ring_of_vacancies_is_told_once(rules_with, small_rules):
    stage = small_rules()["stages"]["first"]
    turns = {"first": "second", "second": "first"}
    stages = {
        name: {**stage, "vacancy": {"rule": "re-entry", "stage": other}}
        for name, other in turns.items()
    }

    found = told(rules_with({"stages": stages}))

    assert found == [
        (
            "stages.first.vacancy.stage",
            "places that wait for themselves: first filled by second filled by first",
            "a re-entry that ends",
        )
    ]


def test_decomposed_name_is_told_with_its_composed_form(rules_with):
    decomposed = unicodedata.normalize("NFD", "가람")

    found = told(rules_with({"title.ko": decomposed, "id": decomposed}))

    about_title = next(row for row in found if row[0] == "title.ko")
    assert about_title == (
        "title.ko",
        f"{decomposed!r} in decomposed letters (NFD)",
        "the composed form (NFC), '가람'",
    )
    assert {place for place, _, _ in found} == {"title.ko", "id"}


def test_decomposed_key_is_told(rules_with, small_rules):
    decomposed = unicodedata.normalize("NFD", "단계")
    stage = small_rules()["stages"]["first"]

    found = told(rules_with({"stages": {decomposed: stage}}))

    assert f"stages.{decomposed} (its name)" in [place for place, _, _ in found]


def test_misspelt_key_is_answered_with_the_one_that_was_meant(rules_with):
    found = mistakes(
        rules_with({"stages.first.planed_advance": 4, "stages.first.parts.0.parts.0.pionts": 1})
    )

    assert [mistake.remedy for mistake in found] == [
        "Did you mean 'points'?",
        "Did you mean 'planned_advance'?",
    ]


def test_every_mistake_is_told_at_once(rules_with):
    changes = {
        "id": "Our Programme",
        "version": ...,
        "colour": "red",
        "probability.seed": -1,
        "gates.independence.rests_on": "rulings",
        "stages.first.opens": dt.date(2026, 3, 1),
        "stages.first.parts.1.points": 50,
        "stages.first.sources": ["press"],
        "stages.first.gates": ["honesty"],
    }

    assert sorted({place for place, _, _ in told(rules_with(changes))}) == [
        "colour",
        "gates.independence.authority",
        "id",
        "probability.seed",
        "stages.first.closes",
        "stages.first.gates",
        "stages.first.parts",
        "stages.first.sources",
        "version",
    ]


def test_misspelt_key_does_not_hide_a_sum_that_is_off(rules_with):
    changes = {"stages.first.titel": "x", "stages.first.parts.0.points": 61}

    places = [place for place, _, _ in told(rules_with(changes))]

    assert places == [
        "stages.first.titel",
        "stages.first.parts[0].parts",
        "stages.first.parts",
    ]


@pytest.mark.parametrize("sign", [1, -1])
def test_sum_beyond_all_numbers_is_told(rules_with, sign):
    huge = sign * 1e308
    changes = {"stages.first.parts.0.points": huge, "stages.first.parts.1.points": huge}

    found = told(rules_with(changes))

    assert ("stages.first.parts", "points that sum to 100") in {(p, e) for p, _, e in found}


@pytest.mark.parametrize(
    "place", ["supersedes", "gates.independence.minimum_grade", "stages.first.vacancy.stage"]
)
def test_number_too_long_to_write_is_told(rules_with, place):
    data = rules_with({place: "0x", "scheme": ...}).replace(b'"0x"', b"0x" + b"f" * 5000)

    found = told(data)

    assert (place, "a number of thousands of digits") in {(p, r) for p, r, _ in found}


STRANGE = st.one_of(
    st.sampled_from(
        [
            *(math.nan, math.inf, -math.inf, -0.0, 1e308, 1e-300, 0, -1, 2**70, 10**400),
            *("", " ", "first", "T4", "T9", "own", "rulings", "re-entry", "part", "total"),
            *([], [[]], [{}], {}, {"rule": "part"}, {"rule": "re-entry"}, True, False),
            *(["own", "own"], ["first"], {"by": "runs"}, {"by": []}, {"points": 1e308}),
            unicodedata.normalize("NFD", "독자"),
            dt.date(1, 1, 1),
            dt.date(9999, 12, 31),
        ]
    ),
    st.integers(),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.text(max_size=3), st.integers(0, 3), st.floats()), max_size=3),
)


def paths(value, at=()):
    yield at
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths(below, (*at, key))


def put(table, path, value):
    made = copy.deepcopy(table)
    inner = made
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return made


def loads_or_says_why(data):
    """Whether the bytes load, or every mistake says what was read and what was expected."""
    try:
        return isinstance(load_rulebook(data, file=FILE), Rulebook)
    except RulebookError as error:
        return all(mistake.read and mistake.expected for mistake in error.mistakes)


@settings(max_examples=400)
@given(data=st.data())
def test_bent_rulebook_loads_or_is_refused_and_nothing_else(data, small_rules, write_toml):
    table = small_rules()
    for _ in range(data.draw(st.integers(1, 3))):
        known = [path for path in paths(table) if path]
        path = data.draw(st.sampled_from(known))
        table = put(table, path, data.draw(st.one_of(st.just(...), STRANGE)))

    assert loads_or_says_why(write_toml(table))


@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"a = 0x" + b"f" * 5000)
@example(b"a = " + b"9" * 5000)
def test_any_bytes_load_or_are_refused_and_nothing_else(data):
    with pytest.raises(RulebookError):
        load_rulebook(data, file=FILE)


@settings(max_examples=150)
@given(data=st.data())
def test_edited_bytes_load_or_are_refused_and_nothing_else(data, rules_with):
    whole = bytearray(rules_with())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))

    assert loads_or_says_why(bytes(whole))
