"""Entries that say what runs told of endpoints, of what moved, and of keys.

A `check` counts for nothing by itself: it is there so that whoever rules on a stage has seen it,
and so that what was looked for and not found is on record with what would have been seen.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from dokja.evidence.ledger.kinds.bodies import Body, Identifier, Sourced, Words

__all__ = ["RunCheck", "RunsChecked"]

DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Count = Annotated[int, Field(ge=0)]
Decimal = Annotated[str, Field(pattern=r"^[0-9]+(\.[0-9]+)?$")]
"""A decimal of fixed precision as text: the same bytes everywhere."""

Says = Literal["found", "nothing", "cannot-tell"]
_STRONGEST: tuple[Says, ...] = ("found", "cannot-tell", "nothing")


class RunCheck(Body):
    """One question and what it came to. Nothing is said of why, nor of whose doing it is."""

    question: Literal[
        "like-another",
        "tokens",
        "name",
        "frontier-moved",
        "ruler-moved",
        "endpoint-changed",
        "changed-within-run",
        "key-errors",
    ]
    about: tuple[Words, ...] = Field(min_length=1)
    """Systems; for keys the items, or the suite where none is suspected."""
    says: Says
    words: Words
    """The same in a sentence, with its counts."""
    p: Decimal | None = None
    """Held over all tests of its kind; missing where there is no test."""
    level: Decimal | None = None
    """At which it was held; for keys the share of findings that may be right keys."""
    power: Decimal | None = None
    """Chance that what was asked for would have been seen."""
    smallest: Decimal | None = None
    """The smallest change that would have been seen with power .8."""


class RunsChecked(Sourced):
    """What a check of runs, or of rows that somebody else recorded, came to."""

    stage: Identifier
    suite: Words
    systems: tuple[Words, ...] = Field(min_length=1)
    before: tuple[Words, ...] = ()
    """Systems of which earlier runs were laid beside."""
    items: Count
    says: Says
    """Found if anything was; else cannot-tell if anything cannot be told."""
    checks: tuple[RunCheck, ...] = Field(min_length=1)
    document: DigestText
    """Blob: the whole report, `dokja.check/1`."""
    evidence: tuple[Words, ...] = ()
    """Digests of the records or files that were read."""
    software: Words

    @model_validator(mode="after")
    def _says_the_most(self) -> "RunsChecked":
        said = {check.says for check in self.checks}
        most = next(each for each in _STRONGEST if each in said)
        if self.says != most:
            message = f"{most}, which its checks say"
            raise ValueError(message)
        return self
