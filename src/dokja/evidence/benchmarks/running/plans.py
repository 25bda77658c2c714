"""The plan of a run: everything that its answers depend on, frozen before the first request.

Its canonical bytes are a file, and their digest names the run in every line, record and entry.
What an answer does not depend on (how many are asked at once, how long is waited, what may be
spent) stands in the journal and may change when a run is resumed.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.running.forms import Form
from dokja.evidence.benchmarks.running.order import METHOD, Order, make_order
from dokja.evidence.benchmarks.running.spending import Prices
from dokja.models.serving.endpoints import Family, RequestForm, request_form
from dokja.values import Digest, canonical_bytes, shown

__all__ = ["FILE", "Asked", "Plan", "System", "make_plan", "read_plan", "refuse_another"]

FILE = "plan.json"

DigestText = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
Words = Annotated[str, Field(min_length=1)]


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True
    )


class System(_Part):
    """What is measured."""

    label: Words
    """As results name it."""
    family: Literal["chat-completions", "completions", "embedded"]
    model: Words
    """As requests name it."""
    endpoint: str = ""
    """What is posted to; empty for a model that runs in this process."""
    reported: tuple[Words, ...] = ()
    """Names under which the server may answer; empty for any."""
    weights: DigestText | None = None
    """Names the weights, where they are here."""
    effort: Words | None = None
    """The effort setting, where there is one."""


class Asked(_Part):
    """What is asked."""

    suite: Words
    version: str = ""
    form: str = ""
    items: Annotated[int, Field(ge=1)]
    items_digest: DigestText
    scorer: Words
    scorer_digest: DigestText


class _Sequence(_Part):
    method: Literal["stratified-shuffle/1"]
    seed: Annotated[int, Field(ge=0, lt=2**53)]
    sentinels: Annotated[int, Field(ge=0)]
    digest: DigestText


class _Table(_Part):
    currency: Words
    per_million_in: Words
    per_million_out: Words
    per_million_cached: Words | None = None


class Plan(_Part):
    """A plan."""

    v: Literal[1] = 1
    kind: Literal["dokja.run-plan"] = "dokja.run-plan"
    system: System
    asked: Asked
    request: dict[str, JsonValue]
    """Every field of a request but the question."""
    epochs: Annotated[int, Field(ge=1)]
    order: _Sequence
    tokens: Annotated[int, Field(ge=1)]
    """The longest answer that is allowed, in tokens."""
    granted: bool
    """Whether that is at least what the suite declares."""
    convention: Words
    """By which the run is read unless a rulebook says otherwise."""
    prices: _Table | None = None
    """Of tokens; missing where they are unknown."""

    @property
    def bytes(self) -> bytes:
        """The canonical bytes of the plan, which are the file."""
        return canonical_bytes(self.model_dump(mode="json", exclude_none=True))

    @property
    def digest(self) -> Digest:
        """Names the run."""
        return Digest.of(self.bytes)

    @property
    def family(self) -> Family:
        """Which kind of endpoint is asked."""
        return Family(self.system.family)

    @property
    def table(self) -> Prices | None:
        """The prices."""
        said = self.prices
        if said is None:
            return None
        cached = said.per_million_cached
        return Prices(
            currency=said.currency,
            tokens_in=Decimal(said.per_million_in),
            tokens_out=Decimal(said.per_million_out),
            cached=None if cached is None else Decimal(cached),
        )

    @property
    def requests(self) -> RequestForm:
        """The form of the run's requests."""
        return request_form(self.request, family=self.family)


def make_plan(  # noqa: PLR0913  # a plan holds what a plan holds
    form: Form,
    *,
    system: System,
    request: Mapping[str, JsonValue],
    tokens: int,
    epochs: int = 1,
    seed: int = 0,
    sentinels: int = 0,
    prices: Prices | None = None,
    convention: str = "strict",
) -> tuple[Plan, Order]:
    """Return the plan of a run, and the order that follows from it.

    Args:
        form: What is asked.
        system: Who is asked.
        request: Every field of a request but the question.
        tokens: The longest answer that is allowed.
        epochs: How often each item is asked.
        seed: Of the order.
        sentinels: How many items are repeated at the start, in the middle and at the end.
        prices: Of tokens.
        convention: By which the run is read.
    """
    strata = [question.stratum for question in form.questions]
    order = make_order(strata, epochs=epochs, seed=seed, sentinels=sentinels)
    plan = Plan(
        system=system,
        asked=Asked(
            suite=form.suite,
            version=form.version,
            form=form.form,
            items=len(form.questions),
            items_digest=str(form.items_digest),
            scorer=form.scorer.kind,
            scorer_digest=str(form.scorer.digest),
        ),
        request=dict(request),
        epochs=epochs,
        order=_Sequence(
            method=METHOD,
            seed=seed,
            sentinels=len(order.sentinels),
            digest=str(order.digest),
        ),
        tokens=tokens,
        granted=form.tokens is None or tokens >= form.tokens,
        convention=convention,
        prices=None if prices is None else _Table.model_validate(prices.said),
    )
    return plan, order


def read_plan(folder: Path) -> Plan:
    """Return the plan of a run's folder.

    Raises:
        RunError: There is none, or it is not one; every mistake at once.
    """
    path = folder / FILE
    try:
        data = path.read_bytes()
        plan = Plan.model_validate_json(data)
    except OSError as error:
        read = f"nothing: {error.strerror}"
        wrong = Mistake(file=str(path), place="", read=read, expected="the plan of a run")
        raise RunError([wrong]) from error
    except ValidationError as error:
        raise RunError(list(_mistakes(error, file=str(path)))) from error
    if plan.bytes != data:
        wrong = Mistake(
            file=str(path),
            place="",
            read="another spelling of it",
            expected="canonical JSON, as it was written",
            remedy="Restore the file from a copy.",
        )
        raise RunError([wrong])
    return plan


def refuse_another(old: Plan, new: Plan, *, folder: Path) -> None:
    """Refuse to go on with a run under another plan.

    Raises:
        RunError: The plans differ; every difference is named.
    """
    mistakes = [
        Mistake(
            file=str(folder / FILE),
            place=place,
            read=f"{shown(repr(now))} now",
            expected=f"{shown(repr(then))}, with which the run began",
        )
        for place, then, now in _differences(
            old.model_dump(mode="json"), new.model_dump(mode="json"), at=""
        )
    ]
    if mistakes:
        remedy = "Resume it as it was begun, or begin another run in another folder."
        last = mistakes[-1]
        mistakes[-1] = Mistake(
            file=last.file, place=last.place, read=last.read, expected=last.expected, remedy=remedy
        )
        raise RunError(mistakes)


def _differences(old: Any, new: Any, *, at: str) -> Iterator[tuple[str, Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            place = f"{at}.{key}" if at else key
            yield from _differences(old.get(key), new.get(key), at=place)
    elif old != new:
        yield at, old, new


def _mistakes(error: ValidationError, *, file: str) -> Iterator[Mistake]:
    for fault in error.errors(include_url=False, include_context=False):
        place = ".".join(str(step) for step in fault["loc"])
        read = "nothing" if fault["type"] == "missing" else shown(repr(fault["input"]))
        yield Mistake(file=file, place=place, read=read, expected=fault["msg"])
