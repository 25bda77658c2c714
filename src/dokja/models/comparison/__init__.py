"""From arrays to likenesses, maps and what chance makes: pure functions.

Nothing here opens a file, knows a model's name, or holds a threshold: what a likeness means is
decided in `evidence.lineage`, beside its controls.
"""

from dokja.models.comparison.changes import Change, change
from dokja.models.comparison.coordinates import centred, centred_correlation, direction
from dokja.models.comparison.gains import Likeness, gain_likeness
from dokja.models.comparison.layer_maps import (
    MapPrices,
    alignment_score,
    chance_of_map,
    layer_map,
)
from dokja.models.comparison.layer_pairs import LayerTable, layer_correlations, mean_table
from dokja.models.comparison.nulls import Null, critical_z, minimum_detectable, permutation_null
from dokja.models.comparison.tokens import TokenOverlap, token_overlap

__all__ = [
    "Change",
    "LayerTable",
    "Likeness",
    "MapPrices",
    "Null",
    "TokenOverlap",
    "alignment_score",
    "centred",
    "centred_correlation",
    "chance_of_map",
    "change",
    "critical_z",
    "direction",
    "gain_likeness",
    "layer_correlations",
    "layer_map",
    "mean_table",
    "minimum_detectable",
    "permutation_null",
    "token_overlap",
]
