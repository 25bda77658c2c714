"""What a forensic entry keeps besides: neurons of a few interior layers, and rows of anchors.

All of it is in canonical form (see `folding`) and in eight bits a value. Of large blocks some
neurons are kept, drawn in the same way as for any sketch, and of wide models as many anchors as a
turn of their residual stream needs. So matchings can be laid on each other in the same
coordinates, and through a turn that embeddings or heads show, without the weights themselves.
"""

import json
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from dokja.evidence.lineage.agreements import interior
from dokja.evidence.lineage.bodies import Body, Cell
from dokja.evidence.lineage.components import ComponentSpec
from dokja.evidence.lineage.folding import Folded, fold_rows, sketch
from dokja.evidence.lineage.library.codes import coded
from dokja.evidence.lineage.library.draws import sampled_tokens
from dokja.evidence.lineage.library.entries import BlockFacts, BodyFacts
from dokja.evidence.lineage.library.kept import Arrays
from dokja.evidence.lineage.mapping import map_bodies
from dokja.evidence.lineage.opening import block_values, evenly
from dokja.evidence.lineage.plans import Plan
from dokja.models.comparison import Units
from dokja.models.weights import Source

__all__ = ["BLOCKS", "LIBRARY_SEED", "anchors_file", "keep_bodies", "vocabulary_file"]

BLOCKS = "blocks.safetensors"
LIBRARY_SEED = 2026
"""Draws neurons of blocks that are too large to be kept whole."""

_LAYERS = 6
_EXPERTS = 4
_LEAST_ANCHORS = 8000
_ANCHORS_OF_WIDTH = 3
"""A turn needs twice as many shared tokens as the stream is wide, and not all are shared."""


def anchors_file(number: int) -> str:
    """Return the name of the file of a body's anchors, which lies in a folder of its own."""
    return f"anchors-{number}.safetensors"


def vocabulary_file(number: int) -> str:
    """Return the name of the file of the anchors' texts, in the order of their rows."""
    return f"anchors-{number}.json"


def keep_bodies(
    source: Source,
    *,
    components: Mapping[str, ComponentSpec] | None,
    plan: Plan,
    progress: Callable[[str], None] | None,
) -> tuple[tuple[BodyFacts, ...], dict[str, bytes]]:
    """Read what a forensic entry keeps besides.

    Args:
        source: The opened weights.
        components: Each component as declared.
        plan: Which components are too large to be kept whole, and how many neurons then are.
        progress: Told each component's name before it is read.

    Returns:
        What is kept of each component with feed-forward blocks, and the files.

    Raises:
        WeightsError: A file changed since it was checked.
    """
    facts: list[BodyFacts] = []
    arrays: Arrays = {}
    files: dict[str, bytes] = {}
    for body in map_bodies(source, components=components):
        if not block_values(body):
            continue
        if progress is not None:
            progress(f"{body.component}, neurons")
        whole = block_values(body) <= plan.held_values
        folded = sketch(
            source,
            body,
            layers=evenly(interior(len(body.layers)), _LAYERS),
            onto=np.eye(body.width, dtype=np.float32),
            neurons=None if whole else plan.sketched_neurons,
            experts=_EXPERTS,
            seed=LIBRARY_SEED,
        )
        number = len(facts)
        blocks = _keep_blocks(folded, number=number, arrays=arrays)
        tokens, rows = _anchors(source, body)
        if rows:
            files[anchors_file(number)] = save(rows)
            files[vocabulary_file(number)] = json.dumps(list(tokens)).encode()
        facts.append(
            BodyFacts(
                component=body.component,
                role=body.role,
                width=body.width,
                depth=len(body.layers),
                whole=whole,
                blocks=blocks,
                anchors=len(tokens) if rows else 0,
                rows=tuple(role for role in ("embedding", "head") if f"{role}.codes" in rows),
            )
        )
    if arrays:
        files[BLOCKS] = save(arrays)
    return tuple(facts), files


def _keep_blocks(folded: Folded, *, number: int, arrays: Arrays) -> tuple[BlockFacts, ...]:
    facts = []
    for place, block in enumerate(folded.blocks):
        units = block.space.units
        name = f"{number}.block.{place}"
        for part, rows in _vectors(units):
            kept = coded(rows)
            arrays[f"{name}.{part}.codes"] = kept.codes
            arrays[f"{name}.{part}.scales"] = kept.scales
        arrays[f"{name}.through"] = units.through
        arrays[f"{name}.kept"] = units.kept.astype(np.int32)
        if units.gate_length is not None:
            arrays[f"{name}.gate_length"] = units.gate_length
        facts.append(
            BlockFacts(layer=block.layer, name=block.name, neurons=len(units), gated=units.gated)
        )
    return tuple(facts)


def _vectors(units: Units) -> list[tuple[str, NDArray[np.float32]]]:
    parts = [("up", units.up), ("down", units.down)]
    return parts if units.gate is None else [("gate", units.gate), *parts]


def _anchors(source: Source, body: Body) -> tuple[tuple[str, ...], Arrays]:
    """Return the anchors' texts, and their rows of embedding and head in canonical form."""
    rows = source.token_rows()
    cells = {"embedding": body.embedding, "head": body.head}
    held = {role: cell for role, cell in cells.items() if cell is not None}
    if rows is None or not held:
        return (), {}
    fewest = min(cell.units for cell in held.values())
    known = [token for token, row in rows.items() if row < fewest]
    count = max(_LEAST_ANCHORS, _ANCHORS_OF_WIDTH * body.width)
    tokens = sampled_tokens(known, count)
    which = [rows[token] for token in tokens]
    arrays: Arrays = {}
    for role, cell in held.items():
        values = _cell_rows(source, body, cell, role=role, which=which)
        if len(values) and np.isfinite(values).all():
            kept = coded(values)
            arrays[f"{role}.codes"] = kept.codes
            arrays[f"{role}.scales"] = kept.scales
    return tokens, arrays


def _cell_rows(
    source: Source, body: Body, cell: Cell, *, role: str, which: Sequence[int]
) -> NDArray[np.float32]:
    wanted, back = np.unique(np.asarray(which, dtype=np.int64), return_inverse=True)
    norm = body.final_norm if role == "head" else None
    return np.asarray(fold_rows(source, body, cell, norm=norm, rows=wanted)[back])
