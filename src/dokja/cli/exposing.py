"""`dokja suite expose`: enter that a run's items were shown, to whom, and under which terms."""

from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import click

from dokja.cli.measuring import places, read_form
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.errors import Mistake, RunError
from dokja.evidence.benchmarks.forms import TERMS, Showing, exposure_draft, handle_bytes
from dokja.evidence.benchmarks.running import read_plan

__all__ = ["expose"]

_ACTOR = "dokja"


@click.command
@click.argument("run", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--programme",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The programme whose ledger is told.",
)
@click.option("--organisation", required=True, help="Who runs the endpoint.")
@click.option("--terms", required=True, type=click.Choice(list(TERMS)), help="Of the showing.")
@click.option(
    "--on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="The day on which they were shown; today by default.",
)
@click.option(
    "--suite",
    type=click.Path(exists=True, path_type=Path),
    help="The suite that was asked; where it was by default.",
)
@as_json
def expose(
    run: Path,
    programme: Path,
    organisation: str,
    terms: str,
    on: datetime | None,
    suite: Path | None,
    *,
    as_json: bool,
) -> int:
    """Enter into the ledger that the items of RUN were shown.

    The entry holds how many, when, to which endpoint of which organisation and under which terms;
    the items' handles are its blob. A private item's handle tells nothing of it.

    \b
    Example:
      dokja suite expose runs/seasons-my-model --programme build/sample \\
        --organisation garam --terms no-training
    """
    plan = read_plan(run)
    known = places(run).get("suite")
    path = suite or (None if known is None else Path(known))
    if path is None or not path.exists():
        read = "a run whose items are no longer where they were"
        expected = "them, to name what was shown"
        remedy = "Name them with --suite."
        wrong = Mistake(file=str(run), place="", read=read, expected=expected, remedy=remedy)
        raise RunError([wrong])
    form = read_form(path, family=plan.family)
    handles = [question.handle for question in form.questions]
    at = now()
    showing = Showing(
        suite=plan.asked.suite,
        version=plan.asked.version or "1",
        form=plan.asked.form,
        system=plan.system.label,
        endpoint=urlsplit(plan.system.endpoint).hostname or "embedded",
        organisation=organisation,
        terms=terms,
        on=(on or at).date(),
    )
    draft = exposure_draft(handles, showing, actor=_ACTOR)
    with unbroken(programme) as opened:
        opened.blobs.put(handle_bytes(handles))
        opened.ledger.append([draft], at=at)
    if as_json:
        shown = {"items": len(handles), "organisation": organisation, "terms": terms}
        emit({"schema": "dokja.exposure/1", **shown, "entry": draft.id})
        return 0
    say(f"{len(handles):,} items shown to {organisation} ({terms}: {TERMS[terms]})")
    return 0
