"""What people say at a stage, as drafts: blind ballots and expert sheets from the programme folder.

Files are read whole before anything is entered. A batch is entered once: what stands in the ledger
already is not sealed or entered again, and a file that says something else than it did is refused,
so that no score rests on votes or sheets that nobody entered.
"""

import secrets
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from dokja.cli.observations import ACTOR, measured_parts, terms, unscored
from dokja.decisions.rules import Part, Rulebook
from dokja.errors import Mistake, RulebookError, SuiteError
from dokja.evidence import ballots, reviews
from dokja.evidence.ledger import SALT_BYTES, Draft, Programme, seal
from dokja.evidence.statistics import Scores
from dokja.values import Json, canonical_bytes

__all__ = ["ballot_drafts", "sheet_drafts"]

BALLOTS = "ballots.jsonl"
SHEETS = "sheets.jsonl"

_MEND = (
    "Restore the file. A batch that was entered is not entered again; an entry that is wrong is "
    "mended by a correction, and the file with it."
)


def ballot_drafts(
    programme: Programme, rulebook: Rulebook, *, stage: str, on: date, teams: Sequence[str]
) -> list[tuple[str, list[Draft]]]:
    """Return the batch of blind votes of a stage and the scores that follow from it.

    Nothing is returned where no part is measured by ballots, or none were handed in.

    Raises:
        SuiteError: The file is wrong, or is not the one that was entered.
    """
    parts = measured_parts(rulebook, stage=stage, by="ballots")
    path = programme.folder / BALLOTS
    if not parts or not path.exists():
        return []
    batch = ballots.read_ballots(path, teams=teams)
    invented, maker = _origin(programme)
    draft = ballots.ballots_draft(
        batch, stage=stage, on=on, actor=ACTOR, invented=invented, maker=maker
    )
    entered = None if draft.id is None else programme.ledger.find(draft.id)
    if entered is not None and entered.blobs != draft.blobs:
        read = f"{len(batch.ballots)} ballots with digest {batch.digest.short}…"
        expected = f"those of ledger entry {entered.seq} ({entered.id})"
        raise SuiteError(
            [Mistake(file=str(path), place="", read=read, expected=expected, remedy=_MEND)]
        )
    programme.blobs.put(batch.records_bytes)
    evidence = {team: [str(draft.id)] for team in teams}

    def scored(part: Part) -> Scores:
        asked = terms(rulebook, part, stage=stage, on=on)
        return ballots.score_drafts(batch, terms=asked, evidence=evidence, invented=invented)

    scores = [draft for part in parts for draft in scored(part).drafts]
    return [("ballots", [draft, *unscored(scores, programme, rulebook, stage=stage)])]


def sheet_drafts(
    programme: Programme,
    rulebook: Rulebook,
    *,
    stage: str,
    on: date,
    teams: Sequence[str],
    keep: bool = True,
) -> list[tuple[str, list[Draft]]]:
    """Return the expert sheets of a stage, reviewers sealed, and the scores that follow from them.

    Nothing is returned where no part is measured by sheets, or none were handed in. Without
    `keep` the file is only tried: salts are thrown away, so that the drafts cannot be unsealed.

    Raises:
        RulebookError: Two parts of the stage name the same criterion.
        SuiteError: The file is wrong, or is not the one that was entered.
        LedgerWriteError: A reviewer's name could not be kept.
    """
    parts = measured_parts(rulebook, stage=stage, by="sheets")
    path = programme.folder / SHEETS
    if not parts or not path.exists():
        return []
    criteria = _criteria(parts, stage=stage, file=str(programme.rulebook_path))
    batch = reviews.read_sheets_file(path, teams=teams, criteria=criteria)
    invented, _ = _origin(programme)
    entered = _entered_sheets(programme, stage=stage)
    drafts: tuple[Draft, ...] = ()
    if entered:
        _refuse_other_sheets(batch, entered=entered, path=path)
        evidence = {team: [name for name, _ in entered.get(team, ())] for team in teams}
    else:
        drafts = reviews.sheet_drafts(
            batch,
            stage=stage,
            rulebook=rulebook.version,
            on=on,
            actor=ACTOR,
            invented=invented,
            seal=lambda name: (programme.seals.keep if keep else seal)(
                name, salt=secrets.token_bytes(SALT_BYTES), field="reviewer"
            ),
        )
        evidence = {
            team: [str(draft.id) for draft in drafts if draft.body["team"] == team]
            for team in teams
        }

    def scored(part: Part) -> Scores:
        asked = terms(rulebook, part, stage=stage, on=on)
        names = {} if part.measure is None else part.measure.criteria
        return reviews.score_drafts(
            batch, terms=asked, criteria=names, evidence=evidence, invented=invented
        )

    scores = [draft for part in parts for draft in scored(part).drafts]
    return [("sheets", [*drafts, *unscored(scores, programme, rulebook, stage=stage)])]


def _origin(programme: Programme) -> tuple[bool, str | None]:
    """Return whether the programme is invented, and what it says of how."""
    for entry in programme.ledger.current(kind="programme"):
        if entry.body is not None and entry.body.get("invented"):
            note = entry.body.get("note")
            return True, str(note["en"]) if isinstance(note, Mapping) else None
    return False, None


def _criteria(parts: Sequence[Part], *, stage: str, file: str) -> dict[str, float]:
    named = [
        (name, most)
        for part in parts
        if part.measure is not None
        for name, most in part.measure.criteria.items()
    ]
    twice = [name for name, count in Counter(name for name, _ in named).items() if count > 1]
    if twice:
        raise RulebookError(
            [
                Mistake(
                    file=file,
                    place=f"stages.{stage}.parts",
                    read=f"the criterion {name!r} in two parts",
                    expected="each criterion in one part, since a sheet has one number for it",
                )
                for name in twice
            ]
        )
    return dict(named)


_Sheets = Mapping[str, Sequence[tuple[str, Json]]]


def _entered_sheets(programme: Programme, *, stage: str) -> _Sheets:
    """Return, by team, the id and the scores of each sheet that stands in the ledger."""
    found: defaultdict[str, list[tuple[str, Json]]] = defaultdict(list)
    for entry in programme.ledger.current(kind="sheet"):
        if entry.body is not None and entry.body["stage"] == stage:
            found[str(entry.body["team"])].append((entry.id, entry.body["scores"]))
    return found


def _refuse_other_sheets(batch: reviews.Batch, *, entered: _Sheets, path: Path) -> None:
    """Raise every team of which the file and the ledger say different things.

    Who wrote a sheet is sealed, so what is compared is what was given.
    """
    mistakes = []
    for team in sorted({*entered, *(sheet.team for sheet in batch.sheets)}):
        mine = [dict(sheet.scores) for sheet in batch.sheets if sheet.team == team]
        theirs = [scores for _, scores in entered.get(team, ())]
        if sorted(map(canonical_bytes, mine)) != sorted(map(canonical_bytes, theirs)):
            read = f"{len(mine)} sheets for {team}, with other numbers than were entered"
            expected = f"the {len(theirs)} sheets of the ledger"
            mistakes.append(
                Mistake(file=str(path), place="", read=read, expected=expected, remedy=_MEND)
            )
    if mistakes:
        raise SuiteError(mistakes)
