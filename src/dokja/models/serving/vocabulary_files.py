"""Reads the vocabulary, the merges and the added tokens of a `tokenizer.json`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from dokja.models.serving.vocabulary import Merge, Vocabulary

__all__ = ["Added", "read_added", "read_vocabulary"]

_MAX_ID = 1 << 24
_NOTHING = (None, "")
_FLAGS = ("fuse_unk", "byte_fallback", "ignore_merges")
_MODEL_KEYS = frozenset(
    {
        "byte_fallback",
        "continuing_subword_prefix",
        "dropout",
        "end_of_word_suffix",
        "fuse_unk",
        "ignore_merges",
        "merges",
        "type",
        "unk_token",
        "vocab",
    }
)
_ADDED_KEYS = frozenset(
    {"content", "id", "lstrip", "normalized", "rstrip", "single_word", "special"}
)


@dataclass(frozen=True, slots=True)
class Added:
    """A token that is found in a text as it is.

    Attributes:
        text: What stands in the text.
        token: Its id.
        special: Whether it is a mark, and no part of what is said.
    """

    text: str
    token: int
    special: bool


def read_vocabulary(paper: object, refused: list[str]) -> Vocabulary | None:
    """Return the vocabulary of a tokenizer's model, or None after noting what forbids it."""
    model: Mapping[str, Any] = paper if isinstance(paper, dict) else {}
    if model.get("type", "BPE" if model else None) != "BPE":
        refused.append(f"model.type: read {model.get('type')!r:.80}; expected 'BPE'")
        return None
    before = len(refused)
    refused += [
        f"model.{key}: read {model[key]!r:.80}; expected no such setting"
        for key in sorted(set(model) - _MODEL_KEYS)
    ]
    refused += [
        f"model.{key}: read {model[key]!r:.80}; expected nothing"
        for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix")
        if model.get(key) not in _NOTHING
    ]
    ids = _ids(model.get("vocab"), refused)
    merges = _merges(model.get("merges"), ids, refused)
    refused += [
        f"model.{key}: read {model[key]!r:.80}; expected true or false"
        for key in _FLAGS
        if not isinstance(model.get(key, False), bool | None)
    ]
    unknown = model.get("unk_token")
    if unknown is not None and not (isinstance(unknown, str) and unknown in ids):
        refused.append(f"model.unk_token: read {unknown!r:.80}; expected a token")
    if len(refused) > before:
        return None
    return Vocabulary(
        ids=ids,
        merges=merges,
        unknown=None if unknown is None else ids[unknown],
        fuses_unknown=model.get("fuse_unk") is True,
        falls_back_to_bytes=model.get("byte_fallback") is True,
        takes_whole_words=model.get("ignore_merges") is True,
    )


def _ids(paper: object, refused: list[str]) -> dict[str, int]:
    if not isinstance(paper, dict) or not paper:
        refused.append(f"model.vocab: read {paper!r:.80}; expected tokens and their ids")
        return {}
    ids: dict[str, int] = {}
    taken: set[int] = set()
    for text, token in paper.items():
        if isinstance(token, bool) or not isinstance(token, int) or not 0 <= token < _MAX_ID:
            refused.append(f"model.vocab, {text!r:.80}: read {token!r:.80}; expected an id")
        elif token in taken:
            refused.append(f"model.vocab, {text!r:.80}: read {token}; expected an id of its own")
        else:
            ids[text] = token
            taken.add(token)
    return ids


def _merges(
    paper: object, ids: Mapping[str, int], refused: list[str]
) -> dict[tuple[int, int], Merge]:
    if not isinstance(paper, list):
        refused.append(f"model.merges: read {paper!r:.80}; expected a list")
        return {}
    merges: dict[tuple[int, int], Merge] = {}
    for rank, item in enumerate(paper):
        pair = item.split(" ") if isinstance(item, str) else item
        if not _is_pair(pair):
            refused.append(f"model.merges[{rank}]: read {item!r:.80}; expected two tokens")
            continue
        left, right, both = ids.get(pair[0]), ids.get(pair[1]), ids.get("".join(pair))
        if left is None or right is None or both is None:
            refused.append(f"model.merges[{rank}]: read {item!r:.80}; expected tokens it has")
            continue
        merges[left, right] = Merge(rank, both)
    return merges


def _is_pair(value: object) -> TypeGuard[list[str]]:
    match value:
        case [str(), str()]:
            return True
        case _:
            return False


def read_added(paper: object, ids: Mapping[str, int], refused: list[str]) -> tuple[Added, ...]:
    """Return the added tokens, after noting those whose settings are not known."""
    if paper is None:
        return ()
    if not isinstance(paper, list):
        refused.append(f"added_tokens: read {paper!r:.80}; expected a list")
        return ()
    added: list[Added] = []
    behind = len(ids)
    for number, item in enumerate(paper):
        place = f"added_tokens[{number}]"
        token = item.get("id") if isinstance(item, dict) else None
        text = item.get("content") if isinstance(item, dict) else None
        if not isinstance(item, dict) or not isinstance(text, str) or not text:
            refused.append(f"{place}: read {item!r:.80}; expected a token")
            continue
        # The library numbers what is new behind the vocabulary, whatever the file says.
        expected = ids.get(text, behind)
        behind += text not in ids
        if token != expected or isinstance(token, bool):
            refused.append(f"{place}.id: read {token!r:.80}; expected {expected}")
        on = sorted(k for k in ("lstrip", "rstrip", "single_word", "normalized") if item.get(k))
        strange = sorted(set(item) - _ADDED_KEYS)
        if on or strange:
            refused.append(f"{place}: read the settings {[*on, *strange]!r:.80}; expected none")
        added.append(Added(text, expected, item.get("special") is True))
    return tuple(added)
