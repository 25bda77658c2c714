"""Which items may decide no more, and why: by declared rules over what is known of each.

An item is retired on count, on exposure to an endpoint that may train on it, on saturation, on
drift, or on suspicion. Every reason is kept. Nothing here says that anybody trained on an item.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dokja.evidence.benchmarks.forms.exposures import Exposure

__all__ = ["LEAST_ANCHORS", "Retirement", "RetirementRules", "Why", "anchors_lacking", "retired"]

LEAST_ANCHORS = 150
"""How many anchor items a domain needs at least for trends (design/measurement 6.2)."""


class Why(Enum):
    """Why an item is retired."""

    COUNT = "count"
    """It was shown more often than the rules allow."""
    MAY_TRAIN = "may_train"
    """It was shown where inputs may be trained on, or where nobody knows, or to everybody."""
    SATURATED = "saturated"
    """Every reference answers it rightly."""
    DRIFTED = "drifted"
    """It behaves otherwise than it used to beside its like."""
    SUSPECTED = "suspected"
    """Somebody named it, and said why in the ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetirementRules:
    """When items are retired.

    Attributes:
        most_organisations: To how many organisations an item may be shown.
        most_showings: How often it may be shown at all.
        terms: Terms under which one showing is enough.
        saturated: Whether an item that every reference answers rightly is retired.
        least_references: How many references must have answered before it can be saturated.
    """

    most_organisations: int = 8
    most_showings: int = 40
    terms: frozenset[str] = frozenset({"may-train", "unknown", "public"})
    saturated: bool = True
    least_references: int = 3

    def __post_init__(self) -> None:
        if min(self.most_organisations, self.most_showings, self.least_references) < 1:
            raise ValueError("an item may be shown at least once, and is answered by a reference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Retirement:
    """An item that may decide no more.

    Attributes:
        item: Its handle.
        why: Every reason, in the order of `Why`.
        entries: Numbers of the ledger's entries about its showings.
    """

    item: str
    why: tuple[Why, ...]
    entries: tuple[int, ...]


def retired(
    items: Sequence[str],
    histories: Mapping[str, Sequence[Exposure]],
    rules: RetirementRules,
    *,
    answered: Mapping[str, Sequence[bool]] | None = None,
    drifted: frozenset[str] = frozenset(),
    suspected: frozenset[str] = frozenset(),
) -> tuple[Retirement, ...]:
    """Return the items that are retired, in their order.

    Args:
        items: Handles.
        histories: Showings by handle.
        rules: When items are retired.
        answered: By handle, whether each reference answered it rightly; a reference without a
            scored answer stands in none.
        drifted: Handles of items that a drift test found.
        suspected: Handles of items that were named.

    Example:
        >>> retired(["a", "b"], {}, RetirementRules(), suspected=frozenset({"b"}))[0].item
        'b'
    """
    found = []
    for item in items:
        shown = histories.get(item, ())
        why = set(_of_showings(shown, rules))
        said = (answered or {}).get(item, ())
        if rules.saturated and len(said) >= rules.least_references and all(said):
            why.add(Why.SATURATED)
        why |= {Why.DRIFTED} if item in drifted else set()
        why |= {Why.SUSPECTED} if item in suspected else set()
        if why:
            entries = tuple(sorted({each.entry for each in shown}))
            ordered = tuple(each for each in Why if each in why)
            found.append(Retirement(item=item, why=ordered, entries=entries))
    return tuple(found)


def anchors_lacking(strata: Sequence[str]) -> Mapping[str, int]:
    """Return how many anchor items each domain lacks; empty if none does.

    Args:
        strata: The category of each anchor item.

    Example:
        >>> anchors_lacking(["law"] * 150 + ["history"] * 100)
        {'history': 50}
    """
    counts = {name: strata.count(name) for name in sorted(set(strata))}
    return {name: LEAST_ANCHORS - n for name, n in counts.items() if n < LEAST_ANCHORS}


def _of_showings(shown: Sequence[Exposure], rules: RetirementRules) -> list[Why]:
    why = []
    organisations = {each.organisation for each in shown}
    if len(organisations) > rules.most_organisations or len(shown) > rules.most_showings:
        why.append(Why.COUNT)
    if any(each.terms in rules.terms for each in shown):
        why.append(Why.MAY_TRAIN)
    return why
