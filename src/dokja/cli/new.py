"""`dokja new`: make a programme folder, empty or from prepared parts."""

import secrets
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import click

from dokja.cli.printing import as_json, emit, now, say
from dokja.cli.rulebooks import named
from dokja.decisions.rules import Rulebook, load_rulebook
from dokja.errors import Mistake, ProgrammeError
from dokja.evidence.ledger import (
    Draft,
    Programme,
    SigningKey,
    create_programme,
    open_programme,
    parse_drafts,
)
from dokja.values import Digest, Json, Text, is_identifier

__all__ = ["new", "rulebook_draft"]

PREPARED = ("models", "items", "ballots.jsonl", "sheets.jsonl")


@click.command
@click.argument("folder", type=click.Path(path_type=Path))
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder with programme.toml, rulebook.toml, entries.jsonl, models/, items/ and more.",
)
@click.option("--id", "name", help="Id of the programme; the folder's name where none is given.")
@click.option("--title", help="Title in English; the id where none is given.")
@click.option("--title-ko", help="Title in Korean; the English one where none is given.")
@click.option("--ledger", "ledger_url", help="postgresql://… instead of ledger.db in the folder.")
@as_json
def new(
    folder: Path,
    source: Path | None,
    name: str | None,
    title: str | None,
    title_ko: str | None,
    ledger_url: str | None,
    *,
    as_json: bool,
) -> int:
    """Make a programme folder in FOLDER, which must not exist or be empty.

    It holds programme.toml, rulebook.toml, the ledger, blobs/, models/, and a signing key in
    keys/. Without --from, rulebook.toml is a small valid rulebook with a comment on every
    line that you will want to change.

    \b
    Examples:
      dokja new my-programme --title "My programme" --title-ko "우리 사업"
      dokja new build/sample --from sample/programme
    """
    about = _about(source) if source else {}
    titles = about.get("title", {})
    name = str(name or about.get("id") or folder.name.lower())
    english = str(title or titles.get("en") or name)
    korean = str(title_ko or titles.get("ko") or english)
    data, file = _rulebook(source, about)
    rulebook = load_rulebook(data, file=file)
    _refuse(name, folder=folder)
    drafts = _drafts(source)
    with _made_whole(folder) as making:
        programme = create_programme(
            making,
            id=name,
            title=Text(ko=korean, en=english),
            at=now(),
            rulebook=data,
            ledger=ledger_url or "ledger.db",
            key=SigningKey(f"dokja/{name}", secrets.token_bytes(32)),
        )
        with closing(programme):
            if source:
                _bring(source, making)
            programme.blobs.put(data)
            opening = _opening(programme, about, drafts)
            programme.ledger.append([*opening, rulebook_draft(rulebook), *drafts], at=now())
    with closing(open_programme(folder)) as programme:
        _tell(programme, rulebook, as_json=as_json)
    return 0


@contextmanager
def _made_whole(folder: Path) -> Iterator[Path]:
    """Yield a folder to fill, which takes its place once it is filled, or leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as scratch:
        making = Path(scratch) / folder.name
        yield making
        making.replace(folder)


def _about(source: Path) -> dict[str, Any]:
    path = source / "programme.toml"
    try:
        about = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ProgrammeError(
            [Mistake(file=str(path), place="", read=str(error), expected="a TOML file in UTF-8")]
        ) from error
    titles = about.get("title", {})
    if not isinstance(titles, dict):
        what = 'a table, such as { ko = "우리 사업", en = "Our programme" }'
        raise ProgrammeError(
            [Mistake(file=str(path), place="title", read=repr(titles), expected=what)]
        )
    return about


def _drafts(source: Path | None) -> tuple[Draft, ...]:
    path = None if source is None else source / "entries.jsonl"
    if path is None or not path.exists():
        return ()
    try:
        data = path.read_bytes()
    except OSError as error:
        what = "a file that may be read"
        raise ProgrammeError(
            [Mistake(file=str(path), place="", read=str(error.strerror), expected=what)]
        ) from error
    return parse_drafts(data, file=str(path))


def _rulebook(source: Path | None, about: dict[str, Any]) -> tuple[bytes, str]:
    if source is None:
        return files("dokja.cli").joinpath("starting.toml").read_bytes(), "starting.toml"
    written = about.get("rulebook")
    return named(str(written)) if written else named(str(source / "rulebook.toml"))


def _refuse(name: str, *, folder: Path) -> None:
    """Raise everything that keeps a programme of this name from standing in this folder."""
    mistakes = []
    if not is_identifier(name):
        what = "lower-case letters, digits, Hangul syllables and . _ - inside"
        mistakes.append(
            Mistake(file="the command line", place="--id", read=repr(name), expected=what)
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        what = "a new or empty folder"
        mistakes.append(
            Mistake(file=str(folder), place="", read="something is there", expected=what)
        )
    if mistakes:
        raise ProgrammeError(mistakes)


def _opening(programme: Programme, about: dict[str, Any], drafts: tuple[Draft, ...]) -> list[Draft]:
    if any(draft.kind == "programme" for draft in drafts):
        return []
    body: dict[str, Json] = {
        "programme": programme.id,
        "title": {"ko": programme.title.ko, "en": programme.title.en},
        "invented": bool(about.get("invented", False)),
    }
    return [Draft(kind="programme", actor="office", body=body, id="programme")]


def rulebook_draft(rulebook: Rulebook) -> Draft:
    """Return the entry by which a rulebook version comes into force."""
    return Draft(
        kind="rulebook",
        actor="office",
        id=f"rulebook/{rulebook.version}",
        body={
            "rulebook": rulebook.id,
            "version": rulebook.version,
            "digest": str(rulebook.digest),
            "in_force": rulebook.in_force.isoformat(),
        },
        blobs=(Digest.parse(str(rulebook.digest)),),
    )


def _bring(source: Path, folder: Path) -> None:
    for part in PREPARED:
        prepared = source / part
        if prepared.is_dir():
            shutil.copytree(prepared, folder / part, dirs_exist_ok=True)
        elif prepared.exists():
            shutil.copy2(prepared, folder / part)


def _tell(programme: Programme, rulebook: Rulebook, *, as_json: bool) -> None:
    size = programme.ledger.size
    if as_json:
        emit(
            {
                "schema": "dokja.new/1",
                "folder": str(programme.folder),
                "programme": programme.id,
                "rulebook": {"id": rulebook.id, "version": rulebook.version},
                "ledger": {"size": size, "root": str(programme.ledger.root())},
            }
        )
        return
    say(f"Made {programme.folder}: {programme.title.ko} / {programme.title.en}")
    say(f"  rulebook  {rulebook.id} {rulebook.version}, stages {', '.join(rulebook.stages)}")
    say(f"  ledger    {size} entries")
