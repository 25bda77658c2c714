"""Trying a scorer before it may produce evidence: every attack, on every version.

What is tried are the suite's own items, and beside them items and replies that were written for
this. Whatever a scorer rewards here, it would reward anybody for. A program or a judge is tried on
fewer items than a rule, because each reply costs.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.sanity import attacks
from dokja.evidence.benchmarks.sanity.attacks import Speech, speech_for, spread
from dokja.evidence.benchmarks.sanity.audits import extraction_recall
from dokja.evidence.benchmarks.sanity.judging import JudgedLabel, judge_check
from dokja.evidence.benchmarks.sanity.probing import Labelled, solutions
from dokja.evidence.benchmarks.sanity.reports import Check, Floor, SanityReport
from dokja.evidence.benchmarks.scorers import Aids, Reply, Scorer, Scoring, Task
from dokja.evidence.statistics.streams import uniforms
from dokja.values import Digest, canonical_bytes, shown

__all__ = ["try_scorer"]

_MOST = {"judge": 12, "code": 4}
_MANY = 200
_OPEN_BOUND = 0.02
_JUDGE_BOUND = 0.05
_INJECTION_BOUND = 0.02
_ERRORS = 3  # standard errors that a null text may lie above the best constant answer
_SHOWN = 5
_WORDS = (
    *("강", "하늘", "나무", "책상", "빠르다", "그리고", "어제", "문", "사과"),
    *("the", "river", "seven", "blue", "under", "walking"),
)


def try_scorer(
    scorer: Scorer,
    tasks: Sequence[Task],
    *,
    suite: str,
    aids: Aids,
    labelled: Sequence[Labelled] = (),
    judged: Sequence[JudgedLabel] = (),
    secret: frozenset[str] = frozenset(),
) -> SanityReport:
    """Return what the sanity suite finds about a scorer.

    Args:
        scorer: What is tried.
        tasks: Items that it is tried on, such as a suite's; at least one.
        suite: Names them.
        aids: A sandbox for programs, a judge for judged answers.
        labelled: Replies of the suite's own with what stands in them, beside the built-in ones.
        judged: For a judge: replies that people have judged.
        secret: Ids of private items; no example quotes a reply to them.

    Raises:
        ValueError: There are no items.
    """
    if not tasks:
        raise ValueError("a scorer is tried on at least one item")
    trial = _Trial(scorer=scorer, tasks=tasks, aids=aids, secret=secret)
    checks = [check for make in _CHECKS for check in [make(trial)] if check is not None]
    if scorer.kind == "judge":
        checks.append(judge_check(scorer, judged, aids=aids))
    digest = Digest.of(canonical_bytes([[task.id, list(task.keys), task.prompt] for task in tasks]))
    return SanityReport(
        scorer=scorer.digest,
        declaration=scorer.declaration,
        suite=suite,
        items=digest,
        tasks=len(tasks),
        checks=tuple(checks),
        floor=_floor(trial) if scorer.kind == "choice" and trial.public else None,
        recall=extraction_recall(scorer, labelled=labelled, aids=aids),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Trial:
    """A scorer, and what it is tried on."""

    scorer: Scorer
    tasks: Sequence[Task]
    aids: Aids
    secret: frozenset[str]

    @property
    def kind(self) -> str:
        return self.scorer.kind

    @property
    def speech(self) -> Speech:
        options = self.scorer.declaration.get("options", {})
        return speech_for(self.kind, options if isinstance(options, dict) else {})

    @property
    def some(self) -> list[Task]:
        """As many items as each attack is worth."""
        return spread(self.tasks, _MOST.get(self.kind, _MANY))

    @property
    def public(self) -> list[Task]:
        """Items of which anything may be told."""
        return [task for task in self.tasks if task.id not in self.secret]

    @property
    def keyed(self) -> list[Task]:
        """Items whose right answer can be said: all but programs."""
        return [task for task in self.some if task.keys]

    def score(self, task: Task, text: str, *, tokens: int | None = 8) -> Scoring:
        return self.scorer.score(task, Reply(text=text, tokens_out=tokens), aids=self.aids)

    def check(
        self, attack: str, tried: Iterable[tuple[Task, str, bool]], *, figure: str = ""
    ) -> Check:
        """Return a check of replies, each with whether it fared as it must."""
        count, failed = 0, []
        for task, text, fared in tried:
            count += 1
            if not fared:
                failed.append("a private item" if task.id in self.secret else shown(text))
        return Check(
            attack=attack,
            holds=not failed,
            tried=count,
            figure=figure or f"{len(failed)} of {count} fared otherwise",
            bound="0",
            examples=tuple(dict.fromkeys(failed))[:_SHOWN],
        )


def _right(trial: _Trial) -> Check:
    if trial.kind == "code":
        known = solutions()
        tried = [(task, f"```python\n{known[task.id]}```") for task in _programs(trial)]
    else:
        tried = [(task, trial.speech.plain(key)) for task in trial.keyed for key in task.keys]
    return trial.check(
        "right", ((task, text, _earned(trial.score(task, text)) == 1) for task, text in tried)
    )


def _other(trial: _Trial) -> Check:
    if trial.kind == "code":
        tried = [(task, "```python\nprint(0)\n```") for task in _programs(trial)]
    else:
        tried = [(task, trial.speech.plain(trial.speech.other(task))) for task in trial.keyed]
    return trial.check(
        "other", ((task, text, _earned(trial.score(task, text)) == 0) for task, text in tried)
    )


def _null(trial: _Trial) -> Check:
    """The best that one text earns over all items."""
    texts = [*attacks.NULLS, *_random_words()]
    some = trial.some
    shares = {
        text: math.fsum(_earned(trial.score(task, text)) for task in some) / len(some)
        for text in texts
    }
    worst = max(shares, key=lambda text: shares[text])
    bound = _bound(trial)
    return Check(
        attack="null",
        holds=shares[worst] <= bound,
        tried=len(texts) * len(some),
        figure=f"{shares[worst]:.4f}",
        bound=f"{bound:.4f}",
        examples=(shown(worst),) if shares[worst] > bound else (),
    )


def _bound(trial: _Trial) -> float:
    if trial.kind == "judge":
        return _JUDGE_BOUND
    if trial.kind != "choice":
        return _OPEN_BOUND
    best = max(_key_shares(trial.tasks).values())
    return best + _ERRORS * math.sqrt(best * (1 - best) / len(trial.some))


def _constant(trial: _Trial) -> Check | None:
    """Every label in every spelling, over all items, earns the share of its key exactly."""
    if trial.kind != "choice":
        return None
    shares = _key_shares(trial.tasks)
    labels = [*dict.fromkeys(choice.label for task in trial.tasks for choice in task.choices)]
    found = []
    for place, label in enumerate(labels):
        right = sum(_earned(trial.score(task, label)) for task in trial.tasks)
        expected = sum(1 for task in trial.tasks if label in task.keys)
        found.append((label, right == expected, shares.get(label, 0.0)))
        for spelt in attacks.label_spellings(label, place):
            for task in trial.some:
                scoring = trial.score(task, spelt)
                fits = scoring.outcome is not Outcome.CORRECT or label in task.keys
                found.append((spelt, fits, 0.0))
    failed = [said for said, fits, _ in found if not fits]
    figure = ", ".join(f"{label} {shares.get(label, 0.0):.4f}" for label in labels)
    if trial.secret:
        figure = "equal to the share of its key, for every label"  # shares would tell of keys
    return Check(
        attack="constant",
        holds=not failed,
        tried=len(trial.tasks) * len(labels) + len(found) - len(labels),
        figure=figure,
        bound="the shares of the keys",
        examples=() if trial.secret else tuple(dict.fromkeys(failed))[:_SHOWN],
    )


def _never_right(
    attack: str, replies: Callable[[Task], Iterable[str]]
) -> Callable[[_Trial], Check | None]:
    def check(trial: _Trial) -> Check | None:
        tried = [(task, text) for task in trial.some for text in replies(task)]
        if not tried:
            return None
        return trial.check(
            attack, ((task, text, _earned(trial.score(task, text)) == 0) for task, text in tried)
        )

    return check


def _several(trial: _Trial) -> Check | None:
    if not trial.speech.declares or trial.kind in {"code", "judge", "pattern"}:
        return None
    tried = ((task, text) for task in trial.keyed for text in attacks.severals(task, trial.speech))
    return trial.check(
        "several", ((task, text, _earned(trial.score(task, text)) == 0) for task, text in tried)
    )


def _turned(
    attack: str, replies: Callable[[Task, Speech], Iterable[tuple[str, bool]]]
) -> Callable[[_Trial], Check | None]:
    """Make the check of replies of which an answer remains: right or none, never the other way."""

    def check(trial: _Trial) -> Check | None:
        if trial.kind not in {"choice", "exact", "numeric"}:
            return None
        return trial.check(
            attack,
            (
                (task, text, _fared(trial.score(task, text), right=right))
                for task in trial.keyed
                for text, right in replies(task, trial.speech)
            ),
        )

    return check


def _injection(trial: _Trial) -> Check:
    """Words to whoever scores earn nothing, alone and behind a wrong answer."""
    if trial.kind != "judge":
        made = _never_right("injection", lambda _: attacks.INJECTIONS)(trial)
        return made if made is not None else trial.check("injection", ())
    moved = []
    for task in trial.keyed:
        wrong = trial.speech.other(task)
        plain = _earned(trial.score(task, wrong))
        moved += [
            _earned(trial.score(task, f"{wrong}\n{text}")) - plain for text in attacks.INJECTIONS
        ]
    mean = math.fsum(moved) / len(moved) if moved else 0.0
    return Check(
        attack="injection",
        holds=mean <= _INJECTION_BOUND,
        tried=len(moved),
        figure=f"{mean:.4f}",
        bound=f"{_INJECTION_BOUND:.4f}",
    )


def _spelling(trial: _Trial) -> Check | None:
    if trial.kind in {"code", "judge"}:
        return None

    def tried() -> Iterable[tuple[Task, str, bool]]:
        for task in trial.keyed:
            plain = trial.score(task, trial.speech.plain(task.keys[0])).outcome
            for text in attacks.spellings(task, trial.kind, trial.speech):
                outcome = trial.score(task, text).outcome
                yield task, text, outcome in {plain, Outcome.NO_ANSWER}

    return trial.check("spelling", tried())


def _repetition(trial: _Trial) -> Check:
    again, tried = replace(trial, aids=trial.aids.once_more), []
    for task in trial.keyed or trial.some:
        texts = [*attacks.NULLS[:4], *attacks.listings(task)]
        if task.keys:
            texts += [trial.speech.plain(task.keys[0]), *attacks.severals(task, trial.speech)]
        tried += [(task, text) for text in texts]
    if trial.kind in _MOST:
        tried = tried[:_SHOWN]
    return trial.check(
        "repetition",
        ((task, text, trial.score(task, text) == again.score(task, text)) for task, text in tried),
    )


def _escape(trial: _Trial) -> Check | None:
    if trial.kind != "code" or trial.aids.executor is None:
        return None
    task = trial.tasks[0]
    tried = []
    for name, program in attacks.PROGRAMS.items():
        ran = trial.aids.executor.run(program, stdin="")
        tried.append((task, name, "reached" not in ran.stdout and not ran.fault))
    return trial.check("escape", tried)


_CHECKS: tuple[Callable[[_Trial], Check | None], ...] = (
    _right,
    _other,
    _null,
    _constant,
    _never_right("echo", attacks.echoes),
    _never_right("listing", attacks.listings),
    _several,
    _turned("denial", attacks.denials),
    _turned("change_of_mind", attacks.retractions),
    _injection,
    _spelling,
    _repetition,
    _escape,
)


def _programs(trial: _Trial) -> list[Task]:
    """Return the items whose solution is known: those that were written for this."""
    known = solutions()
    return [task for task in trial.tasks if task.id in known]


def _fared(scoring: Scoring, *, right: bool) -> bool:
    """Tell whether a reply fared as it must: never wrong if it is right, never right if not."""
    allowed = {Outcome.CORRECT, Outcome.NO_ANSWER} if right else {Outcome.WRONG, Outcome.NO_ANSWER}
    return scoring.outcome in allowed


def _earned(scoring: Scoring) -> float:
    return scoring.score or 0.0


def _key_shares(tasks: Sequence[Task]) -> dict[str, float]:
    counts = Counter(key for task in tasks for key in task.keys)
    return {key: count / len(tasks) for key, count in counts.items()}


def _random_words() -> list[str]:
    drawn = uniforms(0, "sanity/words", count=40)
    words = [_WORDS[int(each * len(_WORDS))] for each in drawn]
    return [" ".join(words[start : start + 8]) for start in range(0, len(words), 8)]


def _floor(trial: _Trial) -> Floor:
    tasks = trial.public
    drawn = uniforms(0, "sanity/floor", count=len(tasks))
    ways = (
        [task.choices[0].label for task in tasks],
        [attacks.longest_option(task) for task in tasks],
        [
            task.choices[int(each * len(task.choices))].label
            for task, each in zip(tasks, drawn, strict=True)
        ],
    )
    first, longest, random = (
        math.fsum(
            _earned(trial.score(task, label)) for task, label in zip(tasks, labels, strict=True)
        )
        / len(tasks)
        for labels in ways
    )
    return Floor(first=first, longest=longest, random=random)
