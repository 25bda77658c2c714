"""Reads what a server said: one JSON document or the events of a stream. Pure; no socket.

What is read is what the record can show: text, why it ended, which model the server says it is,
and the tokens that it says it counted. What it does not say is None, and never 0.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Said", "UnreadableReplyError", "Usage", "error_of", "read_reply"]

_END = b"[DONE]"
_LONGEST_WORD = 200
_NOTHING: Mapping[str, Any] = {}


class UnreadableReplyError(ValueError):
    """A body is no answer of this family; `cut` where it is one that ends too early."""

    def __init__(self, detail: str, *, cut: bool = False, error: object = None) -> None:
        super().__init__(detail)
        self.cut = cut
        self.error = error


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the server counted them; None where it did not say.

    Attributes:
        tokens_in: Of the prompt.
        tokens_out: Of the answer, reasoning counted.
        reasoning: Of the answer, those of reasoning.
        cached: Of the prompt, those that came from a cache.
    """

    tokens_in: int | None = None
    tokens_out: int | None = None
    reasoning: int | None = None
    cached: int | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """An answer as the server gave it.

    Attributes:
        text: What is visible; lone surrogates, which no UTF-8 can hold, stand as U+FFFD.
        finish: Why it ended, in the server's word.
        model: Which model the server says it is.
        usage: Tokens.
        reasoning: Text of reasoning that came in a field of its own.
        declines: Whether the model declined in the field that is meant for it.
    """

    text: str
    finish: str | None
    model: str | None
    usage: Usage
    reasoning: str = ""
    declines: bool = False


def read_reply(body: bytes) -> Said:
    """Return what an answer of `/chat/completions` or `/completions` says.

    Args:
        body: The body of a reply with status 200: JSON, or server-sent events with their end.

    Raises:
        UnreadableReplyError: It is no such answer, or stops before its end.

    Example:
        >>> said = read_reply(b'{"choices": [{"message": {"content": "B"}}], "usage": {}}')
        >>> said.text, said.finish, said.usage.tokens_out
        ('B', None, None)
    """
    if body[:1] != b"{" and body.lstrip().startswith((b"data:", b"event:", b":")):
        return _streamed(body)
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise UnreadableReplyError(f"no JSON: {error}") from error
    choice = _choice(said)
    message = choice.get("message")
    if isinstance(message, dict):
        text, thought, declines = _message(message)
    elif isinstance(choice.get("text"), str):
        text, thought, declines = choice["text"], "", False
    else:
        raise UnreadableReplyError("a choice without message and without text")
    return Said(
        _writable(text),
        _word(choice.get("finish_reason")),
        _word(said.get("model")),
        _usage(said.get("usage")),
        _writable(thought),
        declines,
    )


def error_of(body: bytes) -> tuple[str, str]:
    """Return the code and the sentence of a reply that is an error; empty where there is none.

    Example:
        >>> error_of(b'{"error": {"code": "rate_limit", "message": "slowly"}}')
        ('rate_limit', 'slowly')
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return "", body[:500].decode(errors="replace")
    return _error_words(said.get("error", said) if isinstance(said, dict) else said)


def _error_words(error: object) -> tuple[str, str]:
    if not isinstance(error, dict):
        return "", str(error)
    inner = error.get("innererror")
    codes = [error.get("code"), error.get("type")]
    codes += [inner.get("code")] if isinstance(inner, dict) else []
    code = " ".join(str(each) for each in codes if isinstance(each, str | int))
    sentence = error.get("message", error.get("detail", ""))
    return code, sentence if isinstance(sentence, str) else json.dumps(sentence)


def _choice(said: object) -> Mapping[str, Any]:
    if not isinstance(said, dict):
        raise UnreadableReplyError("no JSON object")
    if said.get("error"):
        raise UnreadableReplyError("an error with status 200", error=said["error"])
    choices = said.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise UnreadableReplyError("no choices")
    first: Mapping[str, Any] = choices[0]
    return first


def _message(message: Mapping[str, Any]) -> tuple[str, str, bool]:
    content = message.get("content")
    if isinstance(content, list):
        parts = [each.get("text") for each in content if isinstance(each, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if content is not None and not isinstance(content, str):
        raise UnreadableReplyError("content that is no text")
    refusal = message.get("refusal")
    thought = message.get("reasoning_content") or message.get("reasoning")
    thought = thought if isinstance(thought, str) else ""
    return content or "", thought, isinstance(refusal, str) and bool(refusal)


def _word(value: object) -> str | None:
    return _writable(value[:_LONGEST_WORD]) if isinstance(value, str) and value else None


def _writable(text: str) -> str:
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="surrogatepass").decode(errors="replace")
    return text


def _count(value: object) -> int | None:
    return value if type(value) is int and value >= 0 else None


def _usage(said: object) -> Usage:
    if not isinstance(said, dict):
        return Usage()
    of_answer = said.get("completion_tokens_details")
    of_prompt = said.get("prompt_tokens_details")
    return Usage(
        _count(said.get("prompt_tokens")),
        _count(said.get("completion_tokens")),
        _count(of_answer.get("reasoning_tokens")) if isinstance(of_answer, dict) else None,
        _count(of_prompt.get("cached_tokens")) if isinstance(of_prompt, dict) else None,
    )


def _streamed(body: bytes) -> Said:
    parts: list[str] = []
    thoughts: list[str] = []
    finish = model = None
    usage = Usage()
    declines = False
    for event in _events(body):
        model = _word(event.get("model")) or model
        if event.get("usage"):
            usage = _usage(event["usage"])
        choices = event.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices else _NOTHING
        if not isinstance(choice, dict):
            continue
        finish = _word(choice.get("finish_reason")) or finish
        if isinstance(choice.get("text"), str):
            parts.append(choice["text"])
        if isinstance(choice.get("delta"), dict):
            text, thought, declined = _message(choice["delta"])
            parts.append(text)
            thoughts.append(thought)
            declines |= declined
    thought = _writable("".join(thoughts))
    return Said(_writable("".join(parts)), finish, model, usage, thought, declines)


def _events(body: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield a stream's events.

    Raises:
        UnreadableReplyError: One is no JSON object or an error, or the end mark is not there.
    """
    for line in body.splitlines():
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == _END:
            return
        try:
            event = json.loads(data)
        except (ValueError, RecursionError) as error:
            # Half an event at the end of the body is a line that was cut, not a broken server.
            cut = not body.endswith((b"\n", b"\r")) and body.endswith(line)
            raise UnreadableReplyError(f"an event that is no JSON: {error}", cut=cut) from error
        if not isinstance(event, dict):
            raise UnreadableReplyError("an event that is no JSON object")
        if event.get("error"):
            raise UnreadableReplyError("an error in the stream", error=event["error"])
        yield event
    raise UnreadableReplyError("a stream without its end mark", cut=True)
