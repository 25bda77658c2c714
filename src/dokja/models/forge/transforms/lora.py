"""Low-rank adapters (LoRA, arXiv 2106.09685): made from a seed, and merged into their base.

Adapters lie on disk as the peft library writes them, so that one made here trains there, and one
trained there is merged here. The merge adds the rank's outer products one after the other in
float64: only element-wise arithmetic, so that the merged root can be checked on any machine.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms.draws import uniforms
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord, refuse
from dokja.models.forge.transforms.tensors import FLOAT32, Derived, Plan, Tensors, copied
from dokja.models.forge.transforms.writing import write_folder
from dokja.values import Json

__all__ = [
    "LINEARS",
    "AdapterTerms",
    "adapter_config",
    "adapter_terms",
    "make_adapter",
    "merge_adapter",
    "write_adapter",
]

LINEARS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
"""The linear modules of a Llama-like layer; the targets of an adapter that names none."""

_GPT2_LINEARS = ("c_attn", "c_proj", "c_fc")
_PREFIX = "base_model.model."
_ROWS = 256  # rows of a matrix that are merged at a time, so that they stay in the cache


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterTerms:
    """How large an adapter is and where it stands.

    Attributes:
        rank: Columns of B and rows of A.
        alpha: The product of B and A is multiplied by alpha / rank.
        targets: Last parts of the modules' names, such as `q_proj`; empty for every linear one.
    """

    rank: int
    alpha: float
    targets: tuple[str, ...] = ()


def adapter_config(terms: AdapterTerms, *, structure: Structure) -> dict[str, Json]:
    """Return `adapter_config.json` as peft reads it."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": terms.rank,
        "lora_alpha": terms.alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": structure.family == "gpt2",
        "target_modules": list(_targets(terms, structure)),
        "base_model_name_or_path": None,
        "inference_mode": True,
    }


def adapter_terms(config: Mapping[str, Any]) -> AdapterTerms:
    """Return the terms that an `adapter_config.json` states.

    Raises:
        TransformError: It asks for something that a merge here would not do: another kind of
            adapter, DoRA, rank-stabilised scale, biases, whole modules, or ranks by pattern.
    """
    refuse(_config_mistakes(config))
    targets = config.get("target_modules") or ()
    return AdapterTerms(
        rank=config["r"],
        alpha=float(config["lora_alpha"]),
        targets=() if isinstance(targets, str) else tuple(sorted(targets)),
    )


def make_adapter(structure: Structure, terms: AdapterTerms, *, seed: bytes) -> Derived:
    """Return a new adapter, which changes nothing yet: B is zero.

    A is uniform within 1 / sqrt(inputs), as peft draws it (Kaiming with a = sqrt 5).

    Args:
        structure: Of the base.
        terms: Rank and targets.
        seed: Of A, each matrix with a stream of its own.

    Raises:
        TransformError: The rank is not positive, or a target is not there.

    Example:
        >>> tiny = Structure(
        ...     family="llama", vocabulary=256, width=128, layers=4,
        ...     heads=4, kv_heads=2, head_width=32, ffn=352,
        ... )
        >>> adapter = make_adapter(
        ...     tiny, AdapterTerms(rank=8, alpha=16, targets=("q_proj",)), seed=b"seed"
        ... )
        >>> adapter.shape("base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
        (8, 128)
    """
    chosen = _modules(structure, terms)
    refuse(_terms_mistakes(structure, terms, chosen))
    plans = {}
    for module, (outputs, inputs) in chosen.items():
        key = f"{_PREFIX}{module}.lora_A.weight"
        plans[key] = Plan(
            shape=(terms.rank, inputs),
            dtype=FLOAT32,
            make=partial(_first, seed, f"lora/{module}", shape=(terms.rank, inputs)),
        )
        zeros = partial(np.zeros, (outputs, terms.rank), dtype=np.float32)
        plans[f"{_PREFIX}{module}.lora_B.weight"] = Plan(
            shape=(outputs, terms.rank), dtype=FLOAT32, make=zeros
        )
    return Derived(plans)


def merge_adapter(
    model: Model, adapter: Tensors, *, terms: AdapterTerms, name: str = "the adapter"
) -> Transformed:
    """Return the base with the adapter added to its matrices: W + alpha / rank B A.

    Args:
        model: The base.
        adapter: Tensors in peft's names.
        terms: As it was trained.
        name: What records and messages call the adapter: its root where that is known.

    Raises:
        TransformError: The adapter holds half a pair, other tensors, other shapes, or stands
            beside matrices that are not there. Nothing was merged.
    """
    transposed = model.structure.family == "gpt2"  # its matrices lie (inputs, outputs)
    pairs = _pairs(adapter)
    refuse(_adapter_mistakes(model, adapter, terms=terms, pairs=pairs, name=name))
    plans = {}
    for tensor in model.tensors.names:
        module = tensor.removesuffix(".weight")
        if module not in pairs:
            plans[tensor] = copied(model.tensors, tensor)
            continue
        make = partial(
            _merged,
            model.tensors,
            tensor,
            adapter=adapter,
            module=module,
            scale=terms.alpha / terms.rank,
            transposed=transposed,
        )
        plans[tensor] = Plan(shape=model.tensors.shape(tensor), dtype=FLOAT32, make=make)
    return Transformed(
        tensors=Derived(plans),
        structure=model.structure,
        record=TransformRecord(
            kind="merge-adapter",
            parameters={
                "rank": terms.rank,
                "alpha": terms.alpha,
                "targets": list(_targets(terms, model.structure)),
            },
            map={"merged": sorted(pairs)},
            parents=(model.name, name),
        ),
    )


def write_adapter(
    adapter: Tensors, folder: Path, *, terms: AdapterTerms, structure: Structure
) -> None:
    """Write an adapter as a new folder that peft opens.

    Raises:
        TransformError: The folder exists.
        OSError: The disk did not take it.
    """
    config = adapter_config(terms, structure=structure)
    text = json.dumps(config, indent=2, sort_keys=True) + "\n"
    write_folder(
        adapter, folder, files={"adapter_config.json": text.encode()}, stem="adapter_model"
    )


def _first(seed: bytes, label: str, *, shape: tuple[int, int]) -> NDArray[np.float32]:
    bound = 1 / math.sqrt(shape[1])
    drawn = uniforms(seed, label, count=math.prod(shape)).reshape(shape)
    return ((2 * drawn - 1) * bound).astype(np.float32)


def _merged(
    tensors: Tensors,
    name: str,
    *,
    adapter: Tensors,
    module: str,
    scale: float,
    transposed: bool,
) -> NDArray[np.float32]:
    left = adapter.read(f"{_PREFIX}{module}.lora_B.weight").astype(np.float64) * scale
    right = adapter.read(f"{_PREFIX}{module}.lora_A.weight").astype(np.float64)
    if transposed:
        left, right = right.T, left.T
    base = tensors.read(name)
    merged = np.empty(base.shape, dtype=np.float32)
    for start in range(0, len(base), _ROWS):
        rows = base[start : start + _ROWS].astype(np.float64)
        for column in range(left.shape[1]):
            rows += left[start : start + _ROWS, column, None] * right[column]
        merged[start : start + _ROWS] = rows
    return merged


def _targets(terms: AdapterTerms, structure: Structure) -> tuple[str, ...]:
    return terms.targets or (_GPT2_LINEARS if structure.family == "gpt2" else LINEARS)


def _modules(structure: Structure, terms: AdapterTerms) -> dict[str, tuple[int, int]]:
    """Return every module that an adapter stands beside, with its outputs and inputs."""
    found = {}
    for name, shape in structure.shapes().items():
        module, _, kind = name.rpartition(".")
        if kind != "weight" or len(shape) != 2:  # noqa: PLR2004  # a matrix
            continue
        if module.rpartition(".")[2] in _targets(terms, structure):
            found[module] = shape[::-1] if structure.family == "gpt2" else shape
    return found


def _pairs(adapter: Tensors) -> dict[str, set[str]]:
    """Return which halves the adapter holds for each module."""
    found: dict[str, set[str]] = {}
    for name in adapter.names:
        module, _, half = name.removeprefix(_PREFIX).removesuffix(".weight").rpartition(".")
        found.setdefault(module, set()).add(half)
    return found


def _terms_mistakes(
    structure: Structure, terms: AdapterTerms, chosen: Mapping[str, tuple[int, int]]
) -> Iterator[Mistake]:
    if terms.rank < 1:
        yield Mistake(file="lora", place="rank", read=str(terms.rank), expected="at least 1")
    there = {module.rpartition(".")[2] for module in chosen}
    missing: Sequence[str] = sorted(set(terms.targets) - there)
    if missing or not chosen:
        yield Mistake(
            file="lora",
            place="targets",
            read=", ".join(missing or _targets(terms, structure)),
            expected=f"modules of the family {structure.family}",
        )


def _adapter_mistakes(
    model: Model,
    adapter: Tensors,
    *,
    terms: AdapterTerms,
    pairs: Mapping[str, set[str]],
    name: str,
) -> Iterator[Mistake]:
    if terms.rank < 1:
        yield Mistake(file=name, place="rank", read=str(terms.rank), expected="at least 1")
    if not pairs:
        yield Mistake(file=name, place="", read="no tensor", expected="pairs of lora_A and lora_B")
    for module, halves in sorted(pairs.items()):
        tensor = f"{module}.weight"
        if halves != {"lora_A", "lora_B"} or tensor not in model.tensors.names:
            there = tensor in model.tensors.names
            yield Mistake(
                file=name,
                place=f"module {module}",
                read=f"{', '.join(sorted(halves))} beside {tensor if there else 'no matrix'}",
                expected="lora_A and lora_B beside a matrix of the base",
            )
            continue
        shape = model.tensors.shape(tensor)
        outputs, inputs = shape[::-1] if model.structure.family == "gpt2" else shape
        wanted = {"lora_A": (terms.rank, inputs), "lora_B": (outputs, terms.rank)}
        for half, expected in wanted.items():
            read = adapter.shape(f"{_PREFIX}{module}.{half}.weight")
            if read != expected:
                yield Mistake(
                    file=name,
                    place=f"module {module}, {half}",
                    read=f"shape {read}",
                    expected=f"shape {expected}",
                )


def _config_mistakes(config: Mapping[str, Any]) -> Iterator[Mistake]:
    file = "adapter_config.json"
    for key, sort in (("r", int), ("lora_alpha", int | float)):
        if not isinstance(config.get(key), sort) or config[key] <= 0:
            yield Mistake(
                file=file, place=key, read=repr(config.get(key)), expected="a positive number"
            )
    plain: dict[str, tuple[Any, ...]] = {
        "peft_type": ("LORA",),
        "use_dora": (False, None),
        "use_rslora": (False, None),
        "bias": ("none", None),
        "modules_to_save": (None, [], ()),
        "rank_pattern": (None, {}),
        "alpha_pattern": (None, {}),
    }
    for key, allowed in plain.items():
        if config.get(key) not in allowed:
            yield Mistake(
                file=file,
                place=key,
                read=repr(config.get(key)),
                expected=f"{allowed[0]!r}: nothing else is merged here",
                remedy="Merge it with peft, and record the merge as an import.",
            )
