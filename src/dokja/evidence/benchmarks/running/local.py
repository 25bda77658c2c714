"""Asks a model that runs in this process, batch by batch, into the same folder as an endpoint.

Its replies are written as the JSON that an endpoint would have sent, so that one reader reads
both. Batches follow the plan's order, and a run that is stopped goes on with the next one.
"""

import asyncio
import json
from collections.abc import Callable
from itertools import islice

from dokja.errors import NotServableError
from dokja.evidence.benchmarks.running.endings import Ending, Why
from dokja.evidence.benchmarks.running.folders import RunFolder
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.limits import Limits
from dokja.evidence.benchmarks.running.runner import close
from dokja.evidence.benchmarks.running.scribes import Try
from dokja.evidence.benchmarks.running.sessions import Session, Sources, open_samples
from dokja.models.serving import Answer, Finish, Responder
from dokja.models.serving.endpoints import FaultClass, read_reply
from dokja.values import canonical_bytes

__all__ = ["answer_body", "run_local"]

_BATCH = 64
_OK = 200


async def run_local(
    folder: RunFolder,
    *,
    form: Form,
    responder: Responder,
    limits: Limits,
    sources: Sources,
    begun: Callable[[Session], None] | None = None,
) -> Ending:
    """Ask everything that is open, and return why it ended.

    Args:
        folder: The run's folder, open for writing.
        form: What is asked; the plan's.
        responder: Who answers.
        limits: Of these, how often the disk is made to hold everything and progress is told.
        sources: What comes from outside.
        begun: Shown the session before the first batch, so that a signal can stop it.

    Raises:
        RunWriteError: The folder cannot be written; what was written stands.
    """
    session = Session(folder, form=form, limits=limits, sources=sources)
    if begun is not None:
        begun(session)
    session.open()
    samples = open_samples(folder)
    while session.ending is None and (batch := list(islice(samples, _BATCH))):
        await _ask(session, responder, batch)
        session.folder.sync()
        session.tell()
    ending = session.ending or Ending(why=Why.DONE)
    close(session, ending)
    return ending


async def _ask(session: Session, responder: Responder, batch: list[int]) -> None:
    order, questions = session.folder.order, session.form.questions
    prompts = [json.loads(questions[order.place(sample)].asked) for sample in batch]
    loop = asyncio.get_running_loop()
    tries = [session.scribe.ask(sample, key=session.scribe.key(sample)) for sample in batch]
    began = loop.time()
    try:
        # In a thread, so that a signal is heard and progress can be told meanwhile.
        answers = await loop.run_in_executor(
            None, lambda: responder.answer(prompts, max_new_tokens=session.plan.tokens)
        )
    except NotServableError as error:
        _refuse(session, tries, str(error))
        return
    took = round((loop.time() - began) * 1000)
    name = session.plan.system.model
    for one, answer in zip(tries, answers, strict=True):
        one.took_ms = took
        one.status = _OK
        one.body = answer_body(answer, model=name)
        said = read_reply(one.body)
        # This host shows its tokens: an answer without text is the model's own.
        kind = None if said.text.strip() else FaultClass.EMPTY
        session.scribe.answer(one, said, kind=kind)
        session.count(one.sample, said, kind=kind)


def _refuse(session: Session, tries: list[Try], detail: str) -> None:
    """Write down that the runtime cannot answer a batch, and stop."""
    for one in tries:
        session.scribe.fault(one, FaultClass.CONFIGURATION, detail=detail, said=None, last=True)
        session.gave_up()
    session.stop(Ending(why=Why.CONFIGURATION, detail=detail))


def answer_body(answer: Answer, *, model: str) -> bytes:
    """Return an answer as the JSON that an endpoint would have sent.

    Args:
        answer: What the model said.
        model: Its name.
    """
    return canonical_bytes(
        {
            "choices": [
                {
                    "finish_reason": answer.finish.value,
                    "message": {"content": answer.text, "role": "assistant"},
                }
            ],
            "model": model,
            "object": "dokja.embedded",
            "usage": {
                # With the end mark, as servers count: a model that says nothing has spoken.
                "completion_tokens": answer.tokens_out + (answer.finish is Finish.STOP),
                "prompt_tokens": answer.tokens_in,
            },
        }
    )
