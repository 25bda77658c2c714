"""Batches are the windows that the order names, read from real corpora."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dokja.documents.packing import CorpusFacts, open_corpus, write_corpus
from dokja.errors import CorpusError
from dokja.models.forge.corpora import Order, OrderSource, TokenData, open_data
from dokja.values import Digest

FACTS = CorpusFacts(
    name="ko",
    tokenizer=Digest.of(b"bytes"),
    vocabulary=1000,
    licence="CC0-1.0",
    origin="counted",
    collected="2026-01-15",
    personal_data="none",
)
LENGTH = 8
SEED = "5eed" * 16


def pack(folder, *, first, tokens, **facts):
    """Pack numbers that rise from `first`, so that every window tells where it was."""
    ids = np.arange(first, first + tokens) % 1000
    return write_corpus(
        ["x"], folder, encode=lambda _: ids, facts=replace(FACTS, **facts), shard_tokens=37
    )


def source(name, weight, max_repeats=4, **more):
    return {"name": name, "corpus": name, "weight": weight, "max_repeats": max_repeats, **more}


def job(*sources, seed=SEED):
    return {"seed": seed, "sources": list(sources)}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    pack(folder / "ko", first=0, tokens=403)
    pack(folder / "en", first=500, tokens=161)
    return folder


@pytest.fixture(scope="module")
def data(base):
    with open_data(job(source("ko", 0.7), source("en", 0.3)), base=base, length=LENGTH) as data:
        yield data


def slow_batch(data, start, stop):
    rows = []
    for instance in range(start, stop):
        place, window = (part[0] for part in data.order.instances(instance, instance + 1))
        tokens = data.corpora[place].read(0, data.corpora[place].tokens)
        rows.append(tokens[int(window) * LENGTH : (int(window) + 1) * LENGTH].tolist())
    return rows


def test_windows_are_whole_and_come_from_their_corpora(data):
    assert [source.windows for source in data.order.sources] == [50, 20]
    assert (data.vocabulary, data.tokenizer) == (1000, FACTS.tokenizer)


@settings(max_examples=25)
@given(st.integers(0, 200), st.integers(0, 20))
def test_batch_is_the_slow_one(data, start, count):
    found = data.batch(start, start + count)

    assert (found.dtype, found.shape) == (np.int64, (count, LENGTH))
    assert found.tolist() == slow_batch(data, start, start + count)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_batches_are_equal_under_every_world(data, world):
    batch = 8
    share = batch // world

    for step in range(20):
        ranks = [
            data.batch(step * batch + rank * share, step * batch + (rank + 1) * share)
            for rank in range(world)
        ]
        whole = data.batch(step * batch, (step + 1) * batch)
        assert np.concatenate(ranks).tolist() == whole.tolist()


def test_every_window_of_a_source_is_read_once_per_epoch(base):
    with open_data(job(source("ko", 1)), base=base, length=LENGTH) as data:
        first = sorted(data.batch(0, 50)[:, 0].tolist())
        second = sorted(data.batch(50, 100)[:, 0].tolist())

    assert first == second == list(range(0, 400, LENGTH))


def test_batch_digest_commits_to_tokens_and_place(data):
    tokens = data.batch(3, 11)
    stated = b"dokja.batch/1\x00" + b"".join(n.to_bytes(8, "little") for n in (3, 11, LENGTH))
    ids = b"".join(int(token).to_bytes(4, "little") for token in tokens.reshape(-1))

    assert data.batch_digest(3, 11).hex == hashlib.sha256(stated + ids).hexdigest()
    assert data.batch_digest(3, 11) != data.batch_digest(4, 12)


def test_batch_digest_of_many_instances_is_that_of_their_parts(base):
    with open_data(job(source("ko", 1, 20)), base=base, length=LENGTH) as data:
        stated = b"dokja.batch/1\x00" + np.array([0, 600, LENGTH], dtype="<u8").tobytes()
        tokens = data.batch(0, 600).astype("<u4").tobytes()

        assert data.batch_digest(0, 600).hex == hashlib.sha256(stated + tokens).hexdigest()


def test_run_that_asks_for_too_much_is_refused_before_it_begins(data):
    with pytest.raises(CorpusError, match="source 'en'"):
        data.order.check(300)

    assert data.order.check(200) is None


def test_paths_start_from_the_folder_of_the_job(base):
    (base / "run").mkdir(exist_ok=True)
    there = source("ko", 1)
    there["corpus"] = "../ko"

    with open_data(job(there), base=base / "run", length=LENGTH) as data:
        assert data.order.sources[0].windows == 50


@pytest.mark.parametrize(
    ("said", "places"),
    [
        ({}, ["seed", "sources"]),
        (job(source("ko", 1), seed="xy"), ["seed"]),
        (job(source("ko", 1), seed=""), ["seed"]),
        (job(seed=SEED), ["sources"]),
        ({"seed": SEED, "sources": "ko"}, ["sources"]),
        (job("ko"), ["sources[0]"]),
        (job(source("ko", 1, more=1)), ["sources[0]"]),
        (
            job(source("", "1", 1.5), source("ko", weight=True)),
            [
                "sources[0].name",
                "sources[0].corpus",
                "sources[0].weight",
                "sources[0].max_repeats",
                "sources[1].weight",
            ],
        ),
    ],
)
def test_data_that_is_wrong_is_told_whole(base, said, places):
    with pytest.raises(CorpusError) as caught:
        open_data(said, base=base, length=LENGTH)

    assert [mistake.place for mistake in caught.value.mistakes] == places


@pytest.mark.parametrize("length", [0, -1, 8.0, True])
def test_length_is_a_whole_number(base, length):
    with pytest.raises(CorpusError, match=r"length: read .*; expected a whole number of tokens"):
        open_data(job(source("ko", 1)), base=base, length=length)


def test_missing_corpora_and_other_tokenizers_are_all_named(base):
    said = job(source("ko", 1), source("nowhere", 1), source("gone", 1))

    with pytest.raises(CorpusError) as caught:
        open_data(said, base=base, length=LENGTH, tokenizer=Digest.of(b"another"))

    files = [mistake.file.removeprefix(f"{base}/") for mistake in caught.value.mistakes]
    assert files == ["ko/manifest.json", "nowhere/manifest.json", "gone/manifest.json"]


def test_vocabulary_beyond_the_model_is_refused(base):
    with pytest.raises(CorpusError) as caught:
        open_data(job(source("ko", 1)), base=base, length=LENGTH, vocabulary=999)

    assert [mistake.expected for mistake in caught.value.mistakes] == [
        "at most the 999 that the model has rows for"
    ]
    open_data(job(source("ko", 1)), base=base, length=LENGTH, vocabulary=1000).close()


def test_corpus_shorter_than_a_window_is_refused(base):
    with pytest.raises(CorpusError, match="shorter than one window"):
        open_data(job(source("en", 1)), base=base, length=200)


def test_corpora_of_two_tokenizers_are_not_mixed(base, tmp_path):
    pack(tmp_path / "other", first=0, tokens=80, tokenizer=Digest.of(b"another"))
    corpora = [open_corpus(base / "ko"), open_corpus(tmp_path / "other")]
    order = Order(b"s", (OrderSource(name="a", windows=50), OrderSource(name="b", windows=10)))

    with pytest.raises(CorpusError, match="Pack all sources of a mixture with one tokenizer"):
        TokenData(LENGTH, order, corpora)


def test_order_and_corpora_that_do_not_fit_are_refused(base):
    corpus = open_corpus(base / "ko")
    order = Order(b"s", (OrderSource(name="a", windows=49),))

    with pytest.raises(CorpusError, match="50 windows of 8 tokens; expected the 49 of the order"):
        TokenData(LENGTH, order, [corpus])
    with pytest.raises(CorpusError, match="2 corpora; expected one for each"):
        TokenData(LENGTH, order, [corpus, corpus])
