"""Flags on real rows, with the counts that another program found (7.2 of the design note)."""

import numpy as np
import pytest

from dokja.evidence.benchmarks.quality import presence
from dokja.evidence.benchmarks.quality.absences import difficulty_of

OSS, GPT5 = "gpt-oss-120b-2025-08-05", "gpt-5-mini-2025-08-08"
MEDIUM, MINI = "gpt-51-medium-2025-11-13-0shot", "gpt-5-mini-2025-08-08-0shot"


def test_click_has_seven_collisions_one_duplicate_and_one_changed_key(real):
    click = real("click")

    (collision,), (duplicate,) = click.named("id_collision"), click.named("duplicate")
    (changed,) = click.named("key_changed")

    assert (collision.count, collision.facts["ids"]) == (7, 1987)
    assert collision.facts["first"] == "Kedu_16_1, Kedu_16_2, Kedu_16_3 and 4 more"
    assert collision.blocks == {"pairing-by-id"}
    assert (duplicate.count, duplicate.facts["first"]) == (1, "CSAT_korean_13_11")
    assert duplicate.blocks == frozenset()
    assert (changed.count, changed.facts["first"]) == (1, "Kedu_history_23")
    assert changed.facts["keys_of_first"] == "A in 18, B in 8"


def test_six_runs_lack_the_same_items_by_stratum_and_not_by_difficulty(real):
    click = real("click")

    missing, stratum = (click.flag(f"missing_{each}", GPT5) for each in ("items", "by_stratum"))

    assert (missing.count, missing.facts["rows"], missing.facts["peers"]) == (111, 119, 10)
    assert len(missing.systems) == 6
    assert all(system.startswith("gpt-5") for system in missing.systems)
    assert (stratum.facts["stratum"], stratum.facts["inside"], stratum.facts["size"]) == (
        "functional",
        111,
        125,
    )
    assert not [flag for flag in click.named("missing_by_difficulty") if GPT5 in flag.systems]
    counted = presence(click.rows, click.alignment)
    absent = counted.absent[:, counted.systems.index(GPT5)]
    found = difficulty_of(absent, counted, peers=counted.complete)
    assert (round(found.there, 3), round(found.elsewhere, 3)) == (0.617, 0.627)


def test_one_run_lacks_items_by_difficulty_and_by_stratum(real):
    click = real("click")

    missing = click.flag("missing_items", OSS)
    difficulty, stratum = (
        click.flag(f"missing_by_{each}", OSS) for each in ("difficulty", "stratum")
    )

    assert (missing.count, missing.facts["rows"]) == (391, 399)
    assert round(missing.facts["present_only"], 4) == 0.5326
    assert round(missing.facts["over_all_items"], 4) == 0.4278
    assert (round(difficulty.facts["there"], 3), round(difficulty.facts["elsewhere"], 3)) == (
        0.480,
        0.662,
    )
    assert difficulty.facts["z"] == pytest.approx(-12.36, abs=0.01)
    assert (stratum.facts["stratum"], stratum.facts["inside"], stratum.facts["size"]) == (
        "history",
        280,
        280,
    )


def test_the_best_peers_find_the_absent_items_harder_as_well(real):
    click = real("click")
    counted = presence(click.rows, click.alignment)
    best = np.array([place for place, name in enumerate(counted.systems) if "claude" in name])

    found = difficulty_of(counted.absent[:, counted.systems.index(OSS)], counted, peers=best)

    assert (round(found.there, 3), round(found.elsewhere, 3)) == (0.739, 0.860)


def test_failed_calls_come_in_batches_and_in_some_subjects_only(real):
    kmmlu = real("kmmlu")

    medium, mini = (kmmlu.flag("fault_batch", system) for system in (MEDIUM, MINI))

    assert (medium.count, medium.facts["runs"]) == (1320, "56 of 20, 5 of 40")
    assert (mini.count, mini.facts["runs"]) == (990, "43 of 10, 1 of 20, 10 of 30, 4 of 60")
    assert [each.facts["strata"] for each in (medium, mini)] == [16, 19]
    assert [each.facts["of_strata"] for each in (medium, mini)] == [45, 45]
    assert medium.facts["peers"] == 19
    told = [medium.facts[f"peers_{each}"] for each in ("there", "elsewhere", "there_by_strata")]
    assert [round(told[0], 3), round(told[1], 3), round(told[2], 4)] == [0.420, 0.484, 0.4215]


def test_orders_agree_for_as_many_runs_as_were_found_elsewhere(real):
    (kmmlu,) = real("kmmlu").named("order_only")
    (haerae,) = real("haerae").named("order_only")

    told = [
        [flag.facts[each] for each in ("raw", "by_category", "with_gaps", "of")]
        for flag in (kmmlu, haerae)
    ]

    assert told == [[12, 25, 4, 30], [12, 20, 0, 22]]
    assert [flag.systems for flag in real("kmmlu").named("misaligned")] == [("gpt-5.2-2025-12-11",)]
    assert {flag.systems[0]: flag.count for flag in real("haerae").named("misaligned")} == {
        "gpt-5.2(medium)-2025-12-11": 1197,
        "gpt-5.2-2025-12-11": 1212,
    }
    assert {flag.blocks for flag in real("haerae").named("misaligned")} == {frozenset({"pairing"})}


def test_spellings_empties_labels_and_a_run_below_chance_are_told(real):
    kmmlu = real("kmmlu")

    (spelling,), (label,), (below,) = (
        kmmlu.named(name) for name in ("spelling", "illegal_label", "below_chance")
    )

    assert spelling.count == 45
    assert (label.count, label.systems) == (14, ("gpt-4o-240513-5shot",))
    assert below.systems == ("llama-3-1-8b-instruct-5shot",)
    assert (below.facts["constant_answer"], below.facts["best_constant"]) == ("D", 0.304796)
    assert {flag.systems[0]: flag.count for flag in kmmlu.named("empty_heavy")} == {
        "nova-2-lite-2025-12-05": 2042
    }
