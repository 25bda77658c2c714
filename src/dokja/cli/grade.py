"""`dokja grade`: the grade of one model, component by component."""

from pathlib import Path
from typing import assert_never

import click

from dokja.cli.printing import as_json, emit, say, table
from dokja.cli.programmes import unbroken
from dokja.cli.rulebooks import in_folder
from dokja.decisions.grades import Difference, GradeRange, grade_model
from dokja.decisions.rules import reason_json
from dokja.public.reports import word_reason

__all__ = ["grade"]

DECLARED, FOUND, UNDECIDED = 0, 3, 4


@click.command
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
    with unbroken(folder) as programme:
        book, _ = in_folder(programme, rulebook)
        entries = tuple(programme.ledger.entries())
    known = [str(entry.body["model"]) for entry in entries if entry.kind == "model"]
    if model not in known:
        declared = ", ".join(known) or "none"
        raise click.UsageError(f"no model {model!r}; the ledger declares {declared}")
    found = grade_model(book, entries, model=model)
    if as_json:
        emit({"schema": "dokja.grade/1", "rulebook": book.version, **found.to_json()})
        return _exit_code(found.difference)
    say(f"{model}: declared {found.declared or 'nothing'}, found {_range(found.found)}")
    rows = [
        (
            part.component,
            part.role,
            "–" if part.parameter_share is None else f"{part.parameter_share:.1%}",
            part.declared or "–",
            _range(part.found),
            part.status.value,
        )
        for part in found.components
    ]
    say(table(["component", "role", "share", "declared", "found", "status"], rows))
    for part in found.components:
        told = [word_reason(reason_json(reason), lang) for reason in part.reasons]
        for sentence in dict.fromkeys(told):  # one finding is read from both of its ends
            say(f"  {part.component}: {sentence}")
    return _exit_code(found.difference)


def _range(found: GradeRange | None) -> str:
    if found is None:
        return "–"
    return found.low if found.is_settled else f"{found.low}–{found.high}"


def _exit_code(difference: Difference) -> int:
    match difference:
        case Difference.SAME:
            return DECLARED
        case Difference.LOWER:
            return FOUND
        case Difference.UNDECIDED:
            return UNDECIDED
        case _:
            assert_never(difference)
