import numpy as np
import pytest

from dokja.errors import NotComparableError
from dokja.evidence.statistics import DriftKind, Newcomer, Revisit, drift, layout_of
from dokja.evidence.statistics.counts import mcnemar, mcnemar_more
from dokja.values import Estimate, Missing

ANCHORS = 200


def revisit(label, earlier, later, again):
    return Revisit(
        label=label,
        earlier=earlier,
        later=later,
        again=again,
        earlier_scores=(earlier == 0).astype(np.float64),
        later_scores=(later == 0).astype(np.float64),
    )


def stages(seed, *, references=4, changed=None, leaked=0.0, newcomer=0.0):
    """Two stages of references on the same anchors; answer 0 is right.

    `changed` answers a third of the anchors anew, `leaked` is the share of the wrong answers that
    every reference has since learnt, `newcomer` is how far in logits one lies above the best.
    """
    rng = np.random.default_rng(seed)
    difficulty = rng.normal(0, 1.2, ANCHORS)

    def anew(place):
        right = rng.random(ANCHORS) < 1 / (1 + np.exp(difficulty - place))
        return np.where(right, 0, rng.integers(1, 4, ANCHORS))

    def asked(answers, place):
        return np.where(rng.random(ANCHORS) < 0.95, answers, anew(place))

    found = []
    for number in range(references):
        place = 0.8 + 0.2 * number
        own = anew(place)
        earlier, now = asked(own, place), own
        if changed == number:
            now = np.where(rng.random(ANCHORS) < 0.33, anew(place), own)
        now = np.where((now != 0) & (rng.random(ANCHORS) < leaked), 0, now)
        found.append(revisit(f"r{number}", earlier, asked(now, place), asked(now, place)))
    best = 0.8 + 0.2 * (references - 1) + newcomer
    return found, [Newcomer(label="new", scores=(anew(best) == 0).astype(np.float64))]


def kinds(report):
    return {
        (each.kind, each.about[0] if each.kind is DriftKind.ENDPOINT_CHANGED else "")
        for each in report.findings
        if each.holds
    }


CASES = [
    ({}, None, ""),
    ({"changed": 1}, DriftKind.ENDPOINT_CHANGED, "r1"),
    ({"leaked": 0.4}, DriftKind.RULER_MOVED, ""),
    ({"newcomer": 1.5}, DriftKind.FRONTIER_MOVED, ""),
]


@pytest.mark.parametrize(("case", "kind", "about"), CASES, ids=["none", "endpoint", "ruler", "new"])
def test_each_of_the_three_is_found_and_not_taken_for_another(case, kind, about):
    found, other = 0, 0
    for seed in range(20):
        references, newcomers = stages(seed, **case)
        holding = kinds(drift(references, newcomers, layout=layout_of(ANCHORS)))
        found += (kind, about) in holding
        other += len(holding - {(kind, about)})

    assert found >= 18 or kind is None
    assert other <= 4  # three kinds at a level of .05 in twenty runs


def test_a_finding_says_what_it_would_have_seen():
    report = drift(*stages(3), layout=layout_of(ANCHORS))

    assert {each.kind for each in report.findings} == set(DriftKind)
    for each in report.findings:
        assert isinstance(each.change, Estimate)
        assert 0 < each.smallest < 0.2
        assert each.change.low <= each.change.value <= each.change.high
    assert report.holding(DriftKind.RULER_MOVED) == ()


def test_the_smallest_change_of_an_endpoint_is_seen_as_often_as_it_says():
    report = drift(*stages(3), layout=layout_of(ANCHORS))
    finding = next(f for f in report.findings if f.kind is DriftKind.ENDPOINT_CHANGED)
    shift = report.shifts[0]
    rng = np.random.default_rng(1)

    noise, extra = shift.wavered_only, round(finding.smallest * shift.recurring)
    chance = (noise + extra) / (2 * noise + extra)
    seen = [
        mcnemar_more(int(more), 2 * noise + extra - int(more)) <= 0.05 / 4
        for more in rng.binomial(2 * noise + extra, chance, 2000)
    ]

    assert 0.78 <= np.mean(seen) <= 0.95


def test_shifts_are_counted_as_by_a_loop():
    references, _ = stages(4, changed=0)
    one = references[0]
    again = np.where(np.arange(ANCHORS) < 80, one.again, -1)
    one = revisit("one", one.earlier, one.later, again)

    shift = drift([one, *references[1:]], layout=layout_of(ANCHORS)).shifts[0]

    gained = lost = changed = wavered = 0
    for e, n, a in zip(one.earlier, one.later, again, strict=True):
        gained += n == 0 != e
        lost += e == 0 != n
        changed += a >= 0 and n != e and n == a
        wavered += a >= 0 and n == e and n != a
    assert (shift.gained, shift.lost) == (gained, lost)
    assert (shift.changed_only, shift.wavered_only) == (changed, wavered)
    assert shift.p_level == mcnemar(gained, lost)
    assert shift.p_changed == mcnemar_more(changed, wavered)
    assert (shift.anchors, shift.recurring) == (ANCHORS, 80)


def test_one_reference_cannot_tell_the_ruler_from_its_endpoint():
    references, _ = stages(5, references=1, leaked=0.5)

    report = drift(references, layout=layout_of(ANCHORS))

    ruler, endpoint = report.findings
    assert (ruler.kind, ruler.holds, ruler.smallest) == (DriftKind.RULER_MOVED, None, None)
    assert endpoint.holds


def test_without_repeats_nothing_is_said_of_an_endpoint():
    references, _ = stages(6, changed=0)
    bare = [revisit(r.label, r.earlier, r.later, np.full(ANCHORS, -1)) for r in references]

    report = drift(bare, layout=layout_of(ANCHORS))

    endpoints = [f for f in report.findings if f.kind is DriftKind.ENDPOINT_CHANGED]
    assert [each.holds for each in endpoints] == [None] * 4
    assert all(isinstance(each.change, Missing) for each in endpoints)


def test_where_the_ruler_moved_an_endpoint_is_held_against_the_others():
    references, _ = stages(7, leaked=0.5)
    other = references[2]
    references[2] = revisit("r2", other.earlier, other.earlier, other.earlier)  # it alone stays

    report = drift(references, layout=layout_of(ANCHORS))

    assert len(report.holding(DriftKind.RULER_MOVED)) == 1
    assert [each.about for each in report.holding(DriftKind.ENDPOINT_CHANGED)] == [("r2",)]


def test_clusters_make_a_common_shift_less_sure():
    rng = np.random.default_rng(8)
    passage = np.repeat(np.arange(20), 10)
    moved = rng.random(20) < 0.2
    references = []
    for number in range(3):
        earlier = rng.integers(0, 2, ANCHORS)
        later = np.where(moved[passage], 0, earlier)
        references.append(revisit(f"r{number}", earlier, later, later))
    clustered = layout_of(ANCHORS, clusters=[f"p{n}" for n in passage])

    single = drift(references, layout=layout_of(ANCHORS)).findings[0]
    together = drift(references, layout=clustered).findings[0]

    assert together.change.standard_error > 1.5 * single.change.standard_error
    assert together.adjusted > single.adjusted


def test_what_cannot_be_monitored_is_refused():
    references, newcomers = stages(9)
    silent = np.full(ANCHORS, -1)

    with pytest.raises(ValueError, match="returning reference"):
        drift([], layout=layout_of(ANCHORS))
    with pytest.raises(ValueError, match="every label once"):
        drift([references[0], references[0]], layout=layout_of(ANCHORS))
    with pytest.raises(ValueError, match="do not fit"):
        drift(references, layout=layout_of(3))
    with pytest.raises(ValueError, match="newcomer"):
        drift(references, [Newcomer(label="n", scores=np.ones(3))], layout=layout_of(ANCHORS))
    with pytest.raises(NotComparableError, match="fewer than two anchors"):
        drift([revisit("r", silent, silent, silent)], newcomers, layout=layout_of(ANCHORS))
