"""Turns a dense network into one of experts: sparse up-cycling (arXiv 2212.05055).

Every expert begins as a copy of the dense feed-forward half, so that whichever are chosen, their
weighted sum is what the half computed; Mixtral divides the chosen weights by their sum. Equal
experts get equal gradients but for the router's weights: a perturbation makes them differ, and
costs the equality of the function.
"""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.initialisation import STANDARD_DEVIATION
from dokja.models.forge.transforms.axes import known_family, resized, split_layer
from dokja.models.forge.transforms.draws import normals
from dokja.models.forge.transforms.noise import spread
from dokja.models.forge.transforms.records import (
    Model,
    Transformed,
    TransformRecord,
    refuse,
    shape_mistakes,
)
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan, Tensors, copied

__all__ = ["upcycle"]

_EXPERT_NAMES = {
    "mlp.gate_proj.weight": "w1.weight",
    "mlp.down_proj.weight": "w2.weight",
    "mlp.up_proj.weight": "w3.weight",
}


def upcycle(
    model: Model, *, experts: int, experts_per_token: int, seed: bytes, perturb: float = 0.0
) -> Transformed:
    """Return a `mixtral` whose experts are copies of a `llama`'s feed-forward halves.

    Args:
        model: A `llama`.
        experts: How many in each layer.
        experts_per_token: How many of them a token goes through.
        seed: Of the routers, drawn with a standard deviation of 0.02, and of the perturbation.
        perturb: Standard deviation of the noise on each expert's matrices, as a share of the
            matrix's own; 0 keeps the function.

    Raises:
        TransformError: The model is no `llama`, or the numbers do not fit.
    """
    known_family(model.structure, transform="upcycle", families=("llama",))
    refuse([*_mistakes(experts, experts_per_token, perturb), *shape_mistakes(model)])
    sparse = resized(
        model.structure, family="mixtral", experts=experts, experts_per_token=experts_per_token
    )
    record = TransformRecord(
        kind="upcycle",
        parameters={
            "experts": experts,
            "experts_per_token": experts_per_token,
            "seed": seed.hex(),
            "perturb": perturb,
        },
        map={"experts": {"copies_of": "the dense half", "count": experts}},
        parents=(model.name,),
        keeps_function=perturb == 0,
        structure_changed=True,
    )
    plans = _plans(model, experts=experts, seed=seed, perturb=perturb)
    return Transformed(tensors=Derived(plans), structure=sparse, record=record)


def _plans(model: Model, *, experts: int, seed: bytes, perturb: float) -> dict[str, Plan]:
    plans: dict[str, Plan] = {}
    for name in model.tensors.names:
        layer, part = split_layer(name)
        if part not in _EXPERT_NAMES:
            plans[name] = copied(model.tensors, name)
            continue
        stem = f"model.layers.{layer}.block_sparse_moe"
        plans[f"{stem}.gate.weight"] = _router(
            f"{stem}.gate.weight", (experts, model.structure.width), seed=seed
        )
        for expert in range(experts):
            copy = f"{stem}.experts.{expert}.{_EXPERT_NAMES[part]}"
            make = partial(_copy, model.tensors, name, copy=copy, perturb=perturb, seed=seed)
            plans[copy] = Plan(shape=model.tensors.shape(name), dtype=FLOAT32, make=make)
    return plans


def _router(name: str, shape: tuple[int, int], *, seed: bytes) -> Plan:
    def make() -> NDArray[np.float32]:
        return normals(seed, f"upcycle/{name}", shape=shape) * np.float32(STANDARD_DEVIATION)

    return Plan(shape=shape, dtype=FLOAT32, make=make)


def _copy(tensors: Tensors, name: str, *, copy: str, perturb: float, seed: bytes) -> NDArray[Any]:
    values = tensors.read(name).astype(np.float32, copy=False)
    if perturb == 0:
        return values
    noise = normals(seed, f"upcycle/{copy}", shape=values.shape).astype(np.float64)
    return np.asarray(values + perturb * spread(values) * noise, dtype=np.float32)


def _mistakes(experts: int, experts_per_token: int, perturb: float) -> Iterator[Mistake]:
    if not 1 <= experts_per_token <= experts:
        yield Mistake(
            file="upcycle",
            place="experts_per_token",
            read=str(experts_per_token),
            expected=f"a number from 1 to {experts}, the experts",
        )
    if perturb < 0:
        yield Mistake(
            file="upcycle", place="perturb", read=str(perturb), expected="a share of at least 0"
        )
