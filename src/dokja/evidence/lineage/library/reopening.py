"""What a forensic entry keeps, as blocks that can be laid beside another model's, and as rows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dokja.errors import LibraryError, Mistake, NotComparableError
from dokja.evidence.lineage.folding import Block, Folded
from dokja.evidence.lineage.library.entries import BlockFacts, BodyFacts
from dokja.evidence.lineage.library.forensics import BLOCKS, anchors_file, vocabulary_file
from dokja.evidence.lineage.library.shelves import Entry, Kept
from dokja.models.comparison import LayerSpace, Units, units_of

__all__ = ["KeptBody", "reopen", "seen_through"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeptBody:
    """A component of a forensic entry.

    Attributes:
        entry: Whose it is.
        number: Its place on the page.
        facts: What the page says of it.
        folded: Its blocks in canonical form, in all coordinates of the residual stream.
    """

    entry: Entry
    number: int
    facts: BodyFacts
    folded: Folded

    def anchors(self) -> tuple[str, ...]:
        """Return the anchors' texts in the order of their rows; empty where there are none.

        Raises:
            LibraryError: They are damaged.
        """
        if not self.facts.anchors:
            return ()
        path = self.entry.file(vocabulary_file(self.number))
        tokens = json.loads(path.read_bytes())
        sound = isinstance(tokens, list) and all(isinstance(one, str) for one in tokens)
        if not sound or len(tokens) != self.facts.anchors:
            wrong = Mistake(
                file=str(path),
                place="",
                read="no list of as many texts as the page says",
                expected=f"{self.facts.anchors} texts",
            )
            raise LibraryError([wrong], changed="The entry was not used.")
        return tuple(tokens)

    def rows(self, role: str, which: Sequence[int]) -> NDArray[np.float32]:
        """Return rows of anchors of `embedding` or `head`, in canonical form.

        Raises:
            LibraryError: They are damaged.
            NotComparableError: The entry keeps none.
        """
        if role not in self.facts.rows:
            raise NotComparableError(f"the entry keeps no {role}")
        kept = self.entry.opened(anchors_file(self.number))
        values = kept.values(role, (self.facts.anchors, self.facts.width))
        return np.asarray(values[np.asarray(which, dtype=np.int64)])


def reopen(entry: Entry, number: int) -> KeptBody:
    """Return a component of a forensic entry.

    Raises:
        LibraryError: Its file is damaged, or does not hold what the page says.
    """
    facts = entry.facts.bodies[number]
    kept = entry.opened(BLOCKS) if facts.blocks else None
    blocks = tuple(
        Block(
            layer=block.layer,
            name=block.name,
            space=LayerSpace(
                units=_units(kept, f"{number}.block.{place}", block, width=facts.width), forms={}
            ),
        )
        for place, block in enumerate(facts.blocks)
        if kept is not None
    )
    folded = Folded(width=facts.width, depth=facts.depth, blocks=blocks, values=0)
    return KeptBody(entry=entry, number=number, facts=facts, folded=folded)


def _units(kept: Kept, name: str, block: BlockFacts, *, width: int) -> Units:
    shape = (block.neurons, width)
    gate = kept.values(f"{name}.gate", shape) if block.gated else None
    parts = [kept.values(f"{name}.{part}", shape) for part in ("up", "down")]
    return Units(
        gate=None if gate is None else _unit(gate),
        up=_unit(parts[0]),
        down=_unit(parts[1]),
        gate_length=kept.array(f"{name}.gate_length", shape[:1]) if block.gated else None,
        through=kept.array(f"{name}.through", shape[:1]),
        kept=kept.array(f"{name}.kept", shape[:1]).astype(np.int64),
    )


def _unit(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring rows back to length 1, from which eight bits moved them a little."""
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-30))
    return rows


def seen_through(folded: Folded, onto: NDArray[np.floating]) -> Folded:
    """Return blocks seen through some axes, as `folding.sketch` sees a model's own.

    Args:
        folded: In all coordinates.
        onto: Shape `(width, axes)`.
    """
    seen = onto.astype(np.float32)
    blocks = []
    for block in folded.blocks:
        units = block.space.units
        gate = None if units.gate is None else units.gate @ seen
        found = units_of(gate, units.up @ seen, units.down @ seen)
        found = replace(found, kept=units.kept[found.kept])
        blocks.append(replace(block, space=LayerSpace(units=found, forms={})))
    return replace(folded, width=int(seen.shape[1]), blocks=tuple(blocks), sketched=True)
