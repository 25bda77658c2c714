"""Whether a scorer may give evidence: what the ledger's newest entry about it says."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dokja.errors import Mistake, SanityError
from dokja.values import Digest

if TYPE_CHECKING:
    from dokja.evidence.ledger import Entry

__all__ = ["is_audited", "refuse_unproven"]


def refuse_unproven(
    scorers: Mapping[str, Digest], entries: "Iterable[Entry]", *, suites: Mapping[str, str]
) -> None:
    """Refuse records of scorers that have not passed the sanity suite.

    The newest trial of a scorer on a suite counts; one that failed is not outvoted by an older one
    that passed, or by one on other items.

    Args:
        scorers: By where their records stand, such as a run's folder.
        entries: Of the ledger, in its order.
        suites: The suite of those records, by the same keys.

    Raises:
        SanityError: One of them did not pass, or was never tried on that suite; all of them are
            named.
    """
    newest = _newest(entries)
    mistakes = []
    for place, scorer in scorers.items():
        suite = suites[place]
        found = {name: newest.get((str(scorer), name)) for name in (suite, "probes")}
        failed = [
            name for name, entry in found.items() if entry and entry.body["passed"] is not True
        ]
        if failed or found[suite] is None:
            read = f"a scorer, {scorer.short}…, that was not tried on {suite}"
            if failed:
                read = f"a scorer, {scorer.short}…, that did not pass on {', '.join(failed)}"
            mistakes.append(
                Mistake(
                    file=place,
                    place="scorer",
                    read=read,
                    expected="one that passed the sanity suite",
                    remedy="Run dokja sanity on the suite's folder, and enter what it finds.",
                )
            )
    if mistakes:
        raise SanityError(mistakes, changed="No record was taken as evidence.")


def is_audited(scorer: Digest, entries: "Iterable[Entry]") -> bool:
    """Tell whether replies that a scorer cannot read may be charged to the model.

    Its newest trial with labelled replies says so; without one they are the operator's doing.
    """
    said = [
        entry
        for (digest, _), entry in _newest(entries).items()
        if digest == str(scorer) and "recall" in entry.body
    ]
    return bool(said) and max(said, key=lambda entry: entry.seq).body["audited"] is True


def _newest(entries: "Iterable[Entry]") -> "dict[tuple[str, str], Entry]":
    return {
        (str(entry.body["scorer"]), str(entry.body["suite"])): entry
        for entry in entries
        if entry.kind == "sanity"
    }
