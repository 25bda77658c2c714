"""From the bytes of a recipe to terms that fit each other, or to everything that is wrong.

A recipe is read once and then built at a size: the size's overlay is laid over the terms, and
what comes out is checked again as a recipe. An overlay has no key for a kind of leaf, a step or
a data source, so every size of a recipe has the same ancestry.
"""

import copy
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.recipes.checking import contradictions
from dokja.models.forge.recipes.schema import RecipeFile
from dokja.values import Digest, shown

__all__ = ["Recipe", "read_recipe", "recipe_of"]

_STEP_SIZES = frozenset({"do", "data", "trainable"})
_MAX_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe that was read.

    Attributes:
        name: Its name.
        file: What it was read from, for messages.
        digest: Of its bytes.
        data: Its bytes.
        terms: What it says, before any size.
        sizes: The sizes that it can be built at.
    """

    name: str
    file: str
    digest: Digest
    data: bytes
    terms: RecipeFile
    sizes: tuple[str, ...]

    def at(self, size: str) -> RecipeFile:
        """Return the recipe at a size.

        Raises:
            RecipeError: There is no such size, or the recipe is wrong at it.
        """
        if size not in self.sizes:
            expected = "one of " + (", ".join(self.sizes) or "none: the recipe names no size")
            raise RecipeError(
                [Mistake(file=self.file, place="size", read=repr(size), expected=expected)]
            )
        raw = _overlaid(tomllib.loads(self.data.decode("utf-8")), size)
        return _validated(raw, file=f"{self.file} at size {size}", whole=True)


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a TOML file.

    Raises:
        RecipeError: It cannot be read, or is wrong; every mistake at once.
    """
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise RecipeError([_whole(path, "a file over a megabyte", "a recipe")])
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(
            [_whole(path, f"nothing: {error.strerror}", "a recipe that can be read")]
        ) from error
    return recipe_of(data, file=str(path))


def recipe_of(data: bytes, *, file: str) -> Recipe:
    """Return the recipe that these bytes say.

    Args:
        data: The bytes of the TOML file.
        file: What messages call it.

    Raises:
        RecipeError: Every mistake at once, those of each size included.

    Example:
        >>> recipe_of(b"schema = 'dokja.recipe/1'", file="r.toml")
        Traceback (most recent call last):
        dokja.errors.RecipeError: r.toml, name: read nothing; expected this key.
        r.toml, component: read nothing; expected this key.
        Nothing was changed.
    """
    raw = _parsed(data, file=file)
    sizes = raw.get("size")
    names = tuple(sizes) if isinstance(sizes, dict) else ()
    terms = _validated(raw, file=file, whole=not names)
    mistakes: list[Mistake] = []
    for size in names:
        try:
            _validated(_overlaid(raw, size), file=f"{file} at size {size}", whole=True)
        except RecipeError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecipeError(mistakes)
    return Recipe(
        name=terms.name,
        file=file,
        digest=Digest.of(data),
        data=data,
        terms=terms,
        sizes=names,
    )


def _parsed(data: bytes, *, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        read, place = f"the byte 0x{data[error.start]:02x}", f"line {line}"
        expected = "text in UTF-8"
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"\(at (.*)\)$", str(error))
        place = found.group(1) if found else ""
        read, expected = str(error).split(" (at")[0], "TOML"
    raise RecipeError([Mistake(file=file, place=place, read=read, expected=expected)])


def _validated(raw: Mapping[str, Any], *, file: str, whole: bool) -> RecipeFile:
    """Return the terms, checked; a recipe with sizes is whole only once one is laid over it."""
    try:
        terms = RecipeFile.model_validate(_frozen(raw))
    except ValidationError as error:
        faults = error.errors(include_url=False)
        raise RecipeError(
            [_mistake(one, file=file) for one in faults if _is_first(one, faults)]
        ) from error
    mistakes = list(contradictions(terms, file=file, whole=whole))
    if mistakes:
        raise RecipeError(mistakes)
    return terms


def _is_first(fault: Any, faults: Sequence[Any]) -> bool:
    """Whether a fault is not a mere consequence: a list is short when what stood in it is wrong."""
    return fault["type"] != "too_short" or not any(
        other is not fault and other["loc"][: len(fault["loc"])] == fault["loc"] for other in faults
    )


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _frozen(item) for key, item in value.items()}
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    return value


def _mistake(fault: Any, *, file: str) -> Mistake:
    place = ".".join(str(step) for step in fault["loc"])
    kind, message = fault["type"], fault["msg"].removeprefix("Value error, ")
    if kind == "missing":
        return Mistake(file=file, place=place, read="nothing", expected="this key")
    if kind == "extra_forbidden":
        read = f"the key {fault['loc'][-1]!r}"
        return Mistake(file=file, place=place, read=read, expected="only keys of a recipe")
    return Mistake(
        file=file,
        place=place,
        read=shown(repr(fault["input"])),
        expected=message.removeprefix("Input should be "),
    )


def _whole(path: Path, read: str, expected: str) -> Mistake:
    return Mistake(file=str(path), place="", read=read, expected=expected)


def _overlaid(raw: Mapping[str, Any], size: str) -> dict[str, Any]:
    """Return the recipe with a size laid over it; only the size's own keys are kept of it."""
    merged: dict[str, Any] = copy.deepcopy(dict(raw))
    over = merged["size"][size] if isinstance(merged["size"].get(size), dict) else {}
    if isinstance(over.get("engine"), dict) and isinstance(merged.get("engine", {}), dict):
        merged["engine"] = {**merged.get("engine", {}), **over["engine"]}
    for name, count in _tables(over.get("documents")):
        for source in merged.get("data", {}).get(name, {}).get("sources", ()):
            if isinstance(source, dict) and "made" in source:
                source["documents"] = count
    components = merged.get("component", ())
    by_id = {c.get("id"): c for c in components if isinstance(c, dict)}
    for name, said in _tables(over.get("component")):
        if isinstance(said, dict) and name in by_id:
            _overlay_component(by_id[name], said)
    return merged


def _overlay_component(component: dict[str, Any], over: Mapping[str, Any]) -> None:
    if isinstance(over.get("shape"), dict):
        component["shape"] = {**component.get("shape", {}), **over["shape"]}
    for key in ("base", "root", "licence"):
        if key in over and isinstance(component.get("from"), dict):
            component["from"][key] = over[key]
    steps = component.get("step", ())
    for place, said in _tables(over.get("step")):
        at = int(place) - 1 if place.isdigit() else -1
        if 0 <= at < len(steps) and isinstance(said, dict):
            steps[at].update({key: value for key, value in said.items() if key not in _STEP_SIZES})


def _tables(value: object) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()
