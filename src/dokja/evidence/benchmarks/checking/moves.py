"""What moved since earlier runs, or within a run: the frontier, the ruler, or an endpoint.

Each is a test of its own and none is inferred from another. Where a change could not have been
seen at any size, it cannot be told.
"""

from dokja.errors import NotComparableError
from dokja.evidence.benchmarks.checking.findings import Check, Question, Says
from dokja.evidence.benchmarks.checking.meetings import Meeting
from dokja.evidence.statistics.counts import share_of
from dokja.evidence.statistics.identity import (
    DriftFinding,
    DriftKind,
    DriftReport,
    Newcomer,
    Revisit,
    Rounds,
    Shift,
    drift,
    rounds_moved,
)
from dokja.values import Estimate

__all__ = ["drift_checks", "rounds_checks"]

_QUESTIONS = {
    DriftKind.FRONTIER_MOVED: Question.FRONTIER,
    DriftKind.RULER_MOVED: Question.RULER,
    DriftKind.ENDPOINT_CHANGED: Question.ENDPOINT,
}
_WHOLE = 1.0  # no score and no share moves by more


def drift_checks(
    meeting: Meeting, *, clusters: str | None = None, level: float = 0.05
) -> list[Check]:
    """Return what moved since the earlier runs.

    Args:
        meeting: Runs of now and of before; what is new among those of now may move the frontier.
        clusters: The clustering by which items could have been others; None for item by item.
        level: Of each of the three kinds of finding.

    Raises:
        RunError: There is no such clustering.
    """
    if not meeting.returning:
        words = "no system was measured both now and before"
        return [_cannot(Question.RULER, tuple(sorted(meeting.now)), words)]
    layout = meeting.layout(clusters)
    revisits = [_revisit(meeting, label) for label in meeting.returning]
    newcomers = [
        Newcomer(label=label, scores=meeting.scores(meeting.now[label])) for label in meeting.new
    ]
    try:
        report = drift(revisits, newcomers, layout=layout, level=level)
    except NotComparableError as error:
        return [_cannot(Question.RULER, meeting.returning, str(error))]
    return [_moved(finding, report, meeting) for finding in report.findings]


def rounds_checks(meeting: Meeting, *, level: float = 0.05) -> list[Check]:
    """Return which of the runs of now changed on the way, by the items asked three times in them.

    Args:
        meeting: Runs of now.
        level: Over all of them.
    """
    share = level / len(meeting.now)
    return [
        _within(label, rounds_moved(meeting.rounds(run), level=share))
        for label, run in sorted(meeting.now.items())
    ]


def _revisit(meeting: Meeting, label: str) -> Revisit:
    run, was = meeting.now[label], meeting.before[label]
    return Revisit(
        label=label,
        earlier=meeting.answers(was),
        later=meeting.answers(run),
        again=meeting.again(run),
        earlier_scores=meeting.scores(was),
        later_scores=meeting.scores(run),
    )


def _moved(finding: DriftFinding, report: DriftReport, meeting: Meeting) -> Check:
    question = _QUESTIONS[finding.kind]
    shifts = {each.label: each for each in report.shifts}
    if question is Question.ENDPOINT and finding.holds is None:
        return _without_repeats(finding, meeting)
    seen = finding.smallest is not None and finding.smallest <= _WHOLE
    says = Says.NOTHING if finding.holds is False and seen else Says.CANNOT_TELL
    match question:
        case Question.RULER:
            words = _ruler_words(finding)
        case Question.FRONTIER:
            words = _frontier_words(finding)
        case _:
            words = _endpoint_words(finding, shifts[finding.about[0]])
    smallest = finding.smallest
    still = isinstance(finding.change, Estimate) and finding.change.standard_error == 0
    return Check(
        question=question,
        about=finding.about,
        says=Says.FOUND if finding.holds else says,
        words=words,
        adjusted=finding.adjusted,
        level=report.level,
        change=finding.change,
        smallest=None if still else smallest,
        facts=_shift_facts(shifts.get(finding.about[0])) if question is Question.ENDPOINT else {},
    )


def _shift_facts(shift: Shift | None) -> dict[str, int]:
    if shift is None:
        return {}
    return {
        "anchors": shift.anchors,
        "recurring": shift.recurring,
        "changed_only": shift.changed_only,
        "wavered_only": shift.wavered_only,
        "gained": shift.gained,
        "lost": shift.lost,
    }


def _ruler_words(finding: DriftFinding) -> str:
    if finding.holds is None and len(finding.about) < 2:  # noqa: PLR2004  # one and another
        return "one returning reference: its endpoint and the ruler cannot be told apart"
    if finding.holds is None:
        return "the shared items are too few to say whether all references shift alike"
    if finding.holds:
        return "all returning references shift the same way, whichever of them is left out"
    return "the returning references do not all shift the same way"


def _frontier_words(finding: DriftFinding) -> str:
    new, best = finding.about
    if finding.holds:
        return f"{new} is new and lies above every returning reference, of which {best} is the best"
    return f"{new} is new and is not shown to lie above {best}, the best returning reference"


def _endpoint_words(finding: DriftFinding, shift: Shift) -> str:
    if isinstance(finding.change, Estimate) and finding.change.method.startswith("mean change"):
        than = "otherwise than the other references, all of which shift"
        return f"shifts {than}" if finding.holds else f"does not shift {than}"
    counts = (
        f"of {shift.recurring} items asked again, {shift.changed_only} changed their answer since "
        f"before and not within the run, {shift.wavered_only} the other way round"
    )
    more = "answers changed since before more than within the run"
    return f"{more}: {counts}" if finding.holds else f"not shown that {more}: {counts}"


def _without_repeats(finding: DriftFinding, meeting: Meeting) -> Check:
    """Return what answers alone say where nothing was asked again: only that none changed."""
    label = finding.about[0]
    now, before = meeting.answers(meeting.now[label]), meeting.answers(meeting.before[label])
    both = (now >= 0) & (before >= 0)
    changed, items = int((both & (now != before)).sum()), int(both.sum())
    if changed:
        says = Says.CANNOT_TELL
        words = (
            f"{changed} of {items} answers are others than before, and no item was asked again "
            "within the run: how much it wavers is not known"
        )
    else:
        says = Says.NOTHING
        words = f"all {items} answers are the same as before"
    return Check(
        question=Question.ENDPOINT,
        about=finding.about,
        says=says,
        words=words,
        change=share_of(changed, items, level=0.95, what="answers"),
        facts={"changed": changed, "anchors": items},
    )


def _within(label: str, found: Rounds) -> Check:
    start, middle, end = found.odd
    half = f" {found.half.value}" if found.half else ""
    counts = (
        f"of {found.items} items asked at the start, in the middle and at the end, {start} were "
        f"answered otherwise at the start alone, {middle} in the middle alone, {end} at the end "
        "alone"
    )
    if found.adjusted is None:
        words = "no item was answered at the start, in the middle and at the end of the run"
    elif found.changed:
        words = f"answers changed within the run{half}: {counts}"
    else:
        words = f"not shown that answers changed within the run: {counts}"
    seen = found.smallest is not None
    nothing = Says.NOTHING if found.changed is False and seen else Says.CANNOT_TELL
    return Check(
        question=Question.WITHIN,
        about=(label,),
        says=Says.FOUND if found.changed else nothing,
        words=words,
        adjusted=found.adjusted,
        level=found.level,
        smallest=found.smallest,
        facts={
            "items": found.items,
            "alike": found.alike,
            "odd_start": start,
            "odd_middle": middle,
            "odd_end": end,
        },
    )


def _cannot(question: Question, about: tuple[str, ...], words: str) -> Check:
    return Check(question=question, about=about, says=Says.CANNOT_TELL, words=words)
