"""How often a corrected rate's interval covers, and what sentinels and anchors would have seen.

    python benchmarks/judges.py

All of it is simulated from seeds.
"""

import numpy as np
from numpy.typing import NDArray

from dokja.evidence.statistics import (
    DriftKind,
    Revisit,
    clustered_mean,
    corrected_rate,
    drift,
    layout_of,
)
from dokja.evidence.statistics.identity import following_power
from dokja.evidence.statistics.judges import JudgeErrors
from dokja.values import Estimate

REPLICATES = 4000
CASES = [  # true share, sensitivity, specificity, judged answers, labels
    (0.6, 0.90, 0.85, 500, 200),
    (0.9, 0.95, 0.90, 300, 200),
    (0.97, 0.97, 0.80, 300, 300),
    (0.2, 0.90, 0.95, 300, 200),
    (0.5, 0.70, 0.70, 1000, 400),
    (0.6, 0.90, 0.85, 5000, 1000),
]


def main() -> None:
    """Print the tables."""
    print("| true share | sensitivity | specificity | answers | labels | covers | width |")
    print("|---:|---:|---:|---:|---:|---:|---:|")
    for case in CASES:
        covered, width = coverage(*case)
        told = " | ".join(f"{number:g}" for number in case)
        print(f"| {told} | {covered:.3f} | {width:.3f} |")
    covered, width = clustered()
    print(f"| .6, 30 clusters of 20 | 0.9 | 0.85 | 600 | 200 | {covered:.3f} | {width:.3f} |")
    print("\n| sentinels that differ | repeats .8 | repeats .9 | repeats .95 |")
    print("|---:|---:|---:|---:|")
    for differing in (5, 10, 15, 20, 30, 50):
        powers = [
            following_power(differing, repeats=repeats, level=0.01 / 12)
            for repeats in (0.8, 0.9, 0.95)
        ]
        print(f"| {differing} | " + " | ".join(f"{power:.2f}" for power in powers) + " |")
    print("\n| anchors | repeats | endpoint: changed answers | ruler: points | held wrongly |")
    print("|---:|---:|---:|---:|---:|")
    for anchors in (100, 200, 400):
        for repeats in (0.9, 0.95, 0.98):
            endpoint, ruler, wrong = smallest(anchors, repeats)
            print(f"| {anchors} | {repeats} | {endpoint:.3f} | {ruler:.3f} | {wrong:.3f} |")


def share(successes: int, trials: int) -> Estimate:
    """Return a share with its standard error; nobody reads its interval here."""
    value = successes / trials
    return Estimate(
        value=value,
        low=0.0,
        high=1.0,
        level=0.95,
        standard_error=(value * (1 - value) / trials) ** 0.5,
        rests_on=(("answers", trials),),
    )


def errors(
    rng: np.random.Generator, sensitivity: float, specificity: float, *, labels: int
) -> JudgeErrors:
    """Return a judge's errors as so many labels would show them, six in ten of them right."""
    right = int(rng.binomial(labels, 0.6))
    found = share(int(rng.binomial(right, sensitivity)), right)
    return JudgeErrors(
        language="ko",
        sensitivity=found,
        specificity=share(int(rng.binomial(labels - right, specificity)), labels - right),
        agreement=found,
        items=labels,
    )


def coverage(
    true: float, sensitivity: float, specificity: float, answers: int, labels: int
) -> tuple[float, float]:
    """Return how often the 95 % interval covers, and its mean width."""
    rng, covered, widths = np.random.default_rng(7), [], []
    chance = true * sensitivity + (1 - true) * (1 - specificity)
    for _ in range(REPLICATES):
        judge = errors(rng, sensitivity, specificity, labels=labels)
        found = corrected_rate(share(int(rng.binomial(answers, chance)), answers), judge)
        if isinstance(found, Estimate):
            covered.append(found.low <= true <= found.high)
            widths.append(found.high - found.low)
    return float(np.mean(covered)), float(np.mean(widths))


def smallest(anchors: int, repeats: float) -> tuple[float, float, float]:
    """Return the smallest changes seen with power .8, and how often a finding holds wrongly.

    Four references on anchors that all recur, of which nothing moved.
    """
    endpoint, ruler, held = [], [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        difficulty = rng.normal(0, 1.2, anchors)
        report = drift(
            [revisit(rng, f"r{n}", difficulty - 0.8 - 0.2 * n, repeats=repeats) for n in range(4)],
            layout=layout_of(anchors),
        )
        for finding in report.findings:
            held.append(bool(finding.holds))
            if finding.smallest is not None:
                told = ruler if finding.kind is DriftKind.RULER_MOVED else endpoint
                told.append(finding.smallest)
    return float(np.mean(endpoint)), float(np.mean(ruler)), float(np.mean(held))


def revisit(
    rng: np.random.Generator, label: str, gap: NDArray[np.float64], *, repeats: float
) -> Revisit:
    """Return a reference that is asked three times and stays itself; answer 0 is right."""

    def anew() -> NDArray[np.int64]:
        right = rng.random(len(gap)) < 1 / (1 + np.exp(gap))
        return np.where(right, 0, rng.integers(1, 4, len(gap)))

    own = anew()
    first, later, again = (np.where(rng.random(len(gap)) < repeats, own, anew()) for _ in range(3))
    return Revisit(
        label=label,
        earlier=first,
        later=later,
        again=again,
        earlier_scores=(first == 0).astype(np.float64),
        later_scores=(later == 0).astype(np.float64),
    )


def clustered() -> tuple[float, float]:
    """Return the same where answers come in clusters that differ."""
    rng, covered, widths = np.random.default_rng(8), [], []
    clusters = np.repeat(np.arange(30), 20).tolist()
    for _ in range(REPLICATES // 4):
        rates = np.clip(rng.normal(0.6, 0.15, 30), 0, 1)
        truth = rng.random((30, 20)) < rates[:, None]
        draws = rng.random((30, 20))
        passed = np.where(truth, draws < 0.9, draws < 0.15).ravel().astype(float).tolist()
        rate = clustered_mean(passed, clusters, level=0.95)
        if not isinstance(rate, Estimate):
            continue
        found = corrected_rate(rate, errors(rng, 0.9, 0.85, labels=200))
        if isinstance(found, Estimate):
            covered.append(found.low <= 0.6 <= found.high)
            widths.append(found.high - found.low)
    return float(np.mean(covered)), float(np.mean(widths))


if __name__ == "__main__":
    main()
