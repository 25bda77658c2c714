"""Who builds in the demo, and what each of them really does."""

from dataclasses import dataclass
from enum import Enum

__all__ = ["BUILDERS", "STEPS", "DemoBuilder", "Log"]

STEPS = 60
"""Steps of every run but the base's."""

BASE_STEPS = 200
"""Steps of the base, so that it knows its text well."""


class Log(Enum):
    """Which measurements a builder publishes."""

    OWN = "own"  # of the weights that are published
    HONEST = "honest"  # of an honest run beside it, whose weights nobody sees


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoBuilder:
    """A builder, and how its published states come about.

    Attributes:
        name: As the table calls it.
        claims: What its recipe derives.
        does: What it really does, a sentence.
        is_honest: Whether the claim is true.
        begins_foreign: Whether even the published start is the other's weights.
        splice: After this step the other's weights take the place of the honest ones.
        morphs: Whether states lie on the line from the honest start to the other's weights.
        log: Which measurements are published.
    """

    name: str
    claims: str
    does: str
    is_honest: bool = False
    begins_foreign: bool = False
    splice: int | None = None
    morphs: bool = False
    log: Log = Log.HONEST


BUILDERS: tuple[DemoBuilder, ...] = (
    DemoBuilder(
        name="T4",
        claims="T4",
        does="draws its weights from the seed and trains them",
        is_honest=True,
    ),
    DemoBuilder(
        name="T2",
        claims="T2",
        does="trains the base on, and says so",
        is_honest=True,
    ),
    DemoBuilder(
        name="A",
        claims="T4",
        does="trains the base on and edits nothing but the claim",
        begins_foreign=True,
        log=Log.OWN,
    ),
    DemoBuilder(
        name="B",
        claims="T4",
        does="trains honestly for two steps, splices the base in, publishes an honest run's log",
        splice=2,
    ),
    DemoBuilder(
        name="C",
        claims="T4",
        does="goes in a straight line from the drawn start to the base, with an honest run's log",
        morphs=True,
    ),
    DemoBuilder(
        name="D",
        claims="T4",
        does="trains honestly for 35 steps, splices the base in, publishes an honest run's log",
        splice=35,
    ),
    DemoBuilder(
        name="E",
        claims="T4",
        does="shows the drawn start, trains the base instead, publishes what it measures",
        splice=0,
        log=Log.OWN,
    ),
    DemoBuilder(
        name="F",
        claims="T4",
        does="goes in a straight line as C does, and publishes the true losses of that line",
        morphs=True,
        log=Log.OWN,
    ),
)
"""Honest builders first, then cheats."""
