"""A component as its network uses it, whatever its file calls and lays out its tensors.

Every matrix stands the same way: a row is a *unit* (a neuron, a head's dimension, a token, an
expert), a column is a coordinate of the residual stream that the unit reads from or writes to.
So `down` and `o` stand turned, fused projections are taken apart, and stacks of experts are
single experts. Which tensors these are is decided by `mapping`; nothing here knows a name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Attention", "Body", "Cell", "Ffn", "Latent", "Layer", "Norm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Where a matrix of units by residual coordinates lies.

    Attributes:
        tensor: Name in the file.
        units: Rows of the matrix.
        residual: Columns of the matrix.
        turned: Whether the file holds the units as columns.
        picks: Ranges (start, stop) of the units as the file counts them, in order; empty for
            all. A fused tensor is taken apart by it.
        expert: Place along the first axis of a stack of experts; none where it is no stack.
    """

    tensor: str
    units: int
    residual: int
    turned: bool = False
    picks: tuple[tuple[int, int], ...] = ()
    expert: int | None = None

    @property
    def parameters(self) -> int:
        """How many values it has."""
        return self.units * self.residual


@dataclass(frozen=True, slots=True, kw_only=True)
class Norm:
    """A normalisation.

    Attributes:
        gain: Name of the tensor of gains.
        bias: Name of its bias; none where there is none.
        offset: What the file leaves off each gain: 1 where gains are kept as gain - 1.
    """

    gain: str
    bias: str | None = None
    offset: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ffn:
    """A feed-forward block, or one expert.

    Attributes:
        gate: Reads the residual, through the activation; none where nothing is gated.
        up: Reads the residual.
        down: Writes to the residual.
    """

    gate: Cell | None
    up: Cell
    down: Cell


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """The latent projections of multi-head latent attention (DeepSeek-V2, arXiv 2405.04434).

    Attributes:
        kv_down: Reads the residual: latent dimensions, then the shared rotated key.
        kv_up: From latent dimensions (its columns) to each head's key and value (its rows).
        q_down: Reads the residual into the query's latent; none where queries have none.
        q_up: From the query's latent, or from the residual, to each head's query.
        latent: Latent dimensions of keys and values.
        rotated: Dimensions of a head that carry positions.
        plain: Dimensions of a head's key that do not.
        value: Dimensions of a head's value.
        kv_norm: Normalisation of the latent; none where there is none.
        q_norm: Likewise of the query's latent.
    """

    kv_down: Cell
    kv_up: Cell
    q_down: Cell | None
    q_up: Cell
    latent: int
    rotated: int
    plain: int
    value: int
    kv_norm: Norm | None = None
    q_norm: Norm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """An attention block; rows of `q`, `k`, `v` and `o` are the dimensions of head after head.

    Attributes:
        q: Reads the residual; none under latent attention.
        k: Likewise.
        v: Likewise.
        o: Writes to the residual.
        heads: Query heads.
        kv_heads: Heads of keys and values.
        latent: Latent projections in place of `q`, `k` and `v`.
        q_norm: Normalisation of each query head.
        k_norm: Likewise of each key head.
    """

    q: Cell | None
    k: Cell | None
    v: Cell | None
    o: Cell
    heads: int
    kv_heads: int
    latent: Latent | None = None
    q_norm: Norm | None = None
    k_norm: Norm | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer of a component.

    Attributes:
        attention: None where the layer has none that is known, such as a state-space layer.
        ffn: The dense block; none where all are experts.
        experts: Routed experts, in order.
        shared: Experts that every token takes.
        router: One unit for each expert; none where nothing is routed.
        norm_attention: Normalises what attention reads; none where it is not normalised.
        norm_ffn: Normalises what the blocks and the router read.
        writes_are_normed: Whether what a block writes is normalised before it is added: then
            only permutations and signs of the residual leave the network as it is.
        write_norms: What normalises what the blocks write, in the order of their names.
        mixers: Matrices that read or write the residual in yet other blocks, such as state-space
            and cross-attention ones, by what they do.
    """

    attention: Attention | None = None
    ffn: Ffn | None = None
    experts: tuple[Ffn, ...] = ()
    shared: tuple[Ffn, ...] = ()
    router: Cell | None = None
    norm_attention: Norm | None = None
    norm_ffn: Norm | None = None
    writes_are_normed: bool = False
    write_norms: tuple[Norm, ...] = ()
    mixers: Mapping[str, Cell] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A component with a residual stream of its own.

    Attributes:
        component: Its name.
        role: What it is for, such as `language-body`.
        width: Dimensions of the residual stream.
        layers: In order.
        embedding: One unit for each token; none where there is none (encoders).
        head: Likewise; the embedding itself where both are tied.
        final_norm: Normalises what the head reads.
        layer_norm: Whether normalisations take the mean away (LayerNorm), not only the scale.
        parameters: How many values its tensors hold.
        mapped: How many of them have a place in these fields, `others` included.
        unmapped: Tensors without a place.
        doubts: What contradicts itself: tensors whose shapes do not fit together, a
            configuration that says otherwise than the headers. Each a sentence.
        others: What tensors are that have a place but are no matrix of units beside the
            residual, such as biases, by their names.
        matrices: Matrices outside of layers other than embedding and head, such as a
            projector's or what makes patches of a picture, by the tensors' names.
    """

    component: str
    role: str
    width: int
    layers: tuple[Layer, ...]
    embedding: Cell | None = None
    head: Cell | None = None
    final_norm: Norm | None = None
    layer_norm: bool = False
    parameters: int = 0
    mapped: int = 0
    unmapped: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    matrices: Mapping[str, Cell] = field(default_factory=dict)

    @property
    def tied(self) -> bool:
        """Whether embedding and head are one tensor."""
        return self.embedding is not None and self.embedding == self.head
