"""What a network is before it has weights: a family and its sizes.

Where the next family goes: a module here with one `FAMILY`, and one line in `families`.

| family | as | trained by |
|---|---|---|
| `llama` | `LlamaForCausalLM` | ref, hf, olmo |
| `peri` | our own block, `dokja-peri` | ref, hf |
| `gpt2` | `GPT2LMHeadModel` | hf |
| `mixtral` | `MixtralForCausalLM` | hf |
| `latent-moe` | `DeepseekV3ForCausalLM` | hf |
"""

from dokja.models.forge.structures.families import FAMILIES
from dokja.models.forge.structures.family import Family
from dokja.models.forge.structures.signatures import BlockSignature
from dokja.models.forge.structures.structure import Structure

__all__ = ["FAMILIES", "BlockSignature", "Family", "Structure"]
