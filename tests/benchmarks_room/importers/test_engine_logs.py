"""Logs that lm-eval and Inspect really wrote, unmodified, in every shape that they have."""

import json

import pytest

from dokja.evidence.benchmarks.importers import import_log, read_inspect, read_lm_eval
from dokja.evidence.benchmarks.outcomes import Outcome

pytestmark = [pytest.mark.engines, pytest.mark.loopback]


@pytest.mark.parametrize("keep", ["letter", "strict"])
def test_lm_eval_gives_the_accuracy_that_it_prints(engine_logs, keep):
    read = read_lm_eval(engine_logs["lm_eval"], keep=keep, category="subject")

    results = json.loads(next(engine_logs["lm_eval"].glob("results_*.json")).read_bytes())
    printed = results["results"]["dokja_sums"][f"exact_match,{keep}"]
    rows = read.rows
    assert len(rows) == 12
    assert read.flags == ()
    assert (rows.outcomes == Outcome.CORRECT.code).mean() == pytest.approx(printed)
    assert sorted(rows.categories.names) == ["문자와 식", "수와 연산"]


@pytest.mark.parametrize("log_format", ["eval", "json"])
def test_inspect_gives_the_accuracy_that_it_prints(engine_logs, log_format):
    read = read_inspect(engine_logs[f"inspect_{log_format}"], category="subject")

    table = import_log(read).table
    assert table.outcomes.shape == (12, 1, 2)
    assert table.suite == "dokja_sums"
    assert read.flags == ()
    assert not (table.outcomes == Outcome.MISSING.code).any()


def test_a_chunked_log_says_the_same(engine_logs, tmp_path):
    from inspect_ai.log._recorders.chunked.convert import (  # noqa: PLC0415  # only with engines
        convert_eval_logs_to_chunked,
    )

    convert_eval_logs_to_chunked(str(engine_logs["inspect_eval"]), str(tmp_path))

    (chunked,) = tmp_path.glob("*.eval")
    plain = read_inspect(engine_logs["inspect_eval"], category="subject").rows
    other = read_inspect(chunked, category="subject").rows
    told = [
        {
            (rows.items.text(row), int(rows.epochs[row])): (
                int(rows.outcomes[row]),
                rows.contents.text(row),
                rows.keys.text(row),
                rows.replies.text(row),
                rows.categories.text(row),
            )
            for row in range(len(rows))
        }
        for rows in (plain, other)
    ]
    assert told[0] == told[1]
