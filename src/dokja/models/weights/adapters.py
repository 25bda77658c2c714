"""Low-rank adapters as peft stores them: two thin factors for each matrix that they change.

What an adapter says is what it adds: scale times B A. Whoever wants the sum adds it to the base
that they mean. Adapters that do more than add (DoRA), or whose terms are no plain numbers and
names, are refused with what is missing, and never read as if they only added.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dokja.errors import Mistake, WeightsError
from dokja.models.weights.access import Access
from dokja.models.weights.headers import shown
from dokja.models.weights.ranges import RangeAccount
from dokja.models.weights.sources import Source, open_source

__all__ = ["Adapter", "open_adapter"]

_FACTOR = re.compile(
    r"(?:base_model\.model\.)?(.+)\.lora_(embedding_)?([AB])(?:\.default)?(?:\.weight)?"
)
_PLAIN_NAME = re.compile(r"[\w.]+")
_MATRIX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """The factors of one matrix, by their tensors' names, and what multiplies their product."""

    first: str
    second: str
    scale: float
    shape: tuple[int, int]
    turned: bool


class Adapter:
    """An opened adapter; made by `open_adapter`.

    Attributes:
        source: The factors themselves, and whatever else the adapter's file holds.
        config: `adapter_config.json`. A claim, not a fact.
        targets: The names of the base's matrices that it changes, sorted.
        others: Tensors of the file that are no factors: whole modules, biases.
    """

    def __init__(self, source: Source, targets: Mapping[str, _Target]) -> None:
        self.source = source
        self.config: Mapping[str, Any] = source.config or MappingProxyType({})
        self._targets = targets
        self.targets = tuple(sorted(targets))
        used = {name for one in targets.values() for name in (one.first, one.second)}
        self.others = tuple(name for name in source.names if name not in used)

    def names(self, target: str) -> tuple[str, str]:
        """Return the names of the tensors that hold A and B.

        Raises:
            KeyError: The adapter does not change it.
        """
        return self._targets[target].first, self._targets[target].second

    def turned(self, target: str) -> bool:
        """Tell whether the base's matrix is the product turned: its rows are inputs.

        Raises:
            KeyError: The adapter does not change it.
        """
        return self._targets[target].turned

    def shape(self, target: str) -> tuple[int, int]:
        """Return the shape that the base's matrix must have.

        Raises:
            KeyError: The adapter does not change it.
        """
        return self._targets[target].shape

    def scale(self, target: str) -> float:
        """Return what the product of the factors is multiplied by.

        Raises:
            KeyError: The adapter does not change this matrix.
        """
        return self._targets[target].scale

    def factors(self, target: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return A, shape `(rank, inputs)`, and B, shape `(outputs, rank)`.

        Raises:
            KeyError: The adapter does not change this matrix.
            WeightsError: The file changed since it was checked.
        """
        found = self._targets[target]
        return self.source.read(found.first), self.source.read(found.second)

    def change(self, target: str) -> NDArray[np.float32]:
        """Return what is added to a matrix of the base, in its shape.

        Raises:
            KeyError: The adapter does not change this matrix.
            WeightsError: The file changed since it was checked.
        """
        found = self._targets[target]
        first, second = self.factors(target)
        added = np.float32(found.scale) * (second @ first)
        return added.T if found.turned else added


def open_adapter(
    where: Path | str, *, access: Access | None = None, account: RangeAccount | None = None
) -> Adapter:
    """Open an adapter's folder, or the address of its `adapter_model.safetensors`.

    Args:
        where: The folder or address; `adapter_config.json` lies beside the weights.
        access: What may be asked of the network; of use for addresses only.
        account: Where every range that is read is noted.

    Raises:
        WeightsError: A file is damaged or hostile, factors do not fit each other, or the
            adapter does more than add a product of two factors.

    Example:
        >>> import json
        >>> from tempfile import TemporaryDirectory
        >>> from safetensors.numpy import save_file
        >>> a, b = np.ones((1, 2), dtype=np.float32), np.ones((3, 1), dtype=np.float32)
        >>> with TemporaryDirectory() as folder:
        ...     factors = {"q.lora_A.weight": a, "q.lora_B.weight": b}
        ...     save_file(factors, Path(folder) / "adapter_model.safetensors")
        ...     said = json.dumps({"peft_type": "LORA", "r": 1, "lora_alpha": 2})
        ...     _ = (Path(folder) / "adapter_config.json").write_text(said)
        ...     adapter = open_adapter(folder)
        ...     (adapter.targets, adapter.change("q.weight")[0].tolist())
        (('q.weight',), [2.0, 2.0])
    """
    source = open_source(where, access=access, account=account)
    config = source.config or {}
    file = str(where)
    mistakes = list(_config_mistakes(config, file))
    pairs: dict[str, dict[str, str]] = {}
    for name in source.names:
        if (match := _FACTOR.fullmatch(name)) is not None:
            part = f"{match[2] or ''}{match[3]}"
            pairs.setdefault(match[1], {})[part] = name
    if not pairs:
        mistakes.append(
            Mistake(file=file, place="", read="no factors", expected="pairs of lora_A and lora_B")
        )
    targets: dict[str, _Target] = {}
    for module, halves in pairs.items():
        shapes = {part: source.info(name).shape for part, name in halves.items()}
        if (fault := _fault(shapes)) is not None:
            mistakes.append(
                Mistake(
                    file=file,
                    place=f"module {shown(module)}",
                    read=fault,
                    expected="lora_A of shape (rank, inputs) and lora_B of (outputs, rank)",
                )
            )
        elif not mistakes:
            targets[f"{module}.weight"] = _target(module, halves, shapes, config=config)
    if mistakes:
        raise WeightsError(mistakes[:100])
    return Adapter(source, targets)


def _fault(shapes: Mapping[str, tuple[int, ...]]) -> str | None:
    parts = set(shapes)
    if parts not in ({"A", "B"}, {"embedding_A", "embedding_B"}):
        return f"only {', '.join(sorted(parts))}" if len(parts) < _MATRIX else ", ".join(parts)
    first, second = (shapes[part] for part in sorted(parts))
    if len(first) != _MATRIX or len(second) != _MATRIX or first[0] != second[1] or not first[0]:
        return f"factors of shapes {list(first)} and {list(second)}"
    return None


def _target(
    module: str,
    halves: Mapping[str, str],
    shapes: Mapping[str, tuple[int, ...]],
    *,
    config: Mapping[str, Any],
) -> _Target:
    first, second = (shapes[part] for part in sorted(halves))
    rank = first[0]
    patterns = config.get("alpha_pattern") or {}
    alpha = next(
        (
            value
            for name, value in patterns.items()
            if module == name or module.endswith(f".{name}")
        ),
        config["lora_alpha"],
    )
    over = math.sqrt(rank) if config.get("use_rslora") else rank
    turned = "embedding_A" in halves or bool(config.get("fan_in_fan_out"))
    outputs, inputs = second[0], first[1]
    names = [halves[part] for part in sorted(halves)]
    return _Target(
        first=names[0],
        second=names[1],
        scale=float(alpha) / over,
        shape=(inputs, outputs) if turned else (outputs, inputs),
        turned=turned,
    )


def _config_mistakes(config: Mapping[str, Any], file: str) -> Iterator[Mistake]:
    place = "adapter_config.json"
    plain = {"peft_type": ("LORA",), "use_dora": (False, None), "use_rslora": (False, True, None)}
    for key, allowed in plain.items():
        if config.get(key) not in allowed:
            yield Mistake(
                file=file,
                place=f"{place}, {key}",
                read=shown(config.get(key)),
                expected=" or ".join(map(repr, allowed)),
                remedy="Merge it into its base with the library that made it, and read the sum.",
            )
    if not _is_positive(config.get("lora_alpha")):
        yield Mistake(
            file=file,
            place=f"{place}, lora_alpha",
            read=shown(config.get("lora_alpha")),
            expected="a positive number",
        )
    patterns = config.get("alpha_pattern") or {}
    if not isinstance(patterns, dict) or not all(
        # A pattern is a regular expression to peft; one that is not a plain name is not run here.
        _PLAIN_NAME.fullmatch(name) and _is_positive(value)
        for name, value in patterns.items()
    ):
        yield Mistake(
            file=file,
            place=f"{place}, alpha_pattern",
            read=shown(patterns),
            expected="positive numbers by plain names of modules",
        )


def _is_positive(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9  # noqa: PLR2004  # beyond any that is used
    )
