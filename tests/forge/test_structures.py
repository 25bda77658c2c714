import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError, RecordError
from dokja.models.forge.structures import FAMILIES, BlockSignature, Structure
from dokja.values import canonical_bytes

SIZES = {
    "vocabulary": 64,
    "width": 32,
    "layers": 5,
    "heads": 4,
    "kv_heads": 2,
    "head_width": 8,
    "ffn": 48,
    "positions": 128,
}
OWN = {
    "llama": {},
    "peri": {"window": 16},
    "gpt2": {"kv_heads": 4},
    "mixtral": {"experts": 4, "experts_per_token": 2},
    "latent-moe": {
        "kv_heads": 4,
        "experts": 4,
        "experts_per_token": 2,
        "expert_ffn": 16,
        "shared_experts": 1,
        "dense_layers": 1,
        "latent": 16,
        "rope_width": 4,
    },
}
every_family = pytest.mark.parametrize("family", sorted(OWN))


def structure(family, **changed):
    return Structure(family=family, **{**SIZES, **OWN[family], **changed})


def places(error):
    return [mistake.place for mistake in error.value.mistakes]


def test_every_family_of_the_table_is_tested_here():
    assert sorted(FAMILIES) == sorted(OWN)


@every_family
def test_structure_goes_through_json_and_config_unchanged(family):
    made = structure(family, tied=True, rope_theta=5e5 if family != "gpt2" else 1e4, epsilon=1e-6)

    stored = json.loads(canonical_bytes(made.to_json()))
    config = json.loads(json.dumps(made.config()))

    assert Structure.from_json(stored) == made
    assert canonical_bytes(Structure.from_json(stored).to_json()) == canonical_bytes(made.to_json())
    assert Structure.from_config(config) == made


@every_family
def test_shapes_are_sorted_and_sum_to_the_parameters(family):
    made = structure(family)

    shapes = made.shapes()

    assert list(shapes) == sorted(shapes)
    assert made.parameters() == sum(
        math.prod(shape) for name, shape in shapes.items() if name not in made.buffers()
    )


@every_family
def test_tying_takes_away_the_head_and_nothing_else(family):
    untied, tied = structure(family, tied=False), structure(family, tied=True)

    assert untied.shapes().keys() - tied.shapes().keys() == {"lm_head.weight"}
    assert untied.active_parameters() == tied.active_parameters()


@given(
    family=st.sampled_from(sorted(OWN)),
    layers=st.integers(1, 9),
    heads=st.sampled_from([2, 4, 8]),
    vocabulary=st.integers(1, 999),
)
def test_signature_does_not_know_the_size(family, layers, heads, vocabulary):
    own = {"kv_heads": heads} if family in {"gpt2", "latent-moe"} else {}
    sized = structure(
        family, layers=layers, heads=heads, width=8 * heads, vocabulary=vocabulary, **own
    )

    assert sized.signature() == structure(family).signature()


def test_signatures_differ_by_name_of_feature():
    llama, peri = structure("llama").signature(), structure("peri").signature()

    assert llama.differences(peri) == ("norm", "qk_norm", "attention")
    assert peri.differences(llama) == ("norm", "qk_norm", "attention")
    assert llama.differences(llama) == ()
    assert len({structure(family).signature() for family in OWN}) == len(OWN)


def test_signature_with_missing_and_unknown_features_is_refused_whole():
    said = structure("llama").signature().to_json()
    del said["norm"]

    with pytest.raises(RecordError) as error:
        BlockSignature.from_json({**said, "ffn": 3, "depth": "deep"})

    assert places(error) == ["norm", "ffn", "depth"]


def test_flop_of_a_dense_network_are_those_of_the_published_formula():
    made = structure("llama", layers=3)
    matrices = 3 * (32 * 32 * 2 + 2 * 16 * 32 + 3 * 48 * 32 + 64) + 32 + 64 * 32

    assert made.flop_per_token(100) == 6 * matrices + 12 * 3 * 4 * 8 * 100
    assert made.flop_per_token(100, causal=True) == 6 * matrices + 6 * 3 * 4 * 8 * 100


def test_flop_of_sliding_layers_stop_growing_at_the_window():
    made = structure("peri", layers=4, window=16)

    assert made.flop_per_token(200) - made.flop_per_token(100) == 12 * 4 * 8 * 100
    assert made.flop_per_token(16) - made.flop_per_token(15) == 12 * 4 * 4 * 8


def test_flop_of_experts_count_what_a_token_goes_through():
    two, four = structure("mixtral"), structure("mixtral", experts_per_token=4)
    expert = 3 * 48 * 32

    assert four.active_parameters() - two.active_parameters() == 5 * 2 * expert
    assert four.parameters() == two.parameters()


def test_flop_of_latent_attention_count_both_widths():
    short = structure("latent-moe", value_width=6)

    per_token = short.flop_per_token(11) - short.flop_per_token(10)

    assert per_token == 6 * 5 * 4 * ((8 + 4) + 6)


def test_sizes_that_do_not_fit_are_refused_all_at_once():
    with pytest.raises(RecipeError) as error:
        structure("llama", kv_heads=3, head_width=7)
    assert places(error) == ["kv_heads", "head_width"]

    with pytest.raises(RecipeError) as error:
        structure("llama", width=0, layers=True, rope_theta=math.inf, tied=1, window=4)
    assert places(error) == ["width", "layers", "rope_theta", "tied", "window"]

    with pytest.raises(RecipeError) as error:
        structure("gpt2", kv_heads=2, head_width=9)
    assert places(error) == ["kv_heads", "head_width"]

    with pytest.raises(RecipeError) as error:
        structure("latent-moe", kv_heads=2, rope_width=3, dense_layers=9, experts=1)
    assert places(error) == [
        "kv_heads",
        "rope_width",
        "dense_layers",
        "experts",
        "experts_per_token",
    ]


def test_missing_sizes_of_a_family_are_named():
    with pytest.raises(RecipeError) as error:
        Structure(family="mixtral", **SIZES)

    assert places(error) == ["experts", "experts_per_token"]


@pytest.mark.parametrize("family", ["mamba", "", None, [], 3])
def test_unknown_family_is_refused(family):
    with pytest.raises(RecipeError) as error:
        Structure.from_json({"family": family, **SIZES})

    assert places(error) == ["family"]


def test_json_with_missing_and_unknown_sizes_is_refused_whole():
    said = {**structure("llama").to_json(), "depth": 3}
    del said["width"]

    with pytest.raises(RecipeError) as error:
        Structure.from_json(said)

    assert places(error) == ["width", "depth"]


def test_config_that_asks_for_something_else_is_refused_whole():
    config = structure("llama").config() | {
        "attention_bias": True,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0},
        "rope_parameters": {"rope_theta": "big", "rope_type": "llama3", "factor": 8.0},
        "sliding_window": 16,
        "hidden_act": "gelu",
        "num_key_value_heads": True,
    }

    with pytest.raises(RecordError) as error:
        Structure.from_config(config)

    assert places(error) == [
        "attention_bias",
        "rope_scaling",
        "sliding_window",
        "hidden_act",
        "num_key_value_heads",
        "rope_parameters.rope_type",
        "rope_parameters",
        "rope_theta",
    ]


def test_config_whose_sizes_do_not_fit_is_refused_as_a_record():
    config = structure("llama").config() | {"num_key_value_heads": 3}

    with pytest.raises(RecordError) as error:
        Structure.from_config(config, file="base/config.json")

    assert [str(mistake) for mistake in error.value.mistakes] == [
        "base/config.json, kv_heads: read 3; expected a divisor of the 4 heads."
    ]


@pytest.mark.parametrize("kind", ["qwen3", None, 3, ["llama"]])
def test_config_of_another_type_is_refused(kind):
    with pytest.raises(RecordError) as error:
        Structure.from_config({"model_type": kind})

    assert places(error) == ["model_type"]


def test_config_of_an_older_library_is_read_with_the_library_s_defaults():
    config = structure("llama").config()
    for key in ("head_dim", "rope_parameters", "rms_norm_eps", "tie_word_embeddings"):
        del config[key]

    read = Structure.from_config(config | {"rope_theta": 5e5})

    assert (read.head_width, read.rope_theta, read.epsilon, read.tied) == (8, 5e5, 1e-6, False)


def test_peri_config_names_the_kind_of_every_layer():
    config = structure("peri").config()

    assert config["layer_types"] == [
        "sliding_attention",
        "sliding_attention",
        "sliding_attention",
        "full_attention",
        "sliding_attention",
    ]

    with pytest.raises(RecordError) as error:
        Structure.from_config(config | {"layer_types": ["full_attention"] * 5})
    assert places(error) == ["layer_types"]


@given(
    config=st.dictionaries(
        st.sampled_from([*structure("llama").config(), "rope_scaling", "n_embd", "n_head"]),
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-4, 64),
            st.floats(allow_nan=True),
            st.text(max_size=3),
            st.lists(st.integers(), max_size=2),
            st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
        ),
    ),
    kind=st.sampled_from([family.model_type for family in FAMILIES.values()]),
)
def test_no_config_is_worse_than_refused(config, kind):
    try:
        read = Structure.from_config({**config, "model_type": kind})
    except RecordError:
        return
    assert Structure.from_config(read.config()) == read
