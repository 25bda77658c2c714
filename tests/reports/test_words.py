import re
from importlib.resources import files

import pytest

from dokja.decisions.rules.reasons import REASON_CODES
from dokja.public.reports import word_reason
from dokja.public.reports.document import Reason
from dokja.public.reports.names import Names
from dokja.public.reports.terms import Text
from dokja.public.reports.words import Words, tables, visible

ROOM = files("dokja.public.reports")
SLOT = re.compile(r"\{(\w+)(?::[^{}]*)?\}")
COMPUTED = {"grades": ("low", "high"), "ranks": ("best", "worst")}
FORBIDDEN = {
    "en": r"cop(y|ied|ies|ying)|st(eal|ole)|plagiar|fake|fraud|guilt|cheat|theft|pirat|forge"
    r"|liar?\b|dishonest|crime|criminal|suspect|accus|offend|culprit|violat",
    "ko": "표절|도용|사기|가짜|베낀|베꼈|베끼|훔|짝퉁|무단|부정행위|거짓|속였|속인"
    "|범죄|혐의|위반|적발|유죄|의심|탈취",
}


def every_text(table):
    for value in table.values():
        if isinstance(value, str):
            yield value
        else:
            yield from every_text(value)


def keys(table, at=""):
    for key, value in table.items():
        if isinstance(value, str):
            yield f"{at}{key}"
        else:
            yield from keys(value, f"{at}{key}.")


def templates():
    return {
        one.name: one.read_text(encoding="utf-8")
        for one in (ROOM / "templates").iterdir()
        if one.name.endswith((".html", ".js", ".css"))
    }


def test_both_languages_say_the_same_things():
    assert sorted(keys(tables("ko"))) == sorted(keys(tables("en")))


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_every_reason_that_a_decision_can_give_is_worded(lang):
    worded = {re.split("[|*]", key)[0] for key in tables(lang)["reasons"]}

    assert worded == {code for code, _ in REASON_CODES}


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize(("code", "params"), REASON_CODES)
def test_reason_asks_only_for_what_it_is_given(lang, code, params):
    given = {*params, *(name for name, ends in COMPUTED.items() if {*ends} <= {*params})}

    for key, template in tables(lang)["reasons"].items():
        if re.split("[|*]", key)[0] == code:
            assert set(SLOT.findall(template)) <= given


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize(("code", "params"), REASON_CODES)
def test_reason_reads_as_a_sentence(lang, code, params):
    numbers = {"effect", "more_than", "points", "places", "detectable", "at_most", "difference"}
    numbers |= {"standard_error", "count", "named", "reviewers", "in_favour", "best", "worst"}
    filled = {name: 0.5 if name in numbers else "garam" for name in params}

    said = word_reason({"code": code, "params": filled, "entries": []}, lang)

    assert said.endswith(".")
    assert "{" not in said
    assert code not in said.split("“")


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_nothing_that_the_page_can_say_is_an_accusation(lang):
    said = "\n".join(every_text(tables(lang)))

    assert re.findall(FORBIDDEN[lang], said, re.IGNORECASE) == []


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_no_template_holds_an_accusation(lang):
    for name, text in templates().items():
        assert re.findall(FORBIDDEN[lang], text, re.IGNORECASE) == [], name


def test_every_sentence_of_a_template_is_worded():
    asked = {
        key
        for text in templates().values()
        for key in re.findall(r'words\.(?:markup|text)\("([a-z-]+\.[a-z-]+)"', text)
    }

    assert asked - set(keys(tables("ko"))) == set()


def test_every_sentence_of_the_page_is_used():
    code = "\n".join(
        [
            *templates().values(),
            *(one.read_text("utf-8") for one in ROOM.iterdir() if one.name.endswith(".py")),
        ]
    )
    composed = ("section.", "headline.out-", "ground.", "column.", "finding.")
    sentences = [
        key for key in keys(tables("en")) if not key.startswith(("reasons.", "labels.", *composed))
    ]

    assert [key for key in sentences if f'"{key}"' not in code] == []


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_unknown_reason_is_named_by_its_code(lang):
    said = word_reason({"code": "of-a-later-release", "params": {"x": 1}, "entries": [3]}, lang)

    assert "of-a-later-release" in said
    assert "x=1" in said


def test_reason_with_a_null_is_worded_for_it():
    params = {"gate": "independence", "authority": "msit", "component": None}

    said = word_reason({"code": "not-ruled", "params": params}, "ko")

    assert said == "‘independence’ 기준을 과학기술정보통신부가 판정한 기록이 없습니다."


def test_names_stand_for_identifiers():
    names = Names(tables={"team": {"lg": Text(ko="LG AI연구원", en="LG AI Research")}})
    tie = Reason(code="tie-at-cut", params={"teams": ["lg", "skt"]})

    assert Words("ko", names=names).reason(tie) == "LG AI연구원, skt가 진출 경계에서 동점입니다."
    assert Words("en", names=names).reason(tie) == "LG AI Research and skt are level at the cut."


def test_what_a_sentence_is_filled_with_is_escaped_and_isolated():
    names = Names(tables={"team": {"x": Text(ko="<b>가람</b>", en="<b>")}})

    said = Words("ko", names=names).markup("headline.advance", teams=["x"])

    assert str(said) == "<bdi>&lt;b&gt;가람&lt;/b&gt;</bdi>이(가) 다음 단계로 진출합니다."


def test_one_name_is_isolated_from_its_sentence():
    said = Words("en").markup("grades.title", team="שלום", model="m<1")

    assert str(said) == "<bdi>שלום</bdi>: <bdi>m&lt;1</bdi>"


def test_language_other_than_the_two_is_refused():
    with pytest.raises(ValueError, match="no wording for the language 'fr'"):
        word_reason({"code": "order-published"}, "fr")


def test_signs_that_turn_text_are_written_out():
    assert visible("a\u202eb\x1b[2J\u2066\n한👩‍👧") == "a⟨U+202E⟩b⟨U+001B⟩[2J⟨U+2066⟩\n한👩‍👧"
