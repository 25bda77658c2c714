"""Zip files that somebody sends: every way of packing is read, and what lies is refused."""

import io
import struct
import zipfile
import zlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dokja.errors import TableError
from dokja.evidence.benchmarks.importers.zips import Bounds, open_zip

TEXT = "가나다 ".encode() * 500


def packed(entries, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return bytearray(file.getvalue())


def zstd(content, frames=1):
    """A zip of one stored entry whose method and sizes say that it is Zstandard."""
    size = -(-len(content) // frames)
    parts = [content[start : start + size] for start in range(0, len(content), size)]
    raw = b"".join(pa.Codec("zstd").compress(part, asbytes=True) for part in parts)
    return relabelled(raw, content)


def relabelled(raw, content, *, size=None, method=93):
    made = packed([("a.json", raw)], zipfile.ZIP_STORED)
    directory = made.rindex(b"PK\x01\x02")
    told = len(content) if size is None else size
    struct.pack_into("<H", made, directory + 10, method)
    struct.pack_into("<I", made, directory + 16, zlib.crc32(content))
    struct.pack_into("<I", made, directory + 24, told)
    return made


def read(tmp_path, made, name="a.json", **bounds):
    path = tmp_path / "log.eval"
    path.write_bytes(made)
    with open_zip(path, bounds=Bounds(**bounds)) as entries:
        return entries.read(name)


@pytest.mark.parametrize(
    "made",
    [
        packed([("a.json", TEXT)]),
        packed([("a.json", TEXT)], zipfile.ZIP_STORED),
        zstd(TEXT),
        zstd(TEXT, frames=7),
    ],
    ids=["deflate", "stored", "zstd", "zstd of many frames"],
)
def test_an_entry_is_read_however_it_is_packed(tmp_path, made):
    assert read(tmp_path, made) == TEXT


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    bomb = pa.Codec("zstd").compress(b"\0" * 2**26, asbytes=True)

    with pytest.raises(TableError, match="as the directory says"):
        read(tmp_path, relabelled(bomb, b"\0" * 100))


def test_a_bomb_that_says_so_is_refused_by_the_bound(tmp_path):
    made = packed([("a.json", b"\0" * 2**20)])

    with pytest.raises(TableError, match="at most 1,000"):
        read(tmp_path, made, entry_bytes=1000)


def test_a_deflate_bomb_that_lies_is_refused(tmp_path):
    content = b"\0" * 2**22
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    raw = compressor.compress(content) + compressor.flush()

    with pytest.raises(TableError, match="101 bytes or more"):
        read(tmp_path, relabelled(raw, content[:100], method=8))


def test_too_many_entries_are_refused(tmp_path):
    with pytest.raises(TableError, match="more than 2 entries"):
        read(tmp_path, packed([(str(n), b"") for n in range(3)]), entries=2)


@pytest.mark.parametrize("name", ["../a.json", "/a.json", "x/../../a.json", "C:/a.json"])
def test_a_path_that_leaves_its_folder_is_refused(tmp_path, name):
    with pytest.raises(TableError, match="leaves its folder"):
        read(tmp_path, packed([(name, b"{}")]))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_stands_twice_is_refused(tmp_path):
    with pytest.raises(TableError, match="stands twice"):
        read(tmp_path, packed([("a.json", b"1"), ("a.json", b"2")]))


def test_entries_that_share_bytes_are_refused(tmp_path):
    made = packed([("a.json", TEXT), ("b.json", TEXT)], zipfile.ZIP_STORED)
    second = made.rindex(b"PK\x01\x02")
    struct.pack_into("<I", made, second + 42, 0)

    with pytest.raises(TableError, match="share bytes"):
        read(tmp_path, made)


def test_changed_bytes_are_found_by_the_checksum(tmp_path):
    made = packed([("a.json", TEXT)], zipfile.ZIP_STORED)
    made[made.index(TEXT) + 5] ^= 1

    with pytest.raises(TableError, match="checksum"):
        read(tmp_path, made)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (b"", "zip"),
        (b"PK\x03\x04 and nothing else", "zip"),
        (packed([("a.json", TEXT)])[:-30], "zip"),
        (relabelled(b"not zstd", b"x"), "decoded"),
        (relabelled(b"x", b"x", method=97), "compression method 97"),
    ],
)
def test_what_is_no_whole_zip_is_refused(tmp_path, made, told):
    with pytest.raises(TableError, match=told):
        read(tmp_path, made)


@given(st.data())
def test_whatever_is_changed_is_read_as_it_was_or_refused(tmp_path_factory, data):
    made = packed([("a.json", b"[1]"), ("b.json", TEXT[:60])])
    for place in data.draw(st.lists(st.integers(0, len(made) - 1), min_size=1, max_size=4)):
        made[place] = data.draw(st.integers(0, 255))
    del made[data.draw(st.integers(len(made) // 2, len(made))) :]
    path = tmp_path_factory.mktemp("zip") / "log.eval"
    path.write_bytes(made)

    try:
        with open_zip(path) as entries:
            found = [entries.read(name) for name in entries.names]
    except TableError:
        return
    assert set(found) <= {b"[1]", TEXT[:60]}


def test_an_encrypted_entry_is_refused(tmp_path):
    made = packed([("a.json", TEXT)])
    made[made.rindex(b"PK\x01\x02") + 8] |= 1

    with pytest.raises(TableError, match="encrypted"):
        read(tmp_path, made)
