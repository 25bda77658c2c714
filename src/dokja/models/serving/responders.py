"""What answers prompts, and what an answer is.

Whoever asks knows only this: prompts go in, answers come out in the same order. Whether a model
runs in this process, on another machine or long ago is the responder's own business.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dokja.errors import NotServableError

__all__ = ["Answer", "Finish", "Responder", "not_servable"]

_MAX_SHOWN = 50


class Finish(Enum):
    """Why an answer ended."""

    STOP = "stop"
    """The model ended it."""
    LENGTH = "length"
    """It reached the longest answer that was allowed, or the longest text that it can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a model said to one prompt.

    Attributes:
        text: In NFC, whatever form the model writes Hangul in.
        finish: Why it ended.
        tokens_in: Tokens of the prompt, with the marks that the tokenizer puts around it.
        tokens_out: Tokens of the answer, the end mark not counted.
    """

    text: str
    finish: Finish
    tokens_in: int
    tokens_out: int


class Responder(Protocol):
    """Something that answers prompts, one way only: the same prompt gets the same answer."""

    @property
    def name(self) -> str:
        """What the responder is called in messages."""

    def answer(self, prompts: Sequence[str], *, max_new_tokens: int) -> tuple[Answer, ...]:
        """Return one answer per prompt, in order.

        Args:
            prompts: Plain texts.
            max_new_tokens: The longest answer, in the model's own tokens; at least one.

        Raises:
            NotServableError: Some prompts cannot be answered; all of them are named.
        """


def not_servable(name: str, *, reasons: Iterable[str]) -> NotServableError:
    """Return the error that says everything that keeps a model from being run.

    Example:
        >>> print(not_servable("models/a", reasons=["config.json, hidden_act: read 'gelu'"]))
        models/a cannot be run by the embedded runtime:
        - config.json, hidden_act: read 'gelu'
        Nothing was changed.
    """
    listed = list(reasons)
    lines = [f"- {reason}" for reason in listed[:_MAX_SHOWN]]
    if len(listed) > _MAX_SHOWN:
        lines.append(f"- and {len(listed) - _MAX_SHOWN} more")
    head = f"{name} cannot be run by the embedded runtime:"
    return NotServableError("\n".join([head, *lines, "Nothing was changed."]))
