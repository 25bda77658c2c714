"""`dokja trace`: what a model's weights are consistent with, beside references."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, assert_never

import click
from rich.console import Console

from dokja.cli.addresses import access_from, access_options
from dokja.cli.engines import engine_from, engine_option
from dokja.cli.library import StandingOut, standing_out
from dokja.cli.neuron_maps import write_neuron_maps
from dokja.cli.observations import ACTOR, declared_components
from dokja.cli.opening import open_models
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.errors import InputError, Mistake
from dokja.evidence.ledger import Programme
from dokja.evidence.ledger.kinds import Model, read_body
from dokja.evidence.lineage import (
    ComponentSpec,
    Named,
    Outcome,
    Plan,
    Tracing,
    bare,
    finding_drafts,
    inventory,
    outcome_of,
    trace_all,
    trace_document,
)
from dokja.evidence.lineage.calibrations import default_calibration, read_calibration
from dokja.models.weights import RangeAccount, Source
from dokja.public.reports import lineage_text, write_lineage_page

__all__ = ["trace"]

_FOR_VALUES = 0.8
"""Share of a budget that values may take; headers and tokenizers have the rest."""
_UNCHANGED = "Nothing was compared and nothing was written."


@click.command
@click.argument("suspect", metavar="SUSPECT")
@click.option("--against", "references", multiple=True, metavar="REF", help="A reference.")
@click.option(
    "--library",
    type=click.Path(path_type=Path),
    help="Scan this library first, and take what stands out as references too.",
)
@click.option(
    "--control", "controls", multiple=True, metavar="MODEL", help="A model known to be a stranger."
)
@click.option("--base", metavar="MODEL", help="What adapters among SUSPECT and REF were made for.")
@click.option(
    "--component", "components", multiple=True, metavar="NAME", help="Only these; all by default."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option(
    "--level",
    type=click.Choice(["screen", "forensic", "map"]),
    default="forensic",
    show_default=True,
    help="Some rows and no neurons; what settles most cases; every value, in every way.",
)
@click.option(
    "--calibration",
    type=click.Path(path_type=Path),
    help="Read likelihoods by this file in place of the one that is shipped.",
)
@click.option("--thorough", is_flag=True, help="Look in every way, even after one found something.")
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Append the findings to this programme."
)
@click.option("--model", help="SUSPECT's id in that programme's ledger.")
@click.option(
    "--maps", type=click.Path(path_type=Path), help="Write maps of neurons into this folder."
)
@click.option("--html", type=click.Path(path_type=Path), help="Write the report as one page.")
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", help="Language of the text.")
@engine_option
@access_options
@as_json
def trace(suspect: str, *, as_json: bool, **given: Any) -> int:
    """Compare SUSPECT's weights with references and say what they are consistent with.

    SUSPECT and every REF are a folder or file of weights, or an address; an adapter among them is
    laid onto the model that --base names. Each component is
    compared with its like in every reference, beside controls whose truth is known; what could
    not be seen is said as well. Ends with 3 if a relation was found, with 4 if it cannot be told,
    and with 0 if nothing was found above what would have been seen.

    \b
    Examples:
      dokja trace sample/programme/models/dasom-1 --against sample/programme/models/garam-1
      dokja trace build/mine --library build/library
      dokja trace build/mine --against hf://owner/base --budget-bytes 300000000 --html build/t.html
    """
    if (given["ledger"] is None) != (given["model"] is None):
        raise click.UsageError("--ledger and --model go together: whose findings, and where to")
    if given["library"] is not None:
        scanned = _scanned(suspect, given)
        say(scanned.told, error=as_json)
        given["references"] = (*given["references"], *scanned.places)
        if not given["references"]:
            if as_json:
                emit(scanned.document)
            return scanned.exit_code
    if not given["references"]:
        raise click.UsageError("nothing to compare with: --against REF, or --library DIR")
    done = _compared(suspect, given)
    document = trace_document(
        done.tracing,
        suspect=done.names[0],
        references=done.names[1:],
        exit_code=_exit_code(outcome_of(done.tracing)),
        ranges_digest=done.ranges_digest,
    )
    if given["html"] is not None:
        write_lineage_page(done.tracing, names=done.names, out=given["html"])
    maps = [] if given["maps"] is None else write_neuron_maps(done.tracing, given["maps"])
    if as_json:
        emit(document)
    else:
        say(lineage_text(done.tracing, given["lang"]))
        _tell_written(given, done.appended)
        for path in maps:
            say(f"neurons: {path}")
    return _exit_code(outcome_of(done.tracing))


def _scanned(suspect: str, given: Mapping[str, Any]) -> StandingOut:
    network = {
        key: given[key] for key in ("budget_bytes", "allow_http", "allow_private", "token_from")
    }
    return standing_out(
        suspect,
        given["library"],
        plan=Plan(only=frozenset(given["components"]) or None),
        seed=given["seed"],
        access=access_from(**network),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What was compared, and what was written of it."""

    tracing: Tracing
    names: Sequence[Named]
    ranges_digest: str | None
    appended: int | None


def _compared(suspect: str, given: Mapping[str, Any]) -> _Done:
    """Open everything, compare it, and append to a ledger where one is given."""
    network = {
        key: given[key] for key in ("budget_bytes", "allow_http", "allow_private", "token_from")
    }
    count, engine = len(given["references"]), engine_from(given["engine"])
    with ExitStack() as held, Console(stderr=True).status("opening") as status:
        programme = None
        if given["ledger"] is not None:
            programme = held.enter_context(unbroken(given["ledger"]))
        models = open_models(
            (suspect, *given["references"], *given["controls"]),
            base=given["base"],
            access=access_from(**network),
            tell=status.update,
            changed=_UNCHANGED,
        )
        first, *rest = (bare(one) for one in models)
        desk = _Desk(programme, model=given["model"])
        _refuse_wrong_words(first, desk, components=given["components"], html=given["html"])
        tracing = trace_all(
            models[0],
            models[1 : 1 + count],
            seed=given["seed"],
            components=desk.components,
            plan=_plan(given, [first, *rest], apart=engine is not None),
            controls=rest[count:],
            progress=status.update,
            engine=engine,
        )
        return _Done(
            tracing=tracing,
            names=_names([first, *rest[:count]], tell=status.update),
            ranges_digest=_ranges_digest([first, *rest]),
            appended=desk.append(tracing, given["references"]),
        )


def _plan(given: Mapping[str, Any], opened: Sequence[Source], *, apart: bool) -> Plan:
    """Return the plan; of a budget, the suspect is read once for each model beside it."""
    budget = given["budget_bytes"]
    if budget is not None:
        beside, readings = len(given["references"]), 1 + len(given["controls"])
        budget = int(_FOR_VALUES * budget) // (beside * readings)
        if apart:
            budget = min(budget, _apart(given["budget_bytes"], opened, among=beside) // readings)
    plan, file = Plan.at(given["level"]), given["calibration"]
    return replace(
        plan,
        budget_bytes=budget,
        thorough=given["thorough"] or plan.thorough,
        neuron_maps=given["maps"] is not None or plan.neuron_maps,
        only=frozenset(given["components"]) or None,
        calibration=default_calibration() if file is None else read_calibration(file),
    )


def _apart(budget: int, opened: Sequence[Source], *, among: int) -> int:
    """Return what values may take of each process's share, which fetches every header again."""
    for source in opened:
        source.token_rows()  # fetched now, so that it is counted
    again = max((one.account.bytes for one in opened if one.account is not None), default=0)
    return max(1, int(_FOR_VALUES * ((budget - again) // among - again)))


def _ranges_digest(sources: Iterable[Source]) -> str | None:
    """Return the digest over all that was read of addresses; none where nothing was."""
    whole = RangeAccount()
    for source in sources:
        whole.take(() if source.account is None else source.account.ranges())
    return str(whole.digest()) if whole.bytes else None


@dataclass(slots=True)
class _Desk:
    """The programme that findings are appended to, if any."""

    programme: Programme | None
    model: str | None

    @property
    def declared(self) -> dict[str, Model]:
        """The ledger's models by id."""
        if self.programme is None:
            return {}
        bodies = [
            read_body("model", entry.body)
            for entry in self.programme.ledger.current(kind="model")
            if entry.body is not None
        ]
        return {body.model: body for body in bodies if isinstance(body, Model)}

    @property
    def components(self) -> dict[str, ComponentSpec] | None:
        """The model's components as it declares them; none where nothing is declared."""
        model = self.declared.get(self.model or "")
        return None if model is None else declared_components(model)

    def append(self, tracing: Tracing, places: Sequence[str]) -> int | None:
        """Append what was not observed before; return how many entries; none without a ledger."""
        if self.programme is None or self.model is None:
            return None
        done = {
            (entry.body["model"], entry.body["reference"])
            for entry in self.programme.ledger.entries(kind="finding")
            if entry.actor == ACTOR
        }
        drafts = [
            draft
            for report, place in zip(tracing.reports, places, strict=True)
            if (self.model, reference := self._id_of(place, report.reference)) not in done
            for draft in finding_drafts(
                report, model=self.model, reference=reference, on=now().date(), actor=ACTOR
            )
        ]
        self.programme.ledger.append(drafts, at=now())
        return len(drafts)

    def _id_of(self, place: str, name: str) -> str:
        """Return a reference's id, where its files are those of a model of the ledger."""
        folders = {
            (self.programme.models / model.folder).resolve(): known
            for known, model in self.declared.items()
            if self.programme is not None and model.folder is not None
        }
        return name if "://" in place else folders.get(Path(place).resolve(), name)


def _refuse_wrong_words(
    suspect: Source, desk: _Desk, *, components: Iterable[str], html: Path | None
) -> None:
    """Refuse what the command line names and nobody has.

    Raises:
        InputError: An unknown component or model, or a page that cannot be written.
    """
    known = [one.component for one in inventory(suspect, components=desk.components).components]
    mistakes = [
        Mistake(file="--component", place="", read=name, expected=f"one of {', '.join(known)}")
        for name in components
        if name not in known
    ]
    if desk.model is not None and desk.model not in desk.declared:
        expected = f"a model of the ledger: {', '.join(desk.declared) or 'it declares none'}"
        mistakes.append(Mistake(file="--model", place="", read=desk.model, expected=expected))
    if html is not None and (html.is_dir() or not html.parent.is_dir()):
        expected = "the name of a file in a folder that is there"
        mistakes.append(Mistake(file="--html", place="", read=str(html), expected=expected))
    if mistakes:
        raise InputError(mistakes, changed=_UNCHANGED)


def _names(sources: Sequence[Source], *, tell: Callable[[str], None]) -> list[Named]:
    """Return each model with its digest, for which local files are read whole."""
    names = []
    for source in sources:
        tell(f"naming {source.name} by its digest")
        names.append(Named(name=source.name, digest=str(source.digest)))
    return names


def _tell_written(given: Mapping[str, Any], appended: int | None) -> None:
    if appended is not None:
        say()
        say(f"appended to {given['ledger']}: {appended}; what stood there was kept")
    if given["html"] is not None:
        say(f"page: {given['html']}")


def _exit_code(outcome: Outcome) -> int:
    match outcome:
        case Outcome.NOTHING:
            return 0
        case Outcome.RELATED:
            return 3
        case Outcome.CANNOT_TELL:
            return 4
        case _:
            assert_never(outcome)
