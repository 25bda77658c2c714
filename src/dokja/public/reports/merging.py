"""Reasons that say the same of several things, said once.

A decision gives one reason for each comparison, component and team, so that each names its own
entries. Read aloud, nine sentences that differ in one name hide the one that does not; here they
become one sentence with a list in it, and the entries of all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dokja.public.reports.terms import Reason

__all__ = ["EACH", "SUPPORTING", "merged"]

EACH = "each"
"""Parameter of a merged reason in which several teams take part; picks its own wording."""

SUPPORTING = frozenset(
    {
        "build-below-level",
        "build-checks-open",
        "build-live-share-low",
        "build-of-another-team",
        "build-of-other-weights",
        "build-root-missing",
        "build-start-elsewhere",
        "build-start-not-shown",
        "build-verified",
        "build-verified-by-builder",
        "compared-without-relation",
        "declared-origin",
        "other-comes-from-it",
        "related-to-own-work",
    }
)
"""Codes that carry a verdict without deciding it; told beside the evidence, not in a summary."""

_PASSES = (("references", "reference"), ("component",), ("team", "subject"))


def merged(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Return the reasons with those that differ in one name only made one, in first order.

    Example:
        >>> one = Reason(code="not-compared", params={"component": "adapter", "references": ["a"]})
        >>> two = Reason(code="not-compared", params={"component": "adapter", "references": ["b"]})
        >>> [reason.params["references"] for reason in merged([one, two])]
        [['a', 'b']]
    """
    said = tuple(reasons)
    for names in _PASSES:
        said = _pass(said, names)
    return said


def _pass(reasons: Sequence[Reason], names: Sequence[str]) -> tuple[Reason, ...]:
    groups: dict[str, list[Reason]] = {}
    for reason in reasons:
        name = next((name for name in names if name in reason.params), None)
        others = {key: value for key, value in reason.params.items() if key != name}
        groups.setdefault(f"{reason.code} {name} {sorted(others.items())!r}", []).append(reason)
    return tuple(_one(group, names) for group in groups.values())


def _one(group: Sequence[Reason], names: Sequence[str]) -> Reason:
    first = group[0]
    name = next((name for name in names if name in first.params), None)
    if len(group) == 1 or name is None:
        return first.model_copy(update={"entries": _entries(group)})
    values = [value for reason in group for value in _listed(reason.params, name)]
    unique = [value for index, value in enumerate(values) if value not in values[:index]]
    params: dict[str, Any] = dict(first.params)
    is_list = isinstance(first.params[name], list) or len(unique) > 1
    params[name] = unique if is_list else unique[0]
    if len(unique) > 1 and name == "team":
        params[EACH] = True
    return Reason(code=first.code, params=params, entries=_entries(group))


def _listed(params: Mapping[str, Any], name: str) -> list[Any]:
    value = params[name]
    return list(value) if isinstance(value, list | tuple) else [value]


def _entries(group: Sequence[Reason]) -> tuple[int, ...]:
    return tuple(sorted({seq for reason in group for seq in reason.entries}))
