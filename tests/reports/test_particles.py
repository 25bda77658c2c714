import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.public.reports.particles import particle


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("가람", "가람은"),
        ("하늬", "하늬는"),
        ("LG AI연구원", "LG AI연구원은"),
        ("SK텔레콤", "SK텔레콤은"),
        ("업스테이지", "업스테이지는"),
        ("LG", "LG는"),
        ("NC AI", "NC AI는"),
        ("KAIST", "KAIST는"),
        ("A.X K1", "A.X K1은"),
        ("stage-2", "stage-2는"),
        ("10", "10은"),
        ("1,000", "1,000은"),
        ("10000000000000000", "10000000000000000은"),
        ("1000000000000", "1000000000000는"),
        ("90.2", "90.2는"),
        ("90.0", "90.0은"),
        ("0", "0은"),
        ("40%", "40%는"),
        ("T4–T5", "T4–T5는"),
        ("T3", "T3은"),
        ("가람(주)", "가람(주)은"),
        ("‘독자성’", "‘독자성’은"),
        ("Upstage", "Upstage는"),
        ("Naver Cloud", "Naver Cloud는"),
        ("Kakao Brain", "Kakao Brain은"),
        ("Google", "Google은"),
        ("solar-open-100b", "solar-open-100b는"),
        ("Motif Technologies", "Motif Technologies는"),
        ("Trillion Labs", "Trillion Labs는"),
    ],
)
def test_topic_particle_fits(word, said):
    assert word + particle(word, "은/는") == said


@pytest.mark.parametrize(
    ("word", "pair", "follows"),
    [
        ("서울", "으로/로", "로"),
        ("가람", "으로/로", "으로"),
        ("하늬", "으로/로", "로"),
        ("충족", "으로/로", "으로"),
        ("1", "으로/로", "로"),
        ("가람", "과/와", "과"),
        ("하늬", "이/가", "가"),
        ("가람", "을/를", "을"),
        ("§", "이/가", "이(가)"),
        ("§", "으로/로", "(으)로"),
        ("", "을/를", "을(를)"),
        ("日本", "은/는", "은(는)"),
        ("🧨", "과/와", "과(와)"),
    ],
)
def test_other_particles_fit(word, pair, follows):
    assert particle(word, pair) == follows


def test_decomposed_hangul_is_read_like_composed():
    assert particle("\u1100\u1161\u1105\u1161\u11b7", "은/는") == "은"


@given(st.text())
def test_any_word_gets_some_particle(word):
    assert particle(word, "은/는") in {"은", "는", "은(는)"}
