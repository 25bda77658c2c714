"""`dokja forge export`: a model in another format, with the proof that it is still the model."""

import os
import sys
from pathlib import Path

import click
from rich.console import Console

from dokja.cli.forge_keys import builder_key, local_witness
from dokja.cli.printing import as_json, emit, now, say
from dokja.errors import Mistake, TransformError
from dokja.evidence.ledger import SigningKey
from dokja.models.forge.exports import Exported, Exporter, Parent, export, open_parent
from dokja.models.forge.exports.probing import probe_texts
from dokja.models.forge.exports.statements import statement_path
from dokja.models.forge.records import LocalWitness
from dokja.values import Json

__all__ = ["export_model"]

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MOST_BYTES = 1 << 22
_FAILED = 3


@click.command(name="export")
@click.argument("what", metavar="RUN|MODEL-FOLDER", type=click.Path(path_type=Path))
@click.argument("form", metavar="gguf|onnx")
@click.option("--quant", help="gguf: f16, q8_0, q4_0; onnx: fp32, int8. The first by default.")
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="A new file.")
@click.option("--probe", type=click.Path(path_type=Path), help="A text to measure on as well.")
@click.option("--component", help="Which of a run's bodies, where it has several.")
@click.option("--key", type=click.Path(path_type=Path), help="The builder's secret key.")
@click.option("--keep", is_flag=True, help="Keep the file even if it differs by too much.")
@as_json
def export_model(
    what: Path,
    *,
    form: str,
    quant: str | None,
    output: Path,
    probe: Path | None,
    component: str | None,
    key: Path | None,
    keep: bool,
    as_json: bool,
) -> int:
    """Export the model of a run, or in a folder, and measure the file against it.

    Bits per byte, the likeliest token and logits are compared on a pinned text of Korean,
    English and code, and on --probe: bring a text like those the model was trained on. A file
    that differs by more than its method may is not kept, and the exit code is 3. FILE.export.json
    beside the file says whose it is and how good; a run that is not sealed says so in its chain
    as well.

    \b
    Example:
      dokja forge export build/run-t4 gguf --quant q8_0 -o build/model.gguf
    """
    text = None if probe is None else _text(probe)
    with Console(stderr=True).status("reading and exporting"):
        parent = open_parent(what, component=component)
        signer = _signer(key, parent)
        by = Exporter(
            clock=now,
            python=sys.executable,
            environment=_environment(),
            signer=signer,
            witness=_witness(signer, parent),
        )
        done = export(
            parent, output, form=form, method=quant, probe=probe_texts(text), by=by, keep=keep
        )
    if as_json:
        emit(_said(done))
    else:
        _tell(done, parent)
    return 0 if done.quality.accepted else _FAILED


def _text(path: Path) -> str:
    """Return the user's text.

    Raises:
        TransformError: It cannot be read, is no UTF-8, or larger than it need be.
    """
    try:
        size = path.stat().st_size
        read = f"{size} bytes" if size > _MOST_BYTES else ""
        if not read:
            return path.read_text(encoding="utf-8")
    except OSError as error:
        read = f"nothing: {error.strerror}"
    except UnicodeDecodeError as error:
        read = f"a byte that is not UTF-8 at {error.start}"
    expected = f"a text in UTF-8 of at most {_MOST_BYTES} bytes"
    raise TransformError([Mistake(file=str(path), place="", read=read, expected=expected)])


def _signer(key: Path | None, parent: Parent) -> SigningKey | None:
    """Return the key that was given, or the one that lies beside the run; else none."""
    if parent.run is None:
        return None if key is None else builder_key(key, beside=parent.folder, name="")
    beside = parent.run.with_name(f"{parent.run.name}.key")
    if key is None and not beside.exists():
        return None
    return builder_key(key, beside=parent.run, name="")


def _witness(signer: SigningKey | None, parent: Parent) -> LocalWitness | None:
    """Return the witness of a run that can still say something."""
    if signer is None or parent.run is None or parent.sealed:
        return None
    return local_witness(parent.run, clock=now)


def _said(done: Exported) -> dict[str, Json]:
    return {
        "schema": "dokja.forge.export/1",
        "outcome": "holds" if done.quality.accepted else "fails",
        "file": str(done.file) if done.kept else None,
        "bytes": done.bytes,
        "entry": done.entry,
        "statement": done.statement.to_json(),
    }


def _environment() -> dict[str, str]:
    """Return what the worker gets: all of ours, but one thread unless somebody chose."""
    chosen = dict.fromkeys(_THREADS, "1")
    return {**chosen, **os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def _tell(done: Exported, parent: Parent) -> None:
    quality, statement = done.quality, done.statement
    verdict = "within" if quality.accepted else "beyond"
    say(f"{statement.format} {statement.method} of {statement.parent}: {done.bytes:,} bytes")
    say(
        f"  bits per byte {quality.parent:.4f} → {quality.export:.4f}, "
        f"{verdict} the limit of {quality.limit:g}"
    )
    say(
        f"  likeliest token equal in {quality.top1_agreement:.2%}; largest difference of logits "
        f"{quality.max_logit_difference:.3g}; over {quality.predictions:,} predictions"
    )
    notes = statement.made.get("notes")
    for note in notes if isinstance(notes, list) else []:
        say(f"  note: {note}")
    if not done.kept:
        say("Nothing was kept. Choose a finer --quant, or keep it all the same with --keep.")
        return
    say(f"{done.file}, {statement.digest}")
    signed = f"signed by {statement.signer}" if statement.signer else "unsigned"
    say(f"{statement_path(done.file)}, {signed}")
    if done.entry is not None:
        say(f"entry {done.entry} of the run's chain")
    elif parent.sealed:
        say("The run is sealed: its chain says nothing of this file, only the statement does.")
