"""Small folders of random weights, made on the fly: the real runtime opens them."""

import copy
import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from dokja.models.serving import open_model

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 6,
    "hidden_act": "silu",
    "max_position_embeddings": 40,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": True,
    "eos_token_id": 2,
}

_SPECIALS = ("<unk>", "<s>", "</s>", "<a>")
_SIGNS = ("▁", *"0123456789", *"abc가각나", "ㄱ", "ㄴ")
_MERGES = (("a", "b"), ("b", "c"), ("ab", "c"), ("a", "bc"), ("가", "나"), ("▁", "가"))


def tokenizer_paper():
    tokens = [*_SPECIALS, *_SIGNS, *dict.fromkeys("".join(pair) for pair in _MERGES)]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": number,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for number, text in enumerate(_SPECIALS)
        ],
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Metaspace",
                    "replacement": "▁",
                    "prepend_scheme": "never",
                    "split": True,
                },
                {"type": "Digits", "individual_digits": True},
                {
                    "type": "Split",
                    "pattern": {"Regex": "[ㄱ-ㅣ]"},
                    "behavior": "Isolated",
                    "invert": False,
                },
            ],
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": "<s>", "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
                {"SpecialToken": {"id": "<a>", "type_id": 0}},
            ],
            "pair": [],
            "special_tokens": {
                "<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
                "<a>": {"id": "<a>", "ids": [3], "tokens": ["<a>"]},
            },
        },
        "decoder": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "never",
            "split": True,
        },
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {text: number for number, text in enumerate(tokens)},
            "merges": [list(pair) for pair in _MERGES],
        },
    }


def random_weights(config, seed=0):
    rng = np.random.default_rng(seed)
    width, ffn = config["hidden_size"], config["intermediate_size"]
    query = config["num_attention_heads"] * config["head_dim"]
    grouped = config["num_key_value_heads"] * config["head_dim"]
    shapes = {"model.embed_tokens.weight": (config["vocab_size"], width)}
    gains = ["model.norm.weight"]
    for layer in range(config["num_hidden_layers"]):
        place = f"model.layers.{layer}"
        gains += [f"{place}.input_layernorm.weight", f"{place}.post_attention_layernorm.weight"]
        shapes |= {
            f"{place}.self_attn.q_proj.weight": (query, width),
            f"{place}.self_attn.k_proj.weight": (grouped, width),
            f"{place}.self_attn.v_proj.weight": (grouped, width),
            f"{place}.self_attn.o_proj.weight": (width, query),
            f"{place}.mlp.gate_proj.weight": (ffn, width),
            f"{place}.mlp.up_proj.weight": (ffn, width),
            f"{place}.mlp.down_proj.weight": (width, ffn),
        }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], width)
    weights = {name: rng.normal(0, shape[1] ** -0.5, shape) for name, shape in shapes.items()}
    weights |= {name: rng.normal(1, 0.2, width) for name in gains}
    return {name: values.astype(np.float32) for name, values in weights.items()}


class Folder:
    """A model folder whose papers and weights can be changed before it is opened."""

    def __init__(self, path):
        self.path = path
        self.config = copy.deepcopy(CONFIG)
        self.tokenizer = tokenizer_paper()
        self.generation = None
        self.weights = random_weights(self.config)

    def reshape(self, **changes):
        self.config |= changes
        self.weights = random_weights(self.config)
        return self

    def write(self):
        self.path.mkdir(exist_ok=True)
        papers = {
            "config.json": self.config,
            "tokenizer.json": self.tokenizer,
            "generation_config.json": self.generation,
        }
        for name, paper in papers.items():
            if paper is not None:
                text = json.dumps(paper, ensure_ascii=False)
                (self.path / name).write_text(text, encoding="utf-8")
        save_file(self.weights, self.path / "model.safetensors")
        return self.path

    def open(self, **settings):
        return open_model(self.write(), **settings)


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "model")


@pytest.fixture(scope="session")
def model(tmp_path_factory):
    return Folder(tmp_path_factory.mktemp("shared") / "model").open()


@pytest.fixture(scope="session")
def tokenizer_template():
    return tokenizer_paper()
