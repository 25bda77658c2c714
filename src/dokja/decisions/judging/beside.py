"""What stands beside a decision: the published outcome, missing scores, sealed fields."""

from collections.abc import Iterator, Mapping, Sequence

from dokja.decisions.judging.decision import Absence, Published, SealedField, TeamStanding
from dokja.decisions.rules import Record, Ruling, Said, Stage, Verdict, because
from dokja.decisions.standing import ScoreSheet, outcome_of
from dokja.evidence.ledger.kinds import Body, Outcome, Sealed, Unseal
from dokja.values import Missing, MissingReason, Reason

__all__ = ["absences", "compared", "sealed_fields"]

_COMPUTED = {Verdict.HOLDS: "advance", Verdict.FAILS: "out", Verdict.UNDECIDED: "undecided"}


def compared(
    record: Record, *, stage: str, rules: Stage, teams: Sequence[TeamStanding]
) -> Published | None:
    """Return the published outcome beside the computed one; nothing where none was published."""
    said = outcome_of(record, stage)
    if said is None:
        return None
    differences = _differences(said, teams)
    codes = {reason.code for reason in differences}
    if codes & {"published-otherwise", "published-other-ground", "computed-but-not-published"}:
        agrees = Verdict.FAILS
    else:
        agrees = Verdict.UNDECIDED if differences else Verdict.HOLDS
    withheld = rules.withheld.fields if rules.withheld is not None else ()
    return Published(
        advance=said.body.advance,
        eliminated=tuple((e.team, e.ground, e.gate) for e in said.body.eliminated),
        agrees=agrees,
        differences=differences,
        entries=said.seqs,
        withheld=tuple(dict.fromkeys((*said.body.withheld, *withheld))),
    )


def _differences(said: Said[Outcome], teams: Sequence[TeamStanding]) -> tuple[Reason, ...]:
    grounds = {one.team: one.ground for one in said.body.eliminated}
    told = {**dict.fromkeys(said.body.advance, "advance"), **dict.fromkeys(grounds, "out")}
    found = (
        _difference(said, standing, told=told.get(standing.team), ground=grounds.get(standing.team))
        for standing in teams
    )
    return tuple(reason for reason in found if reason is not None)


def _difference(
    said: Said[Outcome], standing: TeamStanding, *, told: str | None, ground: str | None
) -> Reason | None:
    """Return where the published and the computed fate of a team differ, if they do."""
    team, entries = standing.team, said.seqs
    here = _COMPUTED[standing.advances.verdict]
    if told is None:
        if here == "undecided":
            return None
        return because("computed-but-not-published", team=team, computed=here, entries=entries)
    if here == "undecided":
        return because("published-but-undecided", team=team, published=told, entries=entries)
    if here != told:
        return because(
            "published-otherwise", team=team, published=told, computed=here, entries=entries
        )
    if ground is not None and not _same_ground(ground, standing):
        other = "gate" if ground == "points" else "points"
        return because(
            "published-other-ground",
            team=team,
            published=ground,
            computed=other,
            entries=entries,
        )
    return None


def _same_ground(ground: str, standing: TeamStanding) -> bool:
    """Tell whether the published ground is one of those on which the team is out."""
    *gates, points = standing.advances.parts
    if ground == "gate":
        return any(gate.verdict is Verdict.FAILS for gate in gates)
    return points.verdict is Verdict.FAILS


def absences(
    sheets: Mapping[str, ScoreSheet], *, rulings: Mapping[str, Ruling]
) -> tuple[Absence, ...]:
    """Return every score that is not there; of a sum, the parts that it lacks."""
    found = []
    for team, sheet in sheets.items():
        undecided = rulings[team].verdict is Verdict.UNDECIDED
        for score in sheet.parts:
            if not isinstance(score.score, Missing):
                continue
            if score.score.reason is MissingReason.PARTS_MISSING:
                continue  # its missing parts stand for it
            if undecided:
                settles = because(
                    "score-would-settle",
                    team=team,
                    part=score.part,
                    points=score.points,
                    effect=score.points / sheet.total.points,
                )
            else:
                settles = because(
                    "score-would-complete", team=team, part=score.part, points=score.points
                )
            found.append(
                Absence(
                    team=team,
                    part=score.part,
                    reason=score.score.reason.value,
                    entries=score.entries,
                    settles=settles,
                )
            )
    return tuple(found)


def sealed_fields(record: Record, *, stage: str) -> tuple[SealedField, ...]:
    """Return every field of the stage's entries that stays sealed."""
    opened = {(said.body.entry, said.body.field) for said in record.every(Unseal)}
    return tuple(
        SealedField(entry=said.seq, field=field, commitment=commitment)
        for said in record.said
        if getattr(said.body, "stage", stage) == stage
        for field, commitment in _seals(said.body)
        if (said.id, field) not in opened
    )


def _seals(body: Body) -> Iterator[tuple[str, str]]:
    for field in type(body).model_fields:
        value = getattr(body, field)
        if isinstance(value, Sealed):
            yield field, value.sealed
