"""How often a stage would send home the truly better team, and what would halve that.

The answer has five parts: the error over random fields, one number to compare designs by; the
error as a function of how far the two teams at the cut truly lie apart; what becomes of each team
of a typical field; where the error comes from; and what each lever would do, alone and together.
All of them come from the same draws.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from statistics import NormalDist
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics.simulating.answers import (
    AtGap,
    DoubtEffect,
    Halving,
    LeverEffect,
    NoiseSource,
    Simulation,
    TeamFate,
)
from dokja.evidence.statistics.simulating.cuts import HOME, ON, OPEN, Outcome, outcome_of
from dokja.evidence.statistics.simulating.designs import Benchmarks, StageDesign
from dokja.evidence.statistics.simulating.doubts import doubts
from dokja.evidence.statistics.simulating.drawing import (
    Drawn,
    drawn_stage,
    part_points,
    random_stage,
)
from dokja.evidence.statistics.simulating.fields import field_at, truth_of
from dokja.evidence.statistics.simulating.levers import Lever, evidence_levers, rule_levers
from dokja.evidence.statistics.simulating.moments import moments_of

__all__ = ["noise_sources", "simulate"]

Floats: TypeAlias = NDArray[np.float64]

_MOST_TOGETHER = 3
_TRIED = 6
_STEPS = 10
_LEAST_GAP = 1e-3


def simulate(
    stage: StageDesign,
    *,
    gaps: Sequence[float],
    draws: int,
    seed: int,
    wanted: Sequence[float] = (0.1, 0.05),
) -> Simulation:
    """Return how often a stage would send the truly better team home.

    Args:
        stage: The design.
        gaps: True gaps to ask about, in points, above 0. Those that the rules cannot produce are
            left out.
        draws: Stages for each figure; 62,500 keep the Monte Carlo error at .002 or below.
        seed: Of the draws.
        wanted: Errors for which the needed gap is sought.

    Raises:
        ValueError: A gap is not above 0, or fewer than two draws are asked.
    """
    if draws < 2 or not all(gap > 0 for gap in gaps):  # noqa: PLR2004  # a deviation needs a pair
        raise ValueError("a simulation needs draws, and gaps above 0")
    overall = _overall(stage, draws=draws, seed=seed)
    noise, noise_sd = noise_sources(stage, draws=draws, seed=seed)
    curve = _curve(stage, gaps, draws=draws, seed=seed)
    evidence = evidence_levers(stage)
    rules = rule_levers(stage, margin=noise_sd)
    effects = [_effect(lever, overall, draws=draws, seed=seed) for lever in (*evidence, *rules)]
    halving, everything = _halving(stage, effects[: len(evidence)], overall, draws=draws, seed=seed)
    return Simulation(
        stage=stage,
        overall=overall,
        curve=curve,
        needed=tuple((share, _needed(stage, share, draws=draws, seed=seed)) for share in wanted),
        teams=_typical(stage, draws=draws, seed=seed),
        noise=noise,
        noise_sd=noise_sd,
        levers=tuple(effects),
        halving=halving,
        everything=everything,
        doubts=tuple(
            DoubtEffect(doubt=doubt, outcome=_overall(doubt.stage, draws=draws, seed=seed))
            for doubt in doubts(stage)
        ),
        seed=seed,
    )


def noise_sources(
    stage: StageDesign, *, draws: int, seed: int
) -> tuple[tuple[NoiseSource, ...], float]:
    """Return how much each part adds to the error of a difference, and the whole error.

    The difference is that of two middling teams that are equal in truth.
    """
    equal = np.zeros(stage.teams)
    variances = []
    for part in stage.parts:
        points = part_points(stage, part, standings=equal, draws=draws, seed=seed)
        variances.append(float(np.var(points[:, 0] - points[:, 1])))
    whole = sum(variances)
    found = []
    for part, variance in zip(stage.parts, variances, strict=True):
        subjects = None
        if isinstance(part.seen_by, Benchmarks) and stage.generalise_to != "blueprint":
            truth = truth_of(part, equal)
            every = _difference(
                moments_of(part, truth, generalise_to=stage.generalise_to).covariance
            )
            within = _difference(moments_of(part, truth, generalise_to="blueprint").covariance)
            subjects = 1 - within / every
        share = variance / whole if whole else 0.0
        found.append(NoiseSource(part=part.part, sd=variance**0.5, share=share, subjects=subjects))
    return tuple(found), whole**0.5


def _difference(covariance: Floats) -> float:
    return float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])


def _overall(stage: StageDesign, *, draws: int, seed: int) -> Outcome:
    drawn = random_stage(stage, draws=draws, seed=seed)
    return outcome_of(drawn.fates, drawn.truth)


def _curve(
    stage: StageDesign, gaps: Sequence[float], *, draws: int, seed: int
) -> tuple[AtGap, ...]:
    reachable = [gap for gap in sorted(gaps) if _possible(stage, gap)]
    return tuple(
        AtGap(gap=gap, outcome=_at(stage, gap, draws=draws, seed=seed)) for gap in reachable
    )


def _at(stage: StageDesign, gap: float, *, draws: int, seed: int) -> Outcome:
    drawn = drawn_stage(stage, field_at(stage, gap=gap), draws=draws, seed=seed)
    return outcome_of(drawn.fates, drawn.truth)


def _possible(stage: StageDesign, gap: float) -> bool:
    try:
        field_at(stage, gap=gap)
    except ValueError:
        return False
    return True


def _needed(stage: StageDesign, share: float, *, draws: int, seed: int) -> float | None:
    """Return the least gap at which the error is no greater than the share, by bisection."""
    low, high = _LEAST_GAP, 1.0
    while _possible(stage, high) and _at(stage, high, draws=draws, seed=seed).wrong > share:
        low, high = high, 2 * high
    if not _possible(stage, high):
        return None
    for _ in range(_STEPS):
        middle = (low + high) / 2
        over = _at(stage, middle, draws=draws, seed=seed).wrong > share
        low, high = (middle, high) if over else (low, middle)
    return high


def _typical(stage: StageDesign, *, draws: int, seed: int) -> tuple[TeamFate, ...]:
    """Return what becomes of each team when teams stand as a normal sample typically does.

    The standings are Blom's: the normal quantiles of (place - 3/8)/(teams + 1/4).
    """
    normal = NormalDist()
    places = range(stage.teams, 0, -1)
    standings = np.array([normal.inv_cdf((p - 0.375) / (stage.teams + 0.25)) for p in places])
    drawn = drawn_stage(stage, standings, draws=draws, seed=seed)
    regrets = _regrets(drawn)
    lowest = drawn.totals == drawn.totals.min(axis=1, keepdims=True)
    last = (lowest / lowest.sum(axis=1, keepdims=True)).mean(axis=0)
    return tuple(
        TeamFate(
            place=index + 1,
            points=float(drawn.truth[index]),
            last=float(last[index]),
            on=float((drawn.fates[:, index] == ON).mean()),
            undecided=float((drawn.fates[:, index] == OPEN).mean()),
            regret=float(regrets[index]),
        )
        for index in range(stage.teams)
    )


def _regrets(drawn: Drawn) -> Floats:
    worst_on = np.where(drawn.fates == ON, drawn.truth, np.inf).min(axis=1, keepdims=True)
    lost = np.where(drawn.fates == HOME, np.maximum(drawn.truth - worst_on, 0.0), 0.0)
    means: Floats = lost.mean(axis=0)
    return means


def _effect(lever: Lever, without: Outcome, *, draws: int, seed: int) -> LeverEffect:
    outcome = _overall(lever.stage, draws=draws, seed=seed)
    ratio = outcome.wrong / without.wrong if without.wrong else None
    return LeverEffect(lever=lever, outcome=outcome, ratio=ratio)


def _halving(
    stage: StageDesign,
    effects: Sequence[LeverEffect],
    overall: Outcome,
    *,
    draws: int,
    seed: int,
) -> tuple[tuple[Halving, ...], Outcome]:
    """Return the smallest sets of levers that halve the error, and what all together leave.

    Single levers were drawn already. Sets of two and three are tried in the order of the error of
    the difference that they leave, which needs few draws; those that promise most are drawn in
    full. If none of them does, levers are taken out of all of them while the rest still does.
    """
    half = overall.wrong / 2
    levers = _longest(effects)
    everything = _overall(_together(stage, levers), draws=draws, seed=seed)
    alone = [effect for effect in effects if effect.outcome.wrong <= half]
    if alone:
        alone.sort(key=lambda effect: effect.outcome.wrong)
        found = [Halving(levers=(e.lever,), outcome=e.outcome) for e in alone]
        return tuple(found), everything
    if everything.wrong > half:
        return (), everything
    for size in range(2, min(_MOST_TOGETHER, len(levers)) + 1):
        sets = list(combinations(levers, size))
        sets.sort(key=lambda chosen: _noise_left(stage, chosen, seed=seed))
        found = [
            Halving(levers=chosen, outcome=outcome)
            for chosen in sets[:_TRIED]
            if (outcome := _overall(_together(stage, chosen), draws=draws, seed=seed)).wrong <= half
        ]
        if found:
            return tuple(sorted(found, key=lambda way: way.outcome.wrong)), everything
    kept = Halving(levers=levers, outcome=everything)
    for lever in levers:
        rest = tuple(each for each in kept.levers if each is not lever)
        outcome = _overall(_together(stage, rest), draws=draws, seed=seed)
        if outcome.wrong <= half:
            kept = Halving(levers=rest, outcome=outcome)
    return (kept,), everything


def _longest(effects: Sequence[LeverEffect]) -> tuple[Lever, ...]:
    """Return the levers, of two steps of one thing the one that does more; weakest first."""
    best: dict[object, LeverEffect] = {}
    for effect in effects:
        kept = best.get(effect.lever.group)
        if kept is None or effect.outcome.wrong < kept.outcome.wrong:
            best[effect.lever.group] = effect
    ordered = sorted(best.values(), key=lambda effect: -effect.outcome.wrong)
    return tuple(effect.lever for effect in ordered)


def _together(stage: StageDesign, levers: Sequence[Lever]) -> StageDesign:
    for lever in levers:
        stage = lever.apply(stage)
    return stage


def _noise_left(stage: StageDesign, levers: Sequence[Lever], *, seed: int) -> float:
    together = replace(_together(stage, levers), decimals=None)
    return noise_sources(together, draws=2_000, seed=seed)[1]
