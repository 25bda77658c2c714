"""Opens models of a zoo: stored ones from their folders, variants by making them again."""

from collections.abc import Mapping
from pathlib import Path

from dokja.errors import Mistake, RecordError
from dokja.models.forge.transforms import SourceTensors, Tensors, write_folder
from dokja.models.forge.zoo.making import Made, make, tensors_root
from dokja.models.forge.zoo.manifest import Zoo, model_folder
from dokja.models.forge.zoo.records import ZooRecord
from dokja.models.weights import open_source

__all__ = ["changed", "find_by_root", "made_of", "open_made", "open_model", "write_model"]


def open_model(zoo: Zoo, name: str) -> Tensors:
    """Return the tensors of a model, made when they are read.

    Args:
        zoo: What `read_zoo` returned.
        name: Of the model.

    Raises:
        RecordError: There is no such model, or a parent's weights are not those of the record.
        WeightsError: A folder cannot be read.
    """
    return open_made(zoo, name).tensors


def open_made(zoo: Zoo, name: str) -> Made:
    """Return a model with its structure and configuration; see `open_model`."""
    record = zoo.model(name).record
    return made_of(record, {one: model.record for one, model in zoo.models.items()}, zoo.folder)


def made_of(record: ZooRecord, records: Mapping[str, ZooRecord], folder: Path) -> Made:
    """Return a model by its record.

    Args:
        record: Of the model.
        records: Of all models by name.
        folder: Of the zoo.

    Raises:
        RecordError: A parent is missing, or is another than the record says.
        WeightsError: A folder cannot be read.
    """
    if record.stored:
        source = open_source(model_folder(folder, record.name))
        return Made(
            tensors=SourceTensors(source),
            structure=record.structure,
            config=dict(source.config or {}),
            steps=tuple(record.steps),
        )
    sources = []
    for parent in record.parents:
        found = records.get(parent.name)
        if found is None or found.root != parent.root:
            wrong = Mistake(
                file=record.name,
                place=f"parent {parent.name}",
                read="no such model" if found is None else f"a model of root {found.root}",
                expected=f"one of root {parent.root}",
                remedy="Grow the zoo again: what stands on another parent is made anew.",
            )
            raise RecordError([wrong])
        sources.append(made_of(found, records, folder).model(parent.root))
    return make(record.recipe, sources, family=record.family)


def write_model(zoo: Zoo, name: str, into: Path) -> tuple[Path, ...]:
    """Write a model as a folder of safetensors, after its root was found to be the manifest's.

    Args:
        zoo: What `read_zoo` returned.
        name: Of the model.
        into: A folder that does not exist yet, in one that does.

    Raises:
        RecordError: There is no such model, or what was made is not what was labelled.
        TransformError: The folder cannot be written.
    """
    made = open_made(zoo, name)
    _refuse_other(zoo, name, tensors_root(made.tensors))
    files: dict[str, bytes] = {}
    if (zoo.folder / "tokenizer.json").is_file():
        files["tokenizer.json"] = (zoo.folder / "tokenizer.json").read_bytes()
    return write_folder(made.tensors, into, config=made.config, files=files)


def _refuse_other(zoo: Zoo, name: str, root: str) -> None:
    expected = zoo.model(name).record.root
    if root != expected:
        wrong = Mistake(
            file=str(zoo.folder),
            place=f"model {name}",
            read=f"weights of root {root}",
            expected=expected,
            remedy="Its folder, or a parent's, was changed, or this machine rounds otherwise than "
            "the one that grew the zoo: remove the folder and grow it again.",
        )
        raise RecordError([wrong])


def changed(zoo: Zoo) -> tuple[str, ...]:
    """Return the names of models whose weights are not those that were labelled, sorted."""
    return tuple(
        sorted(
            name
            for name, model in zoo.models.items()
            if tensors_root(open_model(zoo, name)) != model.record.root
        )
    )


def find_by_root(zoo: Zoo, root: str) -> tuple[str, ...]:
    """Return the names of the models that have a tensor root, sorted."""
    return tuple(sorted(name for name, one in zoo.models.items() if one.record.root == root))
