"""Records of a run: what became of every sample, one canonical line each, in the plan's numbering.

A pure function of the folder's exchanges, the form and its scorer: another key or another rule
makes other records from the same exchanges, and nothing is asked again. The lines are the leaves
of an RFC 6962 tree. What is not known is absent, with the reason beside it, and never 0.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from hashlib import sha256
from typing import Any

from dokja.evidence.benchmarks.outcomes import Outcome
from dokja.evidence.benchmarks.running.bodies import Stored
from dokja.evidence.benchmarks.running.forms import Form, Question
from dokja.evidence.benchmarks.running.journal import said_at
from dokja.evidence.benchmarks.running.judging import given_up, judged, never_asked
from dokja.evidence.benchmarks.running.lines import line_of
from dokja.evidence.benchmarks.running.opened import OpenRun
from dokja.evidence.benchmarks.running.states import ANSWERED, OPEN
from dokja.evidence.benchmarks.scorers import Aids, Scoring
from dokja.models.serving.endpoints import FaultClass, read_reply
from dokja.values import Json

__all__ = ["Settled", "records_of"]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COPIED = (
    ("finish", "finish"),
    ("first_ms", "first_token_ms"),
    ("model", "reported_model"),
    ("sha256", "response_digest"),
    ("tokens_cached", "tokens_cached"),
    ("tokens_in", "tokens_in"),
    ("tokens_out", "tokens_out"),
    ("tokens_reasoning", "tokens_reasoning"),
)
_UNKNOWN = (
    ("first_token_ms", "not_streamed"),
    ("tokens_in", "not_reported"),
    ("tokens_out", "not_reported"),
)


@dataclass(frozen=True, slots=True)
class Settled:
    """One sample and what became of it.

    Attributes:
        sample: Its number.
        scoring: What became of it.
        line: Its record, without the line end.
    """

    sample: int
    scoring: Scoring
    line: bytes


def records_of(
    run: OpenRun,
    *,
    form: Form,
    aids: Aids,
    engine: str,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Settled]:
    """Yield every sample of a run: those that count by epoch and item, the repeats behind them.

    Args:
        run: The run, open for reading.
        form: What was asked; its items are those of the plan, its keys and scorer may be newer.
        aids: What the scorer may need.
        engine: Who produced the records.
        progress: Told after every thousand how many were made.

    Raises:
        RunError: A body is not what was written.
    """
    maker = _Maker(run, form, aids, engine)
    for sample in range(run.order.samples):
        yield maker.settled(sample)
        if progress is not None and (sample + 1) % 1000 == 0:
            progress(sample + 1)


class _Maker:
    """Makes records; what is the same for all of them is made once."""

    def __init__(self, run: OpenRun, form: Form, aids: Aids, engine: str) -> None:
        plan = run.plan
        self._run = run
        self._form = form
        self._aids = aids
        self._requests = plan.requests
        self._prices = plan.table
        self._shared: dict[str, Json] = {
            "v": 1,
            "run": plan.digest.hex,
            "system": plan.system.label,
            "suite": form.suite,
            "engine": engine,
        }
        if form.version:
            self._shared["version"] = form.version
        if form.form:
            self._shared["form"] = form.form
        self._scorer = form.scorer.digest.hex
        self._of_items: dict[int, dict[str, Json]] = {}

    def settled(self, sample: int) -> Settled:
        run = self._run
        place = run.order.place(sample)
        question = self._form.questions[place]
        state = run.states.done[sample]
        record = {**self._shared, **self._of_item(place, question)}
        record["epoch"] = run.order.epoch(sample)
        if state == OPEN:
            scoring = never_asked(budget=run.ended_by_budget)
            attempts = run.states.stories.get(sample)
            record["attempts"] = 0 if attempts is None else attempts.attempts
        else:
            said = said_at(run.journal, offset=run.states.where[sample])
            scoring = self._scoring(question, said, answered=state == ANSWERED)
            record |= self._exchange(said, question)
        record |= self._became(scoring, question)
        return Settled(sample, scoring, line_of(record))

    def _scoring(self, question: Question, said: Mapping[str, Any], *, answered: bool) -> Scoring:
        kind = FaultClass(said["class"]) if "class" in said else None
        if not answered:
            return given_up(kind or FaultClass.CONNECTION)
        reply = None
        if kind is not FaultClass.OVER_CONTEXT and kind is not FaultClass.FILTER:
            reply = read_reply(self._run.bodies.get(_stored(said)))
        return judged(
            reply, question=question, scorer=self._form.scorer, aids=self._aids, kind=kind
        )

    def _of_item(self, place: int, question: Question) -> Mapping[str, Json]:
        known = self._of_items.get(place)
        if known is not None:
            return known
        made: dict[str, Json] = {
            "item": question.handle,
            "item_digest": question.item_digest.hex,
            "key_digest": question.key_digest.hex,
            "clusters": dict(question.clusters),
        }
        if question.stratum:
            made["stratum"] = question.stratum
        if not question.private:
            made["prompt_digest"] = sha256(question.asked).hexdigest()
            made["request_digest"] = sha256(self._requests.body(question.asked)).hexdigest()
        if self._run.plan.epochs > 1:
            self._of_items[place] = made
        return made

    def _exchange(self, said: Mapping[str, Any], question: Question) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "seq": said["n"],
            "attempts": said["attempt"],
            "started": _time(said["asked"]),
            "ended": _time(said["t"]),
            "latency_ms": said["ms"],
            "queue_ms": said["queue_ms"],
        }
        facts |= {name: said[key] for key, name in _COPIED if key in said}
        unknown: dict[str, Json] = {key: why for key, why in _UNKNOWN if key not in facts}
        unknown |= self._spent(said, facts)
        if unknown:
            facts["unknown"] = unknown
        if question.private:
            facts["flags"] = ["private"]
        if "earlier" in said:
            facts["faults"] = self._faults(said)
        return facts

    def _spent(self, said: Mapping[str, Any], facts: dict[str, Json]) -> dict[str, Json]:
        """Add what the reply cost to the facts, or return why that is not known."""
        prices = self._prices
        if prices is None:
            return {"cost_micro": "no_prices"}
        cost = prices.cost_micro(
            said.get("tokens_in"), said.get("tokens_out"), said.get("tokens_cached")
        )
        if cost is None:
            return {"cost_micro": "tokens_not_reported"}
        facts["cost_micro"] = cost
        facts["currency"] = prices.currency
        facts["prices_digest"] = prices.digest
        return {}

    def _faults(self, said: Mapping[str, Any]) -> list[Json]:
        """Return the tries that failed before, the first one first."""
        found: list[Json] = []
        offset = said.get("earlier")
        while offset is not None:
            earlier = said_at(self._run.journal, offset=offset)
            found.append([earlier["attempt"], earlier["class"], _time(earlier["t"])])
            offset = earlier.get("earlier")
        return found[::-1]

    def _became(self, scoring: Scoring, question: Question) -> dict[str, Json]:
        facts: dict[str, Json] = {
            "outcome": scoring.outcome.value,
            "charge": scoring.charge.value,
        }
        if scoring.cause is not None:
            facts["cause"] = scoring.cause.value
        if scoring.score is not None:
            whole = scoring.outcome is not Outcome.SCORED or scoring.score in {0.0, 1.0}
            facts["score"] = int(scoring.score) if whole else scoring.score
        if scoring.rule is not None and not question.private:
            # A private item's answer would tell its key to whoever reads that it was right.
            facts["extracted"] = scoring.extracted
            span: list[Json] = list(scoring.span or ())
            facts["extraction"] = {"scorer": self._scorer, "rule": scoring.rule, "span": span}
        else:
            facts["extraction"] = {"scorer": self._scorer}
        return facts


def _stored(said: Mapping[str, Any]) -> Stored:
    at, length = said["body"]
    return Stored(at, length, said["sha256"])


def _time(milliseconds: int) -> str:
    seconds, rest = divmod(milliseconds, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
