"""What `dokja runs check` prints, and what it enters into a ledger."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from dokja.cli.observations import ACTOR
from dokja.cli.printing import now, table
from dokja.cli.programmes import unbroken
from dokja.evidence.benchmarks.checking import Check, CheckReport, Question, Says, check_draft
from dokja.values import Estimate

__all__ = ["append_check", "report_text"]

_SAID = {Says.FOUND: "found", Says.NOTHING: "nothing", Says.CANNOT_TELL: "cannot tell"}
_TITLES = {
    Question.LIKE_ANOTHER: "answers as another",
    Question.TOKENS: "prompt tokens",
    Question.NAME: "reported name",
    Question.FRONTIER: "frontier moved",
    Question.RULER: "ruler moved",
    Question.ENDPOINT: "endpoint changed",
    Question.WITHIN: "changed within run",
    Question.KEYS: "key does not fit",
}
_TINY = 1e-4
_SHOWN = 20


def report_text(report: CheckReport) -> str:
    """Return a report for people: every question with what it came to, and what was not asked."""
    besides = f", {len(report.before)} before" if report.before else ""
    systems = "1 system" if len(report.systems) == 1 else f"{len(report.systems)} systems"
    lines = [f"{report.suite}: {systems}{besides}, {report.items:,} items"]
    rate = report.repeats
    if isinstance(rate, Estimate):
        lines.append(
            f"asked again within a run, the same answer came in {rate.value:.3f} of "
            f"{rate.rests_on[0][1]:,} cases ({rate.low:.3f} to {rate.high:.3f})"
        )
    suspects = report.found(Question.KEYS)
    checks = [each for each in report.checks if each not in suspects]
    if checks:
        lines += ["", table(["asked", "about", "says", "p", "would see"], map(_row, checks))]
    if suspects:
        lines += ["", *_suspects(suspects)]
    lines.append("")
    told = [each for each in checks if each.says is not Says.NOTHING]
    lines += [f"{', '.join(each.about)}: {each.words}." for each in told]
    lines += [f"{note}." for note in report.notes]
    lines += [f"not asked: {topic.value}; needs {why}" for topic, why in report.not_asked.items()]
    if report.says is Says.FOUND:
        lines.append("A finding is a reason to look. It does not say why, nor whose doing it is.")
    while lines[-1] == "":
        lines.pop()
    return "\n".join(lines)


def _suspects(found: Sequence[Check]) -> list[str]:
    """Return the items whose key does not fit, the clearest first."""
    first = found[0]
    power = "unknown" if first.power is None else f"{first.power:.2f}"
    rows = [
        [
            each.about[0],
            str(each.facts["key"]),
            str(each.facts["answer"]),
            f"{each.facts['agreeing']} of {each.facts['stronger']}",
            "–" if each.adjusted is None else _p(each.adjusted),
        ]
        for each in found[:_SHOWN]
    ]
    whole = (
        f"{first.facts['items']:,} keys do not fit the answers of {first.facts['systems']} systems"
    )
    lines = [
        f"{len(found)} of {whole}:",
        "",
        table(["item", "key", "fits better", "of the stronger half", "p"], rows),
    ]
    if len(found) > _SHOWN:
        lines.append(f"… and {len(found) - _SHOWN} more; --json lists all")
    return [
        *lines,
        "",
        f"At most {first.level:.0%} of these keys are expected to be right, if systems err each",
        f"for itself. Share of wrong keys that would have been found: {power}.",
    ]


def _row(check: Check) -> list[str]:
    return [
        _TITLES[check.question],
        _who(check),
        _SAID[check.says],
        "–" if check.adjusted is None else _p(check.adjusted),
        _sight(check),
    ]


def _who(check: Check) -> str:
    few = 3
    more = f" and {len(check.about) - few} more" if len(check.about) > few else ""
    return ", ".join(check.about[:few]) + more


def _p(p: float) -> str:
    return f"< {_TINY:.4f}" if p < _TINY else f"{p:.4f}"


def _sight(check: Check) -> str:
    """Return what would have been seen: a chance, or the smallest change seen with power .8."""
    if check.smallest is not None:
        of = "answers" if check.question in {Question.ENDPOINT, Question.WITHIN} else "points"
        return f"{check.smallest:.1%} of {of}" if of == "answers" else f"{check.smallest:.1%} {of}"
    return "–" if check.power is None else f"{check.power:.2f} of cases"


def append_check(report: CheckReport, *, folder: Path, stage: str, on: date, software: str) -> str:
    """Enter a report into a programme's ledger, once; return the entry's id."""
    draft, data = check_draft(report, stage=stage, on=on, actor=ACTOR, software=software)
    with unbroken(folder) as programme:
        if all(entry.id != draft.id for entry in programme.ledger.entries(kind="check")):
            programme.blobs.put(data)
            programme.ledger.append([draft], at=now())
    return str(draft.id)
