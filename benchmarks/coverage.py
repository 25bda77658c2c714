"""How often intervals cover the truth, and how often the three-way verdict errs.

    python benchmarks/coverage.py [--replicates 2000] [--only NAME]

The settings are those of the real programme: 13 common benchmarks, five teams, three to six
references, 6, 11 or 45 subjects of unequal size, faults that take batches of responses, one to
four epochs. Programmes are drawn by `evidence.statistics.simulating`, so that the truth is known;
what is called is the very code that measures. docs/explanation/coverage.md shows the tables.
"""

import argparse
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics import bradley_terry, rater_mean
from dokja.evidence.statistics.contrasts import (
    Basis,
    Cells,
    Clearance,
    GeneraliseTo,
    Layout,
    Values,
    cells_of,
    clusters_of,
    layout_of,
    ratio_interval,
    reach,
    reach_terms,
    spread,
    wild_test,
)
from dokja.evidence.statistics.contrasts.combined_readings import Combine, FrontierOf
from dokja.evidence.statistics.contrasts.combining import Benchmark, combined_reach
from dokja.evidence.statistics.contrasts.frontier import frontier_draws
from dokja.evidence.statistics.counts import share_of
from dokja.evidence.statistics.judges import corrected_rate, judge_errors
from dokja.evidence.statistics.simulating import Ballots, Benchmarks, Panel
from dokja.evidence.statistics.simulating.moments import win_means
from dokja.evidence.statistics.simulating.people import drawn_marks, drawn_votes
from dokja.evidence.statistics.simulating.responses import (
    ResponseModel,
    Responses,
    response_model,
)
from dokja.evidence.statistics.student import student_quantile
from dokja.values import Estimate

RATIO = 0.95
FRONTIER = 0.8
ALPHA = 0.05
SEED = 20261101
WIDE, NARROW = 0.97, 0.93
# Subjects and how unequal they are, as in HAE-RAE, CLIcK and KMMLU: effective numbers 3.3, 6.4, 34.
FORMS = {
    "6 subjects": Benchmarks(items=500, subjects=6, size_cv=0.55),
    "11 subjects": Benchmarks(items=500, subjects=11, size_cv=0.48),
    "45 subjects": Benchmarks(items=1_500, subjects=45, size_cv=0.3),
}


def main() -> None:
    """Print the tables."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--replicates", type=int, default=2_000)
    words.add_argument("--only", choices=sorted(TABLES))
    given = words.parse_args()
    start = time.process_time()
    for name, table in TABLES.items():
        if given.only in {None, name}:
            print(f"\n{name}\n")
            print("\n".join(table(given.replicates)), flush=True)
    print(f"\n{given.replicates} replicates, {time.process_time() - start:.0f} s of one processor")


def rng_of(name: str, replicate: int) -> np.random.Generator:
    """Return the generator of one replicate of one cell."""
    return np.random.default_rng([SEED, *name.encode(), replicate])


def written(held: Sequence[float] | NDArray[np.bool_], *, nominal: float | None = 0.95) -> str:
    """Return a share with its Monte Carlo error, bold where it is outside what was promised.

    Args:
        held: Of each replicate, whether it held, or the share of its intervals that did.
        nominal: What was promised; none where nothing was.
    """
    each = np.asarray(held, dtype=np.float64)
    share = float(each.mean())
    error = math.sqrt(max(float(each.var()), 1 / len(each)) / len(each))
    text = f"{100 * share:.1f} ± {100 * error:.1f}"
    off = nominal is not None and not nominal - 0.02 <= share <= nominal + 0.02
    return f"**{text}**" if off else text


def row(cells: Iterable[str]) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(cells)} |"


def head(cells: Sequence[str]) -> list[str]:
    """Return a header with its rule."""
    return [row(cells), "|---|" + "---:|" * (len(cells) - 1)]


# One contrast ---------------------------------------------------------------------------------


def contrasts(replicates: int) -> Iterator[str]:
    """Yield the coverage of the intervals of one candidate against one reference."""
    yield from head(
        [
            "form",
            "items, other subjects asked",
            "items, same subjects asked",
            "strata, same subjects asked",
            "cluster t",
            "wild cluster",
            "Fieller by clusters",
        ]
    )
    alike = Benchmarks(items=500, subjects=6, size_cv=0.0)
    cells = {
        **FORMS,
        "6 subjects of equal size": alike,
        "11 subjects, 4 epochs": replace(FORMS["11 subjects"], epochs=4),
        "11 subjects, no subject effect": replace(FORMS["11 subjects"], team_subject_sd=0.0),
        "11 subjects, faults 2 % in twenties": replace(FORMS["11 subjects"], faults=0.02),
    }
    for name, seen in cells.items():
        model = response_model(seen, [RATIO * FRONTIER, FRONTIER])
        layout = layout_of(seen.items, strata=model.subjects, clusters=model.subjects)
        held = [_covered(model, layout, rng_of(name, number)) for number in range(replicates)]
        effective = clusters_of(layout).effective
        yield row(
            [f"{name} ({seen.items} items, G* {effective:.1f})", *map(written, np.array(held).T)]
        )


def _covered(model: ResponseModel, layout: Layout, rng: np.random.Generator) -> list[bool]:
    """Return whether each interval holds its truth on one form."""
    form = model.drawn(rng)
    own, other = form.values.T
    differences = own - RATIO * other
    margin = float(layout.weights @ differences)
    kept = 1 - model.seen.faults  # what is lost counts as wrong, for both alike
    within = kept * float(form.within[0] - RATIO * form.within[1])

    def holds(basis: Basis, truth: float) -> bool:
        found = spread(differences, layout, basis=basis)
        half = student_quantile(0.975, df=found.df) * found.standard_error
        return abs(margin - truth) <= half

    clusters = layout.clusters
    wild = wild_test(
        clusters.sums(layout.weights * differences),
        clusters.sums(layout.weights),
        seed=SEED,
        draws=1_999,
    )
    fieller = ratio_interval(own, other, layout=layout, basis=Basis.CLUSTERS)
    return [
        holds(Basis.ITEMS, 0.0),
        holds(Basis.ITEMS, within),
        holds(Basis.STRATA, within),
        holds(Basis.CLUSTERS, 0.0),
        min(wild.p_clear, wild.p_fail) > ALPHA / 2,
        fieller.holds(RATIO),
    ]


# The frontier as a maximum --------------------------------------------------------------------


def frontiers(replicates: int) -> Iterator[str]:
    """Yield the coverage of the ratio to the best of several references by joint draws."""
    yield from head(["form", "references", "by items", "by clusters", "E[max] − max, points"])
    for name, seen in FORMS.items():
        for count, step in ((3, 0.0), (6, 0.0), (6, 0.02)):
            references = [FRONTIER - step * place for place in range(count)]
            model = response_model(seen, [RATIO * FRONTIER, *references])
            layout = layout_of(seen.items, clusters=model.subjects)
            held, excess = [], []
            for number in range(replicates // 2):
                form = model.drawn(rng_of(f"{name}/{count}/{step}", number))
                values = Values(candidate=form.values[:, 0], references=form.values[:, 1:])
                held.append(
                    [_joint(values, layout, basis) for basis in (Basis.ITEMS, Basis.CLUSTERS)]
                )
                excess.append(form.values[:, 1:].mean(axis=0).max() - FRONTIER)
            shown = [written(column, nominal=0.9) for column in np.array(held).T]
            told = f"{count}, {'all equal' if not step else f'{100 * step:.0f} points apart'}"
            yield row([name, told, *shown, f"{100 * float(np.mean(excess)):+.2f}"])


def _joint(values: Values, layout: Layout, basis: Basis) -> bool:
    found = frontier_draws(values, layout, ratio="0.95", basis=basis, draws=300, seed=SEED)
    return found.low <= RATIO <= found.high


# The verdict ----------------------------------------------------------------------------------


def verdicts(replicates: int) -> Iterator[str]:
    """Yield how often the three-way verdict errs on the line, and what it says off the line."""
    yield from head(
        [
            "form",
            "references",
            "on the line: clears",
            "on the line: does not clear",
            "ratio 1.00: clears",
            "ratio .90: does not clear",
        ]
    )
    for name, seen in FORMS.items():
        for count in (1, 3, 6):
            shares = []
            for ratio, wanted in (
                (0.95, Clearance.CLEARS),
                (0.95, Clearance.DOES_NOT_CLEAR),
                (1.0, Clearance.CLEARS),
                (0.9, Clearance.DOES_NOT_CLEAR),
            ):
                found = _verdicts(seen, ratio, count, name=name, replicates=replicates)
                shares.append(written([each is wanted for each in found], nominal=None))
            yield row([name, f"{count}, all equal", *shares])


_KNOWN: dict[object, list[Clearance]] = {}


def _verdicts(
    seen: Benchmarks, ratio: float, count: int, *, name: str, replicates: int
) -> list[Clearance]:
    key = (seen, ratio, count, replicates)
    if key not in _KNOWN:
        model = response_model(seen, [ratio * FRONTIER, *[FRONTIER] * count])
        layout = layout_of(seen.items, clusters=model.subjects)
        terms = reach_terms("0.95", seed=SEED)
        names = tuple(f"reference-{place}" for place in range(count))
        found = []
        for number in range(replicates):
            values = model.drawn(rng_of(f"{name}/{ratio}/{count}", number)).values
            cells = cells_of(values[:, 0], values[:, 1:], names=names)
            found.append(reach(cells, layout, terms=terms).verdict)
        _KNOWN[key] = found
    return _KNOWN[key]


def combined(replicates: int) -> Iterator[str]:
    """Yield the errors on the line where 13 benchmarks are combined."""
    yield from head(
        ["13 benchmarks of 150 items in 6 subjects, 3 equal references", "clears", "does not clear"]
    )
    seen = Benchmarks(items=150, subjects=6, size_cv=0.4)
    for asked, apart in (
        (GeneraliseTo.BLUEPRINT, 0.0),
        (GeneraliseTo.NEW_CLUSTERS, 0.0),
        (GeneraliseTo.NEW_CLUSTERS, seen.team_benchmark_sd),
        (GeneraliseTo.NEW_BENCHMARKS, seen.team_benchmark_sd),
    ):
        found = [_combined(seen, asked, apart, number) for number in range(replicates // 2)]
        shares = [
            written([each is wanted for each in found], nominal=None)
            for wanted in (Clearance.CLEARS, Clearance.DOES_NOT_CLEAR)
        ]
        told = f"teams differ by {apart:g} between benchmarks" if apart else "no such difference"
        yield row([f"asked about {asked.value}; {told}", *shares])


def _combined(seen: Benchmarks, asked: GeneraliseTo, apart: float, number: int) -> Clearance:
    rng = rng_of(f"combined/{asked.value}/{apart}", number)
    base = np.array([RATIO * FRONTIER, *[FRONTIER] * 3])
    fixed = asked is GeneraliseTo.BLUEPRINT
    parts = []
    for place in range(13):
        truth = np.clip(base + rng.normal(0, apart, len(base)), 0.05, 0.95)
        # Where the subjects stay, the line must be drawn through the subjects that are there.
        sure = replace(seen, team_subject_sd=0.0) if fixed else seen
        model = response_model(sure, truth.tolist())
        values = model.drawn(rng).values
        parts.append(
            Benchmark(
                name=f"benchmark-{place}",
                weight=1.0,
                cells=cells_of(values[:, 0], values[:, 1:], names=("a", "b", "c")),
                layout=layout_of(seen.items, strata=model.subjects, clusters=model.subjects),
            )
        )
    return combined_reach(
        parts,
        combine=Combine.RATIO_OF_MEANS,
        frontier=FrontierOf.ONE_SYSTEM,
        terms=reach_terms("0.95", seed=SEED, generalise_to=asked),
    ).verdict


def faulty(replicates: int) -> Iterator[str]:
    """Yield what becomes of the verdict while responses that were lost are open."""
    yield from head(
        ["11 subjects, 3,000 items, ratio 1.00", "clears", "does not clear", "undecided: faults"]
    )
    for share in (0.0, 0.005, 0.01, 0.02):
        seen = replace(FORMS["11 subjects"], faults=share, items=3_000, team_subject_sd=0.2)
        model = response_model(seen, [FRONTIER, FRONTIER])
        layout = layout_of(seen.items, clusters=model.subjects)
        terms = reach_terms("0.95", seed=SEED)
        found = []
        for number in range(max(replicates // 40, 2)):  # 200 completions are tried for each
            form = model.drawn(rng_of(f"faults/{share}", number))
            cells = _open_cells(form)
            found.append(reach(cells, layout, terms=terms))
        told = [
            written([each.verdict is wanted for each in found], nominal=None)
            for wanted in (Clearance.CLEARS, Clearance.DOES_NOT_CLEAR)
        ]
        doubted = [any(doubt.value == "faults" for doubt in each.doubts) for each in found]
        yield row([f"{100 * share:g} % lost in twenties", *told, written(doubted, nominal=None)])


def _open_cells(form: Responses) -> Cells:
    """Return the cells of a form in which every lost response may yet be right or wrong."""
    filled = np.where(form.lost, 1.0, form.values)
    low, high = (
        Values(candidate=values[:, 0], references=values[:, 1:]) for values in (form.values, filled)
    )
    return cells_of(low.candidate, low.references, names=("a",), low=low, high=high)


# People and judges ----------------------------------------------------------------------------


def people(replicates: int) -> Iterator[str]:
    """Yield the coverage of the intervals of marks and of votes."""
    yield from head(["who", "each team's interval"])
    worths = np.array([0.85, 0.78, 0.75, 0.72, 0.65])
    for raters, each in ((5, None), (10, None), (49, None), (10, 3), (50, 3)):
        seen = Panel(raters=raters, teams_each=each)
        held: list[float] = []
        for number in range(replicates // 2 if raters < 40 else replicates // 8):
            marks = drawn_marks(seen, worths, rng_of(f"raters/{raters}/{each}", number))
            found = rater_mean(marks, level=0.95, scale=(0.0, 1.0))
            held.append(_held([found.of(f"team-{team}") for team in range(5)], worths))
        read = "all five teams" if each is None else f"{each} of five teams"
        yield row([f"{raters} raters, each of {read}", written(held)])
    for voters, votes in ((50, 10), (130, 6), (500, 10)):
        ballots = Ballots(voters=voters, votes_each=votes)
        strengths = np.array([0.5, 0.2, 0.0, -0.2, -0.5])
        shares = win_means(strengths, taste_sd=ballots.taste_sd)
        held = []
        for number in range(replicates // 10):
            cast = drawn_votes(ballots, strengths, rng_of(f"voters/{voters}", number))
            told = bradley_terry(cast, level=0.95, seed=number, replicates=200)
            held.append(_held([told.of(f"team-{team}").share for team in range(5)], shares))
        yield row([f"{voters} voters of {votes} votes, win shares", written(held)])


def _held(found: Sequence[object], truth: NDArray[np.float64]) -> float:
    """Return the share of a replicate's intervals that hold their truth; none may be missing."""
    held = [
        isinstance(each, Estimate) and each.low <= true <= each.high
        for each, true in zip(found, truth.tolist(), strict=True)
    ]
    return float(np.mean(held))


def judges(replicates: int) -> Iterator[str]:
    """Yield the coverage of rates that a judge model reported, corrected for its error."""
    yield from head(["judge", "labels", "as reported", "corrected"])
    for sensitivity, specificity in ((0.95, 0.9), (0.85, 0.8), (0.7, 0.6)):
        for labels in (200, 400):
            held = []
            for number in range(replicates // 2):
                rng = rng_of(f"judge/{sensitivity}/{labels}", number)
                held.append(_judged(sensitivity, specificity, labels, rng))
            skill = f"finds {100 * sensitivity:.0f} %, fails {100 * specificity:.0f} %"
            yield row([skill, str(labels), *map(written, np.array(held).T)])


def _judged(
    sensitivity: float, specificity: float, labels: int, rng: np.random.Generator
) -> list[bool]:
    truth, items = 0.76, 500

    def passed(right: NDArray[np.bool_]) -> NDArray[np.bool_]:
        chances = np.where(right, sensitivity, 1 - specificity)
        return rng.random(len(right)) < chances

    labelled = rng.random(labels) < truth
    (errors,) = judge_errors(passed(labelled), labelled, ["ko"] * labels)
    said = int(passed(rng.random(items) < truth).sum())
    reported = share_of(said, items, level=0.95, what="items")
    found = corrected_rate(reported, errors)
    return [
        reported.low <= truth <= reported.high,
        isinstance(found, Estimate) and found.low <= truth <= found.high,
    ]


TABLES: dict[str, Callable[[int], Iterator[str]]] = {
    "contrasts": contrasts,
    "frontiers": frontiers,
    "verdicts": verdicts,
    "combined": combined,
    "faults": faulty,
    "people": people,
    "judges": judges,
}

if __name__ == "__main__":
    main()
