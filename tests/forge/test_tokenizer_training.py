"""Training with rustbpe, encoding with tiktoken, and the file that others read: equal, or an error.

The reference for the trainer is a twin that counts every pair again after each merge.
"""

import importlib
import json
import random
import subprocess
import sys
import unicodedata
from itertools import pairwise
from pathlib import Path

import pytest

from dokja.errors import CorpusError, RecipeError
from dokja.models.forge.tokenizing import (
    SPLITS,
    LintOutcome,
    SplitPattern,
    Tokenizer,
    build_tokenizer,
    byte_tokenizer,
    check_agreement,
    disagreement,
    fast_encoder,
    file_encoder,
    first_difference,
    lint,
    open_subject,
    probe,
    read_tokenizer,
    report,
    same_merges,
    subject,
    train_tokenizer,
    write_tokenizer,
)
from dokja.models.forge.tokenizing.patterns import pieces
from dokja.values import Missing

pytestmark = pytest.mark.torch

NEWS = Path(__file__).parents[3] / "shared/data/news/zdnet-korea-national-ai.txt"
TEXTS = (*probe().korean, *probe().english, *probe().code)


def slow_training(texts, pattern, count):
    """Learn the most frequent pair, the smaller of equals, counting everything again each time."""
    words = [list(piece.encode()) for text in texts for piece in pieces(pattern, text)]
    merges = []
    while len(merges) < count:
        counts = {}
        for word in words:
            for pair in pairwise(word):
                counts[pair] = counts.get(pair, 0) + 1
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        for word in words:
            place = 0
            while place < len(word) - 1:
                if (word[place], word[place + 1]) == best:
                    word[place : place + 2] = [256 + len(merges)]
                place += 1
        merges.append(best)
    return tuple(merges)


@pytest.fixture(scope="module")
def news():
    if not NEWS.exists():
        pytest.skip("the Korean news sample lies beside the repository and is not here")
    with NEWS.open(encoding="utf-8", newline="") as stream:
        return stream.read()


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "tok"
    trained = build_tokenizer(
        TEXTS, folder, size=700, split="korean", specials=("<|end|>", "<|p|>")
    )
    return trained.tokenizer, folder


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_merges_are_those_of_the_slow_twin(split):
    trained = train_tokenizer(TEXTS, size=256 + 200, split=split, specials=())

    assert trained.tokenizer.merges == slow_training(TEXTS, SPLITS[split].pattern, 200)
    assert trained.documents == len(TEXTS)
    assert trained.bytes == sum(len(text.encode()) for text in TEXTS)


def test_runs_and_the_order_of_documents_change_no_merge():
    first = train_tokenizer(TEXTS, size=700).tokenizer
    shuffled = [*TEXTS]
    random.Random(7).shuffle(shuffled)  # noqa: S311  # an order, not a secret

    again = [train_tokenizer(texts, size=700) for texts in (TEXTS, reversed(TEXTS), shuffled)]

    assert [same_merges(first, other.tokenizer) for other in again] == [True, True, True]
    assert {other.tokenizer.digest for other in again} == {first.digest}


def test_where_documents_end_can_change_a_merge():
    whole = train_tokenizer(["ab ab ab cd"], size=258, specials=()).tokenizer
    parts = train_tokenizer(["a", "b a", "b ab cd cd"], size=258, specials=()).tokenizer

    assert first_difference(whole, parts) is not None


THREADS = """
import sys
from dokja.models.forge.tokenizing import probe, train_tokenizer
print(train_tokenizer([*probe().korean, *probe().code] * 50, size=600).tokenizer.digest)
"""


def test_the_number_of_threads_changes_no_merge():
    told = {
        subprocess.run(
            [sys.executable, "-c", THREADS],
            env={"RAYON_NUM_THREADS": threads},
            check=True,
            capture_output=True,
        ).stdout
        for threads in ("1", "2", "5")
    }

    assert len(told) == 1


def test_a_built_folder_reads_back_and_gives_equal_ids_everywhere(built):
    tokenizer, folder = built

    assert sorted(path.name for path in folder.iterdir()) == [
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert read_tokenizer(folder) == tokenizer
    assert (tokenizer.size, tokenizer.rows) == (700, 768)
    quick, others = fast_encoder(tokenizer), file_encoder(folder / "tokenizer.json")
    for text in (*probe().texts, "\n".join(probe().texts), "가" * 5000, " " * 3000):
        assert tokenizer.encode(text) == quick(text) == others(text)


def test_transformers_reads_the_folder_and_meets_no_special_in_a_plain_text(built):
    transformers = importlib.import_module("transformers")
    tokenizer, folder = built
    loaded = transformers.AutoTokenizer.from_pretrained(folder)
    text = "가<|end|>나 \r\n"

    ids = loaded(text)["input_ids"]

    assert ids == tokenizer.encode(text)
    assert loaded.decode(ids) == text
    assert (loaded.eos_token_id, len(loaded)) == (tokenizer.end, tokenizer.size)


def test_plain_bytes_have_a_file_that_others_read(tmp_path):
    tokenizer = byte_tokenizer(("<|endoftext|>",))
    write_tokenizer(tokenizer, tmp_path / "bytes")

    check_agreement(tokenizer, tmp_path / "bytes")

    assert file_encoder(tmp_path / "bytes" / "tokenizer.json")("독") == [235, 143, 133]


def test_a_pattern_that_leaves_signs_out_is_refused_and_nothing_is_written(tmp_path):
    leaky = SplitPattern(name="leaky", pattern=r"\p{L}+|\s+")

    with pytest.raises(
        RecipeError, match=r"from tiktoken for .*as our own encoder has it"
    ) as caught:
        build_tokenizer(TEXTS, tmp_path / "tok", size=400, split=leaky)

    assert caught.value.mistakes[0].place == "equal ids"
    assert list(tmp_path.iterdir()) == []


def test_an_encoder_that_differs_is_shown_at_its_first_difference(built):
    tokenizer, _ = built

    wrong = disagreement(
        tokenizer.encode, lambda text: tokenizer.encode(text)[:-1], texts=["가"], name="short"
    )

    assert wrong.read == "id 1 is missing from short for '가'"


@pytest.mark.parametrize(
    ("texts", "read"),
    [
        ([], "no text at all"),
        (["", ""], "2 empty texts"),
        (["가", "나\ud800"], "half a surrogate pair at sign 2"),
        ([b"\xb0\xa1", "가", b"\xff"], "byte 0xb0 at position 1"),
    ],
)
def test_a_corpus_that_is_empty_or_not_utf8_is_refused(texts, read):
    with pytest.raises(CorpusError) as caught:
        train_tokenizer(texts, size=300, name="ko-mix")

    assert caught.value.mistakes[0].read == read
    assert caught.value.mistakes[0].file == "ko-mix"


def test_every_text_that_is_not_utf8_is_named_up_to_twenty():
    with pytest.raises(CorpusError) as caught:
        train_tokenizer(["가", *[b"\xff"] * 30], size=300)

    assert [wrong.place for wrong in caught.value.mistakes] == [
        f"document {number}" for number in range(2, 22)
    ]


def test_all_that_is_wrong_with_the_wish_is_told_at_once():
    with pytest.raises(RecipeError) as caught:
        train_tokenizer(TEXTS, size=257, split="eojeol", specials=("<a>", "<a>"))

    assert [wrong.place for wrong in caught.value.mistakes] == ["size", "split", "special 2"]


def test_a_pattern_that_only_python_reads_is_refused():
    with pytest.raises(RecipeError, match="Invalid regex pattern"):
        train_tokenizer(TEXTS, size=300, split=SplitPattern(name="n", pattern="(?a:.)|."))


def test_a_pattern_that_engines_read_differently_is_refused():
    with pytest.raises(RecipeError, match="different things to different engines"):
        train_tokenizer(TEXTS, size=300, split=SplitPattern(name="w", pattern=r"\w+|\W"))


def test_a_corpus_too_small_for_its_size_is_refused():
    with pytest.raises(RecipeError, match=r"texts that give 258 ids; expected 300\. Lower the"):
        train_tokenizer(["abc"], size=300, specials=())


# The note's row over 122 kB of Korean news; ours are of the split with digits in threes.
@pytest.mark.parametrize(
    ("size", "eojeol", "characters", "cut", "partial"),
    [(512, 4.64, 0.94, 40.5, 55.5), (2000, 2.37, 1.85, 4.8, 12.1)],
)
def test_a_real_text_gives_the_figures_of_the_design_note(
    news, size, eojeol, characters, cut, partial
):
    tokenizer = train_tokenizer([news], size=size, split="llama3-threes", specials=()).tokenizer

    found = report(
        subject(tokenizer, name="news", encode=fast_encoder(tokenizer)), texts={"news": news}
    )

    measures = found.texts[3].measures
    assert measures["tokens_per_eojeol"].value == pytest.approx(eojeol, abs=0.02)
    assert measures["characters_per_token"].value == pytest.approx(characters, abs=0.02)
    assert 100 * measures["syllables_cut"].value == pytest.approx(cut, abs=0.3)
    assert 100 * measures["partial_tokens"].value == pytest.approx(partial, abs=0.5)


@pytest.mark.parametrize("split", sorted(SPLITS))
def test_all_encoders_agree_on_a_real_text(news, tmp_path, split):
    lines = news.splitlines(keepends=True)

    tokenizer = build_tokenizer(lines, tmp_path / "tok", size=3000, split=split).tokenizer

    ids = tokenizer.encode(news)
    assert ids == fast_encoder(tokenizer)(news)
    assert ids == file_encoder(tmp_path / "tok" / "tokenizer.json")(news)
    nfd = unicodedata.normalize("NFD", news)
    assert tokenizer.decode(fast_encoder(tokenizer)(nfd)) == nfd


def test_a_file_opened_as_anybodys_gives_the_report_of_our_own(built):
    tokenizer, folder = built

    theirs = report(open_subject(folder, name="tok")).to_json()

    ours = report(subject(tokenizer, name="tok")).to_json()
    assert {**theirs, "digest": ours["digest"]} == ours


def test_a_lossy_sentencepiece_file_is_measured_and_looked_through(tmp_path):
    tokenizers = importlib.import_module("tokenizers")
    library = tokenizers.Tokenizer(tokenizers.models.Unigram())
    library.normalizer = tokenizers.normalizers.NFKC()
    library.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    library.decoder = tokenizers.decoders.Metaspace()
    terms = {"vocab_size": 400, "unk_token": "<unk>", "special_tokens": ["<unk>"]}
    trainer = tokenizers.trainers.UnigramTrainer(show_progress=False, **terms)
    library.train_from_iterator(probe().korean, trainer)
    library.save(str(tmp_path / "tokenizer.json"))

    findings = {each.check: each for each in lint(tmp_path)}
    line = probe().korean[2]
    found = report(open_subject(tmp_path, name="unigram"), texts={"line": line})

    assert findings["round-trip"].outcome is LintOutcome.FAILS
    assert findings["normaliser-keeps"].outcome is LintOutcome.FAILS
    assert findings["unk-absent"].outcome is LintOutcome.FAILS
    korean, *_, one = found.texts
    assert one.measures["syllables_cut"].value == 0.0
    assert isinstance(korean.measures["syllables_cut"], Missing)  # it loses the line breaks
    assert len(found.losses) > 3


def test_what_the_package_refuses_is_told_in_our_words(tmp_path):
    said = {"model": {"type": "BPE", "vocab": {"a": 0}, "merges": [["x", "y"]]}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(said), encoding="utf-8")

    with pytest.raises(RecipeError, match="something that the tokenizers package refuses"):
        open_subject(tmp_path, name="broken")


def test_a_token_that_pairs_would_miss_cannot_be_made():
    with pytest.raises(RecipeError, match="each token made once"):
        Tokenizer(merges=((97, 98), (98, 99), (97, 257), (256, 99)), pattern=".+")
