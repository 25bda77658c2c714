"""What can be said in a ledger: one strict body per kind of entry.

A new kind is a class in the file of its family and one line in `KINDS`; the reference page
`docs/reference/entry-kinds.md` must name it, or its test fails.
"""

from collections.abc import Mapping
from types import MappingProxyType

from pydantic import ValidationError

from dokja.errors import Mistake
from dokja.evidence.ledger.kinds.bodies import Body, LocalText, Sealed, Sourced
from dokja.evidence.ledger.kinds.builds import (
    LEVELS,
    Build,
    BuildChain,
    BuildCheck,
    BuildComponent,
    BuildLeaf,
)
from dokja.evidence.ledger.kinds.checks import RunCheck, RunsChecked
from dokja.evidence.ledger.kinds.items import (
    Commitment,
    CommittedForm,
    Exposed,
    Picked,
    Sanity,
    SanityCheck,
    SanityRecall,
)
from dokja.evidence.ledger.kinds.measurements import (
    Bounds,
    DataFlag,
    Fragility,
    Multiverse,
    Reach,
    Standard,
    Under,
)
from dokja.evidence.ledger.kinds.observations import (
    Aggregate,
    Ballots,
    Claim,
    Control,
    Finding,
    Interval,
    PublishedOrder,
    Run,
    Score,
    Sheet,
)
from dokja.evidence.ledger.kinds.programme import (
    Applications,
    Award,
    Component,
    DecisionAdopted,
    Model,
    Note,
    Objection,
    Programme,
    RulebookAdopted,
    Team,
)
from dokja.evidence.ledger.kinds.rulings import (
    Correction,
    Dispute,
    Eliminated,
    Figure,
    Outcome,
    ReviewVote,
    Ruling,
    Unseal,
)
from dokja.values import Json

__all__ = [
    "KINDS",
    "LEVELS",
    "Aggregate",
    "Applications",
    "Award",
    "Ballots",
    "Body",
    "Bounds",
    "Build",
    "BuildChain",
    "BuildCheck",
    "BuildComponent",
    "BuildLeaf",
    "Claim",
    "Commitment",
    "CommittedForm",
    "Component",
    "Control",
    "Correction",
    "DataFlag",
    "DecisionAdopted",
    "Dispute",
    "Eliminated",
    "Exposed",
    "Figure",
    "Finding",
    "Fragility",
    "Interval",
    "LocalText",
    "Model",
    "Multiverse",
    "Note",
    "Objection",
    "Outcome",
    "Picked",
    "Programme",
    "PublishedOrder",
    "Reach",
    "ReviewVote",
    "RulebookAdopted",
    "Ruling",
    "Run",
    "RunCheck",
    "RunsChecked",
    "Sanity",
    "SanityCheck",
    "SanityRecall",
    "Score",
    "Sealed",
    "Sheet",
    "Sourced",
    "Standard",
    "Team",
    "Under",
    "Unseal",
    "check_body",
    "read_body",
]

KINDS: Mapping[str, type[Body]] = MappingProxyType(
    {
        "programme": Programme,
        "rulebook": RulebookAdopted,
        "team": Team,
        "model": Model,
        "applications": Applications,
        "award": Award,
        "objection": Objection,
        "decision": DecisionAdopted,
        "note": Note,
        "run": Run,
        "ballots": Ballots,
        "sheet": Sheet,
        "score": Score,
        "aggregate": Aggregate,
        "published-order": PublishedOrder,
        "claim": Claim,
        "reach": Reach,
        "check": RunsChecked,
        "finding": Finding,
        "sanity": Sanity,
        "commitment": Commitment,
        "picked": Picked,
        "exposure": Exposed,
        "build-chain": BuildChain,
        "build": Build,
        "ruling": Ruling,
        "dispute": Dispute,
        "outcome": Outcome,
        "review-vote": ReviewVote,
        "correction": Correction,
        "unseal": Unseal,
    }
)


def check_body(kind: str, body: Mapping[str, Json], *, place: str) -> tuple[Mistake, ...]:
    """Return everything that is wrong with a body of this kind; nothing if it can be appended.

    Args:
        kind: A key of `KINDS`.
        body: The body as JSON.
        place: Where it was read, such as `entries.jsonl, line 4`.
    """
    if kind not in KINDS:
        return (
            Mistake(
                file=place,
                place="kind",
                read=repr(kind),
                expected="one of " + ", ".join(KINDS),
            ),
        )
    try:
        read_body(kind, body)
    except ValidationError as error:
        return tuple(
            Mistake(
                file=place,
                place=".".join(str(step) for step in fault["loc"]) or "body",
                read=_shown(fault["input"]) if fault["type"] != "missing" else "nothing",
                expected=_expected(fault["type"], fault["msg"]),
            )
            for fault in error.errors(include_url=False, include_context=False)
        )
    return ()


def read_body(kind: str, body: Mapping[str, Json]) -> Body:
    """Return the typed body of an entry.

    Raises:
        KeyError: No such kind.
        pydantic.ValidationError: The body does not fit its kind; see `check_body`.
    """
    # JSON has lists where bodies hold tuples, so the check is made as for JSON text.
    return KINDS[kind].model_validate(_tuples(body))


def _tuples(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "…"  # noqa: PLR2004  # one line of a terminal


def _expected(kind: str, message: str) -> str:
    if kind == "missing":
        return "this key"
    if kind == "extra_forbidden":
        return "no such key"
    return message.removeprefix("Value error, ").removeprefix("Input should be ")
