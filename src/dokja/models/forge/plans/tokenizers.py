"""The tokenizer that a plan's text goes through: trained here, plain bytes, or a base's own.

It is made before anything is packed, and its digest stands in the plan: a run commits to it
before its first step.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dokja.errors import Mistake, RecipeError
from dokja.models.forge.extras import need
from dokja.models.forge.plans.bases import Base
from dokja.models.forge.plans.texts import source_texts
from dokja.models.forge.recipes.schema import ComponentTerms, RecipeFile
from dokja.models.forge.tokenizing import (
    SPLITS,
    Tokenizer,
    build_tokenizer,
    byte_tokenizer,
    fast_encoder,
    read_json_file,
    read_tokenizer,
    write_tokenizer,
)
from dokja.values import Digest, Json

__all__ = ["PlannedTokenizer", "plan_tokenizer"]

_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
_BaseOf = Callable[..., Base]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTokenizer:
    """A tokenizer of a plan.

    Attributes:
        digest: Over vocabulary, merges, pattern and specials; of the file, for others'.
        size: How many ids.
        rows: Rows of an embedding made for it.
        folder: Where it lies.
        corpus: Digest of the texts that it was learnt from; none where it was not learnt here.
        encode: From a text to its ids.
        end: The id that ends a document: the first special, or the newline of plain bytes.
    """

    digest: Digest
    size: int
    rows: int
    folder: Path
    corpus: Digest | None
    encode: Callable[[str], Sequence[int]]
    end: int

    def encode_document(self, text: str) -> Sequence[int]:
        """Return a document's ids, and the id that ends it."""
        return [*self.encode(text), self.end]

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a plan."""
        found: dict[str, Json] = {
            "folder": self.folder.name,
            "digest": str(self.digest),
            "size": self.size,
            "rows": self.rows,
        }
        return found if self.corpus is None else {**found, "corpus": str(self.corpus)}


def plan_tokenizer(
    terms: RecipeFile, *, base: _BaseOf, folder: Path, here: Path
) -> PlannedTokenizer | None:
    """Make or copy a recipe's tokenizer.

    Args:
        terms: The recipe at its size.
        base: Opens a base by name and root.
        folder: Where the tokenizer is written; it must not exist.
        here: The recipe's folder, from which its paths start.

    Returns:
        The tokenizer; none where the recipe neither has one nor a base that brings one.

    Raises:
        RecipeError, CorpusError, ExtraMissingError: See `tokenizing`.
    """
    own = next((one for one in terms.component if one.role == "tokenizer"), None)
    if terms.engine.name == "command" and not terms.data:
        return None  # the engine makes or takes it, with the weights
    if own is not None and own.origin.train is not None:
        return _trained(terms, own, folder=folder, here=here)
    bodies = [one for one in terms.component if one.role == "language-body"]
    for component in (*filter(None, [own]), *bodies):
        origin = component.origin
        if origin.base is not None:
            found = base(origin.base, root=origin.root if component.role != "tokenizer" else None)
            if (found.folder / "tokenizer.json").is_file():
                return _copied(found.folder, folder)
    if own is None and any(one.origin.scratch for one in bodies) and terms.data:
        return _written(byte_tokenizer(), folder, corpus=None)
    return None


def tokenizer_digest(folder: Path) -> Digest | None:
    """Return what names the tokenizer beside some weights; none where none lies there."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        return read_tokenizer(folder).digest
    except RecipeError:  # somebody else's: its file is its name
        return Digest.of(path.read_bytes())


def _trained(
    terms: RecipeFile, component: ComponentTerms, *, folder: Path, here: Path
) -> PlannedTokenizer:
    train = component.origin.train
    if train is None or train.kind == "bytes":
        return _written(byte_tokenizer(train.specials if train else ()), folder, corpus=None)
    if train.split not in SPLITS:
        raise RecipeError(
            [
                Mistake(
                    file=f"recipe {terms.name}",
                    place=f"component {component.id}, from.train.split",
                    read=repr(train.split),
                    expected="one of " + ", ".join(SPLITS),
                )
            ]
        )
    digest = _Running()
    name = str(train.corpus)
    trained = build_tokenizer(
        digest.over(text for source in terms.data[name].sources for text in _texts(source, here)),
        folder,
        size=int(train.size or 0),
        split=train.split,
        specials=train.specials or ("<|endoftext|>",),
        name=name,
    )
    return _planned(trained.tokenizer, folder, corpus=digest.digest)


def _texts(source: object, here: Path) -> Iterator[str]:
    yield from source_texts(source, here=here)  # type: ignore[arg-type]  # a source of the recipe


class _Running:
    """Digests texts while they pass: the Merkle leaf of each, hashed in order."""

    def __init__(self) -> None:
        self._leaves: list[bytes] = []

    def over(self, texts: Iterator[str]) -> Iterator[str]:
        for text in texts:
            self._leaves.append(Digest.of(text.encode()).raw)
            yield text

    @property
    def digest(self) -> Digest:
        return Digest.of(b"".join(self._leaves))


def _written(tokenizer: Tokenizer, folder: Path, *, corpus: Digest | None) -> PlannedTokenizer:
    write_tokenizer(tokenizer, folder)
    return _planned(tokenizer, folder, corpus=corpus)


def _planned(tokenizer: Tokenizer, folder: Path, *, corpus: Digest | None) -> PlannedTokenizer:
    encode = tokenizer.encode if not tokenizer.merges else fast_encoder(tokenizer)
    return PlannedTokenizer(
        digest=tokenizer.digest,
        size=tokenizer.size,
        rows=tokenizer.rows,
        folder=folder,
        corpus=corpus,
        encode=encode,
        end=ord("\n") if tokenizer.end is None else tokenizer.end,
    )


def _copied(base: Path, folder: Path) -> PlannedTokenizer:
    folder.mkdir()
    for name in _FILES:
        if (base / name).is_file():
            shutil.copyfile(base / name, folder / name)
    try:
        return _planned(read_tokenizer(folder), folder, corpus=None)
    except RecipeError:
        # Somebody else's tokenizer: its own library encodes, and its file is its name.
        library = need("tokenizers", extra="forge").Tokenizer.from_file(
            str(folder / "tokenizer.json")
        )
    size = int(library.get_vocab_size())
    return PlannedTokenizer(
        digest=Digest.of((folder / "tokenizer.json").read_bytes()),
        size=size,
        rows=size,
        folder=folder,
        corpus=None,
        encode=lambda text: list(library.encode(text, add_special_tokens=False).ids),
        end=_end_of(folder, library),
    )


def _end_of(folder: Path, library: Any) -> int:
    """Return the id that a tokenizer's own configuration ends texts with, else 0."""
    said = read_json_file(folder / "tokenizer_config.json", shown_as=str(folder))
    token = said.get("eos_token") if isinstance(said, dict) else None
    text = token.get("content") if isinstance(token, dict) else token
    found = library.token_to_id(text) if isinstance(text, str) else None
    return 0 if found is None else int(found)
