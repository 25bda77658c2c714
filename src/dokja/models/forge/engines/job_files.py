"""The file of a job, `job.json`: written whole or not at all, read strictly.

Whoever reads one hears of every mistake at once, also of values that are sound one by one and
make no sense together.
"""

import json
from collections.abc import Iterator
from pathlib import Path

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines.jobs import (
    ATTENTION,
    SCHEMA,
    AdamW,
    Adapter,
    Batch,
    Job,
    Keep,
    Teacher,
)
from dokja.models.forge.engines.reading import ObjectReader
from dokja.models.forge.engines.tensors import write_bytes
from dokja.models.forge.schedules import Schedule
from dokja.models.forge.structures import Structure
from dokja.values import parse_json

__all__ = ["parse_job", "read_job", "write_job"]


def write_job(job: Job, path: Path) -> None:
    """Write a job file whole or not at all."""
    unfinished = path.with_name(f".{path.name}.unfinished")
    text = json.dumps(job.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
    write_bytes(unfinished, [text.encode() + b"\n"])
    unfinished.replace(path)


def read_job(path: Path) -> Job:
    """Read a job file.

    Raises:
        RecipeError: It cannot be read, or is no job; every mistake is in it.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=path.name, place="", read=read, expected="a job file")
        raise RecipeError([wrong]) from error
    return parse_job(data, file=path.name)


def parse_job(data: bytes | str, *, file: str) -> Job:
    """Return the job that a text states; see `read_job`.

    Raises:
        RecipeError: As there.
    """
    try:
        said = parse_json(data)
    except (ValueError, RecursionError) as error:
        wrong = Mistake(file=file, place="", read=str(error)[:200], expected="one JSON object")
        raise RecipeError([wrong]) from error
    reader = ObjectReader(said, file=file)
    job = _job(reader)
    if not reader.mistakes:
        reader.mistakes += _sense_mistakes(job, file)
    if reader.mistakes:
        raise RecipeError(reader.mistakes)
    return job


def _job(read: ObjectReader) -> Job:
    read.one_of("schema", (SCHEMA,))
    adapter = read.inner("adapter") if read.holds("adapter") else None
    teacher = read.inner("teacher") if read.holds("teacher") else None
    job = Job(
        plan=read.text("plan"),
        structure=read.made("structure", Structure.from_json),
        start=read.path("start"),
        steps=read.whole("steps", least=1),
        first_step=read.whole("first_step", least=0, otherwise=0),
        batch=_batch(read.inner("batch")),
        optimizer=_optimizer(read.inner("optimizer")),
        schedule=read.made("schedule", Schedule.from_json),
        trainable=_trainable(read),
        data=read.anything("data"),
        keep=_keep(read.inner("keep")),
        precision=read.one_of("precision", ("fp32", "bf16"), otherwise="fp32"),
        device=read.one_of("device", ("cpu", "cuda"), otherwise="cpu"),
        determinism=read.one_of("determinism", ("calibrated", "strict"), otherwise="calibrated"),
        threads=read.whole("threads", least=1, otherwise=1),
        attention=read.one_of("attention", ATTENTION, otherwise="sdpa"),
        foreach=read.flag("foreach", otherwise=True),
        fused=read.flag("fused", otherwise=False),
        compile=read.flag("compile", otherwise=False),
        adapter=None if adapter is None else _adapter(adapter),
        teacher=None if teacher is None else _teacher(teacher),
        log_every=read.whole("log_every", least=1, otherwise=10),
        events=read.path("events", otherwise="events.jsonl"),
        checkpoints=read.path("checkpoints", otherwise="checkpoints"),
        final=read.path("final", otherwise="model"),
    )
    read.close()
    return job


def _batch(read: ObjectReader) -> Batch:
    batch = Batch(
        sequences=read.whole("sequences", least=1),
        length=read.whole("length", least=2),
        micro=read.whole("micro", least=1),
    )
    read.close()
    return batch


def _optimizer(read: ObjectReader) -> AdamW:
    read.one_of("kind", ("adamw",))
    clip = read.number("clip", above=0.0) if read.holds("clip") else None
    optimizer = AdamW(
        lr=read.number("lr", above=0.0),
        betas=read.pair("betas", below=1.0, otherwise=(0.9, 0.95)),
        eps=read.number("eps", above=0.0, otherwise=1e-8),
        weight_decay=read.number("weight_decay", otherwise=0.0),
        clip=clip,
    )
    read.close()
    return optimizer


def _adapter(read: ObjectReader) -> Adapter:
    adapter = Adapter(
        rank=read.whole("rank", least=1),
        alpha=read.number("alpha", above=0.0),
        targets=read.texts("targets"),
        seed=read.hexadecimal("seed"),
    )
    read.close()
    return adapter


def _teacher(read: ObjectReader) -> Teacher:
    teacher = Teacher(
        weights=read.path("weights"),
        root=read.text("root"),
        structure=read.made("structure", Structure.from_json),
        share=read.share("share"),
        temperature=read.number("temperature", above=0.0),
    )
    read.close()
    return teacher


def _keep(read: ObjectReader) -> Keep:
    keep = Keep(
        checkpoint_every=read.whole("checkpoint_every", least=1),
        dense_until=read.whole("dense_until", least=0, otherwise=0),
        at=read.wholes("at"),
    )
    read.close()
    return keep


def _trainable(read: ObjectReader) -> str | tuple[str, ...]:
    if read.is_list("trainable"):
        return read.texts("trainable")
    return read.one_of("trainable", ("all", "adapters"), otherwise="all")


def _sense_mistakes(job: Job, file: str) -> list[Mistake]:
    """Find values that are sound one by one and make no sense together."""
    found: list[tuple[str, str, str]] = []
    if job.batch.sequences % job.batch.micro:
        expected = f"a divisor of the {job.batch.sequences} sequences of a step"
        found.append(("batch.micro", str(job.batch.micro), expected))
    if job.batch.length > job.structure.positions:
        expected = f"at most the structure's {job.structure.positions} positions"
        found.append(("batch.length", str(job.batch.length), expected))
    if (job.adapter is not None) != (job.trainable == "adapters"):
        read = f"{job.trainable!r} {'without' if job.adapter is None else 'with'} an adapter"
        found.append(("trainable", read, "'adapters' together with an adapter, or neither"))
    if job.fused and job.foreach:
        found.append(("fused", "true beside foreach", "one of the two: they are two kernels"))
    if job.teacher is not None:
        found += _teacher_sense(job, job.teacher.structure)
    return [
        Mistake(file=file, place=place, read=read, expected=expected)
        for place, read, expected in found
    ]


def _teacher_sense(job: Job, teacher: Structure) -> Iterator[tuple[str, str, str]]:
    if teacher.vocabulary != job.structure.vocabulary:
        expected = f"{job.structure.vocabulary}, as the student has: each id means one token"
        yield "teacher.structure.vocabulary", str(teacher.vocabulary), expected
    if job.batch.length > teacher.positions:
        expected = f"at least the {job.batch.length} of a window"
        yield "teacher.structure.positions", str(teacher.positions), expected
