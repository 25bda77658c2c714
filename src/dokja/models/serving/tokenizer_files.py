"""Reads a `tokenizer.json` into a tokenizer, or says all that the runtime does not know of it.

A step that is not known cannot be left out: every answer would be to another question. So each
unknown step, setting or damaged part is named, and the tokenizer is refused as a whole.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard, TypeVar, cast, get_args

from dokja.models.serving.pieces import (
    ByteFallback,
    Decoder,
    DigitSplit,
    Form,
    Fuse,
    Metaspace,
    MetaspaceJoin,
    Normaliser,
    PatternSplit,
    Prepend,
    Replace,
    ReplaceJoin,
    Scheme,
    Splitter,
    StripJoin,
)
from dokja.models.serving.tokenizing import Tokenizer
from dokja.models.serving.vocabulary_files import Added, read_added, read_vocabulary

__all__ = ["read_tokenizer"]

_CLASS = re.compile(r"\[(?!\^)(?:[^\W\d_]-[^\W\d_]|[^\W\d_])+\]")
_FORMS = ("NFC", "NFD", "NFKC", "NFKD")
_MAX_DEPTH = 8

Step = TypeVar("Step")
_Paper = Mapping[str, Any]


def read_tokenizer(paper: _Paper, refused: list[str]) -> Tokenizer | None:
    """Return the tokenizer that a paper describes; None when anything is against it.

    Args:
        paper: The object in `tokenizer.json`.
        refused: Everything against it is added here.

    Example:
        >>> refused = []
        >>> read_tokenizer({"model": {"type": "WordPiece"}}, refused)
        >>> refused[0]
        "model.type: read 'WordPiece'; expected 'BPE'"
    """
    before_reading = len(refused)
    refused += [
        f"{key}: read {paper[key]!r:.80}; expected nothing"
        for key in ("truncation", "padding")
        if paper.get(key) is not None
    ]
    vocabulary = read_vocabulary(paper.get("model"), refused)
    added = read_added(paper.get("added_tokens"), vocabulary.ids if vocabulary else {}, refused)
    normalisers = _steps(paper.get("normalizer"), "normalizer", _NORMALISERS, refused)
    splitters = _steps(paper.get("pre_tokenizer"), "pre_tokenizer", _SPLITTERS, refused)
    decoders = _steps(paper.get("decoder"), "decoder", _DECODERS, refused)
    before, after = _template(paper.get("post_processor"), refused)
    if len(refused) > before_reading or vocabulary is None:
        return None
    tokens = {token: text for text, token in vocabulary.ids.items()}
    return Tokenizer(
        normalisers=normalisers,
        splitters=splitters,
        vocabulary=vocabulary,
        before=before,
        after=after,
        decoders=decoders,
        added={item.text: item.token for item in added},
        special=frozenset(item.token for item in added if item.special),
        tokens=tokens | _texts(added),
    )


def _texts(added: Sequence[Added]) -> dict[int, str]:
    return {item.token: item.text for item in added}


@dataclass(frozen=True, slots=True)
class _Kind:
    """How one type of step is made, and which of its keys are known."""

    make: Callable[[_Paper, str, list[str]], Any]
    keys: frozenset[str] = field(default_factory=frozenset)


def _kind(make: Callable[[_Paper, str, list[str]], Any], *keys: str) -> _Kind:
    return _Kind(make, frozenset({"type", *keys}))


def _steps(
    paper: object, place: str, kinds: Mapping[str, _Kind], refused: list[str], *, depth: int = 0
) -> tuple[Any, ...]:
    """Return the steps of a part; a sequence is taken apart."""
    if paper is None:
        return ()
    if not isinstance(paper, dict) or depth > _MAX_DEPTH:
        refused.append(f"{place}: read {paper!r:.80}; expected a step or a sequence of steps")
        return ()
    if paper.get("type") != "Sequence":
        made = _step(paper, place, kinds, refused)
        return () if made is None else (made,)
    # Normalisers, splitters and decoders each call the list of their steps otherwise.
    lists = [value for key, value in paper.items() if key != "type"]
    if len(lists) != 1 or not isinstance(lists[0], list):
        refused.append(f"{place}: read {paper!r:.80}; expected one list of steps")
        return ()
    return tuple(
        step
        for number, item in enumerate(lists[0])
        for step in _steps(item, f"{place}[{number}]", kinds, refused, depth=depth + 1)
    )


def _step(paper: _Paper, place: str, kinds: Mapping[str, _Kind], refused: list[str]) -> Any:
    name = paper.get("type")
    kind = kinds.get(name) if isinstance(name, str) else None
    if kind is None:
        expected = ", ".join(sorted([*kinds, "Sequence"]))
        refused.append(f"{place}: read the type {name!r:.80}; expected one of {expected}")
        return None
    strange = sorted(set(paper) - kind.keys)
    if strange:
        refused.append(f"{place}: read the settings {strange!r:.80}; expected {sorted(kind.keys)}")
        return None
    return kind.make(paper, place, refused)


def _setting(
    paper: _Paper, key: str, kind: type[Step], place: str, refused: list[str]
) -> Step | None:
    value = paper.get(key)
    if type(value) is kind:
        return value
    refused.append(f"{place}.{key}: read {value!r:.80}; expected a value of type {kind.__name__}")
    return None


def _form(paper: _Paper, place: str, refused: list[str]) -> Normaliser:
    del place, refused  # a form has no settings that could be wrong
    return Form(cast("Literal['NFC', 'NFD', 'NFKC', 'NFKD']", paper["type"]))


def _prepend(paper: _Paper, place: str, refused: list[str]) -> Normaliser | None:
    sign = _setting(paper, "prepend", str, place, refused)
    return None if sign is None else Prepend(sign)


def _literal(paper: _Paper, place: str, refused: list[str]) -> tuple[str, str] | None:
    pattern = paper.get("pattern")
    old = pattern.get("String") if isinstance(pattern, dict) and len(pattern) == 1 else None
    new = _setting(paper, "content", str, place, refused)
    if not isinstance(old, str) or not old:
        refused.append(f"{place}.pattern: read {pattern!r:.80}; expected a literal String")
        return None
    return None if new is None else (old, new)


def _replace(paper: _Paper, place: str, refused: list[str]) -> Normaliser | None:
    texts = _literal(paper, place, refused)
    return None if texts is None else Replace(*texts)


def _replace_join(paper: _Paper, place: str, refused: list[str]) -> Decoder | None:
    texts = _literal(paper, place, refused)
    return None if texts is None else ReplaceJoin(*texts)


def _sign_and_scheme(paper: _Paper, place: str, refused: list[str]) -> tuple[str, Scheme] | None:
    sign = _setting(paper, "replacement", str, place, refused)
    scheme = paper.get("prepend_scheme", "always")
    if scheme not in get_args(Scheme):
        refused.append(f"{place}.prepend_scheme: read {scheme!r:.80}; expected {get_args(Scheme)}")
        return None
    if sign is None or len(sign) != 1:
        refused.append(f"{place}.replacement: read {sign!r:.80}; expected one sign")
        return None
    return sign, cast("Scheme", scheme)


def _metaspace(paper: _Paper, place: str, refused: list[str]) -> Splitter | None:
    known = _sign_and_scheme(paper, place, refused)
    cuts = paper.get("split", True)
    if not isinstance(cuts, bool):
        refused.append(f"{place}.split: read {cuts!r:.80}; expected true or false")
        return None
    return None if known is None else Metaspace(*known, cuts)


def _metaspace_join(paper: _Paper, place: str, refused: list[str]) -> Decoder | None:
    known = _sign_and_scheme(paper, place, refused)
    return None if known is None else MetaspaceJoin(*known)


def _digits(paper: _Paper, place: str, refused: list[str]) -> Splitter | None:
    alone = _setting(paper, "individual_digits", bool, place, refused)
    return None if alone is None else DigitSplit(alone)


def _pattern(paper: _Paper, place: str, refused: list[str]) -> Splitter | None:
    if (paper.get("behavior"), paper.get("invert", False)) != ("Isolated", False):
        refused.append(f"{place}.behavior: read {paper.get('behavior')!r:.80}; expected 'Isolated'")
        return None
    pattern = paper.get("pattern")
    kind, text = next(iter(pattern.items())) if _one(pattern) else (None, None)
    if kind == "String" and isinstance(text, str) and text:
        return PatternSplit(re.compile(re.escape(text)))
    # Regular expressions differ between libraries; a class of letters means the same in all.
    if kind == "Regex" and isinstance(text, str) and _CLASS.fullmatch(text):
        try:
            return PatternSplit(re.compile(text))
        except re.error:  # a range that runs backwards
            pass
    refused.append(
        f"{place}.pattern: read {pattern!r:.80}; expected a String or one class of letters"
    )
    return None


def _one(pattern: object) -> TypeGuard[dict[str, Any]]:
    return isinstance(pattern, dict) and len(pattern) == 1


def _strip(paper: _Paper, place: str, refused: list[str]) -> Decoder | None:
    sign = _setting(paper, "content", str, place, refused)
    start = _setting(paper, "start", int, place, refused)
    stop = _setting(paper, "stop", int, place, refused)
    if sign is None or start is None or stop is None:
        return None
    return StripJoin(sign, start, stop)


_NORMALISERS: Mapping[str, _Kind] = {
    **{name: _kind(_form) for name in _FORMS},
    "Prepend": _kind(_prepend, "prepend"),
    "Replace": _kind(_replace, "pattern", "content"),
}
_SPLITTERS: Mapping[str, _Kind] = {
    "Metaspace": _kind(_metaspace, "replacement", "prepend_scheme", "split"),
    "Digits": _kind(_digits, "individual_digits"),
    "Split": _kind(_pattern, "pattern", "behavior", "invert"),
}
_DECODERS: Mapping[str, _Kind] = {
    "Metaspace": _kind(_metaspace_join, "replacement", "prepend_scheme", "split"),
    "Replace": _kind(_replace_join, "pattern", "content"),
    "Fuse": _kind(lambda *_: Fuse()),
    "ByteFallback": _kind(lambda *_: ByteFallback()),
    "Strip": _kind(_strip, "content", "start", "stop"),
}


def _template(paper: object, refused: list[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids that go before and behind a single text."""
    if paper is None:
        return (), ()
    if not isinstance(paper, dict) or paper.get("type") != "TemplateProcessing":
        refused.append(f"post_processor: read {paper!r:.80}; expected a TemplateProcessing")
        return (), ()
    known = paper.get("special_tokens")
    items = paper.get("single")
    sides: tuple[list[int], list[int]] = ([], [])
    texts = 0
    for number, item in enumerate(items if isinstance(items, list) else ()):
        kind, value = next(iter(item.items())) if _one(item) else (None, None)
        name = value.get("id") if isinstance(value, dict) else None
        special = known.get(name) if isinstance(known, dict) and isinstance(name, str) else None
        ids = special.get("ids") if isinstance(special, dict) else None
        if kind == "Sequence" and name == "A":
            texts += 1
        elif kind == "SpecialToken" and isinstance(ids, list) and all(map(_is_id, ids)):
            sides[min(texts, 1)].extend(ids)
        else:
            refused.append(f"post_processor.single[{number}]: read {item!r:.80}; expected a token")
    if texts != 1:
        refused.append(f"post_processor.single: read {texts} texts; expected one")
    return tuple(sides[0]), tuple(sides[1])


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
