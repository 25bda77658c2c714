"""Exports a model whole or not at all: write, measure, state, and say so in the run's chain.

The file is made in an unfinished sibling. It gets its name only if what it computes is close
enough to its parent, and after the statement beside it: a file that is there has been measured,
and whoever is killed between the two leaves a statement of a file that is not there.
"""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, RecordError, TransformError
from dokja.models.forge.engines.ref import logits
from dokja.models.forge.engines.ref.network import FAMILIES as COMPUTED
from dokja.models.forge.exports import gguf, onnx
from dokja.models.forge.exports.parents import Parent
from dokja.models.forge.exports.probing import ProbeTexts, Windows
from dokja.models.forge.exports.quality import LIMITS, QualityDelta, compare
from dokja.models.forge.exports.statements import ExportStatement, file_digest, statement_path
from dokja.models.forge.records import ChainWriter, Export, Witness
from dokja.models.forge.running.places import write_whole
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import probe as pinned
from dokja.values import Json
from dokja.values.keys import SigningKey

__all__ = ["FORMATS", "Exported", "Exporter", "export"]

FORMATS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"gguf": tuple(gguf.METHODS), "onnx": onnx.METHODS}
)
"""Every format and its methods, the first being the default."""

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Who exports, and with what.

    Attributes:
        clock: The exporter's clock.
        python: The interpreter that has torch, for ONNX.
        environment: All of a worker's environment.
        signer: The builder's key; none leaves the statement unsigned, and the chain as it is.
        witness: Who is shown an entry of the chain.
    """

    clock: Callable[[], datetime]
    python: str = "python3"
    environment: Mapping[str, str]
    signer: SigningKey | None = None
    witness: Witness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What became of an export.

    Attributes:
        file: Where it lies, or would.
        kept: Whether it is there.
        bytes: How long it is.
        quality: How it differs from its parent.
        statement: What is written beside it.
        entry: Number of the entry in the run's chain; none where nothing was appended.
    """

    file: Path
    kept: bool
    bytes: int
    quality: QualityDelta
    statement: ExportStatement
    entry: int | None = None


def export(
    parent: Parent,
    file: Path,
    *,
    form: str,
    method: str | None = None,
    probe: ProbeTexts,
    by: Exporter,
    keep: bool = False,
) -> Exported:
    """Export a model.

    Args:
        parent: The model.
        file: A new file in a folder that is there.
        form: A key of `FORMATS`.
        method: One of the format's; its first by default.
        probe: On what the export is measured.
        by: Who exports.
        keep: Keep an export that differs by more than the limit, and say that it does.

    Raises:
        ExtraMissingError: What the format needs is not installed.
        TransformError: The format or method is unknown, the format has no such structure, the
            file is there already, or the parent cannot be measured. Every mistake is in it.
        EngineError: A worker failed.
        RecordError: The run's chain cannot be appended to. The export is there then, with its
            statement, unless the chain was being written by somebody else from the beginning.
    """
    chosen = _checked(parent, file, form=form, method=method)
    task = _Task(parent=parent, file=file, form=form, method=chosen, probe=probe, by=by)
    with _chain(parent, by) as chain, _workplace(file) as place:
        made, quality, notes = _measured(task, place)
        statement = _statement(task, made, quality=quality, notes=notes)
        size = made.stat().st_size
        kept = quality.accepted or keep
        if kept:
            _settle(made)
            write_whole(statement_path(file), statement.written())
            made.replace(file)
            _settle(file.parent)
        said = None if chain is None or not kept else chain.append(_entry(task, statement))
    return Exported(
        file=file,
        kept=kept,
        bytes=size,
        quality=quality,
        statement=statement,
        entry=None if said is None else said.entry.n,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What was asked for, once it was checked."""

    parent: Parent
    file: Path
    form: str
    method: str
    probe: ProbeTexts
    by: Exporter


def _checked(parent: Parent, file: Path, *, form: str, method: str | None) -> str:
    mistakes = []
    methods = FORMATS.get(form, ())
    if not methods:
        mistakes.append(_wrong("format", form, f"one of {', '.join(FORMATS)}"))
    elif method is not None and method not in methods:
        mistakes.append(_wrong("quant", method, f"one of {', '.join(methods)} for {form}"))
    if parent.structure.family not in COMPUTED:
        expected = f"one of {', '.join(sorted(COMPUTED))}: the reference engine must compute both"
        mistakes.append(_wrong("family", parent.structure.family, expected))
    if file.exists():  # a statement alone was left by somebody who was killed, and is replaced
        expected = "a name that is free"
        mistakes.append(_wrong(str(file), "something that is there already", expected))
    if not file.parent.is_dir():
        mistakes.append(_wrong(str(file.parent), "nothing", "a folder for the export"))
    if mistakes:
        raise TransformError(mistakes)
    return methods[0] if method is None else method


def _measured(task: _Task, place: Path) -> tuple[Path, QualityDelta, dict[str, Json]]:
    """Return the file, how it differs from its parent, and what is said of how it was made."""
    parent = task.parent
    windows = Windows.of(task.probe, parent.tokenizer, positions=parent.structure.positions)
    made, theirs, notes = _written(task, place, windows=windows)
    quality = compare(
        windows,
        parent=_computed(_weights(parent), parent.structure, windows),
        export=theirs,
        probe=task.probe.digest,
        limit=LIMITS[task.form, task.method],
    )
    return made, quality, notes


def _written(
    task: _Task, place: Path, *, windows: Windows
) -> tuple[Path, Iterator[Logits], dict[str, Json]]:
    """Return the file, its logits, and what is said of how it was made."""
    parent, by = task.parent, task.by
    if task.form == "onnx":
        done = onnx.write_onnx(
            parent,
            place,
            method=task.method,
            windows=windows,
            python=by.python,
            environment=by.environment,
        )
        return done.file, done.logits(), dict(done.made)
    file = place / "model.gguf"
    texts = (*pinned().texts, *(text for _, text in task.probe.texts))
    notes = gguf.write_gguf(parent, file, method=task.method, texts=texts)
    read = gguf.read_gguf(file, parent.structure)
    said: dict[str, Json] = {
        "tokenizer.ggml.pre": str(read.facts["tokenizer.ggml.pre"]),
        "notes": list(notes),
        "root_as_f16": gguf.cast_root(read.weights, tuple(read.weights)),
    }
    return file, _computed(read.weights, parent.structure, windows), said


def _statement(
    task: _Task, made: Path, *, quality: QualityDelta, notes: Mapping[str, Json]
) -> ExportStatement:
    statement = ExportStatement(
        component=task.parent.component,
        format=task.form,
        method=task.method,
        parent=task.parent.root,
        file=task.file.name,
        digest=file_digest(made),
        at=task.by.clock().isoformat(),
        quality=quality.to_json(),
        made=notes,
    )
    return statement if task.by.signer is None else statement.signed(task.by.signer)


def _weights(parent: Parent) -> dict[str, Logits]:
    return {name: parent.source.read(name) for name in parent.source.names}


def _computed(
    weights: Mapping[str, Logits], structure: Structure, windows: Windows
) -> Iterator[Logits]:
    for batch in windows.batches:
        yield logits(weights, structure, batch.inputs)


def _entry(task: _Task, statement: ExportStatement) -> Export:
    run = task.file.parent if task.parent.run is None else task.parent.run
    return Export(
        component=statement.component,
        format=statement.format,
        method=statement.method,
        parent=statement.parent,
        file=os.path.relpath(task.file, run),
        digest=statement.digest,
        quality=statement.quality,
    )


@contextmanager
def _chain(parent: Parent, by: Exporter) -> Iterator[ChainWriter | None]:
    """Hold the run's chain, if it can still be appended to and there is a key to sign with."""
    if parent.run is None or parent.sealed or by.signer is None:
        yield None
        return
    with ChainWriter(parent.run, signer=by.signer, clock=by.clock, witness=by.witness) as chain:
        first = chain.chain.links[0].signer if chain.chain.links else ""
        if first != str(by.signer.verifier):
            wrong = _wrong("signer", str(by.signer.verifier), f"{first}, whose chain it is")
            raise RecordError([wrong])
        yield chain


@contextmanager
def _workplace(file: Path) -> Iterator[Path]:
    place = file.with_name(f".{file.name}.unfinished")
    shutil.rmtree(place, ignore_errors=True)  # left by a process that was killed
    place.mkdir()
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _settle(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _wrong(place: str, read: str, expected: str) -> Mistake:
    return Mistake(file="export", place=place, read=read, expected=expected)
