"""The text on which an export is compared with its parent, cut into windows.

It is the pinned probe of `tokenizing` (Korean, English, code) and, if somebody brings one, a text
of their own. Windows overlap by one token, so that every token but a text's first is predicted
exactly once; what a last window lacks is filled up and not counted.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TransformError
from dokja.models.forge.tokenizing import Tokenizer, probe
from dokja.values import Digest, canonical_bytes

__all__ = ["INPUTS", "ProbeTexts", "Window", "Windows", "probe_texts"]

INPUTS = 256
"""Tokens that a window shows at most."""

_LOGITS_AT_ONCE = 1 << 24
"""Values; 64 MiB of float32."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTexts:
    """Texts by name.

    Attributes:
        texts: Name and text, in order.
    """

    texts: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> Digest:
        """The digest of names and texts in canonical JSON (RFC 8785)."""
        return Digest.of(canonical_bytes([[name, text] for name, text in self.texts]))


def probe_texts(text: str | None = None) -> ProbeTexts:
    """Return the pinned texts, and a text of one's own after them.

    Args:
        text: One's own; none by default.

    Raises:
        TransformError: It holds nothing but space, or half a surrogate pair.

    Example:
        >>> [name for name, _ in probe_texts("독자").texts]
        ['korean', 'english', 'code', 'user']
    """
    pinned = probe()
    texts = [
        ("korean", "\n".join(pinned.korean)),
        ("english", "\n".join(pinned.english)),
        ("code", "\n".join(pinned.code)),
    ]
    if text is not None:
        if not text.strip() or any("\ud800" <= sign <= "\udfff" for sign in text):
            wrong = Mistake(
                file="probe", place="", read="no text that has UTF-8", expected="a text to predict"
            )
            raise TransformError([wrong])
        texts.append(("user", text))
    return ProbeTexts(texts=tuple(texts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Some windows that go through a network together.

    Attributes:
        inputs: Ids, shape `(windows, positions)`.
        labels: The id that follows each, same shape.
        counted: Where there is something to predict, same shape.
    """

    inputs: NDArray[np.int64]
    labels: NDArray[np.int64]
    counted: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """A probe as a network reads it.

    Attributes:
        batches: Windows of one length, a few at a time.
        predictions: How many tokens are predicted.
        bytes: How many bytes of UTF-8 these tokens write.
    """

    batches: tuple[Window, ...]
    predictions: int
    bytes: int

    @classmethod
    def of(cls, texts: ProbeTexts, tokenizer: Tokenizer, *, positions: int) -> "Windows":
        """Cut the texts.

        Args:
            texts: The probe.
            tokenizer: The model's.
            positions: How many the model has.

        Example:
            >>> from dokja.models.forge.tokenizing import byte_tokenizer
            >>> texts = ProbeTexts(texts=(("a", "abcde"), ("b", "xy")))
            >>> cut = Windows.of(texts, byte_tokenizer(), positions=3)
            >>> cut.batches[0].inputs.tolist(), cut.predictions, cut.bytes
            ([[97, 98, 99], [100, 0, 0], [120, 0, 0]], 5, 5)
        """
        encoded = [tokenizer.encode(text) for _, text in texts.texts]
        length = min(positions, INPUTS)
        rows = [row for ids in encoded for row in _rows(ids, length)]
        step = max(1, _LOGITS_AT_ONCE // (length * max(tokenizer.rows, 1)))
        return cls(
            batches=tuple(
                _batch(rows[start : start + step], length) for start in range(0, len(rows), step)
            ),
            predictions=sum(max(0, len(ids) - 1) for ids in encoded),
            bytes=sum(len(tokenizer.token_bytes(one)) for ids in encoded for one in ids[1:]),
        )


def _rows(ids: list[int], length: int) -> Iterator[list[int]]:
    for start in range(0, len(ids) - 1, length):
        yield ids[start : start + length + 1]


def _batch(rows: list[list[int]], length: int) -> Window:
    inputs = np.zeros((len(rows), length), dtype=np.int64)
    labels = np.zeros_like(inputs)
    counted = np.zeros(inputs.shape, dtype=np.bool_)
    for place, row in enumerate(rows):
        inputs[place, : len(row) - 1] = row[:-1]
        labels[place, : len(row) - 1] = row[1:]
        counted[place, : len(row) - 1] = True
    return Window(inputs=inputs, labels=labels, counted=counted)
