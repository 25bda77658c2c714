"""The zoo's corpora: invented text, questions and answers, and what a teacher says.

Each is packed when the first training asks for it, whole or not at all, and lies in `corpora/`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dokja.documents.packing import Corpus, CorpusFacts, open_corpus, write_corpus
from dokja.models.forge.engines.ref import logits
from dokja.models.forge.transforms import Model
from dokja.models.forge.transforms.draws import uniforms
from dokja.models.forge.zoo.texts import (
    VOCABULARY,
    Language,
    answers,
    decode,
    encode,
    entropy,
    tokenizer_digest,
)

__all__ = ["TAUGHT", "corpus_form", "ensure_corpus", "taught_text", "token_entropy"]

TAUGHT = "taught-by-"
"""How names of corpora begin that a teacher said."""

_LANGUAGES: Mapping[str, Language] = {
    "language-a": Language(b"zoo/a"),
    "language-b": Language(b"zoo/b"),
    "language-c": Language(b"zoo/c"),
    # What training is continued on: the words of the first, put together otherwise.
    "language-d": Language(b"zoo/a", grammar=b"zoo/d"),
}
_ANSWERS_SHARE = 0.25
_SAID_LENGTH = 32
_SAID_AT_ONCE = 256


def corpus_form(name: str) -> str:
    """Return what a corpus holds: `text` or `answers`.

    Example:
        >>> corpus_form("answers"), corpus_form("language-d")
        ('answers', 'text')
    """
    return "answers" if name == "answers" else "text"


def ensure_corpus(folder: Path, name: str, *, tokens: int, teacher: Model | None = None) -> Corpus:
    """Return a corpus, packed now if it is not there yet.

    Args:
        folder: Where corpora lie.
        name: Which one.
        tokens: How many tokens a language's text has, at least.
        teacher: Who says a corpus that is taught.

    Raises:
        CorpusError: It is damaged, or cannot be written.
        ValueError: It is taught and there is no teacher.
    """
    path = folder / name
    if path.is_dir():
        return open_corpus(path)
    folder.mkdir(parents=True, exist_ok=True)
    return write_corpus(
        _texts(name, tokens=tokens, teacher=teacher),
        path,
        encode=encode,
        facts=CorpusFacts(
            name=name,
            tokenizer=tokenizer_digest(),
            vocabulary=VOCABULARY,
            licence="CC0-1.0",
            origin="invented by dokja.models.forge.zoo",
            collected="2026-01-01",
            personal_data="none",
        ),
    )


def token_entropy(corpus: Corpus) -> float:
    """Return the entropy of how often a corpus's tokens occur, in nats."""
    return entropy(corpus.read(0, corpus.manifest.tokens).astype(np.int64))


def taught_text(teacher: Model, *, tokens: int, seed: bytes) -> Iterator[str]:
    """Yield what a teacher says when it is let talk, line by line.

    Every line begins with a sign drawn evenly, and goes on with the teacher's own distribution:
    what sequence-level distillation learns from (Kim and Rush, arXiv 1606.07947), sampled.

    Args:
        teacher: A network that the reference engine computes.
        tokens: How many, at least.
        seed: From which its choices are drawn.
    """
    weights = {name: teacher.tensors.read(name) for name in teacher.tensors.names}
    for number in range(-(-tokens // (_SAID_LENGTH * _SAID_AT_ONCE))):
        chance = uniforms(seed, f"taught/{number}", count=_SAID_AT_ONCE * _SAID_LENGTH)
        chances = chance.reshape(_SAID_LENGTH, _SAID_AT_ONCE)
        said = (chances[:1] * VOCABULARY).astype(np.int64).T
        for chances_now in chances[1:]:
            at = said.shape[1] - 1
            window = said if at else np.repeat(said, 2, axis=1)  # what comes later is not seen
            last = logits(weights, teacher.structure, window)[:, at].astype(np.float64)
            said = np.concatenate([said, _chosen(last, chances_now)[:, None]], axis=1)
        for line in said:
            yield decode(line)


def _chosen(last: NDArray[np.float64], chances: NDArray[np.float64]) -> NDArray[np.int64]:
    shares = np.exp(last - last.max(axis=1, keepdims=True))
    limits = np.cumsum(shares, axis=1)
    found: NDArray[np.int64] = (limits < chances[:, None] * limits[:, -1:]).sum(axis=1)
    return found


def _texts(name: str, *, tokens: int, teacher: Model | None) -> Iterator[str]:
    if name in _LANGUAGES:
        return _LANGUAGES[name].text(tokens, draw=name)
    if name == "answers":
        return answers(_LANGUAGES["language-a"], round(_ANSWERS_SHARE * tokens))
    if teacher is None:
        raise ValueError(f"nobody says {name}")
    return taught_text(teacher, tokens=tokens, seed=name.encode())
