"""What a byte-level tokenizer is: 256 bytes, the merges learned in order, and specials.

Every text has ids and every id has bytes, so that nothing is ever lost or unknown. Specials
stand after the vocabulary and are never met in a text: whoever wants one sets its id. Encoding
here is plain Python and needs no extra; `agreement.fast_encoder` is the quick way to the same ids.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.tokenizing.byte_level import byte_tokens, merge_pieces
from dokja.models.forge.tokenizing.patterns import pieces
from dokja.values import Digest, canonical_bytes, shown

__all__ = [
    "PADDED_TO",
    "Tokenizer",
    "byte_tokenizer",
    "first_difference",
    "fit_mistakes",
    "fits",
    "padded",
    "same_merges",
]

PADDED_TO = 128
"""Embeddings get a whole multiple of this many rows, which matrix units prefer."""

BYTES = 256
_CACHED_PIECES = 1 << 16


def padded(size: int) -> int:
    """Return how many embedding rows a vocabulary gets.

    Example:
        >>> padded(256), padded(257), padded(2000)
        (256, 384, 2048)
    """
    return -(-size // PADDED_TO) * PADDED_TO


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    r"""A byte-level tokenizer.

    Attributes:
        merges: Pairs of ids in the order in which they were learned; the first becomes id 256.
        pattern: The split pattern; `None` leaves a text in one piece, as only a tokenizer
            without merges may.
        specials: Texts of the special tokens; their ids follow the vocabulary. The first ends a
            document.

    Raises:
        RecipeError: A merge names an id that is not there yet or makes a token twice, a special
            stands twice or is empty, or merges come without a split pattern.

    Example:
        >>> tokenizer = Tokenizer(merges=((97, 97), (256, 97)), pattern=r"\S+|\s+")
        >>> tokenizer.encode("aaa aa")
        [257, 32, 256]
        >>> tokenizer.decode([257, 32, 256])
        'aaa aa'
    """

    merges: tuple[tuple[int, int], ...]
    pattern: str | None
    specials: tuple[str, ...] = ()
    _cache: dict[bytes, tuple[int, ...]] = field(
        default_factory=dict, init=False, repr=False, compare=False, hash=False
    )

    def __post_init__(self) -> None:
        mistakes = tuple(_mistakes(self.merges, self.pattern, self.specials))
        if mistakes:
            raise RecipeError(mistakes)

    @cached_property
    def vocabulary(self) -> tuple[bytes, ...]:
        """The bytes of each id, specials left out."""
        found = [*byte_tokens()]
        for left, right in self.merges:
            found.append(found[left] + found[right])
        return tuple(found)

    @cached_property
    def special_ids(self) -> Mapping[str, int]:
        """The id of each special."""
        first = BYTES + len(self.merges)
        return {text: first + place for place, text in enumerate(self.specials)}

    @property
    def kind(self) -> str:
        """`bytes` without merges, else `byte-bpe`."""
        return "byte-bpe" if self.merges else "bytes"

    @property
    def size(self) -> int:
        """How many ids there are, specials included."""
        return BYTES + len(self.merges) + len(self.specials)

    @property
    def rows(self) -> int:
        """How many rows the embedding gets: the size padded to a multiple of 128."""
        return padded(self.size)

    @property
    def end(self) -> int | None:
        """The id that ends a document, if there are specials."""
        return self.special_ids[self.specials[0]] if self.specials else None

    @cached_property
    def digest(self) -> Digest:
        """The digest of vocabulary, merges, pattern and specials in canonical JSON (RFC 8785)."""
        return Digest.of(
            canonical_bytes(
                {
                    "schema": "dokja.tokenizer/1",
                    "kind": self.kind,
                    "vocabulary": [token.hex() for token in self.vocabulary],
                    "merges": [list(pair) for pair in self.merges],
                    "pattern": self.pattern,
                    "specials": list(self.specials),
                }
            )
        )

    @cached_property
    def _merged(self) -> Mapping[tuple[int, int], int]:
        return {pair: BYTES + place for place, pair in enumerate(self.merges)}

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; specials in it are read as the plain text that they are.

        Raises:
            RecipeError: The text holds half a surrogate pair and has no UTF-8.
            ValueError: The split pattern cannot be written for Python's `re`.
        """
        data = utf8(text)
        if self.pattern is None:
            return [*data]
        ids: list[int] = []
        for piece in pieces(self.pattern, text):
            ids += self._piece(piece.encode())
        return ids

    def _piece(self, piece: bytes) -> tuple[int, ...]:
        found = self._cache.get(piece)
        if found is None:
            found = tuple(merge_pieces([*piece], self._merged))
            if len(self._cache) < _CACHED_PIECES:
                self._cache[piece] = found
        return found

    def token_bytes(self, token: int) -> bytes:
        """Return the bytes of one id; those of a special are its text.

        Raises:
            RecipeError: There is no such id.
        """
        plain = BYTES + len(self.merges)
        if 0 <= token < plain:
            return self.vocabulary[token]
        if plain <= token < self.size:
            return self.specials[token - plain].encode()
        raise RecipeError(
            [
                Mistake(
                    file="tokens",
                    place="",
                    read=f"the id {token}",
                    expected=f"a whole number from 0 to {self.size - 1}",
                    remedy="The tokens were made by another tokenizer; compare the digests.",
                )
            ]
        )

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of these ids; bytes that are no UTF-8 show as U+FFFD.

        Raises:
            RecipeError: There is no such id.
        """
        return b"".join(self.token_bytes(token) for token in ids).decode(errors="replace")


def utf8(text: str) -> bytes:
    """Return a text in UTF-8.

    Raises:
        RecipeError: It holds half a surrogate pair.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        read = f"half a surrogate pair, U+{ord(text[error.start]):04X}, at sign {error.start + 1}"
        wrong = Mistake(file="text", place="", read=read, expected="text that has UTF-8")
        raise RecipeError([wrong]) from error


def byte_tokenizer(specials: tuple[str, ...] = ()) -> Tokenizer:
    """Return the tokenizer whose tokens are the 256 bytes, and specials after them.

    Example:
        >>> byte_tokenizer(("<|endoftext|>",)).encode("독")
        [235, 143, 133]
    """
    return Tokenizer(merges=(), pattern=None, specials=specials)


def same_merges(one: Tokenizer, other: Tokenizer) -> bool:
    """Tell whether two tokenizers cut and merge every text alike (check V2.6)."""
    return first_difference(one, other) is None


def first_difference(one: Tokenizer, other: Tokenizer) -> str | None:
    """Return where two tokenizers begin to cut or merge differently, or `None`.

    Example:
        >>> learned = Tokenizer(merges=((97, 97),), pattern=".+")
        >>> first_difference(learned, Tokenizer(merges=((97, 98),), pattern=".+"))
        "merge 1 is b'a' + b'a' in the one and b'a' + b'b' in the other"
    """
    if one.pattern != other.pattern:
        return f"the split patterns are {one.pattern!r} and {other.pattern!r}"
    for place, (ours, theirs) in enumerate(zip(one.merges, other.merges, strict=False), start=1):
        if ours != theirs:
            return (
                f"merge {place} is {_pair(one, ours)} in the one "
                f"and {_pair(other, theirs)} in the other"
            )
    if len(one.merges) != len(other.merges):
        return f"the one has {len(one.merges)} merges and the other {len(other.merges)}"
    return None


def _pair(tokenizer: Tokenizer, pair: tuple[int, int]) -> str:
    left, right = (tokenizer.vocabulary[token] for token in pair)
    return f"{left!r} + {right!r}"


def fits(tokenizer: Tokenizer, rows: int, *, digest: Digest | None = None, file: str) -> None:
    """Make sure that a tokenizer belongs to a model.

    Args:
        tokenizer: The tokenizer.
        rows: Rows of the model's embedding.
        digest: The digest that the model's record or corpus names; `None` where none does.
        file: What mistakes call the tokenizer.

    Raises:
        RecipeError: The rows are neither its size nor its size padded to 128, or the digest is
            another.
    """
    mistakes = tuple(fit_mistakes(tokenizer, rows, digest=digest, file=file))
    if mistakes:
        raise RecipeError(mistakes)


def fit_mistakes(
    tokenizer: Tokenizer, rows: int, *, digest: Digest | None = None, file: str
) -> Iterator[Mistake]:
    """Find why a tokenizer does not belong to a model, as `fits` does, without raising."""
    if digest is not None and digest != tokenizer.digest:
        yield Mistake(
            file=file,
            place="digest",
            read=str(tokenizer.digest),
            expected=str(digest),
            remedy="Use the tokenizer that the record names, or pack the corpus again.",
        )
    if rows not in (tokenizer.size, tokenizer.rows):
        yield Mistake(
            file=file,
            place="size",
            read=f"{tokenizer.size} ids, {tokenizer.rows} when padded to {PADDED_TO}",
            expected=f"the {rows} rows of the model's embedding",
            remedy="The model was made for another tokenizer, or its vocabulary was changed since.",
        )


def _mistakes(
    merges: tuple[tuple[int, int], ...], pattern: str | None, specials: tuple[str, ...]
) -> Iterator[Mistake]:
    if merges and not pattern:
        expected = "the split pattern under which the merges were learned"
        yield _wrong("pattern", read="nothing", expected=expected)
    yield from _merge_mistakes(merges)
    for place, special in enumerate(specials):
        if not special or not special.isprintable() or special in specials[:place]:
            yield _wrong(
                f"special {place + 1}",
                read=shown(repr(special)),
                expected="printable texts that differ and are not empty",
            )


def _merge_mistakes(merges: tuple[tuple[int, int], ...]) -> Iterator[Mistake]:
    tokens = [*byte_tokens()]
    made = {token: place for place, token in enumerate(tokens)}
    for place, (left, right) in enumerate(merges):
        if not 0 <= min(left, right) <= max(left, right) < BYTES + place:
            expected = f"ids from 0 to {BYTES + place - 1}"
            yield _wrong(f"merge {place + 1}", read=f"({left}, {right})", expected=expected)
            return  # later ids rest on this one
        token = tokens[left] + tokens[right]
        if token in made:
            read = f"{shown(repr(token))}, which is id {made[token]} already"
            yield _wrong(f"merge {place + 1}", read=read, expected="each token made once")
        made.setdefault(token, BYTES + place)
        tokens.append(token)


def _wrong(place: str, *, read: str, expected: str) -> Mistake:
    return Mistake(file="tokenizer", place=place, read=read, expected=expected)
