"""The closed list of flags: what each is about, and what it forbids until it is settled."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from dokja.evidence.benchmarks.tables import Flag

__all__ = ["BLOCKS", "FLAGS", "FlagKind", "raised"]

_LEAST = 1e-6

BLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "pairing": "comparing these systems item by item with any other",
        "pairing-by-id": "taking rows of one id for one item",
        "pairing-on-item": "comparing on the items that are named, until they are scored again",
        "present-only": "a score over the rows that are there, as if it were one over all items",
        "fault-independence": "treating failed calls as scattered by chance",
        "cell": "reading the cell as a score: it counts as missing, not as 0",
        "cost": "views by cost",
        "verdict": "a verdict that the outcomes in question could change",
        "run": "any use of the run until it is explained, or until one half is chosen",
        "items": "pairing, clusters and item-wise intervals: there are no items",
        "quoting": "quoting the printed figure",
    }
)
"""What a flag can forbid, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagKind:
    """A kind of flag.

    Attributes:
        test: When it is raised.
        counts: What its count counts.
        blocks: What it forbids; empty for nothing.
    """

    test: str
    counts: str
    blocks: frozenset[str] = frozenset()


def _kind(test: str, counts: str, *blocks: str) -> FlagKind:
    return FlagKind(test=test, counts=counts, blocks=frozenset(blocks))


FLAGS: Mapping[str, FlagKind] = MappingProxyType(
    {
        "duplicate": _kind(
            "A system has an item twice, with one key and nothing that tells the two apart.",
            "items",
        ),
        "id_collision": _kind(
            "A system has an id twice, with different keys or contents.", "ids", "pairing-by-id"
        ),
        "appended_run": _kind(
            "A system's rows are the same items again, in full, once or more.",
            "rows too many",
            "run",
        ),
        "missing_items": _kind(
            "Items that some system answered have no row for these systems.",
            "items",
            "present-only",
        ),
        "missing_by_difficulty": _kind(
            "Systems with every row score more than .02 otherwise on the absent items than on the "
            "others, with p < .01, overall or within strata.",
            "items",
            "present-only",
        ),
        "missing_by_stratum": _kind(
            "Absent items lie together in a stratum, with p < .001 by chance.",
            "items",
            "present-only",
        ),
        "fault_batch": _kind(
            "Failed calls follow each other in runs of a fixed length, with p < .001 if they were "
            "scattered.",
            "failed rows",
            "fault-independence",
        ),
        "misaligned": _kind(
            "Nothing identifies the items, and the right answers of a category follow each other "
            "in another order.",
            "positions",
            "pairing",
        ),
        "order_only": _kind(
            "The order of right answers agrees, and nothing else identifies the items.", "systems"
        ),
        "key_changed": _kind(
            "One item has different right answers in different systems' rows.",
            "items",
            "pairing-on-item",
        ),
        "spelling": _kind(
            "Categories are equal after Unicode composition, case and separators are folded.",
            "categories",
        ),
        "zero_cell": _kind(
            "A score of exactly 0 stands beside other systems' scores and the system's own others, "
            "all far from it.",
            "cells",
            "cell",
        ),
        "zero_cost": _kind("A cost of exactly 0 is told.", "rows", "cost"),
        "empty_heavy": _kind(
            "More than 1 % of replies are empty, and nothing explains it.", "rows", "verdict"
        ),
        "illegal_label": _kind("What was read out is no option that the item has.", "rows"),
        "below_chance": _kind(
            "The score lies more than three standard errors below the best constant answer's.",
            "rows",
            "run",
        ),
        "constant_output": _kind("One text answers more than 90 % of the items.", "rows", "run"),
        "item_blind": _kind(
            "What is easy for the others is not easier for this system, although as many items "
            "would have shown it.",
            "items",
            "run",
        ),
        "claim_does_not_replay": _kind(
            "A printed figure equals none that the rows give under a declared convention.",
            "figures",
            "quoting",
        ),
        "claims_replayed": _kind(
            "Printed figures come out; a convention is inferred if it is the only candidate under "
            "which most of them do.",
            "figures",
        ),
        "duplicate_prompt": _kind("Several items ask the same, byte for byte.", "items"),
        "content_changed": _kind(
            "One id asks different things in different systems' rows.", "items", "pairing-on-item"
        ),
        "unscored_repeats": _kind(
            "The log holds several replies to an item, of which only one was scored.", "replies"
        ),
        "incomplete_log": _kind(
            "The log plans more answers than it holds.", "answers", "present-only"
        ),
        "no_items": _kind("There are scores of tasks, and none of items.", "tasks", "items"),
        "charge_unknown": _kind(
            "The record does not show whose doing these non-answers are.", "rows"
        ),
    }
)
"""Every flag there is, by name."""


def raised(name: str, count: int, *, systems: tuple[str, ...] = (), **facts: str | float) -> Flag:
    """Return a flag of the closed list with what its kind blocks.

    Fractions in facts are rounded to six decimals, so that they are the same bytes everywhere; a
    probability, named `p` or `p_…`, that would be rounded to 0 is told as a bound.

    Raises:
        KeyError: There is no such flag.

    Example:
        >>> sorted(raised("id_collision", 7, first="Kedu_16_1").blocks)
        ['pairing-by-id']
    """
    kind = FLAGS[name]
    told = {key: _told(key, each) for key, each in facts.items()}
    return Flag(
        name=name,
        count=count,
        systems=systems,
        blocks=kind.blocks,
        facts=MappingProxyType(told),
    )


def _told(key: str, value: str | float) -> str | int | float:
    if not isinstance(value, float):
        return value
    probability = key == "p" or key.startswith("p_")
    return "< 0.000001" if probability and value < _LEAST else round(value, 6)
