"""V1.5 to V1.7: whether the work, the data and the hours that a log tells can be true together.

Peaks are the vendors' own, dense: what they print as twice as much counts only half of a matrix.
Of processors no peak is known from their name, so that the most any core does is taken: there the
check only sees work that no core could have done.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from dokja.errors import CorpusError
from dokja.models.forge.corpora import Order, OrderSource
from dokja.models.forge.ladder.artefacts import Artefacts, reason_of
from dokja.models.forge.ladder.findings import Finding, Outcome
from dokja.models.forge.ladder.log_checks import Told
from dokja.models.forge.ladder.logs import StepLog
from dokja.models.forge.ladder.settings import Settings
from dokja.models.forge.plans.budgets import flop_per_token
from dokja.models.forge.plans.teachers import teacher_structure
from dokja.models.forge.structures import Structure

__all__ = ["hours_finding", "mixture_findings", "use_finding"]

USE_FAILS_ABOVE, USE_LOW, USE_HIGH = 0.75, 0.05, 0.60
"""Model FLOP utilisation; V1.5."""
MIXTURE_TOLERANCE = 1e-3
"""Of a source's share; V1.6."""
HOURS_TOLERANCE = 0.02
"""Relative; V1.7."""

PEAKS: Mapping[str, float] = MappingProxyType(
    {
        "a100": 312e12,
        "h100": 989e12,
        "h200": 989e12,
        "h20": 148e12,
        "b200": 2250e12,
        "b300": 2250e12,
        "mi300x": 1307e12,
    }
)
"""Dense bf16 FLOP/s by device, from the vendors' data sheets (NVIDIA A100, H100, H200, HGX B200
and AMD Instinct MI300X); the name of a device must hold the key."""

CORE_PEAK, CORE_PEAK_BF16 = 3.2e11, 1.1e13
"""The most one core does: two AVX-512 multiply-adds a cycle, or one AMX tile product, at 5 GHz."""

_HOUR = 3600.0


def use_finding(artefacts: Artefacts, told: Told) -> Finding:
    """Return V1.5: FLOP of the training over what its devices could do in its time."""
    base = told.finding(
        "V1.5", "work fits the time", power=f"a utilisation above {USE_FAILS_ABOVE}"
    )
    base = replace(base, threshold=USE_FAILS_ABOVE)
    log, training, plan = told.log, told.training, artefacts.plan
    if log is None or plan is None:
        return base
    seconds = _seconds(log)
    if not seconds:
        return _undecided(base, "the log tells no time", "Ask for a log with times.")
    peak = _peak(plan.place, plan.engine)
    if peak is None:
        why = f"no peak is known of the device {plan.place.get('gpu')!r}"
        return _undecided(base, why, "Add the device's dense peak to the table of peaks.")
    batch = training.stage["batch"]
    structure = Structure.from_json(training.stage["structure"])
    tokens = training.steps * int(batch["sequences"]) * int(batch["length"])
    teacher = teacher_structure(training.stage)
    flop = tokens * flop_per_token(structure, length=int(batch["length"]), teacher=teacher)
    share = flop / (seconds * peak)
    said = f"{flop:.3g} FLOP in {seconds:,.1f} s at {peak:.3g} FLOP/s"
    base = replace(base, value=share)
    if share > USE_FAILS_ABOVE:
        remedy = "No device of this kind does so much: the log or the plan's devices are wrong."
        return replace(base, outcome=Outcome.FAIL, why=said, remedy=remedy)
    if share > USE_HIGH:
        why = f"{said}: flagged, above {USE_HIGH}"
        return _undecided(base, why, "Ask how it was reached; published runs stay below.")
    low = share < USE_LOW and plan.place.get("device") != "cpu"
    flag = f": flagged, below {USE_LOW}, more time than the work needs" if low else ""
    return replace(base, outcome=Outcome.PASS, why=said + flag, remedy="")


def _seconds(log: StepLog) -> float | None:
    """Return seconds between the log's first and last line, pauses left out where declared.

    The steps of the first line are not in that time, so the devices' own seconds count where the
    log tells them and they are more.
    """
    span = 0.0
    if log.at is not None and len(log.at) > 1:
        span = float((log.at[-1] - log.at[0]) / np.timedelta64(1, "s"))
    found = max(span, log.seconds or 0.0)
    return found or None


def _peak(place: Mapping[str, Any], engine: Mapping[str, Any]) -> float | None:
    nodes = int(place.get("nodes") or 1)
    if place.get("device") == "cpu":
        core = CORE_PEAK_BF16 if engine.get("precision") == "bf16" else CORE_PEAK
        return nodes * core
    name = str(place.get("gpu") or "").casefold().replace("-", "")
    found = sorted((key for key in PEAKS if key in name), key=len)
    if not found:
        return None
    return PEAKS[found[-1]] * nodes * int(place.get("gpus_per_node") or 1)


def mixture_findings(artefacts: Artefacts, told: Told) -> Iterator[Finding]:
    """Yield V1.6: instances follow each other, sources keep their shares and their repeats."""
    base = told.finding("V1.6", "mixture and repeats", power="one instance out of its place")
    base = replace(base, threshold=MIXTURE_TOLERANCE)
    log, training, plan = told.log, told.training, artefacts.plan
    if plan is None or artefacts.init is None:
        yield base
        return
    mixture: Any = plan.data.get(str(training.stage["data"]), {})
    batch = training.stage["batch"]
    sources = mixture.get("sources", ())
    if any("tokens" not in one for one in sources) or not sources:
        yield _undecided(base, "the plan's data were not packed", "Ask for the plan that was run.")
        return
    instances = training.steps * int(batch["sequences"])
    try:
        counts, off = _shares(
            sources, instances, length=int(batch["length"]), seed=artefacts.init.seed
        )
    except CorpusError as error:
        yield replace(base, outcome=Outcome.FAIL, why=reason_of(error))
        return
    base = replace(base, value=off)
    if off > MIXTURE_TOLERANCE + 2.0 * (instances % 1000) ** 0.5 / instances:
        yield replace(base, outcome=Outcome.FAIL, why=f"sources were read {counts} times")
        return
    if log is None or log.instances is None:
        yield _undecided(base, told.why or "the log tells no instances", "Ask for the events.")
        return
    steps = log.columns["loss"].step  # that none of them is missing is V1.4
    if (log.instances[:, 0] != (steps - 1) * int(batch["sequences"])).any():
        why = "the log's instances are not the first ones of the order, one batch a step"
        remedy = "Ask which data were read in these steps."
        yield replace(base, outcome=Outcome.FAIL, why=why, remedy=remedy)
        return
    why = f"{instances:,} instances over {len(counts)} sources: {counts}"
    yield replace(base, outcome=Outcome.PASS, why=why, remedy="")


def _shares(
    sources: Sequence[Mapping[str, Any]], instances: int, *, length: int, seed: str
) -> tuple[tuple[int, ...], float]:
    """Return how often each source was read, and how far the worst share is off.

    Raises:
        CorpusError: A source would have been read more often than it may.
    """
    order = Order(
        bytes.fromhex(seed),
        tuple(
            OrderSource(
                name=str(one["name"]),
                windows=int(one["tokens"]) // length,
                weight=float(one["weight"]),
                max_repeats=int(one["max_repeats"]),
            )
            for one in sources
        ),
    )
    order.check(instances)
    counts = order.counts(instances)
    total = sum(float(one["weight"]) for one in sources)
    off = max(
        abs(count / instances - float(one["weight"]) / total)
        for count, one in zip(counts, sources, strict=True)
    )
    return counts, off


def hours_finding(artefacts: Artefacts, settings: Settings, told: Sequence[Told]) -> Finding:
    """Return V1.7: device-hours of the seal are those of the log, and of the accounting."""
    base = Finding(
        check="V1.7",
        title="device-hours",
        outcome=Outcome.NOT_AVAILABLE,
        threshold=HOURS_TOLERANCE,
        power="a fiftieth of the hours",
        why="the chain has no seal",
        remedy="Give the run's chain.jsonl.",
    )
    seal = artefacts.seal
    if seal is None:
        return base
    compute: Any = seal.compute
    sealed = float(sum(compute.get("device_hours", {}).values()))
    accounted = settings.accounted
    if accounted is not None:
        return _compared(base, sealed, sum(accounted.values()), by="the accounting ledger")
    if compute.get("jobs"):
        why = f"the accounting of the jobs {', '.join(compute['jobs'])} is not at hand"
        return replace(base, value=sealed, why=why, remedy="Give it with --accounting FILE.")
    logged = [one.log.seconds for one in told if one.log is not None and one.log.seconds]
    if len(logged) < len(told) or not told:
        return _undecided(base, "the logs tell no device-seconds", "Ask for the accounting.")
    return _compared(base, sealed, sum(logged) / _HOUR, by="the logs; no job was accounted")


def _compared(finding: Finding, sealed: float, other: float, *, by: str) -> Finding:
    off = abs(sealed - other) / other if other else float(sealed != other)
    said = f"{sealed:.6g} h sealed, {other:.6g} h by {by}"
    outcome = Outcome.PASS if off <= HOURS_TOLERANCE else Outcome.FAIL
    remedy = "" if outcome is Outcome.PASS else "Ask which hours were left out."
    return replace(finding, outcome=outcome, value=off, why=said, remedy=remedy)


def _undecided(finding: Finding, why: str, remedy: str) -> Finding:
    return replace(finding, outcome=Outcome.UNDECIDED, why=why, remedy=remedy)
