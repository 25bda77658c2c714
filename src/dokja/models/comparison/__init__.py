"""From arrays to likenesses, maps and what chance makes: pure functions.

Nothing here opens a file, knows a model's name, or holds a threshold: what a likeness means is
decided in `evidence.lineage`, beside its controls.
"""

from dokja.models.comparison.bases import (
    Basis,
    basis_of_rows,
    nearest_reordering,
    polar,
    reordering_share,
)
from dokja.models.comparison.changes import Change, change
from dokja.models.comparison.coordinates import centred, centred_correlation, direction
from dokja.models.comparison.elections import (
    ElectedFit,
    elected_change,
    elected_fit,
    untouched_share,
)
from dokja.models.comparison.free_bases import FreeBasis, free_basis, marks_of
from dokja.models.comparison.gains import Likeness, gain_likeness
from dokja.models.comparison.grids import grid_of
from dokja.models.comparison.heads import Heads, head_likeness, head_pairs
from dokja.models.comparison.layer_maps import (
    MapPrices,
    alignment_score,
    chance_of_map,
    layer_map,
)
from dokja.models.comparison.layer_pairs import LayerTable, layer_correlations, mean_table
from dokja.models.comparison.matching import (
    Agreement,
    agreement,
    log10_chance,
    log10_fixed_points,
    stable_matching,
)
from dokja.models.comparison.mixtures import (
    Choice,
    MixtureBlock,
    affine_weights,
    choose_parents,
    scrambled_twin,
)
from dokja.models.comparison.nulls import Null, critical_z, minimum_detectable, permutation_null
from dokja.models.comparison.reorderings import reordering_error
from dokja.models.comparison.signatures import (
    LayerSpace,
    mean_forms,
    residual_forms,
    signatures,
)
from dokja.models.comparison.tokens import TokenOverlap, token_overlap
from dokja.models.comparison.units import Units, units_of

__all__ = [
    "Agreement",
    "Basis",
    "Change",
    "Choice",
    "ElectedFit",
    "FreeBasis",
    "Heads",
    "LayerSpace",
    "LayerTable",
    "Likeness",
    "MapPrices",
    "MixtureBlock",
    "Null",
    "TokenOverlap",
    "Units",
    "affine_weights",
    "agreement",
    "alignment_score",
    "basis_of_rows",
    "centred",
    "centred_correlation",
    "chance_of_map",
    "change",
    "choose_parents",
    "critical_z",
    "direction",
    "elected_change",
    "elected_fit",
    "free_basis",
    "gain_likeness",
    "grid_of",
    "head_likeness",
    "head_pairs",
    "layer_correlations",
    "layer_map",
    "log10_chance",
    "log10_fixed_points",
    "marks_of",
    "mean_forms",
    "mean_table",
    "minimum_detectable",
    "nearest_reordering",
    "permutation_null",
    "polar",
    "reordering_error",
    "reordering_share",
    "residual_forms",
    "scrambled_twin",
    "signatures",
    "stable_matching",
    "token_overlap",
    "units_of",
    "untouched_share",
]
