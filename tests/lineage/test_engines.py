"""Pieces of a comparison in other processes: the same answer, and every refusal whole."""

import importlib.util
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from dokja import __version__
from dokja.cli.engines import engine_from, one_thread
from dokja.errors import ClusterError, DokjaError, ExtraMissingError, WeightsError
from dokja.evidence.lineage import Plan, Processes, RayCluster, trace_all
from dokja.evidence.lineage.engines import Tried, answered
from dokja.evidence.lineage.pieces import joined
from dokja.models.weights import open_source, origin_of

QUICK = Plan(null_draws=40, detectable_draws=10)


def untold(_):
    """Tell nobody."""


@pytest.fixture(scope="module")
def stored(shared_toys):
    """A model of two components, what was trained on from it, and two strangers."""
    root = shared_toys.model(21) | shared_toys.encoder(22)
    child = shared_toys.noised(root, 0.9, seed=23)
    strangers = [shared_toys.model(seed) | shared_toys.encoder(seed + 1) for seed in (24, 26)]
    return [shared_toys.store(one) for one in (child, root, *strangers)]


def test_answer_does_not_depend_on_where_it_was_made_nor_on_how_many_made_it(stored):
    suspect, *references, third = stored
    told = []

    here = trace_all(suspect, references, seed=3, plan=QUICK, controls=[third])
    apart = [
        trace_all(
            suspect,
            references,
            seed=3,
            plan=QUICK,
            controls=[third],
            engine=Processes(workers=workers, begin=one_thread),
            progress=told.append,
        )
        for workers in (1, 2)
    ]

    assert apart == [here, here]
    assert [finding.component for _, finding in here.findings] == [
        "language-body",
        "vision-encoder",
        "language-body",
        "vision-encoder",
    ]
    assert told[:4] == [f"{count} comparisons done" for count in (1, 2, 3, 4)]


def test_finding_does_not_depend_on_what_else_was_looked_at(stored):
    suspect, root, *_ = stored

    both = trace_all(suspect, [root], seed=3, plan=QUICK)
    one = trace_all(
        suspect, [root], seed=3, plan=replace(QUICK, only=frozenset({"vision-encoder"}))
    )

    assert one.reports[0].findings == both.reports[0].findings[1:]


def test_refusal_of_a_worker_comes_back_whole(tmp_path):
    nowhere = str(tmp_path / "nowhere")

    with pytest.raises(WeightsError) as here:
        open_source(nowhere)
    with pytest.raises(WeightsError) as apart:
        Processes(workers=1).map(open_source, [nowhere], told=untold)

    assert apart.value.mistakes == here.value.mistakes
    assert str(apart.value) == str(here.value)


def test_lost_worker_is_told_and_what_to_do():
    with pytest.raises(ClusterError, match="fewer workers"):
        Processes(workers=1).map(signal.raise_signal, [signal.SIGKILL], told=untold)


def test_worker_with_another_version_is_refused():
    same = Tried(answer=1, refusal=None, version=__version__)

    assert answered(same) == 1
    with pytest.raises(ClusterError, match=r"Dokja 0\.0\.9"):
        answered(replace(same, version="0.0.9"))


def test_other_weights_under_the_same_path_are_refused(toys):
    model = toys.model(1)
    origin = origin_of(toys.store(model, name="model"))
    Path(origin.where).rename(f"{origin.where}.old")
    toys.store({**model, "extra.weight": model["model.norm.weight"]}, name="model")

    with pytest.raises(WeightsError, match="Every machine must see the same files"):
        origin.open()


def test_weights_are_opened_again_from_anywhere(toys, monkeypatch, tmp_path):
    toys.store(toys.model(1), name="model")
    monkeypatch.chdir(toys.home)
    origin = origin_of(open_source("model"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")

    assert origin.open().headers == origin.headers


def test_source_that_nobody_opened_by_name_has_no_origin(toys):
    source = toys.store(toys.model(1))
    packed = type(source)(source._inventory)

    with pytest.raises(ValueError, match="nobody knows where"):
        origin_of(packed)


def test_no_report_cannot_be_joined():
    with pytest.raises(ValueError, match="no report"):
        joined([])


@pytest.mark.parametrize(
    ("text", "engine"),
    [
        (None, None),
        ("local", Processes(workers=os.cpu_count() or 1, begin=one_thread)),
        ("local:3", Processes(workers=3, begin=one_thread)),
        ("ray://head:10001", RayCluster(address="ray://head:10001")),
        ("ray://[::1]:10001", RayCluster(address="ray://[::1]:10001")),
    ],
)
def test_engine_is_said_in_one_word(text, engine):
    assert engine_from(text) == engine


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="ray is installed here")
def test_cluster_without_its_extra_says_which(tmp_path):
    with pytest.raises(ExtraMissingError, match=r"dokja\[cluster\]") as missing:
        RayCluster(address="ray://127.0.0.1:1").map(open_source, [tmp_path], told=untold)

    assert isinstance(missing.value, DokjaError)
    assert missing.value.exit_code == 2
