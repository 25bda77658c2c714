"""What every scorer does alike, before and after it reads a reply.

A filter, a refusal, an empty text or one that was cut off is told apart before anything is read
out. Only what the model had ended counts as its answer: what stands before a cut may be right, and
might have gone on to be wrong.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.scorers.tasks import (
    Aids,
    Found,
    Reply,
    Scoring,
    Task,
    scoring_of,
)
from dokja.evidence.benchmarks.scorers.texts import Plain, Visible, plain, visible
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["CUT_OFF", "FILTERED", "digest_of", "refuses", "settle", "without_echo"]

CUT_OFF = frozenset({"length", "max_tokens", "max_output_tokens", "model_length"})
"""Stop reasons that say that the longest answer was reached."""
FILTERED = frozenset({"content_filter", "content-filter", "safety", "prohibited_content"})
"""Stop reasons that say that a filter of the host stood between."""

_LONGEST_READ = 50_000  # characters
_SPACES = re.compile(r"\s+")
_QUOTED = re.compile(r"^[ \t]{0,8}(?:>[ \t]?){1,8}", re.MULTILINE)


def digest_of(kind: str, version: int, options: Mapping[str, Json]) -> Digest:
    """Return the digest that names a scorer: its kind, the version of its rules, its options."""
    return Digest.of(canonical_bytes({"scorer": kind, "v": version, "options": dict(options)}))


def settle(
    task: Task,
    reply: Reply,
    *,
    aids: Aids,
    refusals: tuple[str, ...],
    read: Callable[[Task, Plain], Found | Cause],
    mark: Callable[[Found], Scoring],
) -> Scoring:
    """Return what became of a reply.

    Args:
        task: What was asked.
        reply: What came back.
        aids: Says whether the declared budget was granted and the extraction audited.
        refusals: Declared patterns of a refusal; looked for only where no answer was read out.
        read: Reads the answer out, or says why it could not.
        mark: Scores an answer.
    """
    finish = (reply.finish or "").lower()
    seen = visible(reply.text)
    early = _before(reply, seen, finish=finish, aids=aids)
    if early is not None:
        return early
    skipped = max(0, len(seen.text) - _LONGEST_READ)  # of what is too long, the end is read
    text = plain(seen.text[skipped:], offset=seen.offset + skipped)
    found = read(task, without_echo(text, task.prompt))
    if isinstance(found, Cause):
        return _unread(found, text.text, refusals=refusals, aids=aids)
    start, stop = text.span(found.start, found.stop)
    return mark(Found(answer=found.answer, rule=found.rule, start=start, stop=stop))


def _before(reply: Reply, seen: Visible, *, finish: str, aids: Aids) -> Scoring | None:
    """Return what became of a reply that need not be read."""
    if finish in FILTERED:
        return scoring_of(Outcome.FILTERED)
    if reply.refusal:
        return scoring_of(Outcome.REFUSED)
    if not seen.text.strip():
        return _empty(reply, seen, finish=finish, aids=aids)
    return _cut(Cause.VISIBLE, aids=aids) if finish in CUT_OFF else None


def _unread(cause: Cause, text: str, *, refusals: tuple[str, ...], aids: Aids) -> Scoring:
    """Return what became of a reply out of which nothing could be read."""
    if cause in {Cause.SCORER, Cause.SANDBOX}:
        return scoring_of(Outcome.INFRASTRUCTURE_ERROR, cause)
    if cause is Cause.NOT_EXTRACTED and refuses(text, refusals):
        return scoring_of(Outcome.REFUSED)
    unaudited = cause is Cause.NOT_EXTRACTED and not aids.audited
    return scoring_of(Outcome.NO_ANSWER, cause, charge=Charge.OPERATOR if unaudited else None)


def refuses(text: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether one of the declared patterns of a refusal stands in a text."""
    return any(_compiled(pattern).search(text) for pattern in patterns)


def without_echo(text: Plain, prompt: str) -> Plain:
    r"""Return the text with everything blanked that repeats what the model was told.

    Blanked signs become spaces, so that places stay. A whole prompt that is repeated is blanked
    wherever it stands; so is every line that is a line of the prompt, but for lines that are an
    option alone: repeating one option is a way of answering. Signs of quotation are passed over.

    Example:
        >>> prompt = "Which?\nA. one\nB. two\nEnd with: Answer: A"
        >>> without_echo(plain("End with: Answer: A\nB. two"), prompt).text.split()
        ['B.', 'two']
    """
    read = text.text
    if ">" in read:
        read = _QUOTED.sub(lambda match: " " * len(match.group()), read)
    told = _told(prompt)
    if told is None:
        return _replaced(text, read)
    whole, lines = told
    if whole in read:
        read = read.replace(whole, _blank(whole))
    if len(read) >= _LEAST_ECHO and any(line[:_LEAST_ECHO] in read for line in lines):
        read = "\n".join(
            _blank(line) if _SPACES.sub(" ", line).strip() in lines else line
            for line in read.split("\n")
        )
    return _replaced(text, read)


def _replaced(text: Plain, read: str) -> Plain:
    if read == text.text:
        return text
    return Plain(text=read, starts=text.starts, offset=text.offset, length=text.length)


def _blank(text: str) -> str:
    return "".join("\n" if sign == "\n" else " " for sign in text)


_OPTION = re.compile(
    r"\s{0,40}[(\[<]?(?:[A-Za-z]|\d{1,2}|[①-⑳]|[가-힣]|[ㄱ-ㅎ])[)\].:>]\s?|\s{0,40}[①-⑳]\s?"
)
_LEAST_ECHO = 8


@lru_cache(maxsize=16_384)
def _told(prompt: str) -> tuple[str, frozenset[str]] | None:
    whole = plain(prompt).text.strip()
    if len(whole) < _LEAST_ECHO:
        return None  # so short a prompt may stand in an answer by chance
    lines = {
        _SPACES.sub(" ", line).strip()
        for line in whole.split("\n")
        if len(line.strip()) >= _LEAST_ECHO and not _OPTION.match(line)
    }
    return whole, frozenset(lines)


@lru_cache(maxsize=512)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


def _empty(reply: Reply, seen: Visible, *, finish: str, aids: Aids) -> Scoring:
    """Tell why there is no visible text: tokens or reasoning show that the model spoke."""
    spoke = bool(reply.tokens_out) or seen.reasoned or bool(reply.reasoning.strip())
    if not spoke:
        return scoring_of(Outcome.INFRASTRUCTURE_ERROR, Cause.EMPTY_UNEXPLAINED)
    if finish in CUT_OFF or seen.unfinished:
        return _cut(Cause.IN_REASONING, aids=aids)
    return scoring_of(Outcome.NO_ANSWER, Cause.EMPTY)


def _cut(cause: Cause, *, aids: Aids) -> Scoring:
    charge = None if aids.budget_granted else Charge.OPERATOR
    return scoring_of(Outcome.TRUNCATED, cause, charge=charge)
