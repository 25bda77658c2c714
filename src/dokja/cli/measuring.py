"""What `dokja measure` is asked for, as a plan: options, the suite, and what an old plan says."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import click

from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.conventions import CONVENTIONS
from dokja.evidence.benchmarks.running import (
    Form,
    Order,
    Plan,
    Prices,
    System,
    folder_form,
    make_plan,
    plain_form,
)
from dokja.evidence.benchmarks.suites import read_suite, read_suite_folder
from dokja.models.serving.endpoints import Family
from dokja.values import canonical_bytes, parse_json

if TYPE_CHECKING:
    from dokja.models.serving import EmbeddedModel

__all__ = [
    "Given",
    "Prepared",
    "frozen",
    "kept_places",
    "places",
    "posted_to",
    "prepared",
    "read_fields",
    "read_form",
]

PLACES = "given.json"
_TOKENS = 256
_SENTINELS = 50
_ITEMS_FOR_SENTINELS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options that a plan depends on; None where one was not given.

    `request` is the whole request of the plan of a run that is resumed, where no option asks for
    another.
    """

    model: str | None = None
    suite: Path | None = None
    form: str | None = None
    endpoint: str | None = None
    completions: bool | None = None
    stream: bool | None = None
    label: str | None = None
    effort: str | None = None
    reports: tuple[str, ...] | None = None
    epochs: int | None = None
    seed: int | None = None
    sentinels: int | None = None
    max_tokens: int | None = None
    limit_field: str | None = None
    fields: tuple[str, ...] | None = None
    prices: Prices | None = None
    convention: str | None = None
    request: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A plan with all that it was made from.

    Attributes:
        plan: The plan.
        order: That follows from it.
        form: What is asked.
        model: Who answers, where it runs in this process.
        suite: Where the items are.
    """

    plan: Plan
    order: Order
    form: Form
    model: "EmbeddedModel | None"
    suite: Path | None = None


def prepared(given: Given) -> Prepared:
    """Return the plan that the options ask for.

    Raises:
        click.UsageError: Options are missing, or cannot stand together.
        InputError: The suite, the prices or a field cannot be read; every mistake at once.
        NotServableError: The model cannot be run in this process.
    """
    if given.model is None:
        raise click.UsageError("name a MODEL: a folder, or with --endpoint the endpoint's name")
    if given.suite is None:
        raise click.UsageError("name the items with --suite: a suite folder or a .jsonl file")
    family = _family(given)
    form = read_form(given.suite, family=family, form=given.form or "")
    model = _opened(Path(given.model)) if family is Family.EMBEDDED else None
    tokens = given.max_tokens or form.tokens or _TOKENS
    name = given.model if model is None else model.name
    plan, order = make_plan(
        form,
        system=_system(given, name=name, family=family, model=model),
        request=_request(given, name=name, tokens=tokens, family=family),
        tokens=tokens,
        epochs=given.epochs or 1,
        seed=given.seed or 0,
        sentinels=_sentinels(given, form),
        prices=given.prices,
        convention=_convention(given),
    )
    return Prepared(plan=plan, order=order, form=form, model=model, suite=given.suite)


def frozen(old: Plan, given: Given, *, known: Mapping[str, str]) -> Given:
    """Return the options of an old plan, with those that were given anew in their place.

    Args:
        old: The plan of the run that is resumed.
        given: What was given now.
        known: Where suite and model were, when the run began.
    """
    suite = known.get("suite")
    asked_anew = (given.stream, given.max_tokens, given.limit_field, given.fields)
    before = Given(
        model=known.get("model", old.system.model),
        suite=None if suite is None else Path(suite),
        form=old.asked.form,
        endpoint=old.system.endpoint or None,
        completions=old.family is Family.COMPLETIONS,
        label=old.system.label,
        effort=old.system.effort,
        reports=old.system.reported,
        epochs=old.epochs,
        seed=old.order.seed,
        sentinels=old.order.sentinels,
        max_tokens=old.tokens,
        prices=old.table,
        convention=old.convention,
        request=old.request if all(each is None for each in asked_anew) else None,
    )
    both = {
        name: getattr(before, name) if (now := getattr(given, name)) is None else now
        for name in Given.__slots__
    }
    return Given(**both)


def read_form(path: Path, *, family: Family, form: str = "") -> Form:
    """Return a form of a suite folder, or a file of items.

    Args:
        path: The folder or the file.
        family: How prompts are sent.
        form: Which form of the suite; empty for all items.

    Raises:
        click.UsageError: A file has no forms.
        SuiteError: Something is wrong in it; every mistake at once.
    """
    if path.is_dir():
        return folder_form(read_suite_folder(path), family=family, form=form)
    if form:
        raise click.UsageError("--form needs a suite folder; a file of items has no forms")
    return plain_form(read_suite(path), family=family)


def kept_places(given: Given) -> dict[str, bytes]:
    """Return the file beside a run that says where suite and model are; it is no evidence."""
    said: dict[str, str] = {}
    if given.suite is not None:
        said["suite"] = str(given.suite.resolve())
    if given.endpoint is None and given.model is not None:
        said["model"] = str(Path(given.model).resolve())
    return {PLACES: canonical_bytes(said) + b"\n"}


def places(folder: Path) -> Mapping[str, str]:
    """Return where suite and model were when a run began; empty where that is not known."""
    try:
        said = parse_json((folder / PLACES).read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in said.items()} if isinstance(said, dict) else {}


def _opened(folder: Path) -> "EmbeddedModel":
    # Loaded here: whoever asks an endpoint opens no weights, and should not wait for what does.
    from dokja.models.serving import open_model  # noqa: PLC0415  # see above

    return open_model(folder)


def _family(given: Given) -> Family:
    if given.endpoint is None:
        return Family.EMBEDDED
    return Family.COMPLETIONS if given.completions else Family.CHAT


def _system(given: Given, *, name: str, family: Family, model: "EmbeddedModel | None") -> System:
    if model is not None:
        return System(
            label=given.label or name,
            family="embedded",
            model=name,
            weights=str(model.digest),
            effort=given.effort,
        )
    return System(
        label=given.label or name,
        family="completions" if family is Family.COMPLETIONS else "chat-completions",
        model=name,
        endpoint=posted_to(given.endpoint or "", family=family),
        reported=tuple(sorted(given.reports)) if given.reports else (name,),
        effort=given.effort,
    )


def posted_to(address: str, *, family: Family, option: str = "--endpoint") -> str:
    """Return what is posted to.

    Args:
        address: An endpoint, up to `/v1` or whole.
        family: How it is asked.
        option: Where the address was given, for messages.

    Raises:
        click.UsageError: It is no address of the web, or holds a secret, which would stand in
            the plan for everybody to read.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise click.UsageError(f"{option} is {address!r}; expected http://… or https://…")
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    secret = any(word in name for name in names for word in ("key", "token", "secret", "sig"))
    if parts.password or secret:
        raise click.UsageError(
            f"{option} holds a secret, which would stand in the plan; name a variable that "
            f"holds the key with {option.replace('endpoint', 'key-env')}"
        )
    path = parts.path.rstrip("/")
    path = path if path.endswith(family.path) else path + family.path
    return urlunsplit(parts._replace(path=path, fragment=""))


def _request(given: Given, *, name: str, tokens: int, family: Family) -> dict[str, Any]:
    if given.request is not None:
        return dict(given.request)
    request: dict[str, Any] = {"model": name, given.limit_field or "max_tokens": tokens}
    if family is Family.EMBEDDED:
        return request
    request["temperature"] = 0
    if given.stream:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    request |= read_fields(given.fields or (), option="--set", closed=family.field)
    return {key: value for key, value in request.items() if value is not None}


def read_fields(given: Iterable[str], *, option: str, closed: str) -> dict[str, Any]:
    """Return fields of a request, each given as `NAME=JSON`; null takes a field out.

    Args:
        given: The fields.
        option: Where they were given, for messages.
        closed: The field that holds the question and cannot be set.

    Raises:
        InputError: A field cannot be read; every mistake at once.
    """
    fields: dict[str, Any] = {}
    mistakes = []
    for field in given:
        key, mark, value = field.partition("=")
        try:
            fields[key] = parse_json(value)
        except ValueError:
            mark = ""
        if not mark or not key or key == closed:
            expected = "NAME=JSON, such as temperature=0.6 or reasoning_effort='\"high\"'"
            mistakes.append(Mistake(file=option, place="", read=field, expected=expected))
    if mistakes:
        raise InputError(mistakes)
    return fields


def _sentinels(given: Given, form: Form) -> int:
    if given.sentinels is not None:
        return given.sentinels
    return _SENTINELS if len(form.questions) >= _ITEMS_FOR_SENTINELS else 0


def _convention(given: Given) -> str:
    name = given.convention or "strict"
    if name not in CONVENTIONS:
        raise click.UsageError(
            f"--convention is {name!r}; expected one of {', '.join(CONVENTIONS)}"
        )
    return name
