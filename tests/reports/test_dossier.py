import base64
import hashlib
import re

import pytest

from dokja.errors import InputError
from dokja.public.reports import write_dossier
from dokja.values import Digest, canonical_bytes


def test_decision_is_written_in_the_bytes_that_were_signed(measured, tmp_path):
    files = write_dossier(measured.decision, entries=measured.entries, out=tmp_path)

    assert files.decision.read_bytes() == canonical_bytes(measured.decision)
    assert files.digest == Digest.of(files.decision.read_bytes())
    assert str(files.digest) in files.html.read_text(encoding="utf-8")


def test_same_decision_gives_the_same_dossier(measured, tmp_path):
    first = write_dossier(measured.decision, entries=measured.entries, out=tmp_path / "a")
    second = write_dossier(measured.decision, entries=measured.entries, out=tmp_path / "b")

    assert first.html.read_bytes() == second.html.read_bytes()
    assert [p.read_bytes() for p in first.csv] == [p.read_bytes() for p in second.csv]


def test_dossier_takes_the_place_of_an_older_one(measured, unpublished, tmp_path):
    write_dossier(unpublished.decision, entries=unpublished.entries, out=tmp_path)

    files = write_dossier(measured.decision, entries=measured.entries, out=tmp_path)

    assert files.decision.read_bytes() == canonical_bytes(measured.decision)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["csv", "decision.json", "dossier.html"]


def test_folder_that_is_a_file_is_told_and_left(measured, tmp_path):
    (tmp_path / "out").write_text("mine")

    with pytest.raises(InputError, match="a folder that can be written"):
        write_dossier(measured.decision, entries=measured.entries, out=tmp_path / "out")

    assert (tmp_path / "out").read_text() == "mine"


def test_policy_allows_the_pages_own_style_and_script_and_nothing_else(written):
    page = written("measured").html.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page).group(1)

    def allowed(tag):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL).group(1)
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    assert policy.replace("&#39;", "'") == (
        f"default-src 'none'; style-src 'sha256-{allowed('style')}'; "
        f"script-src 'sha256-{allowed('script')}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )
    assert len(re.findall(r"<script\b", page)) == 1
    assert re.findall(r'\sstyle="|\son\w+="', page) == []


def test_page_loads_nothing(written):
    page = written("unpublished").html.read_text(encoding="utf-8")

    assert re.findall(r"<(?:img|iframe|object|embed|video|audio|base|form)\b", page) == []
    assert re.findall(r'\ssrc="', page) == []
    assert [
        href for href in re.findall(r'<link[^>]*href="([^"]+)', page) if "data:" not in href
    ] == []


def test_names_of_elements_are_used_once(written):
    for name in ("measured", "unpublished", "undecided"):
        ids = re.findall(r'\sid="([^"]+)"', written(name).html.read_text(encoding="utf-8"))

        assert sorted({one for one in ids if ids.count(one) > 1}) == []


def test_every_link_within_the_page_leads_somewhere(written):
    for name in ("measured", "unpublished", "undecided"):
        page = written(name).html.read_text(encoding="utf-8")
        ids = set(re.findall(r'\sid="([^"]+)"', page))

        assert set(re.findall(r'href="#([^"]+)"', page)) - ids == set()


@pytest.mark.parametrize("name", ["measured", "unpublished", "undecided"])
def test_every_reason_is_worded(written, name):
    page = written(name).html.read_text(encoding="utf-8")

    assert "no words" not in page
    assert "표현이 없는 이유" not in page


def test_every_score_that_is_missing_is_named(written, unpublished):
    page = written("unpublished").html.read_text(encoding="utf-8")

    assert "24 of 30" in re.sub(r"</?bdi>", "", page)
    assert page.count("not published") >= 24


def test_invented_programme_says_so_at_the_top(written):
    pages = {
        name: written(name).html.read_text(encoding="utf-8") for name in ("measured", "unpublished")
    }

    assert "지어낸 견본입니다." in pages["measured"]
    assert "지어낸 견본입니다." not in pages["unpublished"]


def test_dispute_is_told_with_its_published_numbers(written):
    page = written("unpublished").html.read_text(encoding="utf-8")

    for said in ("0.989", "0.013", "0.0108", "Re-analysed and withdrawn", "GLM-4.5-Air"):
        assert said in page


def test_finding_is_told_with_controls_and_power(written):
    page = written("measured").html.read_text(encoding="utf-8")

    for said in (
        "0.994",
        "0.013",
        "0.11",
        "known-derived control",
        "statistically consistent with",
    ):
        assert said in page


def test_entry_of_a_later_release_is_named_and_not_guessed(measured, tmp_path):
    later = measured.entries[1]
    body = {**later.body, "unheard_of": 1}
    entries = [type(later)(**{**_parts(later), "body": body}), *measured.entries[2:]]

    files = write_dossier(measured.decision, entries=entries, out=tmp_path)

    assert "Some entries could not be read by this release." in files.html.read_text("utf-8")


def _parts(entry):
    return {name: getattr(entry, name) for name in ("seq", "id", "time", "kind", "actor")}
