"""What a build record says of components, data, seed, chain and compute, each as a frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from pydantic import with_config

from dokja.models.forge.forms import (
    STRICT,
    Count,
    DigestText,
    HexText,
    Moment,
    RootText,
)
from dokja.models.forge.records.bodies import SeedOrigin

__all__ = [
    "Builder",
    "ChainFacts",
    "Component",
    "Compute",
    "DataSource",
    "Leaf",
    "LeafKind",
    "Seed",
    "Span",
    "Tokenizer",
    "WitnessedSteps",
]


class LeafKind(Enum):
    """What a component's weights start from."""

    SCRATCH = "S"
    OPEN = "O"
    CLOSED = "C"
    REMOTE = "A"


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One origin of a component's weights.

    Attributes:
        kind: What kind of origin.
        name: The structure's family, the base's name, or the closed or remote model.
        root: Tensor root of a base; none where not known or where there is none.
        licence: Under which it is used, as SPDX writes it; none for own weights.
        record: Digest of the own record that it was expanded from; none for direct leaves.
    """

    kind: LeafKind
    name: str
    root: RootText | None = None
    licence: str | None = None
    record: str | None = None

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Leaf":
        """Return the leaf that a plan states; keys may be left out there.

        Raises:
            KeyError, ValueError: It states none.

        Example:
            >>> Leaf.from_json({"kind": "S", "name": "llama"}).kind.name
            'SCRATCH'
        """
        return cls(
            kind=LeafKind(said["kind"]),
            name=said["name"],
            root=said.get("root"),
            licence=said.get("licence"),
            record=said.get("record"),
        )


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One component as it came out.

    Attributes:
        id: Its id in the recipe.
        role: What it does, such as `language-model`.
        parameters: How many it has; none where it has no weights or nobody could count them.
        share: Its share of all counted parameters, in [0, 1]; none where it was not counted.
        leaves: Every origin of its weights.
        steps: What was done, in order, each as the plan fixed it.
        licence: Under which it is given on, as SPDX writes it; none where not decided.
        signature: Block signature; none where the forge knows no structure of it.
        structure: Family and sizes; none likewise.
        root: Tensor root; none for a component without weights.
        files: Digest of its file manifest.
        size: Bytes of its files.
        facts: What else is fixed, such as what ancestry was derived.
    """

    id: str
    role: str
    parameters: Count | None
    share: float | None
    leaves: tuple[Leaf, ...]
    steps: tuple[Mapping[str, Any], ...]
    licence: str | None
    signature: Mapping[str, str] | None
    structure: Mapping[str, Any] | None
    root: RootText | None
    files: DigestText
    size: Count
    facts: Mapping[str, Any] = field(default_factory=dict)


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """One source of training data, as its manifest says it.

    Attributes:
        name: Its name in the recipe.
        manifest: Digest of the manifest.
        mixture: Of which mixture it is a part.
        weight: Its share of the mixture, in [0, 1].
        max_repeats: How often a window may come.
        documents: How many it holds.
        tokens: How many it holds.
        bytes: Of its shards.
        languages: As BCP 47 writes them; empty where not said.
        licence: As SPDX writes it, or the digest of the licence's text.
        origin: Where it comes from: a sentence or an address.
        collected: When it was collected: a date, or two with a stroke between.
        filters: What was taken out, in order.
        personal_data: What is known of personal data in it: a sentence.
    """

    name: str
    manifest: DigestText
    mixture: str
    weight: float
    max_repeats: float
    documents: Count
    tokens: Count
    bytes: Count
    languages: tuple[str, ...]
    licence: str
    origin: str
    collected: str
    filters: tuple[str, ...]
    personal_data: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Tokenizer:
    """The tokenizer that the data were packed with.

    Attributes:
        digest: Of the tokenizer.
        vocabulary: How many ids it has.
        corpus: Digest of the corpus it was learnt from; none where it was taken over.
    """

    digest: DigestText
    vocabulary: Count
    corpus: DigestText | None = None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """Who built it: the name in the commit, and the key that signed the last entry."""

    name: str
    key: str


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Seed:
    """The seed of the run: what bound the builder, and what was revealed.

    Attributes:
        commitment: SHA-256 of the nonce, in the commit.
        origin: How it came about.
        value: The seed, hexadecimal.
        nonce: The nonce, hexadecimal; none for a fixed seed.
        receipt: Digest of the receipt that it was drawn with; none without one.
    """

    commitment: DigestText
    origin: SeedOrigin
    value: HexText
    nonce: HexText | None
    receipt: DigestText | None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """From when to when the run went, by the builder's clock."""

    started: Moment
    finished: Moment


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """What the run took. What was not measured is none, never zero.

    Attributes:
        device_hours: By device type, such as `NVIDIA H200`.
        flop: Floating-point operations of the training, from the plan; none where not known.
        energy_kwh: Metered; none where nothing was metered.
        jobs: Ids of the scheduler's jobs, as accounting knows them.
    """

    device_hours: Mapping[str, float]
    flop: float | None = None
    energy_kwh: float | None = None
    jobs: tuple[str, ...] = ()


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class WitnessedSteps:
    """How many steps of a component's training were witnessed; see `liveness`."""

    steps: Count
    live: Count
    late: Count
    unwitnessed: Count


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class ChainFacts:
    """The chain that the record was made from.

    Attributes:
        digest: SHA-256 of its file.
        head: Digest of its last entry.
        entries: How many it has.
        witnesses: Public keys of all who gave receipts, sorted.
        witnessed: By component.
    """

    digest: DigestText
    head: DigestText
    entries: Count
    witnesses: tuple[str, ...]
    witnessed: Mapping[str, WitnessedSteps]
