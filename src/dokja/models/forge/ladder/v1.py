"""V1, arithmetic on the logs: what cannot be true together.

| check | asks | fails | holds |
|---|---|---|---|
| V1.0 | was the seed drawn | it does not follow | from a receipt |
| V1.1 | tokens = steps * batch * length | else | exactly |
| V1.2 | learning rates | off by 1e-6 relative | else |
| V1.3 | first loss, from scratch | below 0.8 ln V | ln V - 0.05 to ln V + 0.6 |
| V1.4 | course of the log | steps missing, clock backwards, breaks not declared | else |
| V1.5 | utilisation | above 0.75 | below 0.60 |
| V1.6 | mixture and repeats | shares off by 1e-3, instances out of order | else |
| V1.7 | device-hours | off by 2 % | else |

It does not show that the log was not invented whole.
"""

from collections.abc import Iterator
from dataclasses import replace

from dokja.models.forge.ladder.artefacts import Artefacts
from dokja.models.forge.ladder.compute_checks import hours_finding, mixture_findings, use_finding
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.log_checks import (
    course_finding,
    first_loss_finding,
    rate_finding,
    seed_finding,
    token_finding,
    told_of,
)
from dokja.models.forge.ladder.settings import Settings

__all__ = ["log_level"]


def log_level(artefacts: Artefacts, settings: Settings) -> Iterator[Finding]:
    """Yield every finding of V1."""
    yield seed_finding(artefacts, settings)
    if not artefacts.trainings:
        yield _no_training(artefacts)
        return
    told = [told_of(artefacts, training) for training in artefacts.trainings]
    for one in told:
        settings.progress("V1", 0 if one.log is None else one.log.bytes)
        yield token_finding(one)
        yield rate_finding(one)
        first = first_loss_finding(one)
        if first is not None:
            yield first
        yield course_finding(artefacts, one)
        yield use_finding(artefacts, one)
        yield from mixture_findings(artefacts, one)
    yield hours_finding(artefacts, settings, told)


def _no_training(artefacts: Artefacts) -> Finding:
    known = artefacts.plan is not None
    base = Finding(
        check="V1.1",
        title="logs of trainings",
        outcome=Outcome.NOT_AVAILABLE,
        why=artefacts.absent.get("plan", "no plan"),
        remedy="Give the run's plan.json.",
    )
    if artefacts.joint:
        why = "a program of the builder's own: the plan fixes no steps, batches or rates of it"
        remedy = "Ask for a log, and read it beside the record."
        return replace(base, outcome=Outcome.UNDECIDED, why=why, remedy=remedy)
    if known:
        return replace(base, outcome=Outcome.PASS, why="the plan trains nothing", remedy="")
    return base
