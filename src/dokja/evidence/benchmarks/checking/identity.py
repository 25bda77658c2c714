"""Whether endpoints answer as themselves: by answers, by prompt tokens, by the names they give.

Answers are held against everybody's earlier ones, on items to which two systems used to answer
differently. An endpoint is said to answer as itself where it follows itself on such items beyond
chance, or where another would have been seen with power .8; otherwise it cannot be told.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.benchmarks.checking.findings import ENOUGH, Check, Question, Says
from dokja.evidence.benchmarks.checking.meetings import Meeting
from dokja.evidence.statistics.identity import (
    Followed,
    Likeness,
    TokenFit,
    TokenMatch,
    followed,
    following_power,
    identities,
    token_match,
)
from dokja.values import Estimate, Measured

__all__ = ["identity_checks"]

_TWO = 2


def identity_checks(meeting: Meeting, repeats: Measured, *, level: float = 0.01) -> list[Check]:
    """Return whether every returning system answers as itself.

    Args:
        meeting: Runs of now and of before.
        repeats: How often a system gives the same answer again.
        level: Of the tests of answers, over all ordered pairs.
    """
    answers = _by_answers(meeting, repeats, level=level)
    tokens = [_by_tokens(meeting, label) for label in meeting.returning]
    names = [_by_name(meeting, label) for label in meeting.returning]
    return [*answers, *tokens, *(each for each in names if each is not None)]


def _by_answers(meeting: Meeting, repeats: Measured, *, level: float) -> list[Check]:
    labels = meeting.returning
    if len(labels) < _TWO:
        words = "one returning system: there is nobody else whose answers it could follow"
        return [_cannot(Question.LIKE_ANOTHER, labels, words)] if labels else []
    now = {label: meeting.answers(meeting.now[label]) for label in labels}
    before = {label: meeting.answers(meeting.before[label]) for label in labels}
    rate = repeats.low if isinstance(repeats, Estimate) else None
    found = identities(now, before, repeats=0.0 if rate is None else rate, level=level)
    unlike = {each.declared: each for each in found.unlike}
    swapped = {one: other for pair in found.swapped for one, other in (pair, pair[::-1])}
    own = _Own(now, before, rate=rate, level=level)
    return [
        _like(unlike[label], swapped=swapped.get(label), own=own, level=level)
        if label in unlike
        else own.check(label)
        for label in labels
    ]


class _Own:
    """Tells whether an endpoint that follows nobody else follows itself."""

    def __init__(
        self,
        now: Mapping[str, NDArray[np.int64]],
        before: Mapping[str, NDArray[np.int64]],
        *,
        rate: float | None,
        level: float,
    ) -> None:
        self._now, self._before, self._rate = now, before, rate
        self._total = level
        self._level = level / (len(now) * (len(now) - 1))

    def power(self, label: str) -> float | None:
        """Return the least chance that answering as another would be seen; None if unknown."""
        if self._rate is None:
            return None
        return min(
            following_power(count, repeats=self._rate, level=self._level)
            for count in self._differing(label).values()
        )

    def check(self, label: str) -> Check:
        sides = {
            other: followed(
                self._now[label], self._before[label], self._before[other], level=self._level
            )
            for other in self._before
            if other != label
        }
        untold = [other for other, side in sides.items() if side.follows is not Followed.OWN]
        power = self.power(label)
        itself = not untold
        enough = power is not None and power >= ENOUGH
        if itself:
            least = min(sides.values(), key=lambda side: side.own)
            words = (
                "answers as itself: on items where it and another used to differ it follows "
                f"itself on {least.own} of {least.differing} or more"
            )
        else:
            beside = ", ".join(f"{other} ({sides[other].differing})" for other in untold)
            words = (
                "follows nobody else, but is not told apart from some by the items on which the "
                f"two used to differ: {beside}"
            )
        return Check(
            question=Question.LIKE_ANOTHER,
            about=(label,),
            says=Says.NOTHING if itself or enough else Says.CANNOT_TELL,
            words=words,
            level=self._total,
            power=power,
            facts={"differing": self._differing(label)},
        )

    def _differing(self, label: str) -> dict[str, int]:
        """Return on how many items each other one used to differ."""
        mine = self._before[label]
        return {
            other: int(((mine >= 0) & (theirs >= 0) & (mine != theirs)).sum())
            for other, theirs in self._before.items()
            if other != label
        }


def _like(found: Likeness, *, swapped: str | None, own: _Own, level: float) -> Check:
    side = found.following
    words = (
        f"answers as {found.like} did before: of {side.differing} items on which the two used to "
        f"differ it follows {found.like} on {side.other} and itself on {side.own}"
    )
    if swapped is not None:
        words += f"; {swapped} answers as {found.declared} did, so that it is seen from both sides"
    return Check(
        question=Question.LIKE_ANOTHER,
        about=(found.declared,),
        says=Says.FOUND,
        words=words,
        adjusted=found.adjusted,
        level=level,
        power=own.power(found.declared),
        facts={
            "like": found.like,
            "follows_other": side.other,
            "follows_own": side.own,
            "differing": side.differing,
            "from_both_sides": swapped is not None,
        },
    )


def _by_tokens(meeting: Meeting, label: str) -> Check:
    """Return whether a system counts the tokens of the same prompts as before."""
    run, was = meeting.now[label], meeting.before[label]
    now = np.where(_same_prompts(meeting, label), meeting.tokens(run), -1)
    before = meeting.tokens(was)
    if not ((now >= 0) & (before >= 0)).any():
        words = "no prompt that is the same as before has a token count then and now"
        return _cannot(Question.TOKENS, (label,), words)
    match = token_match(now, before)
    alike = [
        other
        for other in sorted(meeting.before.keys() - {label})
        if _fits(now, meeting.tokens(meeting.before[other]))
    ]
    return Check(
        question=Question.TOKENS,
        about=(label,),
        says=Says.NOTHING if match.fit is TokenFit.SAME else Says.FOUND,
        words=_token_words(match, alike),
        facts={
            "fit": match.fit.value,
            "prompts": match.prompts,
            "differing": match.differing,
            "fits_besides": [*alike],
        },
    )


def _token_words(match: TokenMatch, alike: list[str]) -> str:
    others = f"; so did {', '.join(alike)} before" if alike else ""
    match match.fit:
        case TokenFit.SAME:
            besides = f", and so did {', '.join(alike)}: no sign of identity" if alike else ""
            return f"counts the tokens of all {match.prompts} prompts as before{besides}"
        case TokenFit.SHIFTED:
            return (
                f"counts {match.shift:+d} tokens in every one of {match.prompts} prompts: another "
                f"template, the tokenizer fits{others}"
            )
        case TokenFit.OTHER:
            return (
                f"counts the tokens of {match.differing} of {match.prompts} prompts otherwise than "
                f"before, beyond a shift of all: another tokenizer{others}"
            )


def _same_prompts(meeting: Meeting, label: str) -> NDArray[np.bool_]:
    """Return which prompts were sent word for word as before; of private ones nobody knows."""
    pairs = zip(meeting.of(meeting.now[label]), meeting.of(meeting.before[label]), strict=True)
    return np.array([one.prompt == other.prompt for one, other in pairs], dtype=np.bool_)


def _fits(now: NDArray[np.int64], before: NDArray[np.int64]) -> bool:
    known = ((now >= 0) & (before >= 0)).any()
    return bool(known) and token_match(now, before).fit is not TokenFit.OTHER


def _by_name(meeting: Meeting, label: str) -> Check | None:
    """Return whether the server names its model as before; None where it names none."""
    now, before = meeting.now[label].names, meeting.before[label].names
    if not now or not before:
        return None
    strange = sorted(now.keys() - before.keys())
    told = ", ".join(f"{name} ({count})" for name, count in now.items())
    was = ", ".join(before)
    return Check(
        question=Question.NAME,
        about=(label,),
        says=Says.FOUND if strange else Says.NOTHING,
        words=f"names its model {told}; before it was {was}" if strange else f"named {told}",
        facts={"now": dict(now), "before": dict(before)},
    )


def _cannot(question: Question, about: tuple[str, ...], words: str) -> Check:
    return Check(question=question, about=about, says=Says.CANNOT_TELL, words=words)
