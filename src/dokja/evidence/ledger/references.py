"""Entries that speak of earlier entries: corrections and unsealings.

What they name must stand in the ledger before them and must be what they take it for. The same
judgement is made when they are appended and when somebody verifies the ledger.
"""

from collections.abc import Mapping

from dokja.evidence.ledger.corrections import CORRECTION, correction_fault
from dokja.evidence.ledger.entries import Entry
from dokja.evidence.ledger.sealing import UNSEAL, unseal_fault
from dokja.values import Json

__all__ = ["reference_fault", "referred"]

_NAMING_KEYS = {CORRECTION: "corrects", UNSEAL: "entry"}


def referred(kind: str, body: Mapping[str, Json]) -> str | None:
    """Return the id of the earlier entry that an entry speaks of; none where it speaks of none.

    Example:
        >>> referred("correction", {"corrects": "score/가람"}), referred("score", {})
        ('score/가람', None)
    """
    key = _NAMING_KEYS.get(kind)
    return None if key is None else str(body.get(key))


def reference_fault(
    kind: str, body: Mapping[str, Json], *, target: Entry | None
) -> tuple[str, str, str] | None:
    """Return what is wrong between an entry and the earlier one that it speaks of.

    Args:
        kind: A kind for which `referred` names an id.
        body: Body of the entry that speaks.
        target: The entry spoken of, from before it; none if it is absent.

    Returns:
        The key, what was read there, and what was expected; none if all is well.
    """
    judge = correction_fault if kind == CORRECTION else unseal_fault
    return judge(body, target=target)
