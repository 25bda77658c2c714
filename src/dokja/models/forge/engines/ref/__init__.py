"""The reference engine: numpy only, an independent second implementation for replay.

It trains and replays `llama` and `peri` in fp32 on a CPU. What it does not do it refuses, with
every reason: adapters, bf16, other families. Its arithmetic is written from the published
definitions, so that two engines that agree did not make the same mistake.
"""

from dokja.models.forge.engines.contract import Capabilities, Capability, WorkerEngine
from dokja.models.forge.engines.ref.forward import logits, mean_loss, sequence_losses
from dokja.models.forge.engines.ref.memory import keep_freed_memory
from dokja.models.forge.engines.ref.network import FAMILIES
from dokja.models.forge.engines.ref.teaching import Teaching, open_teaching
from dokja.models.forge.engines.ref.training import Batches, Measured, Replayed, Training, replay

__all__ = [
    "ENGINE",
    "Batches",
    "Measured",
    "Replayed",
    "Teaching",
    "Training",
    "keep_freed_memory",
    "logits",
    "mean_loss",
    "open_teaching",
    "replay",
    "sequence_losses",
]

_MISSING = {
    Capability.PROCESSES: "it is one process",
    Capability.ADAPTERS: "it trains whole tensors only",
    Capability.BF16: "numpy computes in float32",
}

ENGINE = WorkerEngine(
    name="ref",
    module="dokja.models.forge.engines.ref",
    capabilities=Capabilities(
        families=FAMILIES, offers=frozenset(Capability) - _MISSING.keys(), missing=_MISSING
    ),
)
"""The engine as plans name it."""
