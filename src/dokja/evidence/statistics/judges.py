"""How a judge model errs, measured against people, and what its verdicts are worth after that.

A judge is an instrument, so that its error is measured before it measures anything: on at least
200 items per language that people have labelled. From its sensitivity (right answers that it
passes) and specificity (wrong answers that it fails) the rate that it reports is corrected:
(q + sp − 1)/(se + sp − 1) (Rogan and Gladen 1978). A judge that people cannot be found behind, or
that belongs to the family of a model it judges, is refused. Which answer stood first, which was
longer, and the language are looked at one by one, because judges are known to lean on each.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.statistics.counts import mcnemar, share_of
from dokja.evidence.statistics.intervals import check_level
from dokja.evidence.statistics.means import clustered_mean
from dokja.values import Estimate, Measured, Missing, MissingReason

__all__ = [
    "JudgeErrors",
    "LanguageGap",
    "PositionEffect",
    "corrected_rate",
    "judge_errors",
    "language_gaps",
    "length_effect",
    "position_effect",
    "refuse_own_family",
]

_LEAST_LABELLED = 200
_FIRST, _SECOND = 1, -1  # which of two answers a judge preferred; 0 is a tie


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeErrors:
    """How a judge stands to people in one language.

    Attributes:
        language: Its code.
        sensitivity: Share of the answers that people hold right and the judge passes.
        specificity: Share of the answers that people hold wrong and the judge fails.
        agreement: Share of the answers on which both say the same.
        items: How many answers people have labelled.
    """

    language: str
    sensitivity: Measured
    specificity: Measured
    agreement: Estimate
    items: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionEffect:
    """What became of a judge's preference when two answers changed places.

    Attributes:
        first_share: Share of verdicts for the answer shown first, a tie being half; one half for
            a judge that does not look at places.
        steady: Share of pairs with the same winner, or a tie, in both orders.
        to_first: Pairs in which the first shown won in both orders.
        to_second: Pairs in which the second shown won in both orders.
        p: Two-sided exact p-value that these two are equally likely.
    """

    first_share: Measured
    steady: Measured
    to_first: int
    to_second: int
    p: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LanguageGap:
    """How differently a judge errs in two languages.

    Attributes:
        first: A language.
        second: Another one.
        sensitivity: Of the first less that of the second.
        specificity: Likewise.
    """

    first: str
    second: str
    sensitivity: Measured
    specificity: Measured


def judge_errors(
    judged: NDArray[np.bool_],
    labelled: NDArray[np.bool_],
    languages: Sequence[str],
    *,
    level: float = 0.95,
) -> tuple[JudgeErrors, ...]:
    """Return how the judge errs, by language.

    Args:
        judged: Whether the judge passed each answer, shape `(items,)`.
        labelled: Whether people hold it right, the same shape.
        languages: The language of each.
        level: Of the intervals, in (0, 1); they are exact.

    Returns:
        By language; a sensitivity is `Missing` where people held no answer right.

    Raises:
        NotComparableError: A language has fewer than 200 labels; every one that has, is named.
        ValueError: Shapes do not fit, nothing was labelled, or the level is outside (0, 1).
    """
    check_level(level)
    if judged.shape != labelled.shape or judged.shape != (len(languages),) or not len(judged):
        raise ValueError(f"{judged.shape} verdicts, {labelled.shape} labels: nothing to compare")
    named = np.array(languages)
    counts = {language: int((named == language).sum()) for language in sorted(set(languages))}
    few = [f"{name} {count}" for name, count in counts.items() if count < _LEAST_LABELLED]
    if few:
        raise NotComparableError(
            f"a judge is measured on at least {_LEAST_LABELLED} labelled answers per language; "
            f"there are {', '.join(few)}. Have people label more before this judge is used there"
        )
    return tuple(
        _errors(judged[named == name], labelled[named == name], language=name, level=level)
        for name in counts
    )


def corrected_rate(rate: Estimate, errors: JudgeErrors, *, level: float = 0.95) -> Measured:
    """Return the share that is right, from the share that a judge of known errors passed.

    The interval is Lang and Reiczigel's (2014), which adds pseudo-counts to all three shares and
    moves the middle of the interval; the reported share enters with the size of the sample that
    its standard error is worth, so that clusters are felt. Coverage is measured in
    `benchmarks/judges.py`.

    Args:
        rate: The share that the judge passed, in [0, 1], with its standard error.
        errors: Of the judge, in the language of these answers.
        level: Of the interval, in (0, 1).

    Returns:
        In [0, 1]; `Missing` (not comparable) where the judge cannot be told from chance, because
        then any true share could have given the reported one, and where none could: then these
        answers are not like those on which the judge was measured.

    Raises:
        ValueError: The rate lies outside [0, 1] or has no standard error.

    Example:
        >>> passed = share_of(120, 200, level=0.95, what="answers")
        >>> errors = JudgeErrors(
        ...     language="ko", items=400, agreement=share_of(360, 400, level=0.95, what="items"),
        ...     sensitivity=share_of(180, 200, level=0.95, what="items"),
        ...     specificity=share_of(180, 200, level=0.95, what="items"),
        ... )
        >>> round(corrected_rate(passed, errors).value, 3)
        0.625
    """
    check_level(level)
    if not 0 <= rate.value <= 1 or rate.standard_error is None or not rate.rests_on:
        raise ValueError(f"{rate} is no share with a standard error that rests on something")
    chance = Missing(reason=MissingReason.NOT_COMPARABLE, what=("judge", errors.language))
    found, missed = errors.sensitivity, errors.specificity
    if isinstance(found, Missing) or isinstance(missed, Missing):
        return chance
    z = NormalDist().inv_cdf((1 + level) / 2)
    bounds = _corrected_bounds(rate, found, missed, z=z)
    if bounds is None:
        return chance
    low, high, error = bounds
    if high < 0 or low > 1:
        return Missing(reason=MissingReason.NOT_COMPARABLE, what=("rate", errors.language))
    value = (rate.value + missed.value - 1) / (found.value + missed.value - 1)
    value = min(max(value, 0.0), 1.0)
    return Estimate(
        value=value,
        low=min(max(low, 0.0), value),
        high=max(min(high, 1.0), value),
        level=level,
        standard_error=error,
        rests_on=(*rate.rests_on, ("labels", errors.items)),
        method="judge-corrected",
    )


def position_effect(
    one_order: NDArray[np.int64], other_order: NDArray[np.int64], *, level: float = 0.95
) -> PositionEffect:
    """Return how much the judge looks at which answer stands first.

    Args:
        one_order: For each pair: 1 if the answer shown first won, -1 if the second, 0 for a tie.
        other_order: The same pairs with the answers in each other's place; 1 again means the
            answer that is then shown first.
        level: Of the intervals, in (0, 1).

    Raises:
        ValueError: Shapes differ, or a verdict is none of 1, 0, -1.

    Example:
        >>> always_first = np.ones(40, dtype=np.int64)
        >>> position_effect(always_first, always_first).steady.value
        0.0
    """
    if one_order.shape != other_order.shape or one_order.ndim != 1:
        raise ValueError(f"verdicts of shapes {one_order.shape} and {other_order.shape}")
    if not np.isin(np.concatenate([one_order, other_order]), [_FIRST, 0, _SECOND]).all():
        raise ValueError("a verdict is 1 for the first, -1 for the second, or 0 for a tie")
    both = (one_order + other_order) / 4 + 0.5  # one half where places did not matter
    to_first = int(((one_order == _FIRST) & (other_order == _FIRST)).sum())
    to_second = int(((one_order == _SECOND) & (other_order == _SECOND)).sum())
    steady = int((one_order == -other_order).sum())
    return PositionEffect(
        first_share=clustered_mean(both.tolist(), range(len(both)), level=level),
        steady=share_of(steady, len(both), level=level, what="pairs"),
        to_first=to_first,
        to_second=to_second,
        p=mcnemar(to_first, to_second),
    )


def length_effect(
    judge: NDArray[np.int64],
    people: NDArray[np.int64],
    clusters: Sequence[str],
    *,
    level: float = 0.95,
) -> Measured:
    """Return how much oftener the judge prefers the longer answer than people do.

    Longer answers may be better: only what people do not see in them is an effect of length.

    Args:
        judge: For each pair: 1 if the judge preferred the longer answer, -1 the shorter, 0 a tie.
        people: What people preferred.
        clusters: The question of each pair; pairs of one question hang together.
        level: Of the interval, in (0, 1).

    Returns:
        In [-1, 1]; above 0 the judge leans to length. 0 does not mean that it does not: read the
        interval.

    Raises:
        ValueError: Shapes differ, or a verdict is none of 1, 0, -1.
    """
    if judge.shape != people.shape or not np.isin([*judge, *people], [_FIRST, 0, _SECOND]).all():
        raise ValueError("a verdict is 1 for the longer, -1 for the shorter, or 0 for a tie")
    leaning = (judge - people) / 2
    return clustered_mean(leaning.tolist(), list(clusters), level=level, scale=(-1.0, 1.0))


def language_gaps(errors: Sequence[JudgeErrors], *, level: float = 0.95) -> tuple[LanguageGap, ...]:
    """Return how differently the judge errs in each two languages (Newcombe 1998, method 10).

    Args:
        errors: By language, as `judge_errors` returns them.
        level: Of the intervals, in (0, 1).
    """
    check_level(level)
    return tuple(
        LanguageGap(
            first=one.language,
            second=two.language,
            sensitivity=_gap(one.sensitivity, two.sensitivity, level=level),
            specificity=_gap(one.specificity, two.specificity, level=level),
        )
        for one, two in combinations(errors, 2)
    )


def refuse_own_family(judge: str, judged: Mapping[str, str]) -> None:
    """Refuse a judge that belongs to the family of a model it would judge.

    Args:
        judge: The judge's family, such as `haneul`.
        judged: Each judged system's family.

    Raises:
        NotComparableError: The judge's family, or a system's, is not declared or is the same;
            every such system is named.
    """
    own = judge.strip().casefold()
    if not own:
        raise NotComparableError("the judge's family is not declared, so that it may be anybody's")
    undeclared = sorted(name for name, family in judged.items() if not family.strip())
    kin = sorted(name for name, family in judged.items() if family.strip().casefold() == own)
    said = []
    if kin:
        said.append(f"a judge of the family {judge} cannot judge {', '.join(kin)}")
    if undeclared:
        said.append(f"the family of {', '.join(undeclared)} is not declared")
    if said:
        raise NotComparableError("; ".join(said) + ". Take a judge of another family")


def _errors(
    judged: NDArray[np.bool_], labelled: NDArray[np.bool_], *, language: str, level: float
) -> JudgeErrors:
    right, wrong = int(labelled.sum()), int((~labelled).sum())
    agreed = int((judged == labelled).sum())
    agreement = share_of(agreed, len(judged), level=level, what="labels")
    if isinstance(agreement, Missing):
        raise NotComparableError(f"nothing is labelled in {language}")
    return JudgeErrors(
        language=language,
        sensitivity=share_of(
            int((judged & labelled).sum()), right, level=level, what="right answers"
        ),
        specificity=share_of(
            int((~judged & ~labelled).sum()), wrong, level=level, what="wrong answers"
        ),
        agreement=agreement,
        items=len(judged),
    )


def _corrected_bounds(
    rate: Estimate, found: Estimate, missed: Estimate, *, z: float
) -> tuple[float, float, float] | None:
    """Return Lang and Reiczigel's bounds and the standard error; None if the judge may guess."""
    q, size = _softened(rate, worth=_worth(rate), z=z)
    se, se_size = (found.value * _trials(found) + 1) / (_trials(found) + 2), _trials(found) + 2
    sp, sp_size = (missed.value * _trials(missed) + 1) / (_trials(missed) + 2), _trials(missed) + 2
    se_square, sp_square = se * (1 - se) / se_size, sp * (1 - sp) / sp_size
    skill = se + sp - 1
    if skill - z * math.sqrt(se_square + sp_square) <= 0:
        return None
    middle = (q + sp - 1) / skill
    moved = middle + 2 * z * z * (middle * se_square - (1 - middle) * sp_square)
    variance = q * (1 - q) / size + (1 - middle) ** 2 * sp_square + middle**2 * se_square
    error = math.sqrt(variance) / skill
    return moved - z * error, moved + z * error, error


def _trials(share: Estimate) -> int:
    return share.rests_on[0][1]


def _worth(rate: Estimate) -> float:
    """Return the number of independent answers that the standard error is worth."""
    error = rate.standard_error or 0.0
    spread = rate.value * (1 - rate.value)
    # A rate of 0 or 1 shows no spread; then it is worth what it rests on.
    return spread / error**2 if spread > 0 and error > 0 else float(_trials(rate))


def _softened(rate: Estimate, *, worth: float, z: float) -> tuple[float, float]:
    """Return Agresti and Coull's share and size: z²/2 successes and failures more."""
    size = worth + z * z
    return (rate.value * worth + z * z / 2) / size, size


def _gap(one: Measured, two: Measured, *, level: float) -> Measured:
    if isinstance(one, Missing):
        return one
    if isinstance(two, Missing):
        return two
    first, second = (_wilson(each, level=level) for each in (one, two))
    value = one.value - two.value
    low = value - math.hypot(one.value - first[0], second[1] - two.value)
    high = value + math.hypot(first[1] - one.value, two.value - second[0])
    return Estimate(
        value=value,
        low=low,
        high=high,
        level=level,
        standard_error=math.hypot(one.standard_error or 0.0, two.standard_error or 0.0),
        rests_on=(*one.rests_on, *two.rests_on),
        method="difference of shares, newcombe",
    )


def _wilson(share: Estimate, *, level: float) -> tuple[float, float]:
    z, n, p = NormalDist().inv_cdf((1 + level) / 2), _trials(share), share.value
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)
