"""Whether an endpoint is who it says it is, and stays so, as far as its answers can tell.

Sentinels see large changes only: every finding says what it would have seen. None says why.
"""

from dokja.evidence.statistics.identity.changes import smallest_change
from dokja.evidence.statistics.identity.drift import drift
from dokja.evidence.statistics.identity.following import (
    Followed,
    Following,
    IdentityFindings,
    Likeness,
    followed,
    following_power,
    identities,
)
from dokja.evidence.statistics.identity.rounds import Half, Rounds, rounds_moved
from dokja.evidence.statistics.identity.stages import (
    DriftFinding,
    DriftKind,
    DriftReport,
    Newcomer,
    Revisit,
    Shift,
)
from dokja.evidence.statistics.identity.tokens import (
    TokenFit,
    TokenMatch,
    fitting_systems,
    token_match,
)

__all__ = [
    "DriftFinding",
    "DriftKind",
    "DriftReport",
    "Followed",
    "Following",
    "Half",
    "IdentityFindings",
    "Likeness",
    "Newcomer",
    "Revisit",
    "Rounds",
    "Shift",
    "TokenFit",
    "TokenMatch",
    "drift",
    "fitting_systems",
    "followed",
    "following_power",
    "identities",
    "rounds_moved",
    "smallest_change",
    "token_match",
]
