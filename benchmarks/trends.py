"""How capability curves move with their ridge, and how often trend intervals cover the truth.

    python benchmarks/trends.py

The curves are fitted to the score tables that lie beside the repository, and are left out where
these are not there. The rest is simulated from seeds: places by the Rasch model with and without
passages, links of two forms, and slopes by the number of takers.
"""

import time
from datetime import date
from pathlib import Path
from statistics import NormalDist

import numpy as np

from dokja.errors import NotComparableError
from dokja.evidence.benchmarks.frontiers import chosen_cells, kept_scores, read_score_tables
from dokja.evidence.statistics import Taker, link_forms, planned_looks, rasch
from dokja.evidence.statistics.trends import curves_over, item_slopes

TABLES = Path(__file__).parents[2] / "shared/data/frontier"
RIDGES = (0.001, 0.01, 0.1, 1.0, 10.0)
MODELS = ("gpt-5.1_high", "gpt-4o-2024-11-20", "phi-2")
SYSTEMS, ITEMS, REPLICATES = 16, 200, 200


def main() -> None:
    """Print the tables."""
    curves()
    places()
    links()
    slopes()
    looks()


def curves() -> None:
    """Print the curves of the real tables over a range of ridge values."""
    if not TABLES.exists():
        print("The score tables are not beside the repository: no curves.\n")
        return
    kept = kept_scores(
        read_score_tables(TABLES), benchmarks_at_least=4, released_from=date(2022, 11, 1)
    )
    chosen = chosen_cells(kept, choice="greatest")
    print(f"{len(chosen.cells)} cells; {chosen.decided} pairs had several scores, the farthest")
    print(f"{chosen.widest:.2f} apart. Places from Winogrande's difficulty, ± standard error.\n")
    print("| ridge | mean slope | rms | " + " | ".join(MODELS) + " | CPU s |")
    print("|---:|---:|---:|" + "---:|" * (len(MODELS) + 1))
    for ridge in RIDGES:
        start = time.process_time()
        (found,) = curves_over(chosen.cells, anchor="Winogrande", ridges=[ridge])
        spent = time.process_time() - start
        slope = float(np.mean([each.slope.value for each in found.benchmarks]))
        told = [found.model(model).place for model in MODELS]
        cells = " | ".join(f"{each.value:.3f} ± {each.standard_error:.3f}" for each in told)
        print(f"| {ridge:g} | {slope:.3f} | {found.rms:.4f} | {cells} | {spent:.1f} |")
    print()


def places() -> None:
    """Print how often the 95 % intervals of places cover the abilities that were drawn."""
    print("| passages | 95 % interval covers | mean error | CPU ms per fit |")
    print("|---|---:|---:|---:|")
    for name, spread in (("none", 0.0), ("20 of spread .5", 0.5), ("20, taken for none", 0.5)):
        rng, covered, errors = np.random.default_rng(1), [], []
        start = time.process_time()
        for _ in range(REPLICATES):
            stage = np.arange(SYSTEMS) % 2
            ability = rng.normal(stage * 1.0, 0.7)
            difficulty = rng.normal(0.2, 1.0, ITEMS)
            at = np.arange(ITEMS) % 20
            gap = ability[:, None] - difficulty + rng.normal(0, spread, (SYSTEMS, 20))[:, at]
            answers = (rng.random(gap.shape) < 1 / (1 + np.exp(-gap))).astype(np.int8)
            found = rasch(
                answers,
                [Taker(system=f"s{n}", stage=str(s)) for n, s in enumerate(stage)],
                fixed={n: float(difficulty[n]) for n in range(150)},
                passages=[f"p{n}" for n in at] if name.endswith(".5") else None,
            )
            for score, true in zip(found.places, ability, strict=True):
                covered.append(score.place.low <= true <= score.place.high)
                errors.append(score.place.standard_error or 0.0)
        spent = (time.process_time() - start) / REPLICATES
        row = f"{np.mean(covered):.3f} | {np.mean(errors):.3f} | {1000 * spent:.0f}"
        print(f"| {name} | {row} |")
    print()


def links() -> None:
    """Print how often the interval of a link covers the shift, with and without drift."""
    print("| anchors | drifted | covers | sound ones left out | linking error |")
    print("|---:|---:|---:|---:|---:|")
    for anchors, drifted in ((60, 0), (150, 0), (150, 8)):
        covered, lost, errors = [], [], []
        for seed in range(1000):
            rng = np.random.default_rng(seed)
            older = rng.normal(0, 1, anchors)
            newer = older - 0.4 + rng.normal(0, 0.2, anchors)
            newer[:drifted] -= 1.5
            link = link_forms(older, newer, [str(n) for n in range(anchors)])
            covered.append(link.shift.low <= 0.4 <= link.shift.high)
            sound = [name for name, _ in link.drifted if int(name) >= drifted]
            lost.append(len(sound) / (anchors - drifted))
            errors.append(link.error)
        print(
            f"| {anchors} | {drifted} | {np.mean(covered):.3f} | {np.mean(lost):.3f} "
            f"| {np.mean(errors):.4f} |"
        )
    print()


def slopes() -> None:
    """Print how well slopes by item are recovered, and where they are refused."""
    print("| takers | correlation of difficulties | of log slopes |")
    print("|---:|---:|---:|")
    for takers in (100, 300, 1000):
        rng = np.random.default_rng(takers)
        ability, difficulty = rng.normal(size=takers), rng.normal(size=80)
        slope = np.exp(rng.normal(0, 0.35, 80))
        chance = 1 / (1 + np.exp(-slope * (ability[:, None] - difficulty)))
        answers = (rng.random(chance.shape) < chance).astype(np.int8)
        try:
            found = item_slopes(answers)
        except NotComparableError:
            print(f"| {takers} | refused | refused |")
            continue
        alike = np.corrcoef(found.difficulties, difficulty)[0, 1]
        steep = np.corrcoef(np.log(found.slopes), np.log(slope))[0, 1]
        print(f"| {takers} | {alike:.3f} | {steep:.3f} |")
    print()


def looks() -> None:
    """Print how often a contrast of nothing stops, by plan and without one."""
    print("| looks | boundaries | errs | at the plain quantile each time |")
    print("|---:|---|---:|---:|")
    for count in (1, 2, 3, 5):
        fractions = np.arange(1, count + 1) / count
        planned = planned_looks(fractions.tolist(), alpha_clear=0.05, alpha_fail=0.05)
        steps = np.random.default_rng(count).standard_normal((400_000, count))
        z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, count + 1))
        errs = (z >= planned.clears_from).any(axis=1).mean()
        plain = (z >= NormalDist().inv_cdf(0.95)).any(axis=1).mean()
        bounds = ", ".join(f"{bound:.3f}" for bound in planned.clears_from)
        print(f"| {count} | {bounds} | {errs:.4f} | {plain:.4f} |")


if __name__ == "__main__":
    main()
