"""Observes what people prefer who compare two answers without knowing whose they are.

A batch of votes is read whole and checked whole, entered as one entry with its votes as a blob,
and turned into strengths, win shares and points. Nothing here shows an answer to anybody, names a
voter beyond the word that the batch uses, or takes a tie for no vote.
"""

from dokja.evidence.ballots.batches import Ballot, Batch, read_ballots
from dokja.evidence.ballots.drafts import ballots_draft, score_drafts

__all__ = ["Ballot", "Batch", "ballots_draft", "read_ballots", "score_drafts"]
