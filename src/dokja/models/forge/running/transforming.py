"""A planned transform, applied to the weights before it, with its record kept beside the result."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dokja.models.forge.plans import BaseStore
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Model, SourceTensors, Transformed, apply, write_folder
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests

__all__ = ["applied", "transform_stage"]


def applied(stage: Mapping[str, Any], before: Path, *, bases: BaseStore, file: str) -> Transformed:
    """Return what a stage makes of the weights in a folder; nothing is computed yet.

    Args:
        stage: As planned: `do` and `parameters`.
        before: A folder of weights.
        bases: Where other parents are looked for.
        file: What mistakes call the plan.

    Raises:
        TransformError: It does not fit these weights.
        RecipeError: Another parent is not there.
    """
    source = open_source(before)
    parameters = stage["parameters"]
    said = parameters.get("with", ())
    models = [_model(source, name=root_text(root(source_digests(source))))]
    for other in said if isinstance(said, list | tuple) else (said,):
        found = bases.open(str(other["base"]), stated_root=other.get("root"), file=file)
        models.append(
            Model(tensors=SourceTensors(found.source), structure=found.structure, name=found.root)
        )
    return apply({"do": stage["do"], **parameters}, models)


def _model(source: Any, *, name: str) -> Model:
    structure = Structure.from_config(source.config or {})
    return Model(tensors=SourceTensors(source), structure=structure, name=name)


def transform_stage(
    stage: Mapping[str, Any], before: Path, result: Path, *, bases: BaseStore, file: str
) -> str:
    """Apply a stage and write the result, whole or not at all; return its tensor root.

    Args:
        stage: As planned.
        before: The weights before it.
        result: Where the result goes; made anew if it is there.
        bases: Where other parents are looked for.
        file: What mistakes call the plan.

    Raises:
        TransformError: It does not fit these weights.
    """
    done = applied(stage, before, bases=bases, file=file)
    result.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(result, ignore_errors=True)
    note = json.dumps(done.record.to_json(), ensure_ascii=False, indent=1) + "\n"
    write_folder(
        done.tensors, result, config=done.config(), files={"transform.json": note.encode()}
    )
    return root_text(root(source_digests(open_source(result))))
