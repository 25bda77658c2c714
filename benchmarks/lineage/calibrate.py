r"""Fit the calibration that is shipped, from results on the zoo's calibration side.

    python benchmarks/lineage/calibrate.py build/lineage-small.jsonl build/lineage-null.jsonl \\
        --zoo build/zoo-small --zoo build/zoo-null --id 2026-11-26 -o FILE

Pairs of the evaluation side are never learnt from. It prints how the fitted calibration does on
them afterwards: coverage of its sets, by class and by root.

    python benchmarks/lineage/calibrate.py build/lineage-small.jsonl --zoo build/zoo-small \\
        --families

writes nothing, and prints instead what each family loses when it is told by the others alone
(leave one family out): its evaluation pairs by a calibration that never saw its architecture.
"""

import argparse
import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tables import BODY, score_of

from dokja.evidence.lineage.calibrations import CLASSES, Calibrated, Calibration, Features
from dokja.models.forge.zoo import Zoo, read_zoo

Line = dict[str, Any]
_STRENGTH = 1.0
"""Of the ridge on standardised weights; without one, classes that part make them infinite."""
_MODELS = (("agreement", "correlation", "gains"), ("agreement", "correlation"), ("agreement",))


def main() -> None:
    """Fit, write and test."""
    words = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    words.add_argument("results", type=Path, nargs="+")
    words.add_argument("--zoo", type=Path, action="append", required=True)
    words.add_argument("--id")
    words.add_argument("-o", "--output", type=Path)
    words.add_argument("--families", action="store_true", help="leave one family out, in turn")
    said = words.parse_args()
    if not said.families and not (said.id and said.output):
        words.error("--id and --output go with a calibration that is written")
    lines = [
        json.loads(line) for path in said.results for line in path.read_text().splitlines() if line
    ]
    held = [line for line in lines if BODY in line["components"]]
    learnt = [line for line in held if line["truth"]["split"] == "calibration"]
    tested = [line for line in held if line["truth"]["split"] == "evaluation"]
    zoos = [read_zoo(folder) for folder in said.zoo]
    if said.families:
        print_families(learnt, tested, zoos=zoos)
        return
    made = made_of(learnt, zoos=zoos, name=said.id)
    said.output.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    pairs = made["root_pairs"]
    print(f"{len(learnt)} pairs of {pairs} independent pairs of roots → {said.output}")
    test(Calibration.from_json(made), tested)


def made_of(learnt: Sequence[Line], *, zoos: Sequence[Zoo], name: str) -> dict[str, Any]:
    """Return a calibration, as its file holds it, that learnt from these pairs."""
    structures = [model.record.structure for zoo in zoos for model in zoo.models.values()]
    independent = {
        tuple(sorted((line["roots"][0][0], line["roots"][1][0])))
        for line in learnt
        if class_of(line) == "independent"
    }
    made = {
        "schema": "dokja.lineage-calibration/1",
        "id": name,
        "classes": list(CLASSES),
        "made_from": {
            zoo.tier: hashlib.sha256((zoo.folder / "zoo.json").read_bytes()).hexdigest()
            for zoo in zoos
        },
        "widths": [min(s.width for s in structures), max(s.width for s in structures)],
        "depths": [3, max(s.layers for s in structures)],
        "gated": [True, False],
        "root_pairs": len(independent),
        "levels": [],
        "models": [
            *(fit(learnt, features, over="all") for features in _MODELS),
            *(fit(list(filter(found, learnt)), features, over="found") for features in _MODELS),
        ],
    }
    made["levels"] = [level(len(one)) for one in made["models"][-1]["scores"]]
    return made


def print_families(learnt: Sequence[Line], tested: Sequence[Line], *, zoos: Sequence[Zoo]) -> None:
    """Print for each family how often its truth is in the set, told by all and by the others."""
    families = sorted({line["family"] for line in tested} & {line["family"] for line in learnt})
    whole = Calibration.from_json(made_of(learnt, zoos=zoos, name="all"))
    print("| left out | pairs found | truth in the set, by all | by the others | loss | ", end="")
    print("median log₁₀ LR of strangers, by the others | of derived |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for family in families:
        others = [line for line in learnt if line["family"] != family]
        mine = [line for line in tested if line["family"] == family]
        without = Calibration.from_json(made_of(others, zoos=zoos, name=f"without {family}"))
        both = [_covered(one, mine) for one in (whole, without)]
        count = sum(map(found, mine))
        loss = both[0] - both[1]
        ratios = [_ratio(without, mine, kind) for kind in ("independent", "derived")]
        told = f"{both[0]:.3f} | {both[1]:.3f} | {loss:+.3f} | {ratios[0]} | {ratios[1]}"
        print(f"| {family} | {count} | {told} |")


def _covered(calibration: Calibration, lines: Sequence[Line]) -> float:
    """Return the share of pairs that were found whose true class is in the set."""
    inside = [class_of(line) in _says(calibration, line).classes for line in lines if found(line)]
    return float(np.mean(inside)) if inside else float("nan")


def _ratio(calibration: Calibration, lines: Sequence[Line], kind: str) -> str:
    said = [_says(calibration, line).log10_ratio for line in lines if class_of(line) == kind]
    known = [ratio for ratio in said if ratio is not None]
    return f"{np.median(known):.2f}" if known else "–"


def _says(calibration: Calibration, line: Line) -> Calibrated:
    """Return what a calibration says of a pair, inside of its range."""
    return calibration.says(features_of(line), width=48, depth=4, gated=True, found=found(line))


def level(roots: int) -> float:
    """Return the level of a class's set: 5 %, or the smallest that so many roots allow."""
    return round(max(0.05, 1 / (roots + 1) + 1e-6), 6)


def found(line: Line) -> bool:
    """Tell whether the plan's rule found a relation."""
    return not {"no_evidence", "not_testable"} & set(line["components"][BODY]["relations"])


def class_of(line: Line) -> str:
    """Return the class that a pair truly is of."""
    word = line["truth"]["parts"].get("language_body", "no_evidence")
    if word == "shared_initialisation":
        return "shared_initialisation"
    return "independent" if word == "no_evidence" else "derived"


def features_of(line: Line) -> Features:
    """Return a pair's reading."""
    found = line["components"][BODY]
    shares = [one["share"] for one in found["branches"].values() if one["share"] is not None]
    return Features(
        agreement=max(shares, default=None), correlation=found["r"], gains=found["gain_r"]
    )


def fit(lines: Sequence[Line], names: Sequence[str], *, over: str) -> dict[str, Any]:
    """Return a fitted model, as the calibration's file holds it."""
    chosen = [(line, features_of(line).values(names)) for line in lines]
    held = [(line, values) for line, values in chosen if values is not None]
    values = np.array([one for _, one in held])
    centre, scale = values.mean(axis=0), np.maximum(values.std(axis=0), 1e-5)
    inputs = np.column_stack([np.ones(len(values)), (values - centre) / scale])
    classes = np.array([CLASSES.index(class_of(line)) for line, _ in held])
    weights = _weights(inputs, classes, roots=[_root(line) for line, _ in held])
    logs = inputs @ weights.T
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    worst: list[dict[str, float]] = [defaultdict(float) for _ in CLASSES]
    for (line, _), kind, share in zip(held, classes, shares, strict=True):
        root = _root(line)
        worst[kind][root] = max(worst[kind][root], float(1 - share[kind]))
    sizes = [max(int((classes == kind).sum()), 1) for kind in range(len(CLASSES))]
    return {
        "over": over,
        "features": list(names),
        "centre": _rounded(centre),
        "scale": _rounded(scale),
        "weights": [_rounded(row) for row in weights],
        "log_odds": round(float(np.log(sizes[2] / sizes[0])), 6),
        "scores": [sorted(round(one, 9) for one in by_root.values()) for by_root in worst],
    }


def _root(line: Line) -> str:
    return f"{line['family']} {line['roots'][0][0]}"


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 6) for value in values]


def _weights(
    inputs: NDArray[np.float64], classes: NDArray[np.int64], *, roots: Sequence[str]
) -> NDArray[np.float64]:
    """Fit a multinomial logistic model with a ridge by gradient steps; roots weigh alike."""
    counts: dict[tuple[str, int], int] = defaultdict(int)
    for root, kind in zip(roots, classes, strict=True):
        counts[root, int(kind)] += 1
    weight = np.array([1 / counts[r, int(k)] for r, k in zip(roots, classes, strict=True)])
    weight *= len(weight) / weight.sum()
    wanted = np.eye(len(CLASSES))[classes]
    found = np.zeros((len(CLASSES), inputs.shape[1]))
    ridge = np.full_like(found, _STRENGTH)
    ridge[:, 0] = 0.0
    speed = 1.0 / (0.5 * np.square(inputs).sum(axis=1).max() * weight.sum() / len(weight))
    before = found.copy()
    for step in range(20_000):  # Nesterov's; some thousand steps are enough
        ahead = found + step / (step + 3) * (found - before)
        logs = inputs @ ahead.T
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        gradient = ((shares - wanted) * weight[:, None]).T @ inputs + ridge * ahead
        before, found = found, ahead - speed * gradient / len(weight)
        if step and np.abs(found - before).max() < 1e-9:
            break
    return found


def test(calibration: Calibration, lines: Sequence[Line]) -> None:
    """Print coverage and size of the sets, and ratios, on pairs that were not learnt from."""
    print(
        "\n| true class | pairs | roots | found | of these in the set | alone | median log₁₀ LR |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|")
    for kind in CLASSES:
        chosen = [line for line in lines if class_of(line) == kind]
        said = [_says(calibration, line) for line in chosen]
        if not said:
            continue
        ratios = [one.log10_ratio for one in said if one.log10_ratio is not None]
        sets = [one.classes for one, line in zip(said, chosen, strict=True) if found(line)]
        inside = f"{np.mean([kind in one for one in sets]):.3f}" if sets else "–"
        alone = f"{np.mean([one == (kind,) for one in sets]):.3f}" if sets else "–"
        roots = len({_root(line) for line in chosen})
        cells = (
            f"{len(chosen)} | {roots} | {len(sets)} | {inside} | {alone} | {np.median(ratios):.2f}"
        )
        print(f"| {kind} | {cells} |")
    strangers = [line for line in lines if class_of(line) == "independent"]
    top = max((score_of(line) or 0.0 for line in strangers), default=0.0)
    print(f"\nlargest score of a stranger on the evaluation side: {top:.3f}")


if __name__ == "__main__":
    main()
