"""A report as one JSON document; decimals are texts, so that the bytes are the same everywhere."""

from dokja.evidence.benchmarks.checking.findings import Check, CheckReport
from dokja.values import Estimate, Json, Measured, canonical_bytes

__all__ = ["check_document", "check_document_bytes"]

_SMALLEST = 1e-12


def check_document(report: CheckReport, *, software: str) -> dict[str, Json]:
    """Return a report as JSON; what is not known is absent.

    Args:
        report: What was asked and found.
        software: Name and version of what computed it.
    """
    return {
        "schema": "dokja.check/1",
        "suite": report.suite,
        "systems": [*report.systems],
        "before": [*report.before],
        "items": report.items,
        "says": report.says.value,
        "checks": [_check(each) for each in report.checks],
        **_measured("repeats", report.repeats),
        "not_asked": {topic.value: why for topic, why in report.not_asked.items()},
        "notes": [*report.notes],
        "evidence": [*report.evidence],
        "software": software,
    }


def check_document_bytes(report: CheckReport, *, software: str) -> bytes:
    """Return the canonical bytes of a report, which its digest names."""
    return canonical_bytes(check_document(report, software=software))


def _check(check: Check) -> dict[str, Json]:
    said: dict[str, Json] = {
        "topic": check.question.topic.value,
        "question": check.question.value,
        "about": [*check.about],
        "says": check.says.value,
        "words": check.words,
    }
    if check.adjusted is not None:
        said["p"] = f"{max(check.adjusted, _SMALLEST):.12f}"
    for name, number in (
        ("level", check.level),
        ("power", check.power),
        ("smallest", check.smallest),
    ):
        if number is not None:
            said[name] = f"{number:.4f}"
    return {**said, **_measured("change", check.change), "facts": dict(check.facts)}


def _measured(name: str, measured: Measured | None) -> dict[str, Json]:
    if not isinstance(measured, Estimate):
        return {}
    bounds: list[Json] = [f"{measured.low:.4f}", f"{measured.high:.4f}"]
    told: dict[str, Json] = {
        "value": f"{measured.value:.4f}",
        "interval": bounds,
        "level": f"{measured.level:.2f}",
        "method": measured.method,
        "rests_on": dict(measured.rests_on),
    }
    return {name: told}
