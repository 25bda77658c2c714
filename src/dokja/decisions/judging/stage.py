"""Judges a stage: gates apart from points, points as scored, and everything that stays open.

The order of work: read the ledger whole and stop at any mistake in it; find the entrants; grade
their models and ask the gates; read the score sheets and cut at the planned places, or count the
votes; then compare with what was published and say what is missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dokja.decisions.grades import ModelGrade, gate_rulings, grade_models
from dokja.decisions.judging.beside import absences, compared, sealed_fields
from dokja.decisions.judging.decision import (
    Decision,
    Ground,
    LedgerHead,
    Outcome,
    Published,
    Reliability,
    Software,
    TeamStanding,
)
from dokja.decisions.judging.places import places_of
from dokja.decisions.judging.refusing import adoption_mistakes, ruling_mistakes
from dokja.decisions.judging.settling import settling
from dokja.decisions.rules import (
    Record,
    Rulebook,
    Ruling,
    Stage,
    Verdict,
    all_of,
    because,
    survey,
)
from dokja.decisions.standing import (
    AggregateCheck,
    Basis,
    Between,
    Chance,
    Entrants,
    Order,
    RankRange,
    ScoreSheet,
    break_ties,
    chances,
    check_aggregates,
    entrants_of,
    frontier_ruling,
    models_of,
    order_mistakes,
    points_order,
    points_rulings,
    reach_mistakes,
    read_sheets,
    score_mistakes,
    vote_mistakes,
    vote_rulings,
)
from dokja.errors import EntryError, Mistake, RulebookError
from dokja.evidence.ledger import Entry
from dokja.evidence.ledger.kinds import Programme
from dokja.values import Digest, Measured, Missing, MissingReason, Reason, Text

__all__ = ["judge"]

RULE = "advance"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Points:
    """What points or votes say of a stage's entrants."""

    rulings: Mapping[str, Ruling]
    sheets: Mapping[str, ScoreSheet]
    order: Order | None
    ranks: Mapping[str, RankRange]
    chances: Mapping[str, Chance | Reason]
    wrong: Between | Reason
    aggregates: tuple[AggregateCheck, ...]


def judge(
    rulebook: Rulebook,
    entries: Iterable[Entry],
    *,
    stage: str,
    ledger_head: tuple[str, int, Digest],
    software: tuple[str, str],
) -> Decision:
    """Return the decision of a stage.

    Args:
        rulebook: The version that decides.
        entries: All entries of the ledger, in any order.
        stage: Id of the stage.
        ledger_head: The ledger's origin, size and root.
        software: Name and version of what computes.

    Raises:
        RulebookError: The rulebook has no such stage.
        EntryError: The evidence has mistakes; every one of them.
    """
    _refuse_strange_stage(rulebook, stage)
    asked = _asked(rulebook, entries, stage=stage)
    rules, points = rulebook.stages[stage], asked.points
    teams = _teams(asked)
    published = compared(asked.record, stage=stage, teams=teams, rules=rules)
    return Decision(
        software=Software(*software),
        programme=asked.programme,
        rulebook=rulebook,
        ledger=LedgerHead(*ledger_head),
        stage=stage,
        teams=teams,
        aggregates=points.aggregates,
        outcome=_outcome(rules, teams, unnamed=asked.entrants.unnamed),
        published=published,
        missing=absences(points.sheets, rulings=points.rulings),
        sealed=sealed_fields(asked.record, stage=stage),
        reliability=_reliability(asked, teams),
        entries=_entries(asked, teams, published=published),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What the rules answer to the evidence of a stage."""

    rulebook: Rulebook
    record: Record
    stage: str
    programme: Programme
    entrants: Entrants
    grades: Mapping[str, tuple[ModelGrade, ...]]
    gates: Mapping[str, tuple[Ruling, ...]]
    frontier: Mapping[str, Ruling | None]
    points: _Points


def _asked(rulebook: Rulebook, entries: Iterable[Entry], *, stage: str) -> _Asked:
    """Return what the rules answer; refuse evidence with mistakes, all of them at once."""
    record, mistakes = survey(entries)
    entrants, uninvited = entrants_of(rulebook, record, stage=stage)
    mistakes += [*uninvited, *ruling_mistakes(rulebook, record, stage=stage)]
    mistakes += adoption_mistakes(rulebook, record)
    mistakes += reach_mistakes(rulebook, record, stage=stage)
    frontier = {
        team: frontier_ruling(rulebook, record, stage=stage, team=team) for team in entrants.teams
    }
    grades, gates = _gated(rulebook, record, stage=stage, entrants=entrants)
    target = rulebook.stages[stage].frontier
    if target is not None and target.counts == "gate":
        gates = {team: (*ruled, *_told(frontier[team])) for team, ruled in gates.items()}
    points, found = _points(rulebook, record, stage=stage, entrants=entrants, gates=gates)
    mistakes += found
    programme = record.programme()
    if mistakes or programme is None:
        raise EntryError(mistakes)
    return _Asked(
        rulebook=rulebook,
        record=record,
        stage=stage,
        programme=programme.body,
        entrants=entrants,
        grades=grades,
        gates=gates,
        frontier=frontier,
        points=points,
    )


def _told(ruling: Ruling | None) -> tuple[Ruling, ...]:
    return () if ruling is None else (ruling,)


def _refuse_strange_stage(rulebook: Rulebook, stage: str) -> None:
    if stage not in rulebook.stages:
        known = ", ".join(rulebook.stages)
        place = f"rulebook {rulebook.id} {rulebook.version}"
        raise RulebookError(
            [Mistake(file=place, place="stages", read=f"no {stage!r}", expected=f"one of {known}")]
        )


def _gated(
    rulebook: Rulebook, record: Record, *, stage: str, entrants: Entrants
) -> tuple[dict[str, tuple[ModelGrade, ...]], dict[str, tuple[Ruling, ...]]]:
    """Return the grades of every team's models, and what every gate says of the team."""
    asked = [(name, rulebook.gates[name]) for name in rulebook.stages[stage].gates]
    grades: dict[str, tuple[ModelGrade, ...]] = {}
    gates: dict[str, tuple[Ruling, ...]] = {}
    for team in entrants.teams:
        models = models_of(record, team, stage=stage)
        grades[team] = grade_models(rulebook, record, models=models)
        gates[team] = gate_rulings(asked, record, stage=stage, team=team, grades=grades[team])
    return grades, gates


def _points(
    rulebook: Rulebook,
    record: Record,
    *,
    stage: str,
    entrants: Entrants,
    gates: Mapping[str, Sequence[Ruling]],
) -> tuple[_Points, list[Mistake]]:
    """Return what points or votes say, and every mistake in them."""
    rules = rulebook.stages[stage]
    mistakes = score_mistakes(rulebook, record, stage=stage, entrants=entrants.teams)
    mistakes += vote_mistakes(rules, record, stage=stage, teams=entrants.teams)
    if rules.kind == "vote":
        return _voted(rules, record, stage=stage, entrants=entrants), mistakes
    sheets, found = read_sheets(rulebook, record, stage=stage, teams=entrants.teams)
    aggregates, strange = check_aggregates(sheets, record, stage=stage)
    mistakes += [*found, *strange, *order_mistakes(sheets, record, stage=stage)]
    order = points_order(sheets, record, stage=stage, unnamed=entrants.unnamed)
    if rules.ties.rule == "part" and rules.ties.part is not None:
        finer = points_order(
            sheets, record, stage=stage, unnamed=entrants.unnamed, part=rules.ties.part
        )
        order = break_ties(order, by=finer)
    passed = {team: _gate_verdict(rulings) for team, rulings in gates.items()}
    rulings = points_rulings(rules, sheets, order=order, gates=passed)
    drawn = chances(rulebook, rules, sheets, order=order, gates=passed, points=rulings)
    return _Points(
        rulings=rulings,
        sheets=sheets,
        order=order,
        ranks=drawn.ranks,
        chances=drawn.teams,
        wrong=drawn.wrong,
        aggregates=aggregates,
    ), mistakes


def _voted(rules: Stage, record: Record, *, stage: str, entrants: Entrants) -> _Points:
    every = len(entrants.teams) + entrants.unnamed
    anywhere = RankRange(best=1, worst=max(every, 1), level=1.0, basis=Basis.NONE)
    undrawn = because("votes-are-not-drawn")
    return _Points(
        rulings=vote_rulings(
            rules, record, stage=stage, teams=entrants.teams, unnamed=entrants.unnamed
        ),
        sheets={},
        order=None,
        ranks=dict.fromkeys(entrants.teams, anywhere),
        chances=dict.fromkeys(entrants.teams, undrawn),
        wrong=undrawn,
        aggregates=(),
    )


def _gate_verdict(rulings: Sequence[Ruling]) -> Verdict:
    """Return whether a team passes all gates; a stage without gates holds nobody up."""
    return all_of(rulings).verdict if rulings else Verdict.HOLDS


def _teams(asked: _Asked) -> tuple[TeamStanding, ...]:
    record, points = asked.record, asked.points
    standings = []
    for team in asked.entrants.teams:
        body, gates = record.teams()[team].body, asked.gates[team]
        sheet = points.sheets.get(team)
        models = models_of(record, team, stage=asked.stage)
        unscored: Measured = Missing(reason=MissingReason.NOT_COMPARABLE, what=("total", team))
        standings.append(
            TeamStanding(
                team=team,
                name=Text(ko=body.name.ko, en=body.name.en),
                models=tuple(said.body.model for said in models),
                scores=() if sheet is None else sheet.parts,
                total=unscored if sheet is None else sheet.total.score,
                ranks=points.ranks[team],
                gates=gates,
                grades=asked.grades[team],
                advances=all_of([*gates, points.rulings[team]], rule=RULE, subject=team),
                chance=points.chances[team],
                frontier=asked.frontier[team],
            )
        )
    return tuple(standings)


def _reliability(asked: _Asked, teams: Sequence[TeamStanding]) -> Reliability:
    points = asked.points
    settles = settling(
        asked.rulebook,
        teams,
        stage=asked.stage,
        order=points.order,
        sheets=points.sheets,
        rulings=points.rulings,
        wrong=points.wrong,
        unnamed=asked.entrants.unnamed,
    )
    return Reliability(wrong=points.wrong, settles=settles)


def _outcome(rules: Stage, teams: Sequence[TeamStanding], *, unnamed: int) -> Outcome:
    by_verdict = {
        verdict: [standing for standing in teams if standing.advances.verdict is verdict]
        for verdict in Verdict
    }
    places = places_of(rules, teams, unnamed=unnamed)
    vacancy = rules.vacancy if places.vacancies.high > 0 else None
    return Outcome(
        advance=tuple(standing.team for standing in by_verdict[Verdict.HOLDS]),
        out=tuple((standing.team, _ground(standing)) for standing in by_verdict[Verdict.FAILS]),
        undecided=tuple(standing.team for standing in by_verdict[Verdict.UNDECIDED]),
        planned=places.planned,
        vacancies=places.vacancies,
        follows=None if vacancy is None else (vacancy.rule, vacancy.stage),
        decided=bool(teams) and not by_verdict[Verdict.UNDECIDED] and not unnamed,
    )


def _ground(standing: TeamStanding) -> Ground:
    *gates, points = standing.advances.parts
    at_gate = any(gate.verdict is Verdict.FAILS for gate in gates)
    if points.verdict is not Verdict.FAILS:
        return Ground.GATE
    if points.rule == "vote":
        return Ground.BOTH if at_gate else Ground.VOTE
    # Whoever was not counted because of a gate is out by the gate, not on points as well.
    uncounted = any(reason.code == "not-counted" for reason in points.reasons)
    if uncounted:
        return Ground.GATE
    return Ground.BOTH if at_gate else Ground.POINTS


def _entries(
    asked: _Asked, teams: Sequence[TeamStanding], *, published: Published | None
) -> tuple[tuple[int, str, str, Digest], ...]:
    """Return number, id, kind and digest of all entries that the decision rests on."""
    record, points = asked.record, asked.points
    opened = record.programme()
    used = set(asked.entrants.entries) | set(opened.seqs if opened is not None else ())
    for standing in teams:
        used |= set(record.teams()[standing.team].seqs) | set(standing.advances.entries)
        used |= {seq for score in standing.scores for seq in score.entries}
        used |= {seq for grade in standing.grades for seq in grade.entries}
        used |= set(standing.frontier.entries if standing.frontier is not None else ())
        sheet = points.sheets.get(standing.team)
        used |= set(sheet.total.entries if sheet is not None else ())
    used |= {seq for check in points.aggregates for seq in check.entries}
    used |= set(points.order.entries if points.order is not None else ())
    used |= set(published.entries if published is not None else ())
    return tuple(
        (seq, entry.id, entry.kind, entry.digest)
        for seq, entry in sorted(record.entries.items())
        if seq in used
    )
