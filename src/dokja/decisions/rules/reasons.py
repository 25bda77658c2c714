"""Every reason that a decision can give, by its code, with what its words are filled with.

A reason is a code and its parameters; `public.reports` puts it into Korean and English. The list
stands here so that a test can hold that every code is worded, and `because` refuses a code or a
parameter that is not on it.
"""

from collections.abc import Iterable
from typing import NamedTuple

from dokja.values import Json, Reason

__all__ = ["REASON_CODES", "ReasonCode", "because"]


class ReasonCode(NamedTuple):
    """A reason's code and the names of its parameters."""

    code: str
    params: tuple[str, ...]


REASON_CODES: tuple[ReasonCode, ...] = (
    # What a component is, as declared and as found.
    ReasonCode("declared-origin", ("component", "origin", "base", "grade")),
    ReasonCode("origin-not-declared", ("component",)),
    ReasonCode("components-not-declared", ("subject", "roles")),
    ReasonCode("model-not-declared", ("team",)),
    ReasonCode(
        "weights-related", ("component", "reference", "relations", "low", "high", "measure")
    ),
    ReasonCode("related-to-own-work", ("component", "reference")),
    ReasonCode("other-comes-from-it", ("component", "reference")),
    ReasonCode("relation-open", ("component", "reference", "relations")),
    ReasonCode("direction-open", ("component", "reference", "relations")),
    ReasonCode("controls-missing", ("component", "reference", "controls")),
    ReasonCode("power-too-weak", ("component", "reference", "detectable", "at_most")),
    ReasonCode("not-compared", ("component", "references")),
    ReasonCode("nothing-to-compare-with", ("component", "role")),
    ReasonCode("compared-without-relation", ("component", "references")),
    # What a build record says; `level` is how far it was verified, `asked` what the rules ask for.
    ReasonCode("build-admits", ("component", "builder", "claim", "declared")),
    ReasonCode("build-check-failed", ("component", "check", "value", "threshold", "power")),
    ReasonCode("build-makes-good", ("component", "references", "level", "live_share")),
    ReasonCode("build-verified", ("component", "level", "live_share")),
    ReasonCode("build-verified-by-builder", ("component", "level")),
    ReasonCode("build-below-level", ("component", "level", "asked")),
    ReasonCode("build-live-share-low", ("component", "live_share", "at_least")),
    ReasonCode("build-checks-open", ("component", "checks")),
    ReasonCode("build-start-not-shown", ("component", "claim")),
    ReasonCode("build-start-elsewhere", ("component",)),
    ReasonCode("build-of-other-weights", ("component",)),
    ReasonCode("build-root-missing", ("component",)),
    ReasonCode("build-of-another-team", ("component", "builder")),
    # Gates.
    ReasonCode("grade-below-minimum", ("component", "low", "high", "minimum")),
    ReasonCode("grade-reaches-minimum", ("component", "low", "high", "minimum")),
    ReasonCode("grade-spans-minimum", ("component", "low", "high", "minimum")),
    ReasonCode("authority-ruled", ("gate", "authority", "verdict", "component")),
    ReasonCode("not-ruled", ("gate", "authority", "component")),
    ReasonCode("ruling-of-other-authority", ("gate", "authority", "expected")),
    ReasonCode("findings-differ-from-ruling", ("component", "ruling", "findings")),
    # The frontier.
    ReasonCode("frontier-reached", ("model", "reference", "ratio", "required")),
    ReasonCode("frontier-not-reached", ("model", "reference", "ratio", "required")),
    ReasonCode("frontier-open", ("model", "reference", "ratio", "required", "frontier_reasons")),
    ReasonCode("frontier-not-measured", ("model", "required")),
    ReasonCode("frontier-measured-outside", ("model", "on", "first", "last")),
    ReasonCode("frontier-system-lost", ("model", "references")),
    # Points.
    ReasonCode("within-places", ("best", "worst", "places")),
    ReasonCode("outside-places", ("best", "worst", "places")),
    ReasonCode("places-open", ("best", "worst", "places")),
    ReasonCode("not-counted", ("gates",)),
    ReasonCode("order-published", ()),
    ReasonCode("tie-at-cut", ("teams",)),
    ReasonCode("scores-missing", ("parts",)),
    ReasonCode("entrants-not-named", ("count", "named")),
    # Votes.
    ReasonCode("vote-in-favour", ("question", "in_favour", "reviewers", "more_than")),
    ReasonCode("vote-against", ("question", "in_favour", "reviewers", "more_than")),
    ReasonCode("vote-not-published", ("question",)),
    ReasonCode("vote-not-held", ("question",)),
    ReasonCode("more-chosen-than-places", ("teams", "places")),
    ReasonCode("none-chosen", ("places",)),
    # What was published beside what was computed.
    ReasonCode("published-but-undecided", ("team", "published")),
    ReasonCode("published-otherwise", ("team", "published", "computed")),
    ReasonCode("published-other-ground", ("team", "published", "computed")),
    ReasonCode("computed-but-not-published", ("team", "computed")),
    # Why there is no probability.
    ReasonCode("probability-needs-scores", ()),
    ReasonCode("probability-needs-sampling-errors", ()),
    ReasonCode("votes-are-not-drawn", ()),
    ReasonCode("nothing-decided-yet", ()),
    # What would settle it; `effect` is the share of the decision that hangs on it, in [0, 1].
    ReasonCode("score-would-settle", ("team", "part", "points", "effect")),
    ReasonCode("score-would-complete", ("team", "part", "points")),
    ReasonCode("comparison-would-settle", ("team", "model", "component", "references", "effect")),
    ReasonCode("build-would-settle", ("team", "model", "component", "level", "effect")),
    ReasonCode("build-check-would-settle", ("team", "model", "component", "checks", "effect")),
    ReasonCode("declaration-would-settle", ("team", "effect")),
    ReasonCode("measurement-would-settle", ("team", "effect")),
    ReasonCode("ruling-would-settle", ("team", "gate", "authority", "effect")),
    ReasonCode("vote-would-settle", ("team", "question", "effect")),
    ReasonCode("entrants-would-settle", ("count", "named", "effect")),
    ReasonCode("tie-rule-would-settle", ("teams", "effect")),
    ReasonCode("observations-would-settle", ("teams", "difference", "standard_error", "effect")),
    ReasonCode("sampling-errors-would-settle", ("effect",)),
)
"""Every code with the names of its parameters."""

_PARAMS = {code: frozenset(params) for code, params in REASON_CODES}


def because(code: str, *, entries: Iterable[int] = (), **params: Json) -> Reason:
    """Return a reason whose code and parameters are on the list.

    Args:
        code: One of `REASON_CODES`.
        entries: Sequence numbers of the ledger entries that it rests on.
        **params: What its words are filled with; exactly those that the list names.

    Raises:
        ValueError: The code is not on the list, or its parameters are others.

    Example:
        >>> because("not-ruled", gate="independence", authority="office", component=None).code
        'not-ruled'
    """
    if code not in _PARAMS:
        raise ValueError(f"no reason has the code {code!r}")
    if _PARAMS[code] != params.keys():
        raise ValueError(f"the reason {code!r} takes {sorted(_PARAMS[code])}, not {sorted(params)}")
    return Reason(code=code, params=params, entries=tuple(sorted(set(entries))))
