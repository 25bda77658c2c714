"""Standing: score sheets, who is above whom, who is within the places, and how surely."""

from dokja.decisions.standing.aggregates import AggregateCheck, check_aggregates
from dokja.decisions.standing.chances import Basis, Between, Chance, Chances, RankRange, chances
from dokja.decisions.standing.cut import break_ties, counts_gate_passers, points_rulings
from dokja.decisions.standing.entrants import Entrants, entrants_of, models_of, outcome_of
from dokja.decisions.standing.order import Order, order_mistakes, points_order
from dokja.decisions.standing.reaching import FRONTIER, frontier_ruling, reach_mistakes
from dokja.decisions.standing.refusing import score_mistakes
from dokja.decisions.standing.sheets import PartScore, ScoreSheet, read_sheets
from dokja.decisions.standing.votes import vote_mistakes, vote_rulings

__all__ = [
    "FRONTIER",
    "AggregateCheck",
    "Basis",
    "Between",
    "Chance",
    "Chances",
    "Entrants",
    "Order",
    "PartScore",
    "RankRange",
    "ScoreSheet",
    "break_ties",
    "chances",
    "check_aggregates",
    "counts_gate_passers",
    "entrants_of",
    "frontier_ruling",
    "models_of",
    "order_mistakes",
    "outcome_of",
    "points_order",
    "points_rulings",
    "reach_mistakes",
    "read_sheets",
    "score_mistakes",
    "vote_mistakes",
    "vote_rulings",
]
