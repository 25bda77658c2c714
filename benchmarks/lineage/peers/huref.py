"""HuRef's invariant terms (arXiv 2312.04828): what the last two layers do between shared tokens.

With X the embeddings of shared tokens, three matrices of tokens by tokens are invariant to
re-orderings and to what goes on inside heads: X W_qᵀW_k Xᵀ, X W_vᵀW_oᵀ Xᵀ and, for a gated
block, X (g ⊙ u)ᵀdᵀ Xᵀ. The score is the mean cosine of these, each matrix less its mean.

The paper has no blocks of experts: here the terms of all experts of a layer are added, which
their order does not change. Folded gains with a dense turn, and new embeddings, defeat it; and
signs of the residual stream the gated term, since (−g) ⊙ (−u) is g ⊙ u.
"""

from collections.abc import Iterator

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.lineage.bodies import Ffn
from dokja.models.weights import Source

from .projections import projections_of
from .sides import Matrix, Score, Side, scored, shared_embeddings

NAME = "HuRef-ICS"
HIGHER_IS_RELATED = True
_LAYERS = 2
_MOST_TOKENS = 4096


def score(suspect: Source, reference: Source, *, component: str = "language-body") -> Score:
    """Return the mean cosine of centred invariant terms, in [-1, 1]; 1 for a copy."""
    return scored(
        _likeness, suspect, reference, component=component, higher_is_related=HIGHER_IS_RELATED
    )


def _likeness(suspect: Side, reference: Side) -> float:
    ours, theirs = shared_embeddings(suspect, reference, least=2, most=_MOST_TOKENS)
    first, second = _forms(suspect), _forms(reference)
    shared = [key for key in first if key in second]
    if not shared:
        raise NotComparableError("the last two layers have no term in common")
    cosines = []
    for key in shared:
        a, b = _term(ours, first[key]), _term(theirs, second[key])
        lengths = float(np.linalg.norm(a) * np.linalg.norm(b))
        if not lengths:
            raise NotComparableError(f"the term {key[1]} is constant")
        cosines.append(float(np.vdot(a, b)) / lengths)
    return float(np.mean(cosines))


def _term(tokens: Matrix, form: Matrix) -> Matrix:
    values = tokens @ form @ tokens.T
    return np.asarray(values - values.mean())


def _forms(side: Side) -> dict[tuple[int, str], Matrix]:
    """Return each form of width by width, by how many layers it stands before the end."""
    found: dict[tuple[int, str], Matrix] = {}
    for back, block in enumerate(reversed(list(projections_of(side)))):
        if back < _LAYERS:
            found |= {(back, "qk"): block.qk, (back, "vo"): block.vo}
    for back, layer in enumerate(reversed(side.body.layers)):
        blocks = [*([] if layer.ffn is None else [layer.ffn]), *layer.experts, *layer.shared]
        if back < _LAYERS and blocks:
            found[back, "ffn"] = np.sum(list(_ffn_forms(side, blocks)), axis=0)
    return found


def _ffn_forms(side: Side, blocks: list[Ffn]) -> Iterator[Matrix]:
    for block in blocks:
        reads, writes = side.matrix(block.up), side.matrix(block.down)
        if block.gate is not None:
            reads = reads * side.matrix(block.gate)
        if len(reads) != len(writes):
            raise NotComparableError(f"{block.up.tensor} and {block.down.tensor} do not fit")
        yield reads.T @ writes
