"""The report of a comparison: what it says, in both languages, and how it looks in a browser."""

import re
import runpy
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import pytest

from dokja.errors import InputError
from dokja.evidence.lineage import ElectedReading, Named
from dokja.public.reports import lineage_page, lineage_text, write_lineage_page
from dokja.public.reports.lineage_maps import evidence_map, likeness_axis, pair_map
from dokja.public.reports.lineage_spans import spans
from dokja.public.reports.lineage_telling import LineageTeller
from dokja.public.reports.words import Words, tables

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "docs/reference/trace_example.py"))
ROOM = files("dokja.public.reports")
NEVER = {
    "en": r"\bcopied\b|\bcopy|\bstole|\bstolen|plagiar|\bfake|fraud|guilt|\boriginal|from scratch"
    r"|\blikely\b|suspect",
    "ko": "표절|도용|사기|가짜|베낀|베꼈|베끼|훔|유죄|독창|원본|처음부터|독립|가능성이 높|의심",
}
# "independent" may be said of a control alone, and here it is not needed at all.
NEVER["en"] += r"|\bindependent"


@pytest.fixture(scope="module")
def tracing():
    return EXAMPLE["tracing"]()


@pytest.fixture
def page(tmp_path, tracing):
    out = tmp_path / "report.html"
    write_lineage_page(tracing, names=EXAMPLE["NAMES"], out=out)
    return out


class Said(HTMLParser):
    """The words of a page, and those of its pictures' labels."""

    def __init__(self, page):
        super().__init__()
        self.words, self.hidden = [], 0
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in {"style", "script"}
        self.words += [value for key, value in attrs if key == "aria-label"]

    def handle_endtag(self, tag):
        self.hidden -= tag in {"style", "script"}

    def handle_data(self, data):
        if not self.hidden:
            self.words.append(data)


def sentences(tracing, lang):
    tell = LineageTeller(tracing, Words(lang), markup=False)
    return [tell.sentence(finding, number) for number, finding in tracing.findings]


def test_every_kind_of_answer_has_its_own_sentence(tracing):
    assert sentences(tracing, "en") == [
        (
            "The weights of the language body are statistically consistent with a weighted "
            "sum of 70% of base, 30% of third (all 3 layers mapped one to one; centred "
            "correlation 0.94, interval 0.92–0.96; left unexplained under 0.1%, by the best "
            "one alone 6%)."
        ),
        (
            "The weights of the vision encoder are statistically consistent with a relation "
            "to base; whether values come from its training cannot be told: continued pre-"
            "training or the same initial values (3 of 3 layers mapped; centred correlation "
            "0.41, interval 0.35–0.47)."
        ),
        (
            "For the projector beside base it cannot be told. No tensor has the same role and"
            " shape on both sides. It would take a reference of the same shapes, or a "
            "component whose blocks are known."
        ),
        (
            "The weights of the language body are statistically consistent with a relation to"
            " other: fine-tuning (all 3 layers mapped one to one; 97% of the neurons agree, "
            "interval 90% to 100%; their vectors’ mean cosine is 0.99)."
        ),
        (
            "Whether the vision encoder is related to other cannot be told. Among as many "
            "comparisons as were made, chance alone may show as much. Still open: continued "
            "pre-training or no evidence of derivation."
        ),
        (
            "No evidence of a relation of the projector to other was found above 0.15 in the "
            "same coordinates, nor above 0.40 by the agreement of neurons, whatever their order "
            "or the turn of the coordinates: with what was read, a likeness of that size (mixed "
            "with unrelated noise) would have been found in 9 of 10 cases."
        ),
    ]


def elected(merge):
    """Return a merge as elected changes of a base."""
    scale = replace(merge.weights[0], value=1.0, low=0.99, high=1.01)
    reading = ElectedReading(
        base="root",
        place=2,
        form="mean",
        densities=(0.5, 0.25),
        scale=scale,
        left=0.002,
        rounding=0.001,
    )
    return replace(merge, elected=reading, not_elected="")


def test_elected_changes_are_told_with_their_base_and_what_was_kept(tracing):
    tell = LineageTeller(tracing, Words("en"), markup=False)
    finding = tracing.reports[0].findings[0]
    finding = replace(finding, merge=elected(finding.merge))

    said = tell.sentence(finding, 0)
    weights = dict(tell.how(finding, 0))["Weights"]

    assert said.startswith(
        "The weights of the language body are statistically consistent with root to which the "
        "largest changes of 70% of base, 30% of third were added, one sign elected for each "
        "value (TIES) ("
    )
    assert weights == [
        "base 0.700, interval 0.690–0.710",
        "third 0.300, interval 0.290–0.310",
        "base: the largest 50% of its change were kept",
        "third: the largest 25% of its change were kept",
        "their mean was added to root 1.000 times (interval 0.990–1.010); left of that change 0.2%",
    ]


@pytest.mark.parametrize("markup", [True, False])
def test_sums_of_elected_changes_are_told_in_both_languages(tracing, markup):
    finding = tracing.reports[0].findings[0]
    merge = elected(finding.merge)
    merge = replace(merge, elected=replace(merge.elected, form="sum", base="<root>"))
    finding = replace(finding, merge=merge)

    told = [
        LineageTeller(tracing, Words(lang), markup=markup).sentence(finding, 0)
        for lang in ("ko", "en")
    ]

    assert all(("&lt;root&gt;" if markup else "<root>") in one for one in told)
    assert all("TIES" in one for one in told)


def test_korean_says_as_much(tracing):
    said = sentences(tracing, "ko")

    assert len(set(said)) == 6
    assert said[5] == (
        "투영기가 other와 이어져 있다는 증거는 같은 좌표에서는 0.15, 뉴런의 순서나 좌표의 회전과 "
        "상관없는 뉴런 일치에서는 0.40을 넘는 것으로는 찾지 못했습니다. 읽은 양으로는 그만한 "
        "닮음(무관한 잡음 기준)이면 열에 아홉은 찾았을 것입니다."
    )
    assert all("통계적으로 부합" in said[place] for place in (0, 1, 3))


@pytest.mark.parametrize("lang", ["ko", "en"])
def test_nothing_that_is_said_of_a_comparison_accuses(tracing, lang):
    own = tables(lang)["lineage"]
    labels = tables(lang)["labels"]
    groups = (
        "branch",
        "symmetry",
        "likeness",
        "why",
        "needs",
        "not-run",
        "made",
        "lineage-section",
    )
    said = [*own.values(), *(text for group in groups for text in labels[group].values())]

    assert re.findall(NEVER[lang], "\n".join(said), re.IGNORECASE) == []


def test_page_and_terminal_accuse_nobody(tracing):
    page = lineage_page(tracing, names=EXAMPLE["NAMES"])
    controls = {tables(lang)["labels"]["control"]["independent"] for lang in ("ko", "en")}
    said = "\n".join([*Said(page).words, *(lineage_text(tracing, lang) for lang in ("ko", "en"))])
    for control in controls:  # the one place where the word may stand
        said = said.replace(control, "")

    assert re.findall(NEVER["en"], said, re.IGNORECASE) == []
    assert re.findall(NEVER["ko"], said) == []


def test_terminal_tells_controls_power_and_what_could_not_be_looked_at(tracing):
    said = lineage_text(tracing, "en")

    assert "reference in scrambled order: 0.00 (not found)" in said
    assert "the smallest likeness found in 9 of 10 draws of unrelated noise: 0.15" in said
    assert "same coordinates: could not run (it has too few layers" in said
    assert "turned residual stream, re-ordered neurons" in said
    assert "other has no audio encoder to compare with." in said
    assert "90 pairs of layers and blocks were looked at. 5 findings of this run are held" in said


def test_component_reuse_is_a_summary_beside_the_findings(tracing):
    tell = LineageTeller(tracing, Words("en"), markup=False)

    assert [report.reused for report in tracing.reports] == [(), ("language-body",)]
    assert tell.summaries() == [
        (
            "Summary (component reuse): related to other: language body; another component "
            "was tested and shows no evidence."
        ),
    ]


def test_terminal_writes_out_what_would_steer_it(tracing):
    steering = "\x1b[2Jmine"
    evil = type(tracing)(
        **{
            name: getattr(tracing, name)
            for name in tracing.__dataclass_fields__
            if name != "suspect"
        },
        suspect=steering,
    )

    assert "\x1b" not in lineage_text(evil, "en")


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([(0, 0), (1, 1), (2, 2)], ["0–2 → 0–2"]),
        ([(0, 0), (1, 1), (2, 0), (3, 1)], ["0–1 → 0–1", "2–3 → 0–1"]),
        ([(4, 7)], ["4 → 7"]),
        ([], []),
    ],
)
def test_layer_map_is_told_in_runs(pairs, told):
    assert spans(pairs) == told


def test_map_holds_every_layer_by_every_role_and_branch(tracing):
    turned = tracing.reports[1].findings[0]
    merged = tracing.reports[0].findings[0]

    found, by_agreement = evidence_map(merged), evidence_map(turned)

    assert (found.roles, found.branches) == (("down", "gate"), ("coordinates",))
    assert [row[:2] for row in found.rows] == [(0, 0), (1, 1), (2, 2)]
    assert [field.written for field in found.rows[0][2]] == ["0.93", "0.95", "1.00"]
    assert by_agreement.branches == ("coordinates", "embeddings")
    assert [field.shade for field in by_agreement.rows[0][2]] == [0, 8]


def test_pairs_are_drawn_from_the_table_that_the_finding_rests_on(tracing):
    turned = tracing.reports[1].findings[0]
    alone = tracing.reports[1].findings[2]

    picture = pair_map(turned)

    assert (picture.rows, picture.columns) == (3, 3)
    assert [(one.opacity, one.chosen) for one in picture.fields] == [(0.97, True)] * 3
    assert pair_map(alone) is None


def test_axis_goes_below_nothing_only_where_something_lies_there(tracing):
    clear, encoder = tracing.reports[1].findings[2], tracing.reports[1].findings[1]

    assert likeness_axis(clear).low == 0.0
    assert likeness_axis(encoder).low == 0.0


def test_page_is_written_whole_or_not_at_all(tmp_path, tracing):
    with pytest.raises(InputError, match="The page was not written"):
        write_lineage_page(tracing, names=EXAMPLE["NAMES"], out=tmp_path / "no" / "report.html")


def test_same_run_makes_the_same_page(tracing):
    first, second = (lineage_page(tracing, names=EXAMPLE["NAMES"]) for _ in range(2))

    assert first == second


def test_style_of_the_report_asks_for_nothing():
    css = (ROOM / "templates" / "lineage.css").read_text(encoding="utf-8")

    assert re.findall(r"url\(|@import|@font-face|expression\(|#[0-9a-f]{3,6}\b", css) == []
    assert "</" not in css


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_report_breaks_no_rule_of_accessibility(look, violations, page, lang, scheme, width):
    shown = look(page, width=width, ask=f"?lang={lang}", color_scheme=scheme)

    assert violations(shown) == []
    assert shown.said == []
    assert shown.asked == [page.as_uri() + f"?lang={lang}"]


@pytest.mark.browser
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_report_is_no_wider_than_a_small_telephone(look, page, lang):
    shown = look(page, width=320, ask=f"?lang={lang}")

    assert shown.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.browser
def test_hostile_names_in_a_report_run_nothing(look, tmp_path, tracing):
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>\u202eevil" + "W" * 300
    fields = {name: getattr(tracing, name) for name in tracing.__dataclass_fields__}
    hostile = type(tracing)(**(fields | {"suspect": evil}))
    out = tmp_path / "hostile.html"
    names = [Named(name=evil, digest="sha256:0"), *EXAMPLE["NAMES"][1:]]
    write_lineage_page(hostile, names=names, out=out)

    shown = look(out, width=320)

    assert shown.said == []
    assert shown.asked == [out.as_uri()]
    assert shown.locator("article#ko h1").inner_text().startswith("<script>alert(1)</script>")
    assert shown.evaluate("document.documentElement.scrollWidth") == 320
