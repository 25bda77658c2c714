"""Does a candidate reach a required share of the frontier, on the same items, and how sure is it?

Arrays and a seed come in, frozen values go out. The order of use: `layout_of` says where the
items lie, `cells_of` what everybody got, `reach_terms` what was registered, and `reach` answers
*clears*, *does not clear* or *undecided* with every reason. `contrast` is one candidate against
one reference, with its error by items, strata and clusters.
"""

from dokja.evidence.statistics.contrasts.cells import Cells, Values, cells_of
from dokja.evidence.statistics.contrasts.contrast import (
    Contrast,
    MarginTest,
    Ratio,
    contrast,
    ratio_of,
)
from dokja.evidence.statistics.contrasts.fragility import (
    Fragility,
    VerdictFragility,
    fragility,
    right_counts,
    verdict_fragility,
)
from dokja.evidence.statistics.contrasts.layouts import Grouping, Layout, layout_of, without
from dokja.evidence.statistics.contrasts.ratios import (
    RatioInterval,
    Shape,
    above_chance,
    ratio_interval,
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
from dokja.evidence.statistics.contrasts.terms import (
    Clearance,
    Doubt,
    GeneraliseTo,
    ReachTerms,
    ReferenceMode,
    reach_terms,
)
from dokja.evidence.statistics.contrasts.three_way import (
    Reach,
    Reading,
    reach,
    reading,
    unmeasured,
)
from dokja.evidence.statistics.contrasts.wild import (
    WildTest,
    joint_lower_tail,
    wild_interval,
    wild_test,
)

__all__ = [
    "Basis",
    "Cells",
    "Clearance",
    "Clusters",
    "Contrast",
    "Doubt",
    "Fragility",
    "GeneraliseTo",
    "Grouping",
    "Layout",
    "MarginTest",
    "Need",
    "Parts",
    "Ratio",
    "RatioInterval",
    "Reach",
    "ReachTerms",
    "Reading",
    "Reask",
    "ReferenceMode",
    "Settling",
    "Shape",
    "Spread",
    "Values",
    "VerdictFragility",
    "WildTest",
    "above_chance",
    "cells_of",
    "clusters_of",
    "contrast",
    "fragility",
    "joint_lower_tail",
    "layout_of",
    "needed",
    "parts_of",
    "ratio_interval",
    "ratio_of",
    "reach",
    "reach_terms",
    "reading",
    "reask",
    "right_counts",
    "settling",
    "spread",
    "unmeasured",
    "verdict_fragility",
    "wild_interval",
    "wild_test",
    "without",
]
