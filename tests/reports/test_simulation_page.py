"""The page of a simulated stage: what it says, in both languages, and how it looks in a browser."""

import re
from html.parser import HTMLParser

import pytest

from dokja.errors import InputError
from dokja.evidence.statistics.simulating import Ballots, Panel, PartDesign, StageDesign, simulate
from dokja.public.reports import (
    Assumption,
    SimulationReport,
    simulation_page,
    simulation_text,
    write_simulation_page,
)
from dokja.public.reports.names import Names
from dokja.public.reports.simulations_pictures import curve_picture, lever_bars
from dokja.public.reports.terms import Text

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def report():
    parts = (
        PartDesign(part="expert", points=60, scale="absolute", seen_by=Panel()),
        PartDesign(part="user", points=40, scale="to-best", seen_by=Ballots(), spread=0.4),
    )
    stage = StageDesign(teams=3, places=2, parts=parts, decimals=1)
    return SimulationReport(
        rulebook=Text(ko="규칙집", en="Rulebook"),
        version="2026-11-01",
        digest="sha256:" + 64 * "0",
        stage="final",
        names=Names(
            tables={
                "stage": {"final": Text(ko="최종", en="Final")},
                "part": {
                    "expert": Text(ko="전문가", en="Experts"),
                    "user": Text(ko="사용자", en=EVIL),
                    "stage": Text(ko="단계", en="Stage"),
                },
                "gate": {"independence": Text(ko="독자성", en="Independence")},
            }
        ),
        gates=("independence",),
        assumptions=(
            Assumption(
                part="expert", quantity="raters", value=10, origin="design", source="a letter"
            ),
            Assumption(part=None, quantity="decimals", value=1, origin="assumed", source=""),
            Assumption(part=None, quantity="teams", value=3, origin="rulebook", source="r.toml"),
        ),
        simulation=simulate(stage, gaps=[1.5, 4.0, 8.0], draws=1_000, seed=5),
    )


class Cells(HTMLParser):
    """The cells of a page's tables, by language."""

    def __init__(self, page):
        super().__init__()
        self.lang, self.inside, self.found = None, False, {"ko": 0, "en": 0}
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "article":
            self.lang = dict(attrs)["lang"]
        if tag in {"td", "th"} and self.lang:
            self.found[self.lang] += 1


def test_page_says_the_answer_in_both_languages(report):
    page = simulation_page(report)

    wrong = f"{100 * report.simulation.overall.wrong:.1f}".removesuffix(".0") + "%"
    assert f"In {wrong} of stages a truly better team is sent home" in page
    assert f"전체 단계의 {wrong}에서" in page
    counts = Cells(page).found
    assert counts["ko"] == counts["en"] > 100


def test_page_escapes_names_and_allows_no_other_script(report):
    page = simulation_page(report)

    assert EVIL not in page
    assert "&lt;script&gt;alert(1)" in page
    assert page.count("<script>") == 1


def test_every_figure_of_a_picture_stands_in_a_table_too(report):
    page = simulation_page(report)

    for at in report.simulation.curve:
        assert (
            page.count(f'<th scope="row"><bdi>{at.gap:g}</bdi></th>') == 2
        )  # once in each language
    assert page.count('class="curve-line"') == 2 * len(report.simulation.curve)


def test_curve_begins_at_the_coin_and_falls(report):
    picture = curve_picture(report.simulation.curve)

    places = [(float(p.x.rstrip("%")), p.y) for p in picture.points]
    assert places[0] == (0.0, 0.0)
    assert places == sorted(places)
    assert places[-1][0] == 100.0
    assert [y for _, y in picture.shares] == sorted((y for _, y in picture.shares), reverse=True)


def test_no_curve_is_drawn_of_nothing():
    assert curve_picture([]) is None


def test_bars_keep_the_order_of_the_errors(report):
    bars = lever_bars(report.simulation)

    by_width = sorted(bars, key=lambda bar: float(bar.width.rstrip("%")))
    errors = [bar.effect.outcome.wrong for bar in by_width]
    assert errors == sorted(errors)
    for bar in bars:
        assert float(bar.half.rstrip("%")) == pytest.approx(
            float(bar.now.rstrip("%")) / 2, abs=0.01
        )


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_text_names_every_part_and_source(report, lang):
    said = simulation_text(report, lang)

    assert "a letter" in said
    assert ("전문가" if lang == "ko" else "Experts") in said
    assert ("독자성" if lang == "ko" else "Independence") in said
    assert not re.search(r"\{\w|\bNone\b|\bnan\b", said)


def test_page_that_cannot_be_written_says_so(report, tmp_path):
    with pytest.raises(InputError, match="was not written"):
        write_simulation_page(report, out=tmp_path / "nowhere" / "page.html")


@pytest.mark.browser
@pytest.mark.parametrize(("lang", "width"), [("en", 1280), ("ko", 360)])
def test_page_breaks_no_rule_of_accessibility(look, violations, report, tmp_path, lang, width):
    out = tmp_path / "page.html"
    write_simulation_page(report, out=out)

    page = look(out, width=width, ask=f"?lang={lang}")

    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.said == []
