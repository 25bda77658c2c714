"""Programmes that could be: drawn before a stage opens, and drawn anew from what was seen in one.

Pure functions of designs and arrays. A design names everything that a rulebook leaves open; the
truth is known because it was put in, so that one can count how often rules miss it.
"""

from dokja.evidence.statistics.simulating.answers import (
    AtGap,
    DoubtEffect,
    Halving,
    LeverEffect,
    NoiseSource,
    Simulation,
    TeamFate,
)
from dokja.evidence.statistics.simulating.cuts import Outcome, cut, outcome_of
from dokja.evidence.statistics.simulating.designs import (
    Ballots,
    Benchmarks,
    GeneraliseTo,
    Observation,
    Panel,
    PartDesign,
    PartScale,
    StageDesign,
    TieRule,
)
from dokja.evidence.statistics.simulating.doubts import Doubt
from dokja.evidence.statistics.simulating.elimination import (
    Branch,
    Elimination,
    SheetRules,
    TeamChances,
    elimination,
    scored,
)
from dokja.evidence.statistics.simulating.flips import Flip, rule_flips
from dokja.evidence.statistics.simulating.joint import (
    Form,
    PartDraws,
    ballot_draws,
    benchmark_draws,
    panel_draws,
)
from dokja.evidence.statistics.simulating.levers import Lever, LeverKind
from dokja.evidence.statistics.simulating.simulation import simulate

__all__ = [
    "AtGap",
    "Ballots",
    "Benchmarks",
    "Branch",
    "Doubt",
    "DoubtEffect",
    "Elimination",
    "Flip",
    "Form",
    "GeneraliseTo",
    "Halving",
    "Lever",
    "LeverEffect",
    "LeverKind",
    "NoiseSource",
    "Observation",
    "Outcome",
    "Panel",
    "PartDesign",
    "PartDraws",
    "PartScale",
    "SheetRules",
    "Simulation",
    "StageDesign",
    "TeamChances",
    "TeamFate",
    "TieRule",
    "ballot_draws",
    "benchmark_draws",
    "cut",
    "elimination",
    "outcome_of",
    "panel_draws",
    "rule_flips",
    "scored",
    "simulate",
]
