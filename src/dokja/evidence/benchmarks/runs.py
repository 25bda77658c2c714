"""Asking a suite, and telling again what became of answers that were recorded.

The runner knows no model: prompts go to a responder, answers come back in order. Scoring is a
pure function of recorded answers and items, so that a corrected key or another rule makes new
records from the same answers, and nothing is asked again.
"""

from collections.abc import Callable, Sequence

from dokja.errors import Mistake, SuiteError
from dokja.evidence.benchmarks.records import Record, RunRecord
from dokja.evidence.benchmarks.scoring import SCORER, outcome_of
from dokja.evidence.benchmarks.suites import Item, Suite
from dokja.models.serving import Finish, Responder
from dokja.values import Digest

__all__ = ["run_suite", "score_again"]

_AT_ONCE = 64


def run_suite(
    responder: Responder,
    suite: Suite,
    *,
    max_new_tokens: int,
    progress: Callable[[int, int], None] | None = None,
) -> RunRecord:
    """Return what the responder answers to every item, in the order of the suite.

    Args:
        responder: What answers.
        suite: What is asked.
        max_new_tokens: The longest answer, in the responder's tokens; an answer that reaches it
            is `truncated`.
        progress: Told after every batch how many items are answered, and how many there are.

    Raises:
        NotServableError: The responder cannot answer; nothing is recorded.
        ValueError: The responder gave more or fewer answers than it was asked for.
    """
    records: list[Record] = []
    for start in range(0, len(suite.items), _AT_ONCE):
        items = suite.items[start : start + _AT_ONCE]
        prompts = [item.prompt for item in items]
        answers = responder.answer(prompts, max_new_tokens=max_new_tokens)
        if len(answers) != len(items):
            raise ValueError(
                f"{responder.name} gave {len(answers)} answers to {len(items)} prompts"
            )
        records += [
            _record(
                item,
                suite=suite,
                answer=answer.text,
                finish=answer.finish,
                tokens=(answer.tokens_in, answer.tokens_out),
            )
            for item, answer in zip(items, answers, strict=True)
        ]
        if progress is not None:
            progress(len(records), len(suite.items))
    return RunRecord(
        suite=suite.name,
        items_digest=suite.digest,
        responder=responder.name,
        max_new_tokens=max_new_tokens,
        records=tuple(records),
    )


def score_again(
    records: Sequence[Record], suite: Suite, *, responder: str, max_new_tokens: int
) -> RunRecord:
    """Return the run that recorded answers make with these items and keys.

    With the items that were asked it is the run that was recorded, byte for byte.

    Args:
        records: One per item of the suite, in its order.
        suite: What was asked; keys may have been corrected.
        responder: What answered, as recorded.
        max_new_tokens: The longest answer that was allowed, as recorded.

    Raises:
        SuiteError: A record is missing, stands elsewhere, or answers another question; every
            mistake at once.
    """
    mistakes = list(_strangers(records, suite))
    if mistakes:
        raise SuiteError(mistakes)
    return RunRecord(
        suite=suite.name,
        items_digest=suite.digest,
        responder=responder,
        max_new_tokens=max_new_tokens,
        records=tuple(
            _record(
                item,
                suite=suite,
                answer=record.answer,
                finish=record.finish,
                tokens=(record.tokens_in, record.tokens_out),
            )
            for item, record in zip(suite.items, records, strict=True)
        ),
    )


def _strangers(records: Sequence[Record], suite: Suite) -> list[Mistake]:
    file = f"records of {suite.name}"
    mistakes = []
    if len(records) != len(suite.items):
        read, expected = f"{len(records)} records", f"one for each of {len(suite.items)} items"
        mistakes.append(Mistake(file=file, place="", read=read, expected=expected))
    for number, (record, item) in enumerate(zip(records, suite.items, strict=False), start=1):
        place = f"line {number}"
        if record.item != item.id:
            expected = f"item {item.id}, as the suite has it"
            mistakes.append(
                Mistake(file=file, place=place, read=f"item {record.item}", expected=expected)
            )
        elif Digest.parse(record.prompt) != item.prompt_digest:
            read = f"an answer to {Digest.parse(record.prompt).short}…"
            expected = f"one to {item.prompt_digest.short}…, which item {item.id} asks"
            mistakes.append(Mistake(file=file, place=place, read=read, expected=expected))
    return mistakes


def _record(
    item: Item, *, suite: Suite, answer: str, finish: Finish, tokens: tuple[int, int]
) -> Record:
    return Record(
        suite=suite.name,
        item=item.id,
        cluster=item.cluster,
        prompt=str(item.prompt_digest),
        key=str(item.key_digest),
        answer=answer,
        finish=finish,
        tokens_in=tokens[0],
        tokens_out=tokens[1],
        outcome=outcome_of(answer, finish=finish, key=item.answer),
        scorer=SCORER,
    )
