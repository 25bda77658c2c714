"""modelDNA 0.1.0 (arXiv 2607.10617) as its authors ship it, in an environment of its own.

It is started as a process of an interpreter that has it, and never imported. The interpreter is
named by the environment variable `DOKJA_MODELDNA_PYTHON`; without it the peer is missing. Its
home folder is a temporary one, and it is told not to ask the network for anything.

`compare` runs it on two folders. `score` writes opened weights to folders of float32 first, so
that stored, packed and fetched weights all pass; whoever wants its word on how weights are
stored hands the folders to `compare`.
"""

import json
import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from safetensors.numpy import save_file

from dokja.models.weights import Source

from .sides import Score

NAME = "modelDNA"
HIGHER_IS_RELATED = True
PYTHON = "DOKJA_MODELDNA_PYTHON"
VERSION = "0.1.0"
_SECONDS = 600
_PASSED_ON = ("PATH", "LANG", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "SYSTEMROOT")


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return its probability that the suspect is derived, and its verdict.

    Args:
        suspect: The model in question.
        reference: The candidate ancestor.
        component: Taken as other peers take it; modelDNA looks at whole models alone.
    """
    if component != "language-body":
        return Score(value=None, missing="modelDNA compares whole models only")
    python = os.environ.get(PYTHON)
    if not python:
        return Score(value=None, missing=f"{PYTHON} names no interpreter that has modelDNA")
    with TemporaryDirectory() as home:
        folders = [Path(home) / "suspect", Path(home) / "reference"]
        for folder, source in zip(folders, (suspect, reference), strict=True):
            write_whole(source, folder)
        return compare(*folders, python=Path(python))


def write_whole(source: Source, folder: Path) -> None:
    """Write opened weights as a folder of float32, with configuration and tokens."""
    folder.mkdir()
    save_file({name: source.read(name) for name in source.names}, folder / "model.safetensors")
    if source.config is not None:
        (folder / "config.json").write_text(json.dumps(dict(source.config)), encoding="utf-8")
    rows = source.token_rows()
    if rows is not None:
        tokenizer = {"model": {"type": "BPE", "vocab": dict(rows), "merges": []}}
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")


def compare(suspect: Path, reference: Path, *, python: Path) -> Score:
    """Return what modelDNA says of two folders.

    Args:
        suspect: Folder of the model in question.
        reference: Folder of the candidate ancestor.
        python: An interpreter whose environment has modelDNA.
    """
    words = ["-m", "modeldna.cli", "compare", str(suspect.resolve()), str(reference.resolve())]
    with TemporaryDirectory() as home:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        environment |= {"HOME": home, "HF_HUB_OFFLINE": "1", "MODELDNA_DB": f"{home}/none/db"}
        ran = subprocess.run(
            [str(python), *words, "--json"],
            env=environment,
            cwd=home,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if ran.returncode != 0:
        last = (ran.stderr.strip() or "no word").splitlines()[-1]
        return Score(value=None, missing=f"modelDNA ended with {ran.returncode}: {last}")
    return read_answer(json.loads(ran.stdout))


def read_answer(answer: dict[str, Any]) -> Score:
    """Return the score in what `modeldna compare --json` printed."""
    if answer["tool_version"] != VERSION:
        return Score(value=None, missing=f"this is modelDNA {answer['tool_version']}")
    verdict = answer["verdict"]
    said, value = str(verdict["verdict"]), verdict["probability"]
    if value is not None:
        return Score(value=float(value), said=said)
    reasons = [str(one["ruled_out"]) for one in verdict["candidates"] if one["ruled_out"]]
    return Score(value=None, missing="; ".join([said, *reasons]), said=said)
