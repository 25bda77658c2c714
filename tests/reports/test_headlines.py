import pytest

from dokja.public.reports import headline


def test_headline_of_the_real_stage_in_korean(unpublished):
    assert headline(unpublished.decision, "ko") == (
        "LG AI연구원, SK텔레콤, 업스테이지가 다음 단계로 진출합니다. "
        "네이버클라우드는 ‘독자성’ 기준을 충족하지 못해 진출하지 못합니다. "
        "엔씨에이아이는 점수에서 진출 순위에 들지 못했습니다. "
        "빈자리가 1개 남으며, 규정에 따른 다음 절차는 재공모입니다."
    )


def test_headline_of_the_real_stage_in_english(unpublished):
    assert headline(unpublished.decision, "en") == (
        "LG AI Research, SK Telecom and Upstage go on to the next stage. "
        "Naver Cloud does not go on: the gate “Independence” is not met. "
        "NC AI does not go on, by points. "
        "1 place stays vacant; by the rulebook, what follows is a re-entry call."
    )


def test_headline_of_an_open_stage_claims_nothing(case):
    decision = case("undecided").decision

    assert headline(decision, "en").startswith(
        "The evidence does not suffice to tell which teams go on. For LG AI Research, Naver Cloud,"
    )
    assert headline(decision, "en").endswith(
        "Between 0 and 4 places stay vacant; how many cannot be told yet."
    )


def test_headline_of_a_stage_from_which_nobody_goes_on(unpublished):
    outcome = unpublished.decision["outcome"] | {"advance": [], "out": [], "next": None}

    said = headline(unpublished.decision | {"outcome": outcome}, "ko")

    assert said == "이번 단계에서 진출하는 팀이 없습니다. 빈자리가 1개 남습니다."


@pytest.mark.parametrize(
    ("ground", "said"),
    [
        ("vote", "노을은 심사위원 표결에서 필요한 찬성을 얻지 못했습니다."),
        ("both", "노을은 점수에서 진출 순위에 들지 못했고, ‘독자성’ 기준도 충족하지 못했습니다."),
    ],
)
def test_headline_names_the_ground(measured, ground, said):
    measured.decision["outcome"]["out"] = [{"team": "noeul", "ground": ground}]

    assert said in headline(measured.decision, "ko")


def test_headline_without_a_failed_gate_names_none(measured):
    measured.team("noeul")["gates"] = []
    measured.decision["outcome"]["out"] = [{"team": "noeul", "ground": "gate"}]

    assert "Noeul does not go on: a gate is not met." in headline(measured.decision, "en")
