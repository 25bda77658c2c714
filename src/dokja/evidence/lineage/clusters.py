"""Pieces of a comparison on a Ray cluster: the same functions, on whatever nodes it has.

The cluster is somebody's who gave its address: it is connected to for one map, asked for one core
for each task, and left as it was. Ray is the extra `cluster`.
"""

import socket
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from logging import WARNING, getLogger
from typing import Any, TypeVar
from urllib.parse import urlsplit

from dokja.errors import ClusterError, ExtraMissingError
from dokja.evidence.lineage.engines import Told, Tried, answered, tried

__all__ = ["PORT", "RayCluster"]

PORT = 10001
"""Where a Ray head listens for clients, unless it was told otherwise."""

_RETRIES = 2
"""So often a task is begun again that was lost with its node."""

_TRIES = 3
"""So often a head is asked that answers but cannot start a server yet, as one just started."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A Ray cluster that listens for clients.

    Attributes:
        address: `ray://host:port`.
        reach_s: Seconds within which its head must take a connection.
    """

    address: str
    reach_s: float = 10.0

    def map(self, work: Callable[[T], R], tasks: Sequence[T], *, told: Told) -> list[R]:
        """Return the answer to every task; see `Engine.map`.

        Raises:
            ExtraMissingError: The extra `cluster` is not installed.
            ClusterError: The cluster cannot be reached in time, or lost a task.
        """
        ray = _ray()
        self._reach()
        with _connected(ray, self.address):
            remote = ray.remote(num_cpus=1, max_retries=_RETRIES)(tried)
            running = [remote.remote(work, task) for task in tasks]
            found: dict[Any, Tried[R]] = {}
            left = list(running)
            try:
                while left:
                    (one, *_), left = ray.wait(left, num_returns=1)
                    found[one] = ray.get(one)
                    answered(found[one])  # a refusal need not wait for the others
                    told(len(found))
            except (ray.exceptions.RayError, ConnectionError) as error:
                raise ClusterError(_lost(error)) from error
            finally:
                with suppress(ray.exceptions.RayError, ConnectionError):  # the head may be gone
                    for one in left:
                        ray.cancel(one, force=True)
            return [answered(found[one]) for one in running]

    def _reach(self) -> None:
        """Knock before Ray does, which would wait for minutes.

        Raises:
            ClusterError: Nobody opens in time.
        """
        place = urlsplit(self.address)
        try:
            socket.create_connection(
                (place.hostname or "", place.port or PORT), timeout=self.reach_s
            ).close()
        except OSError as error:
            raise ClusterError(_unreachable(self.address, str(error))) from error


def _ray() -> Any:
    if any(find_spec(needed) is None for needed in ("ray", "grpc")):  # Ray's client needs both
        raise ExtraMissingError(
            "a Ray cluster needs the extra `cluster`: pip install 'dokja[cluster]'; "
            "`--engine local` needs nothing. Nothing was compared."
        )
    import ray  # noqa: PLC0415  # an extra
    import ray.exceptions  # noqa: PLC0415  # an extra

    return ray


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connect, and leave when done: tasks that are still there end with the connection.

    Raises:
        ClusterError: What answers is no Ray head, or one of another version.
    """
    context = _context(ray, address)
    try:
        yield
    finally:
        context.disconnect()


def _context(ray: Any, address: str) -> Any:
    """Return a connection; a head that has just started is asked once more."""
    getLogger("ray.client_builder").setLevel(WARNING)  # else it tells what it was told
    tries = 0
    while True:
        tries += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what it warns of it raises as well
                return ray.init(address, log_to_driver=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            if tries == _TRIES or not isinstance(error, ConnectionAbortedError):
                raise ClusterError(_unreachable(address, _last_line(error))) from error


def _unreachable(address: str, why: str) -> str:
    return (
        f"{address} cannot be reached: {why}. Nothing was compared. Start Ray's head with: "
        f"ray start --head --ray-client-server-port {PORT}"
    )


def _lost(error: Exception) -> str:
    return (
        f"the cluster could not do the work: {_last_line(error)}. Nothing was written. Every node "
        f"needs the same Python and Dokja, and the models under the same paths."
    )


def _last_line(error: Exception) -> str:
    """Return what an error comes to: Ray puts the tracebacks of others before it."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
