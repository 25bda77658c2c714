"""What the entries of a chain say, kind by kind.

`commit` comes before step 0 and `seal` after everything; between them a run says what it did,
while it does it. Weights are named by tensor roots, everything else by SHA-256 digests.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from pydantic import with_config

from dokja.models.forge.forms import STRICT, Count, DigestText, HexText, RootText

__all__ = [
    "KINDS",
    "Body",
    "Checkpoint",
    "Code",
    "Commit",
    "Export",
    "Init",
    "Interruption",
    "LogSpan",
    "Metrics",
    "NamedLoss",
    "Probe",
    "Seal",
    "SeedOrigin",
    "Stage",
    "StateDigest",
    "kind_of",
]


class SeedOrigin(Enum):
    """How the seed of a run came about."""

    RECEIPT = "receipt"  # drawn from plan, nonce and the receipt of the commit
    NONCE = "nonce"  # drawn from plan and nonce alone: no witness answered in time
    FIXED = "fixed"  # chosen by the builder, who says so


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """The code that ran.

    Attributes:
        commit: Commit of the version control, or the version of an installed package.
        difference: Digest of the uncommitted difference; none when there is no difference.
    """

    commit: str
    difference: DigestText | None = None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """What the builder is bound to before step 0.

    Attributes:
        builder: Who builds.
        recipe: Digest of the recipe.
        plan: Digest of the plan.
        code: The code that will run.
        environment: Package lock, torch build, devices, driver, threads, kernels, determinism.
        data: Digest of every data manifest, by the source's name.
        order: Version of the order function.
        tokenizer: Digest of the tokenizer; none where no text is trained on.
        bases: Tensor root of every base, by the component's id.
        nonce: SHA-256 of the 32 secret bytes that the seed will be drawn with.
        archive_share: Share of probe pairs that the draw keeps, in [0, 1].
        dense_until: Up to this step every probe pair is kept.
        examiner: SHA-256 of an examiner's nonce for later challenges; none without one.
    """

    builder: str
    recipe: DigestText
    plan: DigestText
    code: Code
    environment: Mapping[str, Any]
    data: Mapping[str, DigestText]
    order: str
    tokenizer: DigestText | None
    bases: Mapping[str, RootText]
    nonce: DigestText
    archive_share: float
    dense_until: Count
    examiner: DigestText | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.archive_share <= 1.0:
            raise ValueError(f"a share lies in [0, 1], not at {self.archive_share}")


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Init:
    """The seed, and the weights of step 0.

    Attributes:
        seed: The 32 bytes, hexadecimal.
        origin: How it came about.
        nonce: The revealed nonce, hexadecimal; none for a fixed seed, or where `seal` reveals it.
        receipt: SHA-256 of the commit's receipt that it was drawn with; none without a witness.
        roots: Tensor root at step 0 of every component that has weights.
    """

    seed: HexText
    origin: SeedOrigin
    nonce: HexText | None
    receipt: DigestText | None
    roots: Mapping[str, RootText]


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a component begins, or a transform was applied.

    Attributes:
        component: Its id.
        index: Which of the plan's stages, from 0.
        do: `train`, or the transform's name.
        step: Steps that the component had seen.
        terms: What the plan says of it, such as a layer map.
        before: Tensor root of what it starts from.
        after: Tensor root of the result; none for a training, whose checkpoints follow.
    """

    component: str
    index: Count
    do: str
    step: Count
    terms: Mapping[str, Any]
    before: RootText
    after: RootText | None = None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class LogSpan:
    """A piece of a log file, whole lines.

    Attributes:
        file: Its path relative to the run's folder.
        start: First byte.
        stop: One past the last byte.
        digest: SHA-256 of these bytes.
    """

    file: str
    start: Count
    stop: Count
    digest: DigestText

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"bytes {self.start} to {self.stop} run backwards")


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """What consecutive steps measured, bound by the digest of the log that says it.

    Attributes:
        component: Whose steps.
        first: First step, counted from 1.
        last: Last step.
        tokens: Tokens seen by the whole run once `last` is done.
        loss: Loss of the last step, nats.
        log: Where all values stand.
        imported: Whether it was read from another tool's log after the fact: late by definition.
    """

    component: str
    first: Count
    last: Count
    tokens: Count
    loss: float
    log: LogSpan
    imported: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.first <= self.last:
            raise ValueError(f"steps {self.first} to {self.last} are no range counted from 1")


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class StateDigest:
    """The full state of a training after a step.

    Attributes:
        step: Updates done.
        tokens: Tokens seen.
        cursor: Next instance of the order.
        weights: Tensor root of the master weights.
        optimizer: Tensor root of the optimizer's moments; none where there are none.
        rng: Digest of the state of chance; none where nothing is drawn.
    """

    step: Count
    tokens: Count
    cursor: Count
    weights: RootText
    optimizer: RootText | None = None
    rng: DigestText | None = None


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class NamedLoss:
    """The loss of one instance of the order, nats, under the weights before its step."""

    instance: Count
    loss: float


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Two full states, a few steps apart; the entry's receipt decides whether they are kept.

    Attributes:
        component: Whose.
        before: The earlier state.
        after: The later one.
        losses: Losses of a few named sequences of the batch after `after`.
    """

    component: str
    before: StateDigest
    after: StateDigest
    losses: tuple[NamedLoss, ...] = ()

    def __post_init__(self) -> None:
        if self.before.step >= self.after.step:
            raise ValueError(f"a pair of steps {self.before.step} and {self.after.step}")


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A state that lies on the disk.

    Attributes:
        component: Whose.
        state: Its digests.
        folder: Where, relative to the run's folder.
        digests: Digest of the list of tensor digests that lies beside it; none without one.
        archived: Whether it is kept for good.
    """

    component: str
    state: StateDigest
    folder: str
    digests: DigestText | None = None
    archived: bool = False


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """The run stopped, and went on or did not.

    Attributes:
        component: Whose training.
        step: The last step that counts.
        reason: A sentence.
        resumed_at: Step of the checkpoint it went on from; none if it did not.
        lost_bytes: How long the torn line was that was cut off the log.
        environment: Where it went on, if anything is new there.
    """

    component: str
    step: Count
    reason: str
    resumed_at: Count | None = None
    lost_bytes: Count = 0
    environment: Mapping[str, Any] = field(default_factory=dict)


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A component in another format.

    Attributes:
        component: Its id.
        format: Such as `gguf`.
        method: How, such as `q8_0`.
        parent: Tensor root of what was exported.
        file: Its path relative to the run's folder.
        digest: SHA-256 of the file.
        quality: What was measured against the parent.
    """

    component: str
    format: str
    method: str
    parent: RootText
    file: str
    digest: DigestText
    quality: Mapping[str, Any] = field(default_factory=dict)


@with_config(STRICT)
@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """The end: what came out, and what it took.

    Attributes:
        roots: Tensor root of every component in the end.
        files: Digest of the file manifest of every component.
        nonce: The revealed nonce, hexadecimal, where `init` did not reveal it.
        compute: What it took: device-hours by type, FLOP, energy, scheduler jobs.
    """

    roots: Mapping[str, RootText]
    files: Mapping[str, DigestText]
    nonce: HexText | None = None
    compute: Mapping[str, Any] = field(default_factory=dict)


Body = Commit | Init | Stage | Metrics | Probe | Checkpoint | Interruption | Export | Seal
"""What an entry of any kind says."""

KINDS: Mapping[str, type[Body]] = MappingProxyType(
    {
        "commit": Commit,
        "init": Init,
        "stage": Stage,
        "metrics": Metrics,
        "probe": Probe,
        "checkpoint": Checkpoint,
        "interruption": Interruption,
        "export": Export,
        "seal": Seal,
    }
)
"""Every kind of entry, by its name."""

_NAMES: Mapping[type[Body], str] = MappingProxyType({kind: name for name, kind in KINDS.items()})


def kind_of(body: Body) -> str:
    """Return the kind of an entry that says this.

    Example:
        >>> kind_of(Interruption(component="body", step=3, reason="preempted"))
        'interruption'
    """
    return _NAMES[type(body)]
