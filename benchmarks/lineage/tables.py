"""The tables of the lineage benchmark, from its lines of results.

Positives are pairs in which trained values of one side come from the other's, by the zoo's
truth; negatives are all others, the hard ones (same data and order, another seed, or taught by
the other) by themselves. Shared initialisation is a class of its own and in neither. Intervals
are bootstraps over roots: derivatives of one root are not independent of each other.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

__all__ = ["print_tables", "score_of"]

Line = dict[str, Any]
BODY = "language-body"
HARD = {"same data", "taught"}
_DRAWS = 1000


def print_tables(lines: Sequence[Line], *, side: str = "evaluation") -> None:
    """Print every table that the results allow.

    Args:
        lines: Of results.
        side: `evaluation` or `calibration`: pairs of the other side are left out; or `both`.
    """
    held = [
        line
        for line in lines
        if BODY in line["components"] and side in {"both", line["truth"]["split"]}
    ]
    positives = [line for line in held if _truth(line) == "derived"]
    negatives = [line for line in held if _truth(line) == "none"]
    hard = [line for line in negatives if line["truth"]["kind"] in HARD]
    twins = [line for line in held if _truth(line) == "shared"]
    print(f"\nSide: {side}. {len(held)} pairs: {len(positives)} derived, {len(negatives)} not")
    print(f"({len(hard)} of these hard), {len(twins)} of shared initialisation")
    _rates(positives, hard)
    _by_kind(positives)
    _false(negatives, twins)
    _maps(positives)
    _relations(held)
    _costs(held)
    _peers(positives, hard)


def score_of(line: Line) -> float | None:
    """Return how strongly two language bodies are related, in one number for ranking pairs.

    The largest share of any branch, or the correlation in the same coordinates where that is
    larger; none where nothing could be compared.
    """
    found = line["components"][BODY]
    values = [one["share"] for one in found["branches"].values() if one["share"] is not None]
    if found["r"] is not None:
        values.append(found["r"])
    return max(values, default=None)


def _truth(line: Line) -> str:
    word = line["truth"]["parts"].get("language_body", "no_evidence")
    if word == "shared_initialisation":
        return "shared"
    return "none" if word == "no_evidence" else "derived"


def _called(line: Line) -> bool:
    return line["components"][BODY]["derivation"] == "yes"


def _undisguised(line: Line) -> bool:
    return not line["disguise"]


def _groups() -> Iterable[tuple[str, Callable[[Line], bool]]]:
    for name, chosen in _all_groups():
        yield name, lambda line, chosen=chosen: chosen(line) and not _is_lesser(line)  # type: ignore[misc]  # bound as a default
    yield "30 % of a mixture, not disguised", lambda line: _is_lesser(line) and _undisguised(line)
    yield "30 % of a mixture, disguised", lambda line: _is_lesser(line) and not _undisguised(line)


def _is_lesser(line: Line) -> bool:
    """Tell whether the reference is 30 % of a mixture with a stranger: a row of its own."""
    return "30 %" in line["kind"]


def _all_groups() -> Iterable[tuple[str, Callable[[Line], bool]]]:
    yield "all", lambda _: True
    yield "not disguised", _undisguised
    yield "permuted or turned", lambda line: line["disguise"] in {"moved", "laundered"}
    yield "single symmetry", lambda line: line["disguise"].startswith("by-")
    yield (
        "laundered, embeddings replaced",
        lambda line: line["disguise"] == "laundered-embeddings",
    )
    yield (
        "continued, laundered, embeddings replaced",
        lambda line: line["disguise"] == "laundered-embeddings" and line["kind"].startswith("cpt"),
    )
    yield "recovered by training", lambda line: line["disguise"].startswith("recovered")


def _rates(positives: Sequence[Line], hard: Sequence[Line]) -> None:
    print("\n| derived pairs | N | roots | called derived | TPR at 1 % FPR | at 0.1 % |")
    print("|---|---:|---:|---|---|---|")
    for name, chosen in _groups():
        lines = [line for line in positives if chosen(line)]
        if not lines:
            continue
        called = _interval(lines, lambda some: float(np.mean([_called(line) for line in some])))
        at = [
            _interval(
                lines,
                lambda some, rate=rate: _power(some, hard, rate=rate, score=score_of),  # type: ignore[misc]  # bound as a default
            )
            for rate in (0.01, 0.001)
        ]
        roots = len({_root(line) for line in lines})
        print(f"| {name} | {len(lines)} | {roots} | {called} | {at[0]} | {at[1]} |")
    print(f"\nFPR over {len(hard)} hard negatives; what stands in brackets holds 95 %.")


def _power(
    positives: Sequence[Line],
    negatives: Sequence[Line],
    *,
    rate: float,
    score: Callable[[Line], float | None],
) -> float:
    """Return the share of positives above all but so many of the negatives."""
    low = sorted(_or_lowest(score(line)) for line in negatives)
    if not low:
        return float("nan")
    threshold = low[len(low) - 1 - int(rate * len(low))]
    return float(np.mean([_or_lowest(score(line)) > threshold for line in positives]))


def _or_lowest(value: float | None) -> float:
    # A pair that a method cannot compare is one that it does not find.
    return -np.inf if value is None else value


def _root(line: Line) -> str:
    return str(line["roots"][0][0])


def _interval(lines: Sequence[Line], value: Callable[[Sequence[Line]], float]) -> str:
    """Return a value with its bootstrap interval over roots."""
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[_root(line)].append(line)
    names = sorted(groups)
    rng = np.random.default_rng(1)
    drawn = [
        value(
            [line for i in rng.integers(len(names), size=len(names)) for line in groups[names[i]]]
        )
        for _ in range(_DRAWS if len(names) > 1 else 0)
    ]
    whole = value(lines)
    if not drawn:
        return f"{whole:.3f} (one root)"
    low, high = np.quantile(drawn, [0.025, 0.975])
    return f"{whole:.3f} [{low:.3f}, {high:.3f}]"


def _by_kind(positives: Sequence[Line]) -> None:
    print("\n| derived by | N | called derived | smallest score | disguises |")
    print("|---|---:|---:|---:|---|")
    kinds: dict[str, list[Line]] = defaultdict(list)
    for line in positives:
        kinds[line["kind"]].append(line)
    for kind, lines in sorted(kinds.items()):
        missed: dict[str, int] = defaultdict(int)
        for line in lines:
            if not _called(line):
                missed[line["disguise"] or "none"] += 1
        told = ", ".join(f"{count} missed: {name}" for name, count in sorted(missed.items()))
        lowest = min(_or_lowest(score_of(line)) for line in lines)
        called = sum(map(_called, lines))
        print(f"| {kind} | {len(lines)} | {called} | {lowest:.2f} | {told or 'none missed'} |")


def _false(negatives: Sequence[Line], twins: Sequence[Line]) -> None:
    print("\n| pairs without derivation | N | root pairs | called derived | 95 % bound |")
    print("|---|---:|---:|---:|---:|")
    kinds: dict[str, list[Line]] = defaultdict(list)
    for line in negatives:
        kinds[line["truth"]["kind"]].append(line)
    kinds["all negatives"] = list(negatives)
    kinds["shared initialisation"] = list(twins)
    for kind, lines in sorted(kinds.items()):
        if not lines:
            continue
        pairs = len({(_root(line), line["reference"]) for line in lines})
        called = sum(map(_called, lines))
        bound = f"{1 - 0.05 ** (1 / pairs):.4f}" if not called else "–"
        print(f"| {kind} | {len(lines)} | {pairs} | {called} | {bound} |")
    right = [
        line for line in twins if line["components"][BODY]["relations"] == ["shared_initialisation"]
    ]
    if twins:
        print(f"\nshared initialisation named as such, and nothing else: {len(right)}/{len(twins)}")


def _maps(positives: Sequence[Line]) -> None:
    right = total = exact = 0
    edited = [line for line in positives if line["truth"]["relation"] == "depth_edited"]
    judged = [
        line for line in edited if line["layer_map"] and line["reference"] == line["roots"][0][0]
    ]
    for line in judged:
        said = dict(line["components"][BODY]["layer_map"] or [])
        wanted = {i: j for i, j in enumerate(line["layer_map"]) if j is not None}
        right += sum(said.get(i) == j for i, j in wanted.items())
        total += len(wanted)
        exact += said == wanted
    if total:
        print(f"\nlayer maps: {right}/{total} layers right ({right / total:.3f}), ", end="")
        print(f"{exact}/{len(judged)} maps exact")


def _relations(held: Sequence[Line]) -> None:
    truths: dict[str, list[list[str]]] = defaultdict(list)
    for line in held:
        word = line["truth"]["parts"].get("language_body", "no_evidence")
        truths[word].append(line["components"][BODY]["relations"])
    print("\n| true relation | N | in the set | set's size |")
    print("|---|---:|---:|---:|")
    for word, sets in sorted(truths.items()):
        inside = np.mean([word in said for said in sets])
        print(f"| {word} | {len(sets)} | {inside:.3f} | {np.mean([len(s) for s in sets]):.2f} |")


def _costs(held: Sequence[Line]) -> None:
    seconds = [line["seconds"] for line in held]
    read = [line["bytes"] for line in held]
    print(f"\nprocessor seconds a pair: median {np.median(seconds):.2f}, in all {sum(seconds):.0f}")
    print(f"bytes a pair: median {np.median(read):.0f}")


def _peers(positives: Sequence[Line], hard: Sequence[Line]) -> None:
    asked = [line for line in positives if "peers" in line]
    beside = [line for line in hard if "peers" in line]
    if not asked or not beside:
        return
    names = sorted(asked[0]["peers"])
    groups = [(name, chosen) for name, chosen in _groups() if any(map(chosen, asked))]
    print("\nTPR at 1 % FPR on hard negatives; a pair that a method cannot compare is not found.\n")
    print("| method | " + " | ".join(name for name, _ in groups) + " | s a pair | could compare |")
    print("|---|" + "---:|" * (len(groups) + 2))
    for name in ("Dokja", *names):
        score = score_of if name == "Dokja" else _score_of_peer(name)
        powers = [
            _power([line for line in asked if chosen(line)], beside, rate=0.01, score=score)
            for _, chosen in groups
        ]
        cells = [f"{power:.3f}" for power in powers]
        both = [*asked, *beside]
        spent = [
            line["seconds"] if name == "Dokja" else line["peers"][name]["seconds"] for line in both
        ]
        could = np.mean([score(line) is not None for line in both])
        print(f"| {name} | {' | '.join(cells)} | {np.mean(spent):.3f} | {could:.2f} |")


def _score_of_peer(name: str) -> Callable[[Line], float | None]:
    def score(line: Line) -> float | None:
        value: float | None = line["peers"][name]["value"]
        return value

    return score
