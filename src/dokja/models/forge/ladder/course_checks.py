"""V2.3 and V2.4: could AdamW have carried the weights from state to state, and do they score so.

V2.3 needs two states and the planned learning rates. V2.4 computes the loss of a state on the
batch that comes next, and compares it with what the log says of that step.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from dokja.errors import CorpusError, EngineError, InputError, LogError
from dokja.models.forge.engines import Job
from dokja.models.forge.engines.ref.forward import sequence_losses
from dokja.models.forge.engines.ref.network import FAMILIES
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.bounds import Reach, path_bound, reaches
from dokja.models.forge.ladder.casts import is_rounding_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.log_checks import factors
from dokja.models.forge.ladder.settings import Settings, sampled
from dokja.models.forge.records import Checkpoint
from dokja.models.weights import Source

__all__ = ["bound_finding", "loss_finding"]

LOSS_TOLERANCE = {"fp32": 1e-5, "bf16": 5e-3}
"""Nats; V2.4."""
_ADAPTER = "state/adapter.safetensors"


@dataclass(slots=True)
class _Pairs:
    """What was found between states."""

    sharp: list[tuple[int, int]] = field(default_factory=list)
    blind: list[tuple[int, int]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    closest: float = 0.0
    """Largest share of the bound that a coordinate reached."""

    sees: float = 0.0
    """Largest bound of a pair that is not blind, in units of the weights' size."""

    bytes: int = 0


def bound_finding(artefacts: Artefacts, settings: Settings, training: Training) -> Finding:
    """Return V2.3: every coordinate stays within AdamW's bound, from state to state."""
    base = Finding(
        check="V2.3",
        title="updates within AdamW's bound",
        outcome=Outcome.NOT_AVAILABLE,
        component=training.component.id,
        threshold=1.0,
        why=training.why_no_job or "fewer than two states are at hand",
        remedy="Give the archived states; both ends of each probe at least.",
    )
    job = training.job
    if job is None or artefacts.folder is None:
        return base
    states = artefacts.checkpoints(training)
    found = _Pairs()
    for earlier, later in pairwise(states):
        _pair(artefacts, settings, job, (earlier, later), found)
    _ending(artefacts, settings, training, states, found)
    settings.progress("V2.3", found.bytes)
    base = replace(base, value=found.closest, read_bytes=found.bytes, power=_power(found))
    if found.wrong:
        remedy = "These weights came from elsewhere than from the states before; replay it (V3)."
        why = "; ".join(found.wrong[:4])
        return replace(base, outcome=Outcome.FAIL, why=why, remedy=remedy)
    if not found.sharp:
        outcome = Outcome.UNDECIDED if found.blind or found.absent else Outcome.NOT_AVAILABLE
        why = "; ".join(found.absent[:3]) or base.why
        if found.blind:
            why = "between all states so much may move that nothing would be seen"
        return replace(base, outcome=outcome, why=why)
    why = f"{len(found.sharp)} pairs of states, the closest reaches {found.closest:.3f} of it"
    return replace(base, outcome=Outcome.PASS, why=why, remedy="")


def _power(found: _Pairs) -> str:
    if not found.sharp:
        return "none: no pair of states is close enough"
    blind = [f"{a} to {b}" for a, b in found.blind]
    rest = f"; blind in steps {', '.join(blind[:6])}" if blind else ""
    missing = f"; {len(found.absent)} pairs are not at hand" if found.absent else ""
    seen = f"a coordinate carried {found.sees:.2f} times the weights' size too far"
    return seen + rest + missing


def _pair(
    artefacts: Artefacts,
    settings: Settings,
    job: Job,
    pair: tuple[Checkpoint, Checkpoint],
    found: _Pairs,
) -> None:
    first, last = pair[0].state.step, pair[1].state.step
    sources = _opened(artefacts, job, pair)
    if not isinstance(sources, tuple):
        found.absent.append(f"steps {first} to {last}: {sources}")
        return
    before, after = sources
    steps = np.arange(first + 1, last + 1, dtype=np.int64)
    rates = job.optimizer.lr * factors(job.schedule, steps)
    betas, decay = job.optimizer.betas, job.optimizer.weight_decay
    matrix = path_bound(rates, steps, betas=betas, decay=decay)
    vector = path_bound(rates, steps, betas=betas, decay=0.0)
    still = replace(vector, limit=0.0, steps=0)
    kinds = {
        name: (matrix if len(before.info(name).shape) > 1 else vector)
        if _moves(job, name)
        else still
        for name in before.names
        if name not in job.structure.buffers()
    }
    names = sampled(tuple(kinds), settings=settings, head=_head(artefacts))
    decays = [(name, kinds[name].decay) for name in names]
    squares = values = 0.0
    for reach in reaches(before, after, decays, threads=settings.threads):
        found.bytes += 8 * reach.values
        if kinds[reach.name] is matrix:
            squares, values = squares + reach.squares, values + reach.values
        if kinds[reach.name].limit:
            found.closest = max(found.closest, reach.far / kinds[reach.name].limit)
        if reach.beyond(kinds[reach.name]):
            found.wrong.append(_too_far(reach, kinds[reach.name].limit, first, last))
    size = (squares / values) ** 0.5 if values else 0.0
    if matrix.limit < size:
        found.sharp.append((first, last))
        found.sees = max(found.sees, matrix.limit / size)
    else:
        found.blind.append((first, last))


def _too_far(reach: Reach, limit: float, first: int, last: int) -> str:
    if not limit:
        return f"steps {first} to {last}: {reach.name} is not trained, and moved by {reach.far:.3g}"
    times = f"{reach.far / limit:.4g} times as far as AdamW can carry it"
    return f"steps {first} to {last}: a coordinate of {reach.name} went {times}"


def _moves(job: Job, name: str) -> bool:
    if isinstance(job.trainable, tuple):
        return any(fnmatchcase(name, pattern) for pattern in job.trainable)
    return True


def _opened(
    artefacts: Artefacts, job: Job, pair: tuple[Checkpoint, Checkpoint]
) -> tuple[Source, Source] | str:
    """Return the trained tensors of both states, or why they cannot be compared."""
    part = "weights" if job.adapter is None else _ADAPTER
    folders = [(artefacts.folder or Path()) / one.folder / part for one in pair]
    missing = [one.folder for one, path in zip(pair, folders, strict=True) if not path.exists()]
    if missing:
        return f"{', '.join(missing)} is not at hand"
    try:
        before, after = artefacts.source(folders[0]), artefacts.source(folders[1])
    except InputError as error:
        return reason_of(error)
    if before.names != after.names:
        return "the two states have other tensors"
    infos = [(before.info(name), after.info(name)) for name in before.names]
    if any(a.shape != b.shape or {a.dtype, b.dtype} != {"F32"} for a, b in infos):
        return "the two states are not float32 masters of one shape"
    return before, after


def _ending(
    artefacts: Artefacts,
    settings: Settings,
    training: Training,
    states: Sequence[Checkpoint],
    found: _Pairs,
) -> None:
    """Make sure that what came out of the last training is its last state, or its rounding."""
    seal, component = artefacts.seal, training.component
    if training.index != len(component.stages) - 1 or seal is None or not states:
        return
    last, sealed = states[-1].state, seal.roots.get(component.id)
    if last.step != training.steps:
        found.absent.append(f"the state after the last step, {training.steps}")
    elif sealed is not None and sealed != last.weights:
        masters = (artefacts.folder or Path()) / states[-1].folder / "weights"
        result = artefacts.result(component)
        if not _rounds(artefacts, settings, masters, result):
            found.wrong.append(f"what came out is not the state after step {last.step}")


def _rounds(artefacts: Artefacts, settings: Settings, masters: Path, result: Path | None) -> bool:
    if result is None or not masters.is_dir():
        return False
    try:
        first, last = artefacts.source(masters), artefacts.source(result)
        names = sampled(first.names, settings=settings, head=_head(artefacts))
        return is_rounding_of(first, last, names)
    except InputError:
        return False


def loss_finding(artefacts: Artefacts, settings: Settings, training: Training) -> Finding:
    """Return V2.4: the loss that was logged is the one that the archived weights have."""
    precision = "fp32" if training.job is None else training.job.precision
    base = Finding(
        check="V2.4",
        title="logged losses are those of the weights",
        outcome=Outcome.NOT_AVAILABLE,
        component=training.component.id,
        threshold=LOSS_TOLERANCE.get(precision),
        power="other weights at an archived state, other data in the step after it",
        why=training.why_no_job or "no archived state is at hand",
        remedy="Give the archived states, the log and the corpora.",
    )
    job = training.job
    if job is None or artefacts.folder is None:
        return base
    reason = _cannot(job, settings)
    if reason:
        remedy = f"Verify it with an engine that computes {job.structure.family}, such as hf."
        return replace(base, outcome=Outcome.UNDECIDED, why=reason, remedy=remedy)
    states = [
        said
        for said in artefacts.checkpoints(training)
        if said.state.step < training.steps and (artefacts.folder / said.folder).is_dir()
    ]
    if not states:
        return base
    try:
        return _losses(artefacts, settings, training, _spread(states, settings.losses), base)
    except (CorpusError, LogError) as error:
        return replace(base, outcome=Outcome.UNDECIDED, why=reason_of(error))


def _cannot(job: Job, settings: Settings) -> str:
    if job.structure.family not in FAMILIES:
        return f"the family {job.structure.family} is not computed in numpy"
    if job.structure.parameters() > settings.forward_parameters:
        return f"{job.structure.parameters():,} parameters are too many for numpy"
    return ""


def _spread(states: Sequence[Checkpoint], most: int | None) -> Sequence[Checkpoint]:
    if most is None or most >= len(states):
        return states
    places = np.linspace(0, len(states) - 1, max(most, 1)).round().astype(int)
    return [states[place] for place in sorted(set(places.tolist()))]


def _losses(
    artefacts: Artefacts,
    settings: Settings,
    training: Training,
    states: Sequence[Checkpoint],
    base: Finding,
) -> Finding:
    job: Any = training.job
    column = artefacts.log(training).column("loss")
    if column is None or column.averaged:
        why = "the log tells no loss of single steps"
        return replace(base, outcome=Outcome.UNDECIDED, why=why)
    logged = dict(zip(column.step.tolist(), column.value.tolist(), strict=True))
    off: dict[int, float] = {}
    unread: list[str] = []
    size = 0
    with artefacts.tokens(training) as data:
        for said in states:
            step = said.state.step
            if step + 1 not in logged:
                unread.append(f"the log lacks step {step + 1}")
                continue
            try:
                source = artefacts.source(artefacts.folder / said.folder / "weights")  # type: ignore[operator]  # asked for by the caller
                weights = {name: source.read(name) for name in job.structure.shapes()}
                size += 4 * source.parameters
                batch = data.batch(*job.instances(step + 1))
                found = sequence_losses(weights, job.structure, batch, micro=job.batch.micro)
            except (InputError, EngineError, KeyError) as error:
                if isinstance(error, CorpusError):
                    raise
                unread.append(f"step {step}: {error}")
                continue
            off[step] = abs(float(found.mean()) - logged[step + 1])
            settings.progress("V2.4", 4 * source.parameters)
    return _compared(replace(base, read_bytes=size), off, unread)


def _compared(base: Finding, off: dict[int, float], unread: Sequence[str]) -> Finding:
    if not off:
        return replace(base, outcome=Outcome.UNDECIDED, why="; ".join(unread[:3]))
    limit = float(base.threshold or 0.0)
    worst = max(off, key=lambda step: off[step] if math.isfinite(off[step]) else math.inf)
    wrong = [step for step, gap in off.items() if not gap <= limit]
    base = replace(base, value=off[worst])
    if wrong:
        why = (
            f"the weights after steps {', '.join(map(str, wrong[:8]))} score otherwise than "
            f"logged; worst after {worst}: off by {off[worst]:.4g} nats"
        )
        remedy = "Weights or data are not those that were trained; V2.3 and V3 tell where."
        return replace(base, outcome=Outcome.FAIL, why=why, remedy=remedy)
    if unread:
        return replace(base, outcome=Outcome.UNDECIDED, why="; ".join(unread[:3]))
    why = f"{len(off)} states score what was logged, off by at most {off[worst]:.2g} nats"
    return replace(base, outcome=Outcome.PASS, why=why, remedy="")


def _head(artefacts: Artefacts) -> bytes:
    return b"" if artefacts.chain is None else artefacts.chain.head.raw
