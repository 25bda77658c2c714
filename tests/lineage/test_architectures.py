"""Public architectures, from their headers alone: what is found is what they are."""

import runpy
from dataclasses import fields, is_dataclass
from functools import cache
from math import prod
from pathlib import Path

import pytest

from dokja.evidence.lineage.bodies import Cell, Norm
from dokja.evidence.lineage.mapping import map_bodies

EXPANDING = runpy.run_path(str(Path(__file__).parent / "architectures/expanding.py"))
architecture, NAMES = EXPANDING["architecture"], sorted(EXPANDING["descriptions"]())

# What a body is expected to be where a description says nothing.
USUAL = {
    "experts": 0,
    "shared": 0,
    "mixing": 0,
    "layer_norm": False,
    "writes_are_normed": False,
    "latent": None,
}
MIXING = {"ssm_in", "linear_in", "cross_q"}


@cache
def bodies(name):
    return map_bodies(architecture(name))


def facts(body):
    """Return a body as descriptions tell it, every layer the same or none."""
    attending = [layer.attention for layer in body.layers if layer.attention is not None]
    return {
        "layers": len(body.layers),
        "width": body.width,
        "heads": one({attention.heads for attention in attending}),
        "kv_heads": one({attention.kv_heads for attention in attending}),
        "latent": one({a.latent.latent if a.latent else None for a in attending}),
        "experts": one({len(layer.experts) for layer in body.layers if layer.experts}) or 0,
        "shared": one({len(layer.shared) for layer in body.layers if layer.shared}) or 0,
        "mixing": sum(bool(MIXING & set(layer.mixers)) for layer in body.layers),
        "writes_are_normed": one({layer.writes_are_normed for layer in body.layers}),
        "offset": one({n.offset for layer in body.layers if (n := layer.norm_attention)}),
        "layer_norm": body.layer_norm,
        "tied": body.tied,
    }


def one(values):
    assert len(values) < 2, values
    return next(iter(values), None)


def held(part):
    """Yield every cell and norm in a body or a part of it."""
    if isinstance(part, Cell | Norm):
        yield part
    elif is_dataclass(part):
        for field in fields(part):
            yield from held(getattr(part, field.name))
    elif isinstance(part, tuple):
        for item in part:
            yield from held(item)
    elif isinstance(part, dict):
        for item in part.values():
            yield from held(item)


def test_there_are_at_least_forty_architectures():
    assert len(NAMES) >= 40


@pytest.mark.parametrize("name", NAMES)
def test_architecture_is_mapped_without_a_doubt(name):
    found = bodies(name)

    mapped = sum(body.mapped for body in found)
    assert mapped / architecture(name).parameters >= 0.98
    assert sum(body.parameters for body in found) == architecture(name).parameters
    assert {body.component: body.doubts for body in found if body.doubts} == {}


@pytest.mark.parametrize("name", NAMES)
def test_architecture_is_what_is_known_of_it(name):
    expected = architecture(name).bodies

    found = {body.component: body for body in bodies(name)}

    assert sorted(found) == sorted(expected)
    for component, known in expected.items():
        if found[component].layers:
            told = {**USUAL, **known}
            assert {key: facts(found[component])[key] for key in told} == told, component


@pytest.mark.parametrize("name", NAMES)
def test_every_value_has_one_place(name):
    shapes = architecture(name).shapes

    for body in bodies(name):
        ranges = {}
        for part in set(held(body)):
            if isinstance(part, Norm):
                for tensor in filter(None, (part.gain, part.bias)):
                    ranges.setdefault((tensor, None), [(0, prod(shapes[tensor]))])
                continue
            whole = prod(shapes[part.tensor]) // (
                1 if part.expert is None else shapes[part.tensor][0]
            )
            assert whole % part.residual == 0
            picks = part.picks or ((0, whole // part.residual),)
            assert sum(stop - start for start, stop in picks) == part.units
            scaled = [(start * part.residual, stop * part.residual) for start, stop in picks]
            ranges.setdefault((part.tensor, part.expert), []).extend(scaled)
        for (tensor, expert), found in ranges.items():
            whole = prod(shapes[tensor]) // (1 if expert is None else shapes[tensor][0])
            ends = [0, *(end for pair in sorted(found) for end in pair), whole]
            assert ends[::2] == ends[1::2], (tensor, expert)
        placed = {tensor for tensor, _ in ranges} | set(body.others)
        assert sum(prod(shapes[tensor]) for tensor in placed) == body.mapped
        assert set(body.others).isdisjoint(tensor for tensor, _ in ranges)
        assert placed.isdisjoint(body.unmapped)
