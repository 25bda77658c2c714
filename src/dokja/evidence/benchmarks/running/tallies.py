"""How far a run is, for whoever watches it."""

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Tally"]


@dataclass(slots=True)
class Tally:
    """Counts of a running run.

    Attributes:
        samples: How many there are.
        settled: How many have an answer, from earlier sessions too.
        given_up: How many ended in a fault.
        here: How many were settled or given up in this session.
        asked: Tries in this session.
        seconds: How long this session has lasted.
        concurrency: How many may be in the air now.
        looked_at: How many of this session's answers were scored on the way: all where the score
            is shown, else one in eight.
        outcomes: Of these.
        faults: Of all sessions, by class.
        tokens: Prompt and answer, as far as servers told; None where none did.
        cost_micro: What is known to have been spent; None without prices.
        share_right: Mean score of this session's settled answers; None while there is none.
        notice: What everybody should know now, such as a pause.
    """

    samples: int
    settled: int = 0
    given_up: int = 0
    here: int = 0
    asked: int = 0
    seconds: float = 0.0
    concurrency: int = 0
    looked_at: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    tokens: int | None = None
    cost_micro: int | None = None
    scored: int = 0
    score_sum: float = 0.0
    notice: str = ""

    @property
    def share_right(self) -> float | None:
        """Mean score of this session's settled answers; None while there is none."""
        return self.score_sum / self.scored if self.scored else None

    @property
    def rate(self) -> float | None:
        """Samples a second in this session; None while nothing was done."""
        return self.here / self.seconds if self.here and self.seconds else None

    @property
    def left_s(self) -> float | None:
        """Seconds until the end at this rate; None while there is no rate."""
        rate = self.rate
        return None if rate is None else (self.samples - self.settled - self.given_up) / rate
