"""What came out of a run: one folder with weights, configuration and tokenizer, and its digests."""

import hashlib
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from dokja.models.forge.plans import Plan, PlannedComponent
from dokja.models.forge.running.places import RunPlaces
from dokja.models.weights import open_source
from dokja.models.weights.roots import root, root_text, source_digests
from dokja.values import Digest, canonical_bytes

__all__ = ["file_digest", "finish_model"]

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


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
        plan_folder: Where its tokenizer lies.
        places: The run's places.
        last: Returns where a component's last weights lie.
    """
    roots: dict[str, str] = {}
    files: dict[str, Digest] = {}
    bodies = [one for one in plan.components if one.structure is not None]
    for component in bodies:
        folder = last(component)
        target = places.model if len(bodies) == 1 else places.model / component.id
        _copy(folder, target)
        if plan.tokenizer is not None and component.descent.role == "language-body":
            for name in _TOKENIZER_FILES:
                source = plan_folder / str(plan.tokenizer["folder"]) / name
                if source.is_file():
                    shutil.copyfile(source, target / name)
        roots[component.id] = root_text(root(source_digests(open_source(target))))
        files[component.id] = file_digest(target)
    return roots, files


def file_digest(folder: Path) -> Digest:
    """Return the digest of a folder's file manifest: every file's name and SHA-256."""
    listed = sorted(one for one in folder.rglob("*") if one.is_file())
    return Digest.of(
        canonical_bytes({one.relative_to(folder).as_posix(): str(_of_file(one)) for one in listed})
    )


def _of_file(path: Path) -> Digest:
    running = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            running.update(piece)
    return Digest(running.hexdigest())


def _copy(source: Path, target: Path) -> None:
    """Copy a folder whole or not at all, in the place of an unfinished one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".{target.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished, ignore=shutil.ignore_patterns("transform.json"))
    shutil.rmtree(target, ignore_errors=True)
    unfinished.rename(target)
