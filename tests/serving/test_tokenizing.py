"""Text to ids and back: by hand, by a slow twin, and round trips on the sample's tokenizers."""

import copy
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.models.serving.tokenizer_files import read_tokenizer

SAMPLE = Path(__file__).parents[2] / "sample" / "programme"
MODELS = sorted(path.name for path in (SAMPLE / "models").iterdir())
relaxed = settings(max_examples=100, deadline=None)


def tokenizer_of(paper):
    refused = []
    tokenizer = read_tokenizer(paper, refused)
    assert refused == []
    return tokenizer


def texts_of(tokenizer, text):
    return [tokenizer.tokens[token] for token in tokenizer.encode(text)]


@pytest.fixture
def paper(folder):
    return folder.tokenizer


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", ["<s>", "<a>"]),
        ("12", ["<s>", "1", "2", "<a>"]),
        ("abc", ["<s>", "abc", "<a>"]),
        ("bc a", ["<s>", "bc", "▁", "a", "<a>"]),
        ("가나", ["<s>", "가나", "<a>"]),
        (" 가나", ["<s>", "▁", "가나", "<a>"]),
        ("1  가", ["<s>", "1", "▁", "▁가", "<a>"]),
        ("ㄱㄴ가", ["<s>", "ㄱ", "ㄴ", "가", "<a>"]),
        ("\u1100\u1161", ["<s>", "가", "<a>"]),
        ("xy", ["<s>", "<unk>", "<unk>", "<a>"]),
        ("a</s>b", ["<s>", "a", "</s>", "b", "<a>"]),
    ],
)
def test_a_text_is_cut_as_expected(paper, text, tokens):
    assert texts_of(tokenizer_of(paper), text) == tokens


def test_unknown_signs_in_a_row_are_one_where_the_tokenizer_fuses_them(paper):
    paper["model"]["fuse_unk"] = True

    assert texts_of(tokenizer_of(paper), "xyaz") == ["<s>", "<unk>", "a", "<unk>", "<a>"]


def test_unknown_signs_are_dropped_where_there_is_no_unknown_token(paper):
    paper["model"]["unk_token"] = None

    assert texts_of(tokenizer_of(paper), "xayz") == ["<s>", "a", "<a>"]


def test_unknown_signs_become_bytes_where_there_are_all_of_them(paper):
    vocabulary = paper["model"]["vocab"]
    for byte in "é".encode():
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    paper["model"]["byte_fallback"] = True
    paper["decoder"] = {
        "type": "Sequence",
        "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}],
    }
    tokenizer = tokenizer_of(paper)

    ids = tokenizer.encode("aéü")

    assert [tokenizer.tokens[i] for i in ids[1:-1]] == ["a", "<0xC3>", "<0xA9>", "<unk>"]
    assert tokenizer.decode(ids) == "aé"
    assert tokenizer.decode(ids[:3]) == "a\ufffd"


def test_an_unknown_sign_stands_behind_the_bytes_that_follow_it(paper):
    vocabulary = paper["model"]["vocab"]
    for byte in "é".encode():
        vocabulary[f"<0x{byte:02X}>"] = len(vocabulary)
    paper["model"]["byte_fallback"] = True  # the library does so, and models learnt from it

    tokens = texts_of(tokenizer_of(paper), "xéa")

    assert tokens[1:-1] == ["<0xC3>", "<0xA9>", "<unk>", "a"]


def test_a_whole_word_is_taken_where_merges_are_ignored_for_it(paper):
    paper["model"]["vocab"]["abab"] = 31
    before = texts_of(tokenizer_of(paper), "abab")
    paper["model"]["ignore_merges"] = True

    after = texts_of(tokenizer_of(paper), "abab")

    assert (before[1:-1], after[1:-1]) == (["ab", "ab"], ["abab"])


@pytest.mark.parametrize(
    ("scheme", "text", "tokens"),
    [
        ("always", "a</s>a", ["▁", "a", "</s>", "▁", "a"]),
        ("first", "a</s>a", ["▁", "a", "</s>", "a"]),
        ("never", "a</s>a", ["a", "</s>", "a"]),
        ("always", " a", ["▁", "a"]),
    ],
)
def test_a_first_space_is_put_where_the_scheme_says(paper, scheme, text, tokens):
    paper["pre_tokenizer"]["pretokenizers"][0]["prepend_scheme"] = scheme

    assert texts_of(tokenizer_of(paper), text)[1:-1] == tokens


def test_llama_2_style_steps_round_trip(paper):
    space = {"String": " "}
    paper["normalizer"] = {
        "type": "Sequence",
        "normalizers": [
            {"type": "Prepend", "prepend": "▁"},
            {"type": "Replace", "pattern": space, "content": "▁"},
        ],
    }
    paper["pre_tokenizer"] = None
    paper["decoder"] = {
        "type": "Sequence",
        "decoders": [
            {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
            {"type": "Fuse"},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0},
        ],
    }
    tokenizer = tokenizer_of(paper)

    ids = tokenizer.encode("가나 abc")

    assert [tokenizer.tokens[i] for i in ids] == ["<s>", "▁", "가나", "▁", "abc", "<a>"]
    assert tokenizer.decode(ids) == "가나 abc"


def test_tokens_are_joined_by_spaces_where_there_is_no_decoder(paper):
    paper["decoder"] = None
    tokenizer = tokenizer_of(paper)

    assert tokenizer.decode(tokenizer.encode("1ab")) == "1 ab"


def slow_merge(word, merges):
    """Merge the leftmost pair of the lowest rank, again and again."""
    parts = list(word)
    while True:
        ranked = [
            (merges[pair], place)
            for place in range(len(parts) - 1)
            if (pair := (parts[place], parts[place + 1])) in merges
        ]
        if not ranked:
            return parts
        place = min(ranked)[1]
        parts[place : place + 2] = ["".join(parts[place : place + 2])]


@relaxed
@given(
    word=st.text(alphabet="abc", min_size=1, max_size=30),
    pairs=st.lists(st.tuples(*[st.text("abc", min_size=1, max_size=3)] * 2), unique=True),
)
def test_merges_equal_the_slow_twin(word, pairs):
    whole = {"".join(pair): pair for pair in pairs}  # one way to each token, as training leaves it
    kept = [pair for pair in pairs if whole["".join(pair)] == pair]
    known = dict.fromkeys([*"abc", *(text for p in kept for text in (*p, "".join(p)))])
    paper = {
        "model": {
            "type": "BPE",
            "vocab": {text: number for number, text in enumerate(known)},
            "merges": [list(pair) for pair in kept],
        }
    }
    ranks = {pair: rank for rank, pair in enumerate(kept)}

    assert texts_of(tokenizer_of(paper), word) == slow_merge(word, ranks)


def test_a_word_of_a_million_signs_does_not_stall(paper):
    tokenizer = tokenizer_of(paper)

    ids = tokenizer.encode("ab" * 100_000)

    assert len(ids) == 100_002


@pytest.mark.parametrize("name", MODELS)
def test_every_item_of_the_sample_round_trips(name):
    path = SAMPLE / "models" / name / "tokenizer.json"
    tokenizer = tokenizer_of(json.loads(path.read_text(encoding="utf-8")))
    texts = [
        item[key]
        for file in (SAMPLE / "items").glob("*.jsonl")
        for item in map(json.loads, file.read_text(encoding="utf-8").splitlines())
        for key in ("prompt", "answer")
    ]

    unknown = tokenizer.vocabulary.unknown
    encoded = {text: tokenizer.encode(text) for text in texts}
    known = [text for text, ids in encoded.items() if unknown not in ids]

    decoded = [unicodedata.normalize("NFC", tokenizer.decode(encoded[text])) for text in known]

    assert decoded == known
    assert len(known) > 0.99 * len(encoded)  # maru's tokenizer never met ㄸ


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"model": None}, "model.type: read None; expected 'BPE'"),
        ({"model": {"type": "Unigram"}}, "model.type: read 'Unigram'; expected 'BPE'"),
        ({"truncation": {"max_length": 5}}, "truncation: read {'max_length': 5}; expected nothing"),
        ({"normalizer": {"type": "BertNormalizer"}}, "normalizer: read the type 'BertNormalizer'"),
        ({"normalizer": 7}, "normalizer: read 7; expected a step or a sequence of steps"),
        (
            {"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False}},
            "pre_tokenizer: read the type 'ByteLevel'; expected one of Digits, Metaspace, Sequence",
        ),
        (
            {"pre_tokenizer": {"type": "Digits", "individual_digits": 1}},
            "pre_tokenizer.individual_digits: read 1; expected a value of type bool",
        ),
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "behavior": "Isolated",
                    "pattern": {"Regex": r"\p{L}+"},
                }
            },
            "pre_tokenizer.pattern: read {'Regex': '\\\\p{L}+'}; expected a String or one class",
        ),
        (
            {
                "pre_tokenizer": {
                    "type": "Split",
                    "behavior": "Isolated",
                    "pattern": {"Regex": "[z-a]"},
                }
            },
            "pre_tokenizer.pattern: read {'Regex': '[z-a]'}",
        ),
        (
            {"pre_tokenizer": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "maybe"}},
            "pre_tokenizer.prepend_scheme: read 'maybe'",
        ),
        ({"decoder": {"type": "WordPiece"}}, "decoder: read the type 'WordPiece'"),
        (
            {"post_processor": {"type": "RobertaProcessing"}},
            "post_processor: read {'type': 'RobertaProcessing'}; expected a TemplateProcessing",
        ),
        (
            {"post_processor": {"type": "TemplateProcessing", "single": []}},
            "post_processor.single: read 0 texts; expected one",
        ),
        (
            {"added_tokens": [{"id": 0, "content": "<unk>", "lstrip": True}]},
            "added_tokens[0]: read the settings ['lstrip']; expected none",
        ),
        (
            {"added_tokens": [{"id": 77, "content": "<new>"}]},
            "added_tokens[0].id: read 77; expected 28",
        ),
    ],
)
def test_what_the_runtime_does_not_know_is_named(paper, change, said):
    refused = []

    tokenizer = read_tokenizer(paper | change, refused)

    assert tokenizer is None
    assert any(reason.startswith(said) for reason in refused), refused


def test_all_that_is_unknown_is_named_at_once(paper):
    paper |= {
        "padding": {},
        "normalizer": {"type": "Lowercase"},
        "decoder": {"type": "CTC"},
        "post_processor": {"type": "ByteLevel"},
    }
    paper["model"] |= {"dropout": 0.1, "unk_token": "<nothing>", "merges": [["a"], ["a", "q"]]}
    refused = []

    read_tokenizer(paper, refused)

    assert [reason.split(":")[0] for reason in refused] == [
        "padding",
        "model.dropout",
        "model.merges[0]",
        "model.merges[1]",
        "model.unk_token",
        "normalizer",
        "decoder",
        "post_processor",
    ]


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 40) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


def places_in(value, path=()):
    yield path
    inner = value.items() if isinstance(value, dict) else ()
    inner = enumerate(value) if isinstance(value, list) else inner
    for key, item in inner:
        yield from places_in(item, (*path, key))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_tokenizer_is_refused_or_read_but_never_a_crash(tokenizer_template, data):
    paper = copy.deepcopy(tokenizer_template)
    *path, last = data.draw(st.sampled_from([p for p in places_in(paper) if p]))
    spot = paper
    for key in path:
        spot = spot[key]
    spot[last] = data.draw(junk)
    refused = []

    tokenizer = read_tokenizer(paper, refused)

    assert (tokenizer is None) is bool(refused)
    if tokenizer is not None:
        tokenizer.decode(tokenizer.encode("12 abc가나ㄱ </s>"))
