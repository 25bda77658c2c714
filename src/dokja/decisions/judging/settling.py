"""What would settle what is open, the greatest effect first.

An effect is the share of the decision that hangs on it, in [0, 1]: every entrant of whom it
cannot be told carries an equal share, and a missing part carries its points' share of its team's.
"""

import math
from collections.abc import Iterator, Mapping, Sequence

from dokja.decisions.grades import ModelGrade
from dokja.decisions.judging.decision import TeamStanding
from dokja.decisions.rules import Gate, Rulebook, Ruling, Verdict, because
from dokja.decisions.standing import FRONTIER, Between, Order, ScoreSheet
from dokja.values import Estimate, Json, Missing, MissingReason, Reason

__all__ = ["settling"]


def settling(
    rulebook: Rulebook,
    teams: Sequence[TeamStanding],
    *,
    stage: str,
    order: Order | None,
    sheets: Mapping[str, ScoreSheet],
    rulings: Mapping[str, Ruling],
    wrong: Between | Reason,
    unnamed: int,
) -> tuple[Reason, ...]:
    """Return what would settle the decision, or make it surer."""
    rules = rulebook.stages[stage]
    share = 1.0 / max(len(teams) + unnamed, 1)
    found: list[Reason] = []
    if unnamed:
        count, named = len(teams) + unnamed, len(teams)
        found.append(
            because("entrants-would-settle", count=count, named=named, effect=unnamed * share)
        )
    for standing in teams:
        if standing.advances.verdict is Verdict.UNDECIDED:
            found += _team(
                rulebook,
                standing,
                points=rulings[standing.team],
                sheet=sheets.get(standing.team),
                share=share,
            )
    if order is not None and rules.ties.rule != "all-advance":
        found += _ties(order, part=rules.ties.part, sheets=sheets, rulings=rulings, share=share)
    if isinstance(wrong, Between):
        found += _closest(sheets, rulings=rulings, wrong=wrong)
    elif wrong.code == "probability-needs-sampling-errors":
        found.append(because("sampling-errors-would-settle", effect=share))
    unique = {(reason.code, repr(sorted(reason.params.items()))): reason for reason in found}
    return tuple(sorted(unique.values(), key=_by_effect))


def _team(
    rulebook: Rulebook,
    standing: TeamStanding,
    *,
    points: Ruling,
    sheet: ScoreSheet | None,
    share: float,
) -> Iterator[Reason]:
    """Yield what would settle one team: its open gates, then its points or its vote."""
    for gate in standing.gates:
        if gate.verdict is Verdict.UNDECIDED and gate.rule == FRONTIER:
            yield because("measurement-would-settle", team=standing.team, effect=share)
        elif gate.verdict is Verdict.UNDECIDED:
            yield from _gate(rulebook.gates[gate.rule], gate, standing=standing, share=share)
    if points.verdict is Verdict.UNDECIDED:
        yield from _vote(points, share=share) if sheet is None else _scores(sheet, share=share)


def _by_effect(reason: Reason) -> tuple[float, str, str]:
    effect = reason.params.get("effect", 0.0)
    size = float(effect) if isinstance(effect, int | float) else 0.0
    return (-size, reason.code, repr(sorted(reason.params.items())))


def _gate(gate: Gate, ruling: Ruling, *, standing: TeamStanding, share: float) -> list[Reason]:
    """Return what an undecided gate lacks: a ruling, a comparison, a record, a declaration."""
    if gate.rests_on == "rulings":
        return [
            because(
                "ruling-would-settle",
                team=standing.team,
                gate=ruling.rule,
                authority=gate.authority,
                effect=share,
            )
        ]
    lacking = list(_comparisons(standing, roles=gate.roles, share=share))
    lacking += _builds(standing, roles=gate.roles, share=share)
    unsaid = {"model-not-declared", "components-not-declared", "origin-not-declared"}
    if any(reason.code in unsaid for reason in ruling.every_reason()):
        lacking.append(because("declaration-would-settle", team=standing.team, effect=share))
    if gate.rests_on == "rulings-then-findings":
        lacking.append(
            because(
                "ruling-would-settle",
                team=standing.team,
                gate=ruling.rule,
                authority=gate.authority,
                effect=share,
            )
        )
    return lacking


def _comparisons(standing: TeamStanding, *, roles: Sequence[str], share: float) -> Iterator[Reason]:
    for grade in standing.grades:
        yield from _uncompared(grade, team=standing.team, roles=roles, share=share)


def _uncompared(
    grade: ModelGrade, *, team: str, roles: Sequence[str], share: float
) -> Iterator[Reason]:
    for component in grade.components:
        if component.role not in roles or not component.uncompared:
            continue
        references: list[Json] = list(component.uncompared)
        yield because(
            "comparison-would-settle",
            team=team,
            model=grade.model,
            component=component.component,
            references=references,
            effect=share,
            entries=component.findings,
        )


def _builds(standing: TeamStanding, *, roles: Sequence[str], share: float) -> Iterator[Reason]:
    """Yield the build records that would stand in for comparisons, and checks to be made again."""
    for grade in standing.grades:
        for component in grade.components:
            if component.role not in roles:
                continue
            if component.asked_record is not None:
                yield because(
                    "build-would-settle",
                    team=standing.team,
                    model=grade.model,
                    component=component.component,
                    level=component.asked_record,
                    effect=share,
                )
            if component.failed_checks:
                yield because(
                    "build-check-would-settle",
                    team=standing.team,
                    model=grade.model,
                    component=component.component,
                    checks=[*component.failed_checks],
                    effect=share,
                    entries=component.findings,
                )


def _vote(ruling: Ruling, *, share: float) -> Iterator[Reason]:
    for part in ruling.parts:
        if part.verdict is Verdict.UNDECIDED:
            question = part.rule.rpartition("/")[2]
            yield because("vote-would-settle", team=ruling.subject, question=question, effect=share)


def _scores(sheet: ScoreSheet, *, share: float) -> Iterator[Reason]:
    if not isinstance(sheet.total.score, Missing):
        return
    for score in sheet.parts:
        missing = score.score
        if isinstance(missing, Missing) and missing.reason is not MissingReason.PARTS_MISSING:
            yield because(
                "score-would-settle",
                team=sheet.team,
                part=score.part,
                points=score.points,
                effect=share * score.points / sheet.total.points,
            )


def _ties(
    order: Order,
    *,
    part: str | None,
    sheets: Mapping[str, ScoreSheet],
    rulings: Mapping[str, Ruling],
    share: float,
) -> Iterator[Reason]:
    """Yield what would break the ties: a score in the part that breaks them, or a rule."""
    for team, ruling in rulings.items():
        tied = any(reason.code == "tie-at-cut" for reason in ruling.reasons)
        if not tied or ruling.verdict is not Verdict.UNDECIDED:
            continue
        teams = sorted([team, *order.level[team]])
        lacking = [one for one in teams if part and _is_missing(sheets[one], part)]
        for one in lacking:
            yield because(
                "score-would-settle",
                team=one,
                part=part,
                points=sheets[one].of(str(part)).points,
                effect=share,
            )
        if not lacking:
            yield because("tie-rule-would-settle", teams=[*teams], effect=share * len(teams))


def _is_missing(sheet: ScoreSheet, part: str) -> bool:
    return isinstance(sheet.of(part).score, Missing)


def _closest(
    sheets: Mapping[str, ScoreSheet], *, rulings: Mapping[str, Ruling], wrong: Between
) -> Iterator[Reason]:
    """Yield the pair across the cut whose order is least sure."""
    pairs = []
    for inside in sheets:
        for outside in sheets:
            across = (rulings[inside].verdict, rulings[outside].verdict)
            upper, lower = sheets[inside].total, sheets[outside].total
            if across != (Verdict.HOLDS, Verdict.FAILS):
                continue
            if not (isinstance(upper.score, Estimate) and isinstance(lower.score, Estimate)):
                continue
            error = math.hypot(upper.standard_error, lower.standard_error)
            difference = upper.score.value - lower.score.value
            if error > 0:
                pairs.append((difference / error, inside, outside, difference, error))
    if pairs and wrong.high > 0:
        _, inside, outside, difference, error = min(pairs)
        yield because(
            "observations-would-settle",
            teams=[inside, outside],
            difference=difference,
            standard_error=error,
            effect=wrong.high,
        )
