"""A model's components, each as layers of tensors by role.

What a team declares decides which tensors make up which component; where nothing is declared,
names decide. Tensors that no declared component claims are counted and named in the report:
an undeclared part must not go unseen.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from dokja.evidence.lineage.roles import Sort, TensorRole, component_role, tensor_role
from dokja.models.weights import Source, TensorInfo

__all__ = ["ComponentSpec", "ComponentTensors", "Inventory", "inventory"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentSpec:
    """A component as it is declared.

    Attributes:
        role: What it is for, such as `language-body` or `vision-encoder`.
        tensors: Prefixes of its tensors' names; of two that fit, the longer one counts.
    """

    role: str
    tensors: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentTensors:
    """A component's tensors by layer and role.

    Attributes:
        component: Its name.
        role: What it is for.
        layers: For each layer in order, its matrices by role.
        gains: For each layer in order, its normalisation gains by role.
        loose: Matrices outside of layers, by role.
        token_rows: Embedding and head, whose rows go with tokens, by role.
        names: All of its tensors.
        parameters: How many values they hold.
    """

    component: str
    role: str
    layers: tuple[Mapping[str, TensorInfo], ...] = ()
    gains: tuple[Mapping[str, TensorInfo], ...] = ()
    loose: Mapping[str, TensorInfo] = field(default_factory=dict)
    token_rows: Mapping[str, TensorInfo] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    parameters: int = 0

    @property
    def matrix_parameters(self) -> int:
        """How many values stand in matrices that start at random."""
        held = [*self.layers, self.loose]
        return sum(tensor.parameters for group in held for tensor in group.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a model consists of, from names and shapes alone.

    Attributes:
        components: In order of their names.
        unclaimed: Tensors that belong to no component.
        parameters: How many values the whole model holds.
    """

    components: tuple[ComponentTensors, ...]
    unclaimed: tuple[str, ...]
    parameters: int


def inventory(
    source: Source, *, components: Mapping[str, ComponentSpec] | None = None
) -> Inventory:
    """Return a model's components; nothing of their values is read.

    Args:
        source: The opened weights.
        components: Each component as declared; by tensor names where nothing is declared.
            Components without tensors, such as a tokenizer, are left out.
    """
    held: dict[str, list[TensorInfo]] = {}
    unclaimed: list[str] = []
    for name in source.names:
        owner = component_role(name) if components is None else _owner(name, components)
        if owner is None:
            unclaimed.append(name)
        else:
            held.setdefault(owner, []).append(source.info(name))
    return Inventory(
        components=tuple(
            _arranged(
                component,
                component if components is None else components[component].role,
                tensors,
            )
            for component, tensors in sorted(held.items())
        ),
        unclaimed=tuple(unclaimed),
        parameters=source.parameters,
    )


def _owner(name: str, components: Mapping[str, ComponentSpec]) -> str | None:
    fitting = [
        (len(prefix), component)
        for component, spec in components.items()
        for prefix in spec.tensors
        if name.startswith(prefix)
    ]
    return max(fitting)[1] if fitting else None


def _arranged(component: str, role: str, tensors: list[TensorInfo]) -> ComponentTensors:
    places = {tensor.name: tensor_role(tensor.name, axes=len(tensor.shape)) for tensor in tensors}
    depth = sorted({_layer_key(place) for place in places.values() if place.layer is not None})
    number = {key: i for i, key in enumerate(depth)}
    matrices: list[dict[str, TensorInfo]] = [{} for _ in depth]
    gains: list[dict[str, TensorInfo]] = [{} for _ in depth]
    loose: dict[str, TensorInfo] = {}
    token_rows: dict[str, TensorInfo] = {}
    # Two tensors of one role in one layer, such as experts, are told apart by their own names.
    shared = Counter((_layer_key(place), place.role, place.sort) for place in places.values())
    for tensor in tensors:
        place = places[tensor.name]
        key = _layer_key(place)
        alone = shared[key, place.role, place.sort] == 1
        name = place.role if alone else tensor.name.split(f".{place.layer}.", maxsplit=1)[-1]
        if place.sort is Sort.MATRIX and place.layer is not None:
            matrices[number[key]][name] = tensor
        elif place.sort is Sort.MATRIX:
            loose[name] = tensor
        elif place.sort is Sort.GAIN and place.layer is not None:
            gains[number[key]][name] = tensor
        elif place.sort is Sort.EMBEDDING:
            token_rows[name] = tensor
    return ComponentTensors(
        component=component,
        role=role,
        layers=tuple(matrices),
        gains=tuple(gains),
        loose=loose,
        token_rows=token_rows,
        names=tuple(tensor.name for tensor in tensors),
        parameters=sum(tensor.parameters for tensor in tensors),
    )


def _layer_key(place: TensorRole) -> tuple[str, int]:
    return place.stack, -1 if place.layer is None else place.layer
