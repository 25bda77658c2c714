"""Opens a Hugging Face folder for the embedded runtime, or says all that stands against it.

Everything comes through `models.weights`, so that nothing in the folder is executed: classes and
code that a configuration names are refused, never looked for.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.serving.architecture import Architecture, architecture_of, end_tokens
from dokja.models.serving.embedded import EmbeddedModel
from dokja.models.serving.network import LayerWeights, Network, Weights
from dokja.models.serving.responders import not_servable
from dokja.models.serving.tokenizer_files import read_tokenizer
from dokja.models.serving.tokenizing import Tokenizer
from dokja.models.weights import Source, open_source
from dokja.models.weights.files import find_file
from dokja.models.weights.sidecars import read_object

__all__ = ["open_model"]

_MAX_TOKENIZER_BYTES = 100_000_000
_MAX_GENERATION_BYTES = 1_000_000
_FLOAT_BYTES = 4

# Tensors that some folders hold and that are computed from the configuration alone.
_DERIVED = ("rotary_emb.inv_freq",)


def open_model(folder: Path, *, memory_bytes: int = 1 << 30) -> EmbeddedModel:
    """Open a Llama-like Hugging Face folder so that it can answer.

    Args:
        folder: With `config.json`, `tokenizer.json` and safetensors; `generation_config.json`
            may name the end marks.
        memory_bytes: The most that the weights may take, and again the most for a batch.

    Raises:
        WeightsError: A file is damaged, hostile or missing.
        NotServableError: The model asks for what the runtime does not do, or is too large;
            everything that stands against it is named at once.
    """
    source = open_source(folder)
    papers = _papers(folder, source)
    of_config: list[str] = []
    of_tokenizer: list[str] = []
    of_ends: list[str] = []
    architecture = architecture_of(papers["config.json"], of_config)
    tokenizer = read_tokenizer(papers["tokenizer.json"], of_tokenizer)
    ends = end_tokens(papers["config.json"], papers["generation_config.json"], of_ends)
    if architecture is not None and tokenizer is not None:
        of_tokenizer += _row_mistakes(tokenizer, architecture)
    reasons = [
        *(f"config.json, {reason}" for reason in of_config),
        *(f"tokenizer.json, {reason}" for reason in of_tokenizer),
        *(f"generation_config.json, {reason}" for reason in of_ends),
    ]
    if architecture is not None:
        reasons += _tensor_mistakes(source, architecture, memory_bytes=memory_bytes)
    if reasons or architecture is None or tokenizer is None:
        raise not_servable(str(folder), reasons=reasons)
    return EmbeddedModel(
        source,
        architecture=architecture,
        network=Network(architecture, weights=_weights(source, architecture, folder=folder)),
        tokenizer=tokenizer,
        ends=ends,
        unserved=tuple(name for name in source.names if name not in architecture.shapes()),
        memory_bytes=memory_bytes,
    )


def _papers(folder: Path, source: Source) -> dict[str, Mapping[str, Any]]:
    """Return the three papers as objects; the generation's own may be missing."""
    mistakes: list[Mistake] = []
    found: dict[str, Mapping[str, Any]] = {"generation_config.json": {}}
    if source.config is None:
        mistakes.append(_missing(folder / "config.json"))
    else:
        found["config.json"] = source.config
    for name, at_most in (
        ("tokenizer.json", _MAX_TOKENIZER_BYTES),
        ("generation_config.json", _MAX_GENERATION_BYTES),
    ):
        path = folder / name
        if not path.exists() and not path.is_symlink():
            if name not in found:
                mistakes.append(_missing(path))
            continue
        file = find_file(path, inside=folder.resolve(), shown=str(path))
        paper = file if isinstance(file, Mistake) else read_object(file, at_most=at_most)
        if isinstance(paper, Mistake):
            mistakes.append(paper)
        else:
            found[name] = paper
    if mistakes:
        raise WeightsError(mistakes)
    return found


def _missing(path: Path) -> Mistake:
    return Mistake(
        file=str(path), place="", read="nothing", expected="a file: without it no text can be read"
    )


def _row_mistakes(tokenizer: Tokenizer, architecture: Architecture) -> Iterator[str]:
    ids = {*tokenizer.tokens, *tokenizer.before, *tokenizer.after}
    beyond = sorted(token for token in ids if token >= architecture.vocabulary)
    if beyond:
        yield (
            f"vocabulary: read {len(beyond)} ids from {beyond[0]} on; "
            f"expected ids below {architecture.vocabulary}, the rows of the embedding"
        )


def _tensor_mistakes(
    source: Source, architecture: Architecture, *, memory_bytes: int
) -> Iterator[str]:
    """Find where the tensors' own headers contradict the configuration."""
    # The headers say how many layers there are; a claim of thousands more is one mistake.
    shapes = architecture.shapes()
    there = set(source.names)
    missing = sorted(set(shapes) - there)
    if missing:
        yield f"weights: {len(missing)} tensors are missing, among them {missing[0]}"
    for name in sorted(set(shapes) & there):
        if source.info(name).shape != shapes[name]:
            yield (
                f"weights, {name}: read the shape {list(source.info(name).shape)}; "
                f"expected {list(shapes[name])}"
            )
    for name in sorted(there - set(shapes)):
        if name.startswith(("model.", "lm_head")) and not name.endswith(_DERIVED):
            yield f"weights, {name:.200}: read a tensor that a plain Llama body does not have"
    needed = _FLOAT_BYTES * sum(
        source.info(name).parameters for name in sorted(set(shapes) & there)
    )
    if needed > memory_bytes:
        yield f"weights: need {needed} bytes in float32; allowed are {memory_bytes}"


def _weights(source: Source, architecture: Architecture, *, folder: Path) -> Weights:
    broken: list[str] = []

    def read(name: str) -> NDArray[np.float32]:
        values = source.read(name)
        if not np.isfinite(values).all():
            broken.append(f"weights, {name}: holds NaN or infinities; expected numbers")
        return values

    def joined(*names: str) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.concatenate([read(f"{n}.weight") for n in names]).T)

    embedding = read("model.embed_tokens.weight")
    layers = []
    for number in range(architecture.layers):
        attention = f"model.layers.{number}.self_attn"
        mlp = f"model.layers.{number}.mlp"
        layers.append(
            LayerWeights(
                attention_gain=read(f"model.layers.{number}.input_layernorm.weight"),
                qkv=joined(*(f"{attention}.{part}_proj" for part in "qkv")),
                out=joined(f"{attention}.o_proj"),
                ffn_gain=read(f"model.layers.{number}.post_attention_layernorm.weight"),
                gate_up=joined(f"{mlp}.gate_proj", f"{mlp}.up_proj"),
                down=joined(f"{mlp}.down_proj"),
            )
        )
    gain = read("model.norm.weight")
    head = embedding if architecture.tied else read("lm_head.weight")
    if broken:
        raise not_servable(str(folder), reasons=broken)
    return Weights(embedding=embedding, layers=tuple(layers), gain=gain, head=head.T)
