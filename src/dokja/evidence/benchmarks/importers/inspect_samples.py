"""What one sample of an Inspect log says about an answer."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dokja.evidence.benchmarks.importers.gathering import Answer
from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.values import Digest, shown

__all__ = ["MOST_EPOCHS", "Reading", "Unreadable", "read_sample"]

Told = tuple[Outcome, Cause | None, Charge | None]

MOST_EPOCHS = 10_000
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
_STOPS: Mapping[str, Told] = {
    "max_tokens": (Outcome.TRUNCATED, None, Charge.UNKNOWN),
    "model_length": (Outcome.NO_ANSWER, Cause.OVER_CONTEXT, Charge.MODEL),
    "content_filter": (Outcome.FILTERED, None, Charge.HOST),
}
_LIMITS: Mapping[str, Told] = {
    "token": (Outcome.TRUNCATED, None, Charge.UNKNOWN),
    "message": (Outcome.TRUNCATED, None, Charge.UNKNOWN),
    "turn": (Outcome.TRUNCATED, None, Charge.UNKNOWN),
    "context": (Outcome.NO_ANSWER, Cause.OVER_CONTEXT, Charge.MODEL),
    "time": (Outcome.INFRASTRUCTURE_ERROR, Cause.TIMEOUT, Charge.UNKNOWN),
    "working": (Outcome.INFRASTRUCTURE_ERROR, Cause.TIMEOUT, Charge.UNKNOWN),
    "cost": (Outcome.NOT_RUN, Cause.BUDGET, Charge.OPERATOR),
    "operator": (Outcome.NOT_RUN, Cause.STOPPED, Charge.OPERATOR),
}
_REASONS: Mapping[str, Told] = {
    "refusal": (Outcome.REFUSED, None, Charge.UNKNOWN),
    "no_response": (Outcome.NO_ANSWER, Cause.EMPTY, Charge.UNKNOWN),
    "invalid_response_format": (Outcome.NO_ANSWER, Cause.NOT_EXTRACTED, Charge.UNKNOWN),
    "grader_failed": (Outcome.INFRASTRUCTURE_ERROR, Cause.SCORER, Charge.OPERATOR),
    "scoring_failed": (Outcome.INFRASTRUCTURE_ERROR, Cause.SCORER, Charge.OPERATOR),
}
_NONE: Told = (Outcome.MISSING, None, None)
_FAULT: Told = (Outcome.INFRASTRUCTURE_ERROR, None, Charge.UNKNOWN)
_WITHDRAWN: Told = (Outcome.INFRASTRUCTURE_ERROR, None, Charge.OPERATOR)
_UNEXPLAINED: Told = (
    Outcome.INFRASTRUCTURE_ERROR,
    Cause.EMPTY_UNEXPLAINED,
    Charge.UNKNOWN,
)
_SCORED: Told = (Outcome.SCORED, None, None)
_UNREAD: Told = (Outcome.NO_ANSWER, Cause.NOT_EXTRACTED, Charge.UNKNOWN)
_EMPTY: Told = (Outcome.NO_ANSWER, Cause.EMPTY, Charge.UNKNOWN)


class Unreadable(Exception):  # noqa: N818  # its reader makes a TableError of it
    """A sample that this Dokja does not understand: what was read, what is expected, what to do."""

    def __init__(self, read: str, expected: str, remedy: str = "") -> None:
        super().__init__(read)
        self.told = read, expected, remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How samples are read.

    Attributes:
        label: The system.
        scorer: Whose scores, where a sample has several; empty for the only one.
        category: Which key of the metadata names the category; empty for none.
    """

    label: str
    scorer: str = ""
    category: str = ""


def read_sample(said: Mapping[str, Any], reading: Reading) -> tuple[Answer, float | None]:
    """Return what a sample says, and its score as the log's own means count it.

    Raises:
        Unreadable: It has no id or epoch, several scores of which none was chosen, or a score
            that is no number in [0, 1].
    """
    item, epoch = said.get("id"), said.get("epoch")
    if isinstance(item, bool) or not isinstance(item, int | str):
        raise Unreadable(f"id {shown(repr(item))}", "text or a whole number")
    if isinstance(epoch, bool) or not isinstance(epoch, int) or not 1 <= epoch <= MOST_EPOCHS:
        raise Unreadable(f"epoch {shown(repr(epoch))}", f"1 to {MOST_EPOCHS:,}")
    score = _score(said.get("scores"), scorer=reading.scorer)
    value = None if score is None else _value(score.get("value"))
    outcome, cause, charge = _outcome(said, score=score, value=value)
    metadata = said.get("metadata")
    category = None
    if reading.category:
        named = metadata.get(reading.category) if isinstance(metadata, dict) else None
        category = "" if named is None else str(named)
    answer = Answer(
        system=reading.label,
        item=str(item),
        epoch=epoch - 1,
        outcome=outcome,
        cause=cause,
        charge=charge,
        score=value if outcome is Outcome.SCORED else None,
        key=_digest(said.get("target")),
        content=_digest([_input(said), said.get("choices")]),
        said=_said(score),
        reply=_digest(_reply(said.get("output"))),
        category=category,
    )
    return answer, None if said.get("error") else value


def _score(scores: object, *, scorer: str) -> Mapping[str, Any] | None:
    if not isinstance(scores, dict) or not scores:
        return None
    if scorer and scorer not in scores:
        raise Unreadable(f"no scorer {scorer}", "one of " + shown(", ".join(scores)))
    if not scorer and len(scores) > 1:
        names = shown(", ".join(scores))
        raise Unreadable(f"scores of {names}", "one score", f"Choose one with --scorer: {names}")
    score = scores[scorer] if scorer else next(iter(scores.values()))
    return score if isinstance(score, dict) else None


def _value(value: object) -> float | None:
    """Return a score as a number in [0, 1]; None if there is none."""
    if value is None:
        return None
    if isinstance(value, str):
        if value in _LETTERS:
            return _LETTERS[value]
        raise Unreadable(f"the score {shown(repr(value))}", "one of C, I, P, N or a number")
    if isinstance(value, bool | int | float):
        number = float(value)
        if math.isnan(number):
            return None
        if 0 <= number <= 1:
            return number
    expected = "a number in [0, 1]"
    raise Unreadable(f"the score {shown(repr(value))}", expected, "Choose another with --scorer.")


def _outcome(
    said: Mapping[str, Any], *, score: Mapping[str, Any] | None, value: float | None
) -> Told:
    if said.get("error") or said.get("invalidation"):
        return _FAULT if said.get("error") else _WITHDRAWN
    limit = said.get("limit")
    kind = str(limit.get("type")) if isinstance(limit, dict) else str(limit or "")
    output = said.get("output")
    told = _LIMITS.get(kind) or _STOPS.get(_stop(output))
    return told if told is not None else _scored(output, score=score, value=value)


def _scored(output: object, *, score: Mapping[str, Any] | None, value: float | None) -> Told:
    """Return what became of a sample that nothing stopped."""
    reason = _REASONS.get(str(score.get("reason"))) if score is not None else None
    if value is None:
        return reason if reason is not None and reason[1] is Cause.SCORER else _NONE
    if value > 0:
        return _SCORED
    if output is not None and not _spoke(output):
        return _EMPTY if _tokens(output) else _UNEXPLAINED
    letter = score.get("value") if score is not None else None
    return reason or (_UNREAD if letter == "N" else _SCORED)


def _choice(output: object) -> Mapping[str, Any]:
    choices = output.get("choices") if isinstance(output, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _stop(output: object) -> str:
    return str(_choice(output).get("stop_reason", ""))


def _spoke(output: object) -> bool:
    """Whether a reply has text, or asks for a tool."""
    message = _choice(output).get("message")
    if isinstance(message, dict) and message.get("tool_calls"):
        return True
    return bool(_reply(output).strip())


def _tokens(output: object) -> int:
    usage = output.get("usage") if isinstance(output, dict) else None
    count = usage.get("output_tokens") if isinstance(usage, dict) else None
    return count if isinstance(count, int) else 0


def _reply(output: object) -> str:
    if not isinstance(output, dict):
        return ""
    if isinstance(output.get("completion"), str):
        return str(output["completion"])
    message = _choice(output).get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, list):
        parts = [part.get("text", "") for part in content if isinstance(part, dict)]
        return "".join(str(part) for part in parts)
    return content if isinstance(content, str) else ""


def _said(score: Mapping[str, Any] | None) -> str | None:
    answer = score.get("answer") if score is not None else None
    return answer if isinstance(answer, str) else None


def _input(said: Mapping[str, Any]) -> object:
    """Return what was asked, without the ids that every run gives its messages anew."""
    asked = said.get("input")
    if isinstance(asked, list):
        asked = [
            [message.get("role"), message.get("content")] if isinstance(message, dict) else message
            for message in asked
        ]
    if "attachment://" not in json.dumps(asked):
        return asked
    attachments = said.get("attachments")
    return _resolved(asked, attachments if isinstance(attachments, dict) else {})


def _resolved(value: object, attachments: Mapping[str, Any]) -> object:
    if isinstance(value, str) and value.startswith("attachment://"):
        name = value.removeprefix("attachment://")
        if name not in attachments:
            raise Unreadable(shown(value), "an attachment that the log holds")
        return attachments[name]
    if isinstance(value, list):
        return [_resolved(each, attachments) for each in value]
    if isinstance(value, dict):
        return {key: _resolved(each, attachments) for key, each in value.items()}
    return value


def _digest(value: object) -> str:
    data = json.dumps(value, sort_keys=True, ensure_ascii=False)
    return Digest.of(data.encode(errors="surrogatepass")).hex[:16]
