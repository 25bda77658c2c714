"""Which items' keys do not fit the answers of the systems that are otherwise right.

Letters come from the records of runs, with the keys of the suite, or from rows that somebody else
recorded. An item of which rows give two keys is looked at under each of them, so that it is seen
which of the two fits. Give one run per model: twins err alike, and make right keys look wrong.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, NotComparableError, TableError
from dokja.evidence.benchmarks.aligning import Alignment
from dokja.evidence.benchmarks.checking.answered import AnsweredRun
from dokja.evidence.benchmarks.checking.findings import ENOUGH, Check, Question, Says
from dokja.evidence.benchmarks.rows import Column, Rows
from dokja.evidence.benchmarks.running import Form
from dokja.evidence.statistics.key_errors import KeyFindings, SuspectKey, suspect_keys
from dokja.values import Estimate, shown

__all__ = ["FEWEST_SYSTEMS", "KeySheet", "key_checks", "sheet_of_rows", "sheet_of_runs"]

FEWEST_SYSTEMS = 6
"""Three in the stronger half: two of them agreeing is most of them."""
_MOST_LABELS = 20
_LONGEST_LABEL = 8
_ANSWER = "answer "


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeySheet:
    """Letters that systems gave to items with options, and the keys.

    Attributes:
        suite: Names the items.
        items: Their names; one with two keys stands twice, with the key behind its name.
        systems: Whose answers.
        labels: Of the options, in their order.
        answers: Which label each system gave, -1 for none; int64, shape `(items, systems)`.
        keys: Which label is the key; int64, shape `(items,)`.
        left_out: How many items have no options, no single key, or are private.
    """

    suite: str
    items: tuple[str, ...]
    systems: tuple[str, ...]
    labels: tuple[str, ...]
    answers: NDArray[np.int64]
    keys: NDArray[np.int64]
    left_out: int = 0


def sheet_of_runs(runs: Sequence[AnsweredRun], form: Form) -> KeySheet:
    """Return the letters that runs hold on a form's items; its keys may be newer than the runs.

    Args:
        runs: One per model, of the form's suite.
        form: The items, with options and keys.
    """
    questions = [
        each
        for each in form.questions
        if len(each.task.choices) > 1 and len(each.task.keys) == 1 and not each.private
    ]
    kept = [each for each in questions if all(each.item_digest.hex in run.items for run in runs)]
    named = [tuple(choice.label for choice in each.task.choices) for each in kept]
    labels = max(named, key=len, default=())
    answers = [
        [_place(run.items[each.item_digest.hex].answer, own) for run in runs]
        for each, own in zip(kept, named, strict=True)
    ]
    keys = [own.index(each.task.keys[0]) for each, own in zip(kept, named, strict=True)]
    return KeySheet(
        suite=form.suite,
        items=tuple(each.handle for each in kept),
        systems=tuple(run.label for run in runs),
        labels=labels,
        answers=np.array(answers, dtype=np.int64).reshape(len(kept), len(runs)),
        keys=np.array(keys, dtype=np.int64),
        left_out=len(form.questions) - len(kept),
    )


def _place(answer: str | None, labels: Sequence[str]) -> int:
    told = None if answer is None else answer.removeprefix(_ANSWER)
    return labels.index(told) if told in labels else -1


def sheet_of_rows(
    rows: Rows,
    alignment: Alignment,
    *,
    options: Sequence[str] = (),
    leave_out: Sequence[str] = (),
) -> KeySheet:
    """Return the letters that rows keep; of an item answered twice by a system the first counts.

    Args:
        rows: Rows that keep answers and keys.
        alignment: Which item each row answers.
        options: The labels that items allow; empty for those that stand among the keys.
        leave_out: Systems of which another run stands for the same model.

    Raises:
        TableError: Rows keep no letters, keys are no labels, or there is no such system; every
            mistake at once.
    """
    mistakes = list(_unfit(rows, options, leave_out))
    if rows.keys is None or rows.answers is None or mistakes:
        raise TableError(mistakes)
    labels = tuple(options) or tuple(sorted(rows.keys.names))
    taken = [
        n
        for n, name in enumerate(rows.systems.names)
        if alignment.how[n] != "none" and name not in leave_out
    ]
    column = np.full(len(rows.systems.names), -1, dtype=np.int64)
    column[taken] = np.arange(len(taken))
    epoch = np.zeros(len(rows), dtype=np.int32) if rows.epochs is None else rows.epochs
    counted = (alignment.places >= 0) & (alignment.occurrences == 0) & (epoch == 0)
    here = np.flatnonzero(counted & (column[rows.systems.codes] >= 0))
    given = np.full((len(alignment.items), len(taken)), -1, dtype=np.int64)
    places = alignment.places[here]
    given[places, column[rows.systems.codes[here]]] = _codes(rows.answers, labels)[here]
    keys = _codes(rows.keys, labels)[here]
    pairs = np.unique(np.stack([places, keys], axis=1)[keys >= 0], axis=0)
    _, first, times = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    several = {int(pairs[at, 0]) for at, count in zip(first, times, strict=True) if count > 1}
    return KeySheet(
        suite=rows.suite,
        items=tuple(
            f"{alignment.items[item]} (key {labels[key]})"
            if item in several
            else alignment.items[item]
            for item, key in pairs.tolist()
        ),
        systems=tuple(rows.systems.names[n] for n in taken),
        labels=labels,
        answers=given[pairs[:, 0]],
        keys=pairs[:, 1].astype(np.int64),
        left_out=len(alignment.items) - len(first),
    )


def _unfit(rows: Rows, options: Sequence[str], leave_out: Sequence[str]) -> list[Mistake]:
    mistakes = []
    if rows.answers is None or rows.keys is None:
        expected = "each system's answer and the key, to hold keys against answers"
        remedy = "Name their columns as answer and key in the mapping."
        read = "rows without answers or without keys"
        mistakes.append(
            Mistake(file=rows.file, place="", read=read, expected=expected, remedy=remedy)
        )
    elif not options:
        named = rows.keys.names
        if len(named) > _MOST_LABELS or max(map(len, named), default=0) > _LONGEST_LABEL:
            expected = "keys that are labels of options, such as A to E"
            read = f"{len(named)} different ones, such as {shown(repr(named[0]))}"
            mistakes.append(Mistake(file=rows.file, place="keys", read=read, expected=expected))
    known = ", ".join(rows.systems.names)
    mistakes += [
        Mistake(file=rows.file, place="systems", read=f"no {name}", expected=f"one of: {known}")
        for name in leave_out
        if name not in rows.systems.names
    ]
    return mistakes


def _codes(column: Column, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return which label stands in each row, -1 for none of them."""
    lookup = [labels.index(name) if name in labels else -1 for name in column.names]
    return np.array([*lookup, -1], dtype=np.int64)[column.codes]


def key_checks(
    sheet: KeySheet, *, rng: np.random.Generator, false_discovery: float = 0.05
) -> list[Check]:
    """Return a finding for every item whose key does not fit, or one that says there is none.

    Args:
        sheet: Letters and keys.
        rng: Draws the items that p-values come from.
        false_discovery: Share of the findings that may be right keys, in (0, 1).
    """
    if not sheet.items:
        words = "no public item has options of which exactly one is the key"
        return [_none(sheet, Says.CANNOT_TELL, words)]
    try:
        found = suspect_keys(
            sheet.answers,
            sheet.keys,
            options=len(sheet.labels),
            rng=rng,
            false_discovery=false_discovery,
        )
    except NotComparableError as error:
        return [_none(sheet, Says.CANNOT_TELL, str(error))]
    power = found.power.value if isinstance(found.power, Estimate) else None
    if found.suspects:
        return [_suspect(each, sheet, found, power=power) for each in found.suspects]
    words = f"all {found.items:,} keys fit the answers of {found.systems} systems"
    seen = power is not None and power >= ENOUGH
    return [_none(sheet, Says.NOTHING if seen else Says.CANNOT_TELL, words, found, power=power)]


def _none(
    sheet: KeySheet,
    says: Says,
    words: str,
    found: KeyFindings | None = None,
    *,
    power: float | None = None,
) -> Check:
    return Check(
        question=Question.KEYS,
        about=(sheet.suite,),
        says=says,
        words=words,
        level=None if found is None else found.false_discovery,
        change=None,
        power=power,
        facts={"items": len(sheet.items), "systems": len(sheet.systems)},
    )


def _suspect(
    each: SuspectKey, sheet: KeySheet, found: KeyFindings, *, power: float | None
) -> Check:
    key, answer = sheet.labels[each.key], sheet.labels[each.answer]
    words = (
        f"key {key} does not fit: {each.agreeing} of {each.stronger} of the stronger half answer "
        f"{answer}"
    )
    facts: Mapping[str, str | int] = {
        "key": key,
        "answer": answer,
        "agreeing": each.agreeing,
        "stronger": each.stronger,
        "signs": " ".join(each.signs),
    }
    return Check(
        question=Question.KEYS,
        about=(sheet.items[each.item],),
        says=Says.FOUND,
        words=words,
        adjusted=each.adjusted,
        level=found.false_discovery,
        power=power,
        facts={**facts, "items": found.items, "systems": found.systems},
    )
