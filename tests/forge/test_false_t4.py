"""The false T4: who is caught by which check, in bands, on real runs with forged states."""

import itertools
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest

from dokja.models.forge.demo.builders import BUILDERS
from dokja.models.forge.demo.judging import demo_table, lessons
from dokja.models.forge.demo.staging import DemoWorld, false_t4
from dokja.models.forge.ladder import Level, Outcome

RUN = ("T4", "A", "D", "E", "F")
"""Builders of this test; T2, B and C are near to others, and would cost half as much again."""


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """Every builder, verified, by name; keys, nonces and the builder's clock are fixed."""
    count, seconds = itertools.count(), itertools.count()
    started = datetime.now(UTC).replace(microsecond=0)
    world = DemoWorld(
        # Engines read the machine's clock; the chain's runs with it, and never backwards.
        clock=lambda: max(datetime.now(UTC), started + timedelta(milliseconds=next(seconds))),
        secrets=lambda length: sha256(b"secret %d" % next(count)).digest()[:length],
        python=sys.executable,
        environment={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    chosen = [one for one in BUILDERS if one.name in RUN]
    found = false_t4(tmp_path_factory.mktemp("demo") / "x", world=world, builders=chosen)
    return {one.builder.name: one for one in found}


def value(judged, check):
    (finding,) = (one for one in judged.of(check) if one.check == check)
    return finding.value


def replays(judged):
    return [round(one.value, 1) for one in judged.replays]


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("T4", ()),
        ("A", (Level.V1, Level.V2)),
        ("D", (Level.V2, Level.V3)),
        ("E", (Level.V1, Level.V2, Level.V3)),
        ("F", (Level.V2, Level.V3)),
    ],
)
def test_each_level_catches_whom_the_table_says(judged, name, levels):
    assert judged[name].levels == levels


@pytest.mark.parametrize(
    ("name", "checks"),
    [
        ("T4", ""),
        ("A", "V1.3 V2.1 V2.2"),
        ("D", "V2.2 V2.3 V2.4 V3.3.30-40"),
        ("E", "V1.3 V2.2 V2.3 V2.4 V3.3.0-10"),
        (
            "F",
            "V2.2 V2.3 V3.3.0-10 V3.3.10-20 V3.3.20-30 V3.3.30-40 V3.3.40-50 V3.3.50-60",
        ),
    ],
)
def test_each_check_catches_whom_the_table_says(judged, name, checks):
    failed = {one.check for one in judged[name].findings if one.outcome is Outcome.FAIL}

    assert failed == set(checks.split())


def test_a_false_t4_is_caught_by_v1_v2_and_v3_each_on_its_own(judged):
    cheat = judged["E"]

    assert value(cheat, "V1.3") < 0.8 * 5.545
    assert abs(value(cheat, "V2.2")) < 5.0
    assert value(cheat, "V2.3") > 2.0
    assert replays(cheat)[0] == pytest.approx(1.0, abs=0.15)


def test_what_was_measured_lies_in_the_bands_of_the_design_note(judged):
    """First losses in nats, ln V is 5.545; z of the start's trace; shares of AdamW's bound."""
    assert 5.495 <= value(judged["T4"], "V1.3") <= 6.145
    assert value(judged["A"], "V1.3") < 2.5
    assert value(judged["T4"], "V2.2") > 50.0
    assert 0.9 <= value(judged["T4"], "V2.3") <= 1.0
    assert value(judged["E"], "V2.3") > 10.0
    assert value(judged["D"], "V2.3") > 5.0
    assert value(judged["F"], "V2.3") > 2.0
    assert value(judged["T4"], "V2.4") < 1e-6
    assert 1.0 < value(judged["D"], "V2.4") < 6.0
    assert 2.0 < value(judged["E"], "V2.4") < 6.0
    assert value(judged["F"], "V2.4") < 1e-6


@pytest.mark.parametrize(("name", "places"), [("T4", []), ("A", []), ("D", [3]), ("E", [0])])
def test_replays_differ_in_the_segment_of_the_splice_alone(judged, name, places):
    expected = [pytest.approx(1.0, abs=0.15) if n in places else 0.0 for n in range(6)]

    assert replays(judged[name]) == expected


def test_weights_on_a_straight_line_differ_in_every_segment(judged):
    assert replays(judged["F"]) == [pytest.approx(1.0, abs=0.4)] * 6


def test_signatures_and_receipts_of_every_cheat_are_right(judged):
    outcomes = {name: {f.outcome for f in one.of("V0")} for name, one in judged.items()}

    assert outcomes == {name: {Outcome.PASS} for name in RUN}


def test_challenge_was_drawn_after_the_commitment(judged):
    assert {one.of("V3.1")[0].outcome for one in judged.values()} == {Outcome.PASS}


def test_every_lesson_is_shown_by_what_was_measured(judged):
    taught = lessons(list(judged.values()))

    assert [one.says for one in taught if not one.holds] == []
    assert "caught by V1, V2 and V3, each on its own: E." in taught[0].says


def test_lessons_that_the_runs_do_not_show_are_not_claimed(judged):
    """Of the honest builder alone, nothing is shown of cheats."""
    taught = lessons([judged["T4"]])

    assert taught[0].holds is False
    assert taught[-1].holds is False


def test_table_marks_what_fails_and_can_be_written_as_json(judged):
    header, rows = demo_table(list(judged.values()))

    cells = {row[0]: dict(zip(header[2:], row[2:], strict=True)) for row in rows}
    assert header == ("check", "asks", *RUN)
    assert cells["V2.1"] == {**dict.fromkeys(RUN, "equal"), "A": "[differs]"}
    assert cells["caught by"]["E"] == "V1, V2, V3"
    assert json.loads(json.dumps(judged["E"].to_json()))["caught_by"] == ["V1", "V2", "V3"]
