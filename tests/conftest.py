"""What all rooms' tests share: closed sockets, calm Hypothesis, and the sample judged once."""

import importlib.util
import socket
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from dokja.cli.commands import run

ROOT = Path(__file__).parents[1]
MAY_CONNECT = {"loopback", "postgres", "browser"}
GATE_FAILED = 3

# Shared machines stall: a property that holds is not wrong for being slow once.
settings.register_profile(
    "calm", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def closed_sockets(request, monkeypatch):
    """Refuse every connection in tests that do not say that they make one."""
    if MAY_CONNECT & {marker.name for marker in request.node.iter_markers()}:
        return

    def refuse(_, address):
        message = f"this test connects to {address!r} and is not marked loopback"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def endpoint():
    """Starts endpoints that are always right, and faulty as they are told; see the simulator."""
    path = ROOT / "tests/simulators/endpoint.py"
    spec = importlib.util.spec_from_file_location("simulated_endpoint", path)
    simulator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(simulator)
    started = []

    def start(answers, *, keep=False, **behaviour):
        made = simulator.Endpoint(simulator.Behaviour(answers=answers, **behaviour), keep=keep)
        started.append(made.__enter__())
        return made

    yield start
    for each in started:
        each.__exit__(None, None, None)


@pytest.fixture(scope="session")
def judged_sample(tmp_path_factory):
    """The sample programme, observed and judged as a user does it; copy it before a change."""
    folder = tmp_path_factory.mktemp("judged") / "sample"
    steps = (
        ["new", str(folder), "--from", str(ROOT / "sample/programme")],
        ["observe", str(folder), "--stage", "final"],
        ["judge", str(folder), "--stage", "final"],
    )

    codes = [run(step) for step in steps]

    assert codes == [0, 0, GATE_FAILED]
    return folder


@pytest.fixture(scope="session")
def k_ai(tmp_path_factory):
    """The public record of the real programme as a programme folder; copy it before a change."""
    folder = tmp_path_factory.mktemp("real") / "k-ai"

    code = run(["new", str(folder), "--from", str(ROOT / "examples/k-ai-2025")])

    assert code == 0
    return folder
