"""The whole way from published rows to verdicts, held to figures that others computed before.

Expected figures: design note on measurement, 7.3 and 7.4, and the data's own README.
"""

import pytest

from dokja.evidence.benchmarks.comparing import compare, openable
from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.statistics.contrasts import Basis

MINI, MEDIUM = "gpt-5-mini-2025-08-08", "gpt-51-medium-2025-11-13"


@pytest.mark.parametrize(
    ("name", "suffix", "clusters", "ratio", "delta", "errors", "confidence"),
    [
        ("kmmlu", "-0shot", "category", 0.9221, -0.022456, (0.002173, 0.002161, 0.007130), 0.0015),
        ("haerae", "", "category", 0.9367, -0.011769, (0.008711, 0.008664, 0.019670), None),
        ("click", "", "category", 0.9454, -0.003918, (0.00900, 0.00887, 0.026246), None),
        ("click", "", "source", 0.9454, -0.003918, (0.00900, 0.00887, 0.016596), None),
    ],
)
def test_contrasts_of_real_runs_come_out(
    korean, question, name, suffix, clusters, ratio, delta, errors, confidence
):
    asked = question(MINI + suffix, (MEDIUM + suffix,), clusters=clusters)

    found = compare([korean(name)], asked)

    hardest = found.domains[0].hardest
    assert found.ratio == pytest.approx(ratio, abs=5e-5)
    assert hardest.margin == pytest.approx(delta, abs=5e-7)
    assert hardest.by_items.standard_error == pytest.approx(errors[0], abs=6e-6)
    assert hardest.by_strata.standard_error == pytest.approx(errors[1], abs=6e-6)
    assert hardest.clusters_t.standard_error == pytest.approx(errors[2], abs=5e-7)
    if confidence is not None:
        assert hardest.by_clusters.p_at_least == pytest.approx(confidence, abs=5e-5)


@pytest.mark.parametrize(
    ("name", "suffix", "clusters", "bounds", "verdict"),
    [
        ("kmmlu", "-0shot", "category", (0.8809, 0.9572), ["faults"]),
        ("haerae", "", "category", (0.9099, 0.9588), ["interval"]),
        ("click", "", "category", (0.9008, 0.9578), ["interval"]),
        ("click", "", "source", (0.9008, 0.9578), ["interval", "faults"]),
    ],
)
def test_faults_of_real_runs_open_the_verdict_as_far_as_they_reach(
    korean, question, name, suffix, clusters, bounds, verdict
):
    asked = question(
        MINI + suffix,
        (MEDIUM + suffix,),
        clusters=clusters,
        open=openable(CONVENTIONS["strict"]),
    )

    found = compare([korean(name)], asked)

    assert found.domains[0].reach.bounds == pytest.approx(bounds, abs=5e-5)
    assert [doubt.value for doubt in found.doubts] == verdict


def test_fragility_and_items_to_settle_come_out(korean, question):
    click = compare([korean("click")], question(MINI, (MEDIUM,))).domains[0]
    haerae = compare([korean("haerae")], question(MINI, (MEDIUM,))).domains[0]

    assert (click.fragility.removed, haerae.fragility.removed) == (8, 20)
    assert click.settling.at_estimate.items_in_all == pytest.approx(61_000, rel=0.01)
    assert haerae.settling.at_estimate.items_in_all == pytest.approx(5_200, rel=0.01)
    assert (click.sheet.items, click.sheet.not_asked) == (1876, 119)


def test_guessing_taken_off_gives_other_ratios(korean, question):
    found = {
        name: compare(
            [korean(name)], question(MINI + suffix, (MEDIUM + suffix,), chance=0.25)
        ).ratio
        for name, suffix in (("kmmlu", "-0shot"), ("haerae", ""), ("click", ""))
    }

    assert found == pytest.approx({"kmmlu": 0.8871, "haerae": 0.9117, "click": 0.9231}, abs=5e-5)


def test_run_that_is_mostly_empty_can_be_nothing_but_undecided(korean, question):
    asked = question("gpt-oss-120b-2025-08-05", (MEDIUM,), open=openable(CONVENTIONS["strict"]))

    found = compare([korean("haerae")], asked)

    assert "faults" in [doubt.value for doubt in found.doubts]


def test_best_of_several_references_is_asked_one_by_one(korean, question):
    references = (
        "nova-2-lite-2025-12-05",
        "claude-haiku-4-5-2025-12-05",
        "gpt-5-nano-2025-08-08-0shot",
    )
    asked = question("gpt-4.1-2025-04-14", references)

    found = compare([korean("kmmlu")], asked)

    by_clusters = [
        each.by(Basis.CLUSTERS).p_at_least for each in found.domains[0].reach.registered.contrasts
    ]
    assert found.ratio == pytest.approx(0.9595, abs=5e-5)
    assert by_clusters == pytest.approx([0.878, 1.000, 0.686], abs=5e-4)
    assert found.domains[0].against == "gpt-5-nano-2025-08-08-0shot"
    assert found.domains[0].draws.p_at_least == pytest.approx(0.689, abs=0.02)
    # Besides, nova-2-lite has 2,043 empty replies that nothing explains: they are open.
    assert [doubt.value for doubt in found.doubts] == ["interval", "faults"]
