"""Makes an entry of a library from opened weights: the page, and the files beside it as bytes.

The same weights, words and kind give the same bytes: nothing is drawn, and no day is noted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from safetensors.numpy import save

from dokja.errors import LibraryError, Mistake
from dokja.evidence.lineage.components import ComponentSpec, Inventory, inventory
from dokja.evidence.lineage.library.draws import sampled_tokens
from dokja.evidence.lineage.library.entries import (
    BodyFacts,
    ComponentFacts,
    EntryFacts,
    FileFacts,
)
from dokja.evidence.lineage.library.forensics import keep_bodies
from dokja.evidence.lineage.library.kept import Arrays, keep_component, sample_size
from dokja.evidence.lineage.plans import Plan
from dokja.models.weights import Source
from dokja.values import Digest, Json, canonical_bytes

__all__ = ["ROWS", "Kind", "NewEntry", "make_entry"]

Kind = Literal["screen", "forensic"]

ROWS = "rows.safetensors"
"""What a screen keeps."""

_SETTINGS = (
    "model_type",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "intermediate_size",
    "vocab_size",
)
_LONGEST = 80
_LEAST_SHARE = 0.01
"""Of the bytes, for a component however small."""
_MOST_WHOLE = 2**53


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NewEntry:
    """An entry that lies nowhere yet.

    Attributes:
        facts: Its page.
        files: What stands beside the page, by plain name.
    """

    facts: EntryFacts
    files: Mapping[str, bytes]


def make_entry(
    source: Source,
    *,
    kind: Kind = "screen",
    name: str | None = None,
    licence: str | None = None,
    origin: str | None = None,
    components: Mapping[str, ComponentSpec] | None = None,
    plan: Plan | None = None,
    progress: Callable[[str], None] | None = None,
) -> NewEntry:
    """Read what a library keeps of a model.

    Args:
        source: The opened weights.
        kind: `screen` for about 5 MB, `forensic` for neurons and anchors besides.
        name: What it is called in the library; the files' own name by default.
        licence: As it is known; none where it is not.
        origin: Where the weights lie, so that a scan can name them; none to keep it out.
        components: Each component as declared; by tensor names where nothing is declared.
        plan: Which components are too large to be kept whole; of a forensic entry.
        progress: Told each component's name before it is read.

    Raises:
        LibraryError: Nothing of the model can be kept.
        WeightsError: A file changed since it was checked, or a tokenizer is damaged.
    """
    held = inventory(source, components=components)
    rows = dict(source.token_rows() or {})
    tokens = sampled_tokens(rows, sample_size(held.components)) if rows else ()
    facts, arrays = _screened(source, held, rows=rows, tokens=tokens, progress=progress)
    if not arrays:
        raise _empty(source)
    files = {ROWS: save(arrays)}
    bodies: tuple[BodyFacts, ...] = ()
    if kind == "forensic":
        bodies, beside = keep_bodies(
            source, components=components, plan=plan or Plan(), progress=progress
        )
        files |= beside
    page = EntryFacts(
        schema="dokja.library.entry/1",
        kind=kind,
        name=name or source.name,
        licence=licence,
        origin=origin,
        headers=str(_headers(source)),
        parameters=held.parameters,
        config=_settings(source.config or {}),
        tokens=tokens,
        components=facts,
        bodies=bodies,
        files=tuple(
            FileFacts(name=file, bytes=len(content), digest=str(Digest.of(content)))
            for file, content in sorted(files.items())
        ),
    )
    return NewEntry(facts=page, files=files)


def _screened(
    source: Source,
    held: Inventory,
    *,
    rows: Mapping[str, int],
    tokens: Sequence[str],
    progress: Callable[[str], None] | None,
) -> tuple[tuple[ComponentFacts, ...], Arrays]:
    """Return what a screen keeps of every component; each has its share of the bytes."""
    matrices = sum(part.matrix_parameters for part in held.components)
    arrays: Arrays = {}
    facts = []
    for number, component in enumerate(held.components):
        if progress is not None:
            progress(component.component)
        found, values = keep_component(
            source,
            component,
            number=number,
            share=max(component.matrix_parameters / max(matrices, 1), _LEAST_SHARE),
            rows=rows,
            tokens=tokens,
        )
        facts.append(found)
        arrays |= values
    return tuple(facts), arrays


def _headers(source: Source) -> Digest:
    """Name the weights by what their headers say: names, types and shapes, sorted."""
    told: list[Json] = [
        [name, source.info(name).dtype, list(source.info(name).shape)] for name in source.names
    ]
    return Digest.of(canonical_bytes(told))


def _settings(config: Mapping[str, Any]) -> dict[str, str | int | float | bool]:
    inner = config.get("text_config")
    merged = {**(inner if isinstance(inner, Mapping) else {}), **config}
    return {key: merged[key] for key in _SETTINGS if _is_plain(merged.get(key))}


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= _LONGEST and value.isprintable()
    return isinstance(value, int) and abs(value) < _MOST_WHOLE


def _empty(source: Source) -> LibraryError:
    return LibraryError(
        [
            Mistake(
                file=source.name,
                place="",
                read=f"{len(source.names)} tensors of which none can be kept",
                expected="matrices or gains of layers, with finite values",
                remedy="See what is there: dokja weights MODEL",
            )
        ]
    )
