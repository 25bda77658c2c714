"""A network in training, held so that its state can be handed over at any step."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from dokja.models.forge.engines.checkpoints import Checkpoint
from dokja.models.forge.engines.jobs import Job
from dokja.models.forge.engines.runs import State
from dokja.models.forge.workers.adapters import adapter_name, attach, factors, merged
from dokja.models.forge.workers.networks import Made, Parts, arrays, choose_trainable, load
from dokja.models.weights import open_source

__all__ = ["Held", "hold"]


class Held:
    """A network, what of it is trained, and how its tensors are called on disk.

    Attributes:
        network: On its device.
        parts: Its parameters by their names on disk.
        trained: What is trained, by name in memory, sorted.
    """

    def __init__(
        self,
        job: Job,
        network: nn.Module,
        parts: Parts,
        trained: Sequence[tuple[str, nn.Parameter]],
    ) -> None:
        self.network = network
        self.parts = parts
        self.trained = tuple(trained)
        self._job = job

    def cut(self, memory: str, tensor: Tensor) -> Iterator[tuple[str, Tensor]]:
        """Yield views of a parameter's moment by the names under which they are kept."""
        if ".lora_" in memory:
            yield adapter_name(memory), tensor
        else:
            yield from self.parts.cut(memory, tensor)

    def state(self, adamw: torch.optim.Optimizer, *, updates: int) -> State:
        """Return everything that a checkpoint holds.

        Args:
            adamw: The optimizer, bare of wrappers.
            updates: Updates that it has made.
        """
        moments: dict[str, Tensor] = {}
        for memory, parameter in self.trained:
            held = adamw.state.get(parameter, {})
            for which in ("exp_avg", "exp_avg_sq"):
                moment = held[which] if which in held else torch.zeros_like(parameter)
                for name, view in self.cut(memory, moment.detach()):
                    moments[f"{which}/{name}"] = view
        has_adapter = self._job.adapter is not None
        return State(
            weights=merged(self.network, self.parts) if has_adapter else arrays(self.parts.views()),
            config=self._job.structure.config(),
            moments=arrays(iter(moments.items())),
            updates=updates,
            adapter=arrays(iter(factors(self.network).items())) if has_adapter else None,
        )


def hold(
    job: Job, made: Made, *, base: Path, device: torch.device, resumed: Checkpoint | None
) -> Held:
    """Return the job's network with the weights that it goes on from.

    Args:
        job: What is trained.
        made: Its network, weights arbitrary.
        base: The job file's folder.
        device: Where to.
        resumed: The checkpoint to go on from; none for the start weights.

    Raises:
        WeightsError: The start weights cannot be read.
        RecordError: They are not those of the job's structure.
        RecipeError: What is to be trained names nothing.
    """
    network = made.network
    parts = Parts(network, job.structure, plain=made.plain)
    begun = resumed is not None and job.adapter is None
    # With an adapter, checkpoints hold merged weights; its base is the start, always.
    load(parts, resumed.weights if begun and resumed else open_source(base / job.start))
    if job.adapter is not None:
        network = attach(network, job.adapter)
        if resumed is not None and resumed.adapter is not None:
            for name, factor in factors(network).items():
                factor.copy_(torch.from_numpy(resumed.adapter.read(name)))
    network = network.to(device)
    parts = Parts(network, job.structure, plain=made.plain)  # moving may have made new tensors
    return Held(job, network, parts, choose_trainable(network, parts, job))
