"""A recipe's data, packed: every source a corpus, and together enough for the steps.

Sources that come packed are named by their manifest where they lie; texts are packed into the
plan's folder. Digests of the manifests stand in the plan.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dokja.documents.packing import Corpus, CorpusFacts, open_corpus, write_corpus
from dokja.errors import CorpusError, InputError, Mistake
from dokja.models.forge.corpora import Order, OrderSource
from dokja.models.forge.plans.texts import MADE_ON, source_licence, source_name, source_texts
from dokja.models.forge.plans.tokenizers import PlannedTokenizer
from dokja.models.forge.recipes.schema import DataTerms, SourceTerms
from dokja.values import Json

__all__ = ["Mixture", "job_sources", "pack_mixture"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """Sources that are trained on together.

    Attributes:
        name: As the recipe calls it.
        sources: Each with its corpus and how it is mixed in; no corpus where one must be brought.
        folder: The plan's folder, from which the corpora's paths are written.
    """

    name: str
    sources: tuple[tuple[SourceTerms, Corpus | None], ...]
    folder: Path

    def check(self, *, instances: int, length: int, file: str) -> None:
        """Make sure that the data last for a training.

        Args:
            instances: How many windows it reads.
            length: Tokens of a window.
            file: What mistakes call the recipe.

        Raises:
            CorpusError: They do not last, or a source is shorter than one window.
        """
        packed = [(source, corpus) for source, corpus in self.sources if corpus is not None]
        if len(packed) < len(self.sources):
            return  # what is not there yet is checked when it is
        try:
            order = Order(
                b"any",
                tuple(
                    OrderSource(
                        name=self._key(number, source),
                        windows=corpus.windows(length),
                        weight=source.weight,
                        max_repeats=source.max_repeats,
                    )
                    for number, (source, corpus) in enumerate(packed)
                ),
            )
            order.check(instances)
        except InputError as error:
            raise CorpusError(
                [
                    Mistake(
                        file=file,
                        place=f"data {self.name}, {mistake.place}",
                        read=mistake.read,
                        expected=mistake.expected,
                        remedy=mistake.remedy,
                    )
                    for mistake in error.mistakes
                ]
            ) from error

    def _key(self, number: int, source: SourceTerms) -> str:
        return f"{number}-{source_name(source)}"

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a plan."""
        sources: list[Json] = []
        for number, (source, corpus) in enumerate(self.sources):
            said: dict[str, Json] = {
                "name": self._key(number, source),
                "weight": source.weight,
                "max_repeats": source.max_repeats,
            }
            if corpus is not None:
                said |= {
                    "corpus": os.path.relpath(corpus.path, self.folder),
                    "manifest": str(corpus.manifest.digest),
                    "tokens": corpus.manifest.tokens,
                    "documents": corpus.manifest.documents,
                    "licence": corpus.manifest.facts.licence,
                }
            sources.append(said)
        return {"sources": sources}


def pack_mixture(
    name: str,
    terms: DataTerms,
    *,
    tokenizer: PlannedTokenizer,
    folder: Path,
    here: Path,
    brought: Sequence[Path] = (),
    bring: bool = False,
) -> Mixture:
    """Open or pack every source of a mixture.

    Args:
        name: As the recipe calls it.
        terms: Its sources.
        tokenizer: The tokenizer that must have made, or makes, the tokens.
        folder: The plan's folder; packed corpora go to `data/` in it.
        here: The recipe's folder.
        brought: Packed corpora that stand in for the sources, one for each in order.
        bring: Whether the recipe's own data are too small for this size: nothing is packed.

    Raises:
        CorpusError: A corpus is missing, damaged or of another tokenizer, or a text cannot be
            read; every mistake that can be told at once.
    """
    if brought and len(brought) != len(terms.sources):
        read, expected = f"{len(brought)} corpora", f"one for each of {len(terms.sources)} sources"
        raise CorpusError([Mistake(file=f"data {name}", place="", read=read, expected=expected)])
    found: list[tuple[SourceTerms, Corpus | None]] = []
    mistakes: list[Mistake] = []
    for number, source in enumerate(terms.sources):
        try:
            if brought:
                found.append((source, open_corpus(brought[number], tokenizer=tokenizer.digest)))
            elif bring and source.manifest is None:
                found.append((source, None))
            else:
                place = folder / "data" / f"{name}-{number}"
                found.append((source, _corpus(place, source, tokenizer, here)))
        except CorpusError as error:
            mistakes += error.mistakes
    if mistakes:
        raise CorpusError(mistakes)
    return Mixture(name=name, sources=tuple(found), folder=folder)


def _corpus(place: Path, source: SourceTerms, tokenizer: PlannedTokenizer, here: Path) -> Corpus:
    if source.manifest is not None:
        return open_corpus(here / source.manifest, tokenizer=tokenizer.digest)
    place.parent.mkdir(exist_ok=True)
    facts = CorpusFacts(
        name=place.name,
        tokenizer=tokenizer.digest,
        vocabulary=tokenizer.size,
        licence=source_licence(source),
        origin=source.origin or f"{source.text or 'made by a seeded grammar'} {source.seed or ''}",
        collected=source.collected or MADE_ON,
        filters=source.filters,
        personal_data=source.personal_data or ("none: made" if source.made else "not stated"),
    )
    return write_corpus(
        source_texts(source, here=here), place, encode=tokenizer.encode_document, facts=facts
    )


def job_sources(data: Mapping[str, Json], *, plan: Path, job: Path) -> Sequence[Json]:
    """Return a plan's sources as a job names them: paths from the job's folder."""
    said = data["sources"]
    found: list[Json] = []
    for source in said if isinstance(said, Sequence) else ():
        if isinstance(source, Mapping):
            if "corpus" not in source:
                raise _not_brought(str(source["name"]))
            corpus = os.path.relpath(plan / str(source["corpus"]), job)
            found.append(
                {
                    "name": source["name"],
                    "corpus": corpus,
                    "weight": source["weight"],
                    "max_repeats": source["max_repeats"],
                }
            )
    return found


def _not_brought(name: str) -> CorpusError:
    return CorpusError(
        [
            Mistake(
                file="plan",
                place=f"data, source {name}",
                read="no packed corpus",
                expected="one: this size is too large for the recipe's own data",
                remedy="Plan again with --data NAME=FOLDER for each source.",
            )
        ]
    )
