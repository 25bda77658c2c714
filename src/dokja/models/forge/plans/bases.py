"""Others' weights that a recipe builds on: found by name, checked, and named by their root.

A base without its licence cannot be built on, which the recipe's own shape sees to. Its root is
read from its tensors each time: a plan never rests on what somebody remembered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.structures import Structure
from dokja.models.weights import Source, open_source
from dokja.models.weights.roots import root, root_text, source_digests

__all__ = ["Base", "BaseStore", "licence_file"]

_LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base that was found.

    Attributes:
        name: As the recipe calls it.
        folder: Where it lies.
        source: Its weights, opened and checked.
        root: Written `dokja-tensors-v1:…`.
        structure: What its configuration describes.
    """

    name: str
    folder: Path
    source: Source
    root: str
    structure: Structure


class BaseStore:
    """Folders in which bases are looked for, by name.

    Args:
        folders: In order; a name is a folder below one of them, or a path.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)

    def find(self, name: str) -> Path | None:
        """Return the folder of a base; None when it is in none of the store's folders."""
        for folder in (*self._folders, Path()):
            path = folder / name
            if path.is_dir():
                return path
        return None

    def open(self, name: str, *, stated_root: str | None, file: str) -> Base:
        """Open a base and make sure that it is the one that the recipe means.

        Args:
            name: As the recipe calls it.
            stated_root: The root that the recipe states; none where it states none.
            file: What mistakes call the recipe.

        Raises:
            RecipeError: It is not there, or its root is another.
            RecordError: Its configuration describes nothing that the forge knows.
            WeightsError: Its files are damaged or hostile.
        """
        folder = self.find(name)
        if folder is None:
            places = ", ".join(map(str, self._folders)) or "no folder"
            raise RecipeError(
                [
                    Mistake(
                        file=file,
                        place=f"base {name}",
                        read=f"no folder of this name in {places}",
                        expected="a Hugging Face folder with safetensors",
                        remedy="Give its parent folder with --bases.",
                    )
                ]
            )
        source = open_source(folder)
        found = root_text(root(source_digests(source)))
        if stated_root is not None and stated_root != found:
            raise RecipeError(
                [
                    Mistake(
                        file=file,
                        place=f"base {name}, root",
                        read=found,
                        expected=stated_root,
                        remedy="These are other weights than the recipe names.",
                    )
                ]
            )
        structure = Structure.from_config(source.config or {}, file=str(folder / "config.json"))
        return Base(name=name, folder=folder, source=source, root=found, structure=structure)


def licence_file(folder: Path) -> Path | None:
    """Return the licence text that lies beside a base's weights, if there is one."""
    return next((folder / name for name in _LICENCE_FILES if (folder / name).is_file()), None)
