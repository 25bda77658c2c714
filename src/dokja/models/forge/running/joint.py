"""A run by a program of the builder's own, which makes all components at once.

The program is handed a job file that holds the plan, the seed and where to work. It appends
`events.jsonl` as every engine does (start, steps, end) and leaves `model/`, a Hugging Face
folder with every component's tensors and the tokenizer. What it does inside is its own affair:
its weights do not start from the forge's seed checkpoint, and checks that need this say so.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from dokja.errors import EngineError
from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.running.places import RunPlaces, write_whole
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Json

__all__ = ["COMMAND_SCHEMA", "JOINT", "component_root", "joint_folder", "write_joint_job"]

COMMAND_SCHEMA = "dokja.command-job/1"

JOINT = "joint"
"""The folder of a joint run, in the place of a component's."""


def joint_folder(places: RunPlaces) -> Path:
    """Return where the program works."""
    return places.stage(JOINT, 0, "train")


def write_joint_job(
    plan: Plan,
    places: RunPlaces,
    *,
    seed: bytes,
    here: Path,
    bases: Mapping[str, Path],
) -> Path:
    """Write the job of a program of the builder's own; return the file.

    Args:
        plan: The plan.
        places: The run's places.
        seed: The run's seed.
        here: The folder from which the recipe's command and paths start.
        bases: Folders of the bases that the recipe names.
    """
    folder = joint_folder(places)
    folder.mkdir(parents=True, exist_ok=True)
    said: dict[str, Json] = {
        "schema": COMMAND_SCHEMA,
        "plan": str(plan.digest),
        "name": plan.name,
        "seed": seed.hex(),
        "fixed_seed": plan.seed.get("fixed"),
        "components": [one.to_json() for one in plan.components],
        "bases": {name: os.path.relpath(path, folder) for name, path in bases.items()},
        "recipe_folder": os.path.relpath(here, folder),
        "events": "events.jsonl",
        "final": "model",
    }
    path = folder / "job.json"
    write_whole(path, (json.dumps(said, ensure_ascii=False, indent=1) + "\n").encode())
    return path


def component_root(folder: Path, component: PlannedComponent) -> str:
    """Return the tensor root of one component of a joint folder, by its tensors' prefixes.

    Raises:
        EngineError: The folder holds none of them.
    """
    source = open_source(folder)
    said = component.facts.get("tensors")
    prefixes = tuple(map(str, said)) if isinstance(said, list) else ("",)
    names = [name for name in source.names if name.startswith(prefixes)]
    if not names:
        raise EngineError(
            f"{folder}: no tensor begins with {', '.join(prefixes)}, as those of "
            f"{component.id} must. Nothing was sealed."
        )
    return root_text(root(source_digests(source, names)))
