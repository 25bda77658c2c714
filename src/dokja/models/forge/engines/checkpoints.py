"""Checkpoints of a run: everything that is needed to go on, as safetensors and JSON.

A checkpoint is one folder, `step-00000050`, made whole or not at all: written under a name that
begins with a dot, brought to the disk, then renamed. Nothing in it is pickled, and any engine
can go on from any other's: weights and both moments are float32 under the same names.
"""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, RecordError, WeightsError
from dokja.models.forge.engines.tensors import SHARD_BYTES, sync_folder, write_bytes, write_shards
from dokja.models.weights import Source, open_source
from dokja.values import Json, parse_json, shown

__all__ = [
    "Checkpoint",
    "CheckpointState",
    "FoundCheckpoints",
    "checkpoint_name",
    "find_checkpoints",
    "open_checkpoint",
    "relative_folder",
    "remove_unfinished",
    "write_adapter",
    "write_checkpoint",
    "write_weights",
]

STATE_SCHEMA = "dokja.state/1"

_PARTS = ("weights", "state/optimizer.safetensors")
_ADAPTER = "state/adapter.safetensors"
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointState:
    """Where a run stands.

    Attributes:
        step: Steps done.
        tokens: Tokens seen.
        cursor: The next instance of the data order.
        optimizer: Kind of the optimizer, such as `adamw`.
        updates: Updates that the optimizer has made; its t.
        engine: Which engine wrote it.
        precision: `fp32` or `bf16`; the tensors are float32 either way.
    """

    step: int
    tokens: int
    cursor: int
    optimizer: str
    updates: int
    engine: str
    precision: str

    def to_json(self) -> dict[str, Json]:
        """Return it as `state.json` holds it."""
        return {
            "schema": STATE_SCHEMA,
            "step": self.step,
            "tokens": self.tokens,
            "cursor": self.cursor,
            "optimizer": {"kind": self.optimizer, "t": self.updates},
            "engine": self.engine,
            "precision": self.precision,
        }


class Checkpoint:
    """An opened checkpoint: its headers and its state were checked, its tensors are read on call.

    Attributes:
        path: Its folder.
        state: Where the run stood.
        weights: Its weights, by name; with an adapter, those into which it was merged.
        adapter: The adapter's factors; None where none is trained.
    """

    def __init__(
        self,
        *,
        path: Path,
        state: CheckpointState,
        weights: Source,
        moments: Source,
        adapter: Source | None = None,
    ) -> None:
        self.path = path
        self.state = state
        self.weights = weights
        self.adapter = adapter
        self._moments = moments

    @property
    def config(self) -> Mapping[str, Any]:
        """The weights' `config.json`."""
        return self.weights.config or {}

    @property
    def trained(self) -> tuple[str, ...]:
        """The names of the tensors that the optimizer has moments of, sorted."""
        first = "exp_avg/"
        return tuple(n.removeprefix(first) for n in self._moments.names if n.startswith(first))

    @property
    def moments(self) -> Source:
        """The optimizer's tensors, as they lie on the disk."""
        return self._moments

    def moment(self, which: str, name: str) -> NDArray[np.float32]:
        """Return a moment of a tensor, in the tensor's shape.

        Args:
            which: `exp_avg` or `exp_avg_sq`.
            name: A name of `trained`.

        Raises:
            KeyError: There is none.
            WeightsError: The file changed since it was checked.
        """
        return self._moments.read(f"{which}/{name}")

    def random_state(self) -> NDArray[np.uint8] | None:
        """Return the generator's state that dropout needs; None when it was not kept."""
        if "rng/torch" not in self._moments.names:
            return None
        return self._moments.read("rng/torch").astype(np.uint8)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundCheckpoints:
    """What lies in a folder of checkpoints.

    Attributes:
        whole: Every checkpoint that can be gone on from, sorted by step.
        damaged: What is wrong with the others; unfinished ones are no mistake and not listed.
    """

    whole: tuple[Checkpoint, ...]
    damaged: tuple[Mistake, ...]

    @property
    def newest(self) -> Checkpoint | None:
        """The whole one with the most steps; None when there is none."""
        return self.whole[-1] if self.whole else None


def checkpoint_name(step: int) -> str:
    """Return the name of a checkpoint's folder.

    Example:
        >>> checkpoint_name(50)
        'step-00000050'
    """
    return f"step-{step:08d}"


def write_weights(
    folder: Path,
    tensors: Mapping[str, NDArray[Any]],
    *,
    config: Mapping[str, Json],
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write a Hugging Face folder of weights into an empty or new folder, and sync it.

    Args:
        folder: Where; the caller renames it once it is whole.
        tensors: By name, any dtype that safetensors knows.
        config: What `config.json` holds.
        shard_bytes: Above this many bytes the weights are split, with an index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_shards(folder, tensors, shard_bytes=shard_bytes)
    _write_json(folder / "config.json", config)
    sync_folder(folder)


def write_adapter(
    folder: Path, factors: Mapping[str, NDArray[np.float32]], *, config: Mapping[str, Json]
) -> None:
    """Write an adapter's folder as peft reads it, and sync it.

    Args:
        folder: An empty or new folder; the caller renames it once it is whole.
        factors: By name, such as `model.layers.0.self_attn.q_proj.lora_A.weight`.
        config: What `adapter_config.json` holds.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # In peft's names a wrapper stands around the model.
    named = {f"base_model.model.{name}": factor for name, factor in factors.items()}
    write_shards(folder, named, stem="adapter_model", shard_bytes=None)
    _write_json(folder / "adapter_config.json", config)
    sync_folder(folder)


def write_checkpoint(
    folder: Path,
    *,
    state: CheckpointState,
    weights: Mapping[str, NDArray[np.float32]],
    config: Mapping[str, Json],
    optimizer: Mapping[str, NDArray[Any]],
    adapter: Mapping[str, NDArray[np.float32]] | None = None,
) -> Path:
    """Write a checkpoint whole, or leave nothing that could be taken for one.

    Args:
        folder: The folder of all checkpoints.
        state: Where the run stands.
        weights: Every tensor of the model, float32.
        config: What the weights' `config.json` holds.
        optimizer: `exp_avg/<name>` and `exp_avg_sq/<name>` of every trained tensor, float32;
            `rng/torch`, uint8, where dropout needs it.
        adapter: The factors of a low-rank adapter, where that is what is trained: the moments
            are then theirs, and the weights are those into which it is merged.

    Returns:
        The checkpoint's folder.
    """
    target = folder / checkpoint_name(state.step)
    unfinished = folder / f".{target.name}.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    (unfinished / "state").mkdir(parents=True)
    write_weights(unfinished / "weights", weights, config=config)
    write_shards(unfinished / "state", optimizer, stem="optimizer", shard_bytes=None)
    if adapter is not None:
        write_shards(unfinished / "state", adapter, stem="adapter", shard_bytes=None)
    _write_json(unfinished / "state/state.json", state.to_json())
    sync_folder(unfinished / "state")
    sync_folder(unfinished)
    if target.exists():  # damaged, or else the run would have gone on from it
        damaged = folder / f".{target.name}.damaged"
        shutil.rmtree(damaged, ignore_errors=True)
        target.rename(damaged)
    unfinished.rename(target)
    sync_folder(folder)
    return target


def find_checkpoints(folder: Path) -> FoundCheckpoints:
    """Return the checkpoints of a run; none when the folder is not there."""
    whole: list[Checkpoint] = []
    damaged: list[Mistake] = []
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    for name in sorted(filter(_NAME.fullmatch, names), key=lambda name: int(name[5:])):
        try:
            whole.append(open_checkpoint(folder / name))
        except RecordError as error:
            damaged += error.mistakes
    return FoundCheckpoints(whole=tuple(whole), damaged=tuple(damaged))


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint after checking its state and every header.

    Raises:
        RecordError: A part is missing or damaged, or the parts do not fit each other; every
            mistake is in it.
    """
    mistakes: list[Mistake] = []
    sources: list[Source] = []
    parts = list(_PARTS)
    if (path / _ADAPTER).exists():
        parts.append(_ADAPTER)
    for part in parts:
        try:
            sources.append(open_source(path / part))
        except WeightsError as error:
            mistakes += [_inside(path, mistake) for mistake in error.mistakes]
    state = _read_state(path)
    if not isinstance(state, CheckpointState):
        raise RecordError([*mistakes, *state])
    if not mistakes:
        # With an adapter, it is the last that was opened, and it alone is trained.
        trained = sources[-1] if len(parts) > len(_PARTS) else sources[0]
        mistakes += _moment_mistakes(path, trained, sources[1])
    if mistakes:
        raise RecordError(mistakes)
    adapter = sources[-1] if len(parts) > len(_PARTS) else None
    return Checkpoint(
        path=path, state=state, weights=sources[0], moments=sources[1], adapter=adapter
    )


def _inside(path: Path, mistake: Mistake) -> Mistake:
    return Mistake(
        file=mistake.file.replace(str(path), path.name),  # the same wherever the run lies
        place=mistake.place,
        read=mistake.read,
        expected=mistake.expected,
        remedy=mistake.remedy,
    )


def _moment_mistakes(path: Path, weights: Source, moments: Source) -> Iterator[Mistake]:
    """Find moments without a tensor, of another shape, or without their twin."""
    file = f"{path.name}/state/optimizer.safetensors"
    known = set(weights.names)
    for stored in moments.names:
        which, _, name = stored.partition("/")
        if stored == "rng/torch":
            continue
        twin = {"exp_avg": "exp_avg_sq", "exp_avg_sq": "exp_avg"}.get(which, "")
        fits = name in known and weights.info(name).shape == moments.info(stored).shape
        if not fits or f"{twin}/{name}" not in moments.names:
            yield Mistake(
                file=file,
                place=f"tensor {shown(stored)}",
                read=f"shape {moments.info(stored).shape}",
                expected="exp_avg/ and exp_avg_sq/ of a tensor of the weights, of its shape",
            )


def _read_state(path: Path) -> CheckpointState | list[Mistake]:
    file = f"{path.name}/state/state.json"
    try:
        said = parse_json((path / "state/state.json").read_bytes())
    except OSError as error:
        read = f"nothing: {error.strerror}"
        return [Mistake(file=file, place="", read=read, expected="the state of the run")]
    except (ValueError, RecursionError) as error:
        return [Mistake(file=file, place="", read=str(error)[:200], expected="one JSON object")]
    optimizer = said.get("optimizer") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(optimizer, dict):
        expected = f"an object of schema {STATE_SCHEMA} with an optimizer"
        return [Mistake(file=file, place="", read=shown(repr(said)), expected=expected)]
    flat = {**said, "kind": optimizer.get("kind"), "t": optimizer.get("t")}
    mistakes = [
        Mistake(file=file, place=key, read=shown(repr(flat.get(key))), expected=expected)
        for key, expected, sound in _state_rules(path)
        if not sound(flat.get(key))
    ]
    if mistakes:
        return mistakes
    return CheckpointState(
        step=said["step"],
        tokens=said["tokens"],
        cursor=said["cursor"],
        optimizer=optimizer["kind"],
        updates=optimizer["t"],
        engine=said["engine"],
        precision=said["precision"],
    )


def _state_rules(path: Path) -> list[tuple[str, str, Any]]:
    def whole(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53

    def text(value: object) -> bool:
        return isinstance(value, str) and bool(value)

    named = _NAME.fullmatch(path.name)
    step = int(named[1]) if named else None
    return [
        ("schema", STATE_SCHEMA, lambda value: value == STATE_SCHEMA),
        (
            "step",
            "a whole number, the one in the folder's name",
            lambda value: whole(value) and value == (value if step is None else step),
        ),
        ("tokens", "a whole number from 0", whole),
        ("cursor", "a whole number from 0", whole),
        ("kind", "the optimizer's kind", text),
        ("t", "a whole number from 0", whole),
        ("engine", "the engine's name", text),
        ("precision", "fp32 or bf16", lambda value: value in {"fp32", "bf16"}),
    ]


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True, allow_nan=False)
    write_bytes(path, [text.encode() + b"\n"])


def remove_unfinished(folder: Path) -> None:
    """Remove what interrupted or replaced checkpoints left behind; whole ones stay."""
    for path in folder.glob(".step-*"):
        shutil.rmtree(path, ignore_errors=True)


def relative_folder(path: Path, *, base: Path) -> str:
    """Return a checkpoint's folder as events name it: relative, with forward slashes."""
    return Path(os.path.relpath(path, base)).as_posix()
