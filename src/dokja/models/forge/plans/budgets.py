"""How much work and memory a plan asks for, beside the thresholds that rules hold.

Training compute is counted as 6·N·D plus attention (Kaplan et al., arXiv 2001.08361, section 2.1);
memory as bytes for each parameter under mixed-precision AdamW (Rajbhandari et al., arXiv
1910.02054, section 3.1). Both are counts, not measurements.
"""

from dataclasses import dataclass

from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = ["STATE_BYTES", "THRESHOLDS", "Budget", "budget"]

TRAINING_BYTES = 16
"""Bytes of memory for each parameter: weights and gradients in bf16, masters and two moments."""

STATE_BYTES = 12
"""Bytes of a full checkpoint for each parameter: masters and two moments in float32."""

THRESHOLDS = (
    (1e23, "EU guidelines on general-purpose models, 2025: presumed general-purpose"),
    (1e25, "EU AI Act, article 51: presumed systemic risk"),
    (1e26, "Korea's AI Basic Act, enforcement decree: duties of safety"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one training asks for.

    Attributes:
        parameters: Of the component that is trained.
        tokens: That are read.
        flop: Floating-point operations, forwards and backwards.
        memory_bytes: For weights, gradients and optimizer, without activations.
        checkpoint_bytes: Of one full state.
    """

    parameters: int
    tokens: int
    flop: float
    memory_bytes: int
    checkpoint_bytes: int

    @property
    def reached(self) -> tuple[str, ...]:
        """The thresholds that this compute reaches by itself."""
        return tuple(f"{limit:.0e}: {what}" for limit, what in THRESHOLDS if self.flop >= limit)

    def to_json(self) -> dict[str, Json]:
        """Return it as it stands in a plan."""
        return {
            "parameters": self.parameters,
            "tokens": self.tokens,
            "flop": self.flop,
            "memory_bytes": self.memory_bytes,
            "checkpoint_bytes": self.checkpoint_bytes,
            "thresholds": [
                {"flop": limit, "what": what, "reached": self.flop >= limit}
                for limit, what in THRESHOLDS
            ],
        }


def budget(structure: Structure, *, tokens: int, length: int) -> Budget:
    """Return what training a structure on so many tokens asks for.

    Args:
        structure: What is trained.
        tokens: How many tokens it reads.
        length: Tokens of a window, which sets the price of attention.
    """
    parameters = structure.parameters()
    return Budget(
        parameters=parameters,
        tokens=tokens,
        flop=structure.flop_per_token(length) * tokens,
        memory_bytes=TRAINING_BYTES * parameters,
        checkpoint_bytes=STATE_BYTES * parameters,
    )
