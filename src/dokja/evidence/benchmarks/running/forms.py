"""What a run asks: every item as it goes over the wire, with what it takes to score a reply.

A form knows no model and no endpoint. It is made from a suite once and stays the same for all
systems, so that what differs between two runs on one form is the system.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from dokja.evidence.benchmarks.outcomes import Cause, Charge, Outcome
from dokja.evidence.benchmarks.scorers import ALONE, Aids, Reply, Scorer, Scoring, Task
from dokja.evidence.benchmarks.scoring import SCORER, extracted, outcome_of
from dokja.evidence.benchmarks.suites import Suite, SuiteFolder, SuiteItem
from dokja.models.serving import Finish
from dokja.models.serving.endpoints import Family
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["ExactText", "Form", "Question", "asked_bytes", "folder_form", "plain_form"]

_CUT = frozenset({"length", "max_tokens"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One item, ready to be asked and scored.

    Attributes:
        handle: What records call it.
        task: What its scorer needs.
        asked: Canonical JSON of the messages or the prompt, as the request holds them.
        item_digest: Names the item without its key.
        key_digest: Names the key alone.
        stratum: Its category, by which the order is stratified.
        clusters: Its cluster, by the name of the clustering.
        chance: What guessing gets, in [0, 1); None if undeclared.
        private: Whether nothing may be recorded that tells what it asks or what is right.
    """

    handle: str
    task: Task
    asked: bytes
    item_digest: Digest
    key_digest: Digest
    stratum: str
    clusters: Mapping[str, str] = field(default_factory=dict)
    chance: float | None = None
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """The items that one run asks.

    Attributes:
        suite: Names the items.
        version: Of the suite; empty where it has none.
        form: Which items of the suite; empty for all.
        questions: Each once, in the order of the suite.
        items_digest: Names all items with their keys.
        scorer: Tells what became of a reply.
        tokens: The longest answer that the suite declares, in tokens; None where it declares none.
    """

    suite: str
    questions: tuple[Question, ...]
    items_digest: Digest
    scorer: Scorer
    version: str = ""
    form: str = ""
    tokens: int | None = None


def asked_bytes(prompt: str, *, family: Family) -> bytes:
    """Return a prompt as a request holds it: one message of the user, or the prompt itself.

    Example:
        >>> asked_bytes("2+2?", family=Family.CHAT)
        b'[{"content":"2+2?","role":"user"}]'
    """
    if family is Family.CHAT:
        return canonical_bytes([{"role": "user", "content": prompt}])
    return canonical_bytes(prompt)


def plain_form(suite: Suite, *, family: Family) -> Form:
    """Return the form of a suite that is one JSON Lines file, scored by `exact-text`.

    Args:
        suite: The suite.
        family: How its prompts are sent.
    """
    questions = tuple(
        Question(
            handle=item.id,
            task=Task(id=item.id, keys=(item.answer,), prompt=item.prompt, language=item.language),
            asked=asked_bytes(item.prompt, family=family),
            item_digest=item.prompt_digest,
            key_digest=item.key_digest,
            stratum=item.cluster,
            clusters={"cluster": item.cluster},
        )
        for item in suite.items
    )
    return Form(
        suite=suite.name, questions=questions, items_digest=suite.digest, scorer=ExactText()
    )


def folder_form(suite: SuiteFolder, *, family: Family, form: str = "") -> Form:
    """Return a form of a suite folder, scored by its own scorer.

    Args:
        suite: The suite.
        family: How its prompts are sent.
        form: Which form; empty for all items.

    Raises:
        SuiteError: The suite has no such form.
    """
    if form:
        suite = suite.of_form(form)
    questions = tuple(
        Question(
            handle=item.handle,
            task=suite.task(item),
            asked=_messages(suite, item, family=family),
            item_digest=item.item_digest,
            key_digest=item.key_digest,
            stratum=item.stratum,
            clusters=dict(item.clusters),
            chance=item.chance,
            private=item.private,
        )
        for item in suite.items
    )
    return Form(
        suite=suite.name,
        version=suite.version,
        form=form,
        questions=questions,
        items_digest=suite.digest,
        scorer=suite.scorer,
        tokens=suite.budget_tokens,
    )


def _messages(suite: SuiteFolder, item: SuiteItem, *, family: Family) -> bytes:
    if family is not Family.CHAT:
        system = suite.template.system
        told = suite.prompt(item)
        return canonical_bytes(f"{system}\n\n{told}" if system else told)
    messages = suite.messages(item)
    return canonical_bytes([{"role": each.role, "content": each.text} for each in messages])


@dataclass(frozen=True, slots=True)
class ExactText:
    """The rules of `scoring`, as a scorer: letter by letter, after `extracted`."""

    @property
    def kind(self) -> str:
        """`exact-text/1`."""
        return SCORER

    @property
    def declaration(self) -> Mapping[str, Json]:
        """All that decides how it scores."""
        return {"scorer": SCORER}

    @property
    def digest(self) -> Digest:
        """Names these rules."""
        return Digest.of(canonical_bytes(dict(self.declaration)))

    def score(self, task: Task, reply: Reply, *, aids: Aids = ALONE) -> Scoring:
        """Return what became of the reply."""
        finish = Finish.LENGTH if reply.finish in _CUT else Finish.STOP
        outcome = outcome_of(reply.text, finish=finish, key=task.keys[0])
        if outcome.is_settled:
            return Scoring(
                outcome=outcome,
                charge=Charge.NOBODY,
                extracted=extracted(reply.text),
                rule="whole",
                span=(0, len(reply.text)),
                score=1.0 if outcome is Outcome.CORRECT else 0.0,
            )
        spoken = bool(reply.text.strip())
        if outcome is Outcome.TRUNCATED:
            cause = Cause.VISIBLE if spoken else Cause.IN_REASONING
        else:
            cause = Cause.NOT_EXTRACTED if spoken else Cause.EMPTY
        operators = outcome is Outcome.TRUNCATED and not aids.budget_granted
        charge = Charge.OPERATOR if operators else Charge.MODEL
        return Scoring(outcome=outcome, cause=cause, charge=charge)
