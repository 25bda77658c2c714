"""Answers that were recorded, replayed as if the model were there.

A recording is JSON Lines: a first line that says whose answers these are, then one line per
prompt. A prompt that was not recorded has no answer here: it is named, and nothing is guessed.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from dokja.errors import InputError, Mistake
from dokja.models.serving.responders import Answer, Finish, not_servable
from dokja.values import Json, canonical_bytes, normal_form, parse_json

__all__ = ["RecordedModel", "recording_bytes"]

_SCHEMA = "dokja.recorded-answers/1"
_MOST_BYTES = 1 << 30


class RecordedModel:
    """Answers read back from a recording.

    Args:
        path: The recording.

    Raises:
        InputError: It is no recording, or lines are wrong; every mistake is in it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        mistakes: list[Mistake] = []
        lines = _lines(path, mistakes)
        head = _read_head(lines[0], file=str(path)) if lines else _not_a_recording(path, "nothing")
        self._answers: dict[str, Answer] = {}
        if isinstance(head, Mistake):
            mistakes.append(head)
        else:
            self._name: str = head["name"]
            self._max_new_tokens: int = head["max_new_tokens"]
            for number, line in enumerate(lines[1:], start=2):
                self._take(line, number=number, mistakes=mistakes)
        if mistakes:
            raise InputError(mistakes)

    @property
    def name(self) -> str:
        """What the recorded model was called."""
        return self._name

    def answer(self, prompts: Sequence[str], *, max_new_tokens: int) -> tuple[Answer, ...]:
        """Return the recorded answer to each prompt.

        Args:
            prompts: Plain texts.
            max_new_tokens: What the recording was made with.

        Raises:
            NotServableError: Prompts that were not recorded, or recorded under another limit.
        """
        reasons = [
            f"prompt {place} ({prompt!r:.60}): not in {self._path}"
            for place, prompt in enumerate(prompts, start=1)
            if normal_form(prompt) not in self._answers
        ]
        if max_new_tokens != self._max_new_tokens:
            reasons.append(
                f"max_new_tokens: asked for {max_new_tokens}; "
                f"recorded were answers of at most {self._max_new_tokens}"
            )
        if reasons:
            raise not_servable(self._name, reasons=reasons)
        return tuple(self._answers[normal_form(prompt)] for prompt in prompts)

    def _take(self, line: bytes, *, number: int, mistakes: list[Mistake]) -> None:
        read = _read_answer(line, file=str(self._path), number=number)
        if isinstance(read, Mistake):
            mistakes.append(read)
            return
        prompt, answer = read
        if prompt in self._answers:
            mistakes.append(
                Mistake(
                    file=str(self._path),
                    place=f"line {number}",
                    read=f"the prompt {prompt!r:.60} again",
                    expected="each prompt once",
                )
            )
        self._answers[prompt] = answer


def recording_bytes(
    name: str, answers: Iterable[tuple[str, Answer]], *, max_new_tokens: int
) -> bytes:
    r"""Return a recording as the bytes of its file.

    Args:
        name: Of the model that answered.
        answers: Each prompt with its answer.
        max_new_tokens: What they were asked with.

    Example:
        >>> said = Answer(text="7", finish=Finish.STOP, tokens_in=5, tokens_out=1)
        >>> recording_bytes("a", [("3+4", said)], max_new_tokens=8).count(b"\n")
        2
    """
    head: dict[str, Json] = {"schema": _SCHEMA, "name": name, "max_new_tokens": max_new_tokens}
    lines = [canonical_bytes(head)]
    lines += [
        canonical_bytes(
            {
                "prompt": normal_form(prompt),
                "text": answer.text,
                "finish": answer.finish.value,
                "tokens_in": answer.tokens_in,
                "tokens_out": answer.tokens_out,
            }
        )
        for prompt, answer in answers
    ]
    return b"".join(line + b"\n" for line in lines)


def _lines(path: Path, mistakes: list[Mistake]) -> list[bytes]:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        mistakes.append(
            Mistake(
                file=str(path),
                place="",
                read=f"nothing ({error.strerror})",
                expected="a recording that can be read",
            )
        )
        return []
    if len(data) > _MOST_BYTES:
        mistakes.append(_not_a_recording(path, f"more than {_MOST_BYTES} bytes"))
        return []
    return data.splitlines()


def _not_a_recording(path: Path, read: str) -> Mistake:
    return Mistake(
        file=str(path), place="line 1", read=read, expected=f"an object of schema {_SCHEMA}"
    )


def _object(line: bytes) -> Mapping[str, Any] | None:
    try:
        found = parse_json(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _read_head(line: bytes, *, file: str) -> Mapping[str, Any] | Mistake:
    head = _object(line)
    if (
        head is None
        or head.get("schema") != _SCHEMA
        or not isinstance(head.get("name"), str)
        or not _is_count(head.get("max_new_tokens"))
    ):
        return _not_a_recording(Path(file), repr(line[:80]))
    return head


def _read_answer(line: bytes, *, file: str, number: int) -> tuple[str, Answer] | Mistake:
    row = _object(line) or {}
    prompt, text, finish = row.get("prompt"), row.get("text"), row.get("finish")
    tokens_in, tokens_out = row.get("tokens_in"), row.get("tokens_out")
    if (
        isinstance(prompt, str)
        and isinstance(text, str)
        and finish in {kind.value for kind in Finish}
        and _is_count(tokens_in)
        and _is_count(tokens_out)
    ):
        return normal_form(prompt), Answer(
            text=normal_form(text),
            finish=Finish(finish),
            tokens_in=tokens_in,
            tokens_out=tokens_out,
        )
    return Mistake(
        file=file,
        place=f"line {number}",
        read=repr(line[:80]),
        expected="an object with prompt, text, finish, tokens_in and tokens_out",
    )
