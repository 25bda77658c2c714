"""`dokja compare`: whether a model reaches the required share of the frontier."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from dokja import __version__
from dokja.cli.compared import Outcomes, is_run, outcomes_at, unproven
from dokja.cli.comparing import Asked, asked_by_options, asked_by_rulebook, labels_of
from dokja.cli.observations import ACTOR
from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.programmes import unbroken
from dokja.cli.rulebooks import in_folder, named
from dokja.decisions.rules import Rulebook, load_rulebook
from dokja.errors import InputError, Mistake
from dokja.evidence.benchmarks.comparing import (
    Comparison,
    Occasion,
    document,
    reach_draft,
)
from dokja.evidence.benchmarks.comparing import (
    compare as compare_tables,
)
from dokja.evidence.benchmarks.running import read_plan
from dokja.evidence.ledger import Programme
from dokja.evidence.ledger.kinds import Model, read_body
from dokja.evidence.statistics.contrasts import Clearance
from dokja.public.reports import comparison_text

__all__ = ["compare"]

_SOFTWARE = f"dokja {__version__}"
_CODES = {Clearance.CLEARS: 0, Clearance.DOES_NOT_CLEAR: 3, Clearance.UNDECIDED: 4}
_TERMS = ("ratio", "convention", "clusters", "generalise_to", "weights", "combine", "mode")


@click.command
@click.argument("candidate", metavar="CANDIDATE")
@click.option("--against", "references", multiple=True, metavar="REF", help="Who is the frontier.")
@click.option(
    "--in",
    "places",
    multiple=True,
    metavar="TABLE",
    type=click.Path(path_type=Path),
    help="A folder of imported outcomes, or of a run; one benchmark each.",
)
@click.option("--ratio", metavar="SHARE", help="Required share of the frontier.  [default: 0.95]")
@click.option("--convention", metavar="NAME", help="What outcomes are worth.  [default: strict]")
@click.option("--clusters", metavar="NAME", help="Clustering of the items.  [default: category]")
@click.option(
    "--generalise-to",
    type=click.Choice(["blueprint", "new-clusters", "blueprint-new-clusters", "new-benchmarks"]),
    help="Which other form the verdict speaks of.  [default: new-clusters]",
)
@click.option(
    "--weights", type=click.Choice(["items", "category-macro"]), help="What counts alike."
)
@click.option("--chance", metavar="none|item|SHARE", default="none", show_default=True)
@click.option(
    "--combine",
    type=click.Choice(["ratio-of-means", "mean-of-ratios", "each"]),
    help="How several benchmarks make one question.",
)
@click.option("--mode", type=click.Choice(["all", "named", "crossfit"]), help="Of several REF.")
@click.option("--rulebook", metavar="FILE", help="Ask what this rulebook registered instead.")
@click.option("--stage", help="Of that rulebook.")
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="NAME=LABEL",
    help="What the tables call CANDIDATE or a system of the rulebook.",
)
@click.option(
    "--ledger", type=click.Path(path_type=Path), help="Append the answer to this programme."
)
@click.option("--on", "day", type=click.DateTime(["%Y-%m-%d"]), help="Day of the measurement.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0))
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", help="Language of the text.")
@as_json
def compare(candidate: str, *, as_json: bool, **given: Any) -> int:
    """Say whether CANDIDATE reaches the required share of the frontier on the same items.

    The answer is: clears (0), does not clear (3), or undecided (4), which is an answer too, with
    why and what would settle it. CANDIDATE and every REF are labels of the systems in the tables,
    or run folders. With --rulebook the question is the one that was registered; without it the
    answer is no programme decision.

    \b
    Examples:
      dokja compare gpt-5-mini --against gpt-5.1-medium --in build/click --clusters source
      dokja compare garam-1 --rulebook rulebook.toml --stage final --in build/final
    """
    book = _rulebook(given)
    candidate = _run_or_label(candidate, given)
    with Console(stderr=True).status("reading"):
        if book is not None:
            labels = labels_of(given["labels"])
            asked = asked_by_rulebook(book, candidate, stage=given["stage"], labels=labels)
        else:
            asked = asked_by_options(candidate, given)
        read = outcomes_at(given["places"], candidate=asked.question.candidate, names=asked.names)
    with ExitStack() as held:
        programme = (
            held.enter_context(unbroken(given["ledger"])) if given["ledger"] is not None else None
        )
        doubts = read.doubts | (unproven(programme, read) if programme is not None else frozenset())
        with Console(stderr=True).status("comparing"):
            found = compare_tables(read.tables, asked.question, doubts=doubts)
        said = document(found, evidence=read.evidence, software=_SOFTWARE)
        appended = None
        if programme is not None and book is not None:
            appended = _append(programme, found, asked=asked, given=given, read=read, book=book)
    if as_json:
        emit(said)
    else:
        say(comparison_text(said, given["lang"]))
        if appended is not None:
            say()
            say(f"appended to {given['ledger']}: {appended}")
    return _CODES[found.verdict]


def _run_or_label(said: str, given: dict[str, Any]) -> str:
    """Return a system's label; where a run folder was named, its outcomes are read as well."""
    listed = [said, *given["references"]]
    labels = []
    for one in listed:
        if is_run(Path(one)):
            given["places"] = (*given["places"], Path(one))
            labels.append(read_plan(Path(one)).system.label)
        else:
            labels.append(one)
    given["references"] = tuple(labels[1:])
    return labels[0]


def _rulebook(given: Mapping[str, Any]) -> Rulebook | None:
    """Return the rulebook whose question is asked: the file's, or that of the programme."""
    name, folder = given["rulebook"], given["ledger"]
    if name is None and folder is None:
        return None
    wrong = [f"--{key.replace('_', '-')}" for key in _TERMS if given[key] is not None]
    wrong += ["--against"] if given["references"] else []
    wrong += ["--chance"] if given["chance"] != "none" else []
    if wrong:
        raise click.UsageError(f"{', '.join(wrong)}: what is asked is fixed by the rulebook")
    if given["stage"] is None:
        raise click.UsageError("--stage is missing: whose frontier of the rulebook?")
    if folder is not None:
        with unbroken(folder) as programme:
            return in_folder(programme, name)[0]
    data, file = named(name)
    return load_rulebook(data, file=file)


def _append(
    programme: Programme,
    found: Comparison,
    *,
    asked: Asked,
    given: Mapping[str, Any],
    read: Outcomes,
    book: Rulebook,
) -> str:
    """Append the answer to a programme's ledger, once; return the entry's id."""
    team, invented = _team(programme, asked.model)
    day = now().date() if given["day"] is None else given["day"].date()
    draft, data = reach_draft(
        found,
        Occasion(
            stage=given["stage"],
            team=team,
            model=asked.model,
            rulebook=book.version,
            on=day,
            actor=ACTOR,
        ),
        software=_SOFTWARE,
        evidence=read.evidence,
        invented=invented,
    )
    if all(entry.id != draft.id for entry in programme.ledger.entries(kind="reach")):
        programme.blobs.put(data)
        programme.ledger.append([draft], at=now())
    return str(draft.id)


def _team(programme: Programme, model: str) -> tuple[str, bool]:
    """Return whose model it is, and whether the programme is invented."""
    models = {}
    for entry in programme.ledger.current(kind="model"):
        if entry.body is not None:
            body = read_body("model", entry.body)
            if isinstance(body, Model):
                models[body.model] = body
    if model not in models:
        known = ", ".join(models) or "none is declared"
        raise InputError(
            [
                Mistake(
                    file=str(programme.folder),
                    place="models of the ledger",
                    read=repr(model),
                    expected=f"one of: {known}",
                    remedy="Give its label in the tables by --label MODEL=LABEL.",
                )
            ],
            changed="Nothing was appended.",
        )
    opened = next(iter(programme.ledger.entries(kind="programme")), None)
    return models[model].team, bool(opened is not None and opened.body.get("invented"))
