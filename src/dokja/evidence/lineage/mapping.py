"""Which tensor is what in a network: bodies from names, shapes and configuration, no value read.

Names propose (`patterns`), shapes prove or refute (`shapes`), and the configuration is a claim
that headers outrank. What contradicts itself is a doubt of the body; what has no place is
counted and named as unmapped. A component with stacks of several widths becomes several bodies.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dokja.evidence.lineage.bodies import Body, Layer
from dokja.evidence.lineage.claims import Claims, claims_of
from dokja.evidence.lineage.components import ComponentSpec
from dokja.evidence.lineage.layers import layer_of
from dokja.evidence.lineage.listings import Listing
from dokja.evidence.lineage.outside import Outside, is_layer_norm, outside_of
from dokja.evidence.lineage.patterns import listed, place_of
from dokja.evidence.lineage.shapes import Survey, Tensor, solve
from dokja.evidence.lineage.sizes import check_sizes

__all__ = ["map_bodies"]

_MOST_LAYERS = 4096
"""A stack of more layers than this is no network: the deepest public ones have some 130."""


@dataclass(slots=True)
class _Component:
    """A component's tensors before they are mapped."""

    name: str
    role: str
    tensors: list[Tensor] = field(default_factory=list)


def map_bodies(
    source: Listing, *, components: Mapping[str, ComponentSpec] | None = None
) -> tuple[Body, ...]:
    """Return each component as its network uses it, in order of their names.

    Args:
        source: Opened weights, or headers alone; no value is read.
        components: Each component as declared; by tensor names where nothing is declared.
            Tensors that no declared component claims are in no body; `inventory` names them.

    Example:
        >>> from dokja.models.weights import TensorInfo
        >>> class Headers:
        ...     config = {"hidden_size": 4}
        ...     names = ("model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight")
        ...     def info(self, name):
        ...         shape = (8, 4) if "up" in name else (4, 8)
        ...         return TensorInfo(name=name, dtype="BF16", shape=shape, start=0, stop=64)
        >>> (body,) = map_bodies(Headers())
        >>> body.component, body.width, body.layers[0].ffn.up.units
        ('language-body', 4, 8)
    """
    tensors = [Tensor(source.info(name), place_of(name)) for name in sorted(source.names)]
    found = _components(tensors, components)
    alone = {component.name for component in found} if len(found) == 1 else set()
    bodies = [
        body
        for component in found
        for body in _bodies(
            component,
            claims_of(
                source.config,
                component.role,
                alone=component.name in alone or component.role in {"language-body", "draft-head"},
            ),
        )
    ]
    return tuple(sorted(bodies, key=lambda body: body.component))


def _components(
    tensors: Sequence[Tensor], declared: Mapping[str, ComponentSpec] | None
) -> list[_Component]:
    roots = _encoder_roots(tensors) if declared is None else {}
    found: dict[str, _Component] = {}
    for tensor in tensors:
        if declared is None:
            name = role = _encoder(tensor, roots) or tensor.place.component
        else:
            owner = _owner(tensor.name, declared)
            if owner is None:
                continue
            name, role = owner, declared[owner].role
        found.setdefault(name, _Component(name=name, role=role)).tensors.append(tensor)
    for component in list(found.values()):
        if component.role == "language-body":
            _part_drafts(component, found, named=declared is None)
    return list(found.values())


def _owner(name: str, declared: Mapping[str, ComponentSpec]) -> str | None:
    fitting = [
        (len(prefix), component)
        for component, spec in declared.items()
        for prefix in spec.tensors
        if name.startswith(prefix)
    ]
    return max(fitting)[1] if fitting else None


def _encoder_roots(tensors: Sequence[Tensor]) -> dict[str, str]:
    """Return the role of each encoder that stands beside a decoder, by what its names begin with.

    The empty beginning stands for a whole model that is an encoder: it takes in patches of
    pictures or waves, and no tokens.
    """
    bodies = [tensor for tensor in tensors if tensor.place.component == "language-body"]
    sides = {
        side: {root for tensor in bodies if (root := _root(tensor.name, side)) is not None}
        for side in ("encoder", "decoder")
    }
    beside = sides["encoder"] & sides["decoder"]
    roots = dict.fromkeys(beside, "text-encoder")
    alone: set[str | None] = set()
    for tensor in bodies:
        role = tensor.place.role if tensor.place.layer is None else None
        root = _root(tensor.name, "encoder") or ""
        if root not in beside:
            alone.add(role)
        elif role == "waves":
            roots[root] = "audio-encoder"
    if "embedding" not in alone and {"patches", "waves"} & alone:
        roots[""] = "vision-encoder" if "patches" in alone else "audio-encoder"
    return roots


def _root(name: str, side: str) -> str | None:
    """Return what stands before the word `encoder` or `decoder`, with a dot at each end."""
    before, found, _ = f".{name}".partition(f".{side}.")
    return f"{before}." if found else None


def _encoder(tensor: Tensor, roots: Mapping[str, str]) -> str | None:
    if tensor.place.component != "language-body":
        return None
    root = _root(tensor.name, "encoder")
    return roots.get(root or "", roots.get(""))


def _part_drafts(component: _Component, found: dict[str, _Component], *, named: bool) -> None:
    """Move whole layers that draft further tokens into a component of their own."""
    drafting = {
        (tensor.place.stack, tensor.place.layer)
        for tensor in component.tensors
        if tensor.place.layer is not None
        and tensor.place.template.rpartition(".")[2] in listed("layers", "drafts")
    }
    if not drafting:
        return
    name = "draft-head" if named else f"{component.name}/draft-head"
    head = found.setdefault(name, _Component(name=name, role="draft-head"))
    kept: list[Tensor] = []
    for tensor in component.tensors:
        drafts = (tensor.place.stack, tensor.place.layer) in drafting
        (head.tensors if drafts else kept).append(tensor)
    component.tensors[:] = kept


def _bodies(component: _Component, claims: Claims) -> Iterable[Body]:
    stacks: dict[str, list[Tensor]] = {}
    outside: list[Tensor] = []
    for tensor in component.tensors:
        # Factors of an adapter belong to matrices of another model, and are no layers.
        if tensor.place.layer is None or component.role == "adapter":
            outside.append(tensor)
        else:
            stacks.setdefault(tensor.place.stack, []).append(tensor)
    by_width: dict[int | None, list[str]] = {}
    surveys: dict[str, Survey | None] = {}
    for stack, tensors in stacks.items():
        surveys[stack] = solve(tensors, claims)
        known = surveys[stack]
        by_width.setdefault(None if known is None else known.width, []).append(stack)
    if not stacks:
        yield _body(component.name, component.role, claims, stacks={}, outside=outside)
        return
    weights = {
        width: sum(tensor.info.parameters for stack in held for tensor in stacks[stack])
        for width, held in by_width.items()
    }
    order = sorted(by_width, key=lambda width: (-weights[width], width or 0))
    for place, width in enumerate(order):
        held = {stack: stacks[stack] for stack in by_width[width]}
        name = component.name if place == 0 else f"{component.name}/{min(held)}"
        # What the configuration says is about the stack that holds most.
        said = claims if place == 0 else Claims(said={}, role=component.role)
        yield _body(name, component.role, said, stacks=held, outside=outside if place == 0 else [])


def _body(
    name: str,
    role: str,
    claims: Claims,
    *,
    stacks: Mapping[str, Sequence[Tensor]],
    outside: Sequence[Tensor],
) -> Body:
    tensors = [*(tensor for held in stacks.values() for tensor in held), *outside]
    survey = solve([tensor for held in stacks.values() for tensor in held] or outside, claims)
    parameters = sum(tensor.info.parameters for tensor in tensors)
    names = tuple(tensor.name for tensor in tensors)
    if survey is None:
        return Body(
            component=name, role=role, width=0, layers=(), parameters=parameters, unmapped=names
        )
    layers = _layers(survey, stacks)
    around: Outside = outside_of(survey, outside, role=role)
    check_sizes(survey, layers, around)
    return Body(
        component=name,
        role=role,
        width=survey.width,
        layers=layers,
        embedding=around.embedding,
        head=around.head,
        final_norm=around.final_norm,
        layer_norm=is_layer_norm(survey, layers, around),
        parameters=parameters,
        mapped=sum(tensor.info.parameters for tensor in tensors if tensor.name in survey.placed),
        unmapped=tuple(name for name in names if name not in survey.placed),
        doubts=survey.sentences,
        others=dict(survey.others),
        matrices=around.matrices,
    )


def _layers(survey: Survey, stacks: Mapping[str, Sequence[Tensor]]) -> tuple[Layer, ...]:
    """Return the layers of all stacks; heads are guessed where the claimed ones fit no layer."""
    layers = _built(survey, stacks)
    if survey.misfits and all(layer.attention is None for layer in layers):
        survey.start_again()
        layers = _built(survey, stacks)
    return layers


def _built(survey: Survey, stacks: Mapping[str, Sequence[Tensor]]) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    depth = {stack: {tensor.place.layer or 0 for tensor in held} for stack, held in stacks.items()}
    for stack in sorted(stacks, key=lambda stack: (-len(depth[stack]), stack)):
        numbers = depth[stack]
        if max(numbers) >= _MOST_LAYERS:
            survey.doubt(f"{stack}.{max(numbers)}: no network has so many layers")
            continue
        if survey.claims.role != "draft-head" and len(numbers) != max(numbers) + 1:
            missing = min(set(range(max(numbers))) - numbers)
            survey.doubt(f"{stack}: layer {missing} is missing below layer {max(numbers)}")
        by_number: dict[int, list[Tensor]] = {}
        for tensor in stacks[stack]:
            by_number.setdefault(tensor.place.layer or 0, []).append(tensor)
        layers += [layer_of(survey, by_number[number]) for number in sorted(by_number)]
    return tuple(layers)
