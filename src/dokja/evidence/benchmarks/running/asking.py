"""Asks one sample until it has an answer or its tries are used up."""

import asyncio
from collections import Counter

import numpy as np

from dokja.evidence.benchmarks.running.endings import Ending, Why
from dokja.evidence.benchmarks.running.scribes import Try
from dokja.evidence.benchmarks.running.sessions import Session
from dokja.evidence.benchmarks.running.states import OPEN
from dokja.models.serving.endpoints import (
    REACTIONS,
    Endpoint,
    Exchange,
    FaultClass,
    Verdict,
    classify,
)

__all__ = ["Asker"]

_WRONG_MODELS = 3
_SLOW_LOOK_S = 0.02
_COSTS_NOTHING = frozenset(
    {
        FaultClass.RATE_TOLD,
        FaultClass.RATE,
        FaultClass.SERVER,
        FaultClass.FILTER,
        FaultClass.OVER_CONTEXT,
        FaultClass.CONFIGURATION,
    }
)


class Asker:
    """Asks the samples of a session.

    Args:
        session: What all of them share.
        endpoint: Who is asked, open.
        waits: Draws the waits between tries.
    """

    def __init__(self, session: Session, *, endpoint: Endpoint, waits: np.random.Generator) -> None:
        self._session = session
        self._endpoint = endpoint
        self._waits = waits
        self._requests = session.plan.requests
        self._declared = frozenset(session.plan.system.reported)
        self._questions = session.form.questions

    async def settle(self, sample: int) -> None:
        """Ask a sample until it is settled, given up, or the session is stopped.

        Raises:
            RunWriteError: The folder cannot be written.
        """
        session = self._session
        question = self._questions[session.folder.order.place(sample)]
        body = self._requests.body(question.asked)
        key = session.scribe.key(sample)
        was_given_up = session.states.done[sample] != OPEN
        if was_given_up:
            session.took_up()
        tries: Counter[FaultClass] = Counter()
        while True:
            wanted = asyncio.get_running_loop().time()
            if not await session.gate.enter():
                return
            try:
                ready = await self._may_be_asked(body)
                if ready is None:
                    return
                queued = asyncio.get_running_loop().time() - wanted
                one = session.scribe.ask(sample, key=key, queued_ms=_ms(queued))
                replies = session.scribe.story(sample).replies
                name = f"{key}-{replies}" if replies else key
                asked_at = asyncio.get_running_loop().time()
                exchange = await self._endpoint.exchange(body, key=name)
            finally:
                session.gate.leave()
            verdict = self._verdict(one, exchange)
            self._settle_spending(one, verdict, body=body, taken=ready)
            if verdict.fault is None:
                session.scribe.answer(one, verdict.said)
                session.gate.bore()
                session.breaker.saw(failed=False)
                session.count(sample, verdict.said, kind=None)
                return
            wait = self._react(one, verdict, tries=tries, asked_at=asked_at)
            if wait is None:
                return
            if wait:
                await session.gate.rest(wait)

    async def _may_be_asked(self, body: bytes) -> float | None:
        """Wait for rates and budget; return the tokens taken, or None where the run is over."""
        session = self._session
        tokens = session.plan.tokens
        wait, taken = session.rate_wait_s(most_tokens=len(body) + tokens)
        if wait:
            await session.gate.rest(wait)
        if session.prices is not None:
            most = session.prices.most_micro(body, tokens=tokens)
            budget = session.limits.budget_micro
            while budget is not None:
                spent = session.states.sums.at_most_micro + session.reserved_micro
                if spent + most <= budget:
                    break
                if not session.reserved_micro:
                    detail = f"another question can cost {most} millionths; too little is left"
                    session.stop(Ending(why=Why.BUDGET, detail=detail))
                await session.gate.rest(_SLOW_LOOK_S)
                if session.gate.closed.is_set():
                    return None
            session.reserved_micro += most
        if session.gate.closed.is_set():
            self._give_back(body)
            return None
        return taken

    def _give_back(self, body: bytes) -> None:
        session = self._session
        if session.prices is not None:
            session.reserved_micro -= session.prices.most_micro(body, tokens=session.plan.tokens)

    def _verdict(self, one: Try, exchange: Exchange) -> Verdict:
        one.status = exchange.status
        one.body = exchange.body
        one.took_ms = _ms(exchange.latency_s)
        one.first_ms = None if exchange.first_s is None else _ms(exchange.first_s)
        if exchange.pause_s:
            self._session.gate.pause(min(exchange.pause_s, self._session.limits.told_most_s))
        if exchange.fault is not None:
            return Verdict(None, exchange.fault, exchange.detail)
        return classify(
            exchange.status or 0, exchange.headers, exchange.body, declared=self._declared
        )

    def _settle_spending(self, one: Try, verdict: Verdict, *, body: bytes, taken: float) -> None:
        session = self._session
        usage = None if verdict.said is None else verdict.said.usage
        used = None
        if usage is not None and usage.tokens_in is not None and usage.tokens_out is not None:
            used = usage.tokens_in + usage.tokens_out
        session.settle_rate(taken, used=used)
        if session.prices is not None:
            self._give_back(body)
            if used is None and verdict.fault not in _COSTS_NOTHING:
                one.at_most_micro = session.prices.most_micro(body, tokens=session.plan.tokens)

    def _react(
        self, one: Try, verdict: Verdict, *, tries: Counter[FaultClass], asked_at: float
    ) -> float | None:
        """Write a fault down and return how long to wait before asking again; None for never."""
        session, limits = self._session, self._session.limits
        kind = verdict.fault
        if kind is None:
            raise ValueError("an answer is no fault")
        if kind is FaultClass.RATE_TOLD and tries[kind] >= limits.told_most:
            kind = FaultClass.RATE
        tries[kind] += 1
        reaction = REACTIONS[kind]
        last = reaction.tries is not None and tries[kind] >= reaction.tries
        if self._ends(kind, verdict, last=last):
            session.scribe.answer(one, verdict.said, kind=kind)
            session.breaker.saw(failed=reaction.trips)
            session.count(one.sample, verdict.said, kind=kind)
            return None
        session.scribe.fault(one, kind, detail=verdict.detail, said=verdict.said, last=last)
        if reaction.halves:
            session.gate.pushed_back(asked_at=asked_at)
        self._stop_if_hopeless(kind, verdict)
        if reaction.trips and session.breaker.saw(failed=True):
            self._pause()
        if last:
            session.gave_up()
            return None
        if session.gate.closed.is_set():
            return None
        if kind is FaultClass.RATE_TOLD:
            return min(verdict.wait_s or 0.0, limits.told_most_s)
        if reaction.backs_off:
            most = min(limits.backoff_most_s, limits.backoff_s * 2.0 ** (tries[kind] - 1))
            return float(self._waits.uniform(0.0, most))
        return 0.0

    @staticmethod
    def _ends(kind: FaultClass, verdict: Verdict, *, last: bool) -> bool:
        """Tell whether a reply without an answer is an outcome of the question and no fault."""
        if kind in {FaultClass.FILTER, FaultClass.OVER_CONTEXT}:
            return True
        said = verdict.said
        if kind is not FaultClass.EMPTY or not last or said is None:
            return False
        # Tokens or reasoning show that the model spoke; without them nothing does.
        return bool(said.usage.tokens_out) or bool(said.reasoning.strip())

    def _stop_if_hopeless(self, kind: FaultClass, verdict: Verdict) -> None:
        session = self._session
        if kind is FaultClass.CONFIGURATION:
            session.stop(Ending(why=Why.CONFIGURATION, detail=verdict.detail))
        if kind is FaultClass.WRONG_MODEL and len(session.states.wrong_models) >= _WRONG_MODELS:
            session.stop(Ending(why=Why.IDENTITY, detail=verdict.detail))

    def _pause(self) -> None:
        """Half of the last tries failed: let the endpoint rest, longer each time."""
        session, limits = self._session, self._session.limits
        breaker = session.breaker
        if breaker.barren > limits.breaker_pauses:
            detail = f"{breaker.barren - 1} pauses, and not one good reply since the first"
            session.stop(Ending(why=Why.UNREACHABLE, detail=detail))
            return
        seconds = min(limits.breaker_most_s, limits.breaker_s * 2.0 ** (breaker.level - 1))
        session.gate.pause(seconds)
        session.scribe.note("pause", ms=_ms(seconds))
        session.tell(f"more than half of the last tries failed; resting for {seconds:.0f} s")


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
