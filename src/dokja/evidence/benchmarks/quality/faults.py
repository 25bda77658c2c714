"""Failed calls that come together, empty replies that nothing explains, labels that are none."""

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.quality.absences import difficulty_of
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.quality.presence import Presence
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = ["batch_flags", "charge_flags", "empty_flags", "fault_runs", "label_flags"]

_UNLIKELY = 0.001
_MANY_EMPTY = 0.01
_EMPTY = frozenset({Cause.EMPTY.value, Cause.EMPTY_UNEXPLAINED.value})


def fault_runs(failed: NDArray[np.bool_]) -> Counter[int]:
    """Return how many runs of failed rows there are of each length.

    Example:
        >>> sorted(fault_runs(np.array([1, 1, 0, 1, 1], dtype=np.bool_)).items())
        [(2, 2)]
    """
    edges = np.diff(np.concatenate([[0], failed.astype(np.int8), [0]]))
    return Counter((np.flatnonzero(edges == -1) - np.flatnonzero(edges == 1)).tolist())


def batch_flags(rows: Rows, presence: Presence) -> list[Flag]:
    """Return systems whose failed calls come in runs of a fixed length.

    If calls failed independently, each with probability q, a run of length L would have probability
    (1 − q)·q^(L−1), and a multiple of g rows would have (1 − q)·q^(g−1)/(1 − q^g).
    """
    flags = []
    for system, name in enumerate(rows.systems.names):
        here = rows.of_system(system)
        failed = rows.outcomes[here] == Outcome.INFRASTRUCTURE_ERROR.code
        lengths = fault_runs(failed)
        step = math.gcd(*lengths) if lengths else 1
        share = float(failed.mean()) if len(failed) else 0.0
        if step < 2 or not 0 < share < 1:  # noqa: PLR2004  # one row is no batch
            continue
        single = (1 - share) * share ** (step - 1) / (1 - share**step)
        p = math.exp(lengths.total() * math.log(single)) if single else 0.0
        if p >= _UNLIKELY:
            continue
        runs = ", ".join(f"{count} of {length}" for length, count in sorted(lengths.items()))
        more = _where(presence, name)
        count = int(failed.sum())
        flags.append(
            raised("fault_batch", count, systems=(name,), length=step, runs=runs, p=p, **more)
        )
    return flags


def _where(presence: Presence, name: str) -> dict[str, int | float]:
    """Return in how many strata the failures lie, and how hard these items are for others."""
    if name not in presence.systems:
        return {}
    failed = presence.failed[:, presence.systems.index(name)] > 0
    strata = presence.strata_codes
    found: dict[str, int | float] = {
        "strata": len(np.unique(strata[failed])),
        "of_strata": len(np.unique(strata)),
    }
    free = np.flatnonzero(~(presence.failed > 0).any(axis=0))
    difficulty = difficulty_of(failed, presence, peers=np.intersect1d(free, presence.complete))
    if difficulty is not None:
        found |= {
            "peers": difficulty.peers,
            "peers_there": difficulty.there,
            "peers_elsewhere": difficulty.elsewhere,
        }
        found["peers_there_by_strata"] = _by_mix(
            failed, presence, peers=np.intersect1d(free, presence.complete)
        )
    return found


def _by_mix(items: NDArray[np.bool_], presence: Presence, *, peers: NDArray[np.intp]) -> float:
    """Return what peers would score on items drawn from the same strata, all of a stratum alike."""
    strata = presence.strata_codes
    means = presence.means(peers)
    sizes = np.bincount(strata)
    by_stratum = np.bincount(strata, weights=means) / sizes
    return float(by_stratum[strata[items]].mean())


def empty_flags(rows: Rows) -> list[Flag]:
    """Return systems with more than 1 % of replies empty and not explained."""
    if rows.causes is None:
        return []
    empty = np.array([name in _EMPTY for name in rows.causes.names] + [False])
    unexplained = empty[rows.causes.codes] & (rows.charges != Charge.MODEL.code)
    return [
        raised("empty_heavy", count, systems=(name,), of=total, share=count / total)
        for name, count, total in _counted(rows, unexplained)
        if count > _MANY_EMPTY * total
    ]


def label_flags(rows: Rows, *, options: tuple[str, ...] = ()) -> list[Flag]:
    """Return systems with answers that are no option of the item."""
    illegal = np.zeros(len(rows), dtype=np.bool_)
    if rows.causes is not None:
        told = [name == Cause.ILLEGAL_LABEL.value for name in rows.causes.names]
        illegal |= np.array([*told, False])[rows.causes.codes]
    if options and rows.answers is not None:
        strange = [bool(name) and name not in options for name in rows.answers.names]
        wrong = rows.outcomes == Outcome.WRONG.code
        illegal |= np.array([*strange, False])[rows.answers.codes] & wrong
    return [
        raised("illegal_label", count, systems=(name,), of=total)
        for name, count, total in _counted(rows, illegal)
    ]


def charge_flags(rows: Rows) -> list[Flag]:
    """Return the non-answers of which nobody knows whose doing they are."""
    found = _counted(rows, rows.charges == Charge.UNKNOWN.code)
    if not found:
        return []
    systems = tuple(name for name, _, _ in found)
    most, count, total = max(found, key=lambda each: each[1] / each[2])
    return [
        raised(
            "charge_unknown",
            sum(each[1] for each in found),
            systems=systems,
            most=most,
            share_of_most=count / total,
        )
    ]


def _counted(rows: Rows, chosen: NDArray[np.bool_]) -> list[tuple[str, int, int]]:
    size = len(rows.systems.names)
    counts = np.bincount(rows.systems.codes[chosen], minlength=size).tolist()
    totals = np.bincount(rows.systems.codes, minlength=size).tolist()
    return [
        (name, count, total)
        for name, count, total in zip(rows.systems.names, counts, totals, strict=True)
        if count
    ]
