"""Write the page of architectures whose headers the role mapping is held against.

The descriptions lie in `tests/lineage/architectures`; what is told of them is what the mapping
finds, so that the page changes when it finds something else.
"""

import runpy
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from dokja.evidence.lineage.bodies import Body
from dokja.evidence.lineage.mapping import map_bodies

__all__ = ["architectures"]

ROOT = Path(__file__).parents[2]
ABOUT = (
    "# Architectures",
    "",
    "Made from the code by `python3 run.py accept`.",
    "",
    "Before models are compared, every tensor gets its place: component, layer, role, expert.",
    "Names propose it, shapes prove it, and the configuration is a claim that headers outrank.",
    "What contradicts itself is told as a doubt; what gets no place is counted as unmapped.",
    "",
    "The mapping is tried on the headers below: names and shapes of public models, no weights.",
    "Each must be mapped to 98 % or more without a doubt, with its known layers, heads, experts.",
    "Every value must have exactly one place.",
    "",
    "*Mapped* is the share of all values that have a place.",
    "*As matrices* is the share in embeddings, heads, projections and gains.",
    "The rest of what is mapped is biases, scales, masks, and matrices that touch no residual.",
    "† marks models whose form is known and whose sizes are not certain.",
    "A test that needs torch holds the mapping against a hundred more families besides.",
    "",
    "| model | values | components: layers, heads by key heads, experts | mapped | as matrices |",
    "|---|---|---|---|---|",
)


def architectures() -> str:
    """Return the page of all architectures and their mapped shares."""
    room = runpy.run_path(str(ROOT / "tests/lineage/architectures/expanding.py"))
    names = sorted(room["descriptions"](), key=lambda name: room["descriptions"]()[name]["of"])
    rows = [_row(room["architecture"](name)) for name in names]
    counted = f"{len(rows)} architectures."
    return "\n".join([*ABOUT, *rows, "", counted, ""])


def _row(model: Any) -> str:
    bodies = map_bodies(model)
    mapped = sum(body.mapped for body in bodies)
    aside = sum(prod(model.shapes[name]) for body in bodies for name in body.others)
    shown = model.of + ("" if model.published else " †")
    told = "; ".join(_told(body) for body in bodies)
    return (
        f"| {shown} | {_size(model.parameters)} | {told} | {_share(mapped, model.parameters)} | "
        f"{_share(mapped - aside, model.parameters)} |"
    )


def _told(body: Body) -> str:
    said = f"{body.component.replace('-', ' ')}"
    if not body.layers:
        return said
    said += f": {len(body.layers)}"
    attending = [layer.attention for layer in body.layers if layer.attention is not None]
    if attending:
        kind = " latent" if attending[0].latent is not None else ""
        said += f", {attending[0].heads} by {attending[0].kv_heads}{kind}"
    experts = max(len(layer.experts) for layer in body.layers)
    return f"{said}, {experts}" if experts else said


def _size(values: int) -> str:
    for unit, size in _UNITS.items():
        if values >= size:
            return f"{values / size:.1f}{unit}"
    return str(values)


_UNITS: Mapping[str, int] = {"B": 10**9, "M": 10**6}


def _share(part: int, whole: int) -> str:
    """Return a share in percent, cut and not rounded, so that 100 means all."""
    return f"{part * 10_000 // whole / 100:.2f} %"
