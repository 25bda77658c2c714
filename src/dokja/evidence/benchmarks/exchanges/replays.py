"""Which recorded answer a request gets, and what is left over: without a server or a clock.

Repeats of one request get its answers in the order in which they were recorded. A request that
was asked more often than recorded, or never recorded, is a miss: there is no answer to it, and
none is made up.
"""

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from dokja.evidence.benchmarks.exchanges.entries import Exchange
from dokja.evidence.benchmarks.exchanges.journals import Recording
from dokja.evidence.benchmarks.exchanges.profiles import exchange_key, without_credentials
from dokja.evidence.benchmarks.exchanges.sides import Request
from dokja.values import Digest

__all__ = ["Miss", "Repeats", "Replay", "repeats"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request to which no answer was recorded.

    Attributes:
        key: What names the request in the store.
        method: Such as `POST`.
        path: With its query, without credentials.
        recorded: How often it was recorded with an answer that may be given.
        faulty: How often it was recorded as a fault that is left out.
        asked: How often it was asked in vain.
    """

    key: Digest
    method: str
    path: str
    recorded: int
    faulty: int
    asked: int = 1

    def __str__(self) -> str:
        if self.recorded:
            why = f"recorded {self.recorded} times, asked {self.recorded + self.asked} times"
        elif self.faulty:
            why = f"recorded as {self.faulty} faults only; they are replayed with --with-faults"
        else:
            why = "never recorded"
        return f"{self.method} {self.path} ({self.key.short}…): {why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """How often equal requests stand in a store.

    Attributes:
        epochs: The most usual number of answers to one request.
        duplicates: Requests with more: two items share a prompt, or a run was asked twice. Their
            answers may change places between the items.
    """

    epochs: int
    duplicates: tuple[Digest, ...]


@dataclass(kw_only=True)
class Replay:
    """The answers of a store, each given once.

    Attributes:
        recording: The store.
        with_faults: Whether faulty tries are given as well.
        session: Only what this session of the recorder kept; None for all.
        answered: How many requests got their answer.
        incomplete: Exchanges whose answer was asked for and is not here.
    """

    recording: Recording
    with_faults: bool = False
    session: int | None = None
    answered: int = 0
    incomplete: list[Exchange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting: dict[Digest, deque[Exchange]] = {}
        self._given: dict[tuple[Digest, str], Exchange] = {}
        self._misses: dict[Digest, Miss] = {}
        self._recorded: Counter[Digest] = Counter()
        self._faulty: Counter[Digest] = Counter()
        pairs = zip(self.recording.exchanges, self.recording.sessions, strict=True)
        for exchange, session in pairs:
            if self.session not in {None, session}:
                continue
            if exchange.is_faulty and not self.with_faults:
                self._faulty[exchange.key] += 1
                continue
            self._recorded[exchange.key] += 1
            self._waiting.setdefault(exchange.key, deque()).append(exchange)

    def take(self, request: Request) -> Exchange | Miss:
        """Return the recorded exchange that answers a request, or that there is none.

        A request with the idempotency key of one that was answered gets that answer again.
        """
        bodies = self.recording.bodies
        plain = exchange_key(
            request.method, request.path, request.body, profile=self.recording.profile
        )
        key = bodies.key(plain)
        mark = request.idempotency
        if mark is not None and (key, mark) in self._given:
            return self._given[key, mark]
        waiting = self._waiting.get(key)
        if not waiting:
            return self._missed(request, key)
        exchange = waiting.popleft()
        if mark is not None and not exchange.is_faulty:
            self._given[key, mark] = exchange
        self.answered += 1
        return exchange

    @property
    def misses(self) -> tuple[Miss, ...]:
        """Every request that had no answer, in the order in which it was first asked."""
        return tuple(self._misses.values())

    @property
    def unused(self) -> tuple[Exchange, ...]:
        """Recorded exchanges that nobody asked for, in recorded order."""
        left = [exchange for waiting in self._waiting.values() for exchange in waiting]
        return tuple(sorted(left, key=lambda exchange: exchange.n))

    def _missed(self, request: Request, key: Digest) -> Miss:
        before = self._misses.get(key)
        miss = Miss(
            key=key,
            method=request.method,
            path=without_credentials(request.path),
            recorded=self._recorded[key],
            faulty=self._faulty[key],
            asked=1 if before is None else before.asked + 1,
        )
        self._misses[key] = miss
        return miss


def repeats(exchanges: Sequence[Exchange]) -> Repeats:
    """Return how often equal requests with a body were answered.

    Faulty tries do not count: they were asked again because they failed.
    """
    counts = Counter(
        exchange.key
        for exchange in exchanges
        if exchange.request is not None and not exchange.is_faulty
    )
    if not counts:
        return Repeats(epochs=0, duplicates=())
    usual = Counter(counts.values())
    epochs = min(usual, key=lambda count: (-usual[count], count))
    more = tuple(key for key, count in counts.items() if count > epochs)
    return Repeats(epochs=epochs, duplicates=more)
