"""How much work and memory a plan asks for, beside the thresholds that rules hold.

Training compute is counted as 6·N·D plus attention (Kaplan et al., arXiv 2001.08361, section 2.1);
memory as bytes for each parameter under mixed-precision AdamW (Rajbhandari et al., arXiv
1910.02054, section 3.1). Both are counts, not measurements.
"""

from dataclasses import dataclass

from dokja.models.forge.structures import Structure
from dokja.values import Json

__all__ = ["STATE_BYTES", "THRESHOLDS", "Budget", "budget", "flop_per_token"]

TRAINING_BYTES = 16
"""Bytes of memory for each parameter: weights and gradients in bf16, masters and two moments."""

TEACHER_BYTES = 4
"""Bytes of memory for each parameter of a frozen teacher, held in float32."""

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
        flop: Floating-point operations, forwards and backwards; a teacher only goes forwards.
        memory_bytes: For weights, gradients, optimizer and a teacher, without activations.
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


def flop_per_token(structure: Structure, *, length: int, teacher: Structure | None) -> float:
    """Return the operations that training takes for a token, those of a teacher included.

    Args:
        structure: What is trained.
        length: Tokens of a window.
        teacher: Whose probabilities are followed: two of a training's six operations for each
            of its parameters are the way forward, and it takes no other.

    Example:
        >>> sizes = dict(vocabulary=8, width=8, layers=1, heads=2, kv_heads=1, head_width=4, ffn=8)
        >>> tiny = Structure(family="llama", **sizes)
        >>> alone = flop_per_token(tiny, length=4, teacher=None)
        >>> round(flop_per_token(tiny, length=4, teacher=tiny) / alone, 3)
        1.333
    """
    taught = 0.0 if teacher is None else teacher.flop_per_token(length) / 3
    return structure.flop_per_token(length) + taught


def budget(
    structure: Structure, *, tokens: int, length: int, teacher: Structure | None = None
) -> Budget:
    """Return what training a structure on so many tokens asks for.

    Args:
        structure: What is trained.
        tokens: How many tokens it reads.
        length: Tokens of a window, which sets the price of attention.
        teacher: Whose probabilities are followed; none for data alone.
    """
    held = 0 if teacher is None else TEACHER_BYTES * teacher.parameters()
    parameters = structure.parameters()
    return Budget(
        parameters=parameters,
        tokens=tokens,
        flop=flop_per_token(structure, length=length, teacher=teacher) * tokens,
        memory_bytes=TRAINING_BYTES * parameters + held,
        checkpoint_bytes=STATE_BYTES * parameters,
    )
