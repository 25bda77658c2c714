"""How many heads an attention block has: from shapes first, from the configuration where it fits.

Row counts alone leave the width of a head open. Gains over a head, one number per head (an
attention sink), or a configuration that fits the shapes close it; nothing else does.
"""

from dataclasses import dataclass
from math import gcd

from dokja.evidence.lineage.bodies import Cell
from dokja.evidence.lineage.shapes import Survey
from dokja.evidence.lineage.unfusing import HeadSizes

__all__ = ["Rows", "head_sizes", "latent_sizes"]

_MOST_HEADS = 65_536
"""More than these are no heads: public models have some hundreds in a layer."""

_USUAL = 128
"""The most common width of a head, tried where nothing tells it; always with a doubt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """What shapes say of an attention block.

    Attributes:
        where: The tensors, as a sentence names them.
        queries: Rows of queries.
        keys: Rows of keys.
        values: Rows of values.
        mixed: Columns of what writes to the residual.
        gains: Length of the gains over queries; none where there are none.
        heads: Heads as one number per head shows; none where no such tensor is there.
    """

    where: str
    queries: int
    keys: int
    values: int
    mixed: int
    gains: int | None = None
    heads: int | None = None


def head_sizes(survey: Survey, rows: Rows) -> HeadSizes | None:
    """Return heads and widths; None after a doubt where the rows fit no heads at all."""
    width = _width(survey, rows)
    if width is None or rows.queries % width or rows.keys % width:
        survey.doubt(
            f"{rows.where}: {rows.queries} rows of queries and {rows.keys} of keys are "
            "no heads of one width"
        )
        return None
    heads, kv_heads = rows.queries // width, rows.keys // width
    if heads > _MOST_HEADS:
        survey.doubt(f"{rows.where}: {heads} are more than can be heads")
        return None
    if heads % kv_heads or rows.values % kv_heads:
        survey.doubt(
            f"{rows.where}: {heads} query heads and {rows.values} rows of values cannot be "
            f"shared among {kv_heads} key heads"
        )
        return None
    value = rows.values // kv_heads
    if value * heads != rows.mixed:
        survey.doubt(
            f"{rows.where}: {heads} heads of {value} values are {value * heads}, but the "
            f"output has room for {rows.mixed}"
        )
        return None
    _against_claims(survey, rows, heads=heads, kv_heads=kv_heads, width=width)
    return HeadSizes(heads=heads, kv_heads=kv_heads, width=width, value=value)


def _width(survey: Survey, rows: Rows) -> int | None:
    shared = gcd(rows.queries, rows.keys)
    if shared == 0:
        return None
    candidates: list[int] = []
    # Gains over all queries at once, as in OLMo 2, say nothing of one head.
    if rows.gains is not None and rows.gains < rows.queries:
        candidates.append(rows.gains)
    if rows.heads is not None and rows.queries % rows.heads == 0:
        candidates.append(rows.queries // rows.heads)
    candidates += [claim.value for claim in survey.claims.sizes("head_width")]
    heads = survey.claims.size("heads")
    if heads is not None and rows.queries % heads.value == 0:
        candidates.append(rows.queries // heads.value)
    fitting = next((width for width in candidates if width and shared % width == 0), None)
    if fitting is not None:
        return fitting
    if candidates and not survey.guesses:
        survey.misfits = True
        return None
    guess = gcd(shared, _USUAL)
    survey.doubt(
        f"{rows.where}: neither shapes nor a fitting configuration tell how wide a head is; "
        f"{guess} was taken, so that {rows.queries // guess} query heads are a guess"
    )
    return guess


def _against_claims(survey: Survey, rows: Rows, *, heads: int, kv_heads: int, width: int) -> None:
    for what, found, thing in (
        ("heads", heads, "query heads"),
        ("kv_heads", kv_heads, "key heads"),
        ("head_width", width, "dimensions of a head"),
    ):
        # Layers may be of several kinds, each with a key of its own.
        claims = survey.claims.sizes(what)
        if claims and found not in {claim.value for claim in claims}:
            said = ", ".join(f"{claim.key} {claim.value}" for claim in claims)
            survey.doubt(f"the configuration says {said}, but {rows.where} hold {found} {thing}")


def latent_sizes(
    *, kv_down: Cell, kv_up: Cell, q_up: Cell, o: Cell, gated: bool
) -> dict[str, int] | None:
    """Return the sizes of latent attention, or None where the shapes fit none.

    With n heads of p plain, r rotated and v value dimensions over a latent l, the shapes are
    n(p + r) rows of queries, n(p + v) of keys and values, nv columns of output and l + r rows of
    latents; gated queries have nv rows more.

    Args:
        kv_down: Latents and the rotated key.
        kv_up: Keys and values.
        q_up: Queries.
        o: What writes to the residual.
        gated: Whether a gate of the values stands among the rows of queries.
    """
    latent = kv_up.residual
    rotated = kv_down.units - latent
    plain_of_all = kv_up.units - o.units
    rotated_of_all = q_up.units - plain_of_all - (o.units if gated else 0)
    if rotated <= 0 or plain_of_all <= 0 or rotated_of_all <= 0 or rotated_of_all % rotated:
        return None
    heads = rotated_of_all // rotated
    if heads > _MOST_HEADS or plain_of_all % heads or o.units % heads:
        return None
    return {
        "latent": latent,
        "rotated": rotated,
        "heads": heads,
        "plain": plain_of_all // heads,
        "value": o.units // heads,
    }
