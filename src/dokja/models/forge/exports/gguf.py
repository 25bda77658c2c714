"""Writes a `llama` as GGUF, and reads it back.

The file is written tensor by tensor through the `gguf` package, which also quantises and reads;
no llama.cpp is built. Gains stay float32, as llama.cpp wants them; matrices are float16, or blocks
of 32 values with one float16 scale (Q8_0, Q4_0) where a row is a whole number of blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, TransformError
from dokja.models.forge.exports.gguf_layout import (
    gguf_names,
    known_to_llama_cpp,
    permuted,
    rotated_heads,
    unpermuted,
)
from dokja.models.forge.exports.gguf_vocabulary import GgufVocabulary, gguf_vocabulary
from dokja.models.forge.exports.parents import Parent
from dokja.models.forge.extras import need
from dokja.models.forge.structures import Structure
from dokja.models.forge.transforms import Tensors
from dokja.models.weights.roots import TensorDigest, array_digest, root, root_text

__all__ = ["METHODS", "GgufFile", "cast_root", "read_gguf", "write_gguf"]

METHODS: Mapping[str, str] = MappingProxyType({"f16": "F16", "q8_0": "Q8_0", "q4_0": "Q4_0"})
"""The name that the `gguf` package gives each method's type."""

_FILE_TYPES = {"f16": 1, "q4_0": 2, "q8_0": 7}  # llama.cpp's numbers of mostly such files
_ARCHITECTURE = "llama"


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """A GGUF file that was read back.

    Attributes:
        weights: float32, by Hugging Face's names, rows in Hugging Face's order.
        types: The type in the file of each, such as `Q8_0`.
        facts: Its keys and values, arrays left out.
    """

    weights: Mapping[str, NDArray[np.float32]]
    types: Mapping[str, str]
    facts: Mapping[str, Any]


def write_gguf(parent: Parent, file: Path, *, method: str, texts: tuple[str, ...]) -> list[str]:
    """Write a model as GGUF.

    Args:
        parent: The model.
        file: Where; whoever calls gives it its name once it is whole.
        method: A key of `METHODS`.
        texts: On which another cut of texts must give equal ids.

    Returns:
        What somebody who runs the file must know.

    Raises:
        ExtraMissingError: The extra `export` is not installed.
        TransformError: llama.cpp knows no such structure or no such cut of texts, or a value is
            no number or none of float16.
    """
    known_to_llama_cpp(parent.structure, file=str(parent.folder))
    gguf = need("gguf", extra="export")
    vocabulary = gguf_vocabulary(
        parent.tokenizer, rows=parent.structure.vocabulary, texts=texts, file=str(parent.folder)
    )
    writer = gguf.GGUFWriter(None, _ARCHITECTURE)
    _describe(writer, parent, method=method)
    _add_vocabulary(writer, vocabulary)
    names = gguf_names(parent.structure)
    left = []
    for ours, theirs in names.items():
        kind = _kind(gguf, parent.structure.shapes()[ours], METHODS[method])
        left += [ours] if kind.name == "F16" and method != "f16" else []
        _announce(gguf, writer, theirs, shape=parent.structure.shapes()[ours], kind=kind)
    try:
        writer.write_header_to_file(file)
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for ours in names:
            kind = _kind(gguf, parent.structure.shapes()[ours], METHODS[method])
            writer.write_tensor_data(_stored(gguf, parent, ours, kind=kind))
    finally:
        writer.close()
    rows = (
        [f"{len(left)} matrices stayed F16: their rows are no whole blocks of 32"] if left else []
    )
    return [*vocabulary.notes, *rows]


def read_gguf(file: Path, structure: Structure) -> GgufFile:
    """Read a file that `write_gguf` wrote.

    Args:
        file: The file.
        structure: Of the model that it was made from.

    Raises:
        ExtraMissingError: The extra `export` is not installed.
        TransformError: It holds other tensors than the structure's.
    """
    gguf = need("gguf", extra="export")
    try:
        reader = gguf.GGUFReader(file)
        found = {one.name: one for one in reader.tensors}
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise TransformError([_other(file, f"no GGUF file: {error}", "a GGUF file")]) from error
    names = gguf_names(structure)
    wrong = sorted(set(names.values()) ^ found.keys())
    if wrong:
        raise TransformError([_other(file, f"other tensors, {wrong[0]} among them", "a llama's")])
    weights, shapes = {}, structure.shapes()
    for ours, theirs in names.items():
        tensor = found[theirs]
        values = gguf.quants.dequantize(np.asarray(tensor.data), tensor.tensor_type)
        if values.size != int(np.prod(shapes[ours])):
            raise TransformError([_other(file, f"{theirs} of {values.shape}", f"{shapes[ours]}")])
        values = values.reshape(shapes[ours])
        heads = rotated_heads(structure, ours)
        weights[ours] = np.array(values if heads is None else unpermuted(values, heads))
    return GgufFile(
        weights=weights,
        types={ours: found[theirs].tensor_type.name for ours, theirs in names.items()},
        facts={
            key: one.contents()
            for key, one in reader.fields.items()
            if one.types and one.types[0].name != "ARRAY" and not key.startswith("GGUF.")
        },
    )


def cast_root(tensors: Tensors | Mapping[str, NDArray[Any]], names: tuple[str, ...]) -> str:
    """Return the root of tensors that are rounded to float16 first.

    A GGUF file of the method `f16`, read back, has the root that its parent has after this cast.

    Example:
        >>> ones = {"w": np.ones(2, dtype=np.float32)}
        >>> cast_root(ones, ("w",)) == root_text(root([array_digest("w", np.ones(2, np.float16))]))
        True
    """

    def digest(name: str) -> TensorDigest:
        values = tensors[name] if isinstance(tensors, Mapping) else tensors.read(name)
        with np.errstate(over="ignore"):  # beyond float16: an infinity, which is another root
            return array_digest(name, values.astype(np.float16))

    return root_text(root(map(digest, names)))


def _describe(writer: Any, parent: Parent, *, method: str) -> None:
    structure = parent.structure
    writer.add_name(parent.component)
    writer.add_file_type(_FILE_TYPES[method])
    writer.add_quantization_version(2)
    writer.add_string("dokja.parent_root", parent.root)
    writer.add_context_length(structure.positions)
    writer.add_embedding_length(structure.width)
    writer.add_block_count(structure.layers)
    writer.add_feed_forward_length(structure.ffn)
    writer.add_head_count(structure.heads)
    writer.add_head_count_kv(structure.kv_heads)
    writer.add_key_length(structure.head_width)
    writer.add_value_length(structure.head_width)
    writer.add_layer_norm_rms_eps(structure.epsilon)
    writer.add_rope_dimension_count(structure.head_width)
    writer.add_rope_freq_base(structure.rope_theta)
    writer.add_vocab_size(structure.vocabulary)


def _add_vocabulary(writer: Any, vocabulary: GgufVocabulary) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(vocabulary.pre)
    writer.add_token_list(list(vocabulary.tokens))
    writer.add_token_types(list(vocabulary.types))
    writer.add_token_merges(list(vocabulary.merges))
    if vocabulary.end is not None:
        writer.add_eos_token_id(vocabulary.end)
        writer.add_bos_token_id(vocabulary.end)
    writer.add_add_bos_token(False)  # noqa: FBT003  # the package's own word
    writer.add_add_eos_token(False)  # noqa: FBT003  # likewise


def _kind(gguf: ModuleType, shape: tuple[int, ...], wanted: str) -> Any:
    """Return the type of a tensor in the file."""
    kinds = gguf.GGMLQuantizationType
    if len(shape) < 2:  # noqa: PLR2004  # gains are vectors, matrices have two axes
        return kinds.F32
    block, _ = gguf.GGML_QUANT_SIZES[kinds[wanted]]
    return kinds[wanted] if shape[-1] % block == 0 else kinds.F16


def _announce(
    gguf: ModuleType, writer: Any, name: str, *, shape: tuple[int, ...], kind: Any
) -> None:
    if kind.name in {"F32", "F16"}:
        dtype = np.dtype(np.float32 if kind.name == "F32" else np.float16)
        writer.add_tensor_info(name, shape, dtype, int(np.prod(shape)) * dtype.itemsize)
        return
    stored = gguf.quants.quant_shape_to_byte_shape(shape, kind)
    size = int(np.prod(stored))
    writer.add_tensor_info(name, stored, np.dtype(np.uint8), size, raw_dtype=kind)


def _stored(gguf: ModuleType, parent: Parent, name: str, *, kind: Any) -> NDArray[Any]:
    """Return a tensor as its bytes go into the file."""
    values = parent.source.read(name)
    heads = rotated_heads(parent.structure, name)
    if heads is not None:
        values = permuted(values, heads)
    if not np.abs(values).max(initial=0.0) <= np.finfo(np.float16).max:  # catches what is no number
        read = "a value that is no number, or none that float16 holds"
        wrong = Mistake(
            file=str(parent.folder), place=f"tensor {name}", read=read, expected="numbers to 65504"
        )
        raise TransformError([wrong])
    stored: NDArray[Any] = gguf.quants.quantize(np.ascontiguousarray(values), kind)
    return stored


def _other(file: Path, read: str, expected: str) -> Mistake:
    return Mistake(file=str(file), place="", read=read, expected=expected)
