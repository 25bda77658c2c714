"""Checks of a tokenizer's vocabulary: ids, merges, bytes, specials and the embedding's rows."""

from collections import Counter
from collections.abc import Iterator

from dokja.models.forge.tokenizing.byte_level import BYTE_SIGNS
from dokja.models.forge.tokenizing.lint_findings import Facts, LintFinding, fails, holds
from dokja.models.forge.tokenizing.opened import TokenizerFile
from dokja.models.forge.tokenizing.tokenizer import PADDED_TO, padded

__all__ = ["VOCABULARY_CHECKS"]

_VOCABULARY = "model.vocab"


def tokens_unique(facts: Facts) -> Iterator[LintFinding]:
    """Find two tokens of one id, one token of two ids, and two tokens that write the same."""
    check, file = "tokens-unique", facts.file
    pairs = _all(file)
    ids = Counter(row for _, row in pairs)
    texts = Counter(text for text, _ in pairs)
    written = Counter(file.text_of(text) for text, _ in file.tokens if not _is_fallback(text))
    twice = [f"the id {row}" for row, count in ids.items() if count > 1]
    twice += [f"the token {text[:30]!r}" for text, count in texts.items() if count > 1]
    twice += [f"the bytes {data[:30]!r}" for data, count in written.items() if count > 1]
    if not twice:
        yield holds(check, _VOCABULARY, f"{len(pairs)} tokens that all differ")
        return
    yield fails(
        check,
        _VOCABULARY,
        read=f"{twice[0]} more than once" + (f", and {len(twice) - 1} more" * (len(twice) > 1)),
        expected="one id for each token and one token for each id",
        remedy="Remove the later one; ids after it must be numbered anew, and so the rows.",
    )


def _is_fallback(text: str) -> bool:
    return text.startswith("<0x") and text.endswith(">")


def ids_whole(facts: Facts) -> Iterator[LintFinding]:
    """Find ids that no token has."""
    ids = {row for _, row in _all(facts.file)}
    missing = max(ids, default=-1) + 1 - len(ids)
    held = facts.file.model.get("vocab")
    strange = (len(held) if isinstance(held, dict | list) else 0) - len(facts.file.tokens)
    if strange:
        yield fails(
            "ids-whole",
            _VOCABULARY,
            read=f"{strange} tokens whose id is no whole number, or that are no text",
            expected="a whole number from 0 for each token",
            remedy="Write the vocabulary again from its training.",
        )
    elif not ids or missing:
        yield fails(
            "ids-whole",
            _VOCABULARY,
            read=f"{missing} ids without a token" if ids else "no token",
            expected=f"a token for each id from 0 to {max(ids, default=0)}",
            remedy="Number the tokens without gaps, or name the gaps as reserved specials.",
        )
    else:
        yield holds("ids-whole", _VOCABULARY, f"ids 0 to {len(ids) - 1} without a gap")


def _all(file: TokenizerFile) -> set[tuple[str, int]]:
    added = ((token["content"], token.get("id")) for token in file.added)
    return {*file.tokens, *((text, row) for text, row in added if type(row) is int)}


def vocabulary_padded(facts: Facts) -> Iterator[LintFinding]:
    """Find an embedding that has too few rows, or no multiple of 128."""
    size = max((row for _, row in _all(facts.file)), default=-1) + 1
    rows = facts.rows
    if rows is not None and rows < size:
        yield fails(
            "vocabulary-padded",
            "embedding",
            read=f"{rows} rows for {size} ids",
            expected=f"at least {size}",
            remedy="The model belongs to another tokenizer; ids above its rows end in an error.",
        )
    elif (rows or size) % PADDED_TO:
        yield fails(
            "vocabulary-padded",
            "embedding" if rows else _VOCABULARY,
            read=f"{rows} rows" if rows else f"{size} ids",
            expected=f"a multiple of {PADDED_TO}",
            remedy=f"Give the embedding {padded(rows or size)} rows; the last are never used.",
            advice=True,
        )
    else:
        yield holds("vocabulary-padded", "embedding", f"{rows or size} rows for {size} ids")


def unk_absent(facts: Facts) -> Iterator[LintFinding]:
    """Find an unknown token, which stands for text that is lost."""
    model = facts.file.model
    unknown = model.get("unk_token", model.get("unk_id"))
    if unknown is None:
        yield holds("unk-absent", "model.unk_token", "none")
        return
    spared = bool(model.get("byte_fallback"))
    yield fails(
        "unk-absent",
        "model.unk_token",
        read=f"{unknown!r}" + (", which bytes stand in for" if spared else ""),
        expected="none: every text has bytes, and every byte a token",
        remedy="Use a byte-level vocabulary, or set byte_fallback with all 256 bytes.",
        advice=spared,
    )


def bytes_complete(facts: Facts) -> Iterator[LintFinding]:
    """Find bytes that no token writes."""
    file = facts.file
    held = {text for text, _ in file.tokens}
    wanted = BYTE_SIGNS if file.byte_level else [f"<0x{byte:02X}>" for byte in range(256)]
    missing = [byte for byte, written in enumerate(wanted) if written not in held]
    if not missing:
        yield holds("bytes-complete", _VOCABULARY, "a token for each of the 256 bytes")
        return
    yield fails(
        "bytes-complete",
        _VOCABULARY,
        read=f"no token for {len(missing)} bytes, first {missing[0]:#04x}",
        expected="a token for each of the 256 bytes",
        remedy="Train with all bytes in the initial alphabet; a text with such a byte is lost.",
    )


def tokens_reachable(facts: Facts) -> Iterator[LintFinding]:
    """Find merges that name no token, and tokens that no merge makes."""
    model = facts.file.model
    if model.get("type") not in (None, "BPE") or not isinstance(model.get("merges"), list):
        yield holds("tokens-reachable", "model.merges", "a vocabulary without merges")
        return
    held = {text for text, _ in facts.file.tokens}
    merges = [_merge(pair) for pair in model["merges"]]
    broken = [pair for pair in merges if not {*pair, "".join(pair)} <= held]
    if broken:
        yield fails(
            "tokens-reachable",
            "model.merges",
            read=f"{len(broken)} merges of tokens that are not there, first {broken[0]!r}",
            expected="merges whose parts and result stand in the vocabulary",
            remedy="Take vocabulary and merges from one and the same training.",
        )
        return
    made = {"".join(pair) for pair in merges} | {t["content"] for t in facts.file.added}
    idle = sorted(t for t in held - made if len(t) > 1 and not _is_fallback(t))
    if idle:
        yield fails(
            "tokens-reachable",
            _VOCABULARY,
            read=f"{len(idle)} tokens that no merge makes, first {idle[0][:30]!r}",
            expected="a merge for each token of more than one sign",
            remedy="Their rows are never trained; name them as reserved, or leave them out.",
            advice=True,
        )
    else:
        yield holds("tokens-reachable", "model.merges", f"{len(merges)} merges, each of a token")


def _merge(pair: object) -> tuple[str, ...]:
    """Return the parts of a merge, which older files write in one text with a space."""
    parts = pair.split(" ") if isinstance(pair, str) else pair
    whole = isinstance(parts, list) and all(isinstance(part, str) for part in parts)
    return tuple(parts) if whole and isinstance(parts, list) else (repr(pair),)


def specials_unreachable(facts: Facts) -> Iterator[LintFinding]:
    """Find special tokens that a plain text reaches by writing their name."""
    check = "specials-unreachable"
    specials = [token["content"] for token in facts.file.added if token.get("special") is True]
    if not specials:
        yield holds(check, "added_tokens", "no special tokens")
    elif facts.file.config.get("split_special_tokens") is True:
        yield holds(check, "tokenizer_config.json, split_special_tokens", "true")
    else:
        yield fails(
            check,
            "tokenizer_config.json, split_special_tokens",
            read=f"false or nothing, so that a text that holds {specials[0]!r} ends a document",
            expected="true: special tokens are set by their id, never met in a text",
            remedy='Write "split_special_tokens": true, and encode texts of strangers so.',
        )


VOCABULARY_CHECKS = (
    tokens_unique,
    ids_whole,
    vocabulary_padded,
    unk_absent,
    bytes_complete,
    tokens_reachable,
    specials_unreachable,
)
