"""A tokenizer as llama.cpp reads it: tokens, their types, merges, and how a text is cut.

llama.cpp cuts a text by rules that it knows by name (`tokenizer.ggml.pre`). A split pattern that
has no such name is refused, unless a named one gives the same ids on every text of the probe. A
tokenizer without merges gets the bytes' ids however a text is cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dokja.errors import Mistake, TransformError
from dokja.models.forge.tokenizing import SPLITS, Tokenizer, disagreement
from dokja.models.forge.tokenizing.byte_level import to_signs

__all__ = ["GgufVocabulary", "gguf_vocabulary", "pre_tokenizer"]

NORMAL, CONTROL, UNUSED = 1, 3, 5
"""Types of tokens, as llama.cpp numbers them."""

# llama.cpp refuses a vocabulary without merges, and the gguf package an empty list. These two
# bytes never stand in UTF-8, so that the merge is never made.
_NEVER = f"{to_signs(bytes([0xFF]))} {to_signs(bytes([0xFE]))}"

_DEFAULT_END = 11  # what llama.cpp takes for the end of a text where a vocabulary names none


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufVocabulary:
    """What goes into a GGUF file.

    Attributes:
        tokens: One for each row of the embedding; bytes as signs.
        types: Of each.
        merges: Two tokens with a space between them.
        pre: The value of `tokenizer.ggml.pre`.
        end: The id that ends a text; none where there are no specials.
        notes: What somebody who runs the file must know.
    """

    tokens: tuple[str, ...]
    types: tuple[int, ...]
    merges: tuple[str, ...]
    pre: str
    end: int | None
    notes: tuple[str, ...]


def gguf_vocabulary(
    tokenizer: Tokenizer, *, rows: int, texts: Sequence[str], file: str
) -> GgufVocabulary:
    """Return a tokenizer as llama.cpp reads it.

    Args:
        tokenizer: One of ours.
        rows: Rows of the model's embedding; those without a token are named and marked unused.
        texts: On which another cut must give equal ids, where llama.cpp has no name for ours.
        file: What mistakes call the tokenizer.

    Raises:
        TransformError: llama.cpp would cut texts otherwise, or a special reads like a token.

    Example:
        >>> from dokja.models.forge.tokenizing import byte_tokenizer
        >>> made = gguf_vocabulary(byte_tokenizer(("<end>",)), rows=258, texts=(), file="t")
        >>> made.tokens[32], made.tokens[255:], made.types[255:], made.end
        ('Ġ', ('ÿ', '<end>', '[PAD257]'), (1, 3, 5), 256)
    """
    plain = [to_signs(token) for token in tokenizer.vocabulary]
    pads = [f"[PAD{row}]" for row in range(tokenizer.size, rows)]
    tokens = (*plain, *tokenizer.specials, *pads)
    twice = sorted({token for token in tokens if tokens.count(token) > 1}) if pads else []
    twice += sorted(set(plain) & set(tokenizer.specials))
    if twice:
        read = f"{twice[0]!r}, which is a token already"
        raise TransformError(
            [Mistake(file=file, place="specials", read=read, expected="texts of their own")]
        )
    pre, notes = pre_tokenizer(tokenizer, texts=texts, file=file)
    merges = tuple(f"{plain[left]} {plain[right]}" for left, right in tokenizer.merges)
    return GgufVocabulary(
        tokens=tokens,
        types=(
            *(NORMAL for _ in plain),
            *(CONTROL for _ in tokenizer.specials),
            *(UNUSED for _ in pads),
        ),
        merges=merges or (_NEVER,),
        pre=pre,
        end=tokenizer.end,
        notes=(*notes, *_notes(tokenizer)),
    )


def _notes(tokenizer: Tokenizer) -> Iterator[str]:
    if not tokenizer.merges:
        yield "no merges: one that no text makes stands in their place; transformers reads none"
    if tokenizer.end is None:
        yield f"no token ends a text: llama.cpp takes id {_DEFAULT_END} for it (--ignore-eos)"


def pre_tokenizer(
    tokenizer: Tokenizer, *, texts: Sequence[str], file: str
) -> tuple[str, tuple[str, ...]]:
    """Return the name of the rule by which llama.cpp cuts like this tokenizer, and notes on it.

    Raises:
        TransformError: There is none; the message shows the first text that it would cut
            otherwise.
    """
    if tokenizer.pattern is None:
        return "gpt-2", ()
    known = {split.pattern: split.ggml for split in SPLITS.values() if split.ggml is not None}
    if tokenizer.pattern in known:
        return known[tokenizer.pattern], ()
    against = []
    for pattern, name in known.items():
        other = Tokenizer(
            merges=tokenizer.merges, pattern=pattern, specials=tokenizer.specials
        ).encode
        wrong = disagreement(tokenizer.encode, other, texts=texts, name=name)
        if wrong is None and texts:
            note = f"equal ids under {name} on {len(texts)} texts, which proves it for no other"
            return name, (note,)
        against.append(wrong)
    first = next((wrong.read for wrong in against if wrong is not None), "no text to compare on")
    ours = next((one.name for one in SPLITS.values() if one.pattern == tokenizer.pattern), None)
    raise TransformError(
        [
            Mistake(
                file=file,
                place="split pattern",
                read=f"{ours or 'one of your own'}: {first}",
                expected=f"one that llama.cpp knows by name: {', '.join(known.values())}",
                remedy="Export it as onnx, or train the tokenizer with one of these splits.",
            )
        ]
    )
