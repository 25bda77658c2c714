"""First weights: drawn from the seed, or the base's own, as a folder that engines start from."""

from functools import partial
from typing import Any

from numpy.typing import NDArray

from dokja.models.forge.initialisation import initial_tensor
from dokja.models.forge.plans import BaseStore, PlannedComponent
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Derived, SourceTensors, write_folder
from dokja.models.forge.transforms.tensors import FLOAT32, Plan
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests

__all__ = ["drawn_tensors", "start_structure", "start_weights"]


def start_structure(component: PlannedComponent) -> Structure:
    """Return what a component is before its first stage.

    Raises:
        ValueError: The forge knows no structure of it.
    """
    for stage in component.stages:
        said = stage.get("structure")
        if stage["kind"] == "train" and isinstance(said, dict):
            return Structure.from_json(said)
        break  # a transform states what comes after it
    if component.structure is None:
        message = f"{component.id} has no structure"
        raise ValueError(message)
    return component.structure


def start_weights(
    component: PlannedComponent, places: RunPlaces, *, seed: bytes, bases: BaseStore, file: str
) -> str:
    """Write a component's first weights unless they are there; return their tensor root.

    Args:
        component: As planned.
        places: The run's places.
        seed: The run's seed, for weights from scratch.
        bases: Where a base is looked for.
        file: What mistakes call the plan.

    Raises:
        RecipeError: The base is not there any more, or is another.
    """
    folder = places.start(component.id) / "weights"
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        base = component.origin.get("base")
        if isinstance(base, str):
            stated = component.origin.get("root")
            found = bases.open(base, stated_root=str(stated) if stated else None, file=file)
            config = dict(found.source.config or {})
            write_folder(SourceTensors(found.source), folder, config=config)
        else:
            structure = start_structure(component)
            write_folder(drawn_tensors(structure, seed), folder, config=structure.config())
    return root_text(root(source_digests(open_source(folder))))


def drawn_tensors(structure: Structure, seed: bytes) -> Derived:
    """Return the first weights of a structure, each drawn when it is read."""

    def drawn(name: str) -> NDArray[Any]:
        return initial_tensor(structure, name, seed)

    return Derived(
        {
            name: Plan(shape=shape, dtype=FLOAT32, make=partial(drawn, name))
            for name, shape in structure.shapes().items()
        }
    )
