"""One network: a family and its sizes, and everything that follows from them.

Tensors' names and shapes, `config.json`, the block signature, counts of parameters and of
arithmetic. A structure that exists is sound: sizes that do not fit are refused when it is made.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from dokja.errors import Mistake, RecipeError, RecordError
from dokja.models.forge.structures.families import FAMILIES
from dokja.models.forge.structures.family import Family
from dokja.models.forge.structures.reading import ConfigReader
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.sizes import OPTIONAL, Sizes, number_mistakes
from dokja.models.weights.headers import shown
from dokja.values import Json

__all__ = ["Structure"]

_LOOKUPS = frozenset(
    {"model.embed_tokens.weight", "transformer.wte.weight", "transformer.wpe.weight"}
)
_HEADS_WHEN_TIED = frozenset({"model.embed_tokens.weight", "transformer.wte.weight"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Structure(Sizes):
    """A network before it has weights; its attributes are those of `Sizes`.

    Raises:
        RecipeError: When it is made: the family is unknown, a size is missing, no number, or
            does not fit another. Every mistake is in it.

    Example:
        >>> tiny = Structure(
        ...     family="llama", vocabulary=256, width=128, layers=4,
        ...     heads=4, kv_heads=2, head_width=32, ffn=352,
        ... )
        >>> tiny.parameters(), tiny.shapes()["model.layers.0.self_attn.k_proj.weight"]
        (803968, (64, 128))
        >>> Structure.from_config(tiny.config()) == tiny
        True
    """

    def __post_init__(self) -> None:
        mistakes = list(_mistakes(self))
        if mistakes:
            raise RecipeError(mistakes)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Return every tensor that a weights folder holds, in Hugging Face's names, sorted.

        A tied head is not stored. Names in `buffers` are stored and are no parameters.
        """
        return dict(sorted(self._family.shapes(self).items()))

    def buffers(self) -> frozenset[str]:
        """Return the names of stored tensors that no gradient moves."""
        return self._family.buffers(self)

    def config(self) -> dict[str, Json]:
        """Return `config.json` as Hugging Face's libraries read it."""
        return {
            "architectures": [self._family.architecture],
            "model_type": self._family.model_type,
            **self._family.config(self),
            "dtype": "float32",
            "initializer_range": 0.02,
        }

    def signature(self) -> BlockSignature:
        """Return what the blocks are, sizes left out."""
        return self._family.signature

    def parameters(self) -> int:
        """Return how many parameters there are; tied ones count once, buffers not at all."""
        buffers = self.buffers()
        return sum(math.prod(shape) for name, shape in self.shapes().items() if name not in buffers)

    def active_parameters(self) -> float:
        """Return through how many parameters a token goes, lookups left out.

        Embeddings are looked up and multiply nothing; a tied one counts, as the head. Experts
        count by the share of tokens that they see.
        """
        counted, buffers = 0.0, self.buffers()
        for name, shape in self.shapes().items():
            is_lookup = name in _LOOKUPS and not (self.tied and name in _HEADS_WHEN_TIED)
            if not is_lookup and name not in buffers:
                counted += math.prod(shape) * self._family.active(self, name)
        return counted

    def flop_per_token(self, length: int, *, causal: bool = False) -> float:
        """Return the floating-point operations that training takes for one token.

        Six for every active parameter, two forward and four backward (Kaplan et al., arXiv
        2001.08361, section 2.1), and 12 · layers · heads · head width · length for attention
        (PaLM, arXiv 2204.02311, appendix B). The convention counts attention as if every token
        saw all others, so that published figures can stand beside it. Sliding layers count
        their window.

        Args:
            length: Tokens in a sequence.
            causal: Count only the half of attention that a causal mask leaves.

        Example:
            >>> tiny = Structure(
            ...     family="llama", vocabulary=256, width=128, layers=4,
            ...     heads=4, kv_heads=2, head_width=32, ffn=352,
            ... )
            >>> tiny.flop_per_token(128) == 6 * (803968 - 256 * 128) + 12 * 4 * 4 * 32 * 128
            True
        """
        attention = 6.0 * self._family.attention(self, length)
        return 6.0 * self.active_parameters() + (attention / 2 if causal else attention)

    def to_json(self) -> dict[str, Json]:
        """Return it as plans, jobs and records state it; sizes that it has not are left out."""
        return {
            field.name: getattr(self, field.name)
            for field in fields(self)
            if getattr(self, field.name) is not None
        }

    @classmethod
    def from_json(cls, said: Mapping[str, Json], *, file: str = "structure") -> "Structure":
        """Return the structure that a plan, a job or a record states.

        Args:
            said: Its sizes by name.
            file: What mistakes call the place it was read from.

        Raises:
            RecipeError: A size is missing, unknown, no number, or does not fit another.
        """
        known = {field.name: field for field in fields(cls)}
        mistakes = [
            Mistake(file=file, place=name, read="nothing", expected="this size")
            for name, field in known.items()
            if name not in said and field.default is MISSING
        ]
        mistakes += [
            Mistake(
                file=file,
                place=name,
                read="a size that structures do not have",
                expected=f"only {', '.join(known)}",
            )
            for name in sorted(set(said) - set(known))
        ]
        if mistakes:
            raise RecipeError(mistakes)
        return cls(**_numbers(said))

    @classmethod
    def from_config(cls, config: Mapping[str, Any], *, file: str = "config.json") -> "Structure":
        """Return the structure that somebody's `config.json` describes.

        Args:
            config: The object in it.
            file: What mistakes call it.

        Raises:
            RecordError: The family is unknown, a size is missing or does not fit, or a key asks
                for something that the family does not do. Every mistake is in it.

        Example:
            >>> Structure.from_config({"model_type": "gpt2", "n_embd": 0, "n_layer": 2})
            Traceback (most recent call last):
            dokja.errors.RecordError: config.json, n_head: read nothing; expected a whole number \
from 1.
            config.json, n_embd: read 0; expected a whole number from 1.
            config.json, vocab_size: read nothing; expected a whole number from 1.
            config.json, n_positions: read nothing; expected a whole number from 1.
            Nothing was changed.
        """
        by_type = {family.model_type: family for family in FAMILIES.values()}
        kind = config.get("model_type")
        family = by_type.get(kind) if isinstance(kind, str) else None
        reader = ConfigReader(config, file=file)
        if family is None:
            reader.against("model_type", read=kind, expected=f"one of {', '.join(by_type)}")
            raise RecordError(reader.mistakes)
        sizes = family.sizes(reader)
        if reader.mistakes:
            raise RecordError(reader.mistakes)
        try:
            return cls(family=family.name, **sizes)
        except RecipeError as error:
            raise RecordError(
                [
                    Mistake(file=file, place=one.place, read=one.read, expected=one.expected)
                    for one in error.mistakes
                ]
            ) from error

    @property
    def _family(self) -> Family:
        return FAMILIES[self.family]


def _numbers(said: Mapping[str, Json]) -> dict[str, Any]:
    """Return the sizes; 10000 and 10000.0 are one number to JSON, and must be one here."""
    reals = {"rope_theta", "epsilon", "routed_scale"}
    return {
        name: float(value) if name in reals and type(value) is int else value
        for name, value in said.items()
    }


def _mistakes(structure: Structure) -> Iterator[Mistake]:
    file = "structure"
    family = FAMILIES.get(str(structure.family))
    if family is None:
        yield Mistake(
            file=file,
            place="family",
            read=shown(structure.family),
            expected=f"one of {', '.join(FAMILIES)}",
        )
    wrong = list(number_mistakes(structure, file))
    yield from wrong
    if family is None:
        return
    lacking = list(_presence_mistakes(structure, family, file))
    yield from lacking
    # Whether sizes fit each other can be told only of sizes that are there.
    if not wrong and not lacking:
        for place, read, expected in family.mistakes(structure):
            yield Mistake(file=file, place=place, read=shown(read), expected=expected)


def _presence_mistakes(structure: Structure, family: Family, file: str) -> Iterator[Mistake]:
    for name in OPTIONAL:
        value = getattr(structure, name)
        if name in family.needs and value is None:
            yield Mistake(
                file=file, place=name, read="nothing", expected=f"a number: {family.name} needs it"
            )
        if name not in family.needs + family.may_have and value is not None:
            yield Mistake(
                file=file,
                place=name,
                read=shown(value),
                expected=f"nothing: the family {family.name} has no such size",
            )
