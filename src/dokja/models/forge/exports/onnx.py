"""Writes a model as ONNX through a worker that has torch, and takes back what the file computes.

The worker exports, quantises, runs the finished file with onnxruntime on the probe, and writes
the logits; the core reads files and never imports torch. A model beyond what one ONNX file holds
is refused before anything is started.
"""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import EngineError, ExtraMissingError, Mistake, TransformError
from dokja.models.forge.exports.parents import Parent
from dokja.models.forge.exports.probing import Windows
from dokja.values import Json, parse_json

__all__ = ["METHODS", "OPSET", "OnnxFile", "write_onnx"]

METHODS = ("fp32", "int8")
"""float32, or matrices in int8 with activations quantised as they come (dynamic)."""

OPSET = 18
"""The version of ONNX's operators; onnxruntime reads it since 1.14."""

MODULE = "dokja.models.forge.workers.onnx"
_MOST_BYTES = 1_900_000_000  # a protocol buffer ends at 2 GiB, and the graph needs room too
_SHOWN_LINES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxFile:
    """What a worker made.

    Attributes:
        file: The ONNX file, in the worker's folder.
        made: Versions, opset and seconds.
        folder: Where the logits lie.
        batches: How many batches there were.
    """

    file: Path
    made: Mapping[str, Json]
    folder: Path
    batches: int

    def logits(self) -> Iterator[NDArray[np.float32]]:
        """Yield what the file computes for each batch in turn."""
        for number in range(self.batches):
            yield np.load(_logits(self.folder, number), mmap_mode="r", allow_pickle=False)


def write_onnx(
    parent: Parent,
    folder: Path,
    *,
    method: str,
    windows: Windows,
    python: str,
    environment: Mapping[str, str],
) -> OnnxFile:
    """Write a model as ONNX in a process of its own.

    Args:
        parent: The model.
        folder: An empty folder for the worker; whoever calls removes it.
        method: One of `METHODS`.
        windows: On what the finished file is run.
        python: The interpreter that has torch.
        environment: All of the worker's environment.

    Raises:
        ExtraMissingError: The interpreter lacks torch, onnx or onnxruntime.
        TransformError: The model is too large for one file.
        EngineError: The worker failed; what it said last is in the message.
    """
    _refuse_size(parent)
    job = folder / "job.json"
    for number, batch in enumerate(windows.batches):
        np.save(folder / f"inputs-{number:05d}.npy", batch.inputs, allow_pickle=False)
    said: dict[str, Json] = {
        "schema": "dokja.export-job/1",
        "weights": str(parent.folder.resolve()),
        "structure": parent.structure.to_json(),
        "root": parent.root,
        "method": method,
        "opset": OPSET,
        "batches": len(windows.batches),
    }
    job.write_text(json.dumps(said), encoding="utf-8")
    _run([python, "-m", MODULE, job.name], folder, environment)
    made = _answer(folder)
    return OnnxFile(
        file=folder / "model.onnx", made=made, folder=folder, batches=len(windows.batches)
    )


def _refuse_size(parent: Parent) -> None:
    size = 4 * parent.structure.parameters()
    if size > _MOST_BYTES:
        read = f"{size / 1e9:.1f} GB of float32"
        wrong = Mistake(
            file=str(parent.folder),
            place="parameters",
            read=read,
            expected="at most 1.9 GB, as one ONNX file holds",
            remedy="Export it as gguf.",
        )
        raise TransformError([wrong])


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    log = folder / "worker.log"
    try:
        with log.open("wb") as out:
            ended = subprocess.run(  # noqa: S603  # our own worker
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            )
    except OSError as error:
        raise EngineError(
            f"{command[0]}: the worker could not be started ({error.strerror}). "
            "Nothing was exported."
        ) from error
    if ended.returncode != 0:
        missing = folder / "missing.json"
        if missing.is_file():
            raise _lacks(parse_json(missing.read_bytes()))
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:]
        raise EngineError(
            f"the ONNX worker ended with code {ended.returncode}. Nothing was exported. "
            "It said last:\n" + "\n".join(lines)
        )


def _lacks(said: Any) -> ExtraMissingError:
    module, extra = str(said["module"]), str(said["extra"])
    return ExtraMissingError(
        f"{module} is not installed for the worker. It comes with the extra {extra!r}: "
        f"pip install 'dokja[{extra}]'. Nothing was exported."
    )


def _answer(folder: Path) -> dict[str, Json]:
    """Return what the worker says of its work, once all of it is there."""
    path = folder / "made.json"
    if not path.is_file() or not (folder / "model.onnx").is_file():
        raise EngineError("the ONNX worker ended without a file. Nothing was exported.")
    said = parse_json(path.read_bytes())
    return dict(said) if isinstance(said, dict) else {}


def _logits(folder: Path, number: int) -> Path:
    return folder / f"logits-{number:05d}.npy"
