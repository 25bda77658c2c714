"""Low-rank adapters (LoRA, arXiv 2106.09685) by peft, begun from a seed and merged when kept.

The first factor is drawn from the job's seed like any start (`initialisation`), so that it can be
drawn again without peft; the second begins at zero, so that training begins at the base.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dokja.models.forge.engines.jobs import Adapter
from dokja.models.forge.initialisation import initial_values
from dokja.models.forge.workers.networks import Parts, arrays

__all__ = ["adapter_name", "attach", "factors", "merged"]

_KEY = "default"  # what peft calls an adapter that has no name


def attach(network: nn.Module, adapter: Adapter) -> nn.Module:
    """Return the network with adapters beside its targets; everything else is frozen.

    Raises:
        ValueError: A target names no linear map; peft's own sentence.
    """
    from peft import LoraConfig, get_peft_model  # noqa: PLC0415  # seconds; most jobs have none

    config = LoraConfig(
        r=adapter.rank,
        lora_alpha=adapter.alpha,
        target_modules=list(adapter.targets),
        lora_dropout=0.0,
        bias="none",
        # GPT-2's maps lie transposed; peft finds out by itself and warns unless told.
        fan_in_fan_out=hasattr(network, "transformer"),
    )
    wrapped: nn.Module = get_peft_model(network, config)
    seed = bytes.fromhex(adapter.seed)
    with torch.no_grad():
        for name, factor in factors(wrapped).items():
            if name.endswith(".lora_A.weight"):
                # The variance of the uniform draw of He et al. (arXiv 1502.01852) that LoRA's
                # authors use: 1 / (3 · inputs).
                std = 1.0 / math.sqrt(3 * factor.shape[1])
                values = initial_values(name, seed, std=std, start=0, stop=factor.numel())
                factor.copy_(torch.from_numpy(values).reshape(factor.shape))
            else:
                factor.zero_()
    return wrapped


def adapter_name(memory: str) -> str:
    """Return the name under which a factor is kept.

    Example:
        >>> adapter_name("base_model.model.model.layers.0.mlp.up_proj.lora_A.default.weight")
        'model.layers.0.mlp.up_proj.lora_A.weight'
    """
    return memory.replace("base_model.model.", "").replace(f".{_KEY}.", ".")


def factors(wrapped: nn.Module) -> dict[str, Tensor]:
    """Return the factors of all adapters by their names, views of what is computed with."""
    return {
        adapter_name(name): parameter.detach()
        for name, parameter in wrapped.named_parameters()
        if ".lora_" in name
    }


def merged(wrapped: nn.Module, parts: Parts) -> dict[str, NDArray[np.float32]]:
    """Return all weights with the adapters added to their targets; the network stays as it is."""
    weights = arrays(parts.views())
    memories = {memory: name for name, memory in parts.names.items()}
    with torch.no_grad():
        for place, module in wrapped.named_modules():
            if hasattr(module, "get_delta_weight") and hasattr(module, "lora_A"):
                memory = f"{place}.base_layer.weight"
                delta = module.get_delta_weight(_KEY).cpu().numpy()
                # A new array: the one from `parts` may be the network's own memory.
                weights[memories[memory]] = weights[memories[memory]] + delta
    return weights
