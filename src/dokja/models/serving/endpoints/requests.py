"""What is sent: one canonical JSON document a question, nearly all of it made once.

The bytes that go over the wire are the RFC 8785 bytes of the request, so that the digest of a
request needs no second writing and a recording finds it again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from dokja.values import Json, canonical_bytes

__all__ = ["Family", "RequestForm", "request_form"]

_PLACE = "\x00question"
_WRITTEN = canonical_bytes(_PLACE)


class Family(Enum):
    """Which kind of endpoint is asked."""

    CHAT = "chat-completions"
    COMPLETIONS = "completions"
    EMBEDDED = "embedded"
    """No endpoint: a model that runs in this process."""

    @property
    def path(self) -> str:
        """Where such an endpoint is asked, below its address."""
        return "/completions" if self is Family.COMPLETIONS else "/chat/completions"

    @property
    def field(self) -> str:
        """The field of a request that holds the question."""
        return "prompt" if self is Family.COMPLETIONS else "messages"


@dataclass(frozen=True, slots=True)
class RequestForm:
    """A request with one place left open.

    Attributes:
        before: Bytes before the question.
        after: Bytes behind it.
    """

    before: bytes
    after: bytes

    def body(self, question: bytes) -> bytes:
        """Return the request that asks a question, which is canonical JSON itself."""
        return self.before + question + self.after


def request_form(fields: Mapping[str, Json], *, family: Family) -> RequestForm:
    """Return the form of a run's requests.

    Args:
        fields: Everything but the question, such as `model` and `max_tokens`.
        family: Says which field holds the question.

    Raises:
        ValueError: The fields have no canonical form, or hold the question's field already.

    Example:
        >>> form = request_form({"model": "m", "temperature": 0}, family=Family.CHAT)
        >>> form.body(b'[{"content":"2+2?","role":"user"}]').decode()
        '{"messages":[{"content":"2+2?","role":"user"}],"model":"m","temperature":0}'
    """
    if family.field in fields:
        raise ValueError(f"the field {family.field!r} holds the question and cannot be set")
    parts = canonical_bytes({**fields, family.field: _PLACE}).split(_WRITTEN)
    if len(parts) != 2:  # noqa: PLR2004  # before and behind
        raise ValueError("a field holds the mark of the question's place")
    return RequestForm(parts[0], parts[1])
