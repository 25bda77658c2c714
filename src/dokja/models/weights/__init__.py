"""Opens weights without running anything: safetensors and GGUF, in folders and at addresses.

Every header is checked before anything is allocated; pickles are refused by name and by
content. What comes out are arrays of float32, the configuration and the tokenizer's tokens, with
an account of the bytes that were read for them.
"""

from dokja.models.weights.access import Access
from dokja.models.weights.adapted import Laid, lay_onto
from dokja.models.weights.adapters import Adapter, open_adapter
from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.notices import Notice, notices
from dokja.models.weights.origins import Origin, origin_of
from dokja.models.weights.ranges import RangeAccount, RangeRead
from dokja.models.weights.sources import Source, open_source

__all__ = [
    "Access",
    "Adapter",
    "Laid",
    "Notice",
    "Origin",
    "RangeAccount",
    "RangeRead",
    "Source",
    "TensorInfo",
    "lay_onto",
    "notices",
    "open_adapter",
    "open_source",
    "origin_of",
]
