"""How far an export still says what its parent says: bits per byte, choices, logits.

Both are run on the same windows of the same text, and nothing here knows how either computes. An
export that predicts *better* than its parent by more than the limit is refused like one that is
worse: it is another model. Limits are those of the design note, section 5, where one small model
was measured; they are bounds of what these methods do, not of what a use can bear.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from dokja.models.forge.exports.probing import Window, Windows
from dokja.models.forge.tokenizing import bits_per_byte
from dokja.values import Digest, Json

__all__ = ["LIMITS", "QualityDelta", "compare"]

Logits = NDArray[np.float32]

LIMITS: Mapping[tuple[str, str], float] = MappingProxyType(
    {
        ("gguf", "f16"): 1e-4,
        ("gguf", "q8_0"): 0.005,
        ("gguf", "q4_0"): 0.05,
        ("onnx", "fp32"): 1e-4,
        ("onnx", "int8"): 0.01,
    }
)
"""By how many bits per byte an export may differ from its parent, by format and method."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityDelta:
    """What an export and its parent say of one text.

    Attributes:
        parent: Bits per byte of the parent.
        export: Bits per byte of the export.
        top1_agreement: Share of predictions whose likeliest token is the same, in [0, 1].
        max_logit_difference: Largest difference of any two logits of one token.
        predictions: How many tokens were predicted.
        bytes: How many bytes of UTF-8 these write.
        probe: Digest of the text.
        limit: By how many bits per byte the export may differ.
    """

    parent: float
    export: float
    top1_agreement: float
    max_logit_difference: float
    predictions: int
    bytes: int
    probe: Digest
    limit: float

    @property
    def delta(self) -> float:
        """Bits per byte that the export needs more than its parent."""
        return self.export - self.parent

    @property
    def accepted(self) -> bool:
        """Whether it differs by no more than the limit; what is no number never is."""
        return abs(self.delta) <= self.limit and math.isfinite(self.max_logit_difference)

    def to_json(self) -> dict[str, Json]:
        """Return it as a statement and a chain write it; what is no number is written as none."""
        return {
            "parent_bits_per_byte": _number(self.parent),
            "bits_per_byte": _number(self.export),
            "delta": _number(self.delta),
            "limit": self.limit,
            "accepted": self.accepted,
            "top1_agreement": self.top1_agreement,
            "max_logit_difference": _number(self.max_logit_difference),
            "predictions": self.predictions,
            "bytes": self.bytes,
            "probe": str(self.probe),
        }


def compare(
    windows: Windows,
    *,
    parent: Iterable[Logits],
    export: Iterable[Logits],
    probe: Digest,
    limit: float,
) -> QualityDelta:
    """Return how an export differs from its parent.

    Args:
        windows: The text, cut.
        parent: The parent's logits of each batch in turn, shape `(windows, positions, ids)`;
            made when they are asked for, so that one batch is in memory at a time.
        export: The export's, likewise.
        probe: Digest of the text.
        limit: By how many bits per byte it may differ.

    Raises:
        ValueError: There are more or fewer logits than batches, or of other shapes.
    """
    nats = [0.0, 0.0]
    same, largest = 0, 0.0
    for batch, ours, theirs in zip(windows.batches, parent, export, strict=True):
        one, other = _rows(batch, ours), _rows(batch, theirs)
        labels = batch.labels[batch.counted]
        nats[0] += _nats(one, labels)
        nats[1] += _nats(other, labels)
        same += int((one.argmax(axis=1) == other.argmax(axis=1)).sum())
        with np.errstate(invalid="ignore"):  # infinities of both sides: no number, which shows
            difference = float(np.abs(one - other).max()) if len(labels) else 0.0
        # A maximum would pass over what is no number.
        largest = difference if math.isnan(difference) else max(largest, difference)
    predictions = windows.predictions
    bits = [
        bits_per_byte(total / predictions, tokens=predictions, data_bytes=windows.bytes)
        for total in nats
    ]
    return QualityDelta(
        parent=bits[0],
        export=bits[1],
        top1_agreement=same / predictions,
        max_logit_difference=largest,
        predictions=predictions,
        bytes=windows.bytes,
        probe=probe,
        limit=limit,
    )


def _rows(batch: Window, logits: Logits) -> Logits:
    if logits.shape[:2] != batch.inputs.shape:
        raise ValueError(f"logits of shape {logits.shape} for windows of {batch.inputs.shape}")
    rows: Logits = logits[batch.counted]
    return rows


def _nats(rows: Logits, labels: NDArray[np.int64]) -> float:
    """Return the summed cross-entropy, with exponents that cannot overflow."""
    highest = rows.max(axis=1, keepdims=True)
    sums = np.exp(rows - highest, dtype=np.float64).sum(axis=1)
    wanted = rows[np.arange(len(rows)), labels].astype(np.float64)
    return float((np.log(sums) + highest[:, 0] - wanted).sum())


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
