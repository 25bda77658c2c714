"""How well merges are taken apart: parents found among strangers, and their weights.

    python benchmarks/lineage/merges.py build/zoo-small

Every undisguised merge of the zoo is laid beside its true parents and one root that has nothing
to do with it. Only linear merges have weights that are right or wrong to the second digit; of
slerp, TIES and DARE it is told what a weighted sum makes of them.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from dokja.evidence.lineage.merging import decompose
from dokja.models.forge.zoo import Zoo, ZooModel, read_zoo, write_model
from dokja.models.weights import Source, open_source

BODY = "language-body"


def main() -> None:
    """Print a line for each merge, and the largest error of the linear ones."""
    zoo = read_zoo(Path(sys.argv[1] if len(sys.argv) > 1 else "build/zoo-small"))
    merges = [
        model for model in zoo.models.values() if model.label["merge"] and model.record.recipe
    ]
    print("| merge | side | true weights | found | largest error |")
    print("|---|---|---|---|---:|")
    errors = []
    with tempfile.TemporaryDirectory() as scratch:
        for model in merges:
            error = told(zoo, model, Path(scratch))
            if error is not None:
                errors.append(error)
    print(
        f"\nlinear merges: {len(errors)} with all parents found, mean error of a weight "
        f"{np.mean(errors):.4f}, largest {max(errors):.4f}"
    )


def told(zoo: Zoo, model: ZooModel, scratch: Path) -> float | None:
    """Print what is made of one merge; return the mean error of a linear one's weights."""
    name = model.record.name
    wanted = {parent: float(weight) for parent, weight in model.label["merge"].items()}
    stranger = next(
        root
        for root in sorted(zoo.roots)
        if root not in model.roots and zoo.model(root).record.family == model.record.family
    )
    names = [*wanted, stranger]
    found = decompose(
        opened(zoo, name, scratch),
        [opened(zoo, one, scratch) for one in names],
        component=BODY,
        rng=np.random.default_rng(1),
    )
    shown = ", ".join(f"{parent.split('.')[-1]} {weight:g}" for parent, weight in wanted.items())
    if found is None:
        print(f"| {name} | {model.split} | {shown} | no sum | – |")
        return None
    said = {
        parent: weight.value for parent, weight in zip(found.parents, found.weights, strict=True)
    }
    errors = [abs(said.get(parent, 0.0) - wanted.get(parent, 0.0)) for parent in {*said, *wanted}]
    told_as = ", ".join(f"{parent.split('.')[-1]} {weight:.3f}" for parent, weight in said.items())
    print(f"| {name} | {model.split} | {shown} | {told_as} | {max(errors):.3f} |")
    linear = "merge-linear" in name or "mixed" in name
    return float(np.mean(errors)) if linear else None


def opened(zoo: Zoo, name: str, scratch: Path) -> Source:
    """Return a model of the zoo, made again where it is no stored one."""
    folder = scratch / name
    if not folder.exists():
        write_model(zoo, name, folder)
    return open_source(folder)


if __name__ == "__main__":
    main()
