"""What a check says to the ledger, with the whole report as its blob."""

from datetime import date

from dokja.evidence.benchmarks.checking.documents import check_document, check_document_bytes
from dokja.evidence.benchmarks.checking.findings import CheckReport
from dokja.evidence.ledger import Draft
from dokja.values import Digest, Json

__all__ = ["check_draft"]

_TOLD = ("question", "about", "says", "words", "p", "level", "power", "smallest")


def check_draft(
    report: CheckReport, *, stage: str, on: date, actor: str, software: str
) -> tuple[Draft, bytes]:
    """Return the entry that a report makes, and the document that is its blob.

    Args:
        report: With at least one question asked.
        stage: The stage that was checked.
        on: The day of the check.
        actor: Who made it.
        software: Name and version of what computed it.
    """
    data = check_document_bytes(report, software=software)
    digest = Digest.of(data)
    said = check_document(report, software=software)
    checks: list[Json] = [
        {key: each[key] for key in _TOLD if key in each} for each in _dicts(said["checks"])
    ]
    body: dict[str, Json] = {
        "on": on.isoformat(),
        "stage": stage,
        "checks": checks,
        "document": str(digest),
        **{
            key: said[key]
            for key in ("suite", "systems", "before", "items", "says", "evidence", "software")
        },
    }
    draft = Draft(
        kind="check",
        actor=actor,
        id=f"check/{stage}/{report.suite}/{digest.short}",
        blobs=(digest,),
        body=body,
    )
    return draft, data


def _dicts(listed: Json) -> list[dict[str, Json]]:
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
