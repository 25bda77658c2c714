"""Who is within the planned places on points.

Points as scored decide, as in the programme itself; how likely another sample would have decided
otherwise is told beside it, in `chances`. A team is within when it is so in every order that the
evidence leaves open, outside when it is so in none, and undecided between the two.
"""

from collections.abc import Mapping
from dataclasses import replace

from dokja.decisions.rules import Ruling, Stage, Verdict, because
from dokja.decisions.standing.order import Order
from dokja.decisions.standing.sheets import ScoreSheet
from dokja.values import Missing, Reason

__all__ = ["RULE", "break_ties", "counts_gate_passers", "points_rulings"]

RULE = "points"


def counts_gate_passers(rules: Stage) -> bool:
    """Tell whether only teams that pass the gates are counted when the places are cut."""
    fills = rules.vacancy is not None and rules.vacancy.rule == "next-in-points"
    return rules.cut_among == "gate-passers" or fills


def break_ties(order: Order, *, by: Order) -> Order:
    """Return the order in which teams of equal points stand as they do in one part.

    What is level in that part too stays level, and so does what cannot be told apart in it.
    """
    above = {team: order.above[team] | (order.level[team] & by.above[team]) for team in order.above}
    # A tie is broken between those who stand level, so that all others keep their places.
    level = {
        team: frozenset(
            other
            for other in order.level[team]
            if other not in above[team] and team not in above[other]
        )
        for team in order.level
    }
    return replace(order, above=above, level=level)


def points_rulings(
    rules: Stage,
    sheets: Mapping[str, ScoreSheet],
    *,
    order: Order,
    gates: Mapping[str, Verdict],
) -> dict[str, Ruling]:
    """Return for every team whether it is within the planned places.

    Args:
        rules: The stage; it plans for a number of places.
        sheets: The teams' scores.
        order: Who stands above whom, ties broken already where the rules break them.
        gates: Whether each team passes all gates.
    """
    return {team: _ruling(rules, sheets[team], order=order, gates=gates) for team in sorted(sheets)}


def _ruling(
    rules: Stage, sheet: ScoreSheet, *, order: Order, gates: Mapping[str, Verdict]
) -> Ruling:
    team, places = sheet.team, rules.planned_advance or 0
    surely = possibly = set(gates)
    if counts_gate_passers(rules):
        if gates[team] is Verdict.FAILS:
            failed = because("not-counted", gates=list(rules.gates))
            return Ruling(rule=RULE, subject=team, verdict=Verdict.FAILS, reasons=(failed,))
        surely = {other for other, verdict in gates.items() if verdict is Verdict.HOLDS}
        possibly = {other for other, verdict in gates.items() if verdict is not Verdict.FAILS}
    best = order.best(team, among=surely)
    worst = order.worst(team, among=possibly, level_below=rules.ties.rule == "all-advance")
    if worst <= places:
        verdict, code = Verdict.HOLDS, "within-places"
    elif best > places:
        verdict, code = Verdict.FAILS, "outside-places"
    else:
        verdict, code = Verdict.UNDECIDED, "places-open"
    entries = sheet.total.entries
    reasons = [because(code, best=best, worst=worst, places=places, entries=entries)]
    if order.published and order.informs(team, among=gates):
        reasons.append(because("order-published", entries=order.entries))
    if verdict is Verdict.UNDECIDED:
        reasons += _open(sheet, order=order, among=possibly)
    return Ruling(rule=RULE, subject=team, verdict=verdict, reasons=tuple(reasons))


def _open(sheet: ScoreSheet, *, order: Order, among: set[str]) -> list[Reason]:
    """Return what leaves a team's place open."""
    reasons = []
    level = sorted(order.level[sheet.team] & among)
    if level:
        reasons.append(because("tie-at-cut", teams=sorted([sheet.team, *level])))
    missing: list[str] = [part.part for part in sheet.parts if isinstance(part.score, Missing)]
    if missing and isinstance(sheet.total.score, Missing):
        reasons.append(because("scores-missing", parts=list(missing)))
    if order.unnamed:
        named = len(order.above)
        reasons.append(because("entrants-not-named", count=named + order.unnamed, named=named))
    return reasons
