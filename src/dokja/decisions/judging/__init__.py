"""Judges a stage: gathers what the rules answer into one decision, and says what is left open."""

from dokja.decisions.judging.decision import Decision, LedgerHead, Software, TeamStanding
from dokja.decisions.judging.stage import judge

__all__ = ["Decision", "LedgerHead", "Software", "TeamStanding", "judge"]
