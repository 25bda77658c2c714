"""How the learning rate changes over the steps of a training.

A schedule is a pure function from the step to a factor of the peak rate, in double precision, so
that a log's learning rates can be checked without the engine that wrote them. The forms are the
usual ones: linear warm-up (arXiv 1706.03762, section 5.3), then constant, linear, or the half
cosine of arXiv 1608.03983.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.weights.headers import shown
from dokja.values import Json

__all__ = ["KINDS", "Schedule", "factor"]

KINDS = ("constant", "warmup-linear", "warmup-cosine")
"""What a schedule does after its warm-up: stay, fall in a line, or fall as a half cosine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A learning-rate schedule.

    Attributes:
        kind: One of `KINDS`.
        total_steps: Steps of the whole training.
        warmup_steps: Steps over which the rate climbs to its peak; 0 for none.
        final: The factor at `total_steps`, from 0 to 1; `constant` does not look at it.

    Raises:
        RecipeError: When it is made: a value is of another kind, or the warm-up is longer than
            the training.
    """

    kind: str
    total_steps: int
    warmup_steps: int = 0
    final: float = 0.0

    def __post_init__(self) -> None:
        expected = {
            "kind": (self.kind in KINDS, f"one of {', '.join(KINDS)}"),
            "total_steps": (_is_whole(self.total_steps, least=1), "a whole number from 1"),
            "warmup_steps": (
                _is_whole(self.warmup_steps, least=0)
                and not (_is_whole(self.total_steps, least=1) and not self._fits()),
                f"a whole number from 0 to the {shown(self.total_steps)} steps of the training",
            ),
            "final": (_is_share(self.final), "a number from 0 to 1"),
        }
        mistakes = [
            Mistake(file="schedule", place=name, read=shown(getattr(self, name)), expected=text)
            for name, (sound, text) in expected.items()
            if not sound
        ]
        if mistakes:
            raise RecipeError(mistakes)

    def to_json(self) -> dict[str, Json]:
        """Return it as plans and jobs state it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Schedule":
        """Return the schedule that a plan or a job states.

        Raises:
            RecipeError: A value is missing, unknown or of another kind.
        """
        known = [field.name for field in fields(cls)]
        mistakes = [
            Mistake(file="schedule", place=name, read="nothing", expected="this value")
            for name in ("kind", "total_steps")
            if name not in said
        ] + [
            Mistake(
                file="schedule",
                place=name,
                read="a value that schedules do not have",
                expected=f"only {', '.join(known)}",
            )
            for name in sorted(set(said) - set(known))
        ]
        if mistakes:
            raise RecipeError(mistakes)
        return cls(**said)

    def _fits(self) -> bool:
        # Climbing for the whole training is allowed: the peak is then its last step.
        return self.warmup_steps <= self.total_steps


def factor(schedule: Schedule | Mapping[str, Any], step: int) -> float:
    """Return the factor by which the peak learning rate is multiplied in a step.

    Args:
        schedule: A schedule, or the object that states it in a plan or a job.
        step: From 1; step t is the one that makes the weights W_t. After `total_steps` the
            factor stays what it was there.

    Raises:
        RecipeError: The object states no schedule.
        ValueError: The step is before the first.

    Example:
        >>> falling = Schedule(kind="warmup-linear", warmup_steps=2, final=0.1, total_steps=11)
        >>> [round(factor(falling, step), 3) for step in (1, 2, 3, 11)]
        [0.5, 1.0, 0.9, 0.1]
    """
    if step < 1:
        raise ValueError(f"step {step} is before the first, which is 1")
    if not isinstance(schedule, Schedule):
        schedule = Schedule.from_json(schedule)
    warmup, total = schedule.warmup_steps, schedule.total_steps
    if step <= warmup:
        return step / warmup
    if schedule.kind == "constant":
        return 1.0
    if step >= total:
        return float(schedule.final)
    done = (step - warmup) / (total - warmup)
    if schedule.kind == "warmup-linear":
        return 1.0 + (schedule.final - 1.0) * done
    return schedule.final + (1.0 - schedule.final) * 0.5 * (1.0 + math.cos(math.pi * done))


def _is_whole(value: object, *, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_share(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
