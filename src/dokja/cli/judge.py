"""`dokja judge`: a decision and its dossier, and the check that a decision replays."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from dokja import __version__
from dokja.cli.printing import as_json, emit, say
from dokja.cli.programmes import unbroken
from dokja.cli.rulebooks import adoptions, by_digest, in_folder
from dokja.decisions import Decision, Verdict
from dokja.decisions import judge as judge_stage
from dokja.decisions.rules import Rulebook, load_rulebook
from dokja.errors import DecisionFileError, Mistake
from dokja.evidence.ledger import Programme
from dokja.public.reports import DossierFiles, differences, standing_text, write_dossier
from dokja.values import Digest, parse_json

__all__ = ["judge"]

DECIDED, FOUND, UNDECIDED = 0, 3, 4
SOFTWARE = ("dokja", __version__)


@click.command
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--stage", help="Id of the stage in the rulebook.")
@click.option("--rulebook", help="A file or a packaged version; the folder's own by default.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the dossier goes.")
@click.option(
    "--check",
    "decision_file",
    type=click.Path(path_type=Path),
    help="A decision.json: compute it again and compare byte by byte.",
)
@click.option("--lang", type=click.Choice(["en", "ko"]), default="en", help="Language of the text.")
@as_json
def judge(
    folder: Path,
    stage: str | None,
    rulebook: str | None,
    out: Path | None,
    decision_file: Path | None,
    lang: str,
    *,
    as_json: bool,
) -> int:
    """Judge a stage of the programme in FOLDER from its rulebook and its ledger alone.

    Writes dossier.html, decision.json and a CSV of every table below
    FOLDER/decisions/STAGE/, each rulebook version and ledger size beside the others, and
    changes nothing else. Ends with 3 if a gate failed, with 4 if the stage is undecided.

    \b
    With --check DECISION.json it computes that decision again, from the ledger as it was at
    the decision's size: 0 identical, 3 different.

    \b
    Examples:
      dokja judge build/sample --stage final
      dokja judge --check decision.json build/sample
    """
    with unbroken(folder) as programme:
        if decision_file is not None:
            return _check(programme, decision_file, name=rulebook, as_json=as_json)
        book, _ = in_folder(programme, rulebook)
        if stage is None:
            known = ", ".join(book.stages)
            raise click.UsageError(f"--stage is missing; the rulebook's stages are {known}")
        decision = _judged(programme, book, stage=stage, size=programme.ledger.size)
        entries = list(programme.ledger.entries(0, decision.ledger.size))
        target = out or folder / "decisions" / stage / _folder_name(decision)
        files = write_dossier(decision.to_json(), entries=entries, out=target)
        if as_json:
            document = decision.to_json()
            emit({"schema": "dokja.judge/1", "decision": document, "dossier": str(files.html)})
        else:
            _tell(decision, files, programme=programme, lang=lang)
        return _exit_code(decision)


def _folder_name(decision: Decision) -> str:
    """Return a name that puts decisions of every rulebook version and ledger size side by side."""
    return f"{decision.rulebook.version}-{decision.ledger.size}-{decision.digest.short}"


def _tell(decision: Decision, files: DossierFiles, *, programme: Programme, lang: str) -> None:
    book, folder = decision.rulebook, programme.folder
    say(standing_text(decision.to_json(), lang))
    if all(entry.body["digest"] != str(book.digest) for entry in adoptions(programme.ledger)):
        say()
        say(f"Rulebook version {book.version} is not adopted in this ledger; to bring it into")
        say(f"force: dokja rules adopt {folder}")
    say()
    say(f"decision  {decision.digest}")
    say(f"replay    dokja judge --check {files.decision} {folder}")
    say(f"dossier   {files.html}")


def _judged(programme: Programme, book: Rulebook, *, stage: str, size: int) -> Decision:
    ledger = programme.ledger
    return judge_stage(
        book,
        tuple(ledger.entries(0, size)),
        stage=stage,
        ledger_head=(ledger.origin, size, ledger.root(size)),
        software=SOFTWARE,
    )


def _exit_code(decision: Decision) -> int:
    gates = [gate for team in decision.teams for gate in team.gates]
    if any(gate.verdict is Verdict.FAILS for gate in gates):
        return FOUND
    return DECIDED if decision.outcome.decided else UNDECIDED


def _check(programme: Programme, file: Path, *, name: str | None, as_json: bool) -> int:
    sent = _sent(file)
    claimed = parse_json(sent)
    size = claimed["ledger"]["size"]
    found: list[str] = []
    if size > programme.ledger.size:
        found.append(
            f"ledger.size: the decision rests on {size} entries; this ledger has "
            f"{programme.ledger.size}"
        )
    else:
        data, shown = by_digest(claimed["rulebook"]["digest"], programme, name=name)
        book = load_rulebook(data, file=shown)
        again = _judged(programme, book, stage=claimed["stage"]["id"], size=size)
        if again.canonical_bytes != sent:
            found = list(differences(claimed, again.to_json())) or ["the bytes: not canonical"]
    if as_json:
        emit({"schema": "dokja.judge.check/1", "identical": not found, "differences": found})
        return FOUND if found else DECIDED
    if not found:
        say(f"Identical: {file} follows from its rulebook and the first {size} entries.")
        return DECIDED
    say(f"Different: {file} does not follow from this rulebook and this ledger.")
    for difference in found:
        say(f"  {difference}")
    return FOUND


def _sent(file: Path) -> bytes:
    def wrong(read: str, expected: str) -> DecisionFileError:
        return DecisionFileError([Mistake(file=str(file), place="", read=read, expected=expected)])

    try:
        data = file.read_bytes()
    except OSError as error:
        raise wrong(error.strerror or "nothing", "a decision.json") from error
    try:
        claimed: Any = parse_json(data)
    except ValueError as error:
        raise wrong(str(error), "a decision.json, as `dokja judge` writes it") from error
    needed = {"schema", "ledger", "rulebook", "stage", "teams"}
    if not isinstance(claimed, dict) or not needed <= set(claimed):
        raise wrong("another JSON document", "the keys " + ", ".join(sorted(needed)))
    if claimed["schema"] != "dokja.decision/1":
        raise wrong(repr(claimed["schema"]), "schema dokja.decision/1; a newer Dokja may read it")
    damage = list(_damage(claimed, file=str(file)))
    if damage:
        raise DecisionFileError(damage)
    return data


def _damage(claimed: Mapping[str, Any], *, file: str) -> Iterator[Mistake]:
    """Yield what keeps a decision from being computed again: ledger, rulebook or stage."""

    def at(table: str, key: str) -> Any:
        inside = claimed[table]
        return inside.get(key) if isinstance(inside, dict) else None

    def wrong(place: str, read: object, expected: str) -> Mistake:
        return Mistake(file=file, place=place, read=repr(read), expected=expected)

    size, digest, stage = at("ledger", "size"), at("rulebook", "digest"), at("stage", "id")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        yield wrong("ledger.size", size, "how many entries it rests on, at least 1")
    try:
        Digest.parse(str(digest))
    except ValueError:
        yield wrong("rulebook.digest", digest, "sha256: and 64 hexadecimal digits")
    if not isinstance(stage, str):
        yield wrong("stage.id", stage, "the id of a stage")
