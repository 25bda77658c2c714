"""The suspect's values as entries of a library ask for them, each read once.

Which rows the entries keep is known from their pages, so that the largest part that any of them
keeps is read before the first is compared; smaller parts lie inside of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dokja.errors import NotComparableError
from dokja.evidence.lineage.components import ComponentTensors, Inventory
from dokja.evidence.lineage.library.draws import window
from dokja.evidence.lineage.library.entries import ComponentFacts, EntryFacts, TableFacts
from dokja.evidence.lineage.library.kept import layers_of, rows_of_tokens, table_shape
from dokja.models.comparison import direction
from dokja.models.weights import Source

__all__ = ["Directions", "SuspectValues", "shared_tables"]

_Key = tuple[str, str, tuple[int, int]]
_MATRIX = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Directions:
    """One role of a component: a direction for each layer that has one.

    Attributes:
        layers: Which layers, rising.
        values: Shape `(layers, rows, columns)`; each layer's square sum is 1.
    """

    layers: tuple[int, ...]
    values: NDArray[np.float32]


def shared_tables(ours: ComponentTensors, theirs: ComponentFacts) -> tuple[TableFacts, ...]:
    """Return what an entry keeps of a component that a component of the suspect has too."""
    shapes = {
        (role, table_shape(tensor)) for layer in layers_of(ours) for role, tensor in layer.items()
    }
    return tuple(table for table in theirs.tables if (table.role, table.shape) in shapes)


@dataclass(slots=True, eq=False)
class SuspectValues:
    """What was read of a suspect.

    Attributes:
        source: The opened weights.
        held: Its components.
    """

    source: Source
    held: Inventory
    _raw: dict[_Key, list[tuple[int, NDArray[np.float32]]]] = field(default_factory=dict)
    _made: dict[tuple[_Key, int, int], Directions | None] = field(default_factory=dict)
    _gains: dict[tuple[str, int, str], NDArray[np.float32]] = field(default_factory=dict)
    _tokens: dict[str, int] = field(default_factory=dict)
    _buffers: dict[tuple[int, ...], NDArray[np.float32]] = field(default_factory=dict)
    _token_rows: dict[tuple[str, str], NDArray[np.float32]] = field(default_factory=dict)
    _directed: dict[
        tuple[str, str, tuple[str, ...]], tuple[NDArray[np.int64], NDArray[np.float32]] | None
    ] = field(default_factory=dict)

    def buffer(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return memory for what an entry keeps; it is overwritten by the next of that shape."""
        if shape not in self._buffers:
            self._buffers[shape] = np.empty(shape, dtype=np.float32)
        return self._buffers[shape]

    def read_for(self, entries: Iterable[EntryFacts]) -> None:
        """Read what any of the entries keeps of what the suspect has too.

        Raises:
            WeightsError: A file changed since it was checked, or a tokenizer is damaged.
        """
        pages = list(entries)
        theirs = [component for page in pages for component in page.components]
        for ours in self.held.components:
            wanted: dict[tuple[str, tuple[int, int]], int] = {}
            for component in theirs:
                for table in shared_tables(ours, component):
                    key = (table.role, table.shape)
                    wanted[key] = max(wanted.get(key, 0), table.rows)
            for (role, shape), rows in sorted(wanted.items()):
                self._raw[ours.component, role, shape] = self._rows(ours, role, shape, rows)
        self._read_tokens(pages)

    def _rows(
        self, ours: ComponentTensors, role: str, shape: tuple[int, int], rows: int
    ) -> list[tuple[int, NDArray[np.float32]]]:
        first = window(role, shape, columns=shape[1]).first
        return [
            (number, self.source.read_rows(tensor.name, first, first + rows).reshape(rows, -1))
            for number, layer in enumerate(layers_of(ours))
            for named, tensor in layer.items()
            if named == role and table_shape(tensor) == shape
        ]

    def _read_tokens(self, pages: Iterable[EntryFacts]) -> None:
        rows = self.source.token_rows()
        if rows is None:
            return
        wanted = sorted({token for page in pages for token in page.tokens if token in rows})
        self._tokens = {token: place for place, token in enumerate(wanted)}
        for ours in self.held.components:
            for role, tensor in ours.token_rows.items():
                if len(tensor.shape) != _MATRIX or not wanted:
                    continue
                # A token beyond the matrix has no row; it takes part as one that is not finite.
                places = [rows[token] for token in wanted]
                inside = [min(place, tensor.shape[0] - 1) for place in places]
                values = rows_of_tokens(self.source, tensor.name, inside)
                values[np.asarray(places) >= tensor.shape[0]] = np.nan
                self._token_rows[ours.component, role] = values

    def directions(self, ours: ComponentTensors, table: TableFacts) -> Directions | None:
        """Return the suspect's side of a table; none where nothing of it can be compared."""
        key = (ours.component, table.role, table.shape)
        made = (key, table.rows, table.columns)
        if made not in self._made:
            part = window(table.role, table.shape, columns=table.columns)
            layers, found = [], []
            for number, raw in self._raw.get(key, ()):
                try:
                    found.append(direction(part.of(raw, table.rows)))
                except NotComparableError:
                    continue  # it holds nothing finite, or nothing that varies
                layers.append(number)
            self._made[made] = (
                Directions(
                    layers=tuple(layers),
                    values=np.stack(found).reshape(len(found), table.rows, table.columns),
                )
                if found
                else None
            )
        return self._made[made]

    def token_rows(
        self, ours: ComponentTensors, role: str, tokens: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        """Return the direction of rows of those of some tokens that the suspect has.

        Args:
            ours: The component.
            role: `embedding` or `head`.
            tokens: By text; only what an entry that was read for samples.

        Returns:
            Which of the tokens, by their places, and their rows, centred and of length 1
            together; none where the suspect has no such rows, or nothing in them varies.
        """
        key = (ours.component, role, tuple(tokens))
        if key not in self._directed:
            self._directed[key] = self._token_direction(ours, role, tokens)
        return self._directed[key]

    def _token_direction(
        self, ours: ComponentTensors, role: str, tokens: Sequence[str]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
        held = self._token_rows.get((ours.component, role))
        if held is None:
            return None
        known = [(i, self._tokens[one]) for i, one in enumerate(tokens) if one in self._tokens]
        which = np.array([place for place, _ in known], dtype=np.int64)
        values = held[np.array([row for _, row in known], dtype=np.int64)]
        finite = np.isfinite(values).all(axis=1)
        which, values = which[finite], values[finite]
        try:
            return which, direction(values).reshape(values.shape)
        except NotComparableError:
            return None

    def gain(self, ours: ComponentTensors, layer: int, role: str) -> NDArray[np.float32] | None:
        """Return a layer's gain; none where the suspect has none of this role there.

        Raises:
            WeightsError: A file changed since it was checked.
        """
        held: Mapping[str, object] = ours.gains[layer] if layer < len(ours.gains) else {}
        if role not in held:
            return None
        key = (ours.component, layer, role)
        if key not in self._gains:
            self._gains[key] = self.source.read(ours.gains[layer][role].name).ravel()
        return self._gains[key]
