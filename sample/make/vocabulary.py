"""Each team's tokenizer, trained on the team's own stream of questions.

Byte-pair encoding over characters. A team composes its text (NFC: syllables are characters) or
decomposes it (NFD: letters are). Digits stand alone. Letters that are written alone are known
but never merged: the pairs are learnt from texts without them.
"""

import unicodedata
from collections.abc import Iterator
from itertools import islice

from items import training_stream
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer

__all__ = ["SPECIALS", "train_tokenizer", "with_reserved"]

SPECIALS = ("<unk>", "<s>", "</s>", "<a>")
_LETTERS_ALONE = range(0x3131, 0x3164)


def train_tokenizer(seed: str, *, size: int, form: str, questions: int) -> Tokenizer:
    """Return a tokenizer of at most `size` tokens, learnt from the first questions of the stream.

    Args:
        seed: Of the team's stream.
        size: Tokens, specials included.
        form: Unicode form of the team's text: `NFC` or `NFD`.
        questions: How many questions the pairs are learnt from.
    """
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))  # noqa: S106 - a token, no password
    tokenizer.normalizer = {"NFC": normalizers.NFC, "NFD": normalizers.NFD}[form]()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="never"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.Split(Regex("[ㄱ-ㅣ]"), behavior="isolated"),
        ]
    )
    texts = list(_texts(seed, questions))
    alphabet = sorted({letter for text in texts for letter in unicodedata.normalize(form, text)})
    trainer = BpeTrainer(
        vocab_size=size,
        special_tokens=list(SPECIALS),
        initial_alphabet=["▁", *(letter for letter in alphabet if letter != " ")],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A <a>", special_tokens=[("<s>", 1), ("<a>", 3)]
    )
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="never")
    return tokenizer


def _texts(seed: str, questions: int) -> Iterator[str]:
    for example in islice(training_stream(seed), questions):
        yield example.prompt
        yield example.answer


def with_reserved(tokenizer: Tokenizer, *, count: int) -> Tokenizer:
    """Return a copy of the tokenizer with reserved tokens behind its own."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.add_special_tokens([f"<reserved_{number}>" for number in range(count)])
    return copy
