"""Who is within the places, told a second time by going through every order that is left open.

The slow twin knows three things: an order is possible when no team stands below one that has fewer
points for certain, and when it keeps every published order; a gate that is undecided may come out
either way; whoever is named by nobody may stand anywhere.
"""

from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.decisions import Verdict
from dokja.decisions.standing import points_order, points_rulings, read_sheets
from dokja.errors import EntryError

TEAMS = ("dasom", "garam", "maru", "narae")
RULED = {"gates.independence.rests_on": "rulings", "gates.independence.authority": "ministry"}
CUT_AMONG = st.sampled_from(["entrants", "gate-passers"])
TIES = st.sampled_from(["undecided", "all-advance"])
VACANCY = st.sampled_from(["leave-open", "next-in-points"])
GATES = st.lists(st.sampled_from([*Verdict]), min_size=4, max_size=4)
POINTS = st.tuples(st.integers(0, 6), st.integers(0, 3)).map(lambda b: (b[0], b[0] + b[1]))
ENDS = st.lists(POINTS, min_size=2, max_size=4)
EITHER = (Verdict.HOLDS, Verdict.FAILS)


def scored(programme, ends):
    for team, (low, high) in ends.items():
        programme.score(team, "total", (low + high) / 2, rounded=high - low)
    return programme


def possible_orders(ends, *, published=(), unnamed=0):
    """Every order, best first, that the points and the published pairs leave open."""
    everyone = [*ends, *(f"unnamed-{number}" for number in range(unnamed))]
    bounds = {**dict.fromkeys(everyone, (0, 100)), **ends}
    return [
        order
        for order in permutations(everyone)
        if all(
            bounds[lower][0] <= bounds[upper][1] and (lower, upper) not in published
            for place, upper in enumerate(order)
            for lower in order[place + 1 :]
        )
    ]


def level(ends, team):
    """Teams that have as many points as this one, for certain."""
    low, high = ends[team]
    return {other for other in ends if low == high and ends[other] == (low, high)} - {team}


def answers(orders, gates, *, team, places, ties, ends, passers):
    """Whether a team is within the places, in every possible order and under every ruling."""
    found = set()
    for world in product(*(EITHER if v is Verdict.UNDECIDED else [v] for v in gates.values())):
        passing = {one for one, v in zip(gates, world, strict=True) if v is Verdict.HOLDS}
        if passers and gates[team] is not Verdict.FAILS and team not in passing:
            continue  # asked is where it stands if it is counted
        for order in orders:
            before = set(order[: order.index(team)])
            counted = {o for o in before if not passers or o in passing or o not in gates}
            if ties == "all-advance":
                counted -= level(ends, team)
            found.add(len(counted) < places and not (passers and team not in passing))
    return found


def settled(found):
    if len(found) == 2:
        return Verdict.UNDECIDED
    return Verdict.HOLDS if found == {True} else Verdict.FAILS


@given(
    ends=ENDS,
    places=st.integers(1, 3),
    gates=GATES,
    among=CUT_AMONG,
    ties=TIES,
    vacancy=VACANCY,
    unnamed=st.integers(0, 1),
)
@settings(max_examples=150)
def test_cut_is_what_every_possible_order_says(
    a_programme, ends, places, gates, among, ties, vacancy, unnamed
):
    ends = dict(zip(TEAMS, ends, strict=False))
    gates = dict(zip(ends, gates, strict=False))
    changes = {"planned_advance": places, "cut_among": among}
    changes |= {"ties": {"rule": ties}, "vacancy": {"rule": vacancy}}
    programme = a_programme({f"stages.first.{key}": value for key, value in changes.items()})
    scored(programme.entrants(*ends), ends)
    book, record = programme.rulebook, programme.record
    sheets, _ = read_sheets(book, record, stage="first", teams=tuple(ends))
    order = points_order(sheets, record, stage="first", unnamed=unnamed)

    rulings = points_rulings(book.stages["first"], sheets, order=order, gates=gates)

    orders = possible_orders(ends, unnamed=unnamed)
    passers = among == "gate-passers" or vacancy == "next-in-points"
    for team in ends:
        found = answers(
            orders, gates, team=team, places=places, ties=ties, ends=ends, passers=passers
        )
        assert rulings[team].verdict is settled(found)


@given(
    ends=ENDS,
    ranks=st.lists(st.integers(0, 3), min_size=4, max_size=4),
    unnamed=st.integers(0, 1),
)
@settings(max_examples=150)
def test_best_and_worst_rank_are_those_of_every_possible_order(points_only, ends, ranks, unnamed):
    ends = dict(zip(TEAMS, ends, strict=False))
    groups = [
        [team for team, rank in zip(ends, ranks, strict=False) if rank == r] for r in range(4)
    ]
    groups = [group for group in groups if group]
    place = {team: number for number, group in enumerate(groups) for team in group}
    published = {(a, b) for a in ends for b in ends if place[a] < place[b]}
    orders = possible_orders(ends, published=published, unnamed=unnamed)
    programme = scored(points_only(1).entrants(*ends), ends).order(*groups)
    sheets, _ = read_sheets(programme.rulebook, programme.record, stage="first", teams=tuple(ends))

    order = points_order(sheets, programme.record, stage="first", unnamed=unnamed)

    if not orders:
        return  # the order contradicts the points; see the next test
    for team in ends:
        ranks = [1 + one.index(team) for one in orders]
        assert (order.best(team, among=ends), order.worst(team, among=ends)) == (
            min(ranks),
            max(ranks),
        )


@given(ends=ENDS, pairs=st.lists(st.permutations(TEAMS[:3]), max_size=3))
@settings(max_examples=100)
def test_orders_are_refused_when_no_order_is_possible(points_only, ends, pairs):
    ends = dict(zip(TEAMS, [*ends, (0, 9), (0, 9)], strict=False))
    published = {(first, second) for first, second, _ in pairs}
    programme = scored(points_only(1).entrants(*ends), ends)
    for first, second in sorted(published):
        programme.order([first], [second])

    orders = possible_orders(ends, published=published)

    if orders:
        assert programme.decision().outcome.planned == 1
    else:
        with pytest.raises(EntryError, match="groups: read"):
            programme.decision()


@pytest.mark.parametrize(
    ("among", "said"),
    [
        ("entrants", {"dasom": "fails", "garam": "holds", "maru": "fails", "narae": "fails"}),
        ("gate-passers", {"dasom": "fails", "garam": "holds", "maru": "holds", "narae": "fails"}),
    ],
)
def test_next_in_points_moves_up_only_among_those_who_pass(a_programme, among, said):
    changes = {"stages.first.planned_advance": 2, "stages.first.cut_among": among}
    programme = a_programme({**RULED, **changes}).entrants(*TEAMS)
    programme.totals({"dasom": 90, "garam": 80, "maru": 70, "narae": 60})
    for team in TEAMS:
        programme.ruling(team, "fails" if team == "dasom" else "holds")

    verdicts = {one.team: one.advances.verdict.value for one in programme.decision().teams}

    assert verdicts == said


def test_unpassed_gate_of_another_leaves_a_place_open(a_programme):
    changes = {"stages.first.cut_among": "gate-passers"}
    programme = a_programme({**RULED, **changes}).entrants("garam", "narae")
    programme.totals({"garam": 90, "narae": 80}).ruling("narae", "holds")

    narae = programme.decision().teams[1].advances

    assert narae.verdict is Verdict.UNDECIDED
    assert [reason.code for reason in narae.reasons] == ["places-open"]
