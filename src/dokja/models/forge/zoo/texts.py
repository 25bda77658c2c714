"""Invented languages for the zoo: text that a small network can learn, from a seed alone.

A language has words of two or three of 254 Hangul syllables, and each word is followed by a few
others much more often than by the rest. Two further signs mark questions and answers. Every
syllable stands in some word, so that no row of an embedding stays untrained. A network that
knows only how often syllables occur pays the entropy of their frequencies; what it learns beyond
that shows as a lower loss.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.transforms.draws import permutation, uniforms
from dokja.values import Digest, Json, canonical_bytes

__all__ = [
    "ALPHABET",
    "VOCABULARY",
    "Language",
    "answers",
    "decode",
    "encode",
    "entropy",
    "tokenizer_digest",
    "tokenizer_json",
]

VOCABULARY = 256
QUESTION, ANSWER = 254, 255
ALPHABET = "".join(chr(0xAC00 + 28 * number) for number in range(VOCABULARY - 2)) + "?!"
"""The signs by their ids: syllables without a final consonant, then two marks."""

_IDS = {sign: number for number, sign in enumerate(ALPHABET)}
_WORDS = 240
_FOLLOWERS = 6
_WORDS_PER_LINE = 160


def encode(text: str) -> list[int]:
    """Return the ids of a text's signs.

    Raises:
        KeyError: A sign is not in the alphabet.

    Example:
        >>> encode(ALPHABET[3:5] + "?")
        [3, 4, 254]
    """
    return [_IDS[sign] for sign in text]


def decode(ids: Sequence[int] | NDArray[np.int64]) -> str:
    """Return the text of some ids.

    Example:
        >>> decode(encode("가!")) == "가!"
        True
    """
    return "".join(ALPHABET[int(number)] for number in ids)


@dataclass(frozen=True)
class Language:
    """An invented language.

    Attributes:
        seed: From which its words follow.
        grammar: From which follows what word follows which; the seed unless it is given. Two
            languages of one seed and two grammars share their words.

    Example:
        >>> language = Language(b"a")
        >>> set(encode("".join(language.words))) == set(range(254))
        True
    """

    seed: bytes
    grammar: bytes = b""

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Its words, the most frequent ones first."""
        syllables = VOCABULARY - 2
        wanted = 3 * _WORDS
        rounds = -(-wanted // syllables)
        order = np.concatenate(
            [permutation(self.seed, f"words/{n}", count=syllables) for n in range(rounds)]
        )
        long = uniforms(self.seed, "words/long", count=_WORDS) < 0.5  # noqa: PLR2004  # half of them
        found, at = [], 0
        for number in range(_WORDS):
            length = 3 if long[number] else 2
            found.append(decode(order[at : at + length]))
            at += length
        return tuple(found)

    @cached_property
    def _followers(self) -> NDArray[np.int64]:
        """For each word, the words that follow it, the most frequent one first."""
        rows = [
            permutation(self.grammar or self.seed, f"followers/{word}", count=_WORDS)[:_FOLLOWERS]
            for word in range(_WORDS)
        ]
        return np.array(rows)

    def text(self, tokens: int, *, draw: str) -> Iterator[str]:
        """Yield lines of text, of at least so many tokens together.

        Args:
            tokens: How many.
            draw: Names this text; another name is another text of the same language.
        """
        shares = 1.0 / np.arange(1, _FOLLOWERS + 1)
        limits = np.cumsum(shares) / shares.sum()
        done = number = 0
        while done < tokens:
            chance = uniforms(
                self.grammar or self.seed, f"text/{draw}/{number}", count=2 * _WORDS_PER_LINE
            )
            ranks = np.searchsorted(limits, chance[::2], side="right")
            strays = (chance[1::2] * _WORDS * 10).astype(np.int64)  # one word in ten is any word
            word, line = int(strays[0]) % _WORDS, []
            for rank, stray in zip(ranks.tolist(), strays.tolist(), strict=True):
                word = stray if stray < _WORDS else int(self._followers[word, rank])
                line.append(self.words[word])
            said = "".join(line)
            done, number = done + len(said), number + 1
            yield said


def answers(language: Language, tokens: int) -> Iterator[str]:
    """Yield questions and answers over a language's words, of at least so many tokens together.

    The answer to a word is the word that a fixed rule pairs it with, followed by the word itself.
    """
    pairs = permutation(language.seed, "answers/pairs", count=_WORDS)
    done = number = 0
    while done < tokens:
        order = permutation(language.seed, f"answers/order/{number}", count=_WORDS)
        said = "".join(
            f"?{language.words[word]}!{language.words[pairs[word]]}{language.words[word]}"
            for word in order.tolist()
        )
        done, number = done + len(said), number + 1
        yield said


def entropy(ids: NDArray[np.int64]) -> float:
    """Return the entropy of how often ids occur, in nats: the loss of who knows only that.

    Example:
        >>> round(entropy(np.array([0, 1, 0, 1])), 4)
        0.6931
    """
    counts = np.bincount(ids.ravel()).astype(np.float64)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def tokenizer_json() -> dict[str, Json]:
    """Return the tokenizer as Hugging Face's `tokenizer.json`: one token a sign."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"Regex": "."},
            "behavior": "Isolated",
            "invert": False,
        },
        "post_processor": None,
        "decoder": {"type": "Fuse"},
        "model": {"type": "WordLevel", "vocab": dict(_IDS), "unk_token": "가"},
    }


def tokenizer_digest() -> Digest:
    """Return the digest of the tokenizer, which corpora carry."""
    return Digest.of(canonical_bytes(tokenizer_json()))
