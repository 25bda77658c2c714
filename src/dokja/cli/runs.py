"""`dokja runs`: what runs say of endpoints, rulers and keys, before anybody reads their scores."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja import __version__
from dokja.cli.checked import append_check, report_text
from dokja.cli.measuring import places, read_form
from dokja.cli.printing import as_json, emit, now, say
from dokja.errors import Mistake, RunError, TableError
from dokja.evidence.benchmarks.checking import (
    AnsweredRun,
    CheckReport,
    Says,
    Topic,
    check_document,
    check_rows,
    check_runs,
    read_answers,
    sheet_of_rows,
)
from dokja.evidence.benchmarks.importers import (
    BUILT_IN,
    align,
    pairing_of,
    read_mapping,
    read_plain,
)
from dokja.evidence.benchmarks.running import Form
from dokja.values import Digest

__all__ = ["runs"]

_SOFTWARE = f"dokja {__version__}"
_PLAN = "plan.json"
_CODES = {Says.NOTHING: 0, Says.FOUND: 3, Says.CANNOT_TELL: 4}
_IDLE = {"runs": ("mapping", "leave_out"), "--rows": ("before", "only", "suite", "by")}
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group
def runs() -> None:
    """Look at runs for what is wrong with endpoints, rulers and keys.

    \b
    Example:
      dokja runs check runs/september --before runs/august
    """


@runs.command("check", short_help="Say what runs tell of endpoints, rulers and keys.")
@click.argument("named", metavar="RUN...", nargs=-1, type=_FOLDER)
@click.option(
    "--before",
    multiple=True,
    type=_FOLDER,
    help="An earlier run of one of these systems, or a folder of runs; may be given again.",
)
@click.option(
    "--only",
    multiple=True,
    type=click.Choice([topic.value for topic in Topic]),
    help="Ask this alone; may be given again. By default all that these runs can be asked.",
)
@click.option(
    "--suite",
    type=click.Path(exists=True, path_type=Path),
    help="The items with their keys; where the first run found them by default.",
)
@click.option("--by", metavar="NAME", help="The clustering by which items could have been others.")
@click.option(
    "--rows",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of runs: a table of answers that somebody else recorded; keys alone are asked.",
)
@click.option(
    "--map",
    "mapping",
    metavar="FILE",
    help="With --rows: a mapping, or the name of one that comes with Dokja.",
)
@click.option(
    "--leave-out",
    multiple=True,
    metavar="SYSTEM",
    help="With --rows: a system of which another run stands for the same model.",
)
@click.option("--seed", default=0, show_default=True, help="Of the items that keys are held to.")
@click.option("--ledger", type=_FOLDER, help="Enter what was found into this programme's ledger.")
@click.option("--stage", help="With --ledger: the stage that was checked.")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="With --ledger: instead of today.")
@as_json
def check(named: tuple[Path, ...], *, as_json: bool, **given: Any) -> int:
    """Say what each RUN tells of its endpoint, of what moved, and of the items' keys.

    Asked, as far as the runs allow: whether endpoints answer as themselves or as each other did
    before (identity); whether the frontier, the ruler or an endpoint moved since the earlier runs
    (drift), or an endpoint within its run (rounds); and which keys do not fit the answers of the
    stronger systems (keys). RUN may be a folder of runs. A finding is a reason to look, and names
    nobody's fault.

    \b
    Examples:
      dokja runs check runs/september --before runs/august
      dokja runs check runs/september/* --only keys
      dokja runs check --rows click_rows.csv.gz --map hsr87-click

    \b
    Exit codes: 0 nothing found; 2 bad input; 3 found something; 4 cannot tell.
    """
    _refuse_mixed(named, given)
    with Console(stderr=True).status("checking"):
        report = _of_rows(given) if given["rows"] is not None else _of_runs(named, given)
    entry = None
    if given["ledger"] is not None:
        day = now().date() if given["day"] is None else given["day"].date()
        entry = append_check(
            report, folder=given["ledger"], stage=given["stage"], on=day, software=_SOFTWARE
        )
    if as_json:
        emit(check_document(report, software=_SOFTWARE))
    else:
        say(report_text(report))
        if entry is not None:
            say(f"\nappended to {given['ledger']}: {entry}")
    return _CODES[report.says]


def _refuse_mixed(named: Sequence[Path], given: dict[str, Any]) -> None:
    if bool(named) == (given["rows"] is not None):
        raise click.UsageError("name RUN folders, or a table of answers with --rows")
    beside = "runs" if given["rows"] is None else "--rows"
    spelt = {"mapping": "--map", "leave_out": "--leave-out"}
    wrong = [spelt.get(name, f"--{name}") for name in _IDLE[beside] if given[name]]
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)}: means nothing with {beside}")
    if (given["ledger"] is None) != (given["stage"] is None):
        raise click.UsageError("--ledger and --stage go together")


def _of_runs(named: Sequence[Path], given: dict[str, Any]) -> CheckReport:
    mistakes: list[Mistake] = []
    found = _answers(named, mistakes)
    before = _answers(given["before"], mistakes)
    if mistakes:
        raise RunError(mistakes)
    return check_runs(
        found,
        before,
        form=_form(found[0], given["suite"]),
        only=[Topic(name) for name in given["only"]],
        clusters=given["by"],
        seed=given["seed"],
    )


def _answers(folders: Sequence[Path], mistakes: list[Mistake]) -> list[AnsweredRun]:
    found = []
    for folder in (run for each in folders for run in _runs_in(each)):
        try:
            found.append(read_answers(folder))
        except RunError as error:
            mistakes += error.mistakes
    return found


def _runs_in(folder: Path) -> list[Path]:
    """Return the folder, or the runs in it where it is none itself."""
    if (folder / _PLAN).is_file():
        return [folder]
    inside = sorted(each.parent for each in folder.glob(f"*/{_PLAN}"))
    return inside or [folder]


def _form(run: AnsweredRun, suite: Path | None) -> Form | None:
    """Return the items that were asked; None where they are no longer where they were."""
    known = places(run.folder).get("suite")
    path = suite or (None if known is None else Path(known))
    if path is None or not path.exists():
        return None
    return read_form(path, family=run.plan.family, form=run.plan.asked.form)


def _of_rows(given: dict[str, Any]) -> CheckReport:
    path = given["rows"]
    if given["mapping"] is None:
        expected = "--map FILE, or --map with one of " + ", ".join(BUILT_IN)
        remedy = "docs/how-to/import-results.md shows how to write one."
        wrong = Mistake(
            file=str(path), place="", read="no mapping", expected=expected, remedy=remedy
        )
        raise TableError([wrong])
    mapping, digest = read_mapping(given["mapping"])
    rows = read_plain(path, mapping)
    sheet = sheet_of_rows(
        rows,
        align(rows, pairing_of(mapping)),
        options=mapping.options,
        leave_out=given["leave_out"],
    )
    with path.open("rb") as stream:
        read = Digest(hashlib.file_digest(stream, "sha256").hexdigest())
    return check_rows(sheet, evidence=[read, digest], seed=given["seed"])
