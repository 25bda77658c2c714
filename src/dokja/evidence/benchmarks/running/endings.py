"""Why a session of a run ended."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["Ending", "Why"]


class Why(Enum):
    """Why a session ended."""

    DONE = "done"
    """Every sample was asked until it had an answer or its tries were used up."""
    INTERRUPTED = "interrupted"
    IDENTITY = "identity"
    """A third sample was answered by a model that was not declared."""
    CONFIGURATION = "configuration"
    """The endpoint refuses the requests themselves."""
    BUDGET = "budget"
    UNREACHABLE = "unreachable"
    """The breaker paused again and again without one good reply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a session ended.

    Attributes:
        why: Why.
        detail: In words; empty where there is nothing to add.
        signal: Which signal interrupted it; None where none did.
    """

    why: Why
    detail: str = ""
    signal: int | None = None
