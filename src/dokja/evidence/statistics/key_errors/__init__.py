"""Which keys of an item set do not fit the answers. A finding asks a person to look, no more."""

from dokja.evidence.statistics.key_errors.model import AnswerModel, answer_model
from dokja.evidence.statistics.key_errors.suspects import KeyFindings, SuspectKey, suspect_keys

__all__ = ["AnswerModel", "KeyFindings", "SuspectKey", "answer_model", "suspect_keys"]
