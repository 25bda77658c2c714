"""A corpus is what its texts were, whole or not there; whatever is wrong with one is said."""

import contextlib
import fcntl
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from dokja.documents.packing import CorpusFacts, open_corpus, write_corpus
from dokja.documents.packing.manifest import parse_manifest
from dokja.errors import CorpusError
from dokja.values import Digest

TOKENIZER = Digest.of(b"bytes")
FACTS = CorpusFacts(
    name="ko-news",
    tokenizer=TOKENIZER,
    vocabulary=256,
    licence="CC-BY-SA-4.0",
    origin="written for this test",
    collected="2026-01-15",
    filters=("nothing shorter than a word",),
    personal_data="none",
)
TEXTS = ["독자에게", "", "a b c", "끝"]


def to_bytes(text):
    return list(text.encode())


def pack(folder, texts=TEXTS, **options):
    return write_corpus(texts, folder, **{"encode": to_bytes, "facts": FACTS, **options})


def mistakes_of(work, *words, **options):
    with pytest.raises(CorpusError) as caught:
        work(*words, **options)
    return [(mistake.place, mistake.read) for mistake in caught.value.mistakes]


def held():
    """Count this process's open files; listing them opens one more each time."""
    return len(list(Path("/proc/self/fd").iterdir()))


def left_in(folder):
    return sorted(path.name for path in folder.iterdir())


def age(folder):
    """Set the files' times back: clocks of file systems are coarser than a test."""
    for path in folder.iterdir():
        os.utime(path, (0, 0))


@pytest.fixture
def corpus(tmp_path):
    pack(tmp_path / "ko", shard_tokens=7)
    age(tmp_path / "ko")
    return open_corpus(tmp_path / "ko")


def test_corpus_is_laid_out_as_documented(tmp_path):
    pack(tmp_path / "ko", ["ab", "cde"], shard_tokens=4)

    files = {path.name: path.read_bytes() for path in (tmp_path / "ko").iterdir()}

    manifest = files.pop("manifest.json")
    assert files == {
        "tokens-00000.u16": b"a\0b\0c\0d\0",
        "tokens-00001.u16": b"e\0",
        "docs.u64": b"".join(at.to_bytes(8, "little") for at in (0, 2, 5)),
    }
    assert json.loads(manifest) == {
        "schema": "dokja.corpus/1",
        "name": "ko-news",
        "tokenizer": str(TOKENIZER),
        "vocabulary": 256,
        "dtype": "u16",
        "shards": [
            {
                "file": "tokens-00000.u16",
                "tokens": 4,
                "sha256": hashlib.sha256(b"a\0b\0c\0d\0").hexdigest(),
            },
            {
                "file": "tokens-00001.u16",
                "tokens": 1,
                "sha256": hashlib.sha256(b"e\0").hexdigest(),
            },
        ],
        "docs": {"file": "docs.u64", "sha256": hashlib.sha256(files["docs.u64"]).hexdigest()},
        "documents": 2,
        "tokens": 5,
        "text_bytes": 5,
        "licence": "CC-BY-SA-4.0",
        "origin": "written for this test",
        "collected": "2026-01-15",
        "filters": ["nothing shorter than a word"],
        "personal_data": "none",
    }


@settings(max_examples=20)
@given(st.lists(st.text(max_size=12), min_size=1, max_size=8), st.integers(1, 9), st.booleans())
def test_what_was_packed_is_read_again(tmp_path_factory, texts, shard_tokens, marked):
    ids = [[*text.encode(), *([0] if marked else [])] for text in texts]
    flat = [token for document in ids for token in document]
    assume(flat)
    folder = tmp_path_factory.mktemp("corpus") / "ko"

    corpus = pack(folder, texts, shard_tokens=shard_tokens, end_of_document=0 if marked else None)

    corpus.verify()
    assert corpus.read(0, corpus.tokens).tolist() == flat
    assert [corpus.document(number).tolist() for number in range(len(texts))] == ids
    assert (corpus.tokens, corpus.documents) == (len(flat), len(texts))
    assert corpus.manifest.text_bytes == sum(len(text.encode()) for text in texts)


def test_any_part_is_read_alone_across_shards(corpus):
    whole = corpus.read(0, corpus.tokens).tolist()

    for start in range(corpus.tokens + 1):
        for stop in range(start, corpus.tokens + 1):
            assert corpus.read(start, stop).tolist() == whole[start:stop]
    assert len(corpus.manifest.shards) == 3


@pytest.mark.parametrize(("vocabulary", "dtype"), [(65_536, "u16"), (65_537, "u32")])
def test_ids_are_stored_as_narrowly_as_the_vocabulary_allows(tmp_path, vocabulary, dtype):
    facts = replace(FACTS, vocabulary=vocabulary)

    corpus = pack(tmp_path / "ko", ["x"], facts=facts, encode=lambda _: [0, vocabulary - 1])

    assert corpus.manifest.dtype == dtype
    assert corpus.read(0, 2).tolist() == [0, vocabulary - 1]
    assert corpus.read(0, 2).dtype == {"u16": np.uint16, "u32": np.uint32}[dtype]


def test_windows_are_whole(corpus):
    assert (corpus.tokens, corpus.windows(5), corpus.windows(21)) == (20, 4, 0)


def test_digest_names_the_content_and_not_its_spacing(tmp_path, corpus):
    again = pack(tmp_path / "again", shard_tokens=7)
    other = pack(tmp_path / "other", ["독자"], shard_tokens=7)
    path = corpus.path / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()), indent=2))

    assert open_corpus(corpus.path).digest == again.digest
    assert again.digest != other.digest


def test_manifest_is_opened_by_its_own_name_too(corpus):
    assert open_corpus(corpus.path / "manifest.json").digest == corpus.digest


@pytest.mark.parametrize("span", [(-1, 2), (3, 2), (0, 21)])
def test_tokens_that_are_not_there_are_an_error(corpus, span):
    with pytest.raises(IndexError, match="a corpus of 20 tokens has none"):
        corpus.read(*span)


def test_documents_that_are_not_there_are_an_error(corpus):
    with pytest.raises(IndexError, match="has no document 4"):
        corpus.document(4)
    with pytest.raises(IndexError, match="has no 0 to 6"):
        corpus.offsets(0, 6)


def test_missing_manifest_is_named(tmp_path):
    assert mistakes_of(open_corpus, tmp_path) == [("", "nothing: No such file or directory")]


def test_missing_short_and_strange_files_are_all_named(corpus):
    (corpus.path / "tokens-00000.u16").unlink()
    (corpus.path / "tokens-00001.u16").write_bytes(b"abc")
    (corpus.path / "tokens-00002.u16").unlink()
    os.mkfifo(corpus.path / "tokens-00002.u16")
    (corpus.path / "docs.u64").write_bytes(b"")

    with pytest.raises(CorpusError) as caught:
        open_corpus(corpus.path, tokenizer=Digest.of(b"another"))

    told = [(mistake.file.rpartition("/")[2], mistake.read) for mistake in caught.value.mistakes]
    assert told == [
        ("manifest.json", str(TOKENIZER)),
        ("tokens-00000.u16", "nothing: No such file or directory"),
        ("tokens-00001.u16", "3 bytes"),
        ("tokens-00002.u16", "a folder, pipe, socket or device"),
        ("docs.u64", "0 bytes"),
    ]
    assert caught.value.mistakes[2].expected == "the 14 that the manifest says"


def test_tokenizer_that_was_asked_for_is_accepted(corpus):
    assert open_corpus(corpus.path, tokenizer=TOKENIZER).digest == corpus.digest


def test_changed_files_are_found_by_their_digests(corpus):
    for name in ("tokens-00001.u16", "docs.u64"):
        raw = bytearray((corpus.path / name).read_bytes())
        raw[0] ^= 1
        (corpus.path / name).write_bytes(raw)

    with pytest.raises(CorpusError) as caught:
        open_corpus(corpus.path).verify()

    told = [mistake.file.rpartition("/")[2] for mistake in caught.value.mistakes]
    assert told == ["tokens-00001.u16", "docs.u64"]
    assert caught.value.mistakes[0].expected.endswith("as the manifest says")


def test_every_file_that_vanished_is_named_while_verifying(corpus):
    (corpus.path / "tokens-00000.u16").unlink()
    (corpus.path / "tokens-00002.u16").unlink()

    assert mistakes_of(corpus.verify) == [("", "nothing: No such file or directory")] * 2


def test_verifying_tells_how_far_it_is(corpus):
    told = []

    corpus.verify(progress=told.append)

    assert told == [14, 14, 12, 40]


def test_manifest_of_absurd_size_is_not_read(corpus):
    os.truncate(corpus.path / "manifest.json", (64 << 20) + 1)

    assert mistakes_of(open_corpus, corpus.path) == [("", "67108865 bytes")]


def rewrite(folder, name, raw):
    """Change a file together with its digest, as a wrong packer would."""
    (folder / name).write_bytes(raw)
    manifest = json.loads((folder / "manifest.json").read_bytes())
    for entry in [*manifest["shards"], manifest["docs"]]:
        if entry["file"] == name:
            entry["sha256"] = hashlib.sha256(raw).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_ids_and_offsets_are_verified_and_not_only_digests(corpus):
    rewrite(corpus.path, "tokens-00000.u16", b"\0\1" * 7)
    offsets = np.array([0, 12, 5, 5, 20], dtype="<u8")
    rewrite(corpus.path, "docs.u64", offsets.tobytes())

    found = mistakes_of(open_corpus(corpus.path).verify)

    assert found == [
        ("", "an id outside the vocabulary"),
        ("", "offsets that do not lead through the tokens"),
    ]


@pytest.mark.parametrize("offsets", [[1, 12, 12, 17, 20], [0, 12, 12, 17, 19]])
def test_offsets_begin_and_end_with_the_tokens(corpus, offsets):
    rewrite(corpus.path, "docs.u64", np.array(offsets, dtype="<u8").tobytes())

    found = mistakes_of(open_corpus(corpus.path).verify)

    assert found == [("", "offsets that do not lead through the tokens")]


def test_file_that_changes_after_opening_is_not_read(corpus):
    corpus.read(0, 20)

    with (corpus.path / "tokens-00001.u16").open("r+b") as file:
        file.write(b"x")

    assert corpus.read(0, 7).tolist() == list("독자에게".encode())[:7]
    assert mistakes_of(corpus.read, 5, 9) == [
        ("", "another file than the one that was found when the corpus was opened")
    ]


def test_file_that_vanishes_after_opening_is_named(corpus):
    (corpus.path / "tokens-00001.u16").unlink()

    assert mistakes_of(corpus.read, 5, 9) == [("", "nothing: No such file or directory")]


def test_closed_corpus_opens_its_files_again(corpus):
    before = corpus.read(0, 20).tolist()
    open_files = held()

    with corpus:
        corpus.read(0, 20)

    assert held() == open_files - 3
    assert corpus.read(0, 20).tolist() == before
    corpus.close()


def test_more_shards_than_stay_open_are_read(tmp_path):
    text = "x" * 200
    corpus = pack(tmp_path / "ko", [text], shard_tokens=1)
    open_files = held()

    assert corpus.read(0, 200).tolist() == [ord("x")] * 200
    assert held() == open_files + 64
    corpus.close()


def test_threads_read_one_corpus(tmp_path):
    corpus = pack(tmp_path / "ko", ["abcdefgh" * 64], shard_tokens=5)
    whole = corpus.read(0, 512).tolist()
    corpus.close()

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(lambda at: corpus.read(at, at + 8).tolist(), range(0, 504, 3)))

    assert parts == [whole[at : at + 8] for at in range(0, 504, 3)]
    corpus.close()


def test_another_process_opens_its_own_files(corpus):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(corpus.read, (3, 9))

    assert found.tolist() == corpus.read(3, 9).tolist()


def test_id_outside_the_vocabulary_is_named_and_nothing_stays(tmp_path):
    facts = replace(FACTS, vocabulary=100)

    with pytest.raises(CorpusError) as caught:
        pack(tmp_path / "ko", ["AB", "Ax", "zz", "AA"], facts=facts)

    assert [str(mistake) for mistake in caught.value.mistakes] == [
        f"ko, document {document}, token {token}: read the id {read}; expected whole numbers from "
        "0 to 99. Name the vocabulary of the tokenizer that encodes, with its special tokens."
        for document, token, read in ((1, 1, 120), (2, 0, 122))
    ]
    assert caught.value.changed == "Nothing was kept of what had been written."
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    "ids", [[-1], [1.5], ["a"], [[1, 2]], [2**70], [256], np.array([3, 300], dtype=np.uint16)]
)
def test_ids_that_are_none_are_refused(tmp_path, ids):
    found = mistakes_of(pack, tmp_path / "ko", ["x"], encode=lambda _: ids)

    assert len(found) == 1
    assert left_in(tmp_path) == []


def test_first_mistakes_of_many_are_told_without_encoding_everything(tmp_path):
    seen = []

    def encode(text):
        seen.append(text)
        return [999]

    found = mistakes_of(pack, tmp_path / "ko", (str(n) for n in range(10_000)), encode=encode)

    assert (len(found), len(seen)) == (20, 1001)


def test_half_a_surrogate_pair_is_no_text(tmp_path):
    found = mistakes_of(pack, tmp_path / "ko", ["ab", "a\ud800"])

    assert found == [("sign 2", r"'\ud800'")]


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_corpus_without_a_token_is_refused(tmp_path, texts):
    found = mistakes_of(pack, tmp_path / "ko", texts)

    assert found == [("", f"{len(texts)} documents without one token")]
    assert left_in(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "place"),
    [
        ({"dtype": "u16", "facts": replace(FACTS, vocabulary=65_537)}, "dtype"),
        ({"dtype": "u8"}, "dtype"),
        ({"end_of_document": 256}, "end_of_document"),
        ({"shard_tokens": 0}, "shard_tokens"),
    ],
)
def test_options_that_do_not_fit_are_refused(tmp_path, options, place):
    assert [found for found, _ in mistakes_of(pack, tmp_path / "ko", **options)] == [place]


@pytest.mark.parametrize(
    "licence",
    [
        "MIT",
        "GPL-2.0+",
        "CC-BY-SA-4.0 AND (MIT OR Apache-2.0)",
        "(MIT OR (Apache-2.0 AND ISC))",
        "GPL-2.0-only WITH Classpath-exception-2.0",
        "LicenseRef-kogl-type-1",
        "sha256:" + "0" * 64,
    ],
)
def test_licences_are_expressions_or_digests(tmp_path, licence):
    corpus = pack(tmp_path / "ko", facts=replace(FACTS, licence=licence))

    assert corpus.manifest.facts.licence == licence


@pytest.mark.parametrize(
    "licence",
    [
        "",
        "free to use",
        "MIT or so",
        "(MIT",
        "MIT)",
        ")MIT(",
        "MIT OR",
        "() MIT",
        "sha256:ab",
        "자유",
    ],
)
def test_licences_that_are_none_are_refused(tmp_path, licence):
    found = mistakes_of(pack, tmp_path / "ko", facts=replace(FACTS, licence=licence))

    assert [place for place, _ in found] == ["licence"]


def test_all_wrong_facts_are_told_at_once(tmp_path):
    facts = CorpusFacts(
        name="Ko News",
        tokenizer=TOKENIZER,
        vocabulary=0,
        licence="whatever you like",
        origin=" ",
        collected="2026-02-30",
        filters=("fine", "two\nlines"),
        personal_data="",
    )

    found = mistakes_of(pack, tmp_path / "ko", facts=facts)

    assert [place for place, _ in found] == [
        "name",
        "vocabulary",
        "licence",
        "origin",
        "collected",
        "personal_data",
        "filters[1]",
    ]


@pytest.mark.parametrize("days", ["2025-01-01/2025-06-30", "2026-01-15"])
def test_days_of_collection_are_one_or_two(tmp_path, days):
    assert pack(tmp_path / "ko", facts=replace(FACTS, collected=days)).tokens == 20


@pytest.mark.parametrize(
    "days", ["2025", "20250101", "2025-06-30/2025-01-01", "2025-01-01/", "2025-01-01/2025-01-0"]
)
def test_days_that_are_none_are_refused(tmp_path, days):
    found = mistakes_of(pack, tmp_path / "ko", facts=replace(FACTS, collected=days))

    assert found == [("collected", repr(days))]


@pytest.mark.parametrize(
    ("change", "places"),
    [
        ({"schema": "dokja.corpus/2"}, ["schema"]),
        ({"tokens": 21}, ["tokens"]),
        ({"tokens": "20"}, ["tokens"]),
        ({"tokens": True}, ["tokens"]),
        ({"shards": []}, ["shards"]),
        ({"shards": [{"file": "../x", "tokens": 20, "sha256": "0" * 64}]}, ["shards[0].file"]),
        (
            {"shards": [{"file": "x", "tokens": 0, "sha256": "0"}]},
            ["shards[0].tokens", "shards[0].sha256"],
        ),
        ({"shards": [{"file": "x", "tokens": 10, "sha256": "0" * 64}] * 2}, ["shards"]),
        ({"shards": [{"file": "docs.u64", "tokens": 20, "sha256": "0" * 64}]}, ["shards[0].file"]),
        ({"dtype": "u16", "vocabulary": 70_000}, ["dtype"]),
        (
            {"tokenizer": "abc", "licence": "free to use", "more": 1},
            ["tokenizer", "licence", "more"],
        ),
        ({"documents": 0}, ["documents"]),
        ({"origin": "e\u0301"}, ["origin"]),
    ],
)
def test_manifests_that_are_wrong_are_told_whole(corpus, change, places):
    said = {**corpus.manifest.to_json(), **change}

    found = mistakes_of(parse_manifest, json.dumps(said).encode(), file="manifest.json")

    assert [place for place, _ in found] == places


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b'{"name": 1, "name": 2}', b"[" * 100_000])
def test_manifests_that_are_no_object_are_refused(raw):
    assert len(mistakes_of(parse_manifest, raw, file="manifest.json")) == 1


def test_manifest_without_a_key_names_it(corpus):
    said = corpus.manifest.to_json()
    del said["personal_data"]

    assert mistakes_of(parse_manifest, json.dumps(said).encode(), file="m") == [
        ("personal_data", "nothing")
    ]


def test_corpus_is_never_written_over(tmp_path):
    pack(tmp_path / "ko")

    found = mistakes_of(pack, tmp_path / "ko", ["other"])

    assert found == [("", "something that is there already")]
    assert open_corpus(tmp_path / "ko").documents == 4
    assert left_in(tmp_path) == ["ko"]


def test_folder_that_is_not_there_is_said(tmp_path):
    found = mistakes_of(pack, tmp_path / "nowhere/ko")

    assert found == [("", "nothing more could be written: No such file or directory")]


def test_error_of_the_tokenizer_leaves_nothing(tmp_path):
    def encode(text):
        if text == "a b c":
            raise RuntimeError(text)
        return to_bytes(text)

    with pytest.raises(RuntimeError):
        pack(tmp_path / "ko", encode=encode)

    assert left_in(tmp_path) == []


def test_error_of_the_texts_is_not_taken_for_one_of_the_disk(tmp_path):
    def texts():
        yield "a"
        yield (tmp_path / "nowhere.txt").read_text()

    with pytest.raises(FileNotFoundError):
        pack(tmp_path / "ko", texts())

    assert left_in(tmp_path) == []


FULL = """
import resource, sys
from pathlib import Path
from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.errors import CorpusError
from dokja.values import Digest

facts = CorpusFacts(name="ko", tokenizer=Digest.of(b"t"), vocabulary=256, licence="MIT",
                    origin="made", collected="2026-01-15", personal_data="none")
resource.setrlimit(resource.RLIMIT_FSIZE, (5_000, 5_000))
try:
    write_corpus(["x" * 9_000], Path(sys.argv[1]), encode=lambda text: list(text.encode()),
                 facts=facts)
except CorpusError as error:
    print(error.mistakes[0].read, error.changed, sep="|")
"""


def test_disk_that_takes_no_more_leaves_nothing(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", FULL, str(tmp_path / "ko")],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
    assert done.stdout.strip().split("|") == [
        "nothing more could be written: File too large",
        "Nothing was kept of what had been written.",
    ]
    assert left_in(tmp_path) == []


def test_two_writers_of_one_corpus_do_not_meet(tmp_path):
    inside = tmp_path / ".ko.unfinished"
    inside.mkdir()
    handle = os.open(inside, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)

    found = mistakes_of(pack, tmp_path / "ko")
    os.close(handle)

    assert found == [("", "a corpus that somebody is writing")]
    assert left_in(tmp_path) == [".ko.unfinished"]
    assert pack(tmp_path / "ko").documents == 4


ENDLESS = """
import itertools, sys
from pathlib import Path
from dokja.documents.packing import CorpusFacts, write_corpus
from dokja.values import Digest

facts = CorpusFacts(name="ko", tokenizer=Digest.of(b"t"), vocabulary=256, licence="MIT",
                    origin="made", collected="2026-01-15", personal_data="none")
texts = (f"line {number} " for number in itertools.count())
write_corpus(texts, Path(sys.argv[1]), encode=lambda text: list(text.encode()), facts=facts,
             shard_tokens=100_000)
"""


def test_kill_leaves_no_half_corpus_and_the_next_writer_clears_up(tmp_path):
    inside = tmp_path / ".ko.unfinished"
    writer = subprocess.Popen([sys.executable, "-c", ENDLESS, str(tmp_path / "ko")])
    until = time.monotonic() + 60
    while not (inside / "tokens-00002.u16").exists() and time.monotonic() < until:
        time.sleep(0.01)

    writer.send_signal(signal.SIGKILL)
    writer.wait()

    assert left_in(tmp_path) == [".ko.unfinished"]
    assert "tokens-00002.u16" in left_in(inside)
    with pytest.raises(CorpusError, match=r"manifest\.json"):
        open_corpus(inside)
    pack(tmp_path / "ko").verify()
    assert left_in(tmp_path) == ["ko"]


def test_memory_stays_flat_while_packing_and_reading(tmp_path):
    texts = ("word " * 200 for _ in range(4000))
    ids = np.frombuffer(b"word " * 200, dtype=np.uint8)
    tracemalloc.start()

    with contextlib.closing(pack(tmp_path / "ko", texts, encode=lambda _: ids)) as corpus:
        corpus.verify()
        for start in range(0, corpus.tokens, 1000):
            corpus.read(start, start + 1000)

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert corpus.tokens == 4_000_000
    assert peak < 4 << 20
