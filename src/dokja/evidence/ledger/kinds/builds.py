"""Entries about how a model was built: heads of a running build's chain, and verified records.

A record is its builder's own signed word. What a verification made of it stands beside it, check
by check, with who verified. Nothing here says what a grade makes of either.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from dokja.errors import KeyFileError
from dokja.evidence.ledger.kinds.bodies import (
    Body,
    Dimensionless,
    Identifier,
    Number,
    RootText,
    Sourced,
    Words,
)
from dokja.evidence.ledger.kinds.programme import Role
from dokja.values.keys import VerifierKey

__all__ = [
    "LEVELS",
    "Build",
    "BuildChain",
    "BuildCheck",
    "BuildComponent",
    "BuildLeaf",
    "reached_level",
]

LEVELS = ("V0", "V1", "V2", "V3")
"""The levels to which a record can be verified, weakest first; their names sort alike."""


def _vkey(text: str) -> str:
    try:
        VerifierKey.parse(text)
    except KeyFileError as error:
        message = f"a public key written name+id+key; {error}"
        raise ValueError(message) from error
    return text


DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
VerifierKeyText = Annotated[str, AfterValidator(_vkey)]
ClaimName = Literal["T0", "T1", "T2", "T3", "T4", "T5"]
RunId = Annotated[str, Field(pattern=r"^\S{1,200}$")]


class BuildChain(Body):
    """One entry of a running build's chain, handed in while the build ran.

    That it stands here shows that it existed by the time of this entry.
    """

    model: Identifier | None = None
    """The model that is being built; missing while it has no id."""
    run: RunId
    """Id of the run, the same in all its entries."""
    builder: VerifierKeyText
    """The key that signs the chain, written `name+id+key`."""
    n: Count
    """Number of the chain entry, from 0."""
    kind: Literal[
        "commit",
        "init",
        "stage",
        "metrics",
        "probe",
        "checkpoint",
        "interruption",
        "export",
        "seal",
    ]
    """Kind of the chain entry."""
    entry: DigestText
    """SHA-256 of the chain entry's canonical bytes."""


class BuildLeaf(Body):
    """One origin of a component's weights, as the record states it."""

    kind: Literal["S", "O", "C", "A"]
    """S from a seed of one's own, O open weights, C weights held closed, A a remote service."""
    name: Words
    root: RootText | None = None
    """Root of open weights."""
    licence: Words | None = None
    record: DigestText | None = None
    """The own earlier record in which the seed stands; missing when it stands in this one."""


class BuildComponent(Body):
    """One component of a build, as the record states it."""

    component: Identifier
    """Its id, as the model's entry declares it."""
    role: Role
    claim: ClaimName | None = None
    """What the claim table derives for it; missing when no line of the table applies."""
    root: RootText | None = None
    """Root of its weights in the form in which they were handed in."""
    parameters: Count | None = None
    leaves: tuple[BuildLeaf, ...] = ()
    steps: tuple[Words, ...] = ()
    """What was done to it, in order, such as `train`."""


class BuildCheck(Body):
    """What one check of a record came to."""

    check: Annotated[str, Field(pattern=r"^V[0-4]\.[0-9]{1,2}$")]
    """The check, such as `V2.3`."""
    component: Identifier | None = None
    """The component that was checked; missing when the check is about the whole record."""
    outcome: Literal["pass", "fail", "undecided", "not-available"]
    """`undecided`: its evidence did not suffice; `not-available`: it could not be made at all."""
    value: Number | None = None
    """What was measured."""
    threshold: Number | None = None
    """What it was held against."""
    power: Number | None = None
    """The smallest change that it would have seen, in the measure of `value`."""


class Build(Sourced):
    """A build record of a model, and what its verification came to."""

    model: Identifier
    record: DigestText
    """Blob of the record."""
    record_schema: Words
    """Schema that the record names."""
    run: RunId | None = None
    """Id of the run, as its `build-chain` entries name it."""
    builder: Identifier
    """The team that built, as its entry names it; a record is its word and nobody else's."""
    signer: VerifierKeyText
    """The key that signed the record, written `name+id+key`."""
    table: Words
    """Version of the claim table."""
    claim: ClaimName | None = None
    """What the table derives for the whole model; missing when it derives nothing."""
    components: tuple[BuildComponent, ...]
    """At least one, each once."""
    findings: tuple[BuildCheck, ...] = ()
    """Every check, also those that could not be made."""
    level: Literal["none", "V0", "V1", "V2", "V3"]
    """Highest level of which a check passes while none fails up to it."""
    place: Literal["examiner", "builder"]
    """Who verified: somebody whom the programme appointed, or the builder."""
    live_share: Dimensionless
    """Share of the steps that were witnessed while the build ran."""
    invented: bool = False
    """True when the build was made for a sample or a demonstration."""

    @field_validator("components")
    @classmethod
    def _each_once(cls, components: tuple[BuildComponent, ...]) -> tuple[BuildComponent, ...]:
        if not components:  # told here: a length is counted over what is well formed only
            message = "at least one component"
            raise ValueError(message)
        counts = Counter(one.component for one in components)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            message = f"every component once; read more than once: {', '.join(twice)}"
            raise ValueError(message)
        return components

    @field_validator("findings")
    @classmethod
    def _about_components(
        cls, findings: tuple[BuildCheck, ...], told: ValidationInfo
    ) -> tuple[BuildCheck, ...]:
        known = {one.component for one in told.data.get("components", ())}
        named = dict.fromkeys(one.component for one in findings if one.component is not None)
        strange = [name for name in named if known and name not in known]
        if strange:
            message = (
                f"checks of the record's components ({', '.join(sorted(known))}); "
                f"read {', '.join(strange)}"
            )
            raise ValueError(message)
        return findings

    @field_validator("level")
    @classmethod
    def _follows_from_checks(cls, level: str, told: ValidationInfo) -> str:
        if "findings" in told.data:
            reached = reached_level(told.data["findings"])
            if level != reached:
                message = f"{reached}, which follows from the checks"
                raise ValueError(message)
        return level

    def part(self, component: str) -> BuildComponent | None:
        """Return what the record states of a component; none where it does not name it."""
        return next((one for one in self.components if one.component == component), None)

    def checks_of(self, component: str) -> tuple[BuildCheck, ...]:
        """Return the checks of a component and of the whole record."""
        return tuple(one for one in self.findings if one.component in {None, component})

    def level_of(self, component: str) -> str:
        """Return the level to which a component is verified; `none` where to none."""
        return reached_level(self.checks_of(component))


def reached_level(checks: Sequence[BuildCheck]) -> str:
    """Return the highest level of which a check passes while none fails up to it."""
    failed = min((one.check for one in checks if one.outcome == "fail"), default="V9")
    below = failed.partition(".")[0]
    passed = {one.check.partition(".")[0] for one in checks if one.outcome == "pass"}
    return max((level for level in LEVELS if level in passed and level < below), default="none")
