"""What whoever watches a run is shown."""

from collections import Counter

from dokja.cli.watching import told, watching
from dokja.evidence.benchmarks.running import Tally


def tally(**changes):
    made = Tally(
        samples=1000,
        settled=250,
        given_up=5,
        here=100,
        seconds=10.0,
        concurrency=32,
        looked_at=12,
        outcomes=Counter(correct=7, wrong=3, no_answer=2),
        faults=Counter(rate=4, cut=1),
        tokens=12_345,
        cost_micro=1_500_000,
        scored=10,
        score_sum=7.0,
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_a_tally_is_told_without_the_score():
    lines = told(tally(notice="resting for 30 s"), show_score=False, currency="USD")

    assert lines == [
        (
            "250/1,000 answered · 5 given up · 10.0/s · 1:14 left · 32 at once · 12,345 tokens"
            " · 1.5000 USD"
        ),
        "of 12 answers looked at: no_answer 2",
        "faults: cut 1, rate 4",
        "resting for 30 s",
    ]


def test_the_score_is_told_where_it_was_asked_for():
    lines = told(tally(), show_score=True, currency="USD")

    assert lines[-1] == "of 10 scored in this session: 0.700"


def test_what_is_unknown_is_left_out():
    lines = told(Tally(samples=3, concurrency=1, faults=Counter()), show_score=True, currency="")

    assert lines == ["0/3 answered · 1 at once"]


def test_away_from_a_terminal_a_line_is_printed_now_and_then(capsys):
    with watching(show_score=False, currency="") as watch:
        for second in range(65):
            watch(tally(seconds=float(second), cost_micro=None))
        watch(tally(seconds=65.0, notice="resting", cost_micro=None))

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert lines[-1].endswith("resting")


def test_on_a_terminal_the_tally_stands_in_place(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")

    with watching(show_score=False, currency="") as watch:
        watch(tally(cost_micro=None))

    assert "250/1,000 answered" in capsys.readouterr().err
