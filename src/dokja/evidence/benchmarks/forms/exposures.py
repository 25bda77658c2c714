"""Which item was shown when, to which endpoint of which organisation, and under which terms.

One entry of the ledger tells of one showing of a form; the handles of its items are its blob. From
all of them follows, item by item, what may still decide and what has been seen too often.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from dokja.errors import EntryError, Mistake
from dokja.evidence.ledger import Draft, Entry
from dokja.values import Digest

__all__ = ["TERMS", "Exposure", "Showing", "exposure_draft", "handle_bytes", "histories"]

TERMS: Mapping[str, str] = {
    "kept-nowhere": "inputs are neither stored nor trained on, by contract",
    "no-training": "inputs may be stored, and are not trained on, by contract",
    "may-train": "inputs may be trained on",
    "own-machine": "the model ran on a machine of whoever measures",
    "public": "the items were published",
    "unknown": "nobody knows",
}
"""Under which terms items are shown. Whoever does not know says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Showing:
    """When items were shown, to whom, and under which terms.

    Attributes:
        suite: The suite.
        version: Its version.
        form: The form; empty where the suite has none.
        system: The system that answered, as records call it.
        endpoint: The address's host, or `embedded`; never with a credential.
        organisation: Who runs the endpoint.
        terms: A key of `TERMS`.
        on: The day.
    """

    suite: str
    version: str
    form: str
    system: str
    endpoint: str
    organisation: str
    terms: str
    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """One showing of one item.

    Attributes:
        item: Its handle.
        on: The day.
        suite: The suite.
        form: The form; empty where the suite has none.
        endpoint: The address's host, or `embedded`; never with a credential.
        organisation: Who runs the endpoint.
        terms: A key of `TERMS`.
        entry: Number of the ledger's entry.
    """

    item: str
    on: date
    suite: str
    form: str
    endpoint: str
    organisation: str
    terms: str
    entry: int


def handle_bytes(handles: Iterable[str]) -> bytes:
    """Return the blob of a showing: the handles of its items, one a line, sorted."""
    return b"".join(f"{handle}\n".encode() for handle in sorted(set(handles)))


def exposure_draft(handles: Sequence[str], showing: Showing, *, actor: str) -> Draft:
    """Return the entry that items were shown; `handle_bytes(handles)` is its blob.

    Args:
        handles: Of the items, as records call them.
        showing: When, to whom, and under which terms.
        actor: Who showed them.

    Raises:
        ValueError: No item was shown, or the terms are none of `TERMS`.
    """
    if not handles:
        raise ValueError("a showing of no item is no showing")
    if showing.terms not in TERMS:
        raise ValueError(f"{showing.terms!r} are no terms; expected one of {', '.join(TERMS)}")
    shown = Digest.of(handle_bytes(handles))
    on = showing.on.isoformat()
    return Draft(
        kind="exposure",
        actor=actor,
        id=f"exposure/{showing.suite}/{showing.system}/{on}/{shown.short}",
        blobs=(shown,),
        body={
            "on": on,
            "suite": showing.suite,
            "version": showing.version,
            **({"form": showing.form} if showing.form else {}),
            "system": showing.system,
            "endpoint": showing.endpoint,
            "organisation": showing.organisation,
            "terms": showing.terms,
            "items": len(set(handles)),
            "handles": str(shown),
        },
    )


def histories(
    entries: Iterable[Entry], blob: Callable[[Digest], bytes]
) -> Mapping[str, tuple[Exposure, ...]]:
    """Return every showing of every item, in the ledger's order.

    Args:
        entries: Of the ledger; those of other kinds are passed over.
        blob: Gives a blob by its digest.

    Raises:
        EntryError: A blob does not hold the items that its entry counts.
    """
    found: defaultdict[str, list[Exposure]] = defaultdict(list)
    for entry in entries:
        if entry.kind != "exposure":
            continue
        handles = blob(Digest.parse(str(entry.body["handles"]))).decode().split()
        if len(handles) != entry.body["items"]:
            expected = f"{entry.body['items']} items, as the entry says"
            wrong = Mistake(
                file=f"the blob of entry {entry.seq}",
                place="",
                read=f"{len(handles)} items",
                expected=expected,
            )
            raise EntryError([wrong])
        for handle in handles:
            found[handle].append(_exposure(entry, handle))
    return {handle: tuple(each) for handle, each in found.items()}


def _exposure(entry: Entry, handle: str) -> Exposure:
    body = entry.body
    return Exposure(
        item=handle,
        on=date.fromisoformat(str(body["on"])),
        suite=str(body["suite"]),
        form=str(body.get("form", "")),
        endpoint=str(body["endpoint"]),
        organisation=str(body["organisation"]),
        terms=str(body["terms"]),
        entry=entry.seq,
    )
