"""Taking fused projections apart: which rows of one tensor belong to which role.

Whether a fused tensor is concatenated, goes by groups of heads or is woven row by row shows in
no shape; names and model type propose it. That the parts add up is checked before by the caller.
"""

from dataclasses import dataclass, replace
from functools import lru_cache

from dokja.evidence.lineage.bodies import Cell

__all__ = ["HeadSizes", "followed", "gate_and_up", "gated_queries", "queries_keys_values"]

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSizes:
    """How many heads an attention block has, and how wide they are.

    Attributes:
        heads: Query heads.
        kv_heads: Heads of keys and values.
        width: Dimensions of a query or key head.
        value: Dimensions of a value head.
    """

    heads: int
    kv_heads: int
    width: int
    value: int


def queries_keys_values(
    fused: Cell, sizes: HeadSizes, *, by_group: bool
) -> tuple[Cell, Cell, Cell]:
    """Return queries, keys and values of a fused projection.

    Args:
        fused: All rows.
        sizes: Its heads.
        by_group: Whether each group of query heads is followed by its own key and value head;
            otherwise all queries come first, then all keys, then all values.

    Example:
        >>> fused = Cell(tensor="qkv", units=8, residual=4)
        >>> sizes = HeadSizes(heads=2, kv_heads=1, width=2, value=2)
        >>> [cell.picks for cell in queries_keys_values(fused, sizes, by_group=False)]
        [((0, 4),), ((4, 6),), ((6, 8),)]
    """
    ranges = _by_group(sizes) if by_group else _concatenated(sizes)
    q, k, v = (_picked(fused, picks) for picks in ranges)
    return q, k, v


def gated_queries(fused: Cell, sizes: HeadSizes) -> tuple[Cell, Cell]:
    """Return queries and their gates, where each head's gate follows its query.

    Args:
        fused: Twice as many rows as queries.
        sizes: Its heads.
    """
    return followed(fused, heads=sizes.heads, first=sizes.width, then=sizes.width)


def followed(fused: Cell, *, heads: int, first: int, then: int) -> tuple[Cell, Cell]:
    """Return two parts of which each head has one after the other.

    Args:
        fused: All rows.
        heads: How often the two follow each other.
        first: Rows of the one in each head.
        then: Rows of the other.

    Example:
        >>> fused = Cell(tensor="w", units=6, residual=8)
        >>> [cell.picks for cell in followed(fused, heads=2, first=2, then=1)]
        [((0, 2), (3, 5)), ((2, 3), (5, 6))]
    """
    one, other = _woven(heads, first, then)
    return _picked(fused, one), _picked(fused, other)


def gate_and_up(fused: Cell, *, woven: bool) -> tuple[Cell, Cell]:
    """Return gate and up of a fused projection: its halves, or its even and odd rows.

    Example:
        >>> [cell.picks for cell in gate_and_up(Cell(tensor="w", units=4, residual=8), woven=False)]
        [((0, 2),), ((2, 4),)]
    """
    half = fused.units // 2
    first, second = _woven(half, 1, 1) if woven else (((0, half),), ((half, 2 * half),))
    return _picked(fused, first), _picked(fused, second)


def _picked(fused: Cell, picks: Ranges) -> Cell:
    return replace(fused, units=sum(stop - start for start, stop in picks), picks=picks)


def _concatenated(sizes: HeadSizes) -> tuple[Ranges, Ranges, Ranges]:
    queries = sizes.heads * sizes.width
    keys = queries + sizes.kv_heads * sizes.width
    values = keys + sizes.kv_heads * sizes.value
    return ((0, queries),), ((queries, keys),), ((keys, values),)


# Layers share their ranges: a stack of experts would else hold millions of them.
@lru_cache(maxsize=64)
def _by_group(sizes: HeadSizes) -> tuple[Ranges, Ranges, Ranges]:
    inside = sizes.heads // sizes.kv_heads * sizes.width
    each = inside + sizes.width + sizes.value
    starts = [group * each for group in range(sizes.kv_heads)]
    keys = inside + sizes.width
    return (
        tuple((start, start + inside) for start in starts),
        tuple((start + inside, start + keys) for start in starts),
        tuple((start + keys, start + each) for start in starts),
    )


@lru_cache(maxsize=64)
def _woven(count: int, first: int, then: int) -> tuple[Ranges, Ranges]:
    starts = [place * (first + then) for place in range(count)]
    return (
        tuple((start, start + first) for start in starts),
        tuple((start + first, start + first + then) for start in starts),
    )
