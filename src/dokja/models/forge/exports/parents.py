"""What is exported: a finished run's model, or any folder with weights and one of our tokenizers.

A run that was sealed has said which tensors came out of it; a folder that holds others is not
exported as its model.
"""

from dataclasses import dataclass
from pathlib import Path

from dokja.errors import DokjaError, InputError, Mistake, TransformError
from dokja.models.forge.plans import PlannedComponent, read_plan
from dokja.models.forge.records import Chain, read_chain
from dokja.models.forge.records.chain import FILE as CHAIN
from dokja.models.forge.running.finishing import result_folder
from dokja.models.forge.running.places import RunPlaces
from dokja.models.forge.structures import Structure
from dokja.models.forge.tokenizing import Tokenizer, fit_mistakes, read_tokenizer
from dokja.models.forge.tokenizing.folders import FILE as TOKENIZER
from dokja.models.weights import Source, open_source
from dokja.models.weights.roots import root, root_text, source_digests

__all__ = ["Parent", "open_parent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parent:
    """A model that is exported.

    Attributes:
        folder: Where its weights lie.
        component: Its id in the run; `model` for a folder that is no run's.
        source: Its weights, opened and checked.
        structure: What its configuration describes.
        root: Written `dokja-tensors-v1:…`.
        tokenizer: The one that lies beside the weights.
        run: The run's folder; none for a folder that is no run's.
        sealed: Whether the run's chain has ended, so that nothing can be said in it any more.
    """

    folder: Path
    component: str
    source: Source
    structure: Structure
    root: str
    tokenizer: Tokenizer
    run: Path | None = None
    sealed: bool = False


def open_parent(path: Path, *, component: str | None = None) -> Parent:
    """Open what is to be exported.

    Args:
        path: A run's folder, or a folder with weights, configuration and tokenizer.
        component: Which of a run's bodies; needed where there are several.

    Raises:
        TransformError: There is no such folder, the run has no model yet or another than it
            sealed, or the tokenizer is missing or another model's. Every mistake is in it.
        RecordError: The run's chain or the configuration cannot be read.
        RecipeError: The run's plan or the tokenizer cannot be read.
        WeightsError: The weights are damaged.
    """
    if not path.is_dir():
        read = "a file" if path.exists() else "nothing"
        raise _wrong(path, read, "a run's folder, or one with a model's weights")
    if (path / CHAIN).is_file() or (path / "plan.json").is_file():
        return _of_run(path, component)
    if component is not None:
        raise _wrong(path, f"a folder without {CHAIN}", "a run's folder, which has components")
    return _opened(path, "model", run=None, chain=None)


def _of_run(run: Path, wanted: str | None) -> Parent:
    plan, places = read_plan(run), RunPlaces(run)
    bodies = {one.id: one for one in plan.components if one.structure is not None}
    body = _chosen(bodies, wanted, run)
    folder = result_folder(plan, places, body)
    if not folder.is_dir():
        raise _wrong(
            folder,
            "nothing",
            "the model that the run made",
            f"Finish the run first: dokja forge run PLAN -o {run} --resume",
        )
    chain = read_chain(run)
    return _opened(folder, body.id, run=run, chain=chain)


def _chosen(bodies: dict[str, PlannedComponent], wanted: str | None, run: Path) -> PlannedComponent:
    if wanted is None and len(bodies) == 1:
        return next(iter(bodies.values()))
    if wanted in bodies:
        return bodies[wanted]
    read = "no component that has weights" if not bodies else f"the components {', '.join(bodies)}"
    raise _wrong(run, read, f"{wanted or 'one'} among them", "Name it with --component.")


def _opened(folder: Path, component: str, *, run: Path | None, chain: Chain | None) -> Parent:
    if not (folder / "config.json").is_file():
        raise _wrong(folder, "no config.json", "a model's weights with their configuration")
    source = open_source(folder)
    structure = Structure.from_config(source.config or {}, file=str(folder / "config.json"))
    found = root_text(root(source_digests(source)))
    mistakes = [*_tensor_mistakes(source, structure)]
    sealed = None if chain is None else chain.seal
    if sealed is not None and sealed.roots.get(component) != found:
        mistakes.append(
            Mistake(
                file=str(folder),
                place="tensor root",
                read=found,
                expected=f"{sealed.roots.get(component)}, which the run sealed",
                remedy="The weights were changed after the seal; restore them.",
            )
        )
    tokenizer = _tokenizer(folder, structure, mistakes)
    if mistakes or tokenizer is None:
        raise TransformError(mistakes)
    return Parent(
        folder=folder,
        component=component,
        source=source,
        structure=structure,
        root=found,
        tokenizer=tokenizer,
        run=run,
        sealed=sealed is not None,
    )


def _tensor_mistakes(source: Source, structure: Structure) -> list[Mistake]:
    shapes = structure.shapes()
    found = {name: source.info(name).shape for name in source.names}
    return [
        Mistake(
            file=source.name,
            place=f"tensor {name}",
            read="nothing" if name not in found else f"shape {found[name]}",
            expected="no such tensor" if name not in shapes else f"shape {shapes[name]}",
        )
        for name in sorted(shapes.keys() | found.keys())
        if shapes.get(name) != found.get(name)
    ]


def _tokenizer(folder: Path, structure: Structure, mistakes: list[Mistake]) -> Tokenizer | None:
    """Return the tokenizer beside the weights; what is wrong with it is added to the mistakes."""
    if not (folder / TOKENIZER).is_file():
        mistakes.append(
            Mistake(
                file=str(folder),
                place=TOKENIZER,
                read="nothing",
                expected="the model's tokenizer: an export is measured on text",
                remedy=f"Copy {TOKENIZER} and tokenizer_config.json beside the weights.",
            )
        )
        return None
    try:
        tokenizer = read_tokenizer(folder)
    except DokjaError as error:
        if not isinstance(error, InputError):
            raise
        mistakes.extend(error.mistakes)
        return None
    mistakes.extend(fit_mistakes(tokenizer, structure.vocabulary, file=str(folder / TOKENIZER)))
    return tokenizer


def _wrong(path: Path, read: str, expected: str, remedy: str = "") -> TransformError:
    return TransformError(
        [Mistake(file=str(path), place="", read=read, expected=expected, remedy=remedy)]
    )
