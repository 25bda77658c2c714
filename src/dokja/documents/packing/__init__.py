"""Packs texts into shards of tokens that a run reads, with a manifest that says what they are.

A corpus is a folder: shards of raw little-endian token ids without a header, the documents'
offsets, and `manifest.json`. The texts may stay private; the digests of what was made of them
do not. A folder is there as a whole or not at all.
"""

from dokja.documents.packing.manifest import CorpusFacts, Manifest, Shard
from dokja.documents.packing.reading import Corpus, open_corpus
from dokja.documents.packing.writing import write_corpus

__all__ = [
    "Corpus",
    "CorpusFacts",
    "Manifest",
    "Shard",
    "open_corpus",
    "write_corpus",
]
