"""The document and the entry of a comparison: the same bytes, decimals in text, nothing null."""

import json
from datetime import date

import numpy as np
import pytest

from dokja.evidence.benchmarks.comparing import (
    Occasion,
    compare,
    document,
    document_bytes,
    reach_draft,
)
from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.ledger.kinds import Reach, check_body, read_body
from dokja.public.reports import comparison_text
from dokja.values import Digest

FAULTS = frozenset({Outcome.INFRASTRUCTURE_ERROR})
OCCASION = Occasion(
    stage="final", team="own", model="own-1", rulebook="v1", on=date(2026, 8, 3), actor="office"
)
GROUPS = [f"g{n % 30}" for n in range(600)]


def right(share, *, of=600, seed=1):
    drawn = np.random.default_rng(seed).permutation(of) < round(share * of)
    return "".join("C" if each else "W" for each in drawn)


@pytest.fixture
def cases(table, question):
    """Comparisons of every kind: decided, undecided, of several, and of nothing."""
    faulty = right(0.7, of=540) + "F" * 60
    near = table({"best": right(0.8), "own": faulty, "next": right(0.78, seed=5)}, strata=GROUPS)
    far = table({"best": right(0.8), "own": right(0.2)}, strata=GROUPS, suite="other")
    nothing = table({"best": "MM", "own": "MM"}, suite="nothing")
    return {
        "undecided": compare([near], question(references=("best", "next"), open=FAULTS)),
        "fails": compare([far], question()),
        "several": compare([near, far], question()),
        "nothing": compare([nothing], question()),
        "lost": compare([far], question(references=("best", "gone"), registered=True)),
    }


def every_value(said):
    if isinstance(said, dict):
        for value in said.values():
            yield from every_value(value)
    elif isinstance(said, list):
        for value in said:
            yield from every_value(value)
    else:
        yield said


@pytest.mark.parametrize("name", ["undecided", "fails", "several", "nothing", "lost"])
def test_document_is_the_same_bytes_and_holds_no_null_and_no_binary_number(cases, name):
    first, second = (document_bytes(cases[name], software="dokja 0") for _ in range(2))

    assert first == second
    values = list(every_value(json.loads(first)))
    assert [value for value in values if value is None or isinstance(value, float)] == []


@pytest.mark.parametrize("name", ["undecided", "fails", "several", "nothing", "lost"])
def test_entry_fits_its_kind_and_names_its_document(cases, name):
    draft, data = reach_draft(cases[name], OCCASION, software="dokja 0", evidence=["run/1"])
    body = json.loads(json.dumps(draft.body))

    assert check_body("reach", body, place="draft") == ()
    read = read_body("reach", body)
    assert isinstance(read, Reach)
    assert (read.document, draft.blobs) == (str(Digest.of(data)), (Digest.of(data),))
    assert read.verdict.replace("_", " ") == document(cases[name], software="")["verdict"]


def test_no_ratio_over_several_benchmarks_stands_without_an_interval(cases):
    draft, _ = reach_draft(cases["several"], OCCASION, software="dokja 0")

    assert [one["by"] for one in draft.body["standards"]] == ["clusters", "strata"]
    ratio = float(draft.body["ratio"])
    for one in draft.body["standards"]:
        assert float(one["ratio"]["low"]) < ratio < float(one["ratio"]["high"])


@pytest.mark.parametrize("name", ["undecided", "fails", "several", "nothing", "lost"])
@pytest.mark.parametrize("lang", ["ko", "en"])
def test_every_comparison_can_be_told_in_both_languages(cases, name, lang):
    told = comparison_text(document(cases[name], software="dokja 0"), lang)

    assert max(len(line) for line in told.splitlines() if not line.startswith("  ")) <= 100
    assert "{" not in told


def test_text_says_what_decides_and_what_would_settle_it(cases):
    told = comparison_text(document(cases["undecided"], software="dokja 0"), "en")

    assert "Asked without a rulebook: not a programme decision." in told
    assert told.count("decides") == 1
    assert "would settle it" in told
    assert "at worst the ratio is" in told
