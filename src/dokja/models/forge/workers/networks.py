"""Networks in torch, by the names under which their tensors lie on disk.

Libraries fuse experts in memory and wrap maps that have adapters; on disk every tensor has its
own name. Here each parameter is cut into views under these names, and weights, gradients'
moments and masks of what may train all go through the same cut.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dokja.errors import EngineError, Mistake, RecipeError, RecordError
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.structures import Structure
from dokja.models.forge.workers.blocks import PeriForCausalLM
from dokja.models.weights import Source

__all__ = ["Made", "Parts", "arrays", "build", "choose_trainable", "load", "make", "unwrapped"]

# How each family's fused experts are called on disk: gate, up and down of expert e.
_EXPERTS: Mapping[str, tuple[str, str, str, str]] = {
    "mixtral": ("block_sparse_moe.experts", "w1", "w3", "w2"),
    "latent-moe": ("mlp.experts", "gate_proj", "up_proj", "down_proj"),
}
_WRAPPINGS = (("base_model.model.", ""), (".base_layer.", "."))


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A network whose weights are still arbitrary, and how its parameters are called on disk.

    Attributes:
        network: On the CPU.
        plain: From a parameter's name in memory to its name on disk, before fused ones are cut.
    """

    network: nn.Module
    plain: Callable[[str], str]


def make(job: Job) -> Made:
    """Return the network of a job by transformers, or by our own block.

    Raises:
        EngineError: This transformers has no such class.
    """
    return Made(network=build(job.structure, attention=job.attention), plain=unwrapped)


def unwrapped(memory: str) -> str:
    """Return a parameter's name without what adapters wrap around it.

    Example:
        >>> unwrapped("base_model.model.model.layers.0.mlp.up_proj.base_layer.weight")
        'model.layers.0.mlp.up_proj.weight'
    """
    for wrapping, plain in _WRAPPINGS:
        memory = memory.replace(wrapping, plain)
    return memory


def build(structure: Structure, *, attention: str) -> nn.Module:
    """Return a network on the CPU whose weights are still arbitrary.

    Args:
        structure: What it is.
        attention: `eager`, or anything else for torch's attention.

    Raises:
        EngineError: This transformers has no such class.
    """
    eager = attention == "eager"
    if structure.family == "peri":
        return PeriForCausalLM(structure, eager=eager)
    import transformers  # noqa: PLC0415  # seconds, and our own block does without
    from transformers.initialization import no_init_weights  # noqa: PLC0415  # likewise

    config = structure.config()
    architecture = str(config["architectures"][0])  # type: ignore[index]  # a list of one
    kind = getattr(transformers, architecture, None)
    if kind is None:
        raise EngineError(f"transformers {transformers.__version__} has no {architecture}.")
    settings = kind.config_class(**config)
    settings._attn_implementation = "eager" if eager else "sdpa"  # noqa: SLF001  # the only door
    with no_init_weights():  # every weight is loaded; drawing them first takes minutes
        network: nn.Module = kind(settings)
    if structure.tied:  # left undone with the drawing of weights
        network.tie_weights()
    return network.train()


class Parts:
    """The parameters of a network under the names that they have on disk.

    Attributes:
        names: From name on disk to the parameter in memory; several may share one.
    """

    def __init__(
        self,
        network: nn.Module,
        structure: Structure,
        *,
        plain: Callable[[str], str] = unwrapped,
    ) -> None:
        """Find every tensor of the structure in the network.

        Args:
            network: Anywhere.
            structure: What it should be.
            plain: See `Made`.

        Raises:
            EngineError: The network has other tensors than the structure.
        """
        self._structure = structure
        self._plain = plain
        self.names: dict[str, str] = {}
        shapes = structure.shapes()
        held = dict(network.named_parameters())
        held |= {n: b for n, b in network.named_buffers() if self._plain(n) in shapes}
        found: dict[str, tuple[int, ...]] = {}
        for memory, tensor in held.items():
            for name, view in self.cut(memory, tensor):
                found[name] = tuple(view.shape)
                self.names[name] = memory
        self._tensors = held
        if found != shapes:
            differ = sorted(set(found.items()) ^ set(shapes.items()))[:4]
            raise EngineError(f"the network in memory is not the structure on disk: {differ}")

    def cut(self, memory: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield views of a parameter, or of a tensor of its shape, by their names on disk.

        Args:
            memory: The parameter's name in memory; an adapter's own factors yield nothing.
            tensor: The parameter, or a moment of it.
        """
        name = self._plain(memory)
        if ".lora_" in name:
            return
        if name.endswith((".experts.gate_up_proj", ".experts.down_proj")):
            yield from self._experts(name, tensor)
        elif self._structure.family == "mixtral" and name.endswith(".mlp.gate.weight"):
            yield name.replace(".mlp.gate.", ".block_sparse_moe.gate."), tensor
        else:
            yield name, tensor

    def views(self) -> Iterator[tuple[str, Tensor]]:
        """Yield every tensor of the structure, a view of what the network computes with."""
        for memory, tensor in self._tensors.items():
            yield from self.cut(memory, tensor.detach())

    def _experts(self, name: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
        place, gate, up, down = _EXPERTS[self._structure.family]
        prefix = name.partition("mlp.experts")[0] + place
        half = tensor.shape[1] // 2
        for expert, matrix in enumerate(tensor):
            if name.endswith("down_proj"):
                yield f"{prefix}.{expert}.{down}.weight", matrix
            else:
                yield f"{prefix}.{expert}.{gate}.weight", matrix[:half]
                yield f"{prefix}.{expert}.{up}.weight", matrix[half:]


def load(parts: Parts, source: Source) -> None:
    """Copy weights into the network, bit-equal; narrower types are widened exactly.

    Raises:
        RecordError: The folder has other tensors than the network; every mistake is in it.
    """
    views = dict(parts.views())
    mistakes = [
        Mistake(
            file=source.name,
            place=f"tensor {name!r}",
            read=f"the shape {source.info(name).shape}" if name in source.names else "nothing",
            expected=f"the shape {tuple(views[name].shape)}" if name in views else "no such tensor",
        )
        for name in sorted({*source.names, *views})
        if name not in views
        or name not in source.names
        or source.info(name).shape != tuple(views[name].shape)
    ]
    if mistakes:
        raise RecordError(mistakes)
    with torch.no_grad():
        for name, view in views.items():
            view.copy_(torch.from_numpy(source.read(name)))


def choose_trainable(network: nn.Module, parts: Parts, job: Job) -> list[tuple[str, nn.Parameter]]:
    """Freeze what the job does not train; return what it does, by name in memory, sorted.

    Raises:
        RecipeError: A pattern matches nothing, or cuts through a fused parameter.
    """
    named = dict(network.named_parameters())
    if isinstance(job.trainable, tuple):
        for name, parameter in named.items():
            parameter.requires_grad_(name in _matched(parts, job.trainable))
    elif job.trainable == "all":
        for parameter in named.values():
            parameter.requires_grad_(True)  # noqa: FBT003  # torch's own word
    return [(name, named[name]) for name in sorted(named) if named[name].requires_grad]


def _matched(parts: Parts, patterns: tuple[str, ...]) -> frozenset[str]:
    mistakes: list[Mistake] = []
    chosen: set[str] = set()
    for pattern in patterns:
        names = {name for name in parts.names if fnmatchcase(name, pattern)}
        chosen |= names
        if not names:
            mistakes.append(_pattern_mistake(repr(pattern), "a pattern of tensors' names"))
    memories = frozenset(parts.names[name] for name in chosen)
    cut = sorted(n for n, memory in parts.names.items() if memory in memories and n not in chosen)
    if cut:
        expected = f"all of a fused parameter or none; {cut[0]} lies beside what they match"
        mistakes.append(_pattern_mistake(", ".join(map(repr, patterns)), expected))
    if mistakes:
        raise RecipeError(mistakes)
    return memories


def _pattern_mistake(read: str, expected: str) -> Mistake:
    return Mistake(file="job.json", place="trainable", read=read, expected=expected)


def arrays(views: Iterator[tuple[str, Tensor]]) -> dict[str, NDArray[np.float32]]:
    """Return tensors as arrays; on a CPU they share their memory with them."""
    return {name: view.detach().cpu().numpy() for name, view in views}
