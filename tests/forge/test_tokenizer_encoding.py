"""A tokenizer in plain Python: its ids against a slow twin, its digest, its folder."""

import json
import os
import signal
import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import RecipeError
from dokja.models.forge.tokenizing import (
    SPLITS,
    Tokenizer,
    byte_tokenizer,
    fast_encoder,
    first_difference,
    fits,
    padded,
    probe,
    read_tokenizer,
    same_merges,
    tokenizer_json,
    write_tokenizer,
)
from dokja.models.forge.tokenizing.byte_level import (
    BYTE_SIGNS,
    from_signs,
    merge_pieces,
    to_signs,
)
from dokja.models.forge.tokenizing.patterns import pieces
from dokja.models.forge.tokenizing.train import merges_of
from dokja.values import Digest

KOREAN = SPLITS["korean"].pattern


def slow_merges(symbols, merges):
    """Merge the earliest learned pair, leftmost first, looking at everything again each time."""
    symbols = list(symbols)
    while True:
        found = [
            (merges[pair], place) for place, pair in enumerate(pairwise(symbols)) if pair in merges
        ]
        if not found:
            return symbols
        merged, place = min(found)
        symbols[place : place + 2] = [merged]


def slow_training(texts, pattern, count):
    """Learn the most frequent pair, the smaller of equals, counting everything again each time."""
    words = [list(piece.encode()) for text in texts for piece in pieces(pattern, text)]
    merges = {}
    while len(merges) < count:
        counts = {}
        for word in words:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        pair = min(counts, key=lambda pair: (-counts[pair], pair))
        merges[pair] = 256 + len(merges)
        words = [slow_merges(word, merges) for word in words]
    return tuple(merges)


@pytest.fixture(scope="module")
def learned():
    merges = slow_training(probe().korean[:6], KOREAN, 120)
    return Tokenizer(merges=merges, pattern=KOREAN, specials=("<|endoftext|>", "<|pad|>"))


@given(
    st.lists(st.integers(0, 3), max_size=30),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12, unique=True),
)
def test_merging_with_a_heap_gives_the_ids_of_merging_by_looking_again(symbols, pairs):
    merges = {pair: 4 + place for place, pair in enumerate(pairs)}

    assert merge_pieces(symbols, merges) == slow_merges(symbols, merges)


def test_the_ids_of_the_probe_are_those_of_the_slow_twin(learned):
    merges = {pair: 256 + place for place, pair in enumerate(learned.merges)}
    for text in probe().texts:
        slow = [
            token for piece in pieces(KOREAN, text) for token in slow_merges(piece.encode(), merges)
        ]

        assert learned.encode(text) == slow


@given(st.text())
def test_every_text_comes_back(text):
    tokenizer = Tokenizer(merges=((0xEA, 0xB0), (256, 0x80)), pattern=KOREAN)

    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert byte_tokenizer().encode(text) == list(text.encode())


def test_every_token_of_a_learned_vocabulary_encodes_to_itself(learned):
    ranks = {token: place for place, token in enumerate(learned.vocabulary)}

    assert merges_of(ranks) == learned.merges


def test_a_text_that_looks_like_a_special_token_is_plain_text(learned):
    ids = learned.encode("<|endoftext|>")

    assert max(ids) < learned.end
    assert learned.decode(ids) == learned.decode([learned.end]) == "<|endoftext|>"


def test_sizes_count_specials_and_rows_are_padded(learned):
    assert (learned.size, learned.rows, learned.end) == (378, 384, 376)
    assert [padded(size) for size in (0, 1, 128, 129)] == [0, 128, 128, 256]
    assert byte_tokenizer().end is None


def test_half_a_surrogate_pair_is_refused_by_every_encoder(learned):
    for encode in (learned.encode, byte_tokenizer().encode, fast_encoder(byte_tokenizer())):
        with pytest.raises(RecipeError, match=r"half a surrogate pair, U\+D800, at sign 2"):
            encode("가\ud800")


def test_an_id_that_is_not_there_is_refused(learned):
    with pytest.raises(RecipeError, match=r"the id 378; expected a whole number from 0 to 377"):
        learned.decode([1, 378])


def test_all_that_is_wrong_with_a_tokenizer_is_told_at_once():
    with pytest.raises(RecipeError) as caught:
        Tokenizer(merges=((97, 97), (97, 97), (300, 1)), pattern=None, specials=("<a>", "<a>", ""))

    assert [mistake.place for mistake in caught.value.mistakes] == [
        "pattern",
        "merge 2",
        "merge 3",
        "special 2",
        "special 3",
    ]


def test_the_digest_is_pinned_and_changes_with_every_part(learned):
    parts = [
        learned,
        Tokenizer(merges=learned.merges[:-1], pattern=KOREAN, specials=learned.specials),
        Tokenizer(merges=learned.merges, pattern=".+", specials=learned.specials),
        Tokenizer(merges=learned.merges, pattern=KOREAN, specials=("<|pad|>", "<|endoftext|>")),
    ]

    assert len({part.digest for part in parts}) == 4
    assert str(byte_tokenizer(("<|endoftext|>",)).digest) == BYTES_DIGEST


BYTES_DIGEST = "sha256:f542bd386c045457e7e2492cba39d86134000bbb9cda30c10447a5d1fb910d53"


def test_merges_are_the_same_or_the_first_difference_is_named(learned):
    shorter = Tokenizer(merges=learned.merges[:-1], pattern=KOREAN)
    other = Tokenizer(merges=(*learned.merges[:-1], (0, 0)), pattern=KOREAN)

    assert same_merges(learned, Tokenizer(merges=learned.merges, pattern=KOREAN))
    assert not same_merges(learned, shorter)
    assert first_difference(learned, shorter) == "the one has 120 merges and the other 119"
    assert first_difference(learned, other).startswith("merge 120 is ")
    assert first_difference(learned, Tokenizer(merges=learned.merges, pattern="a")).startswith(
        "the split patterns are "
    )


@pytest.mark.parametrize("rows", [378, 384])
def test_a_tokenizer_fits_its_own_rows(learned, rows):
    fits(learned, rows, digest=learned.digest, file="tok")


def test_a_tokenizer_of_another_model_is_told_by_rows_and_digest(learned):
    with pytest.raises(RecipeError) as caught:
        fits(learned, 32000, digest=Digest.of(b"another"), file="tok")

    assert [(wrong.place, wrong.read) for wrong in caught.value.mistakes] == [
        ("digest", str(learned.digest)),
        ("size", "378 ids, 384 when padded to 128"),
    ]


def test_signs_stand_for_all_bytes_once():
    assert len(set(BYTE_SIGNS)) == 256
    assert [from_signs(to_signs(bytes([byte]))) for byte in range(256)] == [
        bytes([byte]) for byte in range(256)
    ]
    assert from_signs("가") is None
    assert all(sign.isprintable() and not sign.isspace() for sign in BYTE_SIGNS)


@pytest.mark.parametrize(
    ("ranks", "said"),
    [
        ({b"b": 0, b"a": 1}, "other tokens first"),
        ({bytes([byte]): byte for byte in range(256)} | {b"aa": 300}, "ids with gaps or twice"),
        ({bytes([byte]): byte for byte in range(256)} | {b"aaa": 256}, "of 3 parts"),
    ],
)
def test_ranks_that_no_training_gives_are_refused(ranks, said):
    with pytest.raises(RecipeError, match=said):
        merges_of(ranks)


def test_a_folder_is_read_back_as_it_was_written(learned, tmp_path):
    for name, tokenizer in (("bpe", learned), ("bytes", byte_tokenizer(("<|endoftext|>",)))):
        write_tokenizer(tokenizer, tmp_path / name)

        assert read_tokenizer(tmp_path / name) == tokenizer
        assert read_tokenizer(tmp_path / name / "tokenizer.json").digest == tokenizer.digest


def test_a_folder_in_the_way_is_left_as_it_is(learned, tmp_path):
    (tmp_path / "tok").mkdir()

    with pytest.raises(RecipeError, match="something that is there already"):
        write_tokenizer(learned, tmp_path / "tok")

    assert list(tmp_path.rglob("*")) == [tmp_path / "tok"]


def test_a_folder_without_a_parent_is_told(learned, tmp_path):
    with pytest.raises(RecipeError, match="No such file or directory"):
        write_tokenizer(learned, tmp_path / "no" / "tok")


def test_a_folder_that_fails_its_check_never_gets_its_name(learned, tmp_path):
    def refuse(folder):
        assert (folder / "tokenizer.json").exists()
        fits(learned, 1, file="tok")

    with pytest.raises(RecipeError):
        write_tokenizer(learned, tmp_path / "tok", check=refuse)

    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from dokja.models.forge.tokenizing import byte_tokenizer, write_tokenizer
die = lambda folder: os.kill(os.getpid(), signal.SIGKILL)
write_tokenizer(byte_tokenizer(), Path(sys.argv[1]), check=die)
"""


def test_a_killed_writer_leaves_no_folder_and_the_next_one_writes_it(tmp_path):
    folder = tmp_path / "tok"
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(folder)], check=False, env={**os.environ}
    )

    assert ended.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == [".tok.unfinished"]
    write_tokenizer(byte_tokenizer(), folder)
    assert [path.name for path in tmp_path.iterdir()] == ["tok"]


@pytest.mark.parametrize(
    ("keys", "value", "place"),
    [
        (("normalizer",), {"type": "NFC"}, "normalizer"),
        (("truncation",), {"max_length": 8}, "truncation"),
        (("model", "unk_token"), "<unk>", "model.unk_token"),
        (("model", "merges"), [], "model.merges"),
        (("model", "merges", 0), ["no", "token"], "model.merges"),
        (("model", "merges", 1), "a b", "model.merges"),
        (("added_tokens", 0, "lstrip"), True, "added_tokens"),
        (("added_tokens", 0), "<s>", "special 1"),
        (("model", "vocab"), [], "model"),
        (("more",), 1, "more"),
        (("decoder", "type"), "Fuse", "decoder.type"),
    ],
)
def test_a_file_that_this_reader_could_not_follow_is_refused(learned, tmp_path, keys, value, place):
    said = json.loads(json.dumps(tokenizer_json(learned)))
    *path, last = keys
    part = said
    for key in path:
        part = part[key]
    part[last] = value
    (tmp_path / "tokenizer.json").write_text(json.dumps(said), encoding="utf-8")

    with pytest.raises(RecipeError) as caught:
        read_tokenizer(tmp_path)

    assert caught.value.mistakes[0].place == place


def test_a_file_that_lacks_a_key_is_refused(learned, tmp_path):
    said = tokenizer_json(learned)
    del said["decoder"]
    (tmp_path / "tokenizer.json").write_text(json.dumps(said), encoding="utf-8")

    with pytest.raises(RecipeError, match=r"decoder: read nothing; expected this key"):
        read_tokenizer(tmp_path)


@pytest.mark.parametrize("content", [b"", b"[]", b"\xff", b'{"a": 1, "a": 2}', b"{}"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)

    with pytest.raises(RecipeError):
        read_tokenizer(tmp_path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(RecipeError, match="No such file or directory"):
        read_tokenizer(tmp_path)
