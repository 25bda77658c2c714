"""Replays: a run of a few steps from an archived state, by any engine that resumes.

A replay is a run of its own folder that finds one checkpoint there and goes on from it. What it
ends with is compared with what the builder claims; the comparison is not made here.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.engines.checkpoints import open_checkpoint
from dokja.models.forge.engines.job_files import read_job, write_job
from dokja.models.forge.engines.jobs import Keep

__all__ = ["prepare_replay"]


def prepare_replay(
    job: Path,
    *,
    checkpoint: Path,
    steps: int,
    into: Path,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Make the folder of a replay; return its job file, to be given to an engine's `command`.

    Args:
        job: The job file of the run that is replayed.
        checkpoint: The archived state to go on from.
        steps: How many steps; the last state is kept, and no other.
        into: The replay's folder; it must not be there yet.
        settings: Fields of the job that are to be otherwise, such as `threads` or `attention`;
            none for a replay like the run.

    Raises:
        RecipeError: The job cannot be read, or the state does not belong to it.
        RecordError: The state is damaged.
    """
    original = read_job(job)
    state = open_checkpoint(checkpoint).state
    last = state.step + steps
    if not original.first_step <= state.step < last <= original.last_step:
        wrong = Mistake(
            file=checkpoint.name,
            place="step",
            read=f"{steps} steps from {state.step}",
            expected=f"steps inside the run's {original.first_step} to {original.last_step}",
        )
        raise RecipeError([wrong])
    into.mkdir(parents=True)
    moved = replace(
        original.seen_from(into, base=job.parent),
        events="events.jsonl",
        checkpoints="checkpoints",
        final="model",
        keep=Keep(checkpoint_every=last),
        **(settings or {}),
    ).until(last)
    target = into / moved.checkpoints / checkpoint.name
    target.parent.mkdir(parents=True)
    shutil.copytree(checkpoint, target)
    write_job(moved, into / job.name)
    return into / job.name
