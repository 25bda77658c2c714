"""What a foreign engine gave, and what it did not: each by name, with what follows from it.

Missing is not zero. A check that needs what is missing is undecided, and says which of these
names it missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from dokja.models.forge.importers import Metrics

__all__ = ["NotGiven", "missing_of_checkpoints", "missing_of_metrics"]

_METRICS = {
    "loss": ("V1.3", "V2.4"),
    "lr": ("V1.2", "V2.3"),
    "grad_norm": ("V1.4",),
    "tokens": ("V1.1",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NotGiven:
    """Something that a check needs and the engine did not leave.

    Attributes:
        name: What, such as `grad_norm` or `optimizer-state`.
        why: Why it is not there, in a sentence.
        checks: Which checks of the ladder are undecided for it.
    """

    name: str
    why: str
    checks: tuple[str, ...]


def missing_of_metrics(metrics: Metrics | None, *, engine: str) -> Iterator[NotGiven]:
    """Yield what the log does not say.

    Args:
        metrics: The log; None when there was none.
        engine: What wrote it.
    """
    # No foreign engine tells which instances a step saw, or what a device did meanwhile.
    yield NotGiven(
        name="instances",
        why=f"{engine} does not log which instances a step saw.",
        checks=("V1.6",),
    )
    yield NotGiven(
        name="device-seconds",
        why=f"{engine} does not log the time of its devices; the scheduler's accounting may.",
        checks=("V1.5", "V1.7"),
    )
    for name, checks in _METRICS.items():
        if metrics is None:
            yield NotGiven(name=name, why="There is no log.", checks=checks)
        elif name not in metrics.series:
            yield NotGiven(name=name, why=f"The log of {engine} has no such value.", checks=checks)
    if metrics is None:
        return
    loss = metrics.series.get("loss")
    if (
        loss is not None
        and loss.averaged
        and len(loss) > 1
        and int(loss.step[1] - loss.step[0]) > 1
    ):
        why = "Each logged loss is a mean over several steps."
        yield NotGiven(name="loss-of-each-step", why=why, checks=("V2.4",))


def missing_of_checkpoints(
    steps: tuple[int, ...], *, engine: str, states: bool
) -> Iterator[NotGiven]:
    """Yield what the checkpoints do not hold.

    Args:
        steps: The steps of the checkpoints that can be opened.
        engine: What wrote them.
        states: Whether the optimizer's state lies beside them.
    """
    if not steps:
        why = f"{engine} left no checkpoint that can be opened."
        yield NotGiven(name="checkpoints", why=why, checks=("V0.2", "V2.2", "V2.3", "V2.4", "V3"))
    elif not any(step <= 100 for step in steps if step):  # noqa: PLR2004  # V2.2 looks no further
        why = "No checkpoint lies within the first 100 steps."
        yield NotGiven(name="early-checkpoint", why=why, checks=("V2.2",))
    if steps and 0 not in steps:
        why = f"{engine} does not save the weights before the first step."
        yield NotGiven(name="checkpoint-0", why=why, checks=("V2.1",))
    if not states:
        why = f"The optimizer's state of {engine} is not safetensors, and is not opened."
        yield NotGiven(name="optimizer-state", why=why, checks=("V3",))
