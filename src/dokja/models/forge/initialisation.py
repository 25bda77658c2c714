"""Draws a model's first weights from a seed, bit-equal on every machine.

A value is `std * Q[u]`. `u` is a 16-bit word of a raw stream of Philox4x64-10 (Salmon et al.,
"Parallel random numbers: as easy as 1, 2, 3", 2011), keyed by the seed and the tensor's name;
`Q` is a table of 65,536 quantiles of the normal distribution, shipped as a file whose digest is
pinned here. Integers and one float32 multiplication are all there is, so that no library's
idea of a normal draw, and no order of drawing, comes in. Any part of any tensor can be drawn
alone: whoever checks a start needs neither the whole model nor its memory.

Stream `dokja.init/1`: the key is the first 16 bytes, little-endian, of SHA-256 over
`"dokja.init/1" 0x00`, the seed's length in eight little-endian bytes, the seed, and the name in
UTF-8. The stream's 64-bit words, for the counters 1, 2, 3 and so on with four words each, are cut
into four 16-bit words from the low end; word i makes value i of the tensor in C order.

Standard deviations: 0.02 for embeddings and matrices (Radford et al. 2019, GPT-2), divided by
sqrt(2 * layers) where a matrix writes into the residual stream. Gains are 1, biases 0.
"""

import functools
import hashlib
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, RecipeError
from dokja.models.weights.roots import TensorDigest, tensor_digest
from dokja.values import Digest

__all__ = [
    "QUANTILES_DIGEST",
    "STANDARD_DEVIATION",
    "VERSION",
    "Shaped",
    "deviation",
    "initial_chunks",
    "initial_digests",
    "initial_tensor",
    "initial_values",
    "initialise",
    "quantiles",
]

VERSION = "dokja.init/1"
"""Named in records; another stream, table or rule needs another."""

QUANTILES_DIGEST = Digest("1cfbba1e07e34386a57626f82aeb43e6ed54ba70a3ea6b7d964dc66a841074a8")
"""Of the table's 262,144 bytes: quantiles at (i + 0.5) / 65,536 as little-endian float32."""

STANDARD_DEVIATION = 0.02
"""Of embeddings and matrices that do not write into the residual stream."""

# Matrices whose output is added to the residual stream: attention's and the feed-forward's
# last ones, in the names of Llama, GPT-2 and Mixtral.
_INTO_RESIDUAL = frozenset({"o_proj", "down_proj", "c_proj", "w2"})
_NORMS = ("norm", "ln_1", "ln_2", "ln_f")
_WORDS_PER_BLOCK = 16  # 16-bit words of one counter of Philox
_CHUNK = 1 << 20
_STEP = 1 << 16  # values whose indices stay in a core's cache


class Shaped(Hashable, Protocol):
    """What initialisation has to know of a structure, which never changes and can be hashed."""

    @property
    def layers(self) -> int:
        """How many blocks stand one after the other."""

    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return every stored tensor's shape, by name."""


@functools.cache
def quantiles() -> NDArray[np.float32]:
    """Return the table of quantiles, shape `(65536,)`, read-only; checked against its digest.

    Raises:
        RecipeError: The installed file is damaged.
    """
    raw = resources.files(__package__).joinpath("normal_quantiles.f32").read_bytes()
    if Digest.of(raw) != QUANTILES_DIGEST:
        raise RecipeError(
            [
                Mistake(
                    file="normal_quantiles.f32",
                    place="",
                    read=str(Digest.of(raw)),
                    expected=str(QUANTILES_DIGEST),
                    remedy="The installation is damaged; install dokja again.",
                )
            ]
        )
    return np.frombuffer(raw, dtype="<f4").astype(np.float32, copy=False)


def deviation(name: str, shape: tuple[int, ...], *, layers: int) -> float | None:
    """Return the standard deviation of a tensor's first values; 0 for biases, None for gains.

    Args:
        name: In Hugging Face's names, such as `model.layers.0.mlp.down_proj.weight`.
        shape: Its shape.
        layers: How many blocks the model has.

    Raises:
        RecipeError: No rule says how such a tensor begins.

    Example:
        >>> deviation("model.layers.0.mlp.down_proj.weight", (8, 16), layers=2)
        0.01
        >>> deviation("model.norm.weight", (8,), layers=2) is None
        True
    """
    parts = name.removesuffix(".weight").split(".")
    if parts[-1].endswith("bias"):
        return 0.0
    if len(shape) > 1:
        into_residual = parts[-1] in _INTO_RESIDUAL
        return STANDARD_DEVIATION / math.sqrt(2 * layers) if into_residual else STANDARD_DEVIATION
    if len(shape) == 1 and parts[-1].endswith(_NORMS):
        return None
    raise RecipeError(
        [
            Mistake(
                file="structure",
                place=f"tensor {name!r}",
                read=f"a shape of {list(shape)} that no rule of initialisation covers",
                expected="a matrix, a gain (…norm.weight) or a bias",
                remedy="Let the engine make this structure's start; V2.1 then says undecided.",
            )
        ]
    )


def initial_values(
    name: str, seed: bytes, *, std: float | None, start: int, stop: int
) -> NDArray[np.float32]:
    """Return some of a tensor's first values, flat in C order, whatever its shape.

    Args:
        name: The tensor.
        seed: The run's seed; every length will do.
        std: What `deviation` says of it.
        start: First value.
        stop: One past the last.

    Example:
        >>> whole = initial_values("w", b"seed", std=0.02, start=0, stop=100)
        >>> np.array_equal(whole[37:], initial_values("w", b"seed", std=0.02, start=37, stop=100))
        True
    """
    if not 0 <= start <= stop:
        raise ValueError(f"there are no values {start} to {stop}")
    if std is None or std == 0:
        return np.full(stop - start, 1.0 if std is None else 0.0, dtype=np.float32)
    first_block = start // _WORDS_PER_BLOCK
    skipped = start - first_block * _WORDS_PER_BLOCK
    stream = np.random.Philox(key=_key(name, seed))
    stream.advance(first_block)
    words = stream.random_raw(-(-(skipped + stop - start) // 4))
    drawn = words.astype("<u8", copy=False).view("<u2")[skipped : skipped + stop - start]
    # One product per quantile is the same product per value, and far fewer of them.
    table = quantiles() * np.float32(std)
    values = np.empty(len(drawn), dtype=np.float32)
    for at in range(0, len(drawn), _STEP):
        # No word lies outside the table; "clip" only leaves out the question.
        np.take(table, drawn[at : at + _STEP], out=values[at : at + _STEP], mode="clip")
    return values


def initial_chunks(
    structure: Shaped, name: str, seed: bytes, *, chunk: int = _CHUNK
) -> Iterator[NDArray[np.float32]]:
    """Yield a tensor's first values in C order, `chunk` values at a time, as float32.

    This is what a tensor digest is made from without holding the tensor.

    Raises:
        KeyError: The structure has no such tensor.
        RecipeError: No rule says how such a tensor begins.
    """
    return _chunks(name, _shapes(structure)[name], seed, layers=structure.layers, chunk=chunk)


def initial_digests(
    structure: Shaped, seed: bytes, names: Iterable[str] | None = None
) -> tuple[TensorDigest, ...]:
    """Return the digests of a start, sorted by name, without holding a tensor of it.

    Args:
        structure: Whose start.
        seed: The run's seed.
        names: Which tensors; all, unless some are named.

    Raises:
        KeyError: The structure has no tensor of a name.
        RecipeError: Some tensors have no rule; all of them are named.
    """
    shapes = _shapes(structure)
    wanted = {name: shapes[name] for name in sorted(set(shapes if names is None else names))}
    _refuse_unruled(wanted, layers=structure.layers)
    return tuple(
        tensor_digest(
            name,
            "F32",
            shape=shape,
            chunks=(
                part.astype("<f4", copy=False).view(np.uint8).data
                for part in _chunks(name, shape, seed, layers=structure.layers, chunk=_CHUNK)
            ),
        )
        for name, shape in wanted.items()
    )


def initial_tensor(structure: Shaped, name: str, seed: bytes) -> NDArray[np.float32]:
    """Return one tensor of a start, in its own shape; the others need not be drawn.

    Raises:
        KeyError: The structure has no such tensor.
        RecipeError: No rule says how such a tensor begins.
    """
    return _tensor(name, _shapes(structure)[name], seed, layers=structure.layers)


def initialise(structure: Shaped, seed: bytes) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yield every tensor of a start, by name, one at a time.

    Raises:
        RecipeError: Some tensors have no rule; all of them are named, before any is drawn.
    """
    shapes = _shapes(structure)
    _refuse_unruled(shapes, layers=structure.layers)
    return (
        (name, _tensor(name, shapes[name], seed, layers=structure.layers))
        for name in sorted(shapes)
    )


# Whoever draws tens of thousands of tensors one by one must not list them all each time.
@functools.lru_cache(maxsize=4)
def _shapes(structure: Shaped) -> Mapping[str, tuple[int, ...]]:
    return MappingProxyType(dict(structure.shapes()))


def _refuse_unruled(shapes: Mapping[str, tuple[int, ...]], *, layers: int) -> None:
    mistakes: list[Mistake] = []
    for name, shape in shapes.items():
        try:
            deviation(name, shape, layers=layers)
        except RecipeError as error:
            mistakes += error.mistakes
    if mistakes:
        raise RecipeError(mistakes)


def _chunks(
    name: str, shape: tuple[int, ...], seed: bytes, *, layers: int, chunk: int
) -> Iterator[NDArray[np.float32]]:
    std, values = deviation(name, shape, layers=layers), math.prod(shape)
    return (
        initial_values(name, seed, std=std, start=start, stop=min(values, start + chunk))
        for start in range(0, values, chunk)
    )


def _tensor(name: str, shape: tuple[int, ...], seed: bytes, *, layers: int) -> NDArray[np.float32]:
    values, filled = np.empty(math.prod(shape), dtype=np.float32), 0
    for part in _chunks(name, shape, seed, layers=layers, chunk=_CHUNK):
        values[filled : filled + len(part)] = part
        filled += len(part)
    return values.reshape(shape)


def _key(name: str, seed: bytes) -> int:
    stated = VERSION.encode() + b"\x00" + len(seed).to_bytes(8, "little") + seed + name.encode()
    return int.from_bytes(hashlib.sha256(stated).digest()[:16], "little")
