"""Pieces of a comparison on a real Ray cluster, which is started here and left as it was."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dokja.errors import ClusterError, WeightsError
from dokja.evidence.lineage import Plan, RayCluster, trace_all
from dokja.models.weights import open_source

pytestmark = [pytest.mark.torch, pytest.mark.loopback]
pytest.importorskip("ray", reason="needs the extra cluster")

QUICK = Plan(null_draws=40, detectable_draws=10)
LONGEST_START_S = 120


def untold(_):
    """Tell nobody."""


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def listens(port):
    with socket.socket() as one:
        one.settimeout(1)
        return one.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def started_head(folder):
    """Start a head in a session of its own, so that all of it ends, and nothing else does."""
    port, log = free_port(), Path(folder, "log")
    words = ["start", "--head", "--block", "--port=0", f"--ray-client-server-port={port}"]
    words += ["--num-cpus=2", "--include-dashboard=false", "--disable-usage-stats"]
    words += ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000"]
    environment = os.environ | {
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_AUTH_MODE": "disabled",
        "RAY_TMPDIR": folder,
        # Ray gives up on its own helpers after 30 seconds, which a busy machine may need.
        "RAY_raylet_start_wait_time_s": "100",
        "RAY_agent_register_timeout_ms": "100000",
        "RAY_CLIENT_SERVER_CHECK_CHANNEL_TIMEOUT_S": "100",
    }
    with log.open("wb") as out:
        head = subprocess.Popen(
            [Path(sys.executable).with_name("ray"), *words],
            env=environment,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        end = time.monotonic() + LONGEST_START_S
        while not listens(port):
            assert head.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.1)
        yield f"ray://127.0.0.1:{port}"
    finally:
        head.send_signal(signal.SIGTERM)
        head.wait(timeout=60)


@pytest.fixture(scope="module")
def cluster():
    # The names of the sockets that Ray makes in its folder must be short.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        with started_head(folder) as address:
            yield address
        left = [line for line in processes() if folder in line]
        assert left == []


def processes():
    return subprocess.run(
        ["ps", "-eo", "args"], check=True, capture_output=True, text=True
    ).stdout.splitlines()


def test_cluster_gives_the_same_answer_as_this_process(shared_toys, cluster):
    root = shared_toys.model(31) | shared_toys.encoder(32)
    models = [shared_toys.noised(root, 0.9, seed=33), root, shared_toys.model(34)]
    suspect, *references = [shared_toys.store(one) for one in models]
    told = []

    here = trace_all(suspect, references, seed=3, plan=QUICK)
    there = trace_all(
        suspect,
        references,
        seed=3,
        plan=QUICK,
        engine=RayCluster(address=cluster),
        progress=told.append,
    )

    assert there == here
    assert told[:4] == [f"{count} comparisons done" for count in (1, 2, 3, 4)]


def test_refusal_on_a_node_comes_back_whole(tmp_path, cluster):
    nowhere = str(tmp_path / "nowhere")

    with pytest.raises(WeightsError) as here:
        open_source(nowhere)
    with pytest.raises(WeightsError) as there:
        RayCluster(address=cluster).map(open_source, [nowhere], told=untold)

    assert there.value.mistakes == here.value.mistakes


def test_work_that_fails_on_a_node_is_told_with_what_nodes_need(cluster):
    with pytest.raises(ClusterError, match=r"ValueError.*Every node needs the same Python"):
        RayCluster(address=cluster).map(int, ["no number"], told=untold)


def test_head_that_goes_away_is_told():
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as folder:
        with started_head(folder) as address:
            engine = RayCluster(address=address)
            assert engine.map(int, ["7"], told=untold) == [7]

        with pytest.raises(ClusterError, match="cannot be reached"):
            engine.map(int, ["7"], told=untold)


def test_address_where_nobody_listens_is_told_at_once():
    began = time.monotonic()

    with pytest.raises(ClusterError, match=r"cannot be reached.*ray start --head"):
        RayCluster(address=f"ray://127.0.0.1:{free_port()}").map(int, ["1"], told=untold)

    assert time.monotonic() - began < 30  # the first import of Ray takes most of it
