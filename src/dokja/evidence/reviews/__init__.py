"""Observes what expert reviewers give, criterion by criterion, and turns it into points.

Sheets are read whole and checked whole. Each is entered with its reviewer sealed, under a number
that says nothing of who wrote it; the points allow for reviewers who are stricter than others.
Nothing here knows a reviewer's name after it has been sealed.
"""

from dokja.evidence.reviews.batches import Batch, ReviewSheet, read_sheets_file
from dokja.evidence.reviews.drafts import score_drafts, sheet_drafts

__all__ = ["Batch", "ReviewSheet", "read_sheets_file", "score_drafts", "sheet_drafts"]
