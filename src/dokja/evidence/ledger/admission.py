"""What must hold between drafts and what stands in the ledger before they are let in."""

from collections.abc import Mapping, Sequence

from dokja.errors import DuplicateEntryError, EntryError, Mistake
from dokja.evidence.ledger.corrections import CORRECTION
from dokja.evidence.ledger.entries import Checker, Draft, Entry, PreparedDraft
from dokja.evidence.ledger.references import reference_fault, referred
from dokja.evidence.ledger.storage import Reading
from dokja.evidence.ledger.views import found

__all__ = ["refuse_references", "refuse_taken_ids"]


def refuse_references(
    prepared: Sequence[PreparedDraft], *, view: Reading, check: Checker, place: str
) -> None:
    """Refuse corrections and unsealings of what is not there, or not as they say.

    What a correction puts in place of a body must fit the kind of the corrected entry.

    Raises:
        EntryError: Every such mistake of every draft.
    """
    mistakes: list[Mistake] = []
    for number, item in enumerate(prepared, start=1):
        draft = item.draft
        name = referred(draft.kind, draft.body)
        if name is not None:
            target = found(view, name, place=place)
            where = f"draft {number} ({draft.id or draft.kind})"
            mistakes += _mistakes(draft, target=target, check=check, file=place, where=where)
    if mistakes:
        raise EntryError(mistakes, changed="Nothing was appended.")


def _mistakes(
    draft: Draft, *, target: Entry | None, check: Checker, file: str, where: str
) -> tuple[Mistake, ...]:
    fault = reference_fault(draft.kind, draft.body, target=target)
    if fault is not None:
        key, read, expected = fault
        return (Mistake(file=file, place=f"{where}, {key}", read=read, expected=expected),)
    replacement = draft.body.get("body")
    if draft.kind != CORRECTION or target is None or not isinstance(replacement, Mapping):
        return ()
    return check(target.kind, replacement, place=f"{file}, {where}, body.body")


def refuse_taken_ids(entries: Sequence[Entry], *, view: Reading, place: str) -> None:
    """Refuse entries whose id is taken, or is given twice.

    Raises:
        DuplicateEntryError: All such ids.
    """
    known = view.known([entry.id for entry in entries])
    taken = {f"{name!r} (entry {seq})" for name, seq in known.items()}
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            taken.add(f"{entry.id!r} (twice among the drafts)")
        seen.add(entry.id)
    if taken:
        message = (
            f"{place}: ids that are taken already: {', '.join(sorted(taken))}. What was said "
            "cannot be said again under its id; correct it with a correction entry, or choose "
            "another id. Nothing was appended."
        )
        raise DuplicateEntryError(message)
