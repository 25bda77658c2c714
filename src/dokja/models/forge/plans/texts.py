"""The documents of a recipe's data source: a file, a folder, or the seeded grammar."""

from collections.abc import Iterator
from pathlib import Path

from dokja.errors import CorpusError, Mistake
from dokja.models.forge.plans.sentences import LICENCE, sentences
from dokja.models.forge.recipes.schema import SourceTerms
from dokja.models.weights.files import os_mistake

__all__ = ["MADE_ON", "source_licence", "source_name", "source_texts"]

MADE_ON = "2026-11-26"
"""The day of the seeded grammar's words; it stands in the manifests of what it makes."""


def source_name(source: SourceTerms) -> str:
    """Return what a source is called in a manifest and in the order's keys."""
    if source.made is not None:
        return f"{source.made}-{source.seed}"
    return Path(str(source.manifest or source.text)).name


def source_licence(source: SourceTerms) -> str:
    """Return the licence of a source that is packed here."""
    return source.licence or LICENCE


def source_texts(source: SourceTerms, *, here: Path) -> Iterator[str]:
    """Yield the documents of a source.

    Args:
        source: A made or a text source; a manifest holds no text any more.
        here: The recipe's folder.

    Raises:
        CorpusError: A file cannot be read or is not UTF-8, or the source holds tokens only.
    """
    if source.made is not None:
        yield from sentences(seed=str(source.seed), documents=int(source.documents or 0))
        return
    if source.text is None:
        raise _wrong(str(source.manifest), "packed tokens", "a source with its texts")
    path = here / source.text
    if path.is_dir():
        for file in sorted(path.rglob("*.txt")):
            yield _read(file)
        return
    for line in _read(path).splitlines():
        if line.strip():
            yield line


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except OSError as error:
        raise CorpusError([os_mistake(error, str(path))]) from error
    except UnicodeDecodeError as error:
        raise _wrong(
            str(path), f"byte {error.object[error.start]:#04x} at {error.start}", "text in UTF-8"
        ) from error


def _wrong(file: str, read: str, expected: str) -> CorpusError:
    return CorpusError([Mistake(file=file, place="", read=read, expected=expected)])
