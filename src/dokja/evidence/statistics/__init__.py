"""Pure functions from observations to estimates with intervals, and from totals to ranks.

No file, no clock: numbers come in, frozen values go out, and the one thing said towards the ledger
is the form of a score. Chance comes from a seed that the rulebook names, so that every figure can
be drawn again. A figure that cannot be made is `Missing`, never 0; observations that all say the
same are not taken for certainty.

What is named here is loaded when it is first asked for: whoever asks a model needs one generator
of this room, and should not wait for all of it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

# Named like its module, which would stand in its place if it were loaded later.
from dokja.evidence.statistics.rank_sets import rank_sets

if TYPE_CHECKING:
    from dokja.evidence.statistics.contrasts import (
        Basis,
        Clearance,
        Contrast,
        Doubt,
        GeneraliseTo,
        Reach,
        ReachTerms,
        Reading,
        ReferenceMode,
        cells_of,
        contrast,
        fragility,
        layout_of,
        ratio_interval,
        reach,
        reach_terms,
        reading,
        settling,
        unmeasured,
    )
    from dokja.evidence.statistics.costs import (
        CostedSystem,
        CostMatched,
        CostView,
        cost_matched,
        cost_view,
    )
    from dokja.evidence.statistics.domains import (
        DomainScore,
        TrendScore,
        domain_scores,
        ratio_of_scores,
    )
    from dokja.evidence.statistics.identity import (
        DriftKind,
        DriftReport,
        IdentityFindings,
        Newcomer,
        Revisit,
        TokenMatch,
        drift,
        identities,
        token_match,
    )
    from dokja.evidence.statistics.judges import (
        JudgeErrors,
        corrected_rate,
        judge_errors,
        refuse_own_family,
    )
    from dokja.evidence.statistics.key_errors import KeyFindings, SuspectKey, suspect_keys
    from dokja.evidence.statistics.looks import Look, Looks, planned_looks
    from dokja.evidence.statistics.means import clustered_mean
    from dokja.evidence.statistics.multiplicity import benjamini_hochberg, holm
    from dokja.evidence.statistics.pairings import (
        PairedStrengths,
        TeamStrength,
        Vote,
        bradley_terry,
    )
    from dokja.evidence.statistics.points import Scale, Scores, ScoreTerms, scores_of
    from dokja.evidence.statistics.rank_sets import RankSet, RankSets
    from dokja.evidence.statistics.ranks import (
        Bounds,
        RankProbabilities,
        SetProbability,
        TeamRanks,
        rank_probabilities,
        set_probability,
    )
    from dokja.evidence.statistics.raters import Mark, RaterMeans, rater_mean
    from dokja.evidence.statistics.scales import to_best
    from dokja.evidence.statistics.student import student_quantile, student_share_below
    from dokja.evidence.statistics.sums import sum_of
    from dokja.evidence.statistics.totals import Total
    from dokja.evidence.statistics.trends import (
        Cell,
        Curves,
        Link,
        Rasch,
        Taker,
        capability_curves,
        link_forms,
        rasch,
    )

__all__ = [
    "Basis",
    "Bounds",
    "Cell",
    "Clearance",
    "Contrast",
    "CostMatched",
    "CostView",
    "CostedSystem",
    "Curves",
    "DomainScore",
    "Doubt",
    "DriftKind",
    "DriftReport",
    "GeneraliseTo",
    "IdentityFindings",
    "JudgeErrors",
    "KeyFindings",
    "Link",
    "Look",
    "Looks",
    "Mark",
    "Newcomer",
    "PairedStrengths",
    "RankProbabilities",
    "RankSet",
    "RankSets",
    "Rasch",
    "RaterMeans",
    "Reach",
    "ReachTerms",
    "Reading",
    "ReferenceMode",
    "Revisit",
    "Scale",
    "ScoreTerms",
    "Scores",
    "SetProbability",
    "SuspectKey",
    "Taker",
    "TeamRanks",
    "TeamStrength",
    "TokenMatch",
    "Total",
    "TrendScore",
    "Vote",
    "benjamini_hochberg",
    "bradley_terry",
    "capability_curves",
    "cells_of",
    "clustered_mean",
    "contrast",
    "corrected_rate",
    "cost_matched",
    "cost_view",
    "domain_scores",
    "drift",
    "fragility",
    "holm",
    "identities",
    "judge_errors",
    "layout_of",
    "link_forms",
    "planned_looks",
    "rank_probabilities",
    "rank_sets",
    "rasch",
    "rater_mean",
    "ratio_interval",
    "ratio_of_scores",
    "reach",
    "reach_terms",
    "reading",
    "refuse_own_family",
    "scores_of",
    "set_probability",
    "settling",
    "student_quantile",
    "student_share_below",
    "sum_of",
    "suspect_keys",
    "to_best",
    "token_match",
    "unmeasured",
]

_HOMES = {
    "contrasts": (
        "Basis",
        "Clearance",
        "Contrast",
        "Doubt",
        "GeneraliseTo",
        "Reach",
        "ReachTerms",
        "Reading",
        "ReferenceMode",
        "cells_of",
        "contrast",
        "fragility",
        "layout_of",
        "ratio_interval",
        "reach",
        "reach_terms",
        "reading",
        "settling",
        "unmeasured",
    ),
    "costs": ("CostedSystem", "CostMatched", "CostView", "cost_matched", "cost_view"),
    "domains": ("DomainScore", "TrendScore", "domain_scores", "ratio_of_scores"),
    "identity": (
        "DriftKind",
        "DriftReport",
        "IdentityFindings",
        "Newcomer",
        "Revisit",
        "TokenMatch",
        "drift",
        "identities",
        "token_match",
    ),
    "judges": ("JudgeErrors", "corrected_rate", "judge_errors", "refuse_own_family"),
    "key_errors": ("KeyFindings", "SuspectKey", "suspect_keys"),
    "looks": ("Look", "Looks", "planned_looks"),
    "means": ("clustered_mean",),
    "multiplicity": ("benjamini_hochberg", "holm"),
    "pairings": ("PairedStrengths", "TeamStrength", "Vote", "bradley_terry"),
    "points": ("Scale", "Scores", "ScoreTerms", "scores_of"),
    "rank_sets": ("RankSet", "RankSets"),
    "ranks": (
        "Bounds",
        "RankProbabilities",
        "SetProbability",
        "TeamRanks",
        "rank_probabilities",
        "set_probability",
    ),
    "raters": ("Mark", "RaterMeans", "rater_mean"),
    "scales": ("to_best",),
    "student": ("student_quantile", "student_share_below"),
    "sums": ("sum_of",),
    "totals": ("Total",),
    "trends": (
        "Cell",
        "Curves",
        "Link",
        "Rasch",
        "Taker",
        "capability_curves",
        "link_forms",
        "rasch",
    ),
}
"""Each module, and the names of it that stand here."""
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Return a name of this room, having loaded the module that it stands in."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found
