"""What a tokenizer does to one text, in numbers.

Each is a count over all there is, so that its interval is exact; one that a text has nothing to
say about is missing, never nought. Syllables are U+AC00 to U+D7A3; an eojeol is what stands
between spaces in a text that holds Hangul. Nothing here reads a file or knows a threshold.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

from dokja.models.forge.tokenizing.opened import Subject
from dokja.values import Estimate, IntervalKind, Measured, Missing, MissingReason

__all__ = ["MEASURES", "bits_per_byte", "counted", "measure", "renyi_efficiency", "syllables"]

RENYI_ORDER = 2.5

MEASURES = (
    "tokens_per_eojeol",
    "tokens_per_word",
    "characters_per_token",
    "bytes_per_token",
    "tokens_per_syllable",
    "syllables_cut",
    "partial_tokens",
    "fallback_tokens",
    "renyi_efficiency",
)
"""What is measured of each text, in the order of a report."""


def measure(subject: Subject, text: str) -> Mapping[str, Measured]:
    """Return every measure of one text.

    Args:
        subject: The tokenizer.
        text: A text that is not empty.

    Returns:
        By name of the measure:
        `tokens_per_eojeol` and `tokens_per_word` tokens over what stands between spaces;
        `characters_per_token` code points over tokens; `bytes_per_token` of UTF-8;
        `tokens_per_syllable` tokens that hold a byte of a syllable, over syllables;
        `syllables_cut` the share of syllables that a token begins inside of;
        `partial_tokens` the share of tokens that are no UTF-8 by themselves;
        `fallback_tokens` the share of `<0xNN>` tokens;
        `renyi_efficiency` see there.
        Missing where the text has no Hangul, where a tokenizer has no such tokens, or where its
        tokens do not add up to the text.
    """
    ids = subject.encode(text)
    written = [subject.written.get(token, b"") for token in ids]
    words, tokens = len(text.split()), len(ids)
    hangul = any(_is_hangul(sign) for sign in text)
    per_word = counted(tokens, words, ("tokens", "words"))
    partial = sum(map(_partial, written))
    fallback = sum(1 for token in ids if token in subject.fallback)
    return {
        "tokens_per_eojeol": per_word if hangul else _missing("eojeol"),
        "tokens_per_word": per_word,
        "characters_per_token": counted(len(text), tokens, ("characters", "tokens")),
        "bytes_per_token": counted(len(text.encode()), tokens, ("bytes", "tokens")),
        **_syllable_measures(text, written),
        "partial_tokens": counted(partial, tokens, ("partial tokens", "tokens")),
        "fallback_tokens": counted(fallback, tokens, ("fallback tokens", "tokens"))
        if subject.fallback
        else _missing("fallback tokens"),
        "renyi_efficiency": renyi_efficiency(Counter(ids).values()),
    }


def _partial(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def _syllable_measures(text: str, written: Sequence[bytes]) -> dict[str, Measured]:
    edges = _edges(text, written)
    starts = syllables(text)
    if not starts or edges is None:
        what = "syllables" if not starts else "tokens that add up to the text"
        return {"tokens_per_syllable": _missing(what), "syllables_cut": _missing(what)}
    inner = frozenset(edges)
    cut = sum(1 for start in starts if start + 1 in inner or start + 2 in inner)
    return {
        "tokens_per_syllable": counted(
            _touching(edges, starts), len(starts), ("tokens", "syllables")
        ),
        "syllables_cut": counted(cut, len(starts), ("syllables cut", "syllables")),
    }


def syllables(text: str) -> list[int]:
    """Return at which byte of the UTF-8 each Hangul syllable begins.

    Example:
        >>> syllables("a독자")
        [1, 4]
    """
    found = []
    place = 0
    for sign in text:
        if "가" <= sign <= "힣":
            found.append(place)
        place += len(sign.encode())
    return found


def _edges(text: str, written: Sequence[bytes]) -> list[int] | None:
    """Return at which byte each token ends, if the tokens add up to the text."""
    joined = b"".join(written)
    data = text.encode()
    if joined == data:
        return [*accumulate(len(token) for token in written)]
    if joined == b" " + data:  # sentencepiece sets a space before a text
        return [end - 1 for end in accumulate(len(token) for token in written)]
    return None


def _touching(edges: Sequence[int], starts: Sequence[int]) -> int:
    """Return how many tokens hold at least one byte of a syllable."""
    waiting = iter(starts)
    syllable = next(waiting, None)
    count = begin = 0
    for end in edges:
        while syllable is not None and syllable + 3 <= begin:
            syllable = next(waiting, None)
        if syllable is not None and syllable < end and begin < end:
            count += 1
        begin = end
    return count


def renyi_efficiency(counts: Iterable[int], *, order: float = RENYI_ORDER) -> Measured:
    """Return how evenly a text uses the tokens that it uses.

    The Rényi entropy of the unigram distribution over its largest possible value (Zouhar et al.
    2023, Tokenization and the Noiseless Channel, arXiv 2306.16842, section 3; order 2.5 went best
    with translation quality there). The largest is over the types that occur, as in the authors'
    own scorer, so that ids which a short text has no use for do not count against it.

    Args:
        counts: How often each token that occurs was used.
        order: α, positive and not 1.

    Returns:
        In (0, 1]; 1 if all are used equally often. Missing with fewer than two types.

    Example:
        >>> renyi_efficiency([5, 5, 5, 5]).value
        1.0
    """
    used = [count for count in counts if count > 0]
    if len(used) < 2:  # noqa: PLR2004  # one type has no entropy
        return _missing("two types of tokens")
    total = sum(used)
    power = math.fsum((count / total) ** order for count in used)
    value = min(1.0, math.log(power) / (1 - order) / math.log(len(used)))
    return _exact(value, (("types", len(used)), ("tokens", total)), method=f"renyi-{order}")


def bits_per_byte(nats_per_token: float, *, tokens: int, data_bytes: int) -> float:
    """Return a model's loss in a unit that does not depend on its tokenizer.

    Args:
        nats_per_token: Mean cross-entropy over the tokens.
        tokens: How many tokens were predicted.
        data_bytes: How many bytes of UTF-8 these tokens write.

    Raises:
        ValueError: There are no bytes.

    Example:
        >>> round(bits_per_byte(math.log(256), tokens=100, data_bytes=100), 12)
        8.0
    """
    if data_bytes < 1:
        raise ValueError("bits per byte need at least one byte")
    return nats_per_token * tokens / (data_bytes * math.log(2))


def counted(part: int, whole: int, names: tuple[str, str]) -> Measured:
    """Return one count over another, or that there was nothing to count."""
    if whole < 1:
        return _missing(names[1])
    return _exact(part / whole, tuple(zip(names, (part, whole), strict=True)), method="count")


def _exact(value: float, rests_on: tuple[tuple[str, int], ...], *, method: str) -> Estimate:
    return Estimate(
        value=value,
        low=value,
        high=value,
        level=1.0,
        kind=IntervalKind.EXACT,
        rests_on=rests_on,
        method=method,
    )


def _missing(what: str) -> Missing:
    return Missing(reason=MissingReason.NOT_COMPARABLE, what=(what,))


_HANGUL_BLOCKS = (
    (0x1100, 0x11FF),
    (0x3130, 0x318F),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
)


def _is_hangul(sign: str) -> bool:
    return any(first <= ord(sign) <= last for first, last in _HANGUL_BLOCKS)
