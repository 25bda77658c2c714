"""What can be wrong with a reply, and what is done about it.

A fault is never an answer, and an answer is never a fault: which of the two came back is told
here, before anybody looks whether what was said is right. The numbers are tries in all, the first
one counted; a class whose tries are used up ends a question, whatever else happened to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

__all__ = ["REACTIONS", "FaultClass", "Reaction"]


class FaultClass(Enum):
    """Why a try gave no answer that could be taken for the model's."""

    RATE_TOLD = "rate_told"
    """429 or 503 that says when to come again."""
    RATE = "rate"
    """429 that does not."""
    SERVER = "server"
    """408, or 500 and above."""
    CONNECTION = "connection"
    """Refused, reset, no such host, no secure line."""
    TIMEOUT = "timeout"
    """No byte for too long, or bytes for too long."""
    CUT = "cut"
    """A body shorter than it says, or a stream without its end mark."""
    MALFORMED = "malformed"
    """Status 200 with something else than an answer."""
    EMPTY = "empty"
    """Status 200 with an answer that has no text."""
    WRONG_MODEL = "wrong_model"
    """The server names a model that was not declared."""
    FILTER = "filter"
    """A content filter of the host stood between."""
    OVER_CONTEXT = "over_context"
    """The question is longer than the model can hold."""
    CONFIGURATION = "configuration"
    """The request will never be taken: address, key, payment, permission, fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """What is done about a fault.

    Attributes:
        tries: How many there are in all for this class; 1 is no second one, None is no limit
            because the try does not count.
        backs_off: Whether the next try waits at random, longer each time.
        halves: Whether fewer questions are asked at once from now on.
        trips: Whether it counts against the endpoint when the breaker looks at the last tries.
    """

    tries: int | None
    backs_off: bool = False
    halves: bool = False
    trips: bool = True


REACTIONS: Mapping[FaultClass, Reaction] = MappingProxyType(
    {
        FaultClass.RATE_TOLD: Reaction(tries=None, halves=True, trips=False),
        FaultClass.RATE: Reaction(tries=8, backs_off=True, halves=True),
        FaultClass.SERVER: Reaction(tries=5, backs_off=True),
        FaultClass.CONNECTION: Reaction(tries=5, backs_off=True),
        FaultClass.TIMEOUT: Reaction(tries=3, halves=True),
        FaultClass.CUT: Reaction(tries=3),
        FaultClass.MALFORMED: Reaction(tries=3),
        FaultClass.EMPTY: Reaction(tries=2),
        FaultClass.WRONG_MODEL: Reaction(tries=2),
        FaultClass.FILTER: Reaction(tries=1, trips=False),
        FaultClass.OVER_CONTEXT: Reaction(tries=1, trips=False),
        FaultClass.CONFIGURATION: Reaction(tries=1, trips=False),
    }
)
"""The reaction to each class."""
