"""What can become of an answer, and whose doing it is when there is none. Never a number.

Outcomes are kept apart on the way in and turned into values by a declared convention on the way
out (`conventions`). Folding them at once could not be undone; faults are rarer with one system
than with another, so that a fold favours somebody; and an appeal turns on exactly this cell.
A non-answer is charged to the model only if the record shows that it is the model's.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType

__all__ = ["CAUSES", "Cause", "Charge", "Outcome", "default_charge"]


class Outcome(Enum):
    """What became of an answer. `code` is its place in arrays, and never changes."""

    CORRECT = "correct"
    WRONG = "wrong"
    SCORED = "scored"
    """A graded scorer gave it a share in [0, 1]."""
    NO_ANSWER = "no_answer"
    """The model ended, and no answer that the item allows could be read out."""
    TRUNCATED = "truncated"
    """The longest answer that was allowed was reached before the model ended it."""
    REFUSED = "refused"
    """The model declined."""
    FILTERED = "filtered"
    """A content filter of the host stood between."""
    INFRASTRUCTURE_ERROR = "infrastructure_error"
    """No answer came, or none that could be taken for the model's, after every try."""
    NOT_RUN = "not_run"
    """Planned, and not asked."""
    MISSING = "missing"
    """An importer expected the item and found no row."""
    VOID = "void"
    """The item was withdrawn by a ruling."""

    @property
    def code(self) -> int:
        """The outcome in arrays of dtype uint8."""
        return _CODES[self]

    @property
    def is_settled(self) -> bool:
        """Whether an answer was scored."""
        return self in {Outcome.CORRECT, Outcome.WRONG, Outcome.SCORED}

    @classmethod
    def of_code(cls, code: int) -> "Outcome":
        """Return the outcome that stands in an array as `code`.

        Raises:
            ValueError: No outcome has that code.
        """
        if not 0 <= code < len(_ORDER):
            raise ValueError(f"{code} is the code of no outcome; expected 0 to {len(_ORDER) - 1}")
        return _ORDER[code]


_ORDER = tuple(Outcome)
_CODES: Mapping[Outcome, int] = MappingProxyType({each: n for n, each in enumerate(_ORDER)})


class Charge(Enum):
    """Whose doing a non-answer is. `code` is its place in arrays, and never changes."""

    NOBODY = "nobody"
    """An answer was scored, or the item was withdrawn."""
    MODEL = "model"
    HOST = "host"
    """Whoever runs the endpoint."""
    OPERATOR = "operator"
    """Whoever measures: the token limit, the extraction rule, the sandbox."""
    UNKNOWN = "unknown"

    @property
    def code(self) -> int:
        """The charge in arrays of dtype uint8."""
        return _CHARGES[self]


_CHARGES: Mapping[Charge, int] = MappingProxyType({each: n for n, each in enumerate(Charge)})


class Cause(Enum):
    """Why there is no scored answer, where more is known than the outcome says."""

    NOT_EXTRACTED = "not_extracted"
    ILLEGAL_LABEL = "illegal_label"
    SEVERAL = "several"
    EMPTY = "empty"
    OVER_CONTEXT = "over_context"
    VISIBLE = "visible"
    """The answer itself was cut off."""
    IN_REASONING = "in_reasoning"
    """The limit was reached before the answer began."""
    RATE = "rate"
    HTTP = "http"
    TIMEOUT = "timeout"
    CONNECTION = "connection"
    CUT = "cut"
    MALFORMED = "malformed"
    EMPTY_UNEXPLAINED = "empty_unexplained"
    """No text and no tokens reported: nothing shows that the model spoke at all."""
    WRONG_MODEL = "wrong_model"
    SCORER = "scorer"
    SANDBOX = "sandbox"
    CONFIGURATION = "configuration"
    STOPPED = "stopped"
    BUDGET = "budget"


CAUSES: Mapping[Outcome, frozenset[Cause]] = MappingProxyType(
    {
        Outcome.CORRECT: frozenset(),
        Outcome.WRONG: frozenset(),
        Outcome.SCORED: frozenset(),
        Outcome.NO_ANSWER: frozenset(
            {
                Cause.NOT_EXTRACTED,
                Cause.ILLEGAL_LABEL,
                Cause.SEVERAL,
                Cause.EMPTY,
                Cause.OVER_CONTEXT,
            }
        ),
        Outcome.TRUNCATED: frozenset({Cause.VISIBLE, Cause.IN_REASONING}),
        Outcome.REFUSED: frozenset(),
        Outcome.FILTERED: frozenset(),
        Outcome.INFRASTRUCTURE_ERROR: frozenset(
            {
                Cause.RATE,
                Cause.HTTP,
                Cause.TIMEOUT,
                Cause.CONNECTION,
                Cause.CUT,
                Cause.MALFORMED,
                Cause.EMPTY_UNEXPLAINED,
                Cause.WRONG_MODEL,
                Cause.SCORER,
                Cause.SANDBOX,
                Cause.CONFIGURATION,
            }
        ),
        Outcome.NOT_RUN: frozenset({Cause.STOPPED, Cause.BUDGET}),
        Outcome.MISSING: frozenset(),
        Outcome.VOID: frozenset(),
    }
)
"""Which causes can stand beside which outcome; none at all can always stand there."""


def default_charge(outcome: Outcome, cause: Cause | None = None) -> Charge:
    """Return whose doing an outcome is where nothing more is known.

    A caller that knows more says more: `no_answer` and `truncated` are charged to the operator
    where the extraction audit failed or the declared budget was not granted, and to nobody known
    where the raw text was not kept.

    Raises:
        ValueError: The cause cannot stand beside the outcome.

    Example:
        >>> default_charge(Outcome.FILTERED).value, default_charge(Outcome.MISSING).value
        ('host', 'unknown')
    """
    if cause is not None and cause not in CAUSES[outcome]:
        raise ValueError(f"{outcome.value} has no cause {cause.value!r}")
    if outcome.is_settled or outcome is Outcome.VOID:
        return Charge.NOBODY
    if outcome in {Outcome.NO_ANSWER, Outcome.TRUNCATED, Outcome.REFUSED}:
        return Charge.MODEL
    if outcome is Outcome.MISSING:
        return Charge.UNKNOWN
    if outcome is Outcome.NOT_RUN or cause in {Cause.SCORER, Cause.SANDBOX, Cause.CONFIGURATION}:
        return Charge.OPERATOR
    return Charge.HOST
