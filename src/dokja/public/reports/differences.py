"""Where two decision documents differ, key by key."""

from collections.abc import Iterator, Mapping, Sequence

from dokja.values import Json, canonical_bytes

__all__ = ["differences"]

_LONGEST = 80


def differences(claimed: Json, computed: Json, *, place: str = "") -> Iterator[str]:
    """Yield every place at which a claimed document is not what was computed.

    Args:
        claimed: The document that somebody sent.
        computed: The document that was computed again.
        place: Where both stand in a larger document.

    Example:
        >>> list(differences({"a": [1, 2]}, {"a": [1, 3]}))
        ['a[1]: the file says 2; computed again it is 3']
    """
    if isinstance(claimed, Mapping) and isinstance(computed, Mapping):
        for key in sorted({*claimed, *computed}):
            where = f"{place}.{key}" if place else key
            if key not in claimed:
                yield f"{where}: not in the file; computed again it is {_shown(computed[key])}"
            elif key not in computed:
                yield f"{where}: {_shown(claimed[key])} in the file; not there when computed again"
            else:
                yield from differences(claimed[key], computed[key], place=where)
    elif _is_list(claimed) and _is_list(computed):
        yield from _in_lists(claimed, computed, place=place)
    elif _differ(claimed, computed):
        yield f"{place}: the file says {_shown(claimed)}; computed again it is {_shown(computed)}"


def _in_lists(claimed: Json, computed: Json, *, place: str) -> Iterator[str]:
    first = list(claimed) if isinstance(claimed, Sequence) else []
    second = list(computed) if isinstance(computed, Sequence) else []
    if len(first) != len(second):
        yield f"{place}: the file lists {len(first)}; computed again there are {len(second)}"
    for index, (one, other) in enumerate(zip(first, second, strict=False)):
        yield from differences(one, other, place=f"{place}[{index}]")


def _is_list(value: Json) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _differ(first: Json, second: Json) -> bool:
    return canonical_bytes(first) != canonical_bytes(second)


def _shown(value: Json) -> str:
    text = canonical_bytes(value).decode()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
