"""Reads gathered score tables: real ones where they lie beside the repository, and hostile ones."""

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from dokja.errors import SuiteError
from dokja.evidence.benchmarks.frontiers import (
    best_so_far,
    chosen_cells,
    kept_scores,
    read_score_tables,
)
from dokja.evidence.statistics import Cell, capability_curves

FRONTIER = Path(__file__).parents[3] / "shared/data/frontier"
BOM = b"\xef\xbb\xbf"


@pytest.fixture(scope="module")
def tables():
    """The real tables; figures to check against stand in their README."""
    if not FRONTIER.exists():
        pytest.skip("the score tables lie beside the repository and are not here")
    return read_score_tables(FRONTIER)


@pytest.fixture(scope="module")
def cells(tables):
    kept = kept_scores(tables, benchmarks_at_least=4, released_from=date(2022, 11, 1))
    return chosen_cells(kept, choice="greatest")


def test_real_tables_give_their_counts(tables, cells):
    own = Counter(score.source == "own runs" for score in tables.scores)

    assert (len(tables.scores), own[True], own[False]) == (2408, 457, 1951)
    assert len({score.benchmark for score in tables.scores}) == 40
    assert len({score.model for score in tables.scores}) == 469
    assert tables.left_out == {"no model": 334, "no source": 3}
    assert len(tables.undated) == 26
    assert "FrontierMath-Tier-4-2025-07-01-Private" not in tables.opened
    assert len(kept_scores(tables, benchmarks_at_least=4)) == 1965
    kept = kept_scores(tables, benchmarks_at_least=4, released_from=date(2022, 11, 1))
    assert len(kept) == 1766
    found = cells.cells
    assert len(found) == 1324
    assert len({cell.model for cell in found}) == 179
    benchmarks = {cell.benchmark for cell in found}
    assert {score.benchmark for score in tables.scores} - benchmarks == {"CSQA2", "SuperGLUE"}
    assert sum(cell.score for cell in found) / 1324 == pytest.approx(0.5115, abs=5e-5)
    assert sum(cell.score == 0 for cell in found) == 11


def test_real_tables_have_pairs_with_many_scores(tables):
    every = chosen_cells(tables.scores, choice="greatest")

    assert every.decided == 268
    assert every.widest == pytest.approx(0.56, abs=0.005)
    pairs = Counter((score.model, score.benchmark) for score in tables.scores)
    assert pairs["text-davinci-001", "Winogrande"] == 13
    assert pairs["claude-sonnet-4-20250514", "Terminal Bench"] == 12
    lower = chosen_cells(tables.scores, choice="median")
    assert sum(c.score for c in lower.cells) < sum(c.score for c in every.cells)


def test_real_names_have_no_spaces_at_their_ends(tables):
    names = {score.model for score in tables.scores} | set(tables.released)

    assert "Llama-2-70b-hf" in names
    assert all(name == name.strip() for name in names)


def test_the_real_frontier_of_gpqa_rose_in_fourteen_steps(tables, cells):
    steps = best_so_far(cells.cells, benchmark="GPQA diamond", released=tables.released)

    assert len(steps) == 14
    told = {step.model: (step.released, round(step.score, 3)) for step in steps}
    assert told["gpt-4-0314"] == (date(2023, 3, 14), 0.357)
    assert told["claude-3-opus-20240229"][1] == 0.472
    assert told["o1-2024-12-17_high"][1] == 0.768
    assert told["gemini-2.5-pro"] == (date(2025, 6, 17), 0.853)
    assert told["grok-4-0709"][1] == 0.870
    assert told["gpt-5.1_high"] == (date(2025, 11, 13), 0.876)
    assert (steps[0].model, steps[-1].model) == ("gpt-4-0314", "gpt-5.1_high")


def test_the_real_capability_curve_is_the_published_one(cells):
    found = capability_curves(cells.cells, anchor="Winogrande", ridge=0.1)

    assert found.cells == 1324
    assert found.half_squares == pytest.approx(3.4474, abs=5e-5)
    assert found.rms == pytest.approx(0.0714, abs=5e-5)
    places = {
        "gpt-5-pro-2025-10-06_high": 2.659,
        "gpt-5-2025-08-07_high": 2.645,
        "gpt-5.1_high": 2.645,
        "o3-2025-04-16_high": 2.509,
        "DeepSeek-R1": 2.177,
        "gpt-4o-2024-11-20": 1.766,
        "gpt-4-0314": 1.604,
        "phi-2": 1.008,
    }
    for model, place in places.items():
        assert found.model(model).place.value == pytest.approx(place, abs=6e-4)
    difficulties = {
        "MMLU": 0.818,
        "GPQA diamond": 1.772,
        "SWE-Bench verified": 2.329,
        "FrontierMath-2025-02-28-Private": 2.825,
    }
    for benchmark, place in difficulties.items():
        assert found.benchmark(benchmark).difficulty.value == pytest.approx(place, abs=6e-4)
    assert 4.6275 <= found.benchmark("OSUniverse").difficulty.value <= 4.6305


def test_own_runs_have_their_counts(tables):
    own = Counter(each.benchmark for each in tables.scores if each.source == "own runs")

    assert own == {
        "GPQA diamond": 134,
        "MATH level 5": 108,
        "OTIS Mock AIME 2024-2025": 106,
        "FrontierMath-2025-02-28-Private": 59,
        "FrontierMath-Tier-4-2025-07-01-Private": 27,
        "SWE-Bench verified": 23,
    }


def written(folder, **files):
    """A folder of tables that is right, with some files written otherwise."""
    right = {
        "index": b"benchmark,file,score_column,divide_by\nArith,a.csv,Score,100\n"
        b"Own,runs.csv (task = benchmark),Best,1\n",
        "a": BOM + b"Model version,Score,Source\ngaram ,42%,paper\nmaru,38.100,board\n"
        b",50%,paper\nsori,,paper\nnaru,60%,\n",
        "runs": BOM + b"task,model,Best\nOwn,garam,0.85\nOther,maru,0.5\n",
        "model_versions": BOM + b"id,Version release date\ngaram,2025-11-13\nmaru,\n",
        "benchmark_optim": b"benchmark,benchmark_release_date\r\nArith,2024/12/21\r\n",
    }
    for name, data in (right | files).items():
        if data is not None:
            (folder / f"{name}.csv").write_bytes(data)
    return folder


def test_every_trap_is_met(tmp_path):
    found = read_score_tables(written(tmp_path))

    assert [(s.model, s.benchmark, s.score) for s in found.scores] == [
        ("garam", "Arith", 0.42),
        ("maru", "Arith", pytest.approx(0.381)),
        ("garam", "Own", 0.85),
    ]
    assert found.left_out == {"no model": 1, "no score": 1, "no source": 1}
    assert found.released == {"garam": date(2025, 11, 13)}
    assert found.opened == {"Arith": date(2024, 12, 21)}
    assert found.undated == ("maru",)
    assert found.scores[0].place == "a.csv, line 2"


def test_a_model_without_a_date_is_kept_only_where_no_date_is_asked_for(tmp_path):
    found = read_score_tables(written(tmp_path))

    assert len(kept_scores(found)) == 3
    later = kept_scores(found, released_from=date(2020, 1, 1))
    assert {score.model for score in later} == {"garam"}
    assert [score.model for score in kept_scores(found, benchmarks_at_least=2)] == ["garam"] * 2


def test_every_mistake_is_told_at_once(tmp_path):
    folder = written(
        tmp_path,
        index=b"benchmark,file,score_column,divide_by\nArith,a.csv,Score,100\n"
        b"Gone,gone.csv,Score,1\nZero,a.csv,Score,0\nUp,../a.csv,Score,1\nCol,a.csv,Points,1\n",
        a=BOM + b"Model version,Score,Source\ngaram,420%,paper\nmaru,many,paper\n",
        model_versions=b"id,Version release date\ngaram,13 November 2025\n",
    )

    with pytest.raises(SuiteError) as caught:
        read_score_tables(folder)

    assert [(each.file, each.place) for each in caught.value.mistakes] == [
        ("a.csv", "line 2, Score"),
        ("a.csv", "line 3, Score"),
        ("gone.csv", ""),
        ("index.csv", "line 4"),
        ("index.csv", "line 5"),
        ("a.csv", "heading"),
        ("model_versions.csv", "line 2, Version release date"),
    ]


def test_a_folder_without_an_index_or_in_another_coding_is_refused(tmp_path):
    with pytest.raises(SuiteError, match=r"index\.csv"):
        read_score_tables(written(tmp_path, index=None))
    with pytest.raises(SuiteError, match="UTF-8"):
        read_score_tables(written(tmp_path, index="benchmark,파일\n".encode("cp949")))
    with pytest.raises(SuiteError, match="no columns"):
        read_score_tables(written(tmp_path, index=b""))


def test_an_equal_or_undated_score_is_no_step():
    days = {"old": date(2024, 1, 1), "twin": date(2024, 6, 1), "new": date(2025, 1, 1)}
    scores = {"new": 0.7, "twin": 0.5, "old": 0.5, "undated": 0.9}
    cells = [Cell(model=model, benchmark="b", score=score) for model, score in scores.items()]
    cells.append(Cell(model="new", benchmark="other", score=1.0))

    steps = best_so_far(cells, benchmark="b", released=days)

    assert [(step.model, step.score) for step in steps] == [("old", 0.5), ("new", 0.7)]
