"""Does a candidate reach a required share of the frontier, on the same items, and how sure is it?

Arrays and a seed come in, frozen values go out. The order of use: `layout_of` says where the
items lie, `cells_of` what everybody got, `reach_terms` what was registered, and `reach` answers
*clears*, *does not clear* or *undecided* with every reason. `contrast` is one candidate against
one reference, with its error by items, strata and clusters.
"""

from dokja.evidence.statistics.contrasts.cells import (
    Cells,
    Values,
    cells_of,
)
from dokja.evidence.statistics.contrasts.combined_draws import CombinedDraws, combined_draws
from dokja.evidence.statistics.contrasts.combined_intervals import (
    CombinedInterval,
    combined_interval,
)
from dokja.evidence.statistics.contrasts.combined_readings import (
    Combine,
    CombinedReading,
    FrontierOf,
)
from dokja.evidence.statistics.contrasts.combining import (
    Benchmark,
    CombinedReach,
    combined_reach,
    leave_one_out,
    question_of,
)
from dokja.evidence.statistics.contrasts.contrast import (
    Contrast,
    MarginTest,
    Ratio,
    Scale,
    contrast,
    margin_test,
    ratio_of,
)
from dokja.evidence.statistics.contrasts.epochs import Repeats, RunNoise, run_noise
from dokja.evidence.statistics.contrasts.fragility import (
    Fragility,
    VerdictFragility,
    fragility,
    right_counts,
    verdict_fragility,
)
from dokja.evidence.statistics.contrasts.frontier import (
    FrontierDraws,
    RuleErrors,
    SelectionBias,
    frontier_draws,
    rule_errors,
    selection_bias,
)
from dokja.evidence.statistics.contrasts.layouts import (
    Floats,
    Grouping,
    Labels,
    Layout,
    layout_of,
    without,
)
from dokja.evidence.statistics.contrasts.multiverse import (
    Multiverse,
    Universe,
    Verdicts,
    VerdictShare,
    multiverse,
)
from dokja.evidence.statistics.contrasts.ratios import (
    RatioInterval,
    Shape,
    above_chance,
    ratio_interval,
)
from dokja.evidence.statistics.contrasts.readings import Reading, reading
from dokja.evidence.statistics.contrasts.resampling import (
    resampled_means,
    subsampled_means,
)
from dokja.evidence.statistics.contrasts.settling import (
    Need,
    Parts,
    Reask,
    Settling,
    needed,
    parts_of,
    reask,
    settling,
)
from dokja.evidence.statistics.contrasts.spreads import (
    Basis,
    Clusters,
    Spread,
    clusters_of,
    spread,
)
from dokja.evidence.statistics.contrasts.system_ranks import (
    SystemRanks,
    system_ranks,
)
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
    reach_terms,
)
from dokja.evidence.statistics.contrasts.three_way import Reach, reach, unmeasured
from dokja.evidence.statistics.contrasts.ways import Way
from dokja.evidence.statistics.contrasts.wild import (
    WildTest,
    joint_lower_tail,
    wild_interval,
    wild_p_values,
    wild_test,
)

__all__ = [
    "Basis",
    "Benchmark",
    "Cells",
    "Clearance",
    "Clusters",
    "Combine",
    "CombinedDraws",
    "CombinedInterval",
    "CombinedReach",
    "CombinedReading",
    "Contrast",
    "Doubt",
    "Floats",
    "Fragility",
    "FrontierDraws",
    "FrontierOf",
    "GeneraliseTo",
    "Grouping",
    "Labels",
    "Layout",
    "MarginTest",
    "Multiverse",
    "Need",
    "Parts",
    "Ratio",
    "RatioInterval",
    "Reach",
    "ReachTerms",
    "Reading",
    "Reask",
    "ReferenceMode",
    "Repeats",
    "RuleErrors",
    "RunNoise",
    "Scale",
    "SelectionBias",
    "Settling",
    "Shape",
    "Spread",
    "SystemRanks",
    "Universe",
    "Values",
    "VerdictFragility",
    "VerdictShare",
    "Verdicts",
    "Way",
    "WildTest",
    "above_chance",
    "cells_of",
    "clusters_of",
    "combined_draws",
    "combined_interval",
    "combined_reach",
    "contrast",
    "fragility",
    "frontier_draws",
    "joint_lower_tail",
    "layout_of",
    "leave_one_out",
    "margin_test",
    "multiverse",
    "needed",
    "parts_of",
    "question_of",
    "ratio_interval",
    "ratio_of",
    "reach",
    "reach_terms",
    "reading",
    "reask",
    "resampled_means",
    "right_counts",
    "rule_errors",
    "run_noise",
    "selection_bias",
    "settling",
    "spread",
    "subsampled_means",
    "system_ranks",
    "unmeasured",
    "verdict_fragility",
    "wild_interval",
    "wild_p_values",
    "wild_test",
    "without",
]
