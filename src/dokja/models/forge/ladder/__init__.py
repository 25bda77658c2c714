"""The verification ladder: what a build record's claims rest on, checked level by level.

V0 reads bytes, V1 the logs, V2 weights and one forward pass at most, V3 replays segments. Every
check says what it found, what it needed and what it would have seen; none is summed into a score.
"""

from dokja.models.forge.ladder.findings import (
    Finding,
    Level,
    Outcome,
    highest_level,
    level_outcome,
    outcome_of,
    tally,
)

__all__ = [
    "Finding",
    "Level",
    "Outcome",
    "highest_level",
    "level_outcome",
    "outcome_of",
    "tally",
]
