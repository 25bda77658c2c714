"""`dokja forge run`: build a model by a plan, with a chain that says what was done."""

import os
import platform
import secrets
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from dokja.cli.forge_keys import builder_key, local_witness
from dokja.cli.printing import as_json, emit, now, say
from dokja.models.forge.engines.contract import INTERRUPTED
from dokja.models.forge.plans import BaseStore, Plan, read_plan
from dokja.models.forge.records import NONCE_BYTES, Code
from dokja.models.forge.running import Builder, run_plan
from dokja.values import Digest

__all__ = ["run"]

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
@click.option("--name", default="builder.local", show_default=True, help="Name of a new key.")
@as_json
def run(
    plan: Path,
    *,
    output: Path,
    resume: bool,
    bases: tuple[Path, ...],
    key: Path | None,
    name: str,
    as_json: bool,
) -> int:
    """Run PLAN: commit, draw the seed, train, record, seal.

    Without --key a key is made beside the run's folder. Every entry of the chain is shown to a
    witness on this machine, which proves order and nothing else; a programme's ledger is a
    better one. A run that was stopped, or killed, goes on with --resume.

    \b
    Example:
      dokja forge run build/plan-t4 -o build/run-t4
    """
    read = read_plan(plan)
    signer = builder_key(key, beside=output, name=name)
    builder = Builder(
        signer=signer,
        clock=now,
        witness=local_witness(output, clock=now),
        nonce=secrets.token_bytes(NONCE_BYTES),
        bases=BaseStore(bases),
        code=_code(),
        facts=_facts(),
        environment=_environment(),
        python=sys.executable,
    )
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("preparing", total=_steps(read))

        def progress(stage: str, step: int, loss: float) -> None:
            bar.update(task, completed=step, description=f"{stage}: step {step}, loss {loss:.3f}")

        result = run_plan(plan, output, builder=replace(builder, progress=progress), resume=resume)
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
    else:
        say(f"stopped; go on with: dokja forge run {plan} -o {output} --resume")
    return 0 if result.sealed else INTERRUPTED


def _steps(plan: Plan) -> int:
    stages = [stage for one in plan.components for stage in one.stages]
    counts = [stage["steps"] for stage in stages if stage["kind"] == "train"]
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
