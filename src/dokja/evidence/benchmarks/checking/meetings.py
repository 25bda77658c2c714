"""Runs of now and of before laid side by side, item by item.

Items are the same where their digest without the key is: a corrected key is a change of the ruler
and not another item. What any of the runs was not asked is left out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.checking.answered import AnsweredItem, AnsweredRun
from dokja.evidence.benchmarks.running import Plan
from dokja.evidence.benchmarks.running.order import ROUNDS
from dokja.evidence.statistics.contrasts import Layout, layout_of
from dokja.evidence.statistics.counts import share_of
from dokja.values import Measured

__all__ = ["Meeting", "asked_otherwise", "meeting", "repeat_rate"]

_UNLIKE = (  # parts of a plan on which answers depend
    "request",
    "tokens",
    "system.endpoint",
    "system.model",
    "system.effort",
    "system.weights",
    "asked.version",
    "asked.scorer_digest",
)


@dataclass(frozen=True, kw_only=True)
class Meeting:
    """Runs that were asked the same items, now and before.

    Attributes:
        now: Runs by the label of their system.
        before: Earlier runs by label; some labels may stand on one side only.
        items: Digests of the items that every run was asked, in the order of the first run.
    """

    now: Mapping[str, AnsweredRun]
    before: Mapping[str, AnsweredRun]
    items: tuple[str, ...]

    @property
    def returning(self) -> tuple[str, ...]:
        """Labels that stand on both sides."""
        return tuple(sorted(self.now.keys() & self.before.keys()))

    @property
    def new(self) -> tuple[str, ...]:
        """Labels that stand only among the runs of now."""
        return tuple(sorted(self.now.keys() - self.before.keys()))

    @cached_property
    def _codes(self) -> dict[str, int]:
        return {}

    def of(self, run: AnsweredRun) -> list[AnsweredItem]:
        """Return what a run holds of the shared items."""
        return [run.items[item] for item in self.items]

    def answers(self, run: AnsweredRun) -> NDArray[np.int64]:
        """Return codes of a run's answers, -1 for none; shape `(items,)`."""
        return self._coded([each.answer for each in self.of(run)])

    def again(self, run: AnsweredRun) -> NDArray[np.int64]:
        """Return codes of the answers when asked once more, -1 for none; shape `(items,)`."""
        return self._coded([each.again for each in self.of(run)])

    def rounds(self, run: AnsweredRun) -> NDArray[np.int64]:
        """Return codes of a run's answers at start, middle and end; shape `(3, run's items)`.

        All items of the run, shared or not: a run is held against itself alone.
        """
        told = [each.rounds for each in run.items.values()]
        return np.stack([self._coded([each[n] for each in told]) for n in range(len(ROUNDS))])

    def scores(self, run: AnsweredRun) -> NDArray[np.float64]:
        """Return scores, 0 where there is no answer; shape `(items,)`."""
        return np.array([each.score or 0.0 for each in self.of(run)], dtype=np.float64)

    def tokens(self, run: AnsweredRun) -> NDArray[np.int64]:
        """Return tokens of the prompts, -1 where none were told; shape `(items,)`."""
        told = [each.tokens_in for each in self.of(run)]
        return np.array([-1 if each is None else each for each in told], dtype=np.int64)

    def layout(self, clusters: str | None) -> Layout:
        """Return how the shared items hang together.

        Raises:
            RunError: An item has no cluster of that name.
        """
        if clusters is None:
            return layout_of(len(self.items))
        first = next(iter(self.now.values()))
        told = [each.clusters.get(clusters) for each in self.of(first)]
        labels = [each for each in told if each is not None]
        if len(labels) < len(told):
            named = sorted({name for each in self.of(first) for name in each.clusters})
            file, read = str(first.folder), f"no clustering {clusters!r} for every item"
            expected = f"one of {', '.join(named)}" if named else "none: items have no clusters"
            raise RunError([Mistake(file=file, place="", read=read, expected=expected)])
        return layout_of(len(self.items), clusters=labels)

    def _coded(self, answers: Sequence[str | None]) -> NDArray[np.int64]:
        codes = self._codes
        found = [-1 if each is None else codes.setdefault(each, len(codes)) for each in answers]
        return np.array(found, dtype=np.int64)


def meeting(now: Sequence[AnsweredRun], before: Sequence[AnsweredRun]) -> Meeting:
    """Return runs of now and of before side by side.

    Raises:
        RunError: Runs of two suites, a label that stands twice on one side, or no item that all
            were asked; every mistake at once.
    """
    mistakes = [*_twice(now), *_twice(before)]
    suites = {run.plan.asked.suite for run in (*now, *before)}
    first = now[0]
    mistakes += [
        Mistake(
            file=str(run.folder),
            place="asked.suite",
            read=repr(run.plan.asked.suite),
            expected=f"{first.plan.asked.suite!r}, as in {first.folder}",
            remedy="Check each suite for itself.",
        )
        for run in (*now, *before)
        if len(suites) > 1 and run.plan.asked.suite != first.plan.asked.suite
    ]
    shared = [item for item in first.items if all(item in run.items for run in (*now, *before))]
    if not mistakes and not shared:
        expected = "an item that every run was asked"
        mistakes.append(Mistake(file=str(first.folder), place="", read="none", expected=expected))
    if mistakes:
        raise RunError(mistakes)
    return Meeting(
        now={run.label: run for run in now},
        before={run.label: run for run in before},
        items=tuple(shared),
    )


def repeat_rate(runs: Sequence[AnsweredRun]) -> Measured:
    """Return how often a system gives the same answer when asked once more within a run.

    One pair an item and run, so that pairs are independent given the items.
    """
    pairs = [
        (item.answer, item.again)
        for run in runs
        for item in run.items.values()
        if item.answer is not None and item.again is not None
    ]
    alike = sum(one == other for one, other in pairs)
    return share_of(alike, len(pairs), level=0.95, what="repeated questions")


def asked_otherwise(now: Plan, before: Plan) -> tuple[str, ...]:
    """Return which settings, on which answers depend, are others than before."""
    found = []
    for place in _UNLIKE:
        one, other = _part(now, place), _part(before, place)
        if one != other and isinstance(one, dict) and isinstance(other, dict):
            keys = sorted(
                key for key in one.keys() | other.keys() if one.get(key) != other.get(key)
            )
            found += [f"{place}.{key}" for key in keys]
        elif one != other:
            found.append(place)
    return tuple(found)


def _part(plan: Plan, place: str) -> object:
    part: object = plan
    for step in place.split("."):
        part = getattr(part, step)
    return part


def _twice(runs: Sequence[AnsweredRun]) -> list[Mistake]:
    seen: dict[str, AnsweredRun] = {}
    mistakes = []
    for run in runs:
        other = seen.setdefault(run.label, run)
        if other is not run:
            expected = f"another label than that of {other.folder}"
            file, read = str(run.folder), repr(run.label)
            place = "system.label"
            mistakes.append(Mistake(file=file, place=place, read=read, expected=expected))
    return mistakes
