"""A zoo of the size of tests: every derivative of one root, grown once."""

import os
import sys
from dataclasses import replace

import pytest

from dokja.models.forge.structures import Structure
from dokja.models.forge.zoo import Grower, grow, plan_zoo
from dokja.models.forge.zoo.tiers import FamilyTier, Tier

TINY = Structure(
    family="llama",
    vocabulary=256,
    width=16,
    layers=4,
    heads=4,
    kv_heads=2,
    head_width=4,
    ffn=24,
    positions=64,
)


def tiny_tier(**families):
    """Return a tier that is grown in seconds."""
    share = FamilyTier(
        structure=TINY,
        same=4,
        other=2,
        twins=1,
        derived=1,
        steps=8,
        lr=1e-2,
        sequences=4,
        length=16,
    )
    return Tier(name="tiny", corpus_tokens=4_000, families=families or {"F1": share})


def tiny_grower():
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return Grower(environment={**os.environ, **dict.fromkeys(threads, "1")}, python=sys.executable)


@pytest.fixture(scope="session")
def tiny_llama():
    return TINY


@pytest.fixture(scope="session")
def plan():
    return plan_zoo(tiny_tier(), torch=False)


@pytest.fixture(scope="session")
def zoo(plan, tmp_path_factory):
    """All that the tiny tier has; nobody changes it."""
    return grow(plan, tmp_path_factory.mktemp("zoo"), grower=tiny_grower())


@pytest.fixture(scope="session")
def make_plan(plan):
    """Return a maker of plans for some models of the tiny tier."""

    def make(*names):
        assert set(names) <= {one.name for one in plan.blueprints}
        return replace(plan, blueprints=tuple(one for one in plan.blueprints if one.name in names))

    return make


@pytest.fixture(scope="session")
def grower():
    return tiny_grower()
