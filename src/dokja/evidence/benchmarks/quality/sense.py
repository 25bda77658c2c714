"""Whether a system's answers have anything to do with the items."""

import math

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.quality.flags import raised
from dokja.evidence.benchmarks.quality.presence import Presence
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = ["blind_flags", "chance_flags", "constant_flags"]

_ERRORS = 3
_NEARLY_ALL = 0.9
_FEWEST_ITEMS = 20
_FEWEST_PEERS = 3
_RARE = 2.3263478740408408
"""The standard normal quantile of .99."""


def chance_flags(rows: Rows) -> list[Flag]:
    """Return systems that score below the best constant answer, by more than three errors.

    The error is that of a system that is right as often as the constant answer.
    """
    if rows.keys is None:
        return []
    flags = []
    for system, name in enumerate(rows.systems.names):
        here = rows.of_system(system)
        keys = rows.keys.codes[here]
        told = here[keys >= 0]
        if len(told) < _FEWEST_ITEMS:
            continue
        counts = np.bincount(keys[keys >= 0], minlength=len(rows.keys.names))
        best = int(counts.argmax())
        constant = float(counts[best] / len(told))
        score = float(_points(rows, told).mean())
        error = math.sqrt(constant * (1 - constant) / len(told))
        if score < constant - _ERRORS * error:
            label = rows.keys.names[best]
            flags.append(
                raised(
                    "below_chance",
                    len(told),
                    systems=(name,),
                    score=score,
                    best_constant=constant,
                    constant_answer=label if len(label) <= _ERRORS else "the commonest key",
                )
            )
    return flags


def _points(rows: Rows, places: NDArray[np.intp]) -> NDArray[np.float64]:
    outcomes = rows.outcomes[places]
    points: NDArray[np.float64] = (outcomes == Outcome.CORRECT.code).astype(np.float64)
    if rows.scores is None:
        return points
    scored = outcomes == Outcome.SCORED.code
    points[scored] = rows.scores[places][scored]
    return points


def constant_flags(rows: Rows) -> list[Flag]:
    """Return systems that say one thing to nearly every item: by reply, or else by answer.

    Empty replies and failed calls are no text, and flagged otherwise.
    """
    column = rows.replies if rows.replies is not None else rows.answers
    if column is None:
        return []
    text = np.array([bool(name) for name in column.names] + [False])[column.codes]
    text &= rows.outcomes != Outcome.INFRASTRUCTURE_ERROR.code
    flags = []
    for system, name in enumerate(rows.systems.names):
        here = rows.of_system(system)
        said = column.codes[here][text[here]]
        if len(here) < _FEWEST_ITEMS or not len(said):
            continue
        counts = np.bincount(said, minlength=len(column.names))
        most = int(counts.argmax())
        if counts[most] > _NEARLY_ALL * len(here):
            share = float(counts[most] / len(here))
            told = {"answer": column.names[most]} if rows.replies is None else {}
            flags.append(
                raised("constant_output", int(counts[most]), systems=(name,), share=share, **told)
            )
    return flags


def blind_flags(presence: Presence) -> list[Flag]:
    """Return systems for which the items that others find easy are not easier.

    Each system's score is correlated with the mean of the others over the items that all of them
    have once. It is flagged if its correlation shows nothing at .01 one-sided, while that of the
    middle one of the others would have shown with a power of .99.
    """
    together = np.flatnonzero((presence.rows == 1).all(axis=1))
    points = presence.points[together]
    count, systems = points.shape
    if count < _FEWEST_ITEMS or systems <= _FEWEST_PEERS:
        return []
    total = points.sum(axis=1)
    found = {
        system: _correlation(points[:, system], (total - points[:, system]) / (systems - 1))
        for system in range(systems)
        if min(points[:, system].sum(), (1 - points[:, system]).sum()) >= _FEWEST_ITEMS
    }
    flags = []
    for system, value in found.items():
        others = sorted(each for other, each in found.items() if other != system)
        if len(others) < _FEWEST_PEERS:
            continue
        usual = others[len(others) // 2]
        root = math.sqrt(count - 1)
        if value * root < _RARE and usual * root > 2 * _RARE:
            flags.append(
                raised(
                    "item_blind",
                    count,
                    systems=(presence.systems[system],),
                    correlation=value,
                    usual=usual,
                )
            )
    return flags


def _correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    first, second = one - one.mean(), other - other.mean()
    size = math.sqrt(float(first @ first) * float(second @ second))
    return float(first @ second) / size if size else 0.0
