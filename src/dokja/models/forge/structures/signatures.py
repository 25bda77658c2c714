"""What a block is, whatever its size: the features by which two structures are told apart.

A signature knows no width and no number of layers, so that a model has the same one at every
size. Which signatures belong to whom is a table of the claims; nothing here judges.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from dokja.errors import Mistake, RecordError
from dokja.models.weights.headers import shown
from dokja.values import Json

__all__ = ["BlockSignature"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockSignature:
    """Features of a block. Each is a word, so that features unknown today can be written too.

    Attributes:
        norm: Which normalisation, and where: `pre-rms` stands before each half of a block,
            `peri-rms` before and after it (arXiv 2502.02732), `pre-layer` is LayerNorm with bias.
        qk_norm: What normalises queries and keys: `none`, or `head-rms` over each head.
        attention: Which tokens a token sees: `full` (all earlier ones), or `sliding-3-1`.
        positions: How order comes in: `rotary` (arXiv 2104.09864), `learned`, `partial-rotary`.
        mixer: What mixes tokens: `grouped-query`, or `latent` (MLA, arXiv 2405.04434).
        ffn: The feed-forward half: `swiglu` (arXiv 2002.05202), or `gelu`.
        routing: Which part of it a token goes through: `none` for all of it, `softmax-top-k`,
            or `sigmoid-top-k-shared`.

    Example:
        >>> llama = BlockSignature(
        ...     norm="pre-rms", qk_norm="none", attention="full", positions="rotary",
        ...     mixer="grouped-query", ffn="swiglu", routing="none",
        ... )
        >>> llama.differences(BlockSignature.from_json({**llama.to_json(), "norm": "peri-rms"}))
        ('norm',)
    """

    norm: str
    qk_norm: str
    attention: str
    positions: str
    mixer: str
    ffn: str
    routing: str

    def differences(self, other: "BlockSignature") -> tuple[str, ...]:
        """Return the names of the features that differ, in the order of the fields."""
        return tuple(
            field.name
            for field in fields(self)
            if getattr(self, field.name) != getattr(other, field.name)
        )

    def to_json(self) -> dict[str, Json]:
        """Return it as plans and records state it: every feature by its name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def from_json(
        cls, said: Mapping[str, Json], *, file: str = "block signature"
    ) -> "BlockSignature":
        """Return the signature that a plan, a record or a table states.

        Args:
            said: An object with every feature, and nothing else.
            file: What mistakes call the place it was read from.

        Raises:
            RecordError: A feature is missing, unknown, or no word.
        """
        names = [field.name for field in fields(cls)]
        mistakes = [
            Mistake(
                file=file,
                place=name,
                read=shown(said[name]) if name in said else "nothing",
                expected="a feature that is one word, such as 'none'",
            )
            for name in names
            if not _is_word(said.get(name))
        ]
        mistakes += [
            Mistake(
                file=file,
                place=name,
                read="a feature that signatures do not have",
                expected=f"only {', '.join(names)}",
            )
            for name in sorted(set(said) - set(names))
        ]
        if mistakes:
            raise RecordError(mistakes)
        return cls(**{name: str(said[name]) for name in names})


def _is_word(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isprintable() and " " not in value
