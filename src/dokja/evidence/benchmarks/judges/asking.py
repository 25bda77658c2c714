"""Asks a judge many things at once, and keeps each reply before it counts.

Faults are told apart and asked again as those of a measured model are. What stays without a reply
is nobody's wrong answer: it is said to be missing, and may be asked another time. An endpoint that
refuses the requests, names another model, or fails again and again is asked nothing more.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

import numpy as np

from dokja.errors import NotServableError
from dokja.evidence.benchmarks.judges.kept import JudgeFile
from dokja.evidence.benchmarks.running.limits import Limits
from dokja.evidence.benchmarks.running.local import answer_body
from dokja.models.serving import Responder
from dokja.models.serving.endpoints import (
    REACTIONS,
    Endpoint,
    Exchange,
    FaultClass,
    Verdict,
    classify,
)

__all__ = ["Asks", "EndpointJudge", "LocalJudge"]

_BATCH = 64
_BARREN = 8  # so many questions given up one after the other, and the endpoint is not there
_HOPELESS = frozenset({FaultClass.CONFIGURATION, FaultClass.WRONG_MODEL})


class Asks(Protocol):
    """Asks a judge; writes replies and faults into its file."""

    @property
    def broken(self) -> str:
        """Why it is asked nothing more; empty while it is."""

    def ask(
        self, wanted: Mapping[str, str], file: JudgeFile, *, progress: Callable[[], None]
    ) -> None:
        """Ask every question, by the digest of its request; told after each.

        Raises:
            RunWriteError: The file cannot be written.
        """


class EndpointJudge:
    """A judge behind an OpenAI-compatible endpoint.

    Args:
        headers: Sent with every request; the key stands here and in no file.
        limits: Of these, how many are asked at once, how long is waited and how often.
        reported: Names under which the server may answer; empty for any.
    """

    def __init__(
        self, *, headers: Mapping[str, str], limits: Limits, reported: frozenset[str]
    ) -> None:
        self.broken = ""
        self._headers = headers
        self._limits = limits
        self._reported = reported
        self._barren = 0
        self._proven = False
        # Waits need no certain seed: no reply depends on them.
        self._waits = np.random.default_rng(0)

    def ask(
        self, wanted: Mapping[str, str], file: JudgeFile, *, progress: Callable[[], None]
    ) -> None:
        """Ask every question; the very first goes alone, in case that none is taken.

        Raises:
            ExtraMissingError: The extra `measure` is not installed.
            RunWriteError: The file cannot be written.
        """
        asyncio.run(self._ask_all(wanted, file, progress))

    async def _ask_all(
        self, wanted: Mapping[str, str], file: JudgeFile, progress: Callable[[], None]
    ) -> None:
        body = file.judge.bodies()
        endpoint = Endpoint(
            file.judge.endpoint,
            headers=self._headers,
            patience=self._limits.patience,
            lines=self._limits.concurrency,
        )
        questions = iter((key, body(question)) for key, question in wanted.items())

        async def work(questions: Iterator[tuple[str, bytes]]) -> None:
            for key, asked in questions:
                if self.broken:
                    return
                await self._settle(endpoint, file, key=key, body=asked)
                progress()

        async with endpoint:
            if not self._proven:
                await work(iter([next(questions)]))
                self._proven = True
            workers = min(self._limits.concurrency, len(wanted))
            await asyncio.gather(*(work(questions) for _ in range(workers)))

    async def _settle(self, endpoint: Endpoint, file: JudgeFile, *, key: str, body: bytes) -> None:
        """Ask one question until it has a reply or its tries are used up."""
        tries: Counter[FaultClass] = Counter()
        while not self.broken:
            name = f"{key}-{tries.total()}" if tries else key
            exchange = await endpoint.exchange(body, key=name)
            verdict = self._verdict(exchange)
            if verdict.fault is None:
                self._barren = 0
                file.keep(key, exchange.body.decode())
                return
            wait = self._wait_s(verdict.fault, verdict, tries=tries)
            if wait is None:
                file.give_up(key, verdict.fault, detail=verdict.detail)
                self._gave_up(verdict.fault, verdict.detail)
                return
            await asyncio.sleep(wait)

    def _verdict(self, exchange: Exchange) -> Verdict:
        if exchange.fault is not None:
            return Verdict(None, exchange.fault, exchange.detail)
        try:
            exchange.body.decode()
        except UnicodeDecodeError as error:  # JSON between systems is UTF-8 (RFC 8259, 8.1)
            return Verdict(None, FaultClass.MALFORMED, str(error))
        return classify(
            exchange.status or 0, exchange.headers, exchange.body, declared=self._reported
        )

    def _wait_s(
        self, kind: FaultClass, verdict: Verdict, *, tries: Counter[FaultClass]
    ) -> float | None:
        """Return how long to wait before asking again; None for never."""
        limits = self._limits
        if kind is FaultClass.RATE_TOLD and tries[kind] >= limits.told_most:
            kind = FaultClass.RATE
        tries[kind] += 1
        reaction = REACTIONS[kind]
        if reaction.tries is not None and tries[kind] >= reaction.tries:
            return None
        if kind is FaultClass.RATE_TOLD:
            return min(verdict.wait_s or 0.0, limits.told_most_s)
        if not reaction.backs_off:
            return 0.0
        most = min(limits.backoff_most_s, limits.backoff_s * 2.0 ** (tries[kind] - 1))
        return float(self._waits.uniform(0.0, most))

    def _gave_up(self, kind: FaultClass, detail: str) -> None:
        self._barren += REACTIONS[kind].trips
        if kind in _HOPELESS:
            self.broken = detail
        elif self._barren >= _BARREN:
            self.broken = f"{self._barren} questions without a reply one after the other: {detail}"


class LocalJudge:
    """A judge that runs in this process.

    Args:
        responder: The model.
        tokens: The longest reply, in its own tokens.
    """

    def __init__(self, responder: Responder, *, tokens: int) -> None:
        self.broken = ""
        self._responder = responder
        self._tokens = tokens

    def ask(
        self, wanted: Mapping[str, str], file: JudgeFile, *, progress: Callable[[], None]
    ) -> None:
        """Ask every question, batch by batch.

        Raises:
            RunWriteError: The file cannot be written.
        """
        questions = iter(wanted.items())
        while batch := list(islice(questions, _BATCH)):
            try:
                self._answer(batch, file)
            except NotServableError:
                for one in batch:  # one that is too long must not take the others with it
                    self._answer_alone(one, file)
            for _ in batch:
                progress()

    def _answer_alone(self, one: tuple[str, str], file: JudgeFile) -> None:
        try:
            self._answer([one], file)
        except NotServableError as error:
            file.give_up(one[0], FaultClass.OVER_CONTEXT, detail=str(error)[:300])

    def _answer(self, batch: Sequence[tuple[str, str]], file: JudgeFile) -> None:
        prompts = [question for _, question in batch]
        answers = self._responder.answer(prompts, max_new_tokens=self._tokens)
        for (key, _), answer in zip(batch, answers, strict=True):
            file.keep(key, answer_body(answer, model=self._responder.name).decode())
