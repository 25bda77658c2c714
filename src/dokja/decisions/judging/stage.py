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
    models_of,
    order_mistakes,
    points_order,
    points_rulings,
    read_sheets,
    score_mistakes,
    vote_mistakes,
    vote_rulings,
)
from dokja.errors import EntryError, Mistake, RulebookError
from dokja.evidence.ledger import Entry
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
    record, mistakes = survey(entries)
    entrants, uninvited = entrants_of(rulebook, record, stage=stage)
    rules = rulebook.stages[stage]
    mistakes += [*uninvited, *ruling_mistakes(rulebook, record, stage=stage)]
    mistakes += adoption_mistakes(rulebook, record)
    grades, gates = _gated(rulebook, record, stage=stage, entrants=entrants)
    points, found = _points(rulebook, record, stage=stage, entrants=entrants, gates=gates)
    mistakes += found
    programme = record.programme()
    if mistakes or programme is None:
        raise EntryError(mistakes)
    teams = _teams(record, entrants, stage=stage, grades=grades, gates=gates, points=points)
    outcome = _outcome(rules, teams, unnamed=entrants.unnamed)
    published = compared(record, stage=stage, teams=teams, rules=rules)
    missing = absences(points.sheets, rulings=points.rulings)
    reliability = Reliability(
        wrong=points.wrong,
        settles=settling(
            rulebook,
            teams,
            stage=stage,
            order=points.order,
            sheets=points.sheets,
            rulings=points.rulings,
            wrong=points.wrong,
            unnamed=entrants.unnamed,
        ),
    )
    used = _used(record, entrants, teams=teams, points=points)
    if published is not None:
        used |= set(published.entries)
    return Decision(
        software=Software(*software),
        programme=programme.body,
        rulebook=rulebook,
        ledger=LedgerHead(*ledger_head),
        stage=stage,
        teams=teams,
        aggregates=points.aggregates,
        outcome=outcome,
        published=published,
        missing=missing,
        sealed=sealed_fields(record, stage=stage),
        reliability=reliability,
        entries=tuple(
            (seq, entry.id, entry.kind, entry.digest)
            for seq, entry in sorted(record.entries.items())
            if seq in used
        ),
    )


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
    mistakes += vote_mistakes(rules, record, stage=stage)
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
        rulings=vote_rulings(rules, record, stage=stage, teams=entrants.teams),
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


def _teams(
    record: Record,
    entrants: Entrants,
    *,
    stage: str,
    grades: Mapping[str, tuple[ModelGrade, ...]],
    gates: Mapping[str, tuple[Ruling, ...]],
    points: _Points,
) -> tuple[TeamStanding, ...]:
    standings = []
    for team in entrants.teams:
        body = record.teams()[team].body
        sheet = points.sheets.get(team)
        unscored: Measured = Missing(reason=MissingReason.NOT_COMPARABLE, what=("total", team))
        standings.append(
            TeamStanding(
                team=team,
                name=Text(ko=body.name.ko, en=body.name.en),
                models=tuple(said.body.model for said in models_of(record, team, stage=stage)),
                scores=() if sheet is None else sheet.parts,
                total=unscored if sheet is None else sheet.total.score,
                ranks=points.ranks[team],
                gates=gates[team],
                grades=grades[team],
                advances=all_of([*gates[team], points.rulings[team]], rule=RULE, subject=team),
                chance=points.chances[team],
            )
        )
    return tuple(standings)


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


def _used(
    record: Record, entrants: Entrants, *, teams: Sequence[TeamStanding], points: _Points
) -> set[int]:
    """Return the numbers of all entries that the decision rests on."""
    used = set(entrants.entries)
    said = record.programme()
    used |= set(said.seqs) if said is not None else set()
    for standing in teams:
        used |= set(record.teams()[standing.team].seqs) | set(standing.advances.entries)
        used |= {seq for score in standing.scores for seq in score.entries}
        used |= {seq for grade in standing.grades for seq in grade.entries}
    used |= {seq for check in points.aggregates for seq in check.entries}
    used |= set(points.order.entries) if points.order is not None else set()
    return used
