"""What became of an answer: right, wrong, none, or cut off. Never a number.

Outcomes are kept apart on the way in; a convention of the rulebook turns them into values on the
way out. Folding them at once could not be undone, would hide that one system's answers are cut
off more often than another's, and would leave an appeal nothing to turn on.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.models.serving import Finish
from dokja.values import normal_form

__all__ = ["SCORER", "STRICT", "Outcome", "extracted", "outcome_of"]

SCORER = "exact-text/1"
"""Names the rules of `extracted` and `outcome_of`; another rule is another name."""

# Full-width forms of ! to ~ stand for the plain ones. The wider compatibility forms (NFKC) are left
# alone on purpose: they would compose the letters ㄱㅏㅂ into 갑, and spelling is what is asked.
_PLAIN = {0xFF01 + offset: 0x21 + offset for offset in range(0x5E)}


STRICT: Mapping[Outcome, float] = MappingProxyType(
    {Outcome.CORRECT: 1.0, Outcome.WRONG: 0.0, Outcome.NO_ANSWER: 0.0, Outcome.TRUNCATED: 0.0}
)
"""The convention of a stage when its rulebook names no other: only a right answer counts."""


def extracted(text: str) -> str:
    """Return an answer in the form in which answers are compared.

    Composed (NFC), full-width letters and digits as plain ones, without regard to case, spaces
    collapsed, without a full stop at the end.

    Example:
        >>> extracted("  ４２ 개. "), extracted("Thirty-Four")
        ('42 개', 'thirty-four')
    """
    plain = normal_form(text).translate(_PLAIN).casefold()
    return " ".join(plain.split()).rstrip(".。").rstrip()


def outcome_of(text: str, *, finish: Finish, key: str) -> Outcome:
    """Return what became of an answer.

    Args:
        text: What the model said.
        finish: Why it ended.
        key: The right answer.

    Example:
        >>> outcome_of("42.", finish=Finish.STOP, key="42").value
        'correct'
        >>> outcome_of("42", finish=Finish.LENGTH, key="42").value
        'truncated'
    """
    if finish is Finish.LENGTH:
        # What stands there so far may be right, and might have gone on to be wrong.
        return Outcome.TRUNCATED
    said = extracted(text)
    if not said:
        return Outcome.NO_ANSWER
    return Outcome.CORRECT if said == extracted(key) else Outcome.WRONG
