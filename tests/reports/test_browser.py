"""The dossier in a real browser: accessible, quiet, and readable without a script."""

import pytest

from dokja.public.reports import write_dossier

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_page_breaks_no_rule_of_accessibility(look, violations, written, lang, scheme, width):
    page = look(written("short").html, width=width, ask=f"?lang={lang}", color_scheme=scheme)

    found = violations(page)

    assert found == []


@pytest.mark.parametrize(
    ("name", "lang", "width"),
    [("sample", "ko", 360), ("stage-1", "en", 1280), ("re-entry", "both", 1280)],
)
def test_page_of_a_real_decision_breaks_no_rule_of_accessibility(
    look, violations, judged, name, lang, width
):
    page = look(judged[name], width=width, ask=f"?lang={lang}")

    found = violations(page, slow_rules=False)  # which the test above holds for the same style

    assert found == []
    assert page.said == []


@pytest.mark.parametrize("name", ["sample", "stage-1", "selection-5", "re-entry"])
def test_page_of_a_real_decision_fits_a_small_telephone(look, judged, name):
    page = look(judged[name], width=320, ask="?lang=both")

    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize("lang", ["ko", "en"])
@pytest.mark.parametrize("name", ["measured", "unpublished", "frontier"])
def test_page_is_no_wider_than_a_small_telephone(look, written, name, lang):
    page = look(written(name).html, width=320, ask=f"?lang={lang}")

    wide = page.evaluate("document.documentElement.scrollWidth")

    assert wide == 320


def test_page_asks_for_nothing_and_complains_of_nothing(look, written):
    file = written("measured").html

    page = look(file, ask="?lang=en")
    page.mouse.wheel(0, 20_000)

    assert page.asked == [file.as_uri() + "?lang=en"]
    assert page.said == []


def test_page_served_over_http_would_ask_for_no_icon(look, written):
    page = look(written("measured").html)

    icon = page.locator("link[rel=icon]").get_attribute("href")

    assert icon.startswith("data:image/svg+xml,")


def test_language_changes_without_a_script(look, written):
    page = look(written("measured").html, java_script_enabled=False)

    page.get_by_label("English").check()

    assert page.locator("article#en").is_visible()
    assert not page.locator("article#ko").is_visible()


def test_both_languages_can_be_shown_without_a_script(look, written):
    page = look(written("measured").html, java_script_enabled=False)

    page.locator("#choose-both").check()

    shown = [page.locator(f"article#{lang}").is_visible() for lang in ("ko", "en")]
    assert shown == [True, True]


def test_korean_is_shown_first(look, written):
    page = look(written("measured").html)

    shown = [page.locator(f"article#{lang}").is_visible() for lang in ("ko", "en")]

    assert shown == [True, False]
    assert page.evaluate("document.documentElement.lang") == "ko"


@pytest.mark.parametrize("ask", ["?lang=en", "#standing-en", "#en"])
def test_address_chooses_the_language(look, written, ask):
    page = look(written("measured").html, ask=ask)

    assert page.locator("article#en").is_visible()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_language_is_chosen_from_the_keyboard(look, written):
    page = look(written("measured").html)

    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")

    assert page.evaluate("document.activeElement.id") == "choose-en"
    assert page.locator("article#en").is_visible()


def test_every_table_can_be_scrolled_from_the_keyboard(look, written):
    page = look(written("measured").html, width=360)

    stuck = page.evaluate(
        """() => [...document.querySelectorAll('article#ko *')]
            .filter(one => one.scrollWidth > one.clientWidth + 1
                && ['auto', 'scroll'].includes(getComputedStyle(one).overflowX)
                && one.tabIndex < 0)
            .map(one => one.outerHTML.slice(0, 80))"""
    )

    assert stuck == []


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("name", ["measured", "unpublished", "frontier"])
def test_labels_in_a_picture_do_not_collide(look, written, name, width):
    page = look(written(name).html, width=width)

    collisions = page.evaluate(
        """() => [...document.querySelectorAll('article#ko svg')].flatMap(svg => {
            const texts = [...svg.querySelectorAll('text')].map(text =>
                [text.textContent, text.getBoundingClientRect()]);
            return texts.flatMap(([said, a], i) => texts.slice(i + 1)
                .filter(([, b]) => a.left < b.right && b.left < a.right
                    && a.top < b.bottom && b.top < a.bottom && a.width && b.width)
                .map(([other]) => said + ' / ' + other));
        })"""
    )

    assert collisions == []


def test_no_text_is_cut_off_by_its_box(look, written):
    page = look(written("measured").html, width=360)

    cut = page.evaluate(
        """() => [...document.querySelectorAll('article#ko p, article#ko li, article#ko dd')]
            .filter(one => one.scrollWidth > one.clientWidth + 1
                && getComputedStyle(one).display !== 'inline' && !one.querySelector('svg'))
            .map(one => one.outerHTML.slice(0, 80))"""
    )

    assert cut == []


@pytest.mark.parametrize("choice", ["ko", "en", "both"])
def test_page_prints_the_language_that_is_shown(look, written, choice):
    page = look(written("unpublished").html, ask=f"?lang={choice}")

    page.emulate_media(media="print")
    shown = [lang for lang in ("ko", "en") if page.locator(f"article#{lang}").is_visible()]
    printed = page.pdf(format="A4", prefer_css_page_size=True)

    assert shown == (["ko", "en"] if choice == "both" else [choice])
    assert printed.startswith(b"%PDF-")
    assert page.locator("fieldset.choice").is_hidden()


def test_hostile_names_run_nothing_and_fetch_nothing(look, measured, tmp_path):
    evil = (
        "<script>alert(1)</script><img src=x onerror=alert(2)>"
        "</style></title><svg onload=alert(3)>{{ 7*7 }}\u202eevil\u2066 🧨👩‍👩‍👧 " + "W" * 400
    )
    for team in measured.decision["teams"]:
        team["name"] = {"ko": evil, "en": evil}
    measured.decision["stage"]["title"] = {"ko": evil, "en": evil}
    measured.decision["stage"]["sources"] = [
        {"tag": "s1", "address": "javascript:alert(4)"},
        {"tag": "s2", "address": 'https://x.example/"onmouseover="alert(5)'},
    ]
    files = write_dossier(measured.decision, entries=measured.entries, out=tmp_path)

    page = look(files.html, width=320)
    page.mouse.wheel(0, 5_000)

    assert page.said == []
    assert page.asked == [files.html.as_uri()]
    assert page.evaluate("document.documentElement.scrollWidth") == 320
    assert page.locator("article#ko h1").inner_text().startswith("<script>alert(1)</script>")
    assert page.locator("a[href^='javascript']").count() == 0
    assert page.locator("[onerror], [onload], [onmouseover]").count() == 0
