"""What came out of a run: one folder with weights, configuration and tokenizer, and its digests."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from dokja.models.forge.manifests import file_manifest
from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.running.joint import component_root, joint_folder
from dokja.models.forge.running.places import RunPlaces
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest

__all__ = ["finish_model", "result_folder"]

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def result_folder(plan: Plan, places: RunPlaces, component: PlannedComponent) -> Path:
    """Return where what came out of a component lies."""
    if plan.engine["name"] == "command" and component.descent.role != "retrieval":
        return places.model
    if component.structure is None:
        return places.folder / "parts" / component.id
    bodies = [one for one in plan.components if one.structure is not None]
    return places.model if len(bodies) == 1 else places.model / component.id


def finish_model(
    plan: Plan,
    plan_folder: Path,
    places: RunPlaces,
    *,
    last: Callable[[PlannedComponent], Path],
) -> tuple[Mapping[str, str], Mapping[str, Digest]]:
    """Put the result together; return tensor roots and file digests by component.

    Args:
        plan: The plan.
        plan_folder: Where its tokenizer and other parts lie.
        places: The run's places.
        last: Returns where a component's last weights lie.
    """
    if plan.engine["name"] == "command":
        return _finish_joint(plan, places)
    roots: dict[str, str] = {}
    files: dict[str, Digest] = {}
    for component in plan.components:
        target = result_folder(plan, places, component)
        if component.structure is None:
            source = plan_folder / "parts" / component.id
            if component.descent.role == "tokenizer" and plan.tokenizer is not None:
                source = plan_folder / str(plan.tokenizer["folder"])
            _copy(source, target)
        else:
            _copy(last(component), target)
            _add_tokenizer(plan, plan_folder, component, target)
            roots[component.id] = root_text(root(source_digests(open_source(target))))
        files[component.id] = file_manifest(target).digest
    return roots, files


def _finish_joint(plan: Plan, places: RunPlaces) -> tuple[Mapping[str, str], Mapping[str, Digest]]:
    """Take over what a program of the builder's own left: one folder for all components."""
    _copy(joint_folder(places) / "model", places.model)
    files = file_manifest(places.model).digest
    roots = {
        one.id: component_root(places.model, one)
        for one in plan.components
        if one.descent.role not in {"tokenizer", "retrieval"}
    }
    return roots, {one.id: files for one in plan.components}


def _add_tokenizer(
    plan: Plan, plan_folder: Path, component: PlannedComponent, target: Path
) -> None:
    """Lay the tokenizer beside a body, so that the folder answers by itself."""
    if plan.tokenizer is None or component.descent.role != "language-body":
        return
    for name in _TOKENIZER_FILES:
        source = plan_folder / str(plan.tokenizer["folder"]) / name
        if source.is_file():
            shutil.copyfile(source, target / name)


def _copy(source: Path, target: Path) -> None:
    """Copy a folder whole or not at all, in the place of an unfinished one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns("transform.json"))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
