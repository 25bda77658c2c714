"""Names propose and shapes prove: what contradicts itself is a doubt, and nothing crashes."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.evidence.lineage import ComponentSpec
from dokja.evidence.lineage.mapping import map_bodies
from dokja.models.weights import TensorInfo

D, F, V, N, G, H = 64, 176, 320, 4, 2, 16
PLACE = "model.layers.1"


class Headers:
    """Headers without a file."""

    def __init__(self, shapes, config=None):
        self.shapes, self.config, self.names = shapes, config, tuple(shapes)

    def info(self, name):
        return TensorInfo(name=name, dtype="BF16", shape=self.shapes[name], start=0, stop=0)


def llama(**changed):
    """Return a small Llama's headers; `changed` replaces shapes by the end of a name in layer 1."""
    shapes = {
        "model.embed_tokens.weight": (V, D),
        "model.norm.weight": (D,),
        "lm_head.weight": (V, D),
    }
    for layer in range(3):
        place = f"model.layers.{layer}"
        shapes |= {
            f"{place}.input_layernorm.weight": (D,),
            f"{place}.post_attention_layernorm.weight": (D,),
            f"{place}.self_attn.q_proj.weight": (N * H, D),
            f"{place}.self_attn.k_proj.weight": (G * H, D),
            f"{place}.self_attn.v_proj.weight": (G * H, D),
            f"{place}.self_attn.o_proj.weight": (D, N * H),
            f"{place}.mlp.gate_proj.weight": (F, D),
            f"{place}.mlp.up_proj.weight": (F, D),
            f"{place}.mlp.down_proj.weight": (D, F),
        }
    for end, shape in changed.items():
        (name,) = [
            n
            for n in shapes
            if n.endswith(f"{end}.weight") and "layers.0" not in n and "layers.2" not in n
        ]
        shapes[name] = shape
    return shapes


CONFIG = {
    "model_type": "llama",
    "hidden_size": D,
    "intermediate_size": F,
    "num_hidden_layers": 3,
    "num_attention_heads": N,
    "num_key_value_heads": G,
    "head_dim": H,
    "vocab_size": V,
    "tie_word_embeddings": False,
}


def only(shapes, config=CONFIG):
    (body,) = map_bodies(Headers(shapes, config))
    return body


def test_sound_headers_leave_no_doubt():
    body = only(llama())

    assert (body.doubts, body.unmapped, body.mapped) == ((), (), body.parameters)


@pytest.mark.parametrize(
    ("end", "shape", "named"),
    [
        ("q_proj", (N * H, D + 1), [f"{PLACE}.self_attn.q_proj.weight [64, 65]"]),
        ("q_proj", (N * H - 1, D), ["self_attn.q_proj.weight [63, 64]", "63 rows of queries"]),
        ("k_proj", (G * H + 8, D), ["self_attn.k_proj.weight [40, 64]", "no heads of one width"]),
        ("v_proj", (G * H + 2, D), ["v_proj.weight [34, 64]", "o_proj.weight [64, 64]"]),
        ("o_proj", (D, N * H + H), ["o_proj.weight [64, 80]", "room for 80"]),
        ("up_proj", (F + 1, D), ["up_proj.weight [177, 64]", "same number of neurons"]),
        ("down_proj", (D, F, 1), ["down_proj.weight [64, 176, 1]"]),
        ("down_proj", (F, D), ["down_proj.weight [176, 64]", "writes to the residual"]),
        ("input_layernorm", (D - 1,), [f"{PLACE}.input_layernorm.weight [63]", "gains over 64"]),
        ("embed_tokens", (V, D + 2), ["model.embed_tokens.weight [320, 66]"]),
        ("lm_head", (V, D + 2), ["lm_head.weight [320, 66]"]),
    ],
)
def test_wrong_shape_is_a_doubt_that_names_the_tensor(end, shape, named):
    body = only(llama(**{end: shape}))

    said = "; ".join(body.doubts)
    assert [word for word in named if word not in said] == []
    assert len(body.doubts) <= 2
    assert any(name.endswith(f"{end}.weight") for name in body.unmapped)
    assert body.mapped < body.parameters


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("hidden_size", D + 1, "64 dimensions of the residual stream"),
        ("intermediate_size", F - 1, "176 neurons"),
        ("num_hidden_layers", 4, "3 layers"),
        ("num_attention_heads", N * 2, "4 query heads"),
        ("num_key_value_heads", N, "2 key heads"),
        ("vocab_size", V + 1, "320 rows of the embedding"),
    ],
)
def test_lie_of_the_configuration_is_a_doubt_and_changes_nothing(key, value, found):
    body, honest = only(llama(), CONFIG | {key: value}), only(llama())

    assert [doubt for doubt in body.doubts if f"says {key} {value}" in doubt and found in doubt]
    assert {doubt.partition(",")[0] for doubt in body.doubts} == {
        f"the configuration says {key} {value}"
    }
    assert (body.layers, body.embedding, body.mapped) == (
        honest.layers,
        honest.embedding,
        honest.mapped,
    )


def test_gains_over_a_head_outrank_the_configuration():
    shapes = llama()
    shapes |= {f"model.layers.{n}.self_attn.{r}_norm.weight": (H,) for n in range(3) for r in "qk"}

    body = only(shapes, CONFIG | {"head_dim": 2 * H, "num_attention_heads": N // 2})

    assert (body.layers[0].attention.heads, body.layers[0].attention.kv_heads) == (N, G)
    assert len(body.doubts) == 6  # two claims, and each layer's tensors


def test_width_of_a_head_that_nothing_tells_is_a_guess_and_a_doubt():
    body = only(llama(), None)

    assert body.layers[0].attention.heads * 32 == N * H
    assert len(body.doubts) == 3
    assert all("are a guess" in doubt for doubt in body.doubts)


@pytest.mark.parametrize(
    ("stored", "said", "tied", "doubts"),
    [
        (True, False, False, 0),
        (True, None, False, 0),
        (True, True, False, 1),
        (False, True, True, 0),
        (False, None, True, 0),
        (False, False, False, 1),
    ],
)
def test_head_is_what_is_stored(stored, said, tied, doubts):
    shapes = llama()
    if not stored:
        del shapes["lm_head.weight"]

    body = only(shapes, CONFIG | {"tie_word_embeddings": said})

    assert (body.tied, len(body.doubts)) == (tied, doubts)
    assert (body.head is None) == (not stored and not tied)


@pytest.mark.parametrize(
    "lie", [{"head_dim": 5}, {"head_dim": None, "num_attention_heads": 7, "num_key_value_heads": 7}]
)
def test_lie_about_heads_does_not_hide_attention(lie):
    body = only(llama(), CONFIG | lie)

    assert body.mapped == body.parameters
    assert {layer.attention is None for layer in body.layers} == {False}
    assert body.doubts != ()


def test_missing_layer_is_a_doubt():
    body = only({name: shape for name, shape in llama().items() if ".layers.1." not in name})

    assert "model.layers: layer 1 is missing below layer 2" in body.doubts


def test_missing_part_of_attention_is_a_doubt():
    shapes = llama()
    del shapes[f"{PLACE}.self_attn.k_proj.weight"]

    body = only(shapes)

    assert body.layers[1].attention is None
    assert sorted(body.layers[1].mixers) == ["o", "q", "v"]
    assert [doubt for doubt in body.doubts if "of which a part is missing" in doubt]


def test_router_for_other_experts_than_there_are_is_a_doubt():
    shapes = llama()
    for layer in range(3):
        for role, shape in (("gate", (F, D)), ("up", (F, D)), ("down", (D, F))):
            dense = f"model.layers.{layer}.mlp.{role}_proj.weight"
            del shapes[dense]
            for expert in range(4):
                shapes[f"model.layers.{layer}.mlp.experts.{expert}.{role}_proj.weight"] = shape
        shapes[f"model.layers.{layer}.mlp.gate.weight"] = (4 + (layer == 1), D)

    body = only(shapes)

    (doubt,) = body.doubts
    assert (
        f"{PLACE}.mlp.gate.weight [5, 64] chooses among 5 experts, but its layer holds 4" in doubt
    )


def test_gap_among_experts_is_a_doubt():
    shapes = {
        f"{PLACE[:-1]}0.mlp.experts.{expert}.{role}_proj.weight": (D, F)
        if role == "down"
        else (F, D)
        for expert in (0, 2)
        for role in ("gate", "up", "down")
    }

    (doubt,) = only(shapes, {"hidden_size": D}).doubts

    assert "not numbered from 0 to 1" in doubt


def test_order_of_names_does_not_matter():
    backwards = dict(reversed(llama().items()))

    assert only(backwards) == only(llama())


@given(st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_names_on_other_tensors_are_seen_unless_shapes_are_alike(rng):
    shapes = llama()
    inside = [name for name in shapes if name.startswith(PLACE)]
    moved = rng.sample(inside, len(inside))
    swapped = shapes | {name: shapes[other] for name, other in zip(inside, moved, strict=True)}

    body = only(swapped)

    alike = all(swapped[name] == shapes[name] for name in inside)
    assert (body.doubts == ()) == alike
    assert body.parameters == only(shapes).parameters


def test_nameless_blocks_are_found_by_shape_with_a_doubt():
    names = {
        "self_attn.q_proj": "aa",
        "self_attn.k_proj": "ab",
        "self_attn.v_proj": "ac",
        "self_attn.o_proj": "ad",
        "mlp.gate_proj": "ba",
        "mlp.up_proj": "bb",
        "mlp.down_proj": "bc",
    }
    shapes = llama()
    wide = 96  # rows of queries, so that no matrix of attention is square
    for layer in range(3):
        for old, new in names.items():
            shape = shapes.pop(f"model.layers.{layer}.{old}.weight")
            shape = tuple(
                wide if (old, n) in {("self_attn.q_proj", 0), ("self_attn.o_proj", 1)} else side
                for n, side in enumerate(shape)
            )
            shapes[f"model.layers.{layer}.{new}.weight"] = shape

    body = only(shapes, CONFIG | {"num_attention_heads": 6})

    layer = body.layers[2]
    assert (layer.attention.q.tensor, layer.attention.o.tensor) == (
        "model.layers.2.aa.weight",
        "model.layers.2.ad.weight",
    )
    assert {layer.ffn.gate.tensor, layer.ffn.up.tensor} == {
        "model.layers.2.ba.weight",
        "model.layers.2.bb.weight",
    }
    assert (layer.ffn.down.tensor, layer.ffn.down.units) == ("model.layers.2.bc.weight", F)
    assert len(body.doubts) == 6
    assert all("by shape alone" in doubt for doubt in body.doubts)


def test_square_matrix_that_nobody_names_is_unmapped():
    shapes = llama() | {f"{PLACE}.mystery.weight": (D, D), f"{PLACE}.other.weight": (7, 9)}

    body = only(shapes)

    assert body.unmapped == (f"{PLACE}.mystery.weight", f"{PLACE}.other.weight")
    assert body.parameters - body.mapped == D * D + 63


def test_declared_components_decide_and_unclaimed_tensors_are_in_none():
    shapes = llama() | {"probe.weight": (9, 9)}
    declared = {"body": ComponentSpec(role="language-body", tensors=("model.", "lm_head."))}

    (body,) = map_bodies(Headers(shapes, CONFIG), components=declared)

    assert (body.component, body.role, body.doubts) == ("body", "language-body", ())
    assert body.mapped == body.parameters == only(llama()).parameters


def test_adapter_has_its_factors_as_matrices():
    shapes = {}
    for layer in range(2):
        place = f"base_model.model.model.layers.{layer}.self_attn.q_proj"
        shapes |= {f"{place}.lora_A.weight": (8, D), f"{place}.lora_B.weight": (N * H, 8)}

    (body,) = map_bodies(Headers(shapes))

    assert (body.component, body.unmapped) == ("adapter", ())
    cells = [(cell.units, cell.residual) for cell in body.matrices.values()]
    assert cells == [(8, D), (8, N * H)] * 2


def test_stacks_of_two_widths_are_two_bodies():
    shapes = {}
    for stack, width, layers in (("vision_tower.encoder", 32, 3), ("vision_tower.pooler", 48, 1)):
        for layer in range(layers):
            shapes |= {
                f"{stack}.layers.{layer}.norm1.weight": (width,),
                f"{stack}.layers.{layer}.mlp.fc1.weight": (100, width),
                f"{stack}.layers.{layer}.mlp.fc2.weight": (width, 100),
            }

    found = map_bodies(Headers(shapes))

    assert [(body.component, body.role, body.width, len(body.layers)) for body in found] == [
        ("vision-encoder", "vision-encoder", 32, 3),
        ("vision-encoder/vision_tower.pooler.layers", "vision-encoder", 48, 1),
    ]


def test_very_many_doubts_are_counted_and_not_all_kept():
    shapes = {}
    for layer in range(100):
        shapes[f"model.layers.{layer}.mlp.up_proj.weight"] = (F, D)
        shapes[f"model.layers.{layer}.mlp.down_proj.weight"] = (D, F + layer)

    body = only(shapes, None)

    assert len(body.doubts) == 41
    assert body.doubts[-1] == "59 more of these kinds"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
keys = st.sampled_from(
    [
        *CONFIG,
        "text_config",
        "vision_config",
        "architectures",
        "multi_query",
        "num_global_layers",
        "kv_lora_rank",
        "thinker_config",
    ]
)
WORDS = (
    "model layers 0 1 7 99999999999 experts mlp gate up_proj down_proj q_proj k_proj v_proj o_proj "
    "c_attn query_key_value kv_b_proj kv_a_proj_with_mqa q_b_proj norm visual blocks lm_head w1 v1 "
    "w2 embed_tokens merger weight bias router encoder decoder h lora_A ² ٣"
)
words = st.sampled_from(WORDS.split())
names = st.lists(words, min_size=1, max_size=7).map(".".join)
shapes = st.lists(st.sampled_from([0, 1, 2, 3, 4, 8, 16, 10**9]), max_size=5).map(tuple)


@given(st.dictionaries(keys, anything, max_size=8))
@settings(deadline=None)
def test_no_configuration_breaks_the_mapping(config):
    body = only(llama(), config)

    assert (len(body.layers), body.width) == (3, D)


@given(st.dictionaries(names, shapes, max_size=12), st.dictionaries(keys, anything, max_size=4))
@settings(deadline=None)
def test_no_headers_break_the_mapping(held, config):
    headers = Headers(held, config)

    found = map_bodies(headers)

    assert sum(body.parameters for body in found) == sum(
        headers.info(name).parameters for name in held
    )
    assert all(0 <= body.mapped <= body.parameters for body in found)


@pytest.mark.parametrize(
    ("names", "sizes"),
    [
        ("mlp.experts.gate_up_proj mlp.experts.down_proj", [(2, D, 2**40), (2, 2**39, D)]),
        ("mlp.experts.gate_up_proj mlp.experts.down_proj", [(2**40, D, 2), (2**40, 1, D)]),
        ("attention.query_key_value attention.dense", [(3 * 2**40, D), (D, 2**40)]),
    ],
    ids=["wide experts", "many experts", "many heads"],
)
def test_enormous_claims_of_headers_are_not_laid_out(names, sizes):
    config = {"model_type": "gpt_oss", "hidden_size": D, "num_attention_heads": 2**30}
    held = {f"h.0.{name}": shape for name, shape in zip(names.split(), sizes, strict=True)}

    body = only(held, config)

    assert body.layers[0].experts == ()
    assert body.layers[0].attention is None
    assert (sorted(body.unmapped), body.mapped) == (sorted(held), 0)
    assert body.doubts != ()


def test_very_many_encoders_beside_decoders_take_no_time():
    held = {f"x{n}.{side}.w": (D, 2) for n in range(10_000) for side in ("encoder", "decoder")}

    found = map_bodies(Headers(held))

    assert [body.component for body in found] == ["language-body", "text-encoder"]


def test_layer_that_drafts_is_a_component_of_its_own_even_where_it_is_declared():
    shapes = llama()
    drafting = {"eh_proj": (D, 2 * D), "enorm": (D,), "hnorm": (D,), "embed_tokens": (V, D)}
    shapes |= {f"model.layers.3.{name}.weight": shape for name, shape in drafting.items()}
    shapes |= {
        name.replace("layers.2", "layers.3"): shape
        for name, shape in shapes.items()
        if ".layers.2." in name
    }
    declared = {"body": ComponentSpec(role="language-body", tensors=("",))}

    named = map_bodies(Headers(shapes, CONFIG))
    said = map_bodies(Headers(shapes, CONFIG), components=declared)

    assert [(body.component, len(body.layers), body.doubts) for body in named] == [
        ("draft-head", 1, ()),
        ("language-body", 3, ()),
    ]
    assert [(body.component, body.role) for body in said] == [
        ("body", "language-body"),
        ("body/draft-head", "draft-head"),
    ]
    assert sorted(named[0].layers[0].mixers) == ["draft_join", "embedding"]
