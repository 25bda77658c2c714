"""What a tensor's name proposes: component, stack, layer, expert, and role.

The table is `roles.toml`. Names are a convention and nothing else: whether a tensor can have
the role that its name proposes is decided by shapes, in other modules.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

__all__ = ["Place", "Sort", "listed", "place_of"]


class Sort(Enum):
    """How a role's matrix stands to the residual."""

    READS = "reads"
    WRITES = "writes"
    INNER = "inner"
    GAINS = "gains"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a name says that a tensor stands.

    Attributes:
        component: The role of its component.
        stack: What stands before the layer's number; empty outside of layers.
        layer: Its layer's number in the stack; none outside of layers.
        expert: Its expert's number; none where it is no single expert's.
        group: `routed` or `shared` among experts, else `dense`.
        role: A role of `roles.toml`; none where no entry fits.
        sort: How a matrix of this role stands to the residual; none without a role.
        part: The last word: `weight`, `bias`, or empty where the name has neither.
        template: The name without numbers of layer and expert and without its last word.
    """

    component: str
    stack: str
    layer: int | None
    expert: int | None
    group: str
    role: str | None
    sort: Sort | None
    part: str
    template: str


@cache
def _table() -> Mapping[str, Any]:
    return MappingProxyType(tomllib.loads((files(__package__) / "roles.toml").read_text()))


@cache
def listed(*keys: str) -> frozenset[str]:
    """Return a list of `roles.toml` by its keys.

    Example:
        >>> "experts" in listed("layers", "experts")
        True
    """
    found: Any = _table()
    for key in keys:
        found = found[key]
    return frozenset(found)


_PARTS = {"weight", "bias"}
_SCALES = re.compile(
    r"(?:weight_|input_|output_|k_|v_)?(?:scales?|scale_inv|zeros?|qzeros|g_idx|amax)(?:_\w+)?"
)
_WRAPPERS = {"base_layer", "linear", "module", "_orig_mod"}
_MOST_DIGITS = 6
"""Digits beyond any depth are no number of a layer, and Python would refuse to read them."""


def place_of(name: str) -> Place:
    """Return where a name says that a tensor stands.

    Example:
        >>> place = place_of("model.layers.3.mlp.experts.7.up_proj.weight")
        >>> place.stack, place.layer, place.expert, place.group, place.role
        ('model.layers', 3, 7, 'routed', 'up')
    """
    words = name.split(".")
    part = words.pop() if words[-1] in _PARTS and len(words) > 1 else ""
    before: list[str] = []
    kept: list[str] = []
    layer = expert = None
    stack = ""
    for word in words:
        if word.isdigit() and kept and _is_number(word):
            if layer is None and kept[-1] in listed("layers", "words"):
                layer, stack, before = int(word), ".".join(kept), list(kept)
                continue
            if expert is None and kept[-1] in listed("layers", "experts"):
                expert = int(word)
                continue
        if word not in _WRAPPERS:
            kept.append(word)
    inside = layer is not None
    template = ".".join(kept)
    role, sort = _role(template, inside=inside)
    return Place(
        component=_component(tuple(before or kept), template),
        stack=stack,
        layer=layer,
        expert=expert,
        group=_group(template),
        role=role,
        sort=sort,
        part=part,
        template=template,
    )


def _is_number(word: str) -> bool:
    return word.isascii() and len(word) <= _MOST_DIGITS


@lru_cache(maxsize=4096)
def _group(template: str) -> str:
    words = set(template.split("."))
    if words & listed("layers", "shared"):
        return "shared"
    return "routed" if words & listed("layers", "experts") else "dense"


@cache
def _components() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (role, re.compile("|".join(patterns))) for role, patterns in _table()["components"].items()
    )


@lru_cache(maxsize=4096)
def _component(words: tuple[str, ...], template: str) -> str:
    if re.search(
        r"(?:^|[._])lora_(?:[ab]|embedding_[ab]|magnitude\w*)(?:[._]|$)", template.lower()
    ):
        return "adapter"
    for role, pattern in _components():
        if any(pattern.fullmatch(word) is not None for word in words):
            return role
    return "language-body"


@cache
def _roles(where: str) -> Mapping[str, tuple[str, Sort]]:
    return MappingProxyType(
        {
            entry: (role, sort)
            for sort in Sort
            for role, entries in _table()[where].get(sort.value, {}).items()
            for entry in entries
        }
    )


@lru_cache(maxsize=4096)
def _role(template: str, *, inside: bool) -> tuple[str | None, Sort | None]:
    """Return the role of the longest entry that ends a template at a dot."""
    entries = _roles("inside" if inside else "outside")
    rest = template
    while True:
        if rest in entries:
            return entries[rest]
        if "." not in rest:
            break
        rest = rest.partition(".")[2]
    if _SCALES.fullmatch(rest) is not None:
        return "scale", Sort.OTHER
    return None, None
