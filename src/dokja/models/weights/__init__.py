"""Opens weights without running anything: safetensors, one file or sharded.

Every header is checked before anything is allocated; pickles are refused by name and by
content. What comes out are arrays of float32, the configuration and the tokenizer's tokens.
"""

from dokja.models.weights.headers import TensorInfo
from dokja.models.weights.sources import Source, open_source

__all__ = ["Source", "TensorInfo", "open_source"]
