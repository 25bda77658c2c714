"""Entries about a benchmark's items: what was promised, picked and shown, and what scores them."""

from typing import Annotated, Any, Literal

from pydantic import Field

from dokja.evidence.ledger.kinds.bodies import Body, Identifier, Sourced, Words

__all__ = [
    "Commitment",
    "CommittedForm",
    "Exposed",
    "Picked",
    "Sanity",
    "SanityCheck",
    "SanityRecall",
]

DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Share = Annotated[str, Field(pattern=r"^[01]\.[0-9]{4}$")]
Count = Annotated[int, Field(ge=0)]


class CommittedForm(Body):
    """What is promised about one form of a suite."""

    form: str
    """Its name; empty where the suite has no forms."""
    role: Literal["", "moving", "anchor", "retired"]
    items: Annotated[int, Field(ge=1)]
    root: DigestText
    """RFC 6962 root over the salted items, in the order of their leaves."""


class Commitment(Sourced):
    """What is promised about a suite's private items before anybody answers them."""

    v: Literal[1]
    suite: Identifier
    version: Words
    scorer: DigestText
    template: DigestText
    forms: Annotated[tuple[CommittedForm, ...], Field(min_length=1)]
    beacon: Words | None = None
    """The public beacon that will pick a form; named now, so that nobody can choose it later."""
    round: Count | None = None
    """Which of its values."""


class Picked(Sourced):
    """Which form a public beacon picked out of those that were promised."""

    commitment: Words
    """Id of the commitment's entry."""
    beacon: Words
    round: Count
    value: Annotated[str, Field(pattern=r"^(?:[0-9a-f]{2}){16,}$")]
    """What the beacon gave out, in hexadecimal."""
    form: Words


class Exposed(Sourced):
    """A showing of items: when, to which endpoint of which organisation, under which terms."""

    suite: Identifier
    version: Words
    form: Words | None = None
    system: Words
    endpoint: Words
    """The address's host, or `embedded`; never with a credential."""
    organisation: Words
    """Who runs the endpoint."""
    terms: Literal["kept-nowhere", "no-training", "may-train", "own-machine", "public", "unknown"]
    items: Annotated[int, Field(ge=1)]
    handles: DigestText
    """Digest of the items' handles, one a line, which are the entry's blob."""


class SanityCheck(Body):
    """What became of one attack on a scorer."""

    attack: Words
    holds: bool
    tried: Count
    figure: Words
    bound: Words | None = None


class SanityRecall(Body):
    """How many labelled replies were read out as people read them."""

    found: Count
    of: Count
    misread: Count


class Sanity(Sourced):
    """What the adversarial sanity suite found about a scorer, by the scorer's digest."""

    scorer: DigestText
    declaration: dict[str, Any]
    """All that decides how it scores."""
    suite: Words
    """The suite that it was tried on; `probes` for the built-in items."""
    items: DigestText
    tasks: Annotated[int, Field(ge=1)]
    passed: bool
    """Whether it may give evidence."""
    audited: bool
    """Whether a reply that it cannot read may be charged to the model."""
    checks: Annotated[tuple[SanityCheck, ...], Field(min_length=1)]
    floor: dict[Literal["first", "longest", "random"], Share] | None = None
    recall: SanityRecall | None = None
