"""V1.0 to V1.4: seed, tokens, schedule, first loss, and the course of a log.

All of it is arithmetic on what the log says, vectorised over millions of steps. What a log does
not hold is undecided by name. A log can be invented whole: what these checks pass says only that
it does not contradict itself, the plan, and what untrained weights must score.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LogError
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.chain_checks import problems_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.logs import StepLog
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.records import Interruption, ProblemKind, SeedOrigin
from dokja.models.forge.schedules import Schedule

__all__ = [
    "Told",
    "course_finding",
    "factors",
    "first_loss_finding",
    "rate_finding",
    "seed_finding",
    "token_finding",
    "told_of",
]

RATE_TOLERANCE = 1e-6
"""Relative; V1.2."""
FIRST_LOSS_FAILS_BELOW = 0.8
"""Share of ln V; V1.3."""
FIRST_LOSS_BELOW, FIRST_LOSS_ABOVE = 0.05, 0.6
"""Nats around ln V; V1.3."""
LONG_SILENCE_SECONDS = 900.0
"""A metrics entry is due every 15 minutes; V1.4."""
MANY_GAPS = 50.0
"""A pause is one if it is so many times the usual gap between two lines; V1.4."""

_SEED_KINDS = frozenset({ProblemKind.SEED, ProblemKind.NONCE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A training and its log, if there is one."""

    training: Training
    log: StepLog | None
    why: str

    def finding(self, check: str, title: str, *, power: str) -> Finding:
        """Return a finding that is not available yet: what is missing in the log."""
        return Finding(
            check=check,
            title=title,
            outcome=Outcome.NOT_AVAILABLE,
            component=self.training.component.id,
            power=power,
            why=self.why,
            remedy="Give the run's events.jsonl, or an imported log of this training.",
        )


def told_of(artefacts: Artefacts, training: Training) -> Told:
    """Return a training with its log."""
    try:
        return Told(training=training, log=artefacts.log(training), why="")
    except LogError as error:
        return Told(training=training, log=None, why=reason_of(error))


def seed_finding(artefacts: Artefacts, settings: Settings) -> Finding:
    """Return V1.0: whether the builder could choose the seed."""
    base = Finding(
        check="V1.0",
        title="seed was drawn",
        outcome=Outcome.NOT_AVAILABLE,
        power="a seed that was chosen, or tried again until it pleased",
        why=f"the chain says no seed: {artefacts.absent.get('chain', 'it has no init')}",
        remedy="Give the run's chain.jsonl.",
    )
    init = artefacts.init
    if init is None:
        return base
    wrong = [str(one) for one in problems_of(artefacts, settings) if one.kind in _SEED_KINDS]
    base = replace(base, value=init.origin.value, threshold=SeedOrigin.RECEIPT.value)
    if wrong:
        remedy = "The seed is not what plan, nonce and receipt give: the start is not believed."
        return replace(base, outcome=Outcome.FAIL, why="; ".join(wrong), remedy=remedy)
    if init.origin is SeedOrigin.RECEIPT:
        why = "drawn from plan, nonce and the receipt of the commit"
        return replace(base, outcome=Outcome.PASS, why=why, remedy="")
    chosen = init.origin is SeedOrigin.FIXED
    why = (
        "fixed by the builder, who says so: it could be tried again until it pleased"
        if chosen
        else "drawn from plan and nonce alone: no witness answered before it was drawn"
    )
    remedy = "Run with a drawn seed and a witness, or accept that the seed proves nothing."
    return replace(base, outcome=Outcome.UNDECIDED, why=why, remedy=remedy)


def token_finding(told: Told) -> Finding:
    """Return V1.1: tokens = steps * batch * length, exactly, for every line."""
    base = told.finding("V1.1", "tokens add up", power="one token")
    if told.log is None:
        return base
    tokens, batch = told.log.column("tokens"), told.training.stage["batch"]
    if tokens is None or not len(tokens.step):
        return _undecided(base, "the log tells no tokens")
    each = int(batch["sequences"]) * int(batch["length"])
    wrong = np.flatnonzero(tokens.value != tokens.step.astype(np.float64) * each)
    planned = told.training.steps * each
    last = int(tokens.value[-1])
    base = replace(base, value=last, threshold=planned)
    if len(wrong):
        at = wrong[0]
        why = (
            f"after step {tokens.step[at]} the log says {int(tokens.value[at]):,} tokens, "
            f"{int(tokens.step[at]) * each:,} follow from the batch; {len(wrong)} lines differ"
        )
        return _failed(base, why)
    if last != planned:
        return _failed(base, f"the plan has {planned:,} tokens, the log ends at {last:,}")
    return _passed(base, f"{told.training.steps:,} steps of {each:,} tokens")


def factors(schedule: Schedule, steps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return `schedules.factor` for many steps at once.

    Example:
        >>> falling = Schedule(kind="warmup-linear", warmup_steps=2, final=0.1, total_steps=11)
        >>> factors(falling, np.array([1, 2, 3, 11])).round(3).tolist()
        [0.5, 1.0, 0.9, 0.1]
    """
    step = steps.astype(np.float64)
    warmup, total = schedule.warmup_steps, schedule.total_steps
    if schedule.kind == "constant":
        later = np.ones_like(step)
    else:
        done = np.minimum((step - warmup) / max(total - warmup, 1), 1.0)
        if schedule.kind == "warmup-linear":
            later = 1.0 + (schedule.final - 1.0) * done
        else:
            cosine = 0.5 * (1.0 + np.cos(math.pi * done))
            later = schedule.final + (1.0 - schedule.final) * cosine
        later = np.where(step >= total, float(schedule.final), later)
    return np.where(step <= warmup, step / max(warmup, 1), later)


def rate_finding(told: Told) -> Finding:
    """Return V1.2: every logged learning rate is the schedule's, within 1e-6 relative."""
    base = told.finding(
        "V1.2", "learning rates follow the schedule", power=f"a rate off by {RATE_TOLERANCE:.0e}"
    )
    base = replace(base, threshold=RATE_TOLERANCE)
    if told.log is None:
        return base
    rates = told.log.column("lr")
    if rates is None or not len(rates.step):
        return _undecided(base, "the log tells no learning rates")
    inside = rates.step >= 1
    schedule = Schedule.from_json(
        {**told.training.stage["schedule"], "total_steps": told.training.steps}
    )
    peak = float(told.training.stage["optimizer"]["lr"])
    due = peak * factors(schedule, rates.step[inside])
    off = np.abs(rates.value[inside] - due) / np.maximum(np.abs(due), np.finfo(np.float64).tiny)
    off = np.where(np.isfinite(off), off, np.inf)
    worst = int(np.argmax(off))
    base = replace(base, value=float(off[worst]))
    if off[worst] > RATE_TOLERANCE:
        step = rates.step[inside][worst]
        found = rates.value[inside][worst]
        many = int((off > RATE_TOLERANCE).sum())
        why = f"step {step}: {found:.9g} logged, {due[worst]:.9g} planned; {many} steps differ"
        return _failed(base, why)
    return _passed(base, f"{len(off):,} rates are the plan's")


def first_loss_finding(told: Told) -> Finding | None:
    """Return V1.3: weights that were just drawn know nothing, so that the first loss is ln V.

    Only trainings that begin with drawn weights are asked; none for others.
    """
    training = told.training
    if not training.begins:
        return None
    base = told.finding(
        "V1.3",
        "first loss is that of drawn weights",
        power="weights that already know a fifth of what the data say",
    )
    return base if told.log is None else _first_loss(base, training, told.log)


def _first_loss(base: Finding, training: Training, log: StepLog) -> Finding:
    loss = log.column("loss")
    if loss is None or not len(loss.step) or loss.step[0] != 1:
        return _undecided(base, "the log does not tell the loss of step 1")
    if loss.averaged:
        return _undecided(base, "the log's first loss is a mean over several steps")
    limit = math.log(int(training.stage["structure"]["vocabulary"]))
    first = float(loss.value[0])
    low, high = limit - FIRST_LOSS_BELOW, limit + FIRST_LOSS_ABOVE
    base = replace(base, value=first, threshold=f"{low:.3f} to {high:.3f}")
    said = f"{first:.4f} nats, ln V is {limit:.4f}"
    if not first >= FIRST_LOSS_FAILS_BELOW * limit:
        return _failed(base, f"{said}: these weights were trained before")
    if low <= first <= high:
        return _passed(base, said)
    remedy = "V2.4 decides it: it computes the loss of the start."
    return replace(base, outcome=Outcome.UNDECIDED, why=f"{said}: neither nor", remedy=remedy)


def course_finding(artefacts: Artefacts, told: Told) -> Finding:
    """Return V1.4: no step is missing, the clock runs on, norms are there, breaks are declared."""
    base = told.finding(
        "V1.4", "course of the log", power="one missing step, one line dated before its elder"
    )
    log, training = told.log, told.training
    if log is None:
        return base
    wrong = [*map(str, log.faults[:3]), *_contradictions(log, training)]
    if not log.faults:
        wrong += filter(None, [_undeclared(artefacts, training, log)])
    if wrong:
        return _failed(base, "; ".join(wrong[:3]))
    open_questions = list(_lacking(log))
    if open_questions:
        return _undecided(base, "; ".join(open_questions))
    pauses = f"{len(log.breaks)} declared breaks" if log.breaks else "no break"
    found = _passed(base, f"{training.steps:,} steps, clock running on, {pauses}")
    return replace(found, value=training.steps)


def _lacking(log: StepLog) -> Iterator[str]:
    lacking = [name for name in ("loss", "grad_norm") if log.column(name) is None]
    if lacking:
        yield f"the log tells no {' and no '.join(lacking)}"
    if log.at is None or log.at_step is None:
        yield "the log tells no times"
    silence = _silence(log)
    if silence:
        yield silence


def _contradictions(log: StepLog, training: Training) -> Iterator[str]:
    for name in ("loss", "grad_norm"):
        column = log.column(name)
        if column is None:
            continue
        if not np.isfinite(column.value).all():
            at = column.step[np.flatnonzero(~np.isfinite(column.value))[0]]
            yield f"{name} of step {at} is no finite number"
        averaged = column.averaged or log.imported
        due = training.steps
        if not averaged and (
            len(column.step) != due or column.step[0] != 1 or column.step[-1] != due
        ):
            yield (
                f"{name} is told of {len(column.step):,} steps, from {column.step[0]} to "
                f"{column.step[-1]}; the plan has steps 1 to {due:,}"
            )
        elif column.step[-1] != due:
            yield f"the log ends at step {column.step[-1]}; the plan has {due:,}"
    if log.at is not None and (np.diff(log.at) < np.timedelta64(0)).any():
        at = log.at[np.flatnonzero(np.diff(log.at) < np.timedelta64(0))[0] + 1]
        yield f"the clock runs backwards at {at}"


def _undeclared(artefacts: Artefacts, training: Training, log: StepLog) -> str:
    """Return which resumes the log has and the chain does not, or the other way round."""
    if artefacts.chain is None or log.imported:
        return ""
    several = sum(one.component.id == training.component.id for one in artefacts.trainings) > 1
    declared = sorted(
        said.resumed_at
        for _, said in artefacts.chain.of(Interruption)
        if said.component == training.component.id and said.resumed_at is not None
    )
    logged = sorted(one.step for one in log.breaks if one.kind == "resume")
    hidden = [step for step in logged if step not in declared]
    untold = [] if several else [step for step in declared if step not in logged]
    if hidden or untold:
        return (
            f"the log resumes after steps {logged or 'none'}, the chain declares "
            f"{declared or 'none'}"
        )
    return ""


def _silence(log: StepLog) -> str:
    """Return where nothing was told for long without a declared break; empty for nowhere."""
    if log.at is None or log.at_step is None or len(log.at) < 3:  # noqa: PLR2004  # two gaps
        return ""
    gaps = np.diff(log.at) / np.timedelta64(1, "s")
    usual = float(np.median(gaps))
    long = np.flatnonzero(gaps > max(LONG_SILENCE_SECONDS, MANY_GAPS * usual))
    broken = {one.step for one in log.breaks}
    for place in long:
        step = int(log.at_step[place])
        if not any(one <= step + 1 and one >= step - 1 for one in broken):
            return f"nothing is told for {gaps[place]:,.0f} s after step {step}, and no break is"
    return ""


def _failed(finding: Finding, why: str) -> Finding:
    remedy = "Ask the builder which of the two is right; neither is believed."
    return replace(finding, outcome=Outcome.FAIL, why=why, remedy=remedy)


def _undecided(finding: Finding, why: str) -> Finding:
    remedy = "Ask for a log that holds it."
    return replace(finding, outcome=Outcome.UNDECIDED, why=why, remedy=remedy)


def _passed(finding: Finding, why: str) -> Finding:
    return replace(finding, outcome=Outcome.PASS, why=why, remedy="")
