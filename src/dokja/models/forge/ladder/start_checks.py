"""V2.1 and V2.2: did the weights start where they say, and does their beginning show it still.

From scratch, the start is drawn again from the revealed seed, tensor by tensor, and its root
compared. From others' weights, the recorded transforms are applied again to the declared base.
The trace of the start is looked for in every early state: weights that came from elsewhere have
none, however true the start that was published.
"""

import math
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dokja.errors import InputError, RecipeError, WeightsError
from dokja.models.forge.initialisation import initial_chunks, initial_digests
from dokja.models.forge.ladder.artefacts import Artefacts, Training, reason_of
from dokja.models.forge.ladder.byte_checks import digest_list
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.log_checks import seed_finding
from dokja.models.forge.ladder.settings import Settings, sampled
from dokja.models.forge.plans import PlannedComponent
from dokja.models.forge.running.starting import start_structure
from dokja.models.forge.running.transforming import applied
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import SourceTensors, Tensors
from dokja.models.weights import Source
from dokja.models.weights.roots import TensorDigest, array_digest, root, root_text

__all__ = ["start_findings", "trace_finding", "traces"]

TRACE_HOLDS, TRACE_FAILS = 50.0, 5.0
"""In standard errors of two strangers' cosine, which is 1/sqrt(P); V2.2."""
TRACE_UNTIL = 100
_VALUES = 1 << 18


def start_findings(
    artefacts: Artefacts, settings: Settings, component: PlannedComponent
) -> Iterator[Finding]:
    """Yield V2.1 for one component: its start, each transform, and where each stage begins."""
    base = Finding(
        check="V2.1",
        title="start of the weights",
        outcome=Outcome.NOT_AVAILABLE,
        component=component.id,
        power="one changed bit of the start",
        why="the chain names no start",
        remedy="Give the run's chain.jsonl.",
    )
    init = artefacts.init
    stated = None if init is None else init.roots.get(component.id)
    if init is None or stated is None:
        yield base
        return
    base = replace(base, threshold=stated)
    if "scratch" in component.origin:
        yield _drawn(artefacts, settings, component, replace(base, title="start from the seed"))
    elif "base" in component.origin:
        yield _taken(artefacts, component, replace(base, title="start from the declared base"))
    else:
        why = "it starts from neither a seed nor a base that the forge can look at"
        yield replace(base, outcome=Outcome.UNDECIDED, why=why, remedy="Verify its own record.")
    yield _joints(artefacts, component, replace(base, title="stages begin where the last ended"))
    for index, stage in enumerate(component.stages):
        if stage["kind"] != "train":
            title = f"transform {stage['do']}"
            yield _transform(artefacts, component, index, replace(base, title=title))


def _drawn(
    artefacts: Artefacts, settings: Settings, component: PlannedComponent, base: Finding
) -> Finding:
    init = artefacts.init
    seeded = seed_finding(artefacts, settings)
    if init is None or seeded.outcome is Outcome.FAIL:
        return _with(base, Outcome.FAIL, why=f"the seed does not follow: {seeded.why}")
    structure = start_structure(component)
    shapes = structure.shapes()
    names = sampled(tuple(shapes), settings=settings, head=_head(artefacts))
    try:
        made = _initial(structure, bytes.fromhex(init.seed), names, settings=settings)
    except RecipeError as error:
        why = f"an engine made this start, by no rule of the forge: {reason_of(error)}"
        return _with(base, Outcome.UNDECIDED, why=why)
    listed = _first_list(artefacts, component)
    size = sum(one.bytes for one in made)
    base = replace(base, read_bytes=size)
    settings.progress("V2.1", size)
    if len(made) == len(shapes):
        found = root_text(root(made))
        base = replace(base, value=found)
        if found == init.roots[component.id]:
            return _with(base, Outcome.PASS, why=f"{len(made)} tensors drawn again, roots equal")
        differing = _differing(made, listed)
        return _with(base, Outcome.FAIL, why=f"the drawn start has another root{differing}")
    if listed is None or root_text(root(listed)) != init.roots[component.id]:
        why = "a sample needs the digest list of the start, and it is not at hand"
        return _with(base, Outcome.UNDECIDED, why=why)
    differing = _differing(made, listed)
    why = f"{len(made)} of {len(shapes)} tensors drawn again{differing or ', digests equal'}"
    return _with(base, Outcome.FAIL if differing else Outcome.PASS, why=why)


def _initial(
    structure: Structure, seed: bytes, names: Sequence[str], *, settings: Settings
) -> tuple[TensorDigest, ...]:
    if settings.threads <= 1:
        return initial_digests(structure, seed, names)
    with ThreadPoolExecutor(settings.threads) as pool:
        return tuple(
            one
            for some in pool.map(lambda name: initial_digests(structure, seed, [name]), names)
            for one in some
        )


def _first_list(
    artefacts: Artefacts, component: PlannedComponent
) -> tuple[TensorDigest, ...] | None:
    """Return the digest list of the state before the first step, whatever it is worth."""
    first = [one for one in artefacts.trainings if one.component.id == component.id]
    if not first:
        return None
    try:
        return digest_list(artefacts, first[0].folder, 0, expected=None)
    except InputError:
        return None


def _differing(made: Sequence[TensorDigest], listed: Sequence[TensorDigest] | None) -> str:
    known = {one.name: one for one in listed or ()}
    wrong = [one.name for one in made if known and known.get(one.name) != one]
    if not wrong:
        return ""
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""  # noqa: PLR2004  # shown
    return f": other values in {', '.join(wrong[:3])}{more}"


def _taken(artefacts: Artefacts, component: PlannedComponent, base: Finding) -> Finding:
    name, stated = str(component.origin["base"]), component.origin.get("root")
    folder = artefacts.bases.find(name)
    if folder is None:
        why = f"the base {name} is not at hand"
        return _with(base, Outcome.UNDECIDED, why=why, remedy="Give its folder with --bases.")
    try:
        found = artefacts.bases.open(name, stated_root=str(stated), file="plan.json")
    except InputError as error:
        return _with(base, Outcome.FAIL, why=reason_of(error))
    made = _tensors_root(SourceTensors(found.source))
    base = replace(base, value=made, read_bytes=found.source.bytes_read)
    if made != base.threshold:
        return _with(base, Outcome.FAIL, why=f"{name} as float32 has another root than the start")
    return _with(base, Outcome.PASS, why=f"the start is {name}, whose root is {found.root}")


def _tensors_root(tensors: Tensors) -> str:
    return root_text(root(array_digest(name, tensors.read(name)) for name in tensors.names))


def _transform(
    artefacts: Artefacts, component: PlannedComponent, index: int, base: Finding
) -> Finding:
    """Apply a recorded transform again to what lay before it."""
    said = artefacts.stage_entries(component.id).get(index)
    before = artefacts.before(component, index)
    if said is None or said.after is None:
        return _with(base, Outcome.NOT_AVAILABLE, why="the chain does not name its result")
    base = replace(base, threshold=said.after)
    if not before.is_dir():
        return _with(base, Outcome.UNDECIDED, why="the weights before it are not at hand")
    try:
        done = applied(component.stages[index], before, bases=artefacts.bases, file="plan.json")
        made = _tensors_root(done.tensors)
    except InputError as error:
        return _with(base, Outcome.UNDECIDED, why=reason_of(error))
    base = replace(base, value=made)
    if made != said.after:
        return _with(base, Outcome.FAIL, why="applied again it gives other weights")
    return _with(base, Outcome.PASS, why="applied again it gives the same root")


def _joints(artefacts: Artefacts, component: PlannedComponent, base: Finding) -> Finding:
    """Make sure that each stage begins with the root that the one before it ended with."""
    entries = artefacts.stage_entries(component.id)
    last = base.threshold
    wrong: list[str] = []
    for index, stage in enumerate(component.stages):
        said = entries.get(index)
        if said is None:
            return _with(base, Outcome.UNDECIDED, why=f"stage {index + 1} has no entry")
        if last is not None and said.before != last:
            wrong.append(f"stage {index + 1} begins with {said.before}, not with {last}")
        last = said.after
        for training in artefacts.trainings:
            if (training.component.id, training.index) == (component.id, index):
                states = artefacts.checkpoints(training)
                if states and states[0].state.step == 0 and states[0].state.weights != said.before:
                    wrong.append(f"{stage['do']}: step 0 is not what the stage begins with")
                at_end = states and states[-1].state.step == training.steps
                last = states[-1].state.weights if at_end else None
    outcome = Outcome.FAIL if wrong else Outcome.PASS
    return _with(base, outcome, why="; ".join(wrong) or f"{len(component.stages)} stages")


@dataclass(slots=True)
class _Sums:
    """Sums over values that were drawn, and over those of one state."""

    both: float = 0.0
    drawn: float = 0.0
    state: float = 0.0

    def cosine(self) -> float:
        scale = math.sqrt(self.drawn * self.state)
        found = self.both / scale if scale else 0.0
        return found if math.isfinite(found) else 0.0


def trace_finding(artefacts: Artefacts, settings: Settings, training: Training) -> Finding | None:
    """Return V2.2 for a training that begins with drawn weights; None for others.

    The statistic is z = cos(W_t, W_0) sqrt(P) over matrices with P values together: for two
    strangers it is a standard normal.
    """
    if not training.begins:
        return None
    base = Finding(
        check="V2.2",
        title="trace of the start",
        outcome=Outcome.NOT_AVAILABLE,
        component=training.component.id,
        threshold=TRACE_HOLDS,
        power="weights that did not grow out of this start, at any early state",
        why="no early state is at hand",
        remedy=f"Give the archived states up to step {TRACE_UNTIL}.",
    )
    states = [
        (said.state.step, artefacts.folder / said.folder / "weights")
        for said in artefacts.checkpoints(training)
        if artefacts.folder is not None and 0 < said.state.step <= TRACE_UNTIL
    ]
    there = [(step, path) for step, path in states if path.is_dir()]
    init = artefacts.init
    if not there or init is None:
        return base
    structure = start_structure(training.component)
    matrices = tuple(name for name, shape in structure.shapes().items() if len(shape) > 1)
    names = sampled(matrices, settings=settings, head=_head(artefacts))
    try:
        sources = [artefacts.source(path) for _, path in there]
        sums, values = traces(structure, bytes.fromhex(init.seed), names, sources=sources)
    except RecipeError as error:
        return _with(base, Outcome.UNDECIDED, why=reason_of(error))
    except (WeightsError, KeyError, ValueError) as error:
        why = f"a state cannot be compared with the start: {error}"
        return _with(base, Outcome.UNDECIDED, why=why)
    read = 4 * values * len(there)
    settings.progress("V2.2", read)
    return _judged(replace(base, read_bytes=read), there, sums, values=values, of=len(states))


def _judged(
    base: Finding,
    there: Sequence[tuple[int, Path]],
    sums: Sequence[_Sums],
    *,
    values: int,
    of: int,
) -> Finding:
    z = [one.cosine() * math.sqrt(values) for one in sums]
    worst = int(np.argmin(z))
    step, cosine = there[worst][0], sums[worst].cosine()
    said = f"least at step {step}: cosine {cosine:.4f} over {values:,} values"
    base = replace(base, value=z[worst])
    if z[worst] < TRACE_FAILS:
        return _with(base, Outcome.FAIL, why=f"{said}: these weights did not start there")
    if z[worst] < TRACE_HOLDS:
        return _with(base, Outcome.UNDECIDED, why=said, remedy="Replay the first segment (V3).")
    missing = f"; {of - len(there)} early states are not at hand" if of > len(there) else ""
    return _with(base, Outcome.PASS, why=said + missing)


def traces(
    structure: Structure, seed: bytes, names: Sequence[str], *, sources: Sequence[Source]
) -> tuple[list[_Sums], int]:
    """Return sums for every state, the start drawn once, everything read piece by piece."""
    sums = [_Sums() for _ in sources]
    values = 0
    for name in names:
        for source in sources:
            if source.info(name).dtype != "F32":
                raise ValueError(f"{name} is {source.info(name).dtype}, not float32")
        drawn = initial_chunks(structure, name, seed, chunk=_VALUES)
        states = [source.chunks(name, 4 * _VALUES) for source in sources]
        for first, *pieces in zip(drawn, *states, strict=True):
            length = float(np.dot(first, first))
            values += len(first)
            for one, piece in zip(sums, pieces, strict=True):
                now = np.frombuffer(piece, dtype="<f4")
                one.both += float(np.dot(first, now))
                one.state += float(np.dot(now, now))
                one.drawn += length
    return sums, values


def _head(artefacts: Artefacts) -> bytes:
    return b"" if artefacts.chain is None else artefacts.chain.head.raw


def _with(finding: Finding, outcome: Outcome, *, why: str, remedy: str = "") -> Finding:
    said = remedy or finding.remedy
    if outcome is Outcome.PASS:
        said = ""
    elif outcome is Outcome.FAIL:
        said = "Ask the builder where these weights come from; V3 replays the first segment."
    return replace(finding, outcome=outcome, why=why, remedy=said)
