"""The embedded runtime against transformers and tokenizers, on every model of the sample."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dokja.models.serving import Finish, open_model
from dokja.models.serving.tokenizer_files import read_tokenizer
from dokja.values import normal_form

pytestmark = [
    pytest.mark.torch,
    # Their warnings are theirs; ours are errors everywhere else.
    pytest.mark.filterwarnings("ignore"),
]
torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
tokenizers = pytest.importorskip("tokenizers")

MOST_TOKENS = 24


@pytest.fixture(scope="module")
def ours(model_folder):
    return open_model(model_folder)


@pytest.fixture(scope="module")
def theirs(model_folder):
    torch.set_num_threads(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(model_folder, dtype=torch.float32)
    return model.eval()


@pytest.fixture(scope="module")
def their_tokenizer(model_folder):
    return tokenizers.Tokenizer.from_file(str(model_folder / "tokenizer.json"))


@pytest.fixture(scope="module")
def prompts(items):
    return [item["prompt"] for suite in items.values() for item in suite]


def test_ids_and_texts_equal_those_of_tokenizers(ours, their_tokenizer, items):
    texts = [
        item[key] for suite in items.values() for item in suite for key in ("prompt", "answer")
    ]

    for text in texts:
        ids = their_tokenizer.encode(text).ids
        assert list(ours.tokenizer.encode(text)) == ids
        assert ours.tokenizer.decode(ids) == their_tokenizer.decode(ids)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=12)
    | st.text(
        alphabet=" ▁0123456789٣Ⅷ가각나ㄱㄴ\u1100\u1161\u11a8abcWrite.?<s></s>\n\t", max_size=30
    )
)
def test_ids_of_any_text_equal_those_of_tokenizers(ours, their_tokenizer, text):
    ids = their_tokenizer.encode(text).ids

    assert list(ours.tokenizer.encode(text)) == ids
    assert ours.tokenizer.decode(ids) == their_tokenizer.decode(ids)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_texts_of_any_ids_equal_those_of_tokenizers(ours, their_tokenizer, data):
    ids = data.draw(st.lists(st.integers(0, their_tokenizer.get_vocab_size() - 1), max_size=20))

    assert ours.tokenizer.decode(ids) == their_tokenizer.decode(ids)


def test_logits_equal_those_of_transformers(ours, theirs, prompts):
    for prompt in prompts[::25]:
        ids = list(ours.tokenizer.encode(prompt))

        with torch.no_grad():
            expected = theirs(torch.tensor([ids])).logits[0].numpy()

        np.testing.assert_allclose(ours.logits(ids), expected, rtol=1e-4, atol=1e-4)


def test_logits_of_long_nonsense_equal_those_of_transformers(ours, theirs):
    rng = np.random.default_rng(7)
    ids = rng.integers(0, ours.architecture.vocabulary, ours.architecture.positions).tolist()

    with torch.no_grad():
        expected = theirs(torch.tensor([ids])).logits[0].numpy()

    np.testing.assert_allclose(ours.logits(ids), expected, rtol=1e-4, atol=1e-4)


def test_greedy_answers_equal_those_of_transformers(ours, theirs, their_tokenizer, prompts):
    chosen = prompts[::8]

    answers = ours.answer(chosen, max_new_tokens=MOST_TOKENS)

    for prompt, answer in zip(chosen, answers, strict=True):
        ids = their_tokenizer.encode(prompt).ids
        with torch.no_grad():
            made = theirs.generate(
                torch.tensor([ids]), max_new_tokens=MOST_TOKENS, do_sample=False
            )[0].tolist()
        stopped = made[-1] == theirs.generation_config.eos_token_id
        said = made[len(ids) : -1] if stopped else made[len(ids) :]
        assert answer.text == normal_form(their_tokenizer.decode(said))
        assert answer.finish is (Finish.STOP if stopped else Finish.LENGTH)
        assert (answer.tokens_in, answer.tokens_out) == (len(ids), len(said))


KINDS = [
    {"normalizer": {"type": "NFKC"}},
    {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}},
    {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first"}},
    {
        "pre_tokenizer": {
            "type": "Metaspace",
            "replacement": "▁",
            "prepend_scheme": "always",
            "split": False,
        }
    },
    {"pre_tokenizer": {"type": "Digits", "individual_digits": False}},
    {
        "pre_tokenizer": {
            "type": "Split",
            "pattern": {"String": "ab"},
            "behavior": "Isolated",
            "invert": False,
        }
    },
    {"normalizer": {"type": "Prepend", "prepend": "▁"}},
    {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}},
    {"decoder": None},
    {"decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}},
    {"decoder": {"type": "Strip", "content": "▁", "start": 1, "stop": 0}},
    {
        "decoder": {
            "type": "Sequence",
            "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
        }
    },
]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    change=st.sampled_from(KINDS),
    flags=st.dictionaries(
        st.sampled_from(["fuse_unk", "byte_fallback", "ignore_merges"]), st.booleans()
    ),
    text=st.text(alphabet=" ▁12ab가나ㄱéüΩ<s>", max_size=20),
)
def test_every_known_step_does_what_tokenizers_does(sample, change, flags, text):
    path = sample / "programme" / "models" / "garam-1" / "tokenizer.json"
    paper = json.loads(path.read_text(encoding="utf-8")) | change
    paper["model"] |= flags
    vocabulary = paper["model"]["vocab"]
    for byte in sorted({*"éü".encode()}):
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    refused = []

    our_own = read_tokenizer(paper, refused)
    their_own = tokenizers.Tokenizer.from_str(json.dumps(paper))

    assert refused == []
    ids = their_own.encode(text).ids
    assert list(our_own.encode(text)) == ids
    assert our_own.decode(ids) == their_own.decode(ids)
