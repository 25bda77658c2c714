import pytest

from dokja.public.reports import standing_text


def test_standing_is_a_table_of_aligned_columns(unpublished):
    lines = standing_text(unpublished.decision, "ko").splitlines()

    assert (
        "LG AI연구원     90.2 [90.05–90.35]  1위          충족    진출    100% (공표된 순서에서)"
        in lines
    )
    assert "SK텔레콤        – (일부 점수 없음)  1–4위        –       진출    알 수 없음" in lines


def test_standing_wraps_its_sentences(measured):
    text = standing_text(measured.decision, "en", width=60)

    sentences = text.split("\n\n")[1]
    assert max(len(line) for line in sentences.splitlines()) <= 60


def test_standing_says_that_a_sample_is_invented(measured):
    assert standing_text(measured.decision, "en").splitlines()[1] == "This is an invented sample."


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("name", ["measured", "unpublished", "undecided"])
def test_standing_names_every_team(case, name, lang):
    decision = case(name).decision

    text = standing_text(decision, lang)

    assert all(team["name"][lang] in text for team in decision["teams"])


def test_standing_cannot_steer_a_terminal(unpublished):
    unpublished.team("lg")["name"] = {"ko": "\x1b[2J가람", "en": "\x1b]0;x\x07"}

    assert "\x1b" not in standing_text(unpublished.decision, "ko")
    assert "⟨U+001B⟩[2J가람" in standing_text(unpublished.decision, "ko")
