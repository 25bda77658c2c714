"""What a model of the zoo is made by, before it is made: parents and steps, as plain data.

A blueprint has no digest of anything that is grown; the record of the grown model has. Steps are
written as recipes write them, so that the same words make a variant again: `start` draws first
weights, `train` trains, `launder` launders, and every other `do` is a transform's.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dokja.values import Json

__all__ = ["Blueprint", "launder", "seed_of", "start", "train"]

Step = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Blueprint:
    """A model that the zoo is to have.

    Attributes:
        name: What it is called, and its folder if it is stored.
        family: `F1`, `F2`, `F3` or `F5`.
        steps: What makes it, in order.
        parents: Names of models whose weights go in, in the order of the first step's sources.
        teacher: The model whose answers it learns from; its weights do not go in.
    """

    name: str
    family: str
    steps: tuple[Step, ...]
    parents: tuple[str, ...] = ()
    teacher: str | None = None
    needs: tuple[str, ...] = field(init=False)
    """Names of models that must be there before this one is made."""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "needs", (*self.parents, *(() if self.teacher is None else (self.teacher,)))
        )

    @property
    def trained(self) -> bool:
        """Whether training is among the steps, so that the model lies on the disk."""
        return any(step["do"] == "train" for step in self.steps)

    @property
    def engine(self) -> str | None:
        """The engine that trains it; None for a variant."""
        return next((str(step["engine"]) for step in self.steps if step["do"] == "train"), None)

    def recipe(self) -> list[Json]:
        """Return the steps as manifests state them."""
        return [dict(step) for step in self.steps]


def seed_of(*parts: object) -> str:
    """Return the seed that belongs to some words, in hexadecimal digits.

    Example:
        >>> seed_of("F1", 0) == seed_of("F1", "0") != seed_of("F10")
        True
    """
    said = "\x00".join(["dokja.zoo/1", *map(str, parts)])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def start(seed: str) -> dict[str, Json]:
    """Return the step that draws first weights."""
    return {"do": "start", "seed": seed}


def train(
    steps: int,
    *,
    lr: float,
    corpus: str,
    order: str,
    engine: str = "ref",
    trainable: str | tuple[str, ...] = "all",
    adapter: Mapping[str, Any] | None = None,
) -> dict[str, Json]:
    """Return the step that trains.

    Args:
        steps: How many.
        lr: Peak learning rate.
        corpus: Name of the corpus.
        order: Seed of the data's order, in hexadecimal digits.
        engine: `ref`, `ref-adapter`, `hf` or `sighted`.
        trainable: What may move: `all`, `adapters`, or patterns of tensors' names.
        adapter: Rank, alpha, targets and seed of a low-rank adapter.
    """
    return {
        "do": "train",
        "steps": steps,
        "lr": lr,
        "corpus": corpus,
        "order": order,
        "engine": engine,
        "trainable": trainable if isinstance(trainable, str) else list(trainable),
        "adapter": None if adapter is None else dict(adapter),
    }


def launder(seed: str, *kinds: str) -> dict[str, Json]:
    """Return the step that launders by some kinds, or by all that fit when none is named."""
    return {"do": "launder", "kinds": list(kinds) or None, "seed": seed}
