"""What every peer needs of two models: the component, its values, its tokens, and a score.

Peers read weights as they lie in the files: nothing is folded and nothing re-expressed, since
none of their papers does so. Where a method has no answer it says why; 0 is an answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Body, Cell
from dokja.evidence.lineage.cells import read_cell
from dokja.evidence.lineage.mapping import map_bodies
from dokja.models.weights import Source

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a peer says of a pair.

    Attributes:
        value: In the peer's own unit; none where its method cannot be applied.
        missing: Why there is no value; empty where there is one.
        higher_is_related: Whether larger values speak for a relation.
        said: The peer's own word for the pair, where it has one.
    """

    value: float | None
    missing: str = ""
    higher_is_related: bool = True
    said: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One model of a pair.

    Attributes:
        source: Its opened weights.
        body: The component that is compared.
    """

    source: Source
    body: Body

    def matrix(self, cell: Cell) -> Matrix:
        """Return a matrix of units by residual coordinates, as stored.

        Raises:
            NotComparableError: A value is not finite.
        """
        values = read_cell(self.source, cell).astype(np.float64)
        if not np.isfinite(values).all():
            raise NotComparableError(f"{cell.tensor} holds a value that is not finite")
        return values


def scored(
    measure: Callable[[Side, Side], float],
    suspect: Source,
    reference: Source,
    *,
    component: str,
    higher_is_related: bool,
) -> Score:
    """Return what a measure says of a component of two models.

    Args:
        measure: From suspect and reference to a value; raises `NotComparableError` where its
            method has none.
        suspect: The model in question.
        reference: The candidate ancestor.
        component: As `map_bodies` names it.
        higher_is_related: Whether larger values speak for a relation.
    """
    try:
        value = measure(_side(suspect, component), _side(reference, component))
    except NotComparableError as error:
        return Score(value=None, missing=str(error), higher_is_related=higher_is_related)
    return Score(value=value, higher_is_related=higher_is_related)


def _side(source: Source, component: str) -> Side:
    bodies = map_bodies(source)
    found = next((body for body in bodies if body.component == component), None)
    if found is None:
        names = ", ".join(body.component for body in bodies)
        raise NotComparableError(f"{source.name} has no {component}, only: {names or 'nothing'}")
    return Side(source=source, body=found)


def shared_embeddings(
    suspect: Side, reference: Side, *, least: int, most: int | None = None
) -> tuple[Matrix, Matrix]:
    """Return the embeddings of the tokens that both models have, row beside row.

    Args:
        suspect: The model in question.
        reference: The candidate ancestor.
        least: How many shared tokens the method needs.
        most: At most so many are taken, evenly spaced over the reference's rows.

    Returns:
        Shapes `(tokens, suspect's width)` and `(tokens, reference's width)`.

    Raises:
        NotComparableError: A side has no embedding or no tokenizer, or too few tokens are shared.
    """
    cells = (suspect.body.embedding, reference.body.embedding)
    rows = (suspect.source.token_rows(), reference.source.token_rows())
    if cells[0] is None or cells[1] is None:
        raise NotComparableError("a model has no embedding")
    if rows[0] is None or rows[1] is None:
        raise NotComparableError("a model has no tokenizer, so that rows cannot be paired by text")
    pairs = sorted(
        (row, rows[0][token])
        for token, row in rows[1].items()
        if row < cells[1].units and rows[0].get(token, cells[0].units) < cells[0].units
    )
    if len(pairs) < least:
        raise NotComparableError(f"{len(pairs)} shared tokens; the method needs {least}")
    if most is not None and len(pairs) > most:
        pairs = [pairs[i] for i in np.linspace(0, len(pairs) - 1, most).astype(int)]
    theirs, ours = (np.array(side, dtype=np.int64) for side in zip(*pairs, strict=True))
    return suspect.matrix(cells[0])[ours], reference.matrix(cells[1])[theirs]
