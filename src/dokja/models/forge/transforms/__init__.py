"""What can be done to weights without training them, and the record of it.

| do | what it does | function kept |
|---|---|---|
| `dus` | repeats layers by a map | no |
| `zero-blocks` | inserts layers that write nothing | bit by bit |
| `drop-layers` | leaves layers out | no |
| `prune-neurons`, `prune-heads` | leaves neurons or heads out | no |
| `grow` | repeats channels, heads or neurons | yes, rounding |
| `merge` | linear, slerp, TIES, DARE | no |
| `merge-adapter` | adds a low-rank adapter to its base | the adapted one's |
| `vocabulary` | keeps, adds and re-makes rows | of kept rows |
| `replace-embeddings` | other embeddings, other head | no |
| `transplant` | a component of another model | no |
| `upcycle` | a dense network becomes one of experts | yes, unless perturbed |
| `quantise` | fewer bits | nearly |
| `noise` | adds noise | no |

Every transform is a pure function from tensors and parameters to tensors that are made when they
are read, so that a model of any size passes in flat memory. Re-parameterisations that hide where
weights come from are in `laundering`.
"""

from dokja.models.forge.transforms.lora import (
    AdapterTerms,
    adapter_config,
    adapter_terms,
    make_adapter,
    merge_adapter,
    write_adapter,
)
from dokja.models.forge.transforms.quantise import restore
from dokja.models.forge.transforms.records import Model, Transformed, TransformRecord
from dokja.models.forge.transforms.registry import TRANSFORMS, TransformSpec, apply, check_step
from dokja.models.forge.transforms.tensors import (
    ArrayTensors,
    Derived,
    SourceTensors,
    Tensors,
    items,
)
from dokja.models.forge.transforms.writing import write_folder, write_tensors

__all__ = [
    "TRANSFORMS",
    "AdapterTerms",
    "ArrayTensors",
    "Derived",
    "Model",
    "SourceTensors",
    "Tensors",
    "TransformRecord",
    "TransformSpec",
    "Transformed",
    "adapter_config",
    "adapter_terms",
    "apply",
    "check_step",
    "items",
    "make_adapter",
    "merge_adapter",
    "restore",
    "write_adapter",
    "write_folder",
    "write_tensors",
]
