"""Three encoders, one answer: our own in plain Python, tiktoken, and the file that others read.

A model is trained on the ids of one encoder and used through another, often by somebody else. That
they agree is a condition of building a tokenizer. Plain Python and tiktoken give equal ids for
every text that both cut alike, since every token's own bytes merge back to it, which
`train.merges_of` makes sure of; how the engines cut is compared on the pinned probe.
"""

from collections.abc import Callable, Iterable
from itertools import zip_longest
from pathlib import Path

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.extras import need
from dokja.models.forge.tokenizing.folders import FILE
from dokja.models.forge.tokenizing.probes import probe
from dokja.models.forge.tokenizing.tokenizer import Tokenizer, utf8
from dokja.values import shown

__all__ = [
    "Encode",
    "check_agreement",
    "disagreement",
    "fast_encoder",
    "file_coder",
    "file_encoder",
]

Encode = Callable[[str], list[int]]
"""Takes a text and returns its ids, never that of a special token."""


def fast_encoder(tokenizer: Tokenizer) -> Encode:
    """Return a quick way to the ids that `tokenizer.encode` gives, through tiktoken.

    A tokenizer without merges needs no tiktoken: its ids are the bytes.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.

    Example:
        >>> from dokja.models.forge.tokenizing.tokenizer import byte_tokenizer
        >>> fast_encoder(byte_tokenizer())("독")
        [235, 143, 133]
    """
    if tokenizer.pattern is None:
        return lambda text: [*utf8(text)]
    tiktoken = need("tiktoken", extra="tokenizer")
    encoding = tiktoken.Encoding(
        f"dokja-{tokenizer.digest.short}",
        pat_str=tokenizer.pattern,
        mergeable_ranks={token: place for place, token in enumerate(tokenizer.vocabulary)},
        special_tokens=dict(tokenizer.special_ids),
    )

    def encode(text: str) -> list[int]:
        utf8(text)  # tiktoken would put U+FFFD in place of half a surrogate pair
        ids: list[int] = encoding.encode_ordinary(text)
        return ids

    return encode


def file_encoder(path: Path) -> Encode:
    """Return the encoder that a `tokenizer.json` describes, through the tokenizers package.

    Special tokens are read as plain text, and none is set before or after it.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.
        RecipeError: The package cannot read the file.
    """
    return file_coder(path)[0]


def file_coder(path: Path) -> tuple[Encode, Callable[[list[int]], str]]:
    """Return the encoder of a `tokenizer.json`, as `file_encoder` does, and its decoder."""
    tokenizers = need("tokenizers", extra="tokenizer")
    with _Refusal(str(path), expected="a tokenizer.json"):
        loaded = tokenizers.Tokenizer.from_str(path.read_text(encoding="utf-8"))
    loaded.encode_special_tokens = True
    # A file may ask for truncation, which would hide what it does to a text.
    loaded.no_truncation()
    loaded.no_padding()

    def encode(text: str) -> list[int]:
        with _Refusal(str(path), expected="an encoder that takes every text"):
            ids: list[int] = loaded.encode(text, add_special_tokens=False).ids
        return ids

    def decode(ids: list[int]) -> str:
        with _Refusal(str(path), expected="a decoder that takes every id"):
            text: str = loaded.decode(ids, skip_special_tokens=False)
        return text

    return encode, decode


class _Refusal:
    """Turns a refusal of the tokenizers package, which raises `Exception` itself, into our own."""

    def __init__(self, file: str, *, expected: str) -> None:
        self.file = file
        self.expected = expected

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if kind is Exception or isinstance(error, UnicodeDecodeError):
            wrong = Mistake(
                file=self.file,
                place="",
                read=f"something that the tokenizers package refuses: {shown(str(error))}",
                expected=self.expected,
            )
            raise RecipeError([wrong]) from error


def check_agreement(tokenizer: Tokenizer, folder: Path) -> None:
    """Make sure that all encoders agree on the pinned probe and give each text back.

    Args:
        tokenizer: The tokenizer.
        folder: Where its `tokenizer.json` lies.

    Raises:
        ExtraMissingError: The extra `tokenizer` is not installed.
        RecipeError: They differ; the message shows the first difference.
    """
    ways = {
        "tiktoken": fast_encoder(tokenizer),
        f"tokenizers from {FILE}": file_encoder(folder / FILE),
    }
    texts = probe().texts
    for name, way in ways.items():
        wrong = disagreement(tokenizer.encode, way, texts=texts, name=name)
        if wrong is not None:
            raise RecipeError([wrong])
    for text in texts:
        back = tokenizer.decode(tokenizer.encode(text))
        if back != text:
            raise RecipeError([_lost(text, back)])


def disagreement(
    ours: Encode, theirs: Encode, *, texts: Iterable[str], name: str
) -> Mistake | None:
    """Return the first text to which two encoders give different ids, or `None`.

    Args:
        ours: The encoder in plain Python.
        theirs: Another.
        texts: What both encode.
        name: What the mistake calls the other.

    Example:
        >>> wrong = disagreement(lambda text: [1, 2], lambda text: [1, 3], texts=["가"], name="x")
        >>> wrong.read
        "id 2 is 3 from x for '가'"
    """
    for text in texts:
        for place, (one, other) in enumerate(zip_longest(ours(text), theirs(text)), start=1):
            if one != other:
                read = "missing" if other is None else str(other)
                wanted = "no further id" if one is None else str(one)
                return Mistake(
                    file="tokenizer",
                    place="equal ids",
                    read=f"id {place} is {read} from {name} for {shown(repr(text))}",
                    expected=f"{wanted}, as our own encoder has it",
                    remedy="The engines read the split pattern differently; write it with "
                    "\\p{L}, \\p{N}, \\s and plain classes only, so that it covers every text.",
                )
    return None


def _lost(text: str, back: str) -> Mistake:
    return Mistake(
        file="tokenizer",
        place="round trip",
        read=shown(repr(back)),
        expected=shown(repr(text)),
        remedy="The split pattern must cover every sign of a text.",
    )
