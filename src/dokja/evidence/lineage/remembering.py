"""What was made of a model's weights alone, kept for as long as the model is open.

A model that is laid beside many others would otherwise be prepared anew for each: its signatures,
its near-duplicate layers, what its own controls show. All of that follows from its weights, the
plan and the seed, and is the same whoever it is laid beside.
"""

from collections.abc import Callable, Hashable
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from dokja.models.weights import Source

__all__ = ["remembered"]

T = TypeVar("T")

_KEPT: "WeakKeyDictionary[Source, dict[Hashable, Any]]" = WeakKeyDictionary()


def remembered(source: Source, key: Hashable, make: Callable[[], T]) -> T:
    """Return what was made under this key before, or make it now.

    Args:
        source: Of whose weights it is made; what was made goes when it does.
        key: Everything besides the weights that it depends on.
        make: Makes it; must not draw from a stream that others go on with.
    """
    kept = _KEPT.setdefault(source, {})
    if key not in kept:
        kept[key] = make()
    found: T = kept[key]
    return found
