"""Whether the parts of a recipe fit each other: names that lead somewhere, steps that can be done.

Each function yields mistakes; a recipe behind this door trains what it has and names what is.
"""

from collections.abc import Iterator, Mapping

from dokja.errors import Mistake, TransformError
from dokja.models.forge.engines.catalogue import able
from dokja.models.forge.engines.contract import Capability
from dokja.models.forge.recipes.schema import ComponentTerms, RecipeFile, StepTerms
from dokja.models.forge.structures import FAMILIES
from dokja.models.forge.transforms import TRANSFORMS, check_step

__all__ = ["contradictions"]

_STEP_SIZES = ("do", "data", "trainable")


def contradictions(recipe: RecipeFile, *, file: str, whole: bool) -> Iterator[Mistake]:
    """Yield everything in a recipe that does not fit together.

    Args:
        recipe: Terms whose every value has the right shape.
        file: What messages call it.
        whole: Whether it stands at a size, so that all sizes must be there.
    """
    yield from _names(recipe, file)
    for component in recipe.component:
        place = f"component {component.id}"
        yield from _origin(component, file=file, place=place, whole=whole)
        for number, step in enumerate(component.step, start=1):
            at = f"{place}, step {number}"
            if step.is_training and recipe.engine.name == "command":
                continue  # a program of the builder's own takes whatever options it has
            if step.is_training:
                yield from _training(recipe, step, file=file, place=at, whole=whole)
            else:
                yield from _transform(component, step, file=file, place=at)
    yield from _sizes(recipe, file)
    if recipe.engine.name == "command" and not recipe.engine.command:
        yield _missing(file, "engine, command", "the program that obeys the engine contract")


def _names(recipe: RecipeFile, file: str) -> Iterator[Mistake]:
    ids = [component.id for component in recipe.component]
    for name in sorted({one for one in ids if ids.count(one) > 1}):
        yield Mistake(
            file=file, place="component", read=f"two of id {name!r}", expected="one of each id"
        )
    for component in recipe.component:
        train = component.origin.train
        if train is None:
            continue
        place = f"component {component.id}, from"
        if component.role != "tokenizer":
            yield Mistake(
                file=file,
                place=place,
                read=f"train, for the role {component.role}",
                expected="a tokenizer; weights are trained by a step",
            )
        if train.kind == "engine" and recipe.engine.name != "command":
            yield Mistake(
                file=file,
                place=f"{place}.train.kind",
                read="engine",
                expected="byte-bpe or bytes: only an engine of one's own makes tokenizers",
            )
        if train.kind == "byte-bpe" and (train.size is None or train.corpus is None):
            yield _missing(file, place, "size and corpus beside byte-bpe")
        if train.corpus is not None and train.corpus not in recipe.data:
            yield _unknown(file, place, train.corpus, tuple(recipe.data), what="data")


def _origin(component: ComponentTerms, *, file: str, place: str, whole: bool) -> Iterator[Mistake]:
    is_index = component.origin.index is not None
    if is_index != (component.role == "retrieval"):
        yield Mistake(
            file=file,
            place=f"{place}, from",
            read=f"{component.origin.kind}, for the role {component.role}",
            expected="an index for the role retrieval, and for no other",
        )
    family = component.origin.scratch
    if family is None:
        return
    if family not in FAMILIES and component.role == "language-body":
        yield _unknown(file, f"{place}, from.scratch", family, tuple(FAMILIES), what="family")
    if not any(step.is_training for step in component.step):
        yield Mistake(
            file=file,
            place=place,
            read="weights from a seed and no training",
            expected="a step that trains them: initialised, then trained",
        )
    needed = ("width", "layers", "heads")
    lacking = [key for key in needed if key not in component.shape]
    if whole and lacking and component.role == "language-body":
        yield _missing(file, f"{place}, shape", ", ".join(lacking))


def _training(
    recipe: RecipeFile, step: StepTerms, *, file: str, place: str, whole: bool
) -> Iterator[Mistake]:
    if step.parameters:
        read = ", ".join(sorted(step.parameters))
        yield Mistake(
            file=file, place=place, read=f"the keys {read}", expected="only keys of training"
        )
    if step.data is None:
        yield _missing(file, f"{place}, data", "a name of the recipe's data")
    elif step.data not in recipe.data:
        yield _unknown(file, f"{place}, data", step.data, tuple(recipe.data), what="data")
    for key in ("tokens", "batch", "optimizer") if whole else ():
        if getattr(step, key) is None:
            yield _missing(file, f"{place}, {key}", "this key")
    if whole and step.teacher is not None and recipe.engine.name not in able(Capability.TEACHERS):
        yield Mistake(
            file=file,
            place=f"{place}, teacher",
            read=f"a teacher, and the engine {recipe.engine.name}",
            expected=f"an engine that {Capability.TEACHERS.value}: "
            + " or ".join(able(Capability.TEACHERS)),
            remedy="Or let the teacher write text, and train on that as data.",
        )
    if step.optimizer is not None and step.optimizer.kind != "adamw":
        yield Mistake(
            file=file,
            place=f"{place}, optimizer.kind",
            read=step.optimizer.kind,
            expected="adamw: the engines here train by no other",
        )
    if (step.adapter is not None) != (step.trainable == "adapters"):
        yield Mistake(
            file=file,
            place=f"{place}, trainable",
            read=f"{step.trainable!r} {'with' if step.adapter else 'without'} an adapter",
            expected="trainable = 'adapters' and an adapter table, or neither",
        )
    batch = step.batch
    if batch is not None and batch.micro is not None and batch.sequences % batch.micro:
        yield Mistake(
            file=file,
            place=f"{place}, batch.micro",
            read=str(batch.micro),
            expected=f"a divisor of the {batch.sequences} sequences",
        )


def _transform(
    component: ComponentTerms, step: StepTerms, *, file: str, place: str
) -> Iterator[Mistake]:
    if step.do not in TRANSFORMS:
        known = ("train", *sorted(TRANSFORMS))
        yield _unknown(file, f"{place}, do", step.do, known, what="transform")
        return
    if component.origin.kind in {"closed", "api"}:
        yield Mistake(
            file=file,
            place=place,
            read=f"{step.do} on weights that are not at hand",
            expected="a component whose tensors can be read",
        )
    yield from _parents(step, file=file, place=place)
    try:
        check_step(step.do, step.parameters)
    except TransformError as error:
        for mistake in error.mistakes:
            yield Mistake(
                file=file,
                place=f"{place}, {mistake.place}" if mistake.place else place,
                read=mistake.read,
                expected=mistake.expected,
                remedy=mistake.remedy,
            )


def _parents(step: StepTerms, *, file: str, place: str) -> Iterator[Mistake]:
    """Find other parents without a licence: others' weights cannot be built on without one."""
    said = step.parameters.get("with", ())
    for number, other in enumerate(said if isinstance(said, list | tuple) else (said,), start=1):
        if not isinstance(other, Mapping) or not isinstance(other.get("licence"), str):
            yield Mistake(
                file=file,
                place=f"{place}, with {number}",
                read="a base without a licence",
                expected="{ base = …, licence = … }",
            )


def _sizes(recipe: RecipeFile, file: str) -> Iterator[Mistake]:
    components = {component.id: component for component in recipe.component}
    for name, size in recipe.size.items():
        place = f"size {name}"
        for data in size.documents:
            if data not in recipe.data:
                yield _unknown(file, f"{place}, documents", data, tuple(recipe.data), what="data")
        for one, over in size.component.items():
            at = f"{place}, component {one}"
            if one not in components:
                yield _unknown(file, at, one, tuple(components), what="component")
                continue
            if over.base is not None and components[one].origin.base is None:
                yield Mistake(
                    file=file,
                    place=f"{at}, base",
                    read=repr(over.base),
                    expected="no base: a size may not change what kind of leaf a component has",
                )
            for number, said in over.step.items():
                yield from _step_overlay(components[one], number, said, file=file, place=at)


def _step_overlay(
    component: ComponentTerms, number: str, said: dict[str, object], *, file: str, place: str
) -> Iterator[Mistake]:
    if int(number) > len(component.step):
        yield Mistake(
            file=file,
            place=f"{place}, step {number}",
            read=f"a step {number}",
            expected=f"one of the {len(component.step)} steps of the recipe",
        )
    for key in sorted(set(said) & set(_STEP_SIZES)):
        yield Mistake(
            file=file,
            place=f"{place}, step {number}",
            read=f"the key {key!r}",
            expected="sizes only: a size may not change a step or its data",
        )


def _missing(file: str, place: str, expected: str) -> Mistake:
    return Mistake(file=file, place=place, read="nothing", expected=expected)


def _unknown(file: str, place: str, read: str, known: tuple[str, ...], *, what: str) -> Mistake:
    return Mistake(
        file=file,
        place=place,
        read=f"the {what} {read!r}",
        expected="one of " + (", ".join(known) or "none: the recipe names none"),
    )
