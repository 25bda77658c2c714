"""What names propose: the longest entry counts, and no entry speaks for two roles."""

import tomllib
from collections import Counter
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.evidence.lineage.patterns import Sort, place_of

TABLE = tomllib.loads((files("dokja.evidence.lineage") / "roles.toml").read_text())


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_no_entry_speaks_for_two_roles(where):
    entries = Counter(
        entry for sort in TABLE[where].values() for role in sort.values() for entry in role
    )

    assert [entry for entry, count in entries.items() if count > 1] == []


@pytest.mark.parametrize("where", ["inside", "outside"])
def test_every_sort_is_one_that_the_mapping_knows(where):
    assert set(TABLE[where]) <= {sort.value for sort in Sort}


# Component, stack, layer, expert, group, role, last word; a dash for none.
PLACES = """
model.layers.7.self_attn.q_proj.weight: language-body model.layers 7 - dense q weight
model.layers.7.self_attn.q_proj.bias: language-body model.layers 7 - dense q bias
h.11.mlp.c_proj.weight: language-body h 11 - dense down weight
h.11.attn.c_proj.weight: language-body h 11 - dense o weight
model.layers.3.mlp.experts.7.w2.weight: language-body model.layers 3 7 routed down weight
model.layers.3.mlp.shared_experts.up_proj.weight: language-body model.layers 3 - shared up weight
model.layers.3.mlp.gate.weight: language-body model.layers 3 - dense router weight
model.layers.3.mlp.experts.gate_up_proj: language-body model.layers 3 - routed gate_up -
model.layers.3.mlp.up_proj.weight_scale_inv: language-body model.layers 3 - dense scale -
x.encoder.layers.0.self_attention.query_key_value: language-body x.encoder.layers 0 - dense qkv -
transformer.h.0.self_attention.query_key_value: language-body transformer.h 0 - dense qkv_by_group -
visual.blocks.2.attn.qkv.weight: vision-encoder visual.blocks 2 - dense qkv weight
visual.merger.mlp.0.weight: projector - - - dense - weight
mtp.layers.0.mlp.up_proj.weight: draft-head mtp.layers 0 - dense up weight
model.layers.0.q_proj.lora_A.weight: adapter model.layers 0 - dense - weight
lm_head.weight: language-body - - - dense head weight
"""


@pytest.mark.parametrize("line", PLACES.strip().splitlines())
def test_name_has_its_place(line):
    name, _, expected = line.partition(": ")

    place = place_of(name)

    told = (place.component, place.stack, place.layer, place.expert, place.group, place.role)
    shown = ["-" if word in {None, ""} else str(word) for word in (*told, place.part)]
    assert " ".join(shown) == expected


@given(st.text(max_size=40))
def test_any_name_has_a_place(name):
    place = place_of(name)

    assert (place.layer is None) == (place.stack == "")
    assert (place.role is None) == (place.sort is None)


def test_number_with_more_digits_than_any_depth_is_no_layer():
    assert place_of("layers." + "9" * 5000 + ".w").layer is None
