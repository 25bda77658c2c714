"""Which items' keys do not fit the answers of the systems that are otherwise right.

A wrong key shows twice: systems that do well elsewhere do worse on the item than systems that do
badly, and the stronger half agree on one answer that is not the key. A hard item with a tempting
wrong answer looks alike, so that neither sign is a test. The test is a likelihood ratio: how much
better would the answers fit if another option were the key, under a model in which items differ in
difficulty (Rasch, difficulties normal) and wrong answers gather on some options more than on others
(Dirichlet). What that ratio reaches by chance is found by drawing items with right keys from the
fitted model; false discoveries are held by Benjamini and Hochberg's rule.

The model takes systems to err independently given the item. Runs of one model, or models that
learnt from the same wrong source, do not: give one run per model, and read a finding as *have a
person look at this item*, never as more.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.counts import share_of
from dokja.evidence.statistics.key_errors.model import AnswerModel, answer_model
from dokja.evidence.statistics.multiplicity import benjamini_hochberg
from dokja.values import Measured

__all__ = ["KeyFindings", "SuspectKey", "suspect_keys"]

_AGAINST = -0.1  # item-rest correlation below which the stronger do worse
_LEAST_SYSTEMS = 6  # three in the stronger half: two of them agreeing is most of them
_PER_ITEM = 40  # drawn items per item: the smallest p is then well below q/items
_LEAST_DRAWN = 20_000
_PLANTED = 2_000
_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspectKey:
    """An item whose key does not fit the answers.

    Attributes:
        item: Its row.
        key: The key as given.
        answer: What fits better.
        p: How often an item with a right key would look so, one-sided.
        adjusted: p-value after Benjamini and Hochberg.
        correlation: Item-rest correlation, in [-1, 1]; None where all systems agree.
        agreeing: How many of the stronger half gave that answer.
        stronger: How many of the stronger half answered.
        signs: Which signs it shows: `correlation`, `agreement`; at least one.
    """

    item: int
    key: int
    answer: int
    p: float
    adjusted: float
    correlation: float | None
    agreeing: int
    stronger: int
    signs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFindings:
    """What the answers say of the keys.

    Attributes:
        suspects: By p-value.
        items: How many were looked at.
        systems: Whose answers were used.
        false_discovery: Share of the suspects that are expected to have right keys, at most.
        power: Share of wrong keys that would have been found here, if every wrong key is one drawn
            from the model with the true key at another option.
        drawn: How many items with right keys were drawn.
        spread: Standard deviation of the items' difficulty, in logits.
        gathering: Concentration of the wrong answers over the other options: the smaller, the
            more they gather on one. Infinity would be pure guessing.
    """

    suspects: tuple[SuspectKey, ...]
    items: int
    systems: int
    false_discovery: float
    power: Measured
    drawn: int
    spread: float
    gathering: float


def suspect_keys(
    answers: NDArray[np.int64],
    keys: NDArray[np.int64],
    *,
    options: int,
    rng: np.random.Generator,
    false_discovery: float = 0.05,
) -> KeyFindings:
    """Return the items whose key does not fit the answers.

    Args:
        answers: The option that each system chose, 0 to `options` - 1, or -1 where there is no
            answer: that is neither right nor wrong here. Shape `(items, systems)`, one column per
            model, at least six.
        keys: Each item's key, shape `(items,)`.
        options: How many options an item has, at least 2; the most, where items differ.
        rng: Draws the items that p-values come from.
        false_discovery: Share of false findings that is accepted, in (0, 1).

    Raises:
        NotComparableError: Fewer than six systems, or no item on which systems differ.
        ValueError: Shapes, options or keys do not fit.
    """
    _check(answers, keys, options=options, false_discovery=false_discovery)
    # Turned so that every key is option 0: what is compared is key against not key.
    turned = np.where(answers >= 0, (answers - keys[:, None]) % options, -1)
    model = answer_model(turned, options=options)
    given, count = turned >= 0, max(_LEAST_DRAWN, _PER_ITEM * len(turned))
    null = np.sort(_drawn_ratios(model, given, count=count, rng=rng))
    ratios, best = _ratios(model.fits(turned))
    p = _p_values(ratios, null)
    adjusted = np.array(benjamini_hochberg(p.tolist()))
    suspects = []
    for item in np.flatnonzero(adjusted <= false_discovery).tolist():
        chances = (float(p[item]), float(adjusted[item]))
        found = _suspect(turned, item, answer=int(best[item]), chances=chances)
        if found is not None:
            suspects.append(_turned_back(found, keys, options=options))
    accepted = float(p[adjusted <= false_discovery].max(initial=false_discovery / len(turned)))
    return KeyFindings(
        suspects=tuple(sorted(suspects, key=lambda found: (found.p, found.item))),
        items=len(turned),
        systems=turned.shape[1],
        false_discovery=false_discovery,
        power=_power(model, given, null=null, accepted=accepted, rng=rng),
        drawn=count,
        spread=model.spread,
        gathering=model.gathering,
    )


def _check(
    answers: NDArray[np.int64], keys: NDArray[np.int64], *, options: int, false_discovery: float
) -> None:
    if answers.ndim != 2 or keys.shape != answers.shape[:1]:  # noqa: PLR2004  # items and systems
        raise ValueError(f"answers of shape {answers.shape} and keys of {keys.shape} do not fit")
    if options < 2 or not 0 < false_discovery < 1:  # noqa: PLR2004  # a key and another option
        raise ValueError(f"{options} options or a false discovery of {false_discovery} cannot be")
    inside = (answers >= -1) & (answers < options)
    if not inside.all() or not ((keys >= 0) & (keys < options)).all():
        raise ValueError(f"an answer or a key is none of {options} options")
    if answers.shape[1] < _LEAST_SYSTEMS:
        raise NotComparableError(
            f"{answers.shape[1]} systems cannot be told into stronger and weaker; "
            f"at least {_LEAST_SYSTEMS} are needed"
        )
    right, given = answers == keys[:, None], answers >= 0
    if not (right.any(axis=1) & (given & ~right).any(axis=1)).any():
        raise NotComparableError("there is no item that some systems get right and others wrong")


def _ratios(fits: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return by how much the best other key fits better than option 0, and which it is."""
    best = 1 + fits[:, 1:].argmax(axis=1)
    return fits[np.arange(len(fits)), best] - fits[:, 0], best


def _drawn_ratios(
    model: AnswerModel, given: NDArray[np.bool_], *, count: int, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return ratios of items with right keys, with the gaps of items that are there."""
    found = []
    for start in range(0, count, _AT_ONCE):
        rows = rng.integers(0, len(given), size=min(_AT_ONCE, count - start))
        found.append(_ratios(model.fits(model.drawn(given[rows], rng=rng)))[0])
    return np.concatenate(found)


def _p_values(ratios: NDArray[np.float64], null: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how often a drawn ratio is as great, itself counted; `null` is sorted."""
    beyond = len(null) - np.searchsorted(null, ratios, side="left")
    p: NDArray[np.float64] = (1 + beyond) / (1 + len(null))
    return p


def _power(
    model: AnswerModel,
    given: NDArray[np.bool_],
    *,
    null: NDArray[np.float64],
    accepted: float,
    rng: np.random.Generator,
) -> Measured:
    """Return the share of planted wrong keys whose p-value would have been accepted."""
    rows = rng.integers(0, len(given), size=_PLANTED)
    planted = model.drawn(given[rows], rng=rng)
    # The key that is printed is an option that is wrong: it changes places with the true one.
    swapped = np.where(planted == 0, 1, np.where(planted == 1, 0, planted))
    ratios, _ = _ratios(model.fits(swapped))
    p = _p_values(ratios, null)
    rest = model.abilities
    signed = [
        bool(_signs(*_seen(swapped[item], rest, answer=1)))
        for item in np.flatnonzero(p <= accepted).tolist()
    ]
    return share_of(sum(signed), _PLANTED, level=0.95, what="planted keys")


def _suspect(
    turned: NDArray[np.int64], item: int, *, answer: int, chances: tuple[float, float]
) -> SuspectKey | None:
    """Return the item if it shows a sign besides its p-value."""
    others = np.delete(turned, item, axis=0)
    rest = (others == 0).sum(axis=0) / np.maximum((others >= 0).sum(axis=0), 1)
    correlation, agreeing, stronger = _seen(turned[item], rest, answer=answer)
    signs = _signs(correlation, agreeing, stronger)
    if not signs:
        return None
    return SuspectKey(
        item=item,
        key=0,
        answer=answer,
        p=chances[0],
        adjusted=chances[1],
        correlation=correlation,
        agreeing=agreeing,
        stronger=stronger,
        signs=signs,
    )


def _seen(
    row: NDArray[np.int64], rest: NDArray[np.float64], *, answer: int
) -> tuple[float | None, int, int]:
    """Return item-rest correlation, and how many of the stronger half gave the answer, of whom."""
    here = row >= 0
    answered, rest = row[here], rest[here]
    own = (answered == 0).astype(np.float64)
    correlation = None
    if len(own) > 1 and own.std() > 0 and rest.std() > 0:
        correlation = float(np.corrcoef(own, rest)[0, 1])
    order = np.argsort(-rest, kind="stable")[: (len(rest) + 1) // 2]
    return correlation, int((answered[order] == answer).sum()), len(order)


def _signs(correlation: float | None, agreeing: int, stronger: int) -> tuple[str, ...]:
    found = []
    if correlation is not None and correlation < _AGAINST:
        found.append("correlation")
    if 2 * agreeing > stronger:
        found.append("agreement")
    return tuple(found)


def _turned_back(found: SuspectKey, keys: NDArray[np.int64], *, options: int) -> SuspectKey:
    key = int(keys[found.item])
    return replace(found, key=key, answer=(found.answer + key) % options)
