"""What a journal says has become of every sample so far; a few bytes a sample, whatever it says.

Read once when a run is resumed or told about, and kept up to date while one is written.
"""

from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from dokja.evidence.benchmarks.running.spending import Prices

__all__ = ["ANSWERED", "FAULTED", "OPEN", "REFUSED", "States", "Story"]

OPEN, ANSWERED, FAULTED, REFUSED = range(4)
"""A sample was not settled, has an answer, ended in a fault, or was refused as it was asked."""


@dataclass(slots=True)
class Story:
    """What happened to a sample that has no answer yet.

    Attributes:
        attempts: How often it was asked.
        replies: How many faulty replies came.
        earlier: Where the journal tells its last fault; None where there was none.
    """

    attempts: int = 0
    replies: int = 0
    earlier: int | None = None


@dataclass(slots=True)
class Sums:
    """What was counted over a whole run.

    Attributes:
        asked: Tries.
        faults: How many of each class.
        tokens_in: As far as servers told.
        tokens_out: As far as servers told.
        untold: Answers whose tokens were not told.
        cost_micro: What is known to have been spent, in millionths of the currency.
        at_most_micro: That, and what tries of unknown cost can have come to at most.
        twice: Samples that were asked again although an answer may have been paid for.
        lost: Answers whose bodies a lost machine took along.
    """

    asked: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    tokens_in: int = 0
    tokens_out: int = 0
    untold: int = 0
    cost_micro: int = 0
    at_most_micro: int = 0
    twice: int = 0
    lost: int = 0


class States:
    """The states of a run's samples.

    Args:
        samples: How many there are, repeats counted.
        prices: Of tokens; None where they are unknown.
    """

    def __init__(self, samples: int, *, prices: Prices | None) -> None:
        self.done = bytearray(samples)
        self.where = array("q", [0]) * samples
        self.stories: dict[int, Story] = {}
        self.flying: set[int] = set()
        self.wrong_models: set[int] = set()
        self.sums = Sums()
        self._prices = prices

    @property
    def settled(self) -> int:
        """How many samples have an answer."""
        return self.done.count(ANSWERED)

    def take(self, said: dict[str, Any], *, offset: int) -> None:
        """Take one line."""
        match said["did"]:
            case "ask":
                self.asked(said["s"])
            case "answer":
                self.answered(said, offset=offset)
            case "fault":
                self.faulted(said, offset=offset)
            case "lost":
                self.lost(said["s"])
            case _:
                pass

    def asked(self, sample: int) -> None:
        """A sample was asked."""
        story = self.stories.get(sample)
        if story is None:
            self.stories[sample] = Story(attempts=1)
        else:
            story.attempts += 1
        if sample in self.flying:
            self.sums.twice += 1
        self.flying.add(sample)
        self.sums.asked += 1

    def answered(self, said: dict[str, Any], *, offset: int) -> None:
        """An answer came."""
        sample = said["s"]
        self.done[sample] = ANSWERED
        self.where[sample] = offset
        self.stories.pop(sample, None)
        self.flying.discard(sample)
        self._spend(said)

    def faulted(self, said: dict[str, Any], *, offset: int) -> None:
        """A try failed."""
        sample, kind = said["s"], said["class"]
        story = self.stories.setdefault(sample, Story())
        story.earlier = offset
        story.replies += "status" in said
        self.flying.discard(sample)
        self.sums.faults[kind] += 1
        if kind == "wrong_model":
            self.wrong_models.add(sample)
        if said.get("last"):
            self.done[sample] = REFUSED if kind == "configuration" else FAULTED
            self.where[sample] = offset
        self._spend(said)

    def lost(self, sample: int) -> None:
        """An answer's body is no longer there: the sample is open again."""
        self.done[sample] = OPEN
        self.where[sample] = 0
        self.flying.add(sample)  # it was paid for
        self.sums.lost += 1

    def _spend(self, said: dict[str, Any]) -> None:
        tokens_in, tokens_out = said.get("tokens_in"), said.get("tokens_out")
        sums = self.sums
        if tokens_in is not None:
            sums.tokens_in += tokens_in
        if tokens_out is not None:
            sums.tokens_out += tokens_out
        if said["did"] == "answer" and (tokens_in is None or tokens_out is None):
            sums.untold += 1
        if self._prices is None:
            return
        cost = self._prices.cost_micro(tokens_in, tokens_out, said.get("tokens_cached"))
        if cost is not None:
            sums.cost_micro += cost
            sums.at_most_micro += cost
        else:
            sums.at_most_micro += said.get("at_most_micro", 0)
