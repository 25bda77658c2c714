"""`dokja forge run` and `attach`: build a model by a plan, here or elsewhere, and record it."""

import os
import platform
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dokja.cli.forge_keys import builder_key, local_witness
from dokja.cli.forge_ledger import LedgerWitness
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.evidence.ledger import SigningKey
from dokja.models.forge.engines.contract import INTERRUPTED
from dokja.models.forge.plans import BaseStore, Plan, read_plan
from dokja.models.forge.records import NONCE_BYTES, Code, Witness
from dokja.models.forge.running import Builder, Cluster, read_left, run_plan
from dokja.models.forge.running.places import RunPlaces
from dokja.values import Digest

__all__ = ["attach", "builder_of", "drive", "run", "witnessed"]

_PACKAGES = ("dokja", "numpy", "torch", "transformers", "accelerate", "peft", "ai2-olmo-core")
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@click.command
@click.argument("plan", metavar="PLAN", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The run.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted run.")
@click.option(
    "--bases", multiple=True, type=click.Path(path_type=Path), help="Where others' weights lie."
)
@click.option("--key", type=click.Path(path_type=Path), help="The builder's secret key.")
@click.option("--ledger", type=click.Path(path_type=Path), help="Programme folder that witnesses.")
@click.option("--actor", default="builder", show_default=True, help="With --ledger: who enters.")
@click.option("--name", default="builder.local", show_default=True, help="Name of a new key.")
@click.option("--launch", is_flag=True, help="Write launch files instead of training here.")
@click.option("--partition", help="With --launch: partition of the scheduler.")
@click.option("--account", help="With --launch: who pays.")
@click.option("--cluster-python", default="python3", show_default=True, help="Interpreter there.")
@as_json
def run(
    plan: Path,
    *,
    output: Path,
    resume: bool,
    bases: tuple[Path, ...],
    key: Path | None,
    ledger: Path | None,
    actor: str,
    name: str,
    launch: bool,
    partition: str | None,
    account: str | None,
    cluster_python: str,
    as_json: bool,
) -> int:
    """Run PLAN: commit, draw the seed, train, record, seal.

    Without --key a key is made beside the run's folder. Every entry of the chain is shown to a
    witness: with --ledger to a programme's ledger, else to one on this machine, which proves
    order to nobody but whoever trusts it.

    A run that was stopped, or killed, goes on with --resume. With --launch nothing trains here:
    the run is committed, launch files are written (python, torchrun, Slurm, Ray, or the settings
    of torchtitan and Megatron), and `dokja forge attach` records what they do.

    \b
    Example:
      dokja forge run build/plan-t4 -o build/run-t4
    """
    read = read_plan(plan)
    cluster = Cluster(python=cluster_python, partition=partition, account=account)
    with witnessed(output, key=key, name=name, ledger=ledger, actor=actor) as (signer, witness):
        builder = builder_of(
            signer, witness=witness, bases=bases, cluster=cluster if launch else None
        )
        return drive(read, plan, output, builder=builder, resume=resume, as_json=as_json)


@click.command
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--plan", "plan", type=click.Path(path_type=Path), help="The plan, for a new run.")
@click.option("--log", type=click.Path(path_type=Path), help="A training log made elsewhere.")
@click.option(
    "--checkpoint", multiple=True, metavar="STEP=FOLDER", help="Weights after so many steps."
)
@click.option("--follow", is_flag=True, help="Look again until the training has ended.")
@click.option("--every", default=10.0, show_default=True, help="Seconds between looks.")
@click.option(
    "--bases", multiple=True, type=click.Path(path_type=Path), help="Where others' weights lie."
)
@click.option("--key", type=click.Path(path_type=Path), help="The builder's secret key.")
@click.option("--ledger", type=click.Path(path_type=Path), help="Programme folder that witnesses.")
@click.option("--actor", default="builder", show_default=True, help="With --ledger: who enters.")
@click.option("--name", default="builder.local", show_default=True, help="Name of a new key.")
@as_json
def attach(
    folder: Path,
    *,
    plan: Path | None,
    log: Path | None,
    checkpoint: tuple[str, ...],
    follow: bool,
    every: float,
    bases: tuple[Path, ...],
    key: Path | None,
    ledger: Path | None,
    actor: str,
    name: str,
    as_json: bool,
) -> int:
    """Record a training that runs, or ran, elsewhere.

    After `dokja forge run --launch`: reads what the engine has left in RUN so far, and seals the
    run when it is done; with --follow it looks until then. For a run made without Dokja: give
    its plan, its log (Trainer state, TensorBoard, W&B, JSONL, torchtitan or Megatron output)
    and its checkpoints; all of it counts as late, and what is missing stays missing.

    \b
    Examples:
      dokja forge attach build/run-t4 --follow
      dokja forge attach build/run-old --plan build/plan-t4 --log trainer_state.json \\
          --checkpoint 0=init --checkpoint 300=final
    """
    plan_folder = plan or RunPlaces(folder).plan_folder
    read = read_plan(plan_folder)
    handed = log is not None or bool(checkpoint)
    left = read_left(log=log, checkpoints=_checkpoints(checkpoint)) if handed else None
    resume = (folder / "plan.json").exists()
    with witnessed(folder, key=key, name=name, ledger=ledger, actor=actor) as (signer, witness):
        cluster = None if handed else Cluster()
        built = builder_of(signer, witness=witness, bases=bases, cluster=cluster)
        builder = replace(built, left=left)
        while True:
            code = drive(
                read,
                plan_folder,
                folder,
                builder=builder,
                resume=resume,
                as_json=as_json,
                quiet=follow,
            )
            if code == 0 or not follow:
                return code
            resume = True
            time.sleep(every)


def _checkpoints(given: tuple[str, ...]) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for one in given:
        step, sign, folder = one.partition("=")
        if not sign or not step.isdigit():
            message = f"--checkpoint wants STEP=FOLDER; read {one!r}"
            raise click.UsageError(message)
        found[int(step)] = Path(folder)
    return found


@contextmanager
def witnessed(
    output: Path, *, key: Path | None, name: str, ledger: Path | None, actor: str
) -> Iterator[tuple[SigningKey, Witness]]:
    """Yield the builder's key and the witness: a programme's ledger, or one on this machine."""
    signer = builder_key(key, beside=output, name=name)
    if ledger is None:
        yield signer, local_witness(output, clock=now)
        return
    with unbroken(ledger) as programme:
        vkey = str(signer.verifier)
        yield signer, LedgerWitness(programme, builder=vkey, actor=actor, clock=now)


def builder_of(
    signer: SigningKey,
    *,
    witness: Witness,
    bases: tuple[Path, ...],
    cluster: Cluster | None,
) -> Builder:
    """Return the builder that this machine and these options make."""
    return Builder(
        signer=signer,
        clock=now,
        witness=witness,
        nonce=secrets.token_bytes(NONCE_BYTES),
        bases=BaseStore(bases),
        code=_code(),
        facts=_facts(),
        environment=_environment(),
        python=sys.executable,
        cluster=cluster,
    )


def drive(
    read: Plan,
    plan: Path,
    output: Path,
    *,
    builder: Builder,
    resume: bool,
    as_json: bool,
    quiet: bool = False,
) -> int:
    """Run a plan as far as it goes, tell how far that was, and return the exit code."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("preparing", total=_steps(read))

        def progress(stage: str, step: int, loss: float) -> None:
            bar.update(task, completed=step, description=f"{stage}: step {step}, loss {loss:.3f}")

        result = run_plan(plan, output, builder=replace(builder, progress=progress), resume=resume)
    if quiet and not result.sealed:
        return INTERRUPTED
    if as_json:
        emit(
            {
                "schema": "dokja.forge.run/1",
                "plan": str(read.digest),
                "run": str(output),
                "sealed": result.sealed,
                "roots": dict(result.roots),
            }
        )
    elif result.sealed:
        for component, root in result.roots.items():
            say(f"{component}: {root}")
        say(f"record {output / 'record.json'}, model {output / 'model'}")
        say(f"next: dokja forge verify {output} --level V2")
    elif builder.left is not None:
        say(f"{output}: taken in; open until its last weights come by --checkpoint STEP=FOLDER")
    elif builder.cluster is not None:
        say(f"committed; launch files and jobs lie in {output}")
        say(f"then record what they do: dokja forge attach {output} --follow")
    else:
        say(f"stopped; go on with: dokja forge run {plan} -o {output} --resume")
    waits = builder.cluster is not None or builder.left is not None
    return 0 if result.sealed or (waits and not quiet) else INTERRUPTED


def _steps(plan: Plan) -> int:
    stages = [stage for one in plan.components for stage in one.stages]
    options = [stage.get("options") for stage in stages]
    said = [*stages, *(one for one in options if isinstance(one, Mapping))]
    counts = [one.get("steps") for one in said]
    return max((count for count in counts if isinstance(count, int)), default=1)


def _environment() -> dict[str, str]:
    """Return what workers get: all of ours, but one thread unless somebody chose, and no hub."""
    chosen = dict.fromkeys(_THREADS, "1")
    return {**chosen, **os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}


def _facts() -> dict[str, Any]:
    """Return what runs here: versions, processor, threads."""
    found: dict[str, Any] = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "machine": platform.machine(),
        "processors": os.cpu_count() or 0,
        "threads": _environment()["OMP_NUM_THREADS"],
        "packages": found,
    }


def _code() -> Code:
    """Return the commit of the folder that is worked in, or the installed version."""
    try:
        head = _git("rev-parse", "HEAD")
        difference = _git("diff", "HEAD")
    except (OSError, subprocess.CalledProcessError):
        return Code(commit=f"dokja {version('dokja')}")
    return Code(
        commit=head.decode().strip(), difference=Digest.of(difference) if difference else None
    )


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], check=True, capture_output=True).stdout  # noqa: S603, S607  # git by its name, fixed words
