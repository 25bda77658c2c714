"""What all questions of one session share: the folder, the gate, the counts, and how it ends."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from dokja.evidence.benchmarks.running.endings import Ending
from dokja.evidence.benchmarks.running.folders import RunFolder
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.gates import Breaker, Bucket, Gate
from dokja.evidence.benchmarks.running.judging import judged
from dokja.evidence.benchmarks.running.limits import Limits
from dokja.evidence.benchmarks.running.scribes import Scribe
from dokja.evidence.benchmarks.running.states import ANSWERED, REFUSED
from dokja.evidence.benchmarks.running.tallies import Tally
from dokja.evidence.benchmarks.scorers import Aids
from dokja.models.serving.endpoints import FaultClass, Said

__all__ = ["Session", "Sources", "open_samples"]

_AT_ONCE = 4096
_EVERY = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What a session takes from outside.

    Attributes:
        clock: Milliseconds since 1970, UTC; it may step.
        aids: What the scorer may need; for the counts that are shown.
        watch: Told how far it is, every `limits.tick_s`.
        looks: Whether those who watch see how many are right; the journal says so.
    """

    clock: Callable[[], int]
    aids: Aids
    watch: Callable[[Tally], None] | None = None
    looks: bool = False


class Session:
    """One session of a run, while it lasts; lives inside one event loop.

    Args:
        folder: The run's folder, open for writing.
        form: What is asked.
        limits: How fast, how long and how often.
        sources: What comes from outside.
    """

    def __init__(self, folder: RunFolder, *, form: Form, limits: Limits, sources: Sources) -> None:
        self.folder = folder
        self.form = form
        self.limits = limits
        self.plan = folder.plan
        self.prices = folder.plan.table
        self.states = folder.states
        self.scribe = Scribe(
            folder,
            items=tuple(question.item_digest.raw for question in form.questions),
            clock=sources.clock,
            sync_lines=limits.sync_lines,
        )
        self.gate = Gate(limits.concurrency)
        self.breaker = Breaker(limits.breaker_tries)
        self.ending: Ending | None = None
        self.dropped = asyncio.Event()
        self.reserved_micro = 0
        self._sources = sources
        self._began = asyncio.get_running_loop().time()
        self._requests = self._bucket(limits.rpm)
        self._tokens = self._bucket(limits.tpm)
        self._tokens_each: float | None = None
        self.tally = Tally(samples=folder.order.samples, faults=self.states.sums.faults)
        self._given_up = sum(1 for state in self.states.done if state > ANSWERED)
        self._asked_before = self.states.sums.asked
        self._done_before = self.states.settled
        self.settled = self._done_before

    def open(self) -> None:
        """Write that a session begins, under which limits, and whether its score is looked at.

        Raises:
            RunWriteError: The folder cannot be written.
        """
        self.scribe.note("open", limits=self.limits.said)
        if self._sources.looks:
            self.scribe.note("look")

    def stop(self, ending: Ending) -> None:
        """Ask nothing new from now on; the first reason counts, the second time drops the rest."""
        if self.ending is None:
            self.ending = ending
            self.gate.close()
        elif ending.signal is not None:
            self.dropped.set()

    def count(self, sample: int, said: Said | None, *, kind: FaultClass | None) -> None:
        """Count an answer for those who watch."""
        tally = self.tally
        self.settled += 1
        tally.here += 1
        order = self.folder.order
        if sample >= order.scored:
            return
        # Records score every answer at the end. Until then one in eight says enough, unless
        # somebody looks at the score.
        if not self._sources.looks and self.settled % _EVERY:
            return
        aids = self._sources.aids
        if aids.executor is not None or aids.judge is not None:
            return  # what takes longer than a reply would hold up all others
        tally.looked_at += 1
        found = judged(
            said,
            question=self.form.questions[order.place(sample)],
            scorer=self.form.scorer,
            aids=aids,
            kind=kind,
        )
        tally.outcomes[found.outcome.value] += 1
        if found.score is not None:
            tally.scored += 1
            tally.score_sum += found.score

    def rate_wait_s(self, *, most_tokens: int) -> tuple[float, float]:
        """Take a request out of the declared rates.

        Args:
            most_tokens: What it can come to at most; taken until answers show what is usual.

        Returns:
            How long to wait, and how many tokens were taken for it.
        """
        now = asyncio.get_running_loop().time()
        wait = 0.0 if self._requests is None else self._requests.take(1.0, now=now)
        if self._tokens is None:
            return wait, 0.0
        guess = float(most_tokens) if self._tokens_each is None else self._tokens_each
        return max(wait, self._tokens.take(guess, now=now)), guess

    def settle_rate(self, taken: float, *, used: int | None) -> None:
        """Say how many tokens a request came to."""
        if self._tokens is None or used is None:
            return
        self._tokens.settle(taken, used)
        each = self._tokens_each
        self._tokens_each = float(used) if each is None else 0.95 * each + 0.05 * used

    def tell(self, notice: str | None = None) -> None:
        """Tell whoever watches how far it is."""
        tally, sums = self.tally, self.states.sums
        if notice is not None:
            tally.notice = notice
        tally.settled = self.settled
        tally.given_up = self._given_up
        tally.asked = sums.asked - self._asked_before
        tally.seconds = asyncio.get_running_loop().time() - self._began
        tally.concurrency = int(self.gate.limit)
        told = sums.tokens_in + sums.tokens_out
        tally.tokens = told or None
        tally.cost_micro = None if self.prices is None else sums.cost_micro
        if self._sources.watch is not None:
            self._sources.watch(tally)

    def gave_up(self) -> None:
        """Count a sample that ended in a fault."""
        self._given_up += 1
        self.tally.here += 1

    def took_up(self) -> None:
        """Count a sample out of those that ended in a fault: it is asked again."""
        self._given_up -= 1

    def _bucket(self, per_minute: float | None) -> Bucket | None:
        if per_minute is None:
            return None
        return Bucket(per_minute, now=self._began, burst=max(1.0, per_minute / 600))


def open_samples(folder: RunFolder) -> Iterator[int]:
    """Yield what has no answer, in the plan's order.

    What ended in a fault in an earlier session is asked again; what was refused as it was asked
    comes last, so that everything else is done before it stops the run once more.
    """
    done = folder.states.done
    sequence = folder.order.sequence
    refused = (
        [int(sample) for sample in sequence if done[sample] == REFUSED] if (REFUSED in done) else []
    )
    skipped = frozenset(refused)
    for start in range(0, len(sequence), _AT_ONCE):
        for sample in sequence[start : start + _AT_ONCE].tolist():
            if done[sample] != ANSWERED and sample not in skipped:
                yield sample
    yield from refused
