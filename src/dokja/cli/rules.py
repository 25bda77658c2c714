"""`dokja rules`: check a rulebook, list and show the packaged ones, adopt a new version."""

from pathlib import Path

import click

from dokja.cli.new import rulebook_draft
from dokja.cli.printing import as_json, emit, now, say, table
from dokja.cli.rulebooks import in_folder, named
from dokja.decisions.rulebooks import available, read
from dokja.decisions.rules import load_rulebook
from dokja.evidence.ledger import open_programme

__all__ = ["rules"]


@click.group
def rules() -> None:
    """Check a rulebook, list and show the packaged ones, adopt a new version.

    \b
    Examples:
      dokja rules check sample/programme/rulebook.toml
      dokja rules show k-ai-2025/2026-01-15
    """


@rules.command("check", short_help="Tell everything that is wrong with a rulebook.")
@click.argument("file")
@as_json
def check(file: str, *, as_json: bool) -> int:
    """Check the rulebook FILE, or a packaged version such as k-ai-2025/2026-01-15.

    Every mistake is told at once: the key, what was read, what was expected.

    \b
    Example:
      dokja rules check sample/programme/rulebook.toml
    """
    data, shown = named(file)
    rulebook = load_rulebook(data, file=shown)
    if as_json:
        emit(
            {
                "schema": "dokja.rules.check/1",
                "file": shown,
                "rulebook": {
                    "id": rulebook.id,
                    "version": rulebook.version,
                    "digest": str(rulebook.digest),
                },
                "stages": list(rulebook.stages),
                "gates": list(rulebook.gates),
            }
        )
        return 0
    say(f"{shown}: {rulebook.title.ko} / {rulebook.title.en}")
    say(f"  version {rulebook.version}, in force {rulebook.in_force}, {rulebook.digest}")
    rows = [
        (name, stage.kind, str(stage.planned_advance), ", ".join(stage.gates) or "–")
        for name, stage in rulebook.stages.items()
    ]
    say(table(["stage", "kind", "go on", "gates"], rows))
    say("Nothing is wrong with it.")
    return 0


@rules.command("list", short_help="List the packaged rulebooks.")
@as_json
def list_(*, as_json: bool) -> int:
    """List the rulebooks that come with Dokja.

    \b
    Example:
      dokja rules list
    """
    if as_json:
        emit({"schema": "dokja.rules.list/1", "rulebooks": list(available())})
        return 0
    for name in available():
        say(name)
    return 0


@rules.command("show", short_help="Print a packaged rulebook.")
@click.argument("name")
def show(name: str) -> int:
    """Print the packaged rulebook NAME, to read it or to start your own from it.

    \b
    Example:
      dokja rules show k-ai-2025/2026-01-15
    """
    if name.removeprefix("dokja:") not in available():
        known = ", ".join(available())
        raise click.UsageError(f"no packaged rulebook {name!r}; there are {known}")
    say(read(name.removeprefix("dokja:")).decode())
    return 0


@rules.command("adopt", short_help="Bring a new version into force.")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--rulebook", help="A file or a packaged version; the folder's own by default.")
@as_json
def adopt(folder: Path, rulebook: str | None, *, as_json: bool) -> int:
    """Enter the version of the rulebook of the programme FOLDER into its ledger.

    From then on its bytes are pinned: an edit without a new version is refused.

    \b
    Example:
      dokja rules adopt build/sample
    """
    programme = open_programme(folder)
    adopted, data = in_folder(programme, rulebook)
    programme.blobs.put(data)
    already = programme.ledger.find(f"rulebook/{adopted.version}")
    entry = already or programme.ledger.append([rulebook_draft(adopted)], at=now())[0]
    if as_json:
        emit(
            {
                "schema": "dokja.rules.adopt/1",
                "version": adopted.version,
                "entry": entry.seq,
                "already": already is not None,
            }
        )
        return 0
    when = "was in force already" if already else "is in force"
    say(f"{adopted.id} {adopted.version} {when} (ledger entry {entry.seq}, {adopted.digest}).")
    return 0
