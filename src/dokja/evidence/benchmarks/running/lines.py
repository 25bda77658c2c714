"""One flat JSON object, one canonical line, quickly.

For objects of texts, whole numbers, and lists and objects of these, whose keys are ASCII, the
bytes are those of RFC 8785; the slow way stands in `values.canonical`, and the tests hold the two
together. Where a float is in it the slow way is taken.
"""

import json
from collections.abc import Mapping

from dokja.values import Json, canonical_bytes

__all__ = ["line_of"]

_ENCODE = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode


def line_of(said: Mapping[str, Json]) -> bytes:
    """Return the canonical bytes of an object, without a line end.

    Raises:
        ValueError: A text holds a lone surrogate, which has no bytes.

    Example:
        >>> line_of({"b": 1, "a": "독자"}).decode()
        '{"a":"독자","b":1}'
    """
    if float in map(type, said.values()):
        return canonical_bytes(said)
    return _ENCODE(said).encode()
