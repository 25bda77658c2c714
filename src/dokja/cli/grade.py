"""`dokja grade`: the grade of one model, component by component."""

from pathlib import Path

import click

from dokja.cli.printing import as_json, emit, say, table
from dokja.cli.rulebooks import in_folder
from dokja.decisions.grades import grade_model
from dokja.evidence.ledger import open_programme
from dokja.public.reports import word_reason

__all__ = ["grade"]

FOUND, UNDECIDED = 3, 4


@click.command(short_help="Grade one model T0–T6, component by component.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("model")
@click.option("--rulebook", help="A file or a packaged version; the folder's own by default.")
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", help="Language of the text.")
@as_json
def grade(folder: Path, model: str, rulebook: str | None, lang: str, *, as_json: bool) -> int:
    """Grade MODEL of the programme in FOLDER from what its ledger holds.

    What the team declared and what the evidence supports stand side by side. Ends with 3 if
    the evidence supports less than was declared, with 4 if that is undecided.

    \b
    Example:
      dokja grade build/sample garam-1
    """
    programme = open_programme(folder)
    book, _ = in_folder(programme, rulebook)
    found = grade_model(book, tuple(programme.ledger.entries()), model=model)
    document = found.to_json()
    if as_json:
        emit({"schema": "dokja.grade/1", "rulebook": book.version, **document})
        return _exit_code(document["difference"])
    say(f"{model}: declared {document['declared'] or 'nothing'}, found {_range(document['found'])}")
    rows = [
        (
            part["component"],
            part["role"],
            "–" if part["parameter_share"] is None else f"{part['parameter_share']:.1%}",
            part["declared"] or "–",
            _range(part["found"]),
            part["status"],
        )
        for part in document["components"]
    ]
    say(table(["component", "role", "share", "declared", "found", "status"], rows))
    for part in document["components"]:
        for reason in part["reasons"]:
            say(f"  {part['component']}: {word_reason(reason, lang)}")
    return _exit_code(document["difference"])


def _range(found: dict[str, str] | None) -> str:
    if found is None:
        return "–"
    return found["low"] if found["low"] == found["high"] else f"{found['low']}–{found['high']}"


def _exit_code(difference: str) -> int:
    return {"same": 0, "lower": FOUND}.get(difference, UNDECIDED)
