"""What is wrong with recorded results, told with counts, before anybody compares them.

Every flag is one of a closed list, says what it rests on, and names what it forbids until it is
settled. Nothing is repaired: a flag changes no cell.
"""

from dokja.evidence.benchmarks.aligning import Alignment
from dokja.evidence.benchmarks.quality.absences import missing_flags
from dokja.evidence.benchmarks.quality.faults import (
    batch_flags,
    charge_flags,
    empty_flags,
    label_flags,
)
from dokja.evidence.benchmarks.quality.flags import BLOCKS, FLAGS, FlagKind, raised
from dokja.evidence.benchmarks.quality.identities import (
    alignment_flags,
    appended_flags,
    content_flags,
    key_flags,
    prompt_flags,
    spelling_flags,
    twice_flags,
)
from dokja.evidence.benchmarks.quality.presence import Presence, presence
from dokja.evidence.benchmarks.quality.sense import blind_flags, chance_flags, constant_flags
from dokja.evidence.benchmarks.quality.zeros import cell_flags, cost_flags, stratum_flags
from dokja.evidence.benchmarks.rows import Rows
from dokja.evidence.benchmarks.tables import Flag

__all__ = [
    "BLOCKS",
    "FLAGS",
    "FlagKind",
    "Presence",
    "cell_flags",
    "flags_of",
    "presence",
    "raised",
]


def flags_of(
    rows: Rows, alignment: Alignment, *, options: tuple[str, ...] = ()
) -> tuple[Flag, ...]:
    """Return everything that a reader of these rows must know.

    Args:
        rows: What was recorded.
        alignment: Which item each row answers.
        options: The labels that items allow; empty if that is not declared.
    """
    counted = presence(rows, alignment)
    return (
        *twice_flags(rows),
        *appended_flags(rows),
        *key_flags(rows),
        *content_flags(rows),
        *prompt_flags(rows),
        *spelling_flags(rows),
        *alignment_flags(rows, alignment),
        *missing_flags(counted),
        *batch_flags(rows, counted),
        *empty_flags(rows),
        *label_flags(rows, options=options),
        *charge_flags(rows),
        *chance_flags(rows),
        *constant_flags(rows),
        *blind_flags(counted),
        *stratum_flags(counted),
        *cost_flags(rows),
    )
