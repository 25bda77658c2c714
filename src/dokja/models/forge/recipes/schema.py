"""The shape of a recipe of format 1: which keys there are, and what may stand in them.

These models stand at the border and say of one value whether it has the right shape. Whether the
values fit each other is told by `checking`. A recipe never says a grade: there is no key for it.
"""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from dokja.values import is_identifier

__all__ = [
    "FORMAT",
    "AdapterTerms",
    "Batch",
    "ComponentTerms",
    "DataTerms",
    "EngineTerms",
    "Origin",
    "Overlay",
    "RecipeFile",
    "Role",
    "Schedule",
    "SizeTerms",
    "SourceTerms",
    "StepTerms",
    "Teacher",
]

FORMAT = "dokja.recipe/1"

Role: TypeAlias = Literal[
    "language-body",
    "tokenizer",
    "vision-encoder",
    "audio-encoder",
    "projector",
    "adapter",
    "retrieval",
]


def _identifier(text: str) -> str:
    if not is_identifier(text):
        message = "lower-case letters, digits, Hangul syllables, and . _ - inside"
        raise ValueError(message)
    return text


def _words(text: str) -> str:
    if not text.strip() or not text.isprintable():
        message = "one line of text that is not empty"
        raise ValueError(message)
    return text


Identifier: TypeAlias = Annotated[str, AfterValidator(_identifier)]
Words: TypeAlias = Annotated[str, AfterValidator(_words)]
Root: TypeAlias = Annotated[str, Field(pattern=r"^dokja-tensors-v1:[0-9a-f]{64}$")]
Positive: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Whole: TypeAlias = Annotated[int, Field(gt=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class _Terms(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )


class TokenizerTerms(_Terms):
    """A tokenizer that is trained here."""

    kind: Literal["byte-bpe", "bytes", "engine"]
    """`engine`: a program of the builder's own makes it, with the weights."""
    size: Whole | None = None
    """Tokens, specials included; for `byte-bpe`."""
    corpus: Identifier | None = None
    """Name of the data that it is learnt from; for `byte-bpe`."""
    split: Words = "korean"
    """Pattern that parts text before pairs are merged."""
    specials: tuple[Words, ...] = ()


class Origin(_Terms):
    """Where a component comes from: exactly one of the keys below that say so."""

    base: Words | None = None
    """Others' open weights: a name in the base store, or a folder."""
    scratch: Identifier | None = None
    """A family of structures; its weights are drawn from the run's seed."""
    record: Words | None = None
    """The builder's own earlier build: path of its record."""
    closed: Words | None = None
    """Weights that somebody else holds closed."""
    api: Words | None = None
    """A model behind an interface."""
    train: TokenizerTerms | None = None
    """A tokenizer trained here."""
    index: Words | None = None
    """For retrieval: the folder of documents that is looked up."""
    root: Root | None = None
    """Tensor root of the base; without it, the plan states the root that it found."""
    licence: Words | None = None
    """SPDX identifier, or the name of the licence; required for others' weights."""

    @model_validator(mode="after")
    def _one(self) -> "Origin":
        kinds = [kind for kind in _KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            message = f"exactly one of {', '.join(_KINDS)}; read {', '.join(kinds) or 'none'}"
            raise ValueError(message)
        if kinds[0] in {"base", "closed", "api"} and self.licence is None:
            message = (
                f"a licence beside {kinds[0]}: others' weights without a licence cannot be built on"
            )
            raise ValueError(message)
        return self

    @property
    def kind(self) -> str:
        """Which of them it is."""
        return next(kind for kind in _KINDS if getattr(self, kind) is not None)


_KINDS = ("base", "scratch", "record", "closed", "api", "train", "index")


class Batch(_Terms):
    """How much one step of training reads."""

    sequences: Whole
    length: Annotated[int, Field(ge=2)]
    micro: Whole | None = None
    """Sequences that go through the network at a time; all of them by default."""


class Optimizer(_Terms):
    """How weights move."""

    kind: Literal["adamw", "muon"] = "adamw"
    lr: Positive
    betas: tuple[Share, Share] = (0.9, 0.95)
    eps: Positive = 1e-8
    weight_decay: Annotated[float, Field(ge=0)] = 0.1
    clip: Positive = 1.0


class Schedule(_Terms):
    """How the learning rate changes over the steps."""

    kind: Literal["constant", "warmup-linear", "warmup-cosine"] = "warmup-linear"
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    final: Share = 0.1
    """The last learning rate as a share of the first."""


class AdapterTerms(_Terms):
    """A low-rank adapter (LoRA, arXiv 2106.09685)."""

    rank: Whole
    alpha: Positive
    targets: tuple[Words, ...] = ()
    """Names of the matrices that it stands beside; every linear one by default."""


class Teacher(_Terms):
    """A model whose answers a student is trained on: a data edge, shown and never graded."""

    base: Words
    licence: Words
    root: Root | None = None
    temperature: Positive = 1.0
    weight: Share = 0.5
    """Share of the loss that follows the teacher; the rest follows the data."""


class StepTerms(_Terms):
    """One thing that is done to a component: training, or a transform with its parameters."""

    model_config = ConfigDict(
        frozen=True,
        extra="allow",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,
    )

    do: Words
    """`train`, or the name of a transform."""
    trainable: Literal["all", "adapters"] | tuple[Words, ...] = "all"
    """What training may move: all of it, adapters alone, or tensors by name pattern."""
    data: Identifier | None = None
    tokens: Whole | None = None
    """Tokens to train on, rounded up to whole steps."""
    batch: Batch | None = None
    optimizer: Optimizer | None = None
    schedule: Schedule = Schedule()
    adapter: AdapterTerms | None = None
    teacher: Teacher | None = None
    probe_every: Whole | None = None
    """Steps between probes of the full state; a tenth of the run by default."""

    @property
    def is_training(self) -> bool:
        """Whether this step trains."""
        return self.do == "train"

    @property
    def parameters(self) -> dict[str, Any]:
        """A transform's own parameters."""
        return dict(self.model_extra or {})


class ComponentTerms(_Terms):
    """One part of a model that bears weights or a vocabulary."""

    id: Identifier
    role: Role
    origin: Origin = Field(alias="from")
    step: tuple[StepTerms, ...] = ()
    shape: dict[Words, int | float | bool] = Field(default_factory=dict)
    """Sizes of a structure from scratch; sizes of a recipe may overlay them."""
    tensors: tuple[Words, ...] = ()
    """Prefixes of its tensors' names, when several components share the files."""


class SourceTerms(_Terms):
    """Where tokens come from: exactly one of manifest, text, made."""

    manifest: Words | None = None
    """A packed corpus: its folder or manifest."""
    text: Words | None = None
    """A file of text, one document a line, or a folder of `.txt` files."""
    made: Literal["sentences"] | None = None
    """Sentences from a seeded grammar that ships with the forge."""
    documents: Whole | None = None
    seed: Words | None = None
    licence: Words | None = None
    origin: Words | None = None
    collected: Words | None = None
    """For text: a day (2026-01-15) or two with a slash between them."""
    filters: tuple[Words, ...] = ()
    personal_data: Words | None = None
    weight: Positive = 1.0
    max_repeats: Whole = 1

    @model_validator(mode="after")
    def _one(self) -> "SourceTerms":
        kinds = [kind for kind in ("manifest", "text", "made") if getattr(self, kind) is not None]
        if len(kinds) != 1:
            message = f"exactly one of manifest, text, made; read {', '.join(kinds) or 'none'}"
            raise ValueError(message)
        if self.made is not None and (self.documents is None or self.seed is None):
            message = "documents and seed beside made"
            raise ValueError(message)
        if self.text is not None and (self.licence is None or self.collected is None):
            message = "licence and collected beside text"
            raise ValueError(message)
        return self


class DataTerms(_Terms):
    """A mixture that is trained on."""

    sources: tuple[SourceTerms, ...] = Field(min_length=1)


class EngineTerms(_Terms):
    """What trains."""

    name: Literal["hf", "ref", "olmo", "titan", "megatron", "command"] = "hf"
    determinism: Literal["calibrated", "strict"] = "calibrated"
    precision: Literal["fp32", "bf16"] = "fp32"
    attention: Literal["sdpa", "eager", "flash", "cudnn", "math"] = "sdpa"
    command: tuple[Words, ...] = ()
    """For `command`: a program that takes a job file and obeys the engine contract."""


class Overlay(_Terms):
    """What a size changes of one component; never its kind of leaf, its steps or its data."""

    shape: dict[Words, int | float | bool] = Field(default_factory=dict)
    base: Words | None = None
    root: Root | None = None
    licence: Words | None = None
    step: dict[Annotated[str, Field(pattern=r"^[1-9][0-9]*$")], dict[Words, Any]] = Field(
        default_factory=dict
    )
    """By the step's place, from 1: `tokens`, `batch`, and other sizes of that step."""


class SizeTerms(_Terms):
    """An overlay: how large the same recipe is built."""

    device: Literal["cpu", "cuda"] = "cpu"
    engine: EngineTerms | None = None
    nodes: Whole = 1
    gpus_per_node: Annotated[int, Field(ge=0)] = 0
    gpu: Identifier | None = None
    """Type of the accelerators, such as `h200`."""
    hours: Positive | None = None
    bring_data: bool = False
    """Whether this size is too large for the recipe's own data: packed corpora are handed in."""
    documents: dict[Identifier, Whole] = Field(default_factory=dict)
    """By data: how many documents each made source holds at this size."""
    component: dict[Identifier, Overlay] = Field(default_factory=dict)
    """By component: what is larger or smaller at this size."""


class Seed(_Terms):
    """Where the run's seed comes from."""

    fixed: Words | None = None
    """A seed that the builder chose. Without it the witness's receipt decides, as it should."""


class RecipeFile(_Terms):
    """A recipe."""

    schema_: Literal["dokja.recipe/1"] = Field(alias="schema")
    name: Identifier
    title: Words | None = None
    component: tuple[ComponentTerms, ...] = Field(min_length=1)
    data: dict[Identifier, DataTerms] = Field(default_factory=dict)
    engine: EngineTerms = EngineTerms()
    seed: Seed = Seed()
    size: dict[Identifier, SizeTerms] = Field(default_factory=dict)
