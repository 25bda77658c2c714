"""How well merges are taken apart: parents found among strangers, and their weights.

    python benchmarks/lineage/merges.py build/zoo-small [WORD …]

Every undisguised merge of the zoo, or those whose name has one of the words, is laid beside its
true parents, the base of TIES and DARE among them, and one root that has nothing to do with it.
Weights of linear and of TIES merges are right or wrong to the last digit; those of slerp and
DARE are nominal, and what is told of them is what a weighted sum makes of them.

TIES merges are laid out twice more: with all models rounded to bfloat16, and without the base.
"""

import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import load_file, save_file

from dokja.evidence.lineage import MergeReading
from dokja.evidence.lineage.merging import decompose
from dokja.models.forge.zoo import Zoo, ZooModel, read_zoo, write_model
from dokja.models.weights import Source, open_source

BODY = "language-body"


def main() -> None:
    """Print a line for each merge, and for each way of merging the largest error."""
    zoo = read_zoo(Path(sys.argv[1] if len(sys.argv) > 1 else "build/zoo-small"))
    words = sys.argv[2:] or [""]
    merges = [
        model
        for model in zoo.models.values()
        if model.label["merge"] and model.record.recipe and not model.label["laundering"]
        if any(word in model.record.name for word in words)
    ]
    print("| merge | side | laid out | true weights | found | left | largest error |")
    print("|---|---|---|---|---|---:|---:|")
    errors: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as scratch:
        for model in merges:
            for way, error in told(zoo, model, Path(scratch)).items():
                errors[way].append(error)
    print()
    for way, found in errors.items():
        print(f"{way}: {len(found)}, mean {np.mean(found):.4f}, largest {max(found):.4f}")


def told(zoo: Zoo, model: ZooModel, scratch: Path) -> dict[str, float]:
    """Print what is made of one merge; return the largest error of a weight, by way of looking."""
    name = model.record.name
    kind = name.rsplit(".", 1)[-1]
    wanted = {parent: float(weight) for parent, weight in model.label["merge"].items()}
    stranger = next(
        root
        for root in sorted(zoo.roots)
        if root not in model.roots and zoo.model(root).record.family == model.record.family
    )
    names = [*wanted, stranger]
    ways = {kind: (names, False)}
    if kind == "merge-ties":
        parents = [one for one in names if wanted.get(one) != 0]
        ways |= {f"{kind} in bfloat16": (names, True), f"{kind} without base": (parents, False)}
    found = {}
    for way, (given, rounded) in ways.items():
        suspect, *references = (opened(zoo, one, scratch, rounded) for one in (name, *given))
        reading = decompose(suspect, references, component=BODY, rng=np.random.default_rng(1))
        found[way] = line(model, way, reading=reading, names=given, wanted=wanted)
    return found


def line(
    model: ZooModel,
    way: str,
    *,
    reading: MergeReading | None,
    names: Sequence[str],
    wanted: Mapping[str, float],
) -> float:
    """Print one line of the table; return the largest error of a weight, 1 if none was found."""
    shown = ", ".join(f"{parent.split('.')[-1]} {weight:g}" for parent, weight in wanted.items())
    start = f"| {model.record.name} | {model.split} | {way} | {shown} |"
    if reading is None:
        print(f"{start} no sum | – | – |")
        return 1.0
    weighed = zip(reading.places, reading.weights, strict=True)
    said = {names[place]: weight.value for place, weight in weighed}
    error = max(abs(said.get(one, 0.0) - wanted.get(one, 0.0)) for one in {*said, *wanted})
    told_as = ", ".join(f"{parent.split('.')[-1]} {weight:.3f}" for parent, weight in said.items())
    if reading.elected is not None:
        base = reading.elected.base.removesuffix(".bfloat16").split(".")[-1]
        told_as += f"; elected on {base}, kept {min(reading.elected.densities):.3f}"
    print(f"{start} {told_as} | {reading.left:.2g} | {error:.4f} |", flush=True)
    return error


def opened(zoo: Zoo, name: str, scratch: Path, rounded: bool) -> Source:  # noqa: FBT001  # one word at one place
    """Return a model of the zoo, made again where it is no stored one, in bfloat16 if asked."""
    folder = scratch / name
    if not folder.exists():
        write_model(zoo, name, folder)
    if not rounded:
        return open_source(folder)
    coarse = scratch / f"{name}.bfloat16"
    if not coarse.exists():
        coarse.mkdir()
        for file in folder.iterdir():
            if file.suffix != ".safetensors":
                (coarse / file.name).write_bytes(file.read_bytes())
                continue
            tensors = load_file(file)
            save_file(
                {key: values.astype(ml_dtypes.bfloat16) for key, values in tensors.items()},
                coarse / file.name,
            )
    return open_source(coarse)


if __name__ == "__main__":
    main()
