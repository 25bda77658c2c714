"""Writes what happens to samples into a run's folder, and keeps the states up to date.

Every method is one journal line, written before it returns; a body is written before the line
that names it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from dokja.evidence.benchmarks.running.folders import RunFolder
from dokja.evidence.benchmarks.running.order import sample_key
from dokja.evidence.benchmarks.running.states import Story
from dokja.models.serving.endpoints import FaultClass, Said

__all__ = ["Scribe", "Try"]


class Try:
    """One try of one sample.

    Attributes:
        sample: Which.
        key: Names it.
        attempt: Which try it is, from 1, over all sessions.
        asked: When it was asked, in milliseconds of UTC.
        queued_ms: How long it waited for a place in the air.
        status: Of HTTP; None where no reply began.
        body: What came.
        took_ms: From asking to the last byte.
        first_ms: From asking to the first byte; None where it was not looked for.
        at_most_micro: What it can have cost where its cost is not known; None without prices.
    """

    __slots__ = (
        "asked",
        "at_most_micro",
        "attempt",
        "body",
        "first_ms",
        "key",
        "queued_ms",
        "sample",
        "status",
        "took_ms",
    )

    def __init__(self, sample: int, *, key: str, attempt: int, asked: int, queued_ms: int) -> None:
        self.sample = sample
        self.key = key
        self.attempt = attempt
        self.asked = asked
        self.queued_ms = queued_ms
        self.status: int | None = None
        self.body = b""
        self.took_ms = 0
        self.first_ms: int | None = None
        self.at_most_micro: int | None = None


class Scribe:
    """Writes a run.

    Args:
        folder: The run's folder, open.
        items: The 32 bytes of every item's digest.
        clock: Milliseconds since 1970, UTC; it may step.
        sync_lines: The most lines that may be in memory alone.
    """

    def __init__(
        self,
        folder: RunFolder,
        *,
        items: tuple[bytes, ...],
        clock: Callable[[], int],
        sync_lines: int,
    ) -> None:
        self._folder = folder
        self._journal = folder.journal
        self._bodies = folder.bodies
        self._states = folder.states
        self._plan = folder.plan.digest.raw
        self._items = items
        self._clock = clock
        self._sync_lines = sync_lines

    def key(self, sample: int) -> str:
        """Return what names a sample."""
        order = self._folder.order
        return sample_key(self._plan, self._items[order.place(sample)], epoch=order.epoch(sample))

    def story(self, sample: int) -> Story:
        """Return what happened to a sample that has no answer yet."""
        return self._states.stories.get(sample) or Story()

    def ask(self, sample: int, *, key: str, queued_ms: int = 0) -> Try:
        """Write that a sample is asked now."""
        now = self._clock()
        attempt = self.story(sample).attempts + 1
        self._journal.tell({"attempt": attempt, "did": "ask", "k": key, "s": sample, "t": now})
        self._states.asked(sample)
        return Try(sample, key=key, attempt=attempt, asked=now, queued_ms=queued_ms)

    def answer(self, one: Try, said: Said | None, *, kind: FaultClass | None = None) -> None:
        """Write that an answer came.

        Args:
            one: The try.
            said: What was read; None where a fault of the question itself is the answer.
            kind: `filter`, `over_context` or `empty` where the reply is an end without an answer.
        """
        line = self._line(one, "answer")
        if kind is not None:
            line["class"] = kind.value
        if said is not None:
            line |= _told(said)
        earlier = self.story(one.sample).earlier
        if earlier is not None:
            line["earlier"] = earlier
        offset = self._journal.tell(line)
        self._states.answered(line, offset=offset)
        self._after()

    def fault(
        self, one: Try, kind: FaultClass, *, detail: str, said: Said | None, last: bool
    ) -> None:
        """Write that a try failed.

        Args:
            one: The try.
            kind: The class.
            detail: In words.
            said: What was read of the reply, where something was.
            last: Whether the sample is given up with it.
        """
        line = self._line(one, "fault")
        line["class"] = kind.value
        if detail:
            line["detail"] = detail
        if said is not None:
            line |= _told(said)
        if last:
            line["last"] = True
        earlier = self.story(one.sample).earlier
        if earlier is not None:
            line["earlier"] = earlier
        offset = self._journal.tell(line)
        self._states.faulted(line, offset=offset)
        self._after()

    def note(self, did: str, **facts: Any) -> None:
        """Write something about the run as a whole."""
        self._journal.tell({"did": did, "t": self._clock(), **facts})

    def _line(self, one: Try, did: str) -> dict[str, Any]:
        line: dict[str, Any] = {
            "asked": one.asked,
            "attempt": one.attempt,
            "did": did,
            "k": one.key,
            "ms": one.took_ms,
            "queue_ms": one.queued_ms,
            "s": one.sample,
            "t": self._clock(),
        }
        if one.status is not None:
            line["status"] = one.status
        if one.first_ms is not None:
            line["first_ms"] = one.first_ms
        if one.at_most_micro is not None:
            line["at_most_micro"] = one.at_most_micro
        if one.body:
            stored = self._bodies.put(one.body)
            line["body"] = [stored.at, stored.length]
            line["sha256"] = stored.sha256
        return line

    def _after(self) -> None:
        if self._journal.unsynced >= self._sync_lines:
            self._folder.sync()


def _told(said: Said) -> Mapping[str, Any]:
    usage = said.usage
    facts = {
        "finish": said.finish,
        "model": said.model,
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "tokens_reasoning": usage.reasoning,
        "tokens_cached": usage.cached,
    }
    return {name: value for name, value in facts.items() if value is not None}
