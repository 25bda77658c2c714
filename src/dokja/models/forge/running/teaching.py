"""Where a planned teacher's weights lie: in the base store, or in the run where it began itself.

A model that is pruned and then taught by what it was has its teacher at hand in its own run. The
root decides, never the name.
"""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dokja.errors import RecipeError
from dokja.models.forge.engines.jobs import Job, Teacher
from dokja.models.forge.plans import BaseStore, Plan
from dokja.models.forge.plans.teachers import teacher_structure
from dokja.models.forge.running.places import RunPlaces

__all__ = ["planned_job_teacher", "teacher_folder", "with_teacher"]

NOT_LOOKED_FOR = "teacher"
"""What a job calls the folder of a teacher that nobody has looked for: none lies there."""


def planned_job_teacher(stage: Mapping[str, Any]) -> Teacher | None:
    """Return a planned training's teacher as its job states it, before its weights were found.

    Raises:
        RecipeError: The plan states no structure of it.
    """
    said, structure = stage.get("teacher"), teacher_structure(stage)
    if said is None or structure is None:
        return None
    return Teacher(
        weights=NOT_LOOKED_FOR,
        root=str(said["root"]),
        structure=structure,
        share=float(said["weight"]),
        temperature=float(said["temperature"]),
    )


def teacher_folder(
    stage: Mapping[str, Any], *, plan: Plan, places: RunPlaces, bases: BaseStore
) -> Path | None:
    """Return the folder of a planned training's teacher, its root held; none where it has none.

    Args:
        stage: The training, as planned.
        plan: The plan.
        places: The run's places.
        bases: Where others' weights are looked for.

    Raises:
        RecipeError: It is neither in the store nor in the run, or is another.
        RecordError, WeightsError: What lies there cannot be read.
    """
    said = stage.get("teacher")
    if said is None:
        return None
    name, stated = str(said["base"]), str(said["root"])
    try:
        return bases.open(name, stated_root=stated, file=plan.name).folder
    except RecipeError:
        own = [one.id for one in plan.components if one.origin.get("root") == stated]
        for component in own:
            start = places.start(component) / "weights"
            if start.is_dir():
                return start
        raise


def with_teacher(job: Job, folder: Path | None, *, base: Path) -> Job:
    """Return a job that says where its teacher lies.

    Args:
        job: The job.
        folder: Where the teacher was found; none for a job without one.
        base: The job file's folder.
    """
    if job.teacher is None or folder is None:
        return job
    weights = Path(os.path.relpath(folder, base)).as_posix()
    return replace(job, teacher=replace(job.teacher, weights=weights))
