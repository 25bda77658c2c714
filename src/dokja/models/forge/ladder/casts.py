"""Whether stored weights are others, rounded: what comes out of a training in bf16 or fp16.

Masters are float32 and results often are not. Rounding is to the nearest, ties to even, which is
the only cast that the forge accepts unsaid.
"""

from collections.abc import Iterator, Sequence

import ml_dtypes
import numpy as np

from dokja.models.weights import Source
from dokja.models.weights.roots import source_digests, tensor_digest

__all__ = ["is_rounding_of"]

_TYPES = {"BF16": np.dtype(ml_dtypes.bfloat16), "F16": np.dtype("<f2"), "F32": np.dtype("<f4")}
_PIECE = 1 << 20


def is_rounding_of(masters: Source, result: Source, names: Sequence[str]) -> bool:
    """Tell whether some tensors are those of float32 masters, rounded; read piece by piece.

    Args:
        masters: Float32 weights.
        result: Weights of any float type up to float32.
        names: Which tensors are compared.

    Raises:
        WeightsError: A file changed while it was read.
    """
    if masters.names != result.names:
        return False
    for name in names:
        first, last = masters.info(name), result.info(name)
        if first.dtype != "F32" or last.dtype not in _TYPES or first.shape != last.shape:
            return False
        made = tensor_digest(
            name, last.dtype, shape=last.shape, chunks=_rounded(masters, name, last.dtype)
        )
        if source_digests(result, [name]) != (made,):
            return False
    return True


def _rounded(source: Source, name: str, dtype: str) -> Iterator[memoryview]:
    for piece in source.chunks(name, _PIECE):
        with np.errstate(over="ignore"):  # beyond float16 lies infinity, which compares as such
            values = np.frombuffer(piece, dtype="<f4").astype(_TYPES[dtype])
        yield values.view(np.uint8).data
