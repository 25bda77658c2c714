"""How many questions are in the air: as many as the endpoint bears, never more than allowed.

The limit begins at one, so that a wrong address or key costs one request. With the first good
reply it opens, doubles with every round of good replies until something pushes back, and from
then on grows by one a round; it is halved at most once for what was in the air together. Buckets
hold the rates that the operator declared, and a pause stops everybody.
"""

import asyncio
from collections import deque

__all__ = ["Breaker", "Bucket", "Gate"]

_FIRST = 8
_MINUTE = 60.0


class Bucket:
    """A rate: what is taken too early is waited for.

    Args:
        per_minute: How much flows in.
        now: The time, in seconds of a clock that never steps.
        burst: How much may be taken at once after a rest.
    """

    def __init__(self, per_minute: float, *, now: float, burst: float) -> None:
        self._rate = per_minute / _MINUTE
        self._burst = burst
        self._level = burst
        self._then = now

    def take(self, amount: float, *, now: float) -> float:
        """Take so much and return how long to wait, in seconds.

        Example:
            >>> bucket = Bucket(60, now=0.0, burst=1)
            >>> bucket.take(1, now=0.0), bucket.take(1, now=0.0), bucket.take(1, now=3.0)
            (0.0, 1.0, 0.0)
        """
        self._level = min(self._burst, self._level + (now - self._then) * self._rate)
        self._then = now
        self._level -= amount
        return max(0.0, -self._level / self._rate)

    def settle(self, taken: float, used: float) -> None:
        """Put back what was not used, or take what was used beyond."""
        self._level += taken - used


class Breaker:
    """Looks whether more than half of the last tries failed.

    Args:
        tries: How many are looked at.

    Attributes:
        level: How many pauses there were since most tries went well; each is longer.
        barren: How many pauses there were since the last good reply.
    """

    def __init__(self, tries: int) -> None:
        self._last: deque[bool] = deque(maxlen=tries)
        self._failed = 0
        self.level = 0
        self.barren = 0

    def saw(self, *, failed: bool) -> bool:
        """Take one try; tell whether it is time for a pause, after which the count begins anew."""
        last = self._last
        if len(last) == last.maxlen:
            self._failed -= last[0]
        last.append(failed)
        self._failed += failed
        if not failed:
            self.barren = 0
        if len(last) < (last.maxlen or 0):
            return False
        if self._failed * 2 <= len(last):
            self.level = 0
            return False
        last.clear()
        self._failed = 0
        self.level += 1
        self.barren += 1
        return True


class Gate:
    """Lets questions out into the air.

    Args:
        most: The most at once.
    """

    def __init__(self, most: int) -> None:
        self._most = float(most)
        self._grows_fast = True
        self._opened = False
        self._paused_until = 0.0
        self._halved_at = -1.0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self.limit = 1.0
        self.flying = 0
        self.closed = asyncio.Event()

    async def enter(self) -> bool:
        """Wait for a place in the air; False where nobody is let out any more."""
        loop = asyncio.get_running_loop()
        while not self.closed.is_set():
            wait = self._paused_until - loop.time()
            if wait > 0:
                await self.rest(wait)
            elif self.flying < int(self.limit):
                self.flying += 1
                return True
            else:
                place: asyncio.Future[None] = loop.create_future()
                self._waiting.append(place)
                await place
        return False

    def leave(self) -> None:
        """Give a place back."""
        self.flying -= 1
        self._wake(1)

    async def rest(self, seconds: float) -> None:
        """Wait, but no longer than the gate is open."""
        try:
            async with asyncio.timeout(seconds):
                await self.closed.wait()
        except TimeoutError:
            pass

    def close(self) -> None:
        """Let nobody out any more."""
        self.closed.set()
        self._wake(len(self._waiting))

    def bore(self) -> None:
        """A good reply came: a little more may be borne."""
        if not self._opened:
            self._opened = True
            self.limit = min(self._most, float(_FIRST))
            self._wake(_FIRST)
        elif self.limit < self._most:
            self.limit = min(self._most, self.limit + (1.0 if self._grows_fast else 1 / self.limit))
            self._wake(1)

    def pushed_back(self, *, asked_at: float) -> None:
        """Something pushed back against a question that was asked then: bear half.

        Args:
            asked_at: When it was asked; what was in the air at the last halving counts no more.
        """
        if asked_at <= self._halved_at:
            return
        self._halved_at = asyncio.get_running_loop().time()
        self._grows_fast = False
        self.limit = max(1.0, self.limit / 2)

    def pause(self, seconds: float) -> None:
        """Let nobody out for so long."""
        until = asyncio.get_running_loop().time() + seconds
        self._paused_until = max(self._paused_until, until)

    def _wake(self, count: int) -> None:
        while count and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                count -= 1
