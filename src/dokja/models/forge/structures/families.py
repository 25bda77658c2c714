"""The table of families. The next family is one module beside these, and one line here.

A family's module holds one `FAMILY`: its signature, its tensors, its configuration and back.
`tests/forge/test_structures_against_transformers.py` holds it against what transformers writes.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dokja.models.forge.structures import gpt2, latent_moe, llama, mixtral, peri
from dokja.models.forge.structures.family import Family

__all__ = ["FAMILIES"]

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            llama.FAMILY,
            peri.FAMILY,
            gpt2.FAMILY,
            mixtral.FAMILY,
            latent_moe.FAMILY,
        )
    }
)
"""Every family that the forge can build, by the name that recipes write."""
