"""How systems answer items whose keys are right: the model that a suspect key is held against.

A system is right with chance σ(ability − difficulty), difficulties being normal about 0 (Rasch
1960, fitted by marginal maximum likelihood after Bock and Aitkin 1981, with the items in the part
of the persons). Wrong answers fall on the other options by shares of the item's own, drawn from a
symmetric Dirichlet distribution: the smaller its concentration, the more they gather on one.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["AnswerModel", "answer_model"]

_ROUNDS = 100
_CLOSE = 1e-6
_FLATTEST, _STEEPEST = math.log(0.02), math.log(200.0)
_HALVINGS = 40
_FARTHEST = 8.0  # logits: beyond it a system that is always right would go on for ever


def _normal_nodes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return difficulties of a standard normal distribution and logarithms of their masses."""
    nodes: NDArray[np.float64] = np.linspace(-5.0, 5.0, 41)
    masses = np.exp(-nodes * nodes / 2)
    return nodes, np.log(masses / masses.sum())


_NODES, _LOG_MASSES = _normal_nodes()


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerModel:
    """Items with right keys, as the answers taken together show them. Made by `answer_model`.

    Attributes:
        abilities: Of the systems, in logits, shape `(systems,)`.
        spread: Standard deviation of the items' difficulty about 0, in logits.
        options: How many options an item has.
        gathering: Concentration of the wrong answers over the other options, above 0.
    """

    abilities: NDArray[np.float64]
    spread: float
    options: int
    gathering: float

    def fits(self, answers: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the log-likelihood of each item under each key, shape `(items, options)`."""
        right_chance, wrong_chance = _log_chances(self.abilities, _NODES * self.spread)
        given = answers >= 0
        counts = np.stack([(answers == k).sum(axis=1) for k in range(self.options)], axis=1)
        gathered = _log_rising(self.gathering, counts)
        found = np.empty((len(answers), self.options))
        for key in range(self.options):
            right = (answers == key).astype(np.float64)
            by_node = right @ right_chance + (given - right) @ wrong_chance + _LOG_MASSES
            top = by_node.max(axis=1)
            found[:, key] = top + np.log(np.exp(by_node - top[:, None]).sum(axis=1))
            wrong = counts.sum(axis=1) - counts[:, key]
            found[:, key] += gathered.sum(axis=1) - gathered[:, key]
            found[:, key] -= _log_rising((self.options - 1) * self.gathering, wrong)
        return found

    def drawn(self, given: NDArray[np.bool_], *, rng: np.random.Generator) -> NDArray[np.int64]:
        """Return answers to new items whose key is 0; none where `given` is false."""
        items, systems = given.shape
        difficulty: NDArray[np.float64] = rng.standard_normal((items,)) * self.spread
        chance = 1 / (1 + np.exp(difficulty[:, None] - self.abilities[None, :]))
        others = rng.dirichlet([self.gathering] * (self.options - 1), size=items)
        edges = np.cumsum(others, axis=1)
        picked = (rng.random((items, systems))[:, :, None] > edges[:, None, :-1]).sum(axis=2)
        answers = np.where(rng.random((items, systems)) < chance, 0, 1 + picked)
        return np.where(given, answers, -1)


def answer_model(turned: NDArray[np.int64], *, options: int) -> AnswerModel:
    """Return the model that fits the answers best.

    Args:
        turned: 0 for the key, 1 to `options` - 1 for the others, -1 for no answer; shape
            `(items, systems)`.
        options: How many options an item has, at least 2.
    """
    right = (turned == 0).astype(np.float64)
    wrong = (turned > 0).astype(np.float64)
    answered = np.maximum(right.sum(axis=0) + wrong.sum(axis=0), 1)
    share = (right.sum(axis=0) + 0.5) / (answered + 1)
    abilities, spread = np.log(share / (1 - share)), 1.0
    for _ in range(_ROUNDS):
        before = np.append(abilities, spread)
        held = _held(right, wrong, abilities=abilities, nodes=_NODES * spread)
        spread = math.sqrt(max(float((held @ (_NODES * spread) ** 2).mean()), 1e-4))
        abilities = _moved(right, wrong, held=held, abilities=abilities, nodes=_NODES * spread)
        if float(np.abs(np.append(abilities, spread) - before).max()) < _CLOSE:
            break
    counts = np.stack([(turned == k).sum(axis=1) for k in range(1, options)], axis=1)
    return AnswerModel(
        abilities=abilities, spread=spread, options=options, gathering=_gathering(counts)
    )


def _log_chances(
    abilities: NDArray[np.float64], nodes: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return log-chances of right and wrong, each of shape `(systems, nodes)`."""
    gap = abilities[:, None] - nodes[None, :]
    return -np.logaddexp(0.0, -gap), -np.logaddexp(0.0, gap)


def _held(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    *,
    abilities: NDArray[np.float64],
    nodes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return how probable each difficulty is for each item, shape `(items, nodes)`."""
    right_chance, wrong_chance = _log_chances(abilities, nodes)
    logs = right @ right_chance + wrong @ wrong_chance + _LOG_MASSES
    masses = np.exp(logs - logs.max(axis=1, keepdims=True))
    held: NDArray[np.float64] = masses / masses.sum(axis=1, keepdims=True)
    return held


def _moved(
    right: NDArray[np.float64],
    wrong: NDArray[np.float64],
    *,
    held: NDArray[np.float64],
    abilities: NDArray[np.float64],
    nodes: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return abilities one Newton step nearer to what the held difficulties make likeliest."""
    chance = 1 / (1 + np.exp(nodes[None, :] - abilities[:, None]))
    expected = (right + wrong).T @ held  # how many items of each difficulty, by system
    slope = right.sum(axis=0) - (expected * chance).sum(axis=1)
    bend = (expected * chance * (1 - chance)).sum(axis=1)
    step = np.clip(slope / np.maximum(bend, 1e-9), -1.0, 1.0)
    moved: NDArray[np.float64] = np.clip(abilities + step, -_FARTHEST, _FARTHEST)
    return moved


def _log_rising(start: float, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return log of start (start + 1) … (start + count − 1) for each count."""
    steps = np.log(start + np.arange(max(int(counts.max(initial=0)), 1)))
    table = np.concatenate([np.zeros(1), np.cumsum(steps)])
    rising: NDArray[np.float64] = table[counts]
    return rising


def _gathering(counts: NDArray[np.int64]) -> float:
    """Return the likeliest concentration of counts over options, by golden section on its log."""
    others = counts.shape[1]
    if others < 2:  # noqa: PLR2004  # one wrong option: nothing can gather
        return 1.0
    counts = counts[counts.sum(axis=1) > 1]

    def likelihood(log_start: float) -> float:
        start = math.exp(log_start)
        whole = _log_rising(others * start, counts.sum(axis=1)).sum()
        return float(_log_rising(start, counts).sum() - whole)

    low, high, ratio = _FLATTEST, _STEEPEST, (math.sqrt(5) - 1) / 2
    for _ in range(_HALVINGS):
        left, right = high - ratio * (high - low), low + ratio * (high - low)
        if likelihood(left) > likelihood(right):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
